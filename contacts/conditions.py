"""What conditions may say about contacts and companies. Apps above register fields of their own here.

``contact_fields.register(Field(name="deals.open", …))`` in an ``AppConfig.ready``. Names are those of the API;
figures of Pulse are ``pulse.…``, those of the company ``company.…``, custom fields ``custom.…`` in their type.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Case, Count, F, Max, Min, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from contacts.condition_fields import named, reference, responsible
from contacts.custom.in_conditions import register_custom
from contacts.models import Contact, Lifecycle
from contacts.selectors.tags import spellings
from crmcem.lib.activities import kinds
from crmcem.lib.birthdays import UNKNOWN_YEAR
from crmcem.lib.conditions import ActivitySource, Field, FieldRegistry, FieldType
from crmcem.lib.visibility import visible_q
from crmcem.workspace.models import Team


def _kinds() -> Iterable[tuple[str, str]]:
    return [(kind.key, str(kind.label)) for kind in kinds]


def _owned() -> list[Field]:
    """Fields that every record of a customer has."""
    return [
        responsible(_("Owner")),
        reference("team", _("Team"), named(Team)),
        Field(name="external_id", label=_("External id"), type=FieldType.TEXT, normalise=str.strip),
        Field(name="created_at", label=_("Created"), type=FieldType.DATETIME),
        Field(name="updated_at", label=_("Changed"), type=FieldType.DATETIME),
    ]


def _pulse(name: str, label: Any, kind: FieldType) -> Field:
    return Field(
        name=f"pulse.{name}",
        label=label,
        type=kind,
        expression=f"pulse__{name}",
        group=_("Pulse"),
        reads=("pulse",),
    )


def _company(name: str, label: Any, kind: FieldType) -> Field:
    """What is known of the company, to who may see it: a contact of mine can work for one of somebody else."""

    def seen_by(user: Any) -> Any:
        value, seen = F(f"company__{name}"), visible_q(user, "company__") if user is not None else Q()
        return Case(When(seen, then=value)) if seen else value

    return Field(
        name=f"company.{name}",
        label=label,
        type=kind,
        seen_by=seen_by,
        group=_("Company"),
        reads=("contact", "company"),
    )


contact_fields = FieldRegistry("contacts.Contact")
contact_fields.register(
    Field(name="email", label=_("E-mail address"), type=FieldType.TEXT, normalise=str.lower),
    Field(name="first_name", label=_("First name"), type=FieldType.TEXT),
    Field(name="last_name", label=_("Last name"), type=FieldType.TEXT),
    Field(name="phone", label=_("Phone"), type=FieldType.TEXT),
    Field(name="job_title", label=_("Job title"), type=FieldType.TEXT),
    Field(
        name="birthday",
        label=_("Date of birth"),
        type=FieldType.DATE,
        # one without its year is no day that could be compared
        expression=Case(When(birthday__year__gt=UNKNOWN_YEAR, then=F("birthday"))),
    ),
    Field(
        name="birthday.month",
        label=_("Month of the birthday"),
        type=FieldType.NUMBER,
        expression="birthday__month",
    ),
    Field(
        name="birthday.day",
        label=_("Day of the birthday in its month"),
        type=FieldType.NUMBER,
        expression="birthday__day",
    ),
    Field(
        name="lifecycle_stage",
        label=_("Lifecycle stage"),
        type=FieldType.CHOICE,
        choices=lambda: Lifecycle.choices,
    ),
    Field(
        name="tags",
        label=_("Tags"),
        type=FieldType.MULTI_CHOICE,
        spellings=spellings,
        phrases={
            "has_any": _("tagged {value}"),
            "has_all": _("tagged with all of {value}"),
            "has_none": _("not tagged {value}"),
        },
    ),
    Field(name="language", label=_("Language"), type=FieldType.TEXT),
    Field(name="time_zone", label=_("Time zone"), type=FieldType.TEXT),
    *_owned(),
    Field(name="company", label=_("Company"), type=FieldType.REFERENCE, expression="company_id"),
    _company("name", _("Company name"), FieldType.TEXT),
    _company("industry", _("Industry"), FieldType.TEXT),
    _company("size", _("Employees"), FieldType.NUMBER),
    _pulse("stage_since", _("Stage since"), FieldType.DATETIME),
    _pulse("nps", _("NPS answer"), FieldType.NUMBER),
    _pulse("nps_at", _("NPS answered"), FieldType.DATETIME),
    _pulse("csat", _("CSAT answer"), FieldType.NUMBER),
    _pulse("csat_at", _("CSAT answered"), FieldType.DATETIME),
    _pulse("ces", _("CES answer"), FieldType.NUMBER),
    _pulse("ces_at", _("CES answered"), FieldType.DATETIME),
    _pulse("sentiment", _("Sentiment"), FieldType.NUMBER),
    _pulse("open_cases", _("Open cases"), FieldType.NUMBER),
    _pulse("health", _("Health"), FieldType.NUMBER),
    _pulse("churn_risk", _("Churn risk"), FieldType.NUMBER),
    _pulse("clv", _("Customer lifetime value"), FieldType.MONEY),
    _pulse("orders", _("Orders"), FieldType.NUMBER),
    _pulse("revenue", _("Revenue"), FieldType.MONEY),
    _pulse("customer_since", _("Customer since"), FieldType.DATE),
    _pulse("last_seen_at", _("Last seen"), FieldType.DATETIME),
    _pulse("last_touched_at", _("Last touched"), FieldType.DATETIME),
    _pulse("next_activity_at", _("Next activity"), FieldType.DATETIME),
)
register_custom(contact_fields, "contact")
contact_fields.activities = ActivitySource(
    model="contacts.Activity", subject_model="contacts.Contact", subject="contact_id", kinds=_kinds
)


def _people(
    name: str, label: Any, kind: FieldType, measure: Callable[[], Any], empty: Any = None, **only: Any
) -> Field:
    """A figure over the people of a company whom the asking person may see."""

    def seen_by(user: Any) -> Any:
        found: Any = Contact.objects.all() if user is None else Contact.objects.visible_to(user)
        rows = found.filter(company_id=OuterRef("pk"), **only).order_by().values("company_id")
        figure = Subquery(rows.annotate(figure=measure()).values("figure"))
        return figure if empty is None else Coalesce(figure, Value(empty))

    group = _("People")
    return Field(
        name=f"people.{name}", label=label, type=kind, group=group, seen_by=seen_by, reads=("people",)
    )


company_fields = FieldRegistry("contacts.Company")
company_fields.register(
    Field(name="name", label=_("Name"), type=FieldType.TEXT),
    Field(name="domain", label=_("Domain"), type=FieldType.TEXT, normalise=str.lower),
    Field(name="industry", label=_("Industry"), type=FieldType.TEXT),
    Field(name="size", label=_("Employees"), type=FieldType.NUMBER),
    Field(name="phone", label=_("Phone"), type=FieldType.TEXT),
    Field(name="website", label=_("Website"), type=FieldType.TEXT),
    Field(name="parent", label=_("Parent company"), type=FieldType.REFERENCE, expression="parent_id"),
    *_owned(),
    _people("count", _("Number of people"), FieldType.NUMBER, lambda: Count("pk"), 0),
    *(
        _people(stage, label, FieldType.NUMBER, lambda: Count("pk"), 0, lifecycle_stage=stage)
        for stage, label in (
            (Lifecycle.LEAD, _("People who are leads")),
            (Lifecycle.OPPORTUNITY, _("People who are opportunities")),
            (Lifecycle.CUSTOMER, _("People who are customers")),
            (Lifecycle.FORMER, _("People who are former customers")),
        )
    ),
    _people("lowest_nps", _("Lowest NPS answer of its people"), FieldType.NUMBER, lambda: Min("pulse__nps")),
    _people(
        "highest_nps", _("Highest NPS answer of its people"), FieldType.NUMBER, lambda: Max("pulse__nps")
    ),
    _people(
        "open_cases", _("Open cases of its people"), FieldType.NUMBER, lambda: Sum("pulse__open_cases"), 0
    ),
    _people("orders", _("Orders of its people"), FieldType.NUMBER, lambda: Sum("pulse__orders"), 0),
    _people(
        "last_seen_at",
        _("Last seen, anyone of its people"),
        FieldType.DATETIME,
        lambda: Max("pulse__last_seen_at"),
    ),
    _people(
        "next_activity_at",
        _("Next activity with anyone of its people"),
        FieldType.DATETIME,
        lambda: Min("pulse__next_activity_at"),
    ),
)
register_custom(company_fields, "company")
company_fields.activities = ActivitySource(
    model="contacts.Activity", subject_model="contacts.Company", subject="company_id", kinds=_kinds
)
