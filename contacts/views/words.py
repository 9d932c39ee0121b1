"""Changed fields in words: ``{column: [old, new]}`` of an activity or audit row, as people read it."""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.utils import formats, timezone
from django.utils.dateparse import parse_datetime
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.custom.definitions import Definition, every
from contacts.models import Company, Contact
from crmcem.workspace.models import Team, User

#: columns that say nothing to people
SILENT = frozenset({"version", "updated_at", "search_text", "series_start", "series_number", "reminded_at"})
MAX_TEXT = 300
#: the records with custom fields
CUSTOM = {Contact: "contact", Company: "company"}

CHANNEL_WORDS = {
    "email": gettext_lazy("E-mail"),
    "sms": gettext_lazy("SMS"),
    "phone": gettext_lazy("Phone"),
    "push": gettext_lazy("Push messages"),
    "post": gettext_lazy("Post"),
}


class Names:
    """The names behind the ids in many changes, read once each; hidden companies and contacts stay unnamed."""

    def __init__(self, model: Any, changes: Iterable[Mapping[str, Any]], user: Any) -> None:
        wanted: dict[Any, set[int]] = {}
        for change in changes:
            for column, pair in change.items():
                target = target_of(model, column)
                if target is not None and isinstance(pair, list):
                    wanted.setdefault(target, set()).update(v for v in pair if isinstance(v, int))
        self.found: dict[tuple[Any, int], str] = {}
        for target, ids in wanted.items():
            rows: Any = target.objects.all()
            if target in (Company, Contact):
                rows = rows.visible_to(user)
            self.found |= {(target, row.pk): str(row) for row in rows.filter(pk__in=ids)}

    def of(self, target: Any, pk: Any) -> str:
        unknown = _("somebody") if target is User else _("a record that is gone or hidden")
        return self.found.get((target, pk), unknown)


def field_of(model: Any, column: str) -> Any:
    """The field of a column (``owner_id``) or name (``owner``)."""
    for name in (column, column.removesuffix("_id")):
        try:
            return model._meta.get_field(name)
        except FieldDoesNotExist:
            continue
    return None


def target_of(model: Any, column: str) -> Any:
    """The model that a column points to, among those with names that people know."""
    field = field_of(model, column)
    related = getattr(field, "related_model", None)
    return related if related in (User, Team, Company, Contact) else None


def changes_of(
    model: Any, changes: Mapping[str, Any] | None, names: Names | None = None
) -> list[dict[str, Any]]:
    """``[{label, old, new}]``; without ``names`` references are only said to have changed."""
    found = []
    for column, pair in (changes or {}).items():
        if column in SILENT or not isinstance(pair, list) or len(pair) != 2:
            continue
        if column == "custom" and model in CUSTOM and all(isinstance(value, dict) for value in pair):
            found += _custom_changes(CUSTOM[model], *pair)
            continue
        field = field_of(model, column)
        label = capfirst(str(getattr(field, "verbose_name", column.replace("_", " "))))
        target = target_of(model, column)
        if target is not None and names is None:
            found.append({"label": label, "old": None, "new": None})
            continue
        old, new = (value_of(field, target, value, names) for value in pair)
        found.append({"label": label, "old": old, "new": new})
    return found


def _custom_changes(entity: str, old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    """Each custom field that differs, by its name; where a link leads is not said."""
    fields = every(entity)
    found = []
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) == new.get(key):
            continue
        definition = fields.get(key)
        if definition is not None and definition.type == "link":
            found.append({"label": definition.label, "old": None, "new": None})
            continue
        label = definition.label if definition is not None else key.replace("_", " ").capitalize()
        before, after = (_custom_value(definition, values.get(key)) for values in (old, new))
        found.append({"label": label, "old": before, "new": after})
    return found


def _custom_value(definition: Definition | None, value: Any) -> str:
    if isinstance(value, dict) and set(value) == {"amount", "currency"}:
        return f"{value['amount']} {value['currency']}"
    labels = definition.labels if definition is not None else {}
    if isinstance(value, list):
        value = [str(labels.get(str(each), each)) for each in value]
    elif isinstance(value, str):
        value = labels.get(value, value)
    return value_of(None, None, value)


def value_of(field: Any, target: Any, value: Any, names: Names | None = None) -> str:
    """One value in words; nothing is a dash."""
    if value is None or value in ("", [], {}):
        return "–"
    if target is not None and names is not None:
        return names.of(target, value)
    choices = dict(getattr(field, "flatchoices", None) or ())
    if value in choices if isinstance(value, str | int) else False:
        return str(choices[value])
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, dict) and getattr(field, "name", "") == "consent":
        return _consents(value)
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return ", ".join(value)
    if isinstance(value, list | dict):
        return _cut(json.dumps(value, ensure_ascii=False))
    moment = _moment(field, value)
    return formats.date_format(timezone.localtime(moment), "DATETIME_FORMAT") if moment else _cut(str(value))


def _consents(given: dict[str, Any]) -> str:
    """ "E-mail: granted (checkout, 17 Aug 2025)", a line of it for each channel."""
    said = []
    places = list(CHANNEL_WORDS)
    for channel, each in sorted(given.items(), key=lambda c: places.index(c[0]) if c[0] in places else 99):
        status = each.get("status") if isinstance(each, dict) else each
        word = {"granted": _("granted"), "denied": _("denied")}.get(str(status), str(status))
        at = parse_datetime(str(each.get("at") or "")) if isinstance(each, dict) else None
        day = formats.date_format(at, "SHORT_DATE_FORMAT") if at else ""
        source = str(each.get("source") or "") if isinstance(each, dict) else ""
        more = ", ".join(filter(None, (source, day)))
        said.append(f"{CHANNEL_WORDS.get(channel, channel)}: {word}" + (f" ({more})" if more else ""))
    return _cut("; ".join(said))


def _moment(field: Any, value: Any) -> dt.datetime | None:
    if not isinstance(value, str) or field is None or field.get_internal_type() != "DateTimeField":
        return None
    try:
        found = parse_datetime(value)
    except ValueError:
        return None
    return found if found is not None and timezone.is_aware(found) else None


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
