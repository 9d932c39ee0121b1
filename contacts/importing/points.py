"""What a row names beside the record's own columns: further addresses and numbers of people, further domains of
companies. Planned before anything of it is written, the same in a dry run."""

from typing import Any

from contacts.models import ImportJob

from . import companies_sql, contacts_sql
from .cleaning import Chunk, RowError
from .room import FULL, left_out
from .staging import by_index

_SQL: dict[str, Any] = {"contacts": contacts_sql, "companies": companies_sql}


def plan_points(cursor: Any, job: ImportJob, chunk: Chunk) -> list[RowError]:
    """``import_more``: what will be added. Answers what has no room on its record."""
    if not chunk.points:
        return []
    with by_index(cursor):
        cursor.execute(_SQL[job.object].PLAN_POINTS)
    cursor.execute("DELETE FROM import_more WHERE n > %s RETURNING row, kind, value", [FULL])
    return left_out(cursor.fetchall(), chunk)


def write_points(cursor: Any, job: ImportJob, chunk: Chunk) -> int:
    """Add them. Answers how many records changed by it alone."""
    if not chunk.points:
        return 0
    cursor.execute(_SQL[job.object].MORE_POINTS, {"job": job.pk})
    count: int = cursor.fetchone()[0]
    return count
