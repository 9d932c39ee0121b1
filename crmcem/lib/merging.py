"""Two records become one: who points at them, and the journal from which every row can be put back.

``pointers(model)`` finds every foreign key to a record in Django's metadata, in whatever app, so a table that is
new tomorrow follows by itself. What metadata can't tell (columns without a constraint, rows that have to be folded
together) an app registers here when it starts.
"""

# ruff: noqa: S608 - statements are built from names of our own tables and columns; values are parameters

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson
from django.apps import apps
from django.db import connection, models

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pointer:
    """A column that holds the id of a record: a foreign key, or one declared by ``soft``."""

    model: Any
    column: str
    field: Any = None

    @property
    def table(self) -> str:
        return str(self.model._meta.db_table)

    @property
    def key(self) -> str:
        """``sales_deal.company_id``"""
        return f"{self.table}.{self.column}"

    @property
    def pk(self) -> str:
        return str(self.model._meta.pk.column)


@dataclass(slots=True)
class Step:
    """One thing done to one table.

    ``rows``: ids (move, add), ``[id, row]`` (remove), ``[id, {old}, {new}]`` (set). Rows are JSON as text, which
    Python never reads: so a long number comes back with every digit.
    """

    op: str
    table: str
    pk: str
    column: str
    rows: list[Any]


@dataclass(slots=True)
class Journal:
    """Does what a merge does to the rows of other tables, and notes it down so that it can be undone.

    ``target`` is the model of the two records. Every method is set-based: one statement, however many rows.
    """

    target: Any
    winner: int
    loser: int
    steps: list[Step] = field(default_factory=list)

    def move(self, pointer: Pointer, where: str = "true", **params: Any) -> int:
        """Let the rows of the loser point at the winner. Answers how many did."""
        ids = _rows(
            f"WITH moved AS (UPDATE {_q(pointer.table)} SET {_q(pointer.column)} = %(winner)s"
            f" WHERE {_q(pointer.column)} = %(loser)s AND ({where}) RETURNING {_q(pointer.pk)} AS pk)"
            " SELECT jsonb_agg(moved.pk) FROM moved",
            self._params(params),
        )
        return self._note("move", pointer.table, pointer.pk, pointer.column, ids)

    def set(self, model: Any, values: str, where: str, **params: Any) -> int:
        """``UPDATE model SET values WHERE where`` (the table is ``t``). Answers how many rows are different now."""
        table, pk = model._meta.db_table, model._meta.pk.column
        pairs = _rows(
            f"WITH before AS MATERIALIZED (SELECT t.* FROM {_q(table)} t WHERE {where} ORDER BY t.{_q(pk)} FOR UPDATE),"
            f" after AS (UPDATE {_q(table)} t SET {values} FROM before WHERE t.{_q(pk)} = before.{_q(pk)}"
            f" RETURNING t.*)"
            f" SELECT jsonb_agg(jsonb_build_array(d.pk, d.old::text, d.new::text)) FROM ("
            f" SELECT before.{_q(pk)} AS pk, jsonb_object_agg(o.key, o.value) AS old,"
            f" jsonb_object_agg(o.key, n.value) AS new FROM before JOIN after ON after.{_q(pk)} = before.{_q(pk)}"
            f" CROSS JOIN LATERAL jsonb_each(to_jsonb(before)) o"
            f" JOIN LATERAL jsonb_each(to_jsonb(after)) n ON n.key = o.key"
            f" WHERE n.value IS DISTINCT FROM o.value GROUP BY 1) d",
            self._params(params),
        )
        return self._note("set", table, pk, "", pairs)

    def remove(self, model: Any, where: str, **params: Any) -> int:
        """Take rows away (the table is ``t``); the journal keeps them whole. Answers how many."""
        table, pk = model._meta.db_table, model._meta.pk.column
        gone = _rows(
            f"WITH gone AS (DELETE FROM {_q(table)} t WHERE {where} RETURNING t.*)"
            f" SELECT jsonb_agg(jsonb_build_array(gone.{_q(pk)}, to_jsonb(gone)::text)) FROM gone",
            self._params(params),
        )
        return self._note("remove", table, pk, "", gone)

    def add(self, model: Any, insert: str, **params: Any) -> int:
        """``INSERT INTO model <insert>``; an undo takes the new rows away again. Answers how many."""
        table, pk = model._meta.db_table, model._meta.pk.column
        ids = _rows(
            f"WITH made AS (INSERT INTO {_q(table)} {insert} RETURNING {_q(pk)} AS pk)"
            " SELECT jsonb_agg(made.pk) FROM made",
            self._params(params),
        )
        return self._note("add", table, pk, "", ids)

    @contextmanager
    def watching(self, model: Any, pk: int, *ignore: str) -> Iterator[None]:
        """Whatever the block changes on one row is noted, apart from the columns ``ignore``."""
        table, key = _q(model._meta.db_table), _q(model._meta.pk.column)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT to_jsonb(t)::text FROM {table} t WHERE {key} = %s", [pk])
            before = cursor.fetchone()[0]
        yield
        pairs = _rows(
            "SELECT CASE WHEN d.old IS NOT NULL THEN"
            " jsonb_build_array(jsonb_build_array(%(pk)s, d.old::text, d.new::text)) END FROM ("
            " SELECT jsonb_object_agg(o.key, o.value) AS old, jsonb_object_agg(o.key, n.value) AS new"
            f" FROM {table} t CROSS JOIN LATERAL jsonb_each(%(before)s::jsonb) o"
            " JOIN LATERAL jsonb_each(to_jsonb(t)) n ON n.key = o.key"
            f" WHERE t.{key} = %(pk)s AND n.value IS DISTINCT FROM o.value AND o.key <> ALL(%(ignore)s)) d",
            {"pk": pk, "before": before, "ignore": list(ignore)},
        )
        self._note("set", model._meta.db_table, model._meta.pk.column, "", pairs)

    def _params(self, params: Row) -> Row:
        return {"winner": self.winner, "loser": self.loser, **params}

    def _note(self, op: str, table: str, pk: str, column: str, rows: list[Any]) -> int:
        if rows:
            self.steps.append(Step(op, table, pk, column, rows))
        return len(rows)


