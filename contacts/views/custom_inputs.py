"""The inputs of custom fields in forms and in place. They only carry text: what is right is for the services."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from contacts.custom.definitions import Definition
from contacts.custom.entities import entities
from contacts.views.custom_cells import plain
from contacts.views.lookup import LookupInput

YES_NO = (("", "–"), ("true", pgettext_lazy("answer", "yes")), ("false", pgettext_lazy("answer", "no")))
NOT_CHOSEN = ("", gettext_lazy("Not chosen"))
#: stands in the input of a link to a record that the person may not see: its id is not theirs to know
KEPT = "kept"
Names = Mapping[tuple[str, str], str]


def start_of(definition: Definition, value: Any, names: Names) -> Any:
    """What the input starts with: the value as its type is typed, anything else as text.

    ``names`` are those of the records that the person may see (``contacts.custom.links.link_names``).
    """
    if value is None:
        return [] if definition.type == "multichoice" else ""
    if definition.type == "link" and (definition.options["entity"], str(value)) not in names:
        return KEPT
    if definition.type == "multichoice" and isinstance(value, list):
        order = list(definition.labels)
        return sorted(map(str, value), key=lambda each: order.index(each) if each in order else len(order))
    if definition.type == "money" and isinstance(value, dict):
        return str(value.get("amount", ""))
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(value)


def input_of(definition: Definition, value: Any, names: Names) -> forms.Field:
    """The form's field; ``value`` is what is stored, so that a choice that is no longer offered can stay."""
    shared: dict[str, Any] = {
        "label": definition.label,
        "required": False,
        "help_text": definition.help,
    }
    match definition.type:
        case "longtext":
            return forms.CharField(**shared, widget=forms.Textarea(attrs={"rows": 4}))
        case "boolean":
            return forms.ChoiceField(
                **shared, choices=_with_stored(list(YES_NO), start_of(definition, value, names))
            )
        case "choice":
            options = [NOT_CHOSEN, *definition.choices]
            return forms.ChoiceField(
                **shared, choices=_with_stored(options, start_of(definition, value, names), definition.labels)
            )
        case "multichoice":
            options = list(definition.choices)
            for each in value if isinstance(value, list) else ():
                options = _with_stored(options, str(each), definition.labels)
            size = min(max(len(options), 2), 6)
            return forms.MultipleChoiceField(
                **shared, choices=options, widget=forms.SelectMultiple(attrs={"size": size})
            )
        case "link":
            field = forms.CharField(**shared)
            target = entities[definition.options["entity"]]
            name = names.get((target.key, str(value)))
            field.widget = LookupInput(target.lookup_url_name, text=name or (_("hidden") if value else ""))
            return field
        case _:
            return forms.CharField(**shared, widget=_line(definition))


def _line(definition: Definition) -> forms.TextInput:
    attrs = {"autocomplete": "off"}
    if definition.type == "date":
        attrs["type"] = "date"
    if definition.type in ("number", "money"):
        attrs["inputmode"] = "decimal"
    if definition.type == "money":
        attrs["placeholder"] = definition.currency
    return forms.TextInput(attrs=attrs)


def _with_stored(options: list[Any], stored: Any, labels: Mapping[str, str] | None = None) -> list[Any]:
    """``options``, and what is stored if it is not among them."""
    if not isinstance(stored, str) or any(stored == str(value) for value, _label in options):
        return options
    return [*options, (stored, (labels or {}).get(stored, stored))]
