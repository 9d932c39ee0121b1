"""Which column of a file is which field: guessed from header and values, checked, and shown with values."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from crmcem.lib.errors import DomainError, FieldError

from .fields import NEW_FIELD, TARGETS, Target, custom_targets, target
from .folding import fold
from .parts import PLACE_KEYS

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]{2,}")
_PHONE = re.compile(r"'?(\+|00)[\d\s().\-/]{7,}")


def guess(kind: str, columns: Sequence[str], sample: Sequence[Sequence[str]]) -> dict[str, str]:
    """``{column: field or ""}``: by the header's name first, then by what the values look like."""
    mapping = dict.fromkeys(columns, "")
    taken: set[str] = set()

    def take(column: str, key: str) -> None:
        if not mapping[column] and key not in taken:
            mapping[column] = key
            taken.add(key)

    fields = choices(kind)
    for column in columns:  # exact field names win over synonyms
        exact = target(kind, column.strip().lower())
        if exact is not None and exact.needs != NEW_FIELD and not exact.part:
            take(column, exact.key)
    _by_words([wanted for wanted in fields if not wanted.part], columns, take)
    for index, column in enumerate(columns):
        values = [row[index].strip() for row in sample if index < len(row) and row[index].strip()]
        if kind == "contacts" and _mostly(_EMAIL, values):
            take(column, "email")
        elif _mostly(_PHONE, values):
            take(column, "phone")
    # last, so that a custom field "City" stays what it was, and a column "Address" with e-mail addresses is theirs
    _by_words([wanted for wanted in fields if wanted.part], columns, take)
    if taken.isdisjoint(PLACE_KEYS):  # a country alone is no address
        for column, key in mapping.items():
            if key in {"region", "country", "address_kind"}:
                mapping[column] = ""
    return mapping


def _by_words(fields: Sequence[Target], columns: Sequence[str], take: Callable[[str, str], None]) -> None:
    for wanted in fields:
        for column in columns:
            if fold(column) in wanted.words:
                take(column, wanted.key)


def _mostly(pattern: re.Pattern[str], values: Sequence[str]) -> bool:
    return bool(values) and sum(bool(pattern.fullmatch(v)) for v in values) >= 0.8 * len(values)


_YES_NO = {"true", "false", "yes", "no", "ja", "nein"}
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,6})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def guess_type(values: Sequence[str]) -> str:
    """Of which type a custom field for these values would be: every one of them must fit."""
    found = [value.strip() for value in values if value.strip()]
    if not found:
        return "text"
    if all(value.casefold() in _YES_NO for value in found):
        return "boolean"
    if all(map(_NUMBER.fullmatch, found)):
        return "number"
    return "date" if all(map(_DAY.fullmatch, found)) else "text"


def check(kind: str, columns: Sequence[str], mapping: Any, *, new_fields: bool = False) -> dict[str, str]:
    """The mapping with every column named. Raises DomainError for unknown columns and fields, and doubles.

    With ``new_fields`` a ``custom.key`` may be one that is not defined yet.
    """
    if not isinstance(mapping, Mapping):
        raise DomainError.of("mapping", "invalid", _('Send the mapping as {"column of the file": "field"}.'))
    errors: list[FieldError] = []
    known = ", ".join(t.key for t in choices(kind))
    for column, key in list(mapping.items())[:1000]:
        if column not in columns:
            detail = _("The file has no column “%s”.") % str(column)[:80]
            errors.append(FieldError("mapping", "unknown_column", detail))
        elif not isinstance(key, str | None) or (key and not _usable(kind, key, new_fields)):
            detail = _("There is no field “%(field)s”. Fields: %(known)s.") % {
                "field": str(key)[:80],
                "known": known,
            }
            errors.append(FieldError("mapping", "unknown_field", detail))
    if errors:
        raise DomainError(*errors[:20])
    complete = {column: mapping.get(column) or "" for column in columns}
    doubles = [key for key, count in Counter(filter(None, complete.values())).items() if count > 1]
    if doubles:
        raise DomainError.of(
            "mapping", "double_field", _("Two columns are mapped to %s. Choose one.") % doubles[0]
        )
    _check_keys(kind, set(complete.values()))
    return complete


def _usable(kind: str, key: str, new_fields: bool) -> bool:
    found = target(kind, key)
    return found is not None and (new_fields or found.needs != NEW_FIELD)


def _check_keys(kind: str, keys: set[str]) -> None:
    if kind == "contacts" and not keys & {
        "external_id",
        "email",
        "phone",
        "first_name",
        "last_name",
        "full_name",
    }:
        raise DomainError.of(
            "mapping", "no_key", _("Map at least one column to an external id, an e-mail address or a name.")
        )
    if kind == "companies" and not keys & {"external_id", "domain", "name"}:
        raise DomainError.of(
            "mapping", "no_key", _("Map at least one column to an external id, a domain or a name.")
        )


@dataclass(frozen=True, slots=True)
class ColumnPreview:
    """One column on the mapping page: its guessed field and its first values."""

    column: str
    key: str
    values: list[str]


def preview(
    columns: Sequence[str], mapping: Mapping[str, str], sample: Sequence[Sequence[str]]
) -> list[ColumnPreview]:
    """Every column with up to four of its values, shortened."""
    result = []
    for index, column in enumerate(columns):
        values = [row[index].strip() for row in sample if index < len(row) and row[index].strip()]
        result.append(
            ColumnPreview(
                column, mapping.get(column, ""), [shown(v) for v in list(dict.fromkeys(values))[:4]]
            )
        )
    return result


def shown(value: str) -> str:
    """A value for people: one line, shortened, without what can't be seen."""
    value = "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in value[:400])
    return value if len(value) <= 80 else value[:79] + "…"


def choices(kind: str) -> tuple[Target, ...]:
    """Every field that a column can become, the custom ones last."""
    return (*TARGETS[kind], *custom_targets(kind))


__all__ = ["ColumnPreview", "check", "choices", "guess", "preview"]