def _rows(statement: str, params: Row) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        found = cursor.fetchone()[0]
    return list(orjson.loads(found) if isinstance(found, str | bytes) else found or ())


def _q(name: str) -> str:
    return connection.ops.quote_name(name)


# --- who points at a record ------------------------------------------------------------------------
Handler = Callable[[Journal, Pointer], None]
After = Callable[[Any, list[int]], None]


@dataclass(frozen=True, slots=True)
class Soft:
    """``table.column`` holds ids of ``target`` (``contacts.Contact``) without a constraint."""

    target: str
    model: str
    column: str


_soft: list[Soft] = []
_handlers: dict[str, Handler] = {}
_exempt: dict[str, str] = {}
_after: list[After] = []
_quiet: set[str] = set()


def soft(target: str, model: str, column: str) -> None:
    """Declare a column that holds ids of ``target`` without being a foreign key (labels as ``app.Model``)."""
    _soft.append(Soft(target, model, column))
    pointers.cache_clear()


def handle(key: str, handler: Handler) -> None:
    """Let ``handler`` do the whole work for one pointer (``sales_dealcontact.contact_id``)."""
    _handlers[key] = handler


def exempt(key: str, why: str) -> None:
    """A column that looks like a reference and needn't follow; ``why`` says so to the reader."""
    _exempt[key] = why


def quiet(model: Any) -> None:
    """Rows of the house's own bookkeeping: they follow like all others, but nobody is told how many."""
    _quiet.add(model._meta.db_table)


def is_quiet(pointer: Pointer) -> bool:
    return pointer.table in _quiet


def after(callback: After) -> None:
    """``callback(model, ids)`` recomputes what is known of these records once rows have moved, either way."""
    _after.append(callback)


def recompute(model: Any, ids: list[int]) -> None:
    for callback in _after:
        callback(model, ids)


def handler_of(pointer: Pointer) -> Handler | None:
    return _handlers.get(pointer.key)


def exemptions() -> dict[str, str]:
    return dict(_exempt)


@lru_cache
def pointers(target: Any) -> tuple[Pointer, ...]:
    """Every column of any table that holds an id of ``target``, apart from its own parents (see ``self_pointers``)."""
    found = [p for p in _foreign_keys(target) if p.model is not target]
    declared = [each for each in _soft if apps.get_model(each.target) is target]
    found += [Pointer(apps.get_model(each.model), each.column) for each in declared]
    return tuple(p for p in found if p.key not in _exempt)


@lru_cache
def self_pointers(target: Any) -> tuple[Pointer, ...]:
    """Foreign keys of a record to one of its own kind: a tree."""
    return tuple(p for p in _foreign_keys(target) if p.model is target and p.key not in _exempt)


def _foreign_keys(target: Any) -> Iterator[Pointer]:
    for model in apps.get_models(include_auto_created=True):
        if model._meta.proxy:
            continue
        for each in model._meta.local_fields:
            if each.is_relation and each.concrete and getattr(each, "related_model", None) is target:
                yield Pointer(model, str(each.column), each)


# --- what must be unique ---------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Unique:
    """Columns that no two rows of a table share, ``where`` a condition holds (SQL on ``t``, or empty).

    ``flag``: the condition asks for this boolean column (a primary one): a row that loses gives up the flag, not
    its life.
    """

    columns: tuple[str, ...]
    where: str = ""
    flag: str = ""
    nulls_equal: bool = False


def uniques(model: Any, column: str) -> list[Unique]:
    """The unique rules of ``model`` that the pointer's column takes part in, as the database has them.

    Read from the catalogue, so that partial indexes and those made by hand in a migration count as well.
    """
    with connection.cursor() as cursor:
        cursor.execute(_UNIQUES, [model._meta.db_table])
        rows = cursor.fetchall()
    booleans = {str(f.column) for f in model._meta.local_fields if isinstance(f, models.BooleanField)}
    found = []
    for columns, where, expressions, nulls_equal in rows:
        if column not in columns or expressions:
            continue
        where = where or ""
        flag = next((name for name in sorted(booleans) if _asks_for(where, name)), "")
        found.append(Unique(tuple(columns), where, flag, bool(nulls_equal)))
    return found


def _asks_for(where: str, column: str) -> bool:
    """Whether an index' condition (as the database spells it) wants the boolean ``column`` true."""
    words = where.replace("(", " ").replace(")", " ").replace('"', " ").split()
    return any(
        word == column and (at == 0 or words[at - 1].upper() != "NOT") for at, word in enumerate(words)
    )


_UNIQUES = """
SELECT array_agg(a.attname::text ORDER BY k.n), pg_get_expr(i.indpred, i.indrelid),
       bool_or(k.attnum = 0), i.indnullsnotdistinct
FROM pg_index i
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)
LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = to_regclass(%s) AND i.indisunique AND k.n <= i.indnkeyatts
GROUP BY i.indexrelid, i.indpred, i.indrelid, i.indnullsnotdistinct
ORDER BY i.indexrelid
"""


def model_of(table: str) -> Any:
    """The model behind a table of the journal; None where it is gone by now."""
    return next((m for m in apps.get_models(include_auto_created=True) if m._meta.db_table == table), None)
