"""Rows into tables by COPY: many at once, with the times that they should have."""

import datetime as dt
import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models

from crmcem.lib.actors import Actor, acting

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

Row = Mapping[str, Any]


def take_ids(model: type[models.Model], count: int) -> list[int]:
    """``count`` fresh ids from the sequence of the model's table, ascending."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return sorted(pk for (pk,) in cursor.fetchall())


def load(model: type[models.Model], rows: Sequence[Row], now: dt.datetime) -> None:
    """COPY ``rows`` (``{column attribute: value}``); what a row leaves out gets the field's default.

    Times that a model sets by itself (created, changed) default to ``created_at`` of the row, else ``now``.
    """
    if not rows:
        return
    fields = [field for field in model._meta.concrete_fields if _stored(field, rows)]
    buffer = io.StringIO()
    for row in rows:
        buffer.write("\t".join(_text(field, _value(field, row, now)) for field in fields))
        buffer.write("\n")
    buffer.seek(0)
    columns = ", ".join(f'"{field.column}"' for field in fields)
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {model._meta.db_table} ({columns}) FROM STDIN", buffer)


def load_as(model: type[models.Model], rows: Iterable[tuple[Actor, Row]], now: dt.datetime) -> None:
    """``load``, each row in the name of its actor, so that the audit knows who made it."""
    ordered = sorted(rows, key=lambda pair: (pair[0].kind, pair[0].id or 0))
    for _key, pairs in groupby(ordered, key=lambda pair: (pair[0].kind, pair[0].id or 0)):
        group = list(pairs)
        with acting(group[0][0]):
            load(model, [row for _actor, row in group], now)


def _stored(field: Any, rows: Sequence[Row]) -> bool:
    if isinstance(field, models.GeneratedField):
        return False
    given = any(field.attname in row for row in rows)
    return given or not (field.primary_key or field.has_db_default())


def _value(field: Any, row: Row, now: dt.datetime) -> Any:
    if field.attname in row:
        return row[field.attname]
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return row.get("created_at", now)
    return field.get_default()


def _text(field: Any, value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(field, models.JSONField):
        return orjson.dumps(value).decode().translate(_ESCAPES)
    if isinstance(field, ArrayField):
        items = ",".join('"' + str(v).replace("\\", "\\\\").replace('"', '\\"') + '"' for v in value)
        return f"{{{items}}}".translate(_ESCAPES)
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value).translate(_ESCAPES)
