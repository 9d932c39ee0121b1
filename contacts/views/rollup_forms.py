"""The inputs of a rollup's definition: what is added up, of which records."""

from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from contacts.custom.rollups import offered
from contacts.custom.sources import sources_of

Groups = list[tuple[str, list[tuple[str, str]]]]


def fields(entity: str) -> dict[str, forms.Field]:
    """One select that names records, measure and figure together, one for the part of the records that counts."""
    sources = sources_of(entity)
    what: Groups = [
        (
            capfirst(str(source.label)),
            [(f"{source.key}:{measure}:{of}", words) for measure, of, words in offered(source)],
        )
        for source in sources
    ]
    only: Groups = [
        (
            capfirst(str(source.label)),
            [(f"{source.key}:{key}", str(part.label)) for key, part in source.parts.items()],
        )
        for source in sources
        if source.parts
    ]
    found: dict[str, forms.Field] = {
        "rollup": forms.ChoiceField(label=_("What it shows"), choices=[("", "–"), *what]),
        "only": forms.ChoiceField(label=_("Only"), required=False, choices=[("", _("All of them")), *only]),
    }
    if any(source.events for source in sources):
        found["event"] = _text(
            _("Tracked event"), _("For tracked events: its name, such as order.placed."), 80
        )
        found["property"] = _text(
            _("Number in the event"),
            _("For sums and the like: its name in the properties, such as total."),
            160,
        )
    return found


def _text(label: Any, help_text: Any, limit: int) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off"})
    return forms.CharField(label=label, required=False, max_length=limit, help_text=help_text, widget=widget)


def options(clean: dict[str, Any]) -> dict[str, Any]:
    """What the service wants, taken out of the form's clean data."""
    source, measure, of = clean.pop("rollup").split(":", 2)
    part_of, _sep, only = clean.pop("only").partition(":")
    found: dict[str, Any] = {"source": source, "measure": measure}
    if only:
        # a part of other records is for the service to refuse, in the name of both
        found["only"] = only if part_of == source else f"{part_of}.{only}"
    event, name = clean.pop("event", ""), clean.pop("property", "")
    if of or measure != "count":
        found["of"] = name if of == "*" else of
    return found | ({"event": event} if event else {})
