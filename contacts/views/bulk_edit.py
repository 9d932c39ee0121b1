"""Setting one field of many contacts or companies: choose the field, give the value, see how many it changes."""

from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.custom.definitions import active
from contacts.services.bulk_edit import COMPANIES, CONTACTS, CUSTOM, TAGS, RecordEditor
from contacts.views.fields import fields_of
from contacts.views.tag_inputs import TagsInput
from crmcem.lib.actors import Actor
from crmcem.lib.keyset import capped_count
from crmcem.lib.web.bulk import BulkAction, BulkDone
from crmcem.lib.web.cells import grouped
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


def choices_of(editor: RecordEditor, user: Any) -> dict[str, str]:
    """Key and label of the fields that the person may set in bulk."""
    known = fields_of(editor.model)
    found: dict[str, str] = {}
    for key in editor.keys:
        if key in TAGS:
            found[key] = _("Add tags") if key == TAGS[0] else _("Remove tags")
        elif user.may(known[key].scope):
            found[key] = str(known[key].label)
    custom = [each for each in active(editor.entity).values() if not each.computed]
    return found | {f"{CUSTOM}{each.key}": each.label for each in custom}


def _blank(model: Any) -> Any:
    row = model()
    row.link_names = {}
    return row


class EditForm(forms.Form):
    """``typed`` is what was sent so far: the chosen field decides which input the value has."""

    editor: RecordEditor
    field = forms.ChoiceField(label=gettext_lazy("Field"), widget=forms.Select(attrs=REDRAW))

    def __init__(self, data: Any = None, *, user: Any, typed: Any) -> None:
        super().__init__(data, initial={"field": typed.get("field", "")})
        self.labels = choices_of(self.editor, user)
        chooser: Any = self.fields["field"]
        chooser.choices = [("", _("Choose a field")), *self.labels.items()]
        key = typed.get("field", "")
        if key in TAGS:
            self.fields["value"] = forms.CharField(
                label=_("Tags"),
                max_length=400,
                help_text=_("Several tags with commas between them."),
                widget=TagsInput,
            )
        elif key in self.labels:
            value = fields_of(self.editor.model)[key].input(_blank(self.editor.model))
            value.label, value.required = _("New value"), False
            value.help_text = value.help_text or _("Nothing here empties the field.")
            self.fields["value"] = value


def _edit(editor: RecordEditor) -> BulkAction:
    def run(*, actor: Actor, rows: Any, data: dict[str, Any], page: Any, ids: list[int] | None) -> BulkDone:
        label = choices_of(editor, actor.user)[data["field"]]
        edit = edit_begin(
            actor=actor, page=page, key=data["field"], raw=data.get("value"), label=label, ids=ids
        )
        return BulkDone(edit.changed, page_url=reverse("workspace:edit", args=[edit.pk]))

    def forecast(*, actor: Actor, rows: Any, data: dict[str, Any], page: Any) -> str:
        key = data["field"]
        value = editor.check(key=key, raw=data.get("value"), actor=actor)
        count, exact = capped_count(rows.filter(editor.differing(key=key, value=value)), page.count_cap)
        if exact and not count:
            return _("All of them have this value already.")
        return _("%(count)s of them will change; others have this value already.") % {
            "count": grouped(count) if exact else page.counted(count, exact)
        }

    form = type("EditForm", (EditForm,), {"editor": editor})
    return BulkAction(
        "edit",
        gettext_lazy("Edit field"),
        "pencil",
        editor.scope,
        run,
        gettext_lazy("You can undo it for half an hour."),
        form,
        forecast=forecast,
    )


EDIT_CONTACTS, EDIT_COMPANIES = _edit(CONTACTS), _edit(COMPANIES)
