"""A dry run: every row judged by the import's own statements, counted, and rolled back."""

from typing import Any

import orjson
from django.db import connection, transaction

from contacts.models import ImportJob
from crmcem.lib.actors import Actor, acting

from . import companies_sql, contacts_sql, parts_sql
from .alike import alike_in
from .cleaning import Chunk, RowError
from .commit import LEASE_SECONDS, LeaseLost, differing, match
from .points import plan_points
from .staging import by_hash, prepare, save_errors, stage

# What the plan alone doesn't tell: a company that would be made first, and addresses or domains beside the primary one
_BESIDE = """
SELECT count(*) FROM import_plan p WHERE NOT EXISTS (SELECT 1 FROM import_changed c WHERE c.id = p.id) AND (
    EXISTS (SELECT 1 FROM import_more t WHERE t.row = p.row){company})
"""
_COMPANY = """
    OR EXISTS (SELECT 1 FROM import_match m JOIN import_company k ON k.key = m.company_key
               WHERE m.row = p.row AND k.company_id IS NULL)"""


def check_chunk(job: ImportJob, chunk: Chunk) -> None:
    """Count what the chunk would do into ``job.report``, and keep why rows would fail. Nothing else is written.

    Raises LeaseLost where another worker has counted it, or the dry run was stopped, even if one was begun anew.
    """
    errors = list(chunk.errors)
    created = updated = 0
    refused: list[RowError] = []
    full: list[RowError] = []
    with acting(Actor("import", job.pk, job.owner)), connection.cursor() as cursor:
        alike: dict[str, Any] = job.report.get("alike", {})
        if chunk.count:
            created, updated, refused, full, alike = _judged(cursor, job, chunk)
        failed = len(chunk.failed) + len(refused)
        save_errors(cursor, job.pk, sorted([*errors, *refused, *full], key=lambda error: error.row))
        before = job.report
        skipped = chunk.end - chunk.start - created - updated - failed
        counts = {"create": created, "update": updated, "skip": skipped, "failed": failed}
        report: dict[str, Any] = {name: before[name] + count for name, count in counts.items()}
        report |= {"rows": chunk.end} | ({"alike": alike} if alike.get("count") else {})
        if gone := before.get("left_out", 0) + len(full):
            report["left_out"] = gone
        cursor.execute(
            """UPDATE contacts_importjob
            SET report = %s::jsonb, claimed_until = clock_timestamp() + make_interval(secs => %s)
            WHERE id = %s AND status = 'checking' AND checks = %s AND (report ->> 'rows')::int = %s""",
            [orjson.dumps(report).decode(), LEASE_SECONDS, job.pk, job.checks, chunk.start],
        )
        if not cursor.rowcount:
            raise LeaseLost
    job.report = report


def _judged(
    cursor: Any, job: ImportJob, chunk: Chunk
) -> tuple[int, int, list[RowError], list[RowError], dict[str, Any]]:
    """How many rows would create and update, those that would be refused, parts that have no room, and what looks
    alike (``alike_in``).

    Everything is rolled back.
    """
    contacts = job.object == "contacts"
    sql: Any = contacts_sql if contacts else companies_sql
    with transaction.atomic():
        prepare(cursor)
        stage(cursor, job.object, chunk)
        refused = match(cursor, job, chunk)
        alike = alike_in(cursor, job)
        cursor.execute("DELETE FROM import_match WHERE found IS NULL AND problem IS NULL")
        created: int = cursor.rowcount
        with by_hash(cursor):
            cursor.execute(sql.PLAN, {"user": job.owner_id, "team": job.owner.team_id})
        table = "contacts_contact" if contacts else "contacts_company"
        updated = differing(cursor, table, sql.FIELDS)
        full = plan_points(cursor, job, chunk)
        if contacts or chunk.points:
            cursor.execute(_BESIDE.format(company=_COMPANY if contacts else ""))
            updated += cursor.fetchone()[0]
        if chunk.has_parts:
            only, none_left = parts_sql.plan_parts(cursor, job, chunk)
            updated, full = updated + only, full + none_left
        transaction.set_rollback(True)
    return created, updated, refused, full, alike
