"""What the value of a custom field looks like in a cell or beside its label."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from contacts.custom.definitions import Definition
from contacts.custom.entities import entities
from crmcem.lib.web import cells

Names = Mapping[tuple[str, str], str]
MAX_SHOWN = 1000


def shown(definition: Definition, value: Any, names: Names) -> SafeString:
    """The value as its type shows it; what is of another type (stored before there was the definition) as text.

    ``names`` are those of the records that the person may see (``contacts.custom.links.link_names``).
    """
    if value is None:
        return cells.NONE
    show = _SHOWERS.get(definition.result)
    found = show(definition, value, names) if show is not None else None
    return found if found is not None else cells.text(plain(value))


def plain(value: Any) -> str:
    """Any stored value as text."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def value_of(definition: Definition, row: Any) -> Any:
    """What the row holds, or what was computed for it (``contacts.custom.computed.put_computed``)."""
    return row.computed.get(definition.key) if definition.computed else row.custom.get(definition.key)


Shower = Callable[[Definition, Any, Names], SafeString | None]


def _number(definition: Definition, value: Any, names: Names) -> SafeString | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return cells.number(value, definition.decimals)


def _money(definition: Definition, value: Any, names: Names) -> SafeString | None:
    if not isinstance(value, dict) or not isinstance(value.get("amount"), str):
        return None
    try:
        return cells.money(Decimal(value["amount"]), str(value.get("currency", "")))
    except InvalidOperation:
        return None


def _date(definition: Definition, value: Any, names: Names) -> SafeString | None:
    try:
        return cells.day(dt.date.fromisoformat(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _boolean(definition: Definition, value: Any, names: Names) -> SafeString | None:
    return cells.yes_no(value) if isinstance(value, bool) else None


def _choice(definition: Definition, value: Any, names: Names) -> SafeString | None:
    return cells.text(definition.labels.get(value, value)) if isinstance(value, str) else None


def _choices(definition: Definition, value: Any, names: Names) -> SafeString | None:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return None
    return cells.tags([str(definition.labels.get(each, each)) for each in value])


def _link(definition: Definition, value: Any, names: Names) -> SafeString | None:
    if not isinstance(value, str):
        return None
    target = entities[definition.options["entity"]]
    name = names.get((target.key, value))
    if name is None:
        word = escape(_("hidden"))
        return mark_safe(f'<span class="soft"><i class="ti ti-lock" aria-hidden="true"></i> {word}</span>')  # noqa: S308
    return cells.link(reverse(target.url_name, args=[value]), name)


_SHOWERS: dict[str, Shower] = {
    "number": _number,
    "money": _money,
    "date": _date,
    "boolean": _boolean,
    "choice": _choice,
    "multichoice": _choices,
    "link": _link,
}
