"""A form with the custom fields of its records, in the groups that the person's team has."""

from collections.abc import Collection
from typing import Any

from django import forms

from contacts.custom.definitions import active
from contacts.custom.layouts import arrange
from contacts.custom.links import link_names
from contacts.views.custom_inputs import input_of, start_of
from contacts.views.lookup import name_chosen


class CustomForm(forms.Form):
    """``add_custom`` is called when the record's own fields are there. Inputs of custom fields are ``custom.key``."""

    entity = ""
    #: fields that no layout can hide
    always: tuple[str, ...] = ()

    #: the custom fields that the form shows: one that is not among them stays as it is
    custom_shown = forms.CharField(widget=forms.HiddenInput, required=False, max_length=20_000)

    def add_custom(self, user: Any, record: Any) -> None:
        """The custom fields, and the groups in which the person's team has all of them."""
        own = [name for name, field in self.fields.items() if not field.widget.is_hidden]
        self.arranged = arrange(self.entity, own, user.team_id, always=self.always)
        shown = {name for group in self.arranged for name in group.names}
        self.put_custom(user, record, shown)
        for name in own:
            if name not in shown:
                del self.fields[name]

    def put_custom(self, user: Any, record: Any, shown: Collection[str]) -> None:
        """The inputs of those custom fields that are among ``shown``."""
        stored = record.custom if record is not None else {}
        typed = [each for each in active(self.entity).values() if each.name in shown and not each.computed]
        names = link_names(typed, [record] if record is not None else [], user)
        for each in typed:
            self.fields[each.name] = input_of(each, stored.get(each.key), names)
            self.initial.setdefault(each.name, start_of(each, stored.get(each.key), names))
        self.initial["custom_shown"] = ",".join(each.key for each in typed)
        if self.is_bound:
            name_chosen(self, user)

    def groups(self) -> list[tuple[str, list[Any]]]:
        """``(heading, fields)`` for the page."""
        rows = [
            (group.label, [self[name] for name in group.names if name in self.fields])
            for group in self.arranged
        ]
        return [(label, fields) for label, fields in rows if fields]

    def custom_values(self) -> dict[str, Any]:
        """The custom fields that were shown and that are not as they began."""
        keys = set(self.data.get("custom_shown", "").split(","))
        found = {}
        for name, value in self.cleaned_data.items():
            key = name.removeprefix("custom.")
            if key != name and (key in keys or name in self.data) and _typed(value) != self.initial.get(name):
                found[key] = value
        return found

    def own_values(self) -> dict[str, Any]:
        """The clean values of the record's own fields, and ``custom`` where one of its fields has changed."""
        apart = {"form_key", "version", "custom_shown"}
        data = {k: v for k, v in self.cleaned_data.items() if k not in apart and not k.startswith("custom.")}
        custom = self.custom_values()
        return data | ({"custom": custom} if custom else {})


def _typed(value: Any) -> Any:
    """What came from an input, as ``start_of`` puts it there."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value
