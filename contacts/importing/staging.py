"""A chunk of rows in the database: a temporary table that ends with the transaction, filled by COPY."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import connection
from django.db.models import Model

from .cleaning import COLUMNS, SEPARATOR, Chunk, RowError

_TEXT = 'text COLLATE "C"'
_TYPES = {
    "birthday": "date",
    "tags": "varchar(60)[]",
    "custom": "jsonb",
    "owner_id": "bigint",
    "company_key": "integer",
    "size": "integer",
}


def prepare(cursor: Any) -> None:
    """Settings of this transaction only: room to sort 50,000 rows, and no time limit made for pages."""
    cursor.execute(
        "SET LOCAL work_mem = '64MB'; SET LOCAL jit = off; SET LOCAL random_page_cost = 1.5;"
        "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s';"
        "SET LOCAL client_min_messages = warning;"
        # they end with the transaction, unless a caller's own transaction goes on
        "DROP TABLE IF EXISTS import_stage, import_point, import_company, import_match, import_plan, import_changed,"
        "import_part, import_wanted, import_parts, import_only, import_more,"
        "import_new"
    )


@contextmanager
def by_index(cursor: Any) -> Iterator[None]:
    """Look each row of the chunk up: for 50,000 rows the planner would rather read a million contacts whole."""
    cursor.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    yield
    cursor.execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on")


@contextmanager
def by_hash(cursor: Any) -> Iterator[None]:
    """Join the chunk's own tables whole: the planner, who knows little of them, must not search one for every row."""
    cursor.execute("SET LOCAL enable_nestloop = off")
    yield
    cursor.execute("SET LOCAL enable_nestloop = on")


_KNOWN_TAGS = """
WITH known AS MATERIALIZED (
    SELECT u.word, t.name FROM (SELECT DISTINCT unnest(tags) AS word FROM import_stage) u
    JOIN contacts_tag t ON t.names @> ARRAY[crmcem_fold(u.word)]::varchar[] AND t.name <> u.word
)
UPDATE import_stage s SET tags = ARRAY(
    SELECT coalesce(k.name, u.word) FROM unnest(s.tags) WITH ORDINALITY AS u (word, place)
    LEFT JOIN known k ON k.word = u.word GROUP BY 1 ORDER BY min(u.place))
WHERE s.tags && ARRAY(SELECT word FROM known)
"""


def stage(cursor: Any, kind: str, chunk: Chunk) -> None:
    """``import_stage``: the chunk's rows, one column per field, NULL where the cell was blank.

    Tags are written as the register knows them.
    """
    names = COLUMNS[kind]
    columns = ", ".join(f"{name} {_TYPES.get(name, _TEXT)}" for name in names)
    cursor.execute(f"CREATE TEMP TABLE import_stage (row integer, {columns}) ON COMMIT DROP")
    chunk.staged.seek(0)
    into = f"import_stage ({', '.join(('row', *chunk.names))})"
    cursor.copy_expert(f"COPY {into} FROM STDIN (FORMAT csv, DELIMITER '{SEPARATOR}')", chunk.staged)
    if "tags" in chunk.names:
        cursor.execute(_KNOWN_TAGS)


def stage_points(cursor: Any, chunk: Chunk) -> None:
    """``import_point``: the further addresses, numbers and domains of the chunk's rows; ``import_more``: those to be
    added."""
    cursor.execute(
        f"""CREATE TEMP TABLE import_point (
            row integer, kind varchar(12), value {_TEXT}, PRIMARY KEY (row, kind, value)
        ) ON COMMIT DROP;
        CREATE TEMP TABLE import_more (
            row integer, record_id bigint, kind varchar(12), value {_TEXT}, n integer
        ) ON COMMIT DROP"""
    )
    if chunk.points:
        copy_rows(cursor, "import_point", ("row", "kind", "value"), chunk.points)
        cursor.execute("ANALYZE import_point")


def survivor(entity: str, table: str, winner: str) -> str:
    """A subquery: the record that ``winner`` (an id in SQL) is today, wherever it was merged into since."""
    return f"""(WITH RECURSIVE chain (id) AS (
        SELECT {winner}
        UNION
        SELECT m.winner_id FROM chain JOIN contacts_mergerecord m
            ON m.entity = '{entity}' AND m.loser_id = chain.id AND m.undone_at IS NULL
    ) SELECT max(t.id) FROM chain JOIN {table} t ON t.id = chain.id)"""  # noqa: S608 - names from the code


def copy_rows(
    cursor: Any,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    texts: Sequence[str] = (),
) -> None:
    """COPY ``rows`` into ``table``. None is NULL; the empty text too, except in the columns ``texts``."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    buffer.seek(0)
    keep = f", FORCE_NOT_NULL ({', '.join(texts)})" if texts else ""
    cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv{keep})", buffer)


def visible_where(model: type[Model], user: Any) -> tuple[str, list[Any]]:
    """``model.objects.visible_to(user)`` as a condition on the model's own table, with its parameters."""
    query = model._default_manager.visible_to(user).query  # type: ignore[attr-defined]
    try:
        sql, params = query.where.as_sql(query.get_compiler(connection=connection), connection)
    except FullResultSet:
        return "TRUE", []
    except EmptyResultSet:
        return "FALSE", []
    return sql, list(params)


def save_errors(cursor: Any, job_id: int, errors: Iterable[RowError]) -> None:
    """Keep why rows failed, with the rows as they were read."""

    def storable(cells: Sequence[str]) -> str:
        clean = [c.replace("\x00", "\ufffd").encode("utf-8", "replace").decode() for c in cells]
        return orjson.dumps(clean).decode()

    copy_rows(
        cursor,
        "contacts_importrowerror",
        ("job_id", "row", "field", "code", "detail", "raw", "left_out"),
        ((job_id, e.row, e.field, e.code, e.detail, storable(e.cells), e.left_out) for e in errors),
        texts=("field",),
    )
