"""A deletion that can be undone: every row that goes with it, as JSON, and every reference that it empties.

What goes is read from Django's metadata (who cascades, who is set to null), so a table that is new tomorrow follows by
itself. Constraints of foreign keys are deferred, so rows come back in any order within one transaction.
"""

# ruff: noqa: S608 - statements are built from names of our own tables and columns; values are parameters

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from django.apps import apps
from django.db import connection, models

from crmcem.lib.merging import model_of

Roots = Mapping[Any, Iterable[int]]


def journal(roots: Roots) -> str:
    """What a deletion of these rows takes along. The caller has locked them and deletes them afterwards."""
    gone: dict[Any, set[Any]] = {}
    loose: list[list[Any]] = []
    queue = [(model, set(ids)) for model, ids in roots.items()]
    while queue:
        model, ids = queue.pop()
        new = ids - gone.setdefault(model, set())
        if not new:
            continue
        gone[model] |= new
        for child, field in _pointing(model):
            found = _pointed(child, field.column, new)
            if field.remote_field.on_delete is models.CASCADE:
                queue.append((child, {pk for pk, _value in found}))
            elif found:
                loose.append([child._meta.db_table, child._meta.pk.column, field.column, found])
    rows = [[model._meta.db_table, _as_json(model, ids)] for model, ids in gone.items() if ids]
    return orjson.dumps({"rows": rows, "loose": loose}).decode()


def restore(text: str) -> None:
    """Put the rows and the references back. Raises IntegrityError where something has taken their place."""
    data = orjson.loads(text)
    with connection.cursor() as cursor:
        for table, rows in data["rows"]:
            names = ", ".join(_q(name) for name in _columns(table))
            cursor.execute(
                f"INSERT INTO {_q(table)} ({names}) SELECT {names}"
                f" FROM jsonb_populate_recordset(NULL::{_q(table)}, %s::jsonb)",
                [rows],
            )
        for table, pk, column, found in data["loose"]:
            cursor.execute(
                f"UPDATE {_q(table)} t SET {_q(column)} = v.value FROM unnest(%s::bigint[], %s::bigint[])"
                f" AS v(pk, value) WHERE t.{_q(pk)} = v.pk AND t.{_q(column)} IS NULL",
                [[pk for pk, _value in found], [value for _pk, value in found]],
            )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def kept_ids(text: str, model: Any) -> list[int]:
    """The keys of the rows of ``model`` in a journal."""
    rows = dict(orjson.loads(text)["rows"]).get(model._meta.db_table, "[]")
    return [row[model._meta.pk.column] for row in orjson.loads(rows)]


def _pointing(target: Any) -> list[tuple[Any, Any]]:
    return [
        (model, field)
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.proxy and model._meta.managed
        for field in model._meta.local_fields
        if field.is_relation and field.concrete and getattr(field, "related_model", None) is target
    ]


def _pointed(model: Any, column: str, ids: set[Any]) -> list[list[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_q(model._meta.pk.column)}, {_q(column)} FROM {_q(model._meta.db_table)}"
            f" WHERE {_q(column)} = ANY(%s)",
            [list(ids)],
        )
        return [list(row) for row in cursor.fetchall()]


def _as_json(model: Any, ids: set[Any]) -> str:
    """The rows as JSON text that Python never reads: a long number comes back with every digit."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]')::text FROM {_q(model._meta.db_table)} t"
            f" WHERE t.{_q(model._meta.pk.column)} = ANY(%s)",
            [list(ids)],
        )
        return str(cursor.fetchone()[0])


def _columns(table: str) -> list[str]:
    model = model_of(table)
    fields = model._meta.local_concrete_fields
    return [field.column for field in fields if not isinstance(field, models.GeneratedField)]


def _q(name: str) -> str:
    return connection.ops.quote_name(name)
