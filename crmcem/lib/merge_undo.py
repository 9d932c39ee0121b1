"""Putting back what a merge's journal holds, row by row as it was, unless it was changed since."""

# ruff: noqa: S608 - statements are built from names of our own tables and columns; values are parameters

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson
from django.apps import apps
from django.db import connection

from crmcem.lib.merging import Step

Kept = dict[str, Any]


def undo_steps(steps: Sequence[Step], *, winner: int, loser: int) -> list[Kept]:
    """Undo ``steps``, the last first. Answers what was left as it is: ``{table, row, why}``.

    Why: ``changed`` (somebody changed it since), ``gone`` (it was deleted since), ``taken`` (what it needs or what
    it held alone is gone or somebody else's).
    """
    kept: list[Kept] = []
    undo = {"move": _back, "set": _reset, "remove": _restore, "add": _take_away}
    for step in reversed(steps):
        kept += undo[step.op](step, {"winner": winner, "loser": loser})
    return kept


def _back(step: Step, ends: dict[str, int]) -> list[Kept]:
    """Moved rows point at the loser again, if they still point at the winner."""
    pk, column = _q(step.pk), _q(step.column)
    done = _run(
        f"UPDATE {_q(step.table)} t SET {column} = %(loser)s FROM {_keys(step)} k"
        f" WHERE t.{pk} = k.{pk} AND t.{column} = %(winner)s RETURNING t.{pk}",
        {**ends, "keys": _texts(step.rows)},
    )
    return _left(step, step.rows, done)


def _take_away(step: Step, ends: dict[str, int]) -> list[Kept]:
    """Added rows go, unless they were given to somebody else since."""
    pk = _q(step.pk)
    done = _run(
        f"DELETE FROM {_q(step.table)} t USING {_keys(step)} k WHERE t.{pk} = k.{pk} RETURNING t.{pk}",
        {"keys": _texts(step.rows)},
    )
    return [] if len(done) == len(step.rows) else _left(step, step.rows, done)


def _reset(step: Step, ends: dict[str, int]) -> list[Kept]:
    """Each changed column gets its old value back where it still holds the new one."""
    kept: list[Kept] = []
    groups: dict[tuple[str, ...], list[list[Any]]] = {}
    for row in step.rows:
        groups.setdefault(tuple(sorted(orjson.loads(row[1]))), []).append(row)
    known = _columns(step.table)
    for names, rows in groups.items():
        columns = [name for name in names if name in known]
        if columns:
            kept += _reset_columns(step, columns, rows)
    return kept


def _reset_columns(step: Step, columns: list[str], rows: list[list[Any]]) -> list[Kept]:
    table, pk = _q(step.table), _q(step.pk)
    same = [f"t.{_q(c)} IS NOT DISTINCT FROM (p.new).{_q(c)}" for c in columns]
    sets = ", ".join(
        f"{_q(c)} = CASE WHEN {equal} THEN (p.old).{_q(c)} ELSE t.{_q(c)} END"
        for c, equal in zip(columns, same, strict=True)
    )
    statement = f"""
        WITH p AS MATERIALIZED (
            SELECT (k.x).{pk} AS pk, jsonb_populate_record(NULL::{table}, k.old::jsonb) AS old,
                   jsonb_populate_record(NULL::{table}, k.new::jsonb) AS new
            FROM (
                SELECT jsonb_populate_record(NULL::{table}, jsonb_build_object(%(pk)s::text, u.key)) AS x, u.old, u.new
                FROM unnest(%(keys)s::text[], %(olds)s::text[], %(news)s::text[]) AS u(key, old, new)
            ) k
        ), b AS MATERIALIZED (
            SELECT t.{pk}, {" AND ".join(same)} AS untouched
            FROM {table} t JOIN p ON p.pk = t.{pk} ORDER BY t.{pk} FOR UPDATE OF t
        ), done AS (
            UPDATE {table} t SET {sets} FROM p, b WHERE t.{pk} = p.pk AND b.{pk} = p.pk RETURNING t.{pk}
        )
        SELECT b.{pk} FROM b JOIN done ON done.{pk} = b.{pk} WHERE b.untouched
    """
    params = {
        "pk": step.pk,
        "keys": _texts([row[0] for row in rows]),
        "olds": [row[1] for row in rows],
        "news": [row[2] for row in rows],
    }
    return _left(step, [row[0] for row in rows], _run(statement, params))


