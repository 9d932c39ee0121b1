"""What formulas may use of contacts and companies themselves. Names are those of the API."""

from typing import Any

from django.db.models import Case, F, When
from django.utils.translation import gettext_lazy as _

from contacts.custom.formulas.fields import Own, register
from contacts.models import Lifecycle
from crmcem.lib.birthdays import UNKNOWN_YEAR


def _own(entity: str, *rows: tuple[str, Any, str]) -> list[Own]:
    return [Own(name, label, kind, reads=(entity,)) for name, label, kind in rows]


def _pulse(*rows: tuple[str, Any, str]) -> list[Own]:
    return [
        Own(f"pulse.{name}", label, kind, f"pulse__{name}", reads=("pulse",)) for name, label, kind in rows
    ]


def register_own() -> None:
    """Called when the app is ready."""
    register(
        "contact",
        *_own(
            "contact",
            ("first_name", _("First name"), "text"),
            ("last_name", _("Last name"), "text"),
            ("email", _("E-mail address"), "text"),
            ("phone", _("Phone"), "text"),
            ("job_title", _("Job title"), "text"),
            ("language", _("Language"), "text"),
            ("external_id", _("External id"), "text"),
            ("created_at", _("Created"), "moment"),
        ),
        Own(
            "lifecycle_stage",
            _("Lifecycle stage"),
            "text",
            choices=[(value, str(label)) for value, label in Lifecycle.choices],
            reads=("contact",),
        ),
        Own(
            "birthday",
            _("Date of birth"),
            "date",
            Case(When(birthday__year__gt=UNKNOWN_YEAR, then=F("birthday"))),
            reads=("contact",),
        ),
        *_pulse(
            ("nps", _("NPS answer"), "number"),
            ("csat", _("CSAT answer"), "number"),
            ("ces", _("CES answer"), "number"),
            ("sentiment", _("Sentiment"), "number"),
            ("open_cases", _("Open cases"), "number"),
            ("health", _("Health"), "number"),
            ("churn_risk", _("Churn risk"), "number"),
            ("clv", _("Customer lifetime value"), "money"),
            ("orders", _("Orders"), "number"),
            ("revenue", _("Revenue"), "money"),
            ("customer_since", _("Customer since"), "date"),
            ("last_seen_at", _("Last seen"), "moment"),
            ("last_touched_at", _("Last touched"), "moment"),
            ("next_activity_at", _("Next activity"), "moment"),
        ),
    )
    register(
        "company",
        *_own(
            "company",
            ("name", _("Name"), "text"),
            ("domain", _("Domain"), "text"),
            ("industry", _("Industry"), "text"),
            ("phone", _("Phone"), "text"),
            ("website", _("Website"), "text"),
            ("external_id", _("External id"), "text"),
            ("size", _("Employees"), "number"),
            ("created_at", _("Created"), "moment"),
        ),
    )
