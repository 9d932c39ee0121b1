"""Every reference to the loser follows to the winner: the general way, for tables that nobody registered."""

# ruff: noqa: S608 - statements are built from names of our own tables and columns; values are parameters

from typing import Any

from crmcem.lib.merging import Journal, Pointer, Unique, handler_of, pointers, self_pointers, uniques


def follow_all(journal: Journal) -> None:
    """Let everything that points at the loser point at the winner (the loser's own row is not touched)."""
    for pointer in self_pointers(journal.target):
        follow_tree(journal, pointer)
    for pointer in pointers(journal.target):
        handler = handler_of(pointer)
        if handler is not None:
            handler(journal, pointer)
        else:
            follow(journal, pointer)


def follow(journal: Journal, pointer: Pointer) -> None:
    """Move the rows of one pointer; what a unique rule would refuse goes into the journal instead.

    A row that equals one of the winner's is removed; one that is unique only by a flag (primary) loses the flag; a
    relation between the two records (both ends required) would lead from the winner to itself and is removed.
    """
    for other in pointers(journal.target):
        if other.model is pointer.model and other.column > pointer.column and _required(pointer, other):
            ends = f't."{pointer.column}" IN (%(winner)s, %(loser)s) AND t."{other.column}" IN (%(winner)s, %(loser)s)'
            journal.remove(pointer.model, f'{ends} AND t."{pointer.column}" <> t."{other.column}"')
    for unique in uniques(pointer.model, pointer.column):
        clash = clashing(pointer, unique)
        if unique.flag:
            journal.set(pointer.model, f'"{unique.flag}" = false', clash)
        else:
            journal.remove(pointer.model, clash)
    journal.move(pointer)


def clashing(pointer: Pointer, unique: Unique) -> str:
    """A condition on ``t``: rows of the loser that the unique rule would not let the winner have as well."""
    where = f" AND ({unique.where})" if unique.where else ""
    equals = "IS NOT DISTINCT FROM" if unique.nulls_equal else "="
    same = "".join(f' AND x."{c}" {equals} t."{c}"' for c in unique.columns if c != pointer.column)
    return (
        f't."{pointer.column}" = %(loser)s{where} AND EXISTS (SELECT 1 FROM "{pointer.table}" x'
        f' WHERE x."{pointer.column}" = %(winner)s{where}{same})'
    )


def follow_tree(journal: Journal, pointer: Pointer) -> None:
    """Children of the loser become the winner's. A winner below the loser takes the loser's own place first."""
    table, column = pointer.table, pointer.column
    above = f"""
        WITH RECURSIVE up(id, parent) AS (
            SELECT r.id, r."{column}" FROM "{table}" r WHERE r.id = %(winner)s
            UNION SELECT r.id, r."{column}" FROM "{table}" r JOIN up ON r.id = up.parent
        ) SELECT 1 FROM up WHERE parent = %(loser)s
    """
    journal.set(
        pointer.model,
        f'"{column}" = (SELECT nullif(l."{column}", %(winner)s) FROM "{table}" l WHERE l.id = %(loser)s)',
        f"t.id = %(winner)s AND EXISTS ({above})",
    )
    journal.move(pointer, f'"{pointer.pk}" NOT IN (%(winner)s, %(loser)s)')


def _required(*ends: Any) -> bool:
    return all(end.field is not None and not end.field.null for end in ends)
