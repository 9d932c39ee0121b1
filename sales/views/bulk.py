"""What can be done to many deals of the list at once."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from contacts.views.bulk_edit import NEW_OWNER, TEAM, UNDO, Choice, edit_action
from contacts.views.common import people
from contacts.views.lookup import LookupInput
from crmcem.lib.records import lock_all
from crmcem.lib.web.bulk import BulkAction, BulkDone
from crmcem.workspace.models import Trash
from crmcem.workspace.organisation import organisation
from crmcem.workspace.services.trash import trash_delete
from crmcem.workspace.trashing import undo_url
from sales.models import Deal, Pipeline
from sales.services.bulk import DELETE, deals_delete
from sales.services.deals import ASSIGN, WRITE
from sales.services.edits import COMPETITORS, DEALS
from sales.services.ranks import many_lock
from sales.views.forms import CURRENCY_CHOICES, stage_choices


def _stage() -> forms.Field:
    known = stage_choices(Pipeline.objects.prefetch_related("stages"))
    return forms.ChoiceField(choices=[("", _("Choose a stage")), *known])


def _owner() -> forms.Field:
    return forms.ChoiceField(choices=[("", _("Nobody")), *people()])


def _amount() -> forms.Field:
    return forms.DecimalField(
        max_digits=14,
        decimal_places=2,
        localize=False,
        widget=forms.NumberInput(attrs={"step": "0.01", "inputmode": "decimal"}),
    )


def _currency() -> forms.Field:
    return forms.ChoiceField(choices=CURRENCY_CHOICES, initial=organisation().currency)


def _day() -> forms.Field:
    return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))


def _percent() -> forms.Field:
    return forms.IntegerField(min_value=0, max_value=100)


def _company() -> forms.Field:
    field = forms.IntegerField()
    field.widget = LookupInput("contacts:company-lookup")
    return field


def _words(limit: int) -> Any:
    return lambda: forms.CharField(max_length=limit, widget=forms.TextInput(attrs={"autocomplete": "off"}))


COMMAS = _("Several names with commas between them.")
STAGES = _("Open deals of its pipeline go to the top of the stage; closed ones and other pipelines’ stay.")
WON = _("Open deals are won with the amount they have; lost ones stay lost.")
LOST = _("Open deals are lost for this reason; won ones stay won.")
CHOICES: Mapping[str, Choice] = {
    "stage": Choice(_("Stage"), _stage, WRITE, _("Stage"), STAGES),
    "won": Choice(_("Mark as won"), _words(300), WRITE, _("Why did they choose us?"), WON),
    "lost": Choice(_("Mark as lost"), _words(300), WRITE, _("Why was it lost?"), LOST),
    "owner": Choice(_("Owner"), _owner, ASSIGN, NEW_OWNER, TEAM),
    "amount": Choice(
        _("Amount"), _amount, WRITE, help=_("In the currency of each deal. Nothing here empties it.")
    ),
    "currency": Choice(
        _("Currency"), _currency, WRITE, help=_("The amounts stay as they are; nothing is converted.")
    ),
    "expected_close": Choice(_("Expected close"), _day, WRITE),
    "probability": Choice(_("Probability in percent"), _percent, WRITE, help=_("Empty: that of the stage.")),
    "company": Choice(_("Company"), _company, WRITE),
    COMPETITORS[0]: Choice(_("Add competitors"), _words(2000), WRITE, _("Competitors"), COMMAS),
    COMPETITORS[1]: Choice(_("Remove competitors"), _words(2000), WRITE, _("Competitors"), COMMAS),
}


def choices() -> Mapping[str, Choice]:
    return CHOICES


def _button(key: str, name: str, label: Any, icon: str, danger: bool = False) -> BulkAction:
    return edit_action(
        DEALS, choices, key=key, name=name, label=label, icon=icon, explain=UNDO, danger=danger
    )


def _delete(*, actor: Any, rows: Any, data: dict[str, Any]) -> BulkDone:
    """It can be undone for half an hour."""
    count, kept = trash_deals(rows, actor, path=reverse("sales:deals"), title=str(_("Deals")))
    return BulkDone(count, undo_url=undo_url(kept))


def trash_deals(rows: Any, actor: Any, *, path: str, title: str) -> tuple[int, Trash | None]:
    """Delete deals. Answers how many, and what brings them back (to ``path``, named ``title``)."""

    def roots() -> dict[Any, list[int]]:
        many_lock()
        found = lock_all(Deal, list(rows.order_by().values_list("pk", flat=True)), actor)
        return {Deal: [deal.pk for deal in found]}

    return trash_delete(
        actor=actor,
        entity="deal",
        title=title,
        scope=DELETE,
        path=path,
        roots=roots,
        delete=lambda: deals_delete(deals=rows, actor=actor),
    )


DEAL_ACTIONS = (
    edit_action(DEALS, choices, explain=UNDO),
    _button("owner", "assign", _("Assign owner"), "user-share"),
    _button("stage", "move", _("Move to stage"), "arrows-right"),
    _button("won", "win", _("Mark as won"), "trophy"),
    _button("lost", "lose", _("Mark as lost"), "circle-x", danger=True),
    BulkAction(
        "delete",
        _("Delete"),
        "trash",
        DELETE,
        _delete,
        explain=_(
            "They go away with their stage history; interactions and tasks stay. You can undo it for half an hour."
        ),
        danger=True,
    ),
)
