"""Who belongs to a segment: asking some contacts again, and writing only the differences."""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import Case, F, Func, Q, QuerySet, Value, When

from contacts.models import Contact, Segment, SegmentMember
from contacts.services.segmenting.watching import Asked
from crmcem.lib.conditions import due, possible, to_q

ENTERED, LEFT = "segment.entered", "segment.left"

# One statement: who belongs now, the differences, what happened to whom in the stream, and (``_TIMERS``) until when.
_KEEP = """
WITH answers AS MATERIALIZED ({answers}),
gone AS (
    DELETE FROM contacts_segmentmember m USING unnest(%(ids)s::bigint[]) AS asked(id)
    WHERE m.segment_id = %(segment)s AND m.contact_id = asked.id
      AND NOT EXISTS (SELECT 1 FROM answers h WHERE h.id = m.contact_id AND h.belongs)
    RETURNING m.contact_id
), come AS (
    INSERT INTO contacts_segmentmember (segment_id, contact_id, since)
    SELECT %(segment)s, h.id, %(now)s FROM answers h
    WHERE h.belongs AND NOT EXISTS (
        SELECT 1 FROM contacts_segmentmember m WHERE m.segment_id = %(segment)s AND m.contact_id = h.id)
    ON CONFLICT (segment_id, contact_id) DO NOTHING
    RETURNING contact_id
), moved AS (
    SELECT contact_id, %(left)s AS kind FROM gone UNION ALL SELECT contact_id, %(entered)s FROM come
), said AS (
    INSERT INTO contacts_activity
        (occurred_at, kind, contact_id, company_id, subject_type, subject_id, actor_kind, actor_id, payload)
    SELECT %(now)s, m.kind, m.contact_id, c.company_id, 'segment', %(segment)s, %(actor)s, %(actor_id)s, %(payload)s
    FROM moved m JOIN contacts_contact c ON c.id = m.contact_id ORDER BY m.contact_id
    RETURNING contact_id
){timers}
SELECT contact_id, kind FROM moved
"""

_TIMERS = """, off AS (
    DELETE FROM contacts_segmenttimer t USING unnest(%(ids)s::bigint[]) AS asked(id)
    WHERE t.segment_id = %(segment)s AND t.contact_id = asked.id
      AND NOT EXISTS (SELECT 1 FROM answers n WHERE n.id = t.contact_id AND n.next_at IS NOT NULL)
), armed AS (
    INSERT INTO contacts_segmenttimer (segment_id, contact_id, due_at)
    SELECT %(segment)s, n.id, n.next_at FROM answers n WHERE n.next_at IS NOT NULL
    ON CONFLICT (segment_id, contact_id) DO UPDATE SET due_at = excluded.due_at
    WHERE contacts_segmenttimer.due_at <> excluded.due_at
)"""

_SIZE = """
UPDATE contacts_segment s SET sized_at = clock_timestamp(),
    size = (SELECT count(*) FROM contacts_segmentmember m WHERE m.segment_id = s.id)
WHERE s.id = ANY(%s)
"""


class _Among(Func):
    """``id = ANY(array)``: one parameter, however many ids."""

    template = "%(expressions)s)::bigint[])"
    arg_joiner = " = ANY(("
    output_field = models.BooleanField()


def among(ids: Sequence[int]) -> Q:
    """These rows."""
    return Q(_Among(F("pk"), Value(list(ids), ArrayField(models.BigIntegerField()))))


def matching(asked: Asked, *, narrow: bool) -> QuerySet[Contact]:
    """The contacts that the conditions hold for."""
    q = to_q(asked.node, now=asked.now, tz=asked.tz, narrow=narrow)
    return Contact._base_manager.filter(q).order_by()


def ask(asked: Asked, ids: Sequence[int]) -> set[int]:
    """Ask these contacts again. Answers those who entered or left; each did so in the stream too.

    The caller holds the segment's row, so that a later answer is never overwritten by an earlier one.
    """
    segment = asked.segment
    moved = _keep(segment, ids, _answers(asked, ids), asked.now, timers=_TIMERS if segment.timed else "")
    if moved:
        come = sum(kind == ENTERED for kind in moved.values())
        resize(segment, 2 * come - len(moved))
    return set(moved)


