"""What a definition of a custom field and a layout of fields must be: pure checks of what an administrator sends."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.text import slugify
from django.utils.translation import gettext as _

from contacts.custom.definitions import COMPUTED, every
from contacts.custom.entities import entities
from contacts.custom.formulas.definition import clean_formula
from contacts.custom.rollups import clean_rollup
from contacts.custom.types import MAX_CHOICES, TYPES
from crmcem.lib import cleaning
from crmcem.lib.cleaning import Bad, Cleaner
from crmcem.lib.errors import FieldError

MAX_KEY = 60
_KEY = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)
#: what no key can be, because it would read as something else in a filter
_RESERVED = frozenset({"gt", "gte", "lt", "lte", "in", "isset", "contains"})
Checked = tuple[dict[str, Any], list[FieldError]]


def key_from(label: str) -> str:
    """A key for a field of this name: ``loyalty_tier`` for "Loyalty tier"."""
    folded = label.replace("ß", "ss").replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
    key = re.sub(r"_+", "_", slugify(folded).replace("-", "_")).strip("_")[:MAX_KEY].strip("_")
    if key and not key[0].isalpha():
        key = f"field_{key}"[:MAX_KEY]
    return key


def _key(value: Any) -> str:
    if not isinstance(value, str) or not _KEY.fullmatch(value) or len(value) > MAX_KEY or value in _RESERVED:
        raise Bad(
            "key",
            _(
                "A key has lower-case letters and digits in words joined by single _, begins with a letter and has "
                "60 characters at most, such as loyalty_tier."
            ),
        )
    return value


def _entity(value: Any) -> str:
    return str(cleaning.choice(entities.keys())(value))


def _type(value: Any) -> str:
    return str(cleaning.choice(TYPES)(value))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Bad("type", _("Send true or false."))
    return value


def _options(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Bad("type", _("Send an object of options."))
    return dict(value)


_DEFINITION: dict[str, Cleaner] = {
    "entity": _entity,
    "key": _key,
    "label": cleaning.text(80),
    "help": cleaning.text(300),
    "type": _type,
    "options": _options,
    "required": _flag,
    "filterable": _flag,
    "group": cleaning.text(80),
    "archived": _flag,
    "position": cleaning.integer(0, 10_000),
}


def clean_definition(data: Mapping[str, Any], *, stored: Any = None) -> Checked:
    """The clean fields of a definition. ``stored`` is the one that is changed: entity, key and type stay.

    Choices that are no longer named stay as archived ones, so that what is stored keeps its label.
    """
    required = ("label",) if stored is not None and "label" in data else ()
    values, errors = cleaning.clean(_DEFINITION, data, required if stored else ("entity", "label", "type"))
    if stored is not None:
        errors += [
            FieldError(name, "fixed", _("This can't be changed once the field exists. Make a new field."))
            for name in ("entity", "key", "type")
            if name in values and values[name] != getattr(stored, name)
        ]
    kind = getattr(stored, "type", None) or values.get("type")
    if kind and ("options" in values or stored is None):
        try:
            values["options"] = _options_of(kind, values, stored)
        except ValueError as error:
            errors.append(FieldError("options", getattr(error, "code", "invalid"), str(error)))
    if kind and values.get("filterable") and not TYPES[kind].filterable:
        errors.append(
            FieldError("filterable", "invalid", _("A field of this type can't be filtered or sorted by."))
        )
    if kind in COMPUTED and values.get("required"):
        errors.append(FieldError("required", "invalid", _("A computed field can't be required.")))
    if values.get("position", 0) is None:
        del values["position"]
    return values, errors


def _options_of(kind: str, values: Mapping[str, Any], stored: Any) -> dict[str, Any]:
    """The clean options of a definition. Those of computed fields depend on the other fields of the entity."""
    given, old = values.get("options", {}), getattr(stored, "options", {})
    entity = getattr(stored, "entity", None) or values.get("entity", "")
    if kind in COMPUTED and entity not in entities:
        return {}  # the entity is wrong, which is said already
    if kind == "rollup":
        return clean_rollup(entity, given, old)
    if kind == "formula":
        key = getattr(stored, "key", None) or values.get("key", "")
        return clean_formula(entity, key, given, old, every(entity))
    return clean_options(kind, given, old)


def clean_options(kind: str, given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """The options that this type has. Raises ValueError for others and for wrong ones."""
    readers: dict[str, dict[str, Any]] = {
        "number": {"decimals": _decimals},
        "money": {"currency": _currency},
        "choice": {"choices": _choices},
        "multichoice": {"choices": _choices},
        "link": {"entity": _target},
    }
    known = readers.get(kind, {})
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise Bad(
            "unknown_option",
            _("This type has no option %(name)s. Options: %(known)s.")
            % {"name": str(unknown[0])[:40], "known": ", ".join(known) or _("none yet")},
        )
    return {name: read(given.get(name, stored.get(name)), stored.get(name)) for name, read in known.items()}


def _decimals(value: Any, stored: Any) -> int:
    found = cleaning.integer(0, 6)(value)
    return found or 0


def _currency(value: Any, stored: Any) -> str:
    from moneyed import CURRENCIES

    code = str(value or "").strip().upper()
    if code not in CURRENCIES:
        raise Bad("currency", _("Name the currency by its three letters, such as EUR."))
    if stored and code != stored:
        raise Bad("fixed", _("The currency can't be changed once the field exists. Make a new field."))
    return code


def _target(value: Any, stored: Any) -> str:
    possible = [each.key for each in entities if each.lookup_url_name]
    code = str(cleaning.choice(possible)(value))
    if stored and code != stored:
        raise Bad("fixed", _("What a field links to can't be changed. Make a new field."))
    return code


def _choices(value: Any, stored: Any) -> list[dict[str, Any]]:
    """``[{value, label, archived}]`` from such objects or from plain labels."""
    if not isinstance(value, list) or not value:
        raise Bad("required", _("List the values that can be chosen."))
    found: dict[str, dict[str, Any]] = {}
    labels: set[str] = set()
    for item in value:
        each = _one_choice(item, stored or [])
        if each["value"] in found or each["label"].casefold() in labels:
            raise Bad("double", _("The value “%(name)s” is there twice.") % {"name": each["label"]})
        found[each["value"]] = each
        labels.add(each["label"].casefold())
    for old in stored or []:
        found.setdefault(old["value"], old | {"archived": True})
    if len(found) > MAX_CHOICES:
        raise Bad("max_items", _("There can be %(most)s values at most.") % {"most": MAX_CHOICES})
    return list(found.values())


def _one_choice(item: Any, stored: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if isinstance(item, str):
        item = {"label": item}
    if not isinstance(item, Mapping) or not set(item) <= {"value", "label", "archived"}:
        raise Bad("type", _('Send each choice as {"value": "gold", "label": "Gold"} or as text.'))
    label = str(cleaning.text(120)(item.get("label") or item.get("value")))
    if not label:
        raise Bad("required", _("A choice needs a name."))
    value = item.get("value")
    if value is None:
        known = next((old["value"] for old in stored if old["label"].casefold() == label.casefold()), None)
        value = known or key_from(label) or label
    value = str(cleaning.text(60)(value))
    if not value or any(sign in value for sign in ",;|"):
        raise Bad("characters", _("The value of a choice has no commas, semicolons or bars."))
    return {"value": value, "label": label, "archived": bool(item.get("archived"))}
