"""What rollup fields may add up of feedback: answers that are complete, and cases."""

from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from contacts.custom.sources import Figure, Part, Source, register
from feedback.models import Case, Response

_ANSWERS = {
    "nps": Figure(_("NPS answer"), "number", "nps"),
    "csat": Figure(_("CSAT answer"), "number", "csat"),
    "ces": Figure(_("CES answer"), "number", "ces"),
    "sentiment": Figure(_("sentiment"), "number", "sentiment_score", decimals=2),
    "submitted_at": Figure(_("answered"), "moment", "submitted_at"),
}
_ANSWER_PARTS = {
    "promoters": Part(_("promoters"), Q(nps__gte=9)),
    "passives": Part(_("passives"), Q(nps__in=(7, 8))),
    "detractors": Part(_("detractors"), Q(nps__lte=6)),
    "comments": Part(_("with a comment"), ~Q(comment="")),
}
_CASES = {
    "created_at": Figure(_("created"), "moment", "created_at"),
    "resolved_at": Figure(_("resolved"), "moment", "resolved_at"),
    "sla_due_at": Figure(_("due"), "moment", "sla_due_at"),
}
_OPEN = Q(status__in=(Case.Status.OPEN, Case.Status.PENDING))
_CASE_PARTS = {
    "open": Part(_("open cases"), _OPEN),
    "settled": Part(_("settled cases"), ~_OPEN),
    "urgent": Part(_("open and urgent cases"), _OPEN & Q(priority=Case.Priority.URGENT)),
}


def _complete() -> QuerySet[Any]:
    return Response.objects.filter(status=Response.Status.COMPLETE)


def register_related() -> None:
    """Called when the app is ready."""
    for entity, link in (("contact", "contact_id"), ("company", "contact__company_id")):
        register(
            Source(
                key="answers",
                entity=entity,
                label=_("answers"),
                scope="responses:read",
                rows=_complete,
                link=link,
                figures=_ANSWERS,
                parts=_ANSWER_PARTS,
                reads=("answers",),
            ),
            Source(
                key="cases",
                entity=entity,
                label=_("cases"),
                scope="cases:read",
                rows=Case.objects.all,
                link=link,
                figures=_CASES,
                parts=_CASE_PARTS,
                reads=("cases",),
            ),
        )