def _answers(asked: Asked, ids: Sequence[int]) -> tuple[str, dict[str, Any]]:
    """SELECT of ``id``, ``belongs`` and ``next_at``; who neither belongs nor could by the clock is missing."""
    if not asked.segment.timed:
        rows = matching(asked, narrow=True).filter(among(ids))
        return _sql(rows.annotate(belongs=Value(True)).values("id", "belongs"))
    holds = to_q(asked.node, now=asked.now, tz=asked.tz, narrow=True)
    rows = Contact._base_manager.filter(
        among(ids), possible(asked.node, now=asked.now, tz=asked.tz, narrow=True)
    ).order_by()
    belongs = Case(When(holds, then=Value(True)), default=Value(False), output_field=models.BooleanField())
    next_at = due(asked.node, now=asked.now, tz=asked.tz)
    return _sql(rows.annotate(belongs=belongs, next_at=next_at).values("id", "belongs", "next_at"))


def put(segment: Segment, ids: Sequence[int], *, actor: Any, now: dt.datetime, remove: bool = False) -> int:
    """Make contacts members of a static segment, or take them out. Answers how many moved."""
    none = "SELECT c.id, true AS belongs FROM contacts_contact c WHERE false"
    some = "SELECT c.id, true AS belongs FROM contacts_contact c WHERE c.id = ANY(%(ids)s)"
    moved = _keep(segment, ids, (none if remove else some, {}), now, actor.kind, actor.id)
    if moved:
        resize(segment, -len(moved) if remove else len(moved))
    return len(moved)


def _keep(
    segment: Segment,
    ids: Sequence[int],
    answers: tuple[str, dict[str, Any]],
    now: dt.datetime,
    actor: str = "system",
    actor_id: int | None = None,
    timers: str = "",
) -> dict[int, str]:
    sql, params = answers
    params = params | {
        "ids": list(ids),
        "segment": segment.pk,
        "now": now,
        "entered": ENTERED,
        "left": LEFT,
        "actor": actor,
        "actor_id": actor_id,
        "payload": json.dumps({"segment": str(segment.pk), "name": segment.name}),
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('crmcem.segments', 'keeping', true)")
        cursor.execute(_KEEP.replace("{answers}", sql).replace("{timers}", timers), params)
        moved = dict(cursor.fetchall())
        cursor.execute("SELECT set_config('crmcem.segments', '', true)")
    return moved


def could(asked: Asked) -> QuerySet[Contact]:
    """Those for whom the clock alone could change the answer, or to whom it says yes; asked of everybody at once."""
    return Contact._base_manager.filter(possible(asked.node, now=asked.now, tz=asked.tz)).order_by()


def next_ones(asked: Asked, ids: Sequence[int]) -> tuple[str, dict[str, Any]]:
    """SELECT of ``id`` and ``next_at`` of these contacts, who are among those that ``could``."""
    moment = due(asked.node, now=asked.now, tz=asked.tz)
    rows = Contact._base_manager.filter(among(ids)).order_by()
    return _sql(rows.annotate(next_at=moment).values("id", "next_at"))


def resize(segment: Segment, by: int) -> None:
    """Move the size by the difference; the row is locked by the caller."""
    Segment.objects.filter(pk=segment.pk).update(size=F("size") + by)


def recount(ids: Sequence[int]) -> None:
    """Count the members anew."""
    with connection.cursor() as cursor:
        cursor.execute(_SIZE, [list(ids)])


def members_of(segment_id: int) -> QuerySet[SegmentMember]:
    return SegmentMember.objects.filter(segment_id=segment_id)


def _sql(rows: QuerySet[Any, Any]) -> tuple[str, dict[str, Any]]:
    """A SELECT with named parameters, whose first column is called ``id``."""
    try:
        sql, params = rows.query.sql_with_params()
    except EmptyResultSet:
        return "SELECT NULL::bigint AS id, false AS belongs, NULL::timestamptz AS next_at WHERE false", {}
    named = {f"q{n}": value for n, value in enumerate(params)}
    holes = iter(f"%({name})s" for name in named)
    parts = sql.replace("%%", "\0").split("%s")
    out = parts[0] + "".join(next(holes) + part for part in parts[1:])
    return out.replace("\0", "%%"), named
