"""The condition builder for deals: which pipelines, stages and people can be chosen."""

from typing import Any

from contacts.builder import owners, record_names
from crmcem.lib.web.condition_builder import Asked, Offered, condition_builder, offers
from sales.deal_conditions import deal_fields
from sales.models import Pipeline

#: of pipelines that a condition offers
MAX_PIPELINES = 100


def deal_builder(user: Any, value: Any) -> dict[str, Any]:
    """The context ``builder`` of ``components/condition_builder.html``."""
    return condition_builder(deal_fields, user, value=value, labels=record_names(value, user))


def _of_deals(asked: Asked) -> Offered:
    pipelines = Pipeline.objects.prefetch_related("stages")[:MAX_PIPELINES]
    return Offered(
        owners(asked)
        | {
            "pipeline": [(str(pipeline.pk), pipeline.name) for pipeline in pipelines],
            "stage": [
                (str(stage.pk), f"{pipeline.name}: {stage.name}")
                for pipeline in pipelines
                for stage in pipeline.stages.all()
            ],
        }
    )


def register_offers() -> None:
    """Called when the app is ready."""
    offers.add("sales.Deal", _of_deals)
