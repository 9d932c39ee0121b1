"""Factories of pipelines and deals; rows only, services have tests of their own."""

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from sales.models import Deal, Pipeline, Stage


class PipelineFactory(DjangoModelFactory[Pipeline]):
    """A pipeline with the stages Lead 10 %, Offer 50 % and Contract 80 %."""

    class Meta:
        model = Pipeline
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Pipeline {n}")

    @factory.post_generation
    def stages(obj: Pipeline, create: bool, extracted: object, **kwargs: object) -> None:  # noqa: N805
        for i, (name, probability) in enumerate([("Lead", 10), ("Offer", 50), ("Contract", 80)]):
            Stage.objects.create(pipeline=obj, name=name, position=i, probability=probability, rot_days=10)


class DealFactory(DjangoModelFactory[Deal]):
    class Meta:
        model = Deal

    name = factory.Sequence(lambda n: f"Deal {n}")
    pipeline = factory.SubFactory(PipelineFactory)
    stage = factory.LazyAttribute(lambda deal: deal.pipeline.stages.first())
    stage_entered_at = factory.LazyFunction(timezone.now)
    position = factory.Sequence(lambda n: n)
