"""Database triggers that note whose answer to a live segment may have changed, whoever writes.

A note is a row of ``SegmentDirty``: the contact, and ``what`` moved (``contact``, ``pulse``, ``company``, … or ``*``
for anything). It is only written where a live segment looks at that (``Segment.watches``), commits with the change
itself, and is taken up by ``contacts.services.segmenting``. Statement-level, as audit is: bulk writes, COPY and raw
SQL count.
"""

from typing import Any, Literal

import pgtrigger

ANYTHING = "*"
_DIRTY = "INSERT INTO contacts_segmentdirty (contact_id, what)"
_WATCHED = "EXISTS (SELECT 1 FROM contacts_segment s WHERE '%s' = ANY (s.watches))"
_SOME = {
    ANYTHING: "EXISTS (SELECT 1 FROM contacts_segment s WHERE s.kind = 'live')",
}


def _watched(what: str) -> str:
    return _SOME.get(what, _WATCHED % what)


def noted(
    what: str, on: Literal["insert", "update", "delete"], contacts: str, *, name: str = ""
) -> pgtrigger.Trigger:
    """A trigger for ``Meta.triggers``.

    ``contacts`` is the rest of a SELECT that gives the ids of contacts as ``contact_id``, from ``new_rows`` and
    ``old_rows`` (an insert has only new ones, a delete only old ones).
    """
    operations: dict[str, Any] = {
        "insert": pgtrigger.Insert,
        "update": pgtrigger.Update,
        "delete": pgtrigger.Delete,
    }
    rows = {"old": "old_rows"} if on != "insert" else {}
    rows |= {"new": "new_rows"} if on != "delete" else {}
    func = f"""
        IF {_watched(what)} THEN
            {_DIRTY}
            SELECT DISTINCT contact_id, '{what}' FROM ({contacts}) moved WHERE contact_id IS NOT NULL;
        END IF;
        RETURN NULL;
    """  # noqa: S608 - built from constants of the code
    return pgtrigger.Trigger(
        name=name or f"segments_{on}",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=operations[on],
        referencing=pgtrigger.Referencing(**rows),  # type: ignore[no-untyped-call]
        func=func,
    )


def contact_notes() -> list[pgtrigger.Trigger]:
    """A new contact may be in any segment; a changed one in those that look at its own columns."""
    return [
        noted(ANYTHING, "insert", "SELECT n.id AS contact_id FROM new_rows n"),
        noted(
            "contact",
            "update",
            "SELECT n.id AS contact_id FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE o IS DISTINCT FROM n",
        ),
    ]


def pulse_notes() -> list[pgtrigger.Trigger]:
    """A Pulse row is born with its contact, so only its moves are noted."""
    moved = "SELECT n.contact_id FROM new_rows n JOIN old_rows o ON o.contact_id = n.contact_id"
    return [noted("pulse", "update", f"{moved} WHERE o IS DISTINCT FROM n")]


def related_notes(what: str) -> list[pgtrigger.Trigger]:
    """The contacts of rows (with ``contact_id``) that came, changed, moved to somebody else or went."""
    pairs = "FROM new_rows n JOIN old_rows o ON o.id = n.id"
    now = f"SELECT n.contact_id {pairs} WHERE o IS DISTINCT FROM n"  # noqa: S608
    before = f"SELECT o.contact_id {pairs} WHERE o.contact_id IS DISTINCT FROM n.contact_id"  # noqa: S608
    return [
        noted(what, "insert", "SELECT n.contact_id FROM new_rows n"),
        noted(what, "update", f"{now} UNION ALL {before}"),
        noted(what, "delete", "SELECT o.contact_id FROM old_rows o"),
    ]


def company_notes() -> list[pgtrigger.Trigger]:
    """The people of a changed company. Of a deleted one they lose it, which is a change of their own."""
    people = "JOIN contacts_contact c ON c.company_id = n.id"
    changed = f"FROM new_rows n JOIN old_rows o ON o.id = n.id {people} WHERE o IS DISTINCT FROM n"
    return [noted("company", "update", f"SELECT c.id AS contact_id {changed}")]


def member_notes() -> list[pgtrigger.Trigger]:
    """Memberships that ended with their contact, so that the sizes of their segments are counted anew.

    Those that upkeep itself ends are counted where it does so (it sets ``crmcem.segments``).
    """
    func = """
        IF coalesce(current_setting('crmcem.segments', true), '') <> 'keeping' THEN
            INSERT INTO contacts_segmentdirty (contact_id, what)
            SELECT min(o.contact_id), 'size:' || o.segment_id FROM old_rows o
            JOIN contacts_segment s ON s.id = o.segment_id GROUP BY o.segment_id;
        END IF;
        RETURN NULL;
    """
    return [
        pgtrigger.Trigger(
            name="segments_delete",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Delete,
            referencing=pgtrigger.Referencing(old="old_rows"),  # type: ignore[no-untyped-call]
            func=func,
        )
    ]
