"""Answers and cases in conditions on contacts and companies."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from contacts.condition_fields import chosen, named, plain, reference, responsible
from contacts.conditions import company_fields, contact_fields
from crmcem.lib.conditions import Field, FieldRegistry, FieldType, Relation
from feedback.models import Case, Response, Survey

answer_fields = FieldRegistry("feedback.Response")
answer_fields.register(
    reference("survey", _("Survey"), named(Survey)),
    *plain(
        FieldType.NUMBER,
        ("nps", _("NPS answer")),
        ("csat", _("CSAT answer")),
        ("ces", _("CES answer")),
    ),
    Field(name="sentiment", label=_("Sentiment"), type=FieldType.NUMBER, expression="sentiment_score"),
    *plain(
        FieldType.TEXT,
        ("comment", _("Comment")),
        ("touchpoint", _("Touchpoint")),
        ("language", _("Language")),
    ),
    Field(name="topics", label=_("Topics"), type=FieldType.MULTI_CHOICE),
    *plain(FieldType.DATETIME, ("submitted_at", _("Answered"))),
)
case_fields = FieldRegistry("feedback.Case")
case_fields.register(
    *plain(FieldType.TEXT, ("subject", _("Subject"))),
    chosen("status", _("Status"), Case.Status),
    chosen("priority", _("Priority"), Case.Priority),
    chosen("source", _("Source"), Case.Source),
    responsible(_("Owner")),
    *plain(FieldType.TEXT, ("root_cause", _("Root cause"))),
    *plain(
        FieldType.DATETIME,
        ("sla_due_at", _("Due")),
        ("resolved_at", _("Resolved")),
        ("created_at", _("Created")),
    ),
)


def _related(link: str, *, followed: bool) -> tuple[Relation, Relation]:
    return (
        Relation(
            name="answers",
            label=_("Answers"),
            registry=answer_fields,
            link=link,
            scope="responses:read",
            only=Q(status=Response.Status.COMPLETE),
            any=_("has an answer"),
            none=_("has no answer"),
            at_least=ngettext_lazy("has at least %(n)s answer", "has at least %(n)s answers", "n"),
            reads=("answers",) if followed else (),
        ),
        Relation(
            name="cases",
            label=_("Cases"),
            registry=case_fields,
            link=link,
            scope="cases:read",
            any=_("has a case"),
            none=_("has no case"),
            at_least=ngettext_lazy("has at least %(n)s case", "has at least %(n)s cases", "n"),
            reads=("cases",) if followed else (),
        ),
    )


def register_relations() -> None:
    """Called when the app is ready."""
    contact_fields.relate(*_related("contact_id", followed=True))
    company_fields.relate(*_related("contact__company_id", followed=False))
