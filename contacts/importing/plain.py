"""Columns that are clean already, told at a glance: most cells of a file are as their cleaner would leave them.

A look takes the cells of one column, several rows at once, and answers their values where the field's cleaner
would change none of them but for lower case; otherwise None, and each cell meets its cleaner. It may miss clean
columns, and must never take one that isn't: ``tests/contacts/test_import_plain.py`` holds each look to its cleaner.
"""

from collections.abc import Callable, Sequence

from crmcem.lib.normalise import are_plain_emails, are_plain_phones

Look = Callable[[Sequence[str]], Sequence[str] | None]
#: a cell that begins with an apostrophe, which may be no part of its value (see ``fields.bare``)
_GUARD = "\n'"


def _lines(limit: int) -> Look:
    """Printable text of at most ``limit`` characters, without blanks around or twice, and without a guard."""

    def look(cells: Sequence[str]) -> Sequence[str] | None:
        if not "".join(cells).isprintable() or max(map(len, cells), default=0) > limit:
            return None
        column = "\n" + "\n".join(cells) + "\n"
        if "  " in column or " \n" in column or "\n " in column or _GUARD in column:
            return None
        return cells

    return look


def _emails(cells: Sequence[str]) -> Sequence[str] | None:
    column = "\n" + "\n".join(cells)
    values = column[1:].lower().split("\n")
    if len(values) != len(cells) or _GUARD in column or not are_plain_emails(list(filter(None, values))):
        return None
    return values


def _phones(cells: Sequence[str]) -> Sequence[str] | None:
    return cells if are_plain_phones(filter(None, cells)) else None


LOOKS: dict[str, Look] = {
    "external_id": _lines(200),
    "first_name": _lines(150),
    "last_name": _lines(150),
    "full_name": _lines(300),
    "job_title": _lines(200),
    "email": _emails,
    "phone": _phones,
}
