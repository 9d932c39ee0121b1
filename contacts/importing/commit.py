"""One chunk of a job into the database: one transaction, every companion row with it."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import DatabaseError, connection
from django.utils.translation import gettext as _

from contacts.models import Company, Contact, ImportJob
from crmcem.lib.actors import Actor, acting

from . import companies_sql, contacts_sql, parts_sql
from .cleaning import Chunk, RowError
from .points import plan_points, write_points
from .staging import by_hash, by_index, prepare, save_errors, stage, stage_points, visible_where

log = structlog.get_logger(__name__)
LEASE_SECONDS = 30
ATTEMPTS = 5
#: unique value taken meanwhile, deadlock, lock not to be had in time, serialisation: try the chunk again
_PASSING = {"23505", "40P01", "55P03", "40001"}


class LeaseLost(Exception):
    """Another worker went on with the job, or it was ended: this one must stop."""


class Raced(Exception):
    """A row changed between reading and locking: the chunk is planned again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a committed chunk did. ``cancelled``: somebody asked to stop after it."""

    created: int
    updated: int
    skipped: int
    failed: int
    cancelled: bool


def commit_chunk(job: ImportJob, chunk: Chunk) -> Outcome:
    """Write the chunk and move ``next_row`` behind it, both or neither.

    Raises LeaseLost where another worker has already written it.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _commit(job, chunk)
        except (DatabaseError, Raced) as error:
            code = getattr(error.__cause__, "pgcode", None)
            if attempt == ATTEMPTS or not (isinstance(error, Raced) or code in _PASSING):
                raise
            log.info("import_chunk_again", job=job.pk, row=chunk.start, code=code)
            time.sleep(0.05 * attempt)
    raise AssertionError


def _commit(job: ImportJob, chunk: Chunk) -> Outcome:
    actor = Actor("import", job.pk, job.owner)
    with acting(actor), connection.cursor() as cursor:
        prepare(cursor)
        # One chunk at a time in the whole house: two files with the same people can't make them twice.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('contacts_import'))")
        cursor.execute(
            "SELECT 1 FROM contacts_importjob WHERE id = %s AND status = 'running' AND next_row = %s",
            [job.pk, chunk.start],
        )
        if cursor.fetchone() is None:
            raise LeaseLost
        created = updated = 0
        errors = list(chunk.errors)
        failed = len(chunk.failed)
        if chunk.count:
            stage(cursor, job.object, chunk)
            refused = match(cursor, job, chunk)
            failed += len(refused)
            errors += refused
            created, updated, full = _write(cursor, job, chunk)
            errors += full
        save_errors(cursor, job.pk, sorted(errors, key=lambda error: error.row))
        skipped = chunk.end - chunk.start - created - updated - failed
        left_out = sum(error.left_out for error in errors)
        return _advance(cursor, job, chunk, (created, updated, skipped, failed, left_out))


def match(cursor: Any, job: ImportJob, chunk: Chunk) -> list[RowError]:
    """``import_match``: each row's existing record, or the problem; answers the rows that can't come in."""
    contacts = job.object == "contacts"
    sql: Any = contacts_sql if contacts else companies_sql
    if contacts:
        companies_sql.stage_companies(cursor, chunk, job.owner)
    stage_points(cursor, chunk)
    visible, params = visible_where(Contact if contacts else Company, job.owner)
    # Both templates name the condition as often as they hold it; its parameters go in by position
    named: dict[str, Any] = {f"v{index}": value for index, value in enumerate(params)}
    condition = visible % tuple(f"%(v{index})s" for index in range(len(params)))
    named |= {"mode": job.mode, "make_companies": job.make_companies}
    with by_index(cursor):
        cursor.execute(sql.match_sql(condition, more=bool(chunk.points)), named)
    cursor.execute("ANALYZE import_match")
    cursor.execute("SELECT row, problem FROM import_match WHERE problem IS NOT NULL ORDER BY row")
    return [_refusal(row, problem, chunk) for row, problem in cursor.fetchall()]


def _refusal(row: int, problem: str, chunk: Chunk) -> RowError:
    field, detail = {
        "email_taken": ("email", _("This e-mail address belongs to another record already.")),
        "external_id_taken": ("external_id", _("This external id belongs to another record already.")),
        "domain_taken": ("domain", _("This domain belongs to another record already.")),
        "company_taken": ("company", _("This company can't be used: it belongs to another record already.")),
        "company_ambiguous": (
            "company",
            _("Several companies have this name. Name its domain or its external id in a column of its own."),
        ),
        "name_ambiguous": (
            "name",
            _(
                "Several companies are called that. Add the domain or the external id of the one that is meant."
            ),
        ),
        "company_unknown": (
            "company",
            _("There is no such company. Correct it, or let the import create companies that are unknown."),
        ),
        "duplicate_in_file": ("", _("An earlier row of this file names the same record. Keep one of them.")),
        "exists": ("", _("There is such a record already, and this import only creates new ones.")),
        "not_found": ("", _("There is no such record, and this import only updates existing ones.")),
    }[problem]
    return RowError(row, field, problem, detail, chunk.cells(row))


