"""Making the members of a new or changed segment: one question to the database, written in short transactions.

A filling is a change of the segment, not of its customers: nobody enters or leaves in the stream. It begins when every
transaction is over that may have written before it could know that this segment looks at what it wrote (triggers
note only what some segment watches). What moves while it runs becomes a timer that is due at once, and is asked again
when it is done. It can be killed at any point: it begins anew.
"""

import datetime as dt
from array import array
from bisect import bisect_right

from django.db import connection, transaction
from django.db.models import QuerySet

from contacts.models import Contact, Segment, SegmentTimer
from contacts.services.segmenting import membership
from contacts.services.segmenting.watching import Asked, read, zone
from crmcem.lib.conditions import ConditionError

#: contacts of one transaction
CHUNK = 20_000

_SNAPSHOT = """
SELECT pg_snapshot_xmax(pg_current_snapshot())::text,
       pg_snapshot_xmin(pg_current_snapshot()) >= coalesce(%s::xid8, pg_snapshot_xmax(pg_current_snapshot()))
"""
_OUT = """
DELETE FROM contacts_segmentmember m
WHERE m.segment_id = %(segment)s AND m.contact_id > %(after)s AND m.contact_id <= %(until)s
  AND NOT EXISTS (SELECT 1 FROM unnest(%(ids)s::bigint[]) AS found(id) WHERE found.id = m.contact_id)
"""
_IN = """
INSERT INTO contacts_segmentmember (segment_id, contact_id, since)
SELECT %(segment)s, c.id, %(now)s FROM contacts_contact c WHERE c.id = ANY(%(ids)s::bigint[])
ON CONFLICT (segment_id, contact_id) DO NOTHING
"""
# A timer that is due already was set by something that moved meanwhile: it stays.
_ARM = """
INSERT INTO contacts_segmenttimer (segment_id, contact_id, due_at)
SELECT %(segment)s, n.id, n.next_at FROM ({due}) n WHERE n.next_at IS NOT NULL
ON CONFLICT (segment_id, contact_id) DO UPDATE
SET due_at = least(contacts_segmenttimer.due_at, excluded.due_at)
"""
_LAST = """
SELECT max(id), count(*) FROM (SELECT id FROM contacts_contact WHERE id > %s ORDER BY id LIMIT %s) part
"""


def segment_fill(*, pk: int, now: dt.datetime, settled: bool = False) -> bool:
    """Fill the segment. Returns whether it is filled now; False where it has to wait, or changed meanwhile.

    ``settled``: everything older is over, whatever the snapshot says (tests live in one open transaction).
    """
    segment = _begin(pk, settled)
    if segment is None:
        return False
    try:
        asked = Asked(segment, read(segment), now, zone())
    except ConditionError as error:
        Segment.objects.filter(pk=pk).update(problem=str(error)[:2000])
        return False
    # Eight bytes a contact: a million of them fit where a million rows would not.
    found = _ids(membership.matching(asked, narrow=False))
    timed = _ids(membership.could(asked)) if segment.timed else array("q")
    after: int | None = 0
    while after is not None:
        with transaction.atomic():
            if not _still(segment):
                return False
            after = _chunk(asked, found, timed, after)
    return _end(segment, now)


def _ids(rows: QuerySet[Contact]) -> "array[int]":
    return array("q", rows.order_by("pk").values_list("pk", flat=True).iterator(CHUNK))


def _begin(pk: int, settled: bool) -> Segment | None:
    """The segment, ready to be filled: what it watches is known to the triggers, and older writers are over."""
    segment: Segment | None = Segment.objects.filter(pk=pk, filled_at__isnull=True).first()
    if segment is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_SNAPSHOT, [segment.fill_after])
        newest, over = cursor.fetchone()
    if not (over or settled):
        if segment.fill_after is None:
            Segment.objects.filter(pk=pk).update(fill_after=newest)
        return None
    SegmentTimer.objects.filter(segment_id=pk).delete()
    return segment


def _still(segment: Segment) -> bool:
    """Lock the row; whether it is the same segment still, and nobody else has filled it."""
    row = (
        Segment.objects.select_for_update().filter(pk=segment.pk).values_list("version", "filled_at").first()
    )
    return row == (segment.version, None)


def _chunk(asked: Asked, found: "array[int]", timed: "array[int]", after: int) -> int | None:
    """Write the members of the next contacts. Returns the last of them, None at the end."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST, [after, CHUNK])
        last, count = cursor.fetchone()
        # Members beyond the last contact there is are none.
        until = last if last is not None and count == CHUNK else 2**62
        ids = _between(found, after, until)
        params = {"segment": asked.segment.pk, "after": after, "until": until, "ids": ids, "now": asked.now}
        cursor.execute("SELECT set_config('crmcem.segments', 'keeping', true)")
        cursor.execute(_OUT, params)
        cursor.execute("SELECT set_config('crmcem.segments', '', true)")
        if ids:
            cursor.execute(_IN, params)
        waiting = _between(timed, after, until)
        if waiting:
            sql, more = membership.next_ones(asked, waiting)
            cursor.execute(_ARM.replace("{due}", sql), params | more)
    return last if count == CHUNK else None


def _between(ids: "array[int]", after: int, until: int) -> list[int]:
    return list(ids[bisect_right(ids, after) : bisect_right(ids, until)])


def _end(segment: Segment, now: dt.datetime) -> bool:
    """Say that the members are complete. Segments that name this one are filled anew."""
    with transaction.atomic():
        if not _still(segment):
            return False
        membership.recount([segment.pk])
        static = not segment.is_live
        Segment.objects.filter(pk=segment.pk).update(
            filled_at=now, fill_after=None, problem="", zone=str(zone())
        )
        if static:
            SegmentTimer.objects.filter(segment_id=segment.pk).delete()
        refill(Segment.objects.filter(uses__contains=[segment.pk], kind=Segment.Kind.LIVE))
    return True


def refill(rows: QuerySet[Segment]) -> int:
    """Have the members of these segments made anew. Returns how many segments."""
    return rows.update(filled_at=None, fill_after=None)
