"""Types of fields, and the operators each type has.

Every operator is two-valued: on an empty (NULL, or blank text) value each *positive* operator is false, and
each *negative* one is the exact complement of its positive, so ``ne``, ``not_contains``, ``not_in``,
``has_none`` and ``not_in_last`` hold for rows that have no value at all. ``not`` is the exact complement too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class FieldType(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    DATE = "date"
    DATETIME = "datetime"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    MULTI_CHOICE = "multi_choice"
    REFERENCE = "reference"


class Arity(StrEnum):
    """What an operator takes as its value."""

    NONE = "none"
    ONE = "one"
    TWO = "two"
    MANY = "many"
    SPAN = "span"


@dataclass(frozen=True, slots=True)
class Operator:
    name: str
    label: str | Promise
    arity: Arity = Arity.ONE


OPERATORS: dict[str, Operator] = {
    op.name: op
    for op in (
        Operator("eq", _("is")),
        Operator("ne", _("is not")),
        Operator("gt", _("is more than")),
        Operator("gte", _("is at least")),
        Operator("lt", _("is less than")),
        Operator("lte", _("is at most")),
        Operator("between", _("is between"), Arity.TWO),
        Operator("contains", _("contains")),
        Operator("not_contains", _("does not contain")),
        Operator("starts_with", _("starts with")),
        Operator("ends_with", _("ends with")),
        Operator("in", _("is one of"), Arity.MANY),
        Operator("not_in", _("is none of"), Arity.MANY),
        Operator("has_any", _("has any of"), Arity.MANY),
        Operator("has_all", _("has all of"), Arity.MANY),
        Operator("has_none", _("has none of"), Arity.MANY),
        Operator("before", _("is before")),
        Operator("after", _("is after")),
        Operator("on", _("is on")),
        Operator("in_last", _("is in the last"), Arity.SPAN),
        Operator("not_in_last", _("is not in the last"), Arity.SPAN),
        Operator("in_next", _("is in the next"), Arity.SPAN),
        Operator("is_set", _("has a value"), Arity.NONE),
        Operator("is_not_set", _("has no value"), Arity.NONE),
    )
}

COMPLEMENTS: dict[str, str] = {
    "ne": "eq",
    "not_contains": "contains",
    "not_in": "in",
    "has_none": "has_any",
    "not_in_last": "in_last",
    "is_not_set": "is_set",
}
"""Negative operator → the positive one it is the complement of."""

_SET = ("is_set", "is_not_set")
_ORDER = ("gt", "gte", "lt", "lte", "between")
_NUMERIC = ("eq", "ne", *_ORDER, *_SET)
_TEMPORAL = ("on", "before", "after", "in_last", "not_in_last", "in_next", "eq", "ne", *_ORDER, *_SET)

TYPE_OPERATORS: dict[FieldType, tuple[str, ...]] = {
    FieldType.TEXT: (
        "eq",
        "ne",
        "contains",
        "not_contains",
        "starts_with",
        "ends_with",
        "in",
        "not_in",
        *_SET,
    ),
    FieldType.NUMBER: _NUMERIC,
    FieldType.MONEY: _NUMERIC,
    FieldType.DATE: _TEMPORAL,
    FieldType.DATETIME: _TEMPORAL,
    FieldType.BOOLEAN: ("eq", "ne", *_SET),
    FieldType.CHOICE: ("eq", "ne", "in", "not_in", *_SET),
    FieldType.MULTI_CHOICE: ("has_any", "has_all", "has_none", *_SET),
    FieldType.REFERENCE: ("eq", "ne", "in", "not_in", *_SET),
}

PROPERTY_OPERATORS: tuple[str, ...] = (
    *("eq", "ne", *_ORDER, "contains", "not_contains", "starts_with", "ends_with"),
    *("in", "not_in", "before", "after", "on", *_SET),
)
"""Operators on a property of an activity's payload, whose type is the type of the value compared with."""

MEASURE_OPERATORS: tuple[str, ...] = ("eq", "ne", "gt", "gte", "lt", "lte", "between")
LAST_OPERATORS: tuple[str, ...] = (
    "before",
    "after",
    "on",
    "in_last",
    "not_in_last",
    "between",
    "gt",
    "gte",
    "lt",
    "lte",
)