def _write(cursor: Any, job: ImportJob, chunk: Chunk) -> tuple[int, int, list[RowError]]:
    """Insert and update what the plan says. Answers how many were created and updated, and what had no room."""
    contacts = job.object == "contacts"
    sql: Any = contacts_sql if contacts else companies_sql
    table = "contacts_contact" if contacts else "contacts_company"
    if contacts:
        companies_sql.make_companies(cursor, chunk, job.owner, job.pk)
    with by_hash(cursor):
        cursor.execute(sql.PLAN, {"user": job.owner_id, "team": job.owner.team_id})
    updated = _changed(cursor, table, sql.FIELDS)
    cursor.execute(sql.INSERT)
    created = cursor.rowcount
    if contacts and created:
        cursor.execute(contacts_sql.POINTS)
        cursor.execute(contacts_sql.PULSES)
    if contacts and updated:
        for statement in contacts_sql.CHANGED:
            cursor.execute(statement)
    if created or updated:
        cursor.execute(sql.ACTIVITIES, {"job": job.pk})
    full = plan_points(cursor, job, chunk)
    if chunk.has_parts:
        only, none_left = parts_sql.write_parts(cursor, job, chunk)
        updated, full = updated + only, full + none_left
    return created, updated + write_points(cursor, job, chunk), full


def differing(cursor: Any, table: str, fields: tuple[str, ...]) -> int:
    """``import_changed``: the records that differ from the plan, with what differs. Answers how many they are."""
    new = ", ".join(f"p.{name}" for name in fields)
    old = ", ".join(f"c.{name}" for name in fields)
    pairs = ", ".join(
        f"('{name.removesuffix('_id') if name != 'external_id' else name}', to_jsonb(c.{name}), to_jsonb(p.{name}))"
        for name in fields
    )
    with by_index(cursor):
        cursor.execute(
            f"""CREATE TEMP TABLE import_changed ON COMMIT DROP AS
            SELECT p.*, diff.changes FROM import_plan p JOIN {table} c ON c.id = p.found
            CROSS JOIN LATERAL (
                SELECT jsonb_object_agg(v.name, jsonb_build_array(v.old, v.new)) AS changes
                FROM (VALUES {pairs}) v (name, old, new) WHERE v.old IS DISTINCT FROM v.new
            ) diff
            WHERE ({old}) IS DISTINCT FROM ({new})"""  # noqa: S608 - names from the code
        )
        count: int = cursor.rowcount
    return count


def _changed(cursor: Any, table: str, fields: tuple[str, ...]) -> int:
    """Update the records that differ from the plan; ``import_changed`` keeps what changed, field by field."""
    count = differing(cursor, table, fields)
    if not count:
        return 0
    new = ", ".join(f"p.{name}" for name in fields)
    cursor.execute(
        f"""SELECT c.version = p.old_version FROM {table} c JOIN import_changed p ON p.id = c.id
        ORDER BY c.id FOR UPDATE OF c"""  # noqa: S608
    )
    fresh = cursor.fetchall()
    if len(fresh) != count or not all(row[0] for row in fresh):
        raise Raced
    cursor.execute(
        f"""UPDATE {table} c SET ({", ".join(fields)}, version, updated_at) = ({new}, c.version + 1, now())
        FROM import_changed p WHERE c.id = p.id"""  # noqa: S608
    )
    return count


def _advance(cursor: Any, job: ImportJob, chunk: Chunk, counts: tuple[int, int, int, int, int]) -> Outcome:
    cursor.execute(
        """UPDATE contacts_importjob SET rows_done = %s, next_row = %s, created = created + %s,
            updated = updated + %s, skipped = skipped + %s, failed = failed + %s, left_out = left_out + %s,
            claimed_until = clock_timestamp() + make_interval(secs => %s)
        WHERE id = %s AND status = 'running' AND next_row = %s
        RETURNING cancel_requested, claimed_until""",
        [chunk.end, chunk.end, *counts, LEASE_SECONDS, job.pk, chunk.start],
    )
    row: tuple[bool, datetime] | None = cursor.fetchone()
    if row is None:
        raise LeaseLost
    created, updated, skipped, failed, _left_out = counts
    job.next_row = chunk.end
    return Outcome(created, updated, skipped, failed, row[0])
