"""The values of custom fields as they come in: pure checks against the definitions."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from contacts.custom.definitions import Definition
from contacts.custom.types import TYPES
from crmcem.lib import cleaning
from crmcem.lib.cleaning import Bad, Cleaner
from crmcem.lib.errors import FieldError

Fields = Mapping[str, Definition]


def cleaner_of(definition: Definition) -> Cleaner:
    """The cleaner of a field; nothing and blanks become None."""
    clean = TYPES[definition.type].clean(definition)

    def cleaner(value: Any) -> Any:
        if value is None or value == [] or (isinstance(value, str) and not value.strip()):
            return None
        found = clean(value)
        return None if found == "" else found

    return cleaner


def clean_values(
    given: Any, fields: Fields, *, stored: Mapping[str, Any] | None = None, complete: bool = False
) -> tuple[dict[str, Any], list[FieldError]]:
    """``custom`` of an input: the clean values by key (None removes one), and every fault.

    ``stored`` is what the record holds: a value sent back as it is stays, whatever the definitions say now, and
    what is stored under no definition can be removed. ``complete`` asks for every required field.
    """
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        return {}, [FieldError("custom", "type", _("Send an object of keys and values."))]
    if len(given) > cleaning.MAX_CUSTOM_KEYS:
        most = _("There can be %(most)s custom fields at most.") % {"most": cleaning.MAX_CUSTOM_KEYS}
        return {}, [FieldError("custom", "max_items", most)]
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    for key, raw in given.items():
        if stored is not None and key in stored and _same(stored[key], raw):
            values[key] = stored[key]
            continue
        try:
            values[key] = _clean(key, raw, fields, stored or {})
        except ValueError as error:
            name = f"custom.{key}"[:80] if isinstance(key, str) else "custom"
            errors.append(FieldError(name, getattr(error, "code", "invalid"), str(error)))
    if complete:
        errors += [
            FieldError(each.name, "required", _("This field is required."))
            for each in fields.values()
            if each.required and not each.archived and not each.computed and each.key not in given
        ]
    return values, errors


def _same(stored: Any, raw: Any) -> bool:
    """Whether the input is the stored value itself; true is not 1."""
    return bool(stored == raw) and isinstance(stored, bool) == isinstance(raw, bool)


def _clean(key: Any, raw: Any, fields: Fields, stored: Mapping[str, Any]) -> Any:
    definition = fields.get(key) if isinstance(key, str) else None
    if definition is None or definition.archived:
        if raw is None and key in stored:
            return None
        known = ", ".join(each.key for each in fields.values() if not each.archived) or _("none yet")
        raise Bad(
            "unknown_field", _("There is no such custom field. Known fields: %(known)s.") % {"known": known}
        )
    if definition.computed:
        raise Bad("read_only", _("This field is computed and can't be set."))
    value = cleaner_of(definition)(raw)
    if value is None and definition.required:
        raise Bad("required", _("This field is required."))
    return value
