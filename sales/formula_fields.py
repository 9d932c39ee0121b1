"""What formulas may use of deals. An amount in another currency than the organisation's is empty."""

from typing import Any

from django.db.models import Case, F, When
from django.utils.translation import gettext_lazy as _

from contacts.custom.formulas.fields import Own, register
from crmcem.workspace.organisation import organisation
from sales.models import Deal


def _ours() -> Any:
    return Case(When(currency=organisation().currency, then=F("amount")))


def register_own() -> None:
    """Called when the app is ready."""
    register(
        "deal",
        Own("name", _("Name"), "text"),
        Own("amount", _("Amount"), "money", _ours),
        Own("probability", _("Probability in percent"), "number"),
        Own(
            "status",
            _("Status"),
            "text",
            choices=[(value, str(label)) for value, label in Deal.Status.choices],
        ),
        Own("expected_close", _("Expected close"), "date"),
        Own("closed_at", _("Closed"), "moment"),
        Own("stage_entered_at", _("In this stage since"), "moment"),
        Own("created_at", _("Created"), "moment"),
        Own("lost_reason", _("Reason for the loss"), "text"),
        Own("won_reason", _("Reason for the win"), "text"),
        Own("external_id", _("External id"), "text"),
    )
