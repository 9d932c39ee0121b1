"""Parts that have no room on their record: left out, and said, row by row; the rest of the row comes in."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _

from contacts.services.parts import MOST

from . import contacts_sql
from .cleaning import Chunk, RowError
from .mapping import shown
from .staging import by_index

CODE = "no_room"
_FULL = "DELETE FROM import_more WHERE n > %(most)s RETURNING row, kind, value"


def left_out(found: Iterable[tuple[int, str, str]], chunk: Chunk) -> list[RowError]:
    """What the report says of parts that did not fit: (row, field, the part in words)."""
    errors = []
    for row, field, value in sorted(found):
        detail = _(
            "“%(value)s” is left out, the rest of the row is not: the record holds %(most)d of these, and no more "
            "fit. Take some away there and send this row again."
        ) % {"value": shown(value), "most": MOST}
        errors.append(RowError(row, field, CODE, detail, chunk.cells(row), left_out=True))
    return errors


def plan_points(cursor: Any, chunk: Chunk) -> list[RowError]:
    """``import_more``: the further addresses and numbers that will be added. Answers those that have no room."""
    if not chunk.points:
        return []
    with by_index(cursor):
        cursor.execute(contacts_sql.PLAN_POINTS)
    cursor.execute(_FULL, {"most": MOST})
    return left_out(cursor.fetchall(), chunk)
