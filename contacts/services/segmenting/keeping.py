"""Upkeep: what moved (notes of triggers and of the stream's consumer) and what became due by the clock.

Each step is one short transaction with one keeper at a time. Segments that name others are asked after those, about the
contacts that moved there, so one pass is enough; circles are refused when a segment is saved.
"""

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

import structlog
from django.db import connection, transaction
from django.utils import timezone

from contacts.models import Segment
from contacts.models.watch import ANYTHING
from contacts.services.segmenting import filling, membership
from contacts.services.segmenting.watching import Asked, read, zone
from contacts.services.stream import wake_consumers
from crmcem.lib.conditions import ConditionError
from crmcem.lib.jobs import soon

log = structlog.get_logger(__name__)

KEEP = "contacts.tasks.keep_segments"
#: notes, or timers, of one transaction
STEP = 5_000
SIZE = "size:"

_ALONE = "SELECT pg_try_advisory_xact_lock(hashtext('contacts_segments'))"
_NOTES = """
DELETE FROM contacts_segmentdirty d
USING (SELECT id FROM contacts_segmentdirty ORDER BY id LIMIT %s) old
WHERE d.id = old.id RETURNING d.contact_id, d.what
"""
_DUE = """
DELETE FROM contacts_segmenttimer t USING (
    SELECT o.id FROM contacts_segmenttimer o JOIN contacts_segment s ON s.id = o.segment_id
    WHERE o.due_at <= %s AND s.filled_at IS NOT NULL ORDER BY o.due_at LIMIT %s
) old WHERE t.id = old.id RETURNING t.segment_id, t.contact_id
"""
_LATER = """
INSERT INTO contacts_segmenttimer (segment_id, contact_id, due_at)
SELECT %(segment)s, asked.id, %(now)s FROM unnest(%(ids)s::bigint[]) AS asked(id)
ON CONFLICT (segment_id, contact_id) DO UPDATE
SET due_at = least(contacts_segmenttimer.due_at, excluded.due_at)
"""

Moved = defaultdict[str, set[int]]


def wake_keeper() -> None:
    """Ask the workers, after commit and debounced, to take up what moved."""
    soon(KEEP, debounce=0.3)


def segments_keep(*, now: dt.datetime | None = None, seconds: float = 20.0, settled: bool = False) -> int:
    """Bring every segment up to date, at most about ``seconds``.

    Returns how many fillings, timers and notes were done. ``now`` and ``settled`` (see ``filling``) are for tests.
    """
    deadline = time.monotonic() + seconds
    total = 0
    _look_again()
    while True:
        at = now or timezone.now()
        done = _fill(at, settled) + take_due(at) + take_notes(at)
        total += done
        if not done or time.monotonic() >= deadline:
            return total


def take_notes(now: dt.datetime, size: int = STEP) -> int:
    """Take up the oldest notes, in one transaction. Returns how many; 0 also where another keeper is at it."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not _alone():
            return 0
        cursor.execute(_NOTES, [size])
        notes = cursor.fetchall()
        moved: Moved = defaultdict(set)
        for contact, what in notes:
            moved[what].add(contact)
        sizes = [int(what.removeprefix(SIZE)) for what in moved if what.startswith(SIZE)]
        if sizes:
            membership.recount(sizes)
        _spread(moved, {}, now)
        return len(notes)


def take_due(now: dt.datetime, size: int = STEP) -> int:
    """Ask again those whose timers are due, in one transaction. Returns how many timers."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not _alone():
            return 0
        cursor.execute(_DUE, [now, size])
        by_segment: dict[int, set[int]] = defaultdict(set)
        rows = cursor.fetchall()
        for segment, contact in rows:
            by_segment[segment].add(contact)
        if rows:
            _spread(defaultdict(set), by_segment, now)
        return len(rows)


def _spread(moved: Moved, by_segment: Mapping[int, set[int]], now: dt.datetime) -> None:
    """Ask each live segment about the contacts that moved where it looks, those named by others first."""
    live = list(Segment.objects.filter(kind=Segment.Kind.LIVE))
    stirred = False
    for segment in in_order(live):
        ids = moved[ANYTHING].union(
            by_segment.get(segment.pk, ()), *(moved[name] for name in segment.watches)
        )
        if not ids:
            continue
        changed = _ask(segment.pk, sorted(ids), now)
        moved[f"segment:{segment.pk}"] |= changed
        stirred = stirred or bool(changed)
    if stirred:
        wake_consumers()


def _ask(pk: int, ids: list[int], now: dt.datetime) -> set[int]:
    segment = Segment.objects.select_for_update().filter(pk=pk, kind=Segment.Kind.LIVE).first()
    if segment is None:
        return set()
    if segment.filled_at is None:
        # The filling works from an older picture: these are asked again when it is done.
        with connection.cursor() as cursor:
            cursor.execute(_LATER, {"segment": pk, "ids": ids, "now": now})
        return set()
    try:
        node = read(segment)
    except ConditionError as error:
        # The others must go on; when it can be read again it is filled anew.
        log.warning("segment_broken", segment=pk, error=str(error)[:500])
        Segment.objects.filter(pk=pk).update(problem=str(error)[:2000])
        return set()
    return membership.ask(Asked(segment, node, now, zone()), ids)


def in_order(segments: Iterable[Segment]) -> list[Segment]:
    """Those that are named by others before those that name them."""
    by_id = {segment.pk: segment for segment in segments}
    graph = {pk: [used for used in segment.uses if used in by_id] for pk, segment in by_id.items()}
    try:
        return [by_id[pk] for pk in TopologicalSorter(graph).static_order()]
    except CycleError:  # saved past the services: any order is as good as another
        return list(by_id.values())


def _fill(now: dt.datetime, settled: bool) -> int:
    waiting = Segment.objects.filter(filled_at__isnull=True, problem="").order_by("pk")
    return sum(
        filling.segment_fill(pk=pk, now=now, settled=settled) for pk in waiting.values_list("pk", flat=True)
    )


def _look_again() -> None:
    """Fill anew where days mean other days now, and where conditions that could not be used are mended."""
    live = Segment.objects.filter(kind=Segment.Kind.LIVE)
    filling.refill(live.filter(filled_at__isnull=False).exclude(zone=str(zone())))
    for segment in Segment.objects.exclude(problem=""):
        try:
            read(segment)
        except ConditionError:
            continue
        Segment.objects.filter(pk=segment.pk).update(problem="", filled_at=None, fill_after=None)


def _alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_ALONE)
        return bool(cursor.fetchone()[0])
