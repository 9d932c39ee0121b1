"""Setting one field of many records: choose the field, give the value, see how many it changes.

``edit_action`` is the bulk action of any list whose rows have a ``FieldEditor``; with ``key`` it is a button for that
field alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.custom.definitions import active
from contacts.models import Contact
from contacts.services.bulk_edit import TAGS, RecordEditor
from contacts.services.field_edits import CUSTOM, OWNERS
from contacts.views.custom_inputs import input_of
from contacts.views.fields import COMPANY_FIELDS, CONTACT_FIELDS, EditField
from contacts.views.tag_inputs import TagsInput
from crmcem.lib.actors import Actor
from crmcem.lib.bulk_edits import Editor, automations_warning
from crmcem.lib.keyset import capped_count
from crmcem.lib.web.bulk import BulkAction, BulkDone
from crmcem.workspace.editing import done_toast
from crmcem.workspace.models import BulkEdit
from crmcem.workspace.services.edits import edit_begin

#: the dialog is drawn anew with the input of the field that is chosen
REDRAW = {
    "hx-post": "",
    "hx-vals": '{"_confirmed":""}',
    "hx-include": "closest form",
    "hx-target": "#modal-body",
    "hx-swap": "innerHTML",
    "hx-trigger": "change consume",
}
NEW, EMPTIES = gettext_lazy("New value"), gettext_lazy("Nothing here empties the field.")
NEW_OWNER, TEAM = gettext_lazy("New owner"), gettext_lazy("The team goes with the owner.")
EDIT, UNDO = gettext_lazy("Edit field"), gettext_lazy("You can undo it for half an hour.")


@dataclass(frozen=True, slots=True)
class Choice:
    """A field that can be chosen. ``input()`` makes its form field, ``ask`` and ``help`` are the words beside it.

    Without ``input`` there is nothing to give; ``reasoned``: a history keeps why.
    """

    label: Any
    input: Callable[[], forms.Field] | None
    scope: str
    ask: Any = NEW
    help: Any = EMPTIES
    reasoned: bool = False


Choices = Callable[[], Mapping[str, Choice]]


def choices_of(editor: Editor, own: Choices, user: Any) -> dict[str, Choice]:
    """The fields that the person may set in bulk, by key: the record's own, then the custom ones."""
    found = {key: choice for key, choice in own().items() if user.may(choice.scope)}
    for each in active(editor.entity).values():
        if not each.computed:
            found[f"{CUSTOM}{each.key}"] = _custom(each, editor.scope)
    return found


def _custom(definition: Any, scope: str) -> Choice:
    return Choice(
        definition.label, lambda: input_of(definition, None, {}), scope, help=definition.help or EMPTIES
    )


class EditForm(forms.Form):
    """``typed`` is what was sent so far: the chosen field decides which input the value has."""

    editor: Editor
    own: Choices
    key: str = ""

    field = forms.ChoiceField(label=gettext_lazy("Field"), widget=forms.Select(attrs=REDRAW))

    def __init__(self, data: Any = None, *, user: Any, typed: Any) -> None:
        super().__init__(data, initial={"field": typed.get("field", "")})
        known = choices_of(self.editor, type(self).own, user)
        if self.key:
            del self.fields["field"]
        else:
            chooser: Any = self.fields["field"]
            labels = [(key, each.label) for key, each in known.items()]
            chooser.choices = [("", _("Choose a field")), *labels]
        choice = known.get(self.key or typed.get("field", ""))
        #: whether it is clear what will be changed
        self.chosen = choice is not None
        if choice is not None and choice.input is not None:
            value = choice.input()
            value.label, value.required = choice.ask, False
            value.help_text = choice.help
            self.fields["value"] = value
        if choice is not None and choice.reasoned:
            self.fields["reason"] = forms.CharField(
                label=_("Reason"), max_length=300, required=False, help_text=_("It stands in their history.")
            )