def _restore(step: Step, ends: dict[str, int]) -> list[Kept]:
    """Removed rows come back whole: under their ids, without what they point to if that is gone by now."""
    present = {name for row in step.rows for name in orjson.loads(row[1])}
    names = [name for name in _columns(step.table) if name in present]
    values, needs = [], ["true"]
    references = _references(step.table)
    for name in names:
        target = references.get(name)
        if target is None:
            values.append(f"r.{_q(name)}")
            continue
        table, column, nullable = target
        there = f"EXISTS (SELECT 1 FROM {_q(table)} x WHERE x.{_q(column)} = r.{_q(name)})"
        values.append(f"CASE WHEN {there} THEN r.{_q(name)} END" if nullable else f"r.{_q(name)}")
        if not nullable:
            needs.append(there)
    done = _run(
        f"INSERT INTO {_q(step.table)} ({', '.join(_q(n) for n in names)})"
        f" SELECT {', '.join(values)} FROM unnest(%(rows)s::text[]) AS u(row)"
        f" CROSS JOIN LATERAL jsonb_populate_record(NULL::{_q(step.table)}, u.row::jsonb) r"
        f" WHERE {' AND '.join(needs)} ON CONFLICT DO NOTHING RETURNING {_q(step.pk)}",
        {"rows": [row[1] for row in step.rows]},
    )
    return _left(step, [row[0] for row in step.rows], done, why="taken")


# --- what is left as it is -------------------------------------------------------------------------
def _left(step: Step, keys: list[Any], done: list[Any], why: str = "changed") -> list[Kept]:
    missing = set(map(str, keys)) - set(map(str, done))
    if not missing:
        return []
    pk = _q(step.pk)
    there = set()
    if why == "changed":
        there = set(
            map(
                str,
                _run(
                    f"SELECT t.{pk} FROM {_q(step.table)} t JOIN {_keys(step)} k ON t.{pk} = k.{pk}",
                    {"keys": _texts([key for key in keys if str(key) in missing])},
                ),
            )
        )
    return [
        {"table": step.table, "row": key, "why": why if why == "taken" or str(key) in there else "gone"}
        for key in keys
        if str(key) in missing
    ]


def _keys(step: Step) -> str:
    """The keys, cast to the type of the key column."""
    table, pk = _q(step.table), _q(step.pk)
    return (
        f"(SELECT (jsonb_populate_record(NULL::{table}, jsonb_build_object('{step.pk}', u.key))).{pk}"
        " FROM unnest(%(keys)s::text[]) AS u(key))"
    )


def _texts(keys: list[Any]) -> list[str]:
    return [str(key) for key in keys]


def _run(statement: str, params: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return [row[0] for row in cursor.fetchall()]


def _columns(table: str) -> list[str]:
    """The columns that can be written, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0"
            " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
            [table],
        )
        return [name for (name,) in cursor.fetchall()]


@lru_cache
def _references(table: str) -> dict[str, tuple[str, str, bool]]:
    """``{column: (table, column, nullable)}`` for the foreign keys of a table."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        if model._meta.db_table != table:
            continue
        for each in model._meta.local_fields:
            if each.is_relation and each.concrete and each.related_model is not None:
                target: Any = each.related_model
                found[str(each.column)] = (target._meta.db_table, each.target_field.column, each.null)  # type: ignore[attr-defined]
    return found


def _q(name: str) -> str:
    return connection.ops.quote_name(name)
