"""Parts that have no room on their record: left out, and said, row by row; the rest of the row comes in."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from contacts.services.parts import MOST

from .cleaning import Chunk, RowError
from .mapping import shown

CODE = "no_room"
#: so many of a kind a record holds, as by hand
FULL = MOST


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