def edit_action(
    editor: Editor,
    own: Choices,
    *,
    key: str = "",
    name: str = "edit",
    label: Any = EDIT,
    icon: str = "pencil",
    explain: Any = UNDO,
    danger: bool = False,
) -> BulkAction:
    """A button that sets the field ``key``, or any that is chosen in its dialog.

    What the former has done at once is told by a message, with the click that takes it back; else by the edit's page.
    """

    def run(*, actor: Actor, rows: Any, data: dict[str, Any], page: Any, ids: list[int] | None) -> BulkDone:
        wanted = key or data["field"]
        found = choices_of(editor, own, actor.user)[wanted].label
        edit = edit_begin(
            actor=actor,
            page=page,
            key=wanted,
            raw=data.get("value"),
            label=str(found),
            ids=ids,
            reason=data.get("reason", ""),
        )
        if key and edit.status == BulkEdit.Status.DONE and not edit.failed:
            return BulkDone(edit.changed, toast=done_toast(edit, actor.user))
        return BulkDone(edit.changed, page_url=reverse("workspace:edit", args=[edit.pk]))

    def forecast(*, actor: Actor, rows: Any, data: dict[str, Any], page: Any) -> str:
        wanted = key or data["field"]
        value = editor.check(key=wanted, raw=data.get("value"), actor=actor)
        said = [
            forecast_text(editor, wanted, value, rows, page),
            automations_warning(editor, wanted, actor.user),
        ]
        return " ".join(filter(None, said))

    form = type("EditForm", (EditForm,), {"editor": editor, "own": staticmethod(own), "key": key})
    scope = editor.assign if key in OWNERS else editor.scope
    return BulkAction(name, label, icon, scope, run, explain, form, danger=danger, forecast=forecast)


def forecast_text(editor: Editor, key: str, value: Any, rows: Any, page: Any) -> str:
    """How many of the rows will change, and how many can't and why."""
    barred = editor.barred(key=key, value=value)
    can = Q()
    for q, _text in barred:
        can &= ~q
    count, exact = capped_count(rows.filter(editor.differing(key=key, value=value) & can), page.count_cap)
    stays = [(capped_count(rows.filter(q), page.count_cap), text) for q, text in barred]
    told = [text % {"count": page.counted(*found)} for found, text in stays if found[0]]
    whole, known = capped_count(rows, page.count_cap)
    others = not known or not exact or whole > count + sum(found[0] for found, _text in stays)
    if count or not exact:
        first = (
            _("%(count)s of them will change; others have this value already.")
            if others
            else _("%(count)s of them will change.")
        )
        first %= {"count": page.counted(count, exact)}
    else:
        first = _("None of them will change.") if told else _("All of them have this value already.")
    return " ".join([first, *told])


# --- contacts and companies ----------------------------------------------------------------------------
def own_choices(editor: RecordEditor) -> Choices:
    """The inputs are those of the record pages, over a record that has nothing yet."""

    def found() -> dict[str, Choice]:
        known = CONTACT_FIELDS if editor.model is Contact else COMPANY_FIELDS
        choices = {}
        for key in editor.keys:
            if key in TAGS:
                choices[key] = _tags(key, editor.scope)
            else:
                choices[key] = _of_record(editor, known[key])
        return choices

    return found


def _of_record(editor: RecordEditor, field: EditField) -> Choice:
    make = _over_nothing(editor.model, field.input)
    if field.key == "owner":
        return Choice(field.label, make, field.scope, NEW_OWNER, TEAM)
    if field.key == "lifecycle_stage":
        return Choice(field.label, make, field.scope, help="", reasoned=True)
    return Choice(field.label, make, field.scope)


def _over_nothing(model: Any, make: Callable[[Any], forms.Field]) -> Callable[[], forms.Field]:
    return lambda: make(model())


def _tags(key: str, scope: str) -> Choice:
    return Choice(
        _("Add tags") if key == TAGS[0] else _("Remove tags"),
        lambda: forms.CharField(max_length=400, widget=TagsInput),
        scope,
        ask=_("Tags"),
        help=_("Several tags with commas between them."),
    )
