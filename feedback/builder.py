"""The condition builder for answers and cases: which surveys and people can be chosen."""

from contacts.builder import owners
from crmcem.lib.web.condition_builder import Asked, Offered, offers
from feedback.models import Survey

#: of surveys that a condition offers, the newest
MAX_SURVEYS = 200


def _of_answers(asked: Asked) -> Offered:
    surveys = Survey.objects.order_by("-pk").values_list("pk", "name")[:MAX_SURVEYS]
    return Offered({"survey": [(str(pk), name) for pk, name in surveys]})


def _of_cases(asked: Asked) -> Offered:
    return Offered(owners(asked))


def register_offers() -> None:
    """Called when the app is ready."""
    offers.add("feedback.Response", _of_answers)
    offers.add("feedback.Case", _of_cases)
