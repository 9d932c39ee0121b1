"""SQL pieces that Django lacks: typed reads of jsonb values that never fail, whatever is in them."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BooleanField,
    DecimalField,
    Expression,
    F,
    Field,
    Func,
    JSONField,
    TextField,
    Value,
)
from django.db.models.functions import Cast

# Guards a cast to numeric: what doesn't look like this is no number for us.
NUMERIC_TEXT = r"^-?\d{1,18}(\.\d{1,10})?$"
# An ISO date, or the date part of an ISO date and time, compares as text.
DATE_TEXT = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([Tt ].*)?$"


class JsonPath(Func):
    """``payload #> '{a,b}'``: the jsonb at a path of keys."""

    template = "(%(expressions)s)"
    arg_joiner = " #> "
    output_field: Field[Any, Any] = JSONField()

    def __init__(self, column: str, path: str) -> None:
        super().__init__(
            F(column), Cast(Value(path.split("."), ArrayField(TextField())), ArrayField(TextField()))
        )


class JsonKey(Func):
    """``custom -> 'key'``: the jsonb of a key, digits being a key and not an index."""

    template = "(%(expressions)s)"
    arg_joiner = " -> "
    output_field: Field[Any, Any] = JSONField()

    def __init__(self, column: str, key: str) -> None:
        super().__init__(F(column), Value(key, TextField()))


class JsonKeyText(JsonKey):
    """``custom ->> 'key'``."""

    arg_joiner = " ->> "
    output_field: Field[Any, Any] = TextField()


class JsonScalar(Func):
    """The text of a JSON string, number or boolean; NULL for anything else."""

    template = (
        "(CASE WHEN jsonb_typeof(%(expressions)s) IN ('string', 'number', 'boolean') "
        "THEN %(expressions)s #>> '{}' END)"
    )
    output_field: Field[Any, Any] = TextField()

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        sql, params = super().as_sql(compiler, connection, *args, **extra)
        return sql, tuple(params) * self.template.count("%(expressions)s")


class JsonNumber(JsonScalar):
    """A JSON number, or a JSON string of plain decimal digits, as numeric; NULL for anything else."""

    template = (
        "(CASE WHEN jsonb_typeof(%(expressions)s) = 'number' THEN (%(expressions)s #>> '{}')::numeric "
        "WHEN jsonb_typeof(%(expressions)s) = 'string' AND (%(expressions)s #>> '{}') ~ '"
        + NUMERIC_TEXT
        + "' "
        "THEN (%(expressions)s #>> '{}')::numeric END)"
    )
    output_field: Field[Any, Any] = DecimalField(max_digits=40, decimal_places=10)


class JsonDay(JsonScalar):
    """The day of an ISO date, or date and time, kept in a JSON string, as text (``2026-03-31``); NULL for
    anything else.
    """

    template = (
        "(CASE WHEN jsonb_typeof(%(expressions)s) = 'string' AND (%(expressions)s #>> '{}') ~ '"
        + DATE_TEXT
        + "' "
        "THEN left(%(expressions)s #>> '{}', 10) END)"
    )
    output_field: Field[Any, Any] = TextField()


class HasElements(JsonScalar):
    """Is the jsonb an array that is not empty?"""

    template = "(jsonb_typeof(%(expressions)s) = 'array' AND %(expressions)s <> '[]'::jsonb)"
    output_field: Field[Any, Any] = BooleanField()


def payload_text(column: str, path: str) -> Expression:
    return JsonScalar(JsonPath(column, path))


def payload_number(column: str, path: str) -> Expression:
    return JsonNumber(JsonPath(column, path))


def payload_day(column: str, path: str) -> Expression:
    return JsonDay(JsonPath(column, path))
