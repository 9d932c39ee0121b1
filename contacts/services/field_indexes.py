"""The indexes of filterable custom fields: made and dropped while people work, found anew after any crash.

What there should be is computed from the definitions, what there is read from the catalogue of the database: a field
whose expression changes gets a new index before the old one goes. Lists are right without an index, only slower.
"""

import hashlib
from dataclasses import dataclass

import structlog
from django.db import connection, transaction

from contacts.custom.definitions import Definition, active
from contacts.custom.entities import entities
from contacts.custom.sql import comparable

log = structlog.get_logger(__name__)

KEEP = "contacts.tasks.keep_field_indexes"
#: every index made here begins with this, and no other does
PREFIX = "customfield_"

_EXISTING = """
SELECT c.relname, i.indisvalid, EXISTS (SELECT 1 FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid)
FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_class t ON t.oid = i.indrelid
WHERE c.relnamespace = 'public'::regnamespace AND t.relname = ANY(%s) AND c.relname LIKE %s
"""


@dataclass(frozen=True, slots=True)
class Index:
    """The index of one field; its name follows from what it indexes."""

    name: str
    statement: str


def index_of(definition: Definition) -> Index:
    """``(expression, id)`` serves filters and sorting by key; a GIN index what holds one of several choices."""
    entity = entities[definition.entity]
    query = entity.model._default_manager.all().query
    compiler = query.get_compiler(connection=connection)
    sql, params = compiler.compile(comparable(definition).resolve_expression(query))
    with connection.cursor() as cursor:
        expression = cursor.mogrify(sql, params)
    expression = expression.decode() if isinstance(expression, bytes) else expression
    how = f"USING gin (({expression}) jsonb_path_ops)"
    if definition.type != "multichoice":
        how = f"(({expression}), id)"
    digest = hashlib.sha256(how.encode()).hexdigest()[:8]
    name = f"{PREFIX}{definition.id}_{digest}"
    return Index(name, f'CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON "{entity.table}" {how}')


def _wanted() -> dict[str, Index]:
    found = [index_of(each) for entity in entities for each in active(entity.key).values() if each.filterable]
    return {index.name: index for index in found}


def existing() -> dict[str, tuple[bool, bool]]:
    """Name → (usable, being made right now) of every index of a custom field."""
    with connection.cursor() as cursor:
        cursor.execute(_EXISTING, [[entity.table for entity in entities], PREFIX.replace("_", r"\_") + "%"])
        return {name: (valid, busy) for name, valid, busy in cursor.fetchall()}


def field_indexes_keep() -> tuple[int, int]:
    """Make the indexes that are missing and drop those that nobody needs. Answers how many of each.

    Several workers may do so at once: a name is made once, and what somebody else is making is left alone. One that a
    killed worker left half made is dropped and made again. Must not run in a transaction.
    """
    if connection.in_atomic_block:
        raise transaction.TransactionManagementError("Indexes are made outside of transactions.")
    wanted, found = _wanted(), existing()
    made = dropped = 0
    for name, (valid, busy) in found.items():
        if not busy and (not valid or name not in wanted):
            _run(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            dropped += 1
    for name, index in wanted.items():
        if name not in found or not any(found[name]):
            _run(index.statement)
            made += 1
    return made, dropped


def _run(statement: str) -> None:
    log.info("field_index", statement=statement.split(" ON ")[0])
    with connection.cursor() as cursor:
        cursor.execute(statement)
