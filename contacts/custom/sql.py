"""The values of custom fields in SQL: one expression each, the same for filters, sorting, conditions and the index.

Whatever is stored under a key, the expressions never fail: what is not of the field's type counts as no value.
"""

from __future__ import annotations

from typing import Any

from django.db.models import BigIntegerField, Field, Func, JSONField, TextField, Value
from django.db.models.functions import Left, Upper

from contacts.custom.definitions import Definition
from contacts.custom.types import MAX_TEXT
from crmcem.lib.conditions.expressions import JsonDay, JsonKey, JsonKeyText, JsonNumber, JsonScalar

COLUMN = "custom"
#: text beyond this is not compared: an index takes values of at most 2,700 bytes
MAX_CHOICE = 100


class JsonMember(Func):
    """``value -> 'key'`` of any jsonb expression."""

    template = "(%(expressions)s)"
    arg_joiner = " -> "
    output_field: Field[Any, Any] = JSONField()

    def __init__(self, value: Any, key: str) -> None:
        super().__init__(value, Value(key, TextField()))


class JsonId(JsonScalar):
    """The id in a JSON string of digits; NULL for anything else."""

    template = (
        "(CASE WHEN jsonb_typeof(%(expressions)s) = 'string' AND (%(expressions)s #>> '{}') ~ '^[0-9]{1,18}$' "
        "THEN (%(expressions)s #>> '{}')::bigint END)"
    )
    output_field: Field[Any, Any] = BigIntegerField()


def comparable(definition: Definition, column: str = COLUMN) -> Any:
    """What a field is filtered, sorted and indexed by.

    Numbers, money (its amount) as numeric, dates as ISO text, which sorts as the days do, links as the id,
    yes/no as text; choices by their value and text in upper case, both cut off so that an index can hold them.
    Several choices are the jsonb list itself.
    """
    value = JsonKey(column, definition.key)
    match definition.type:
        case "number":
            return JsonNumber(value)
        case "money":
            return JsonNumber(JsonMember(value, "amount"))
        case "date":
            return JsonDay(value)
        case "link":
            return JsonId(value)
        case "multichoice":
            return value
        case "choice":
            return Left(JsonKeyText(column, definition.key), MAX_CHOICE)
        case "boolean":
            return Left(JsonKeyText(column, definition.key), 5)
        case _:
            return upper(JsonKeyText(column, definition.key))


def upper(text: Any) -> Any:
    """Text as ``comparable`` has it."""
    return Left(Upper(text), MAX_TEXT)


def raw_text(definition: Definition, column: str = COLUMN) -> Any:
    return JsonKeyText(column, definition.key)


__all__ = ["COLUMN", "comparable", "raw_text", "upper"]
