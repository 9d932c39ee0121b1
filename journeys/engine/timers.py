"""Absence: one row per contact that is pushed ahead by every sighting, and found by index when it is due.

A contact of whom nothing was ever seen has no timer: who never came can't stay away. On activation the
timers of all contacts are made in parts; whoever is away long enough already fires at once. A timer fires
once, until the next sighting arms it again. Before it fires the sighting is looked up once more, so that
nothing that reached the database some other way (a stitch, an import) is overlooked.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

from django.db import connection, transaction

from contacts.services.event_input import RESERVED
from crmcem.lib.activities import kinds as known_kinds
from crmcem.lib.stream import Batch
from journeys.definition import AbsenceTrigger, DefinitionError
from journeys.definition.nodes import ANYTHING, interval
from journeys.engine import marks
from journeys.engine.load import active, definition_of
from journeys.engine.matching import STITCHED
from journeys.engine.starts import Candidate, runs_start
from journeys.models import AbsenceTimer, Automation

ARM_SIZE = 20_000
FIRE_SIZE = 500

# A sender's clock may run ahead: nobody is seen later than when we heard of it.
_AT = "max(least(occurred_at, received_at))"

_UPSERT = """
INSERT INTO journeys_absencetimer (automation_id, contact_id, last_at, due_at)
SELECT %(automation)s, c.id, s.at, s.at + %(span)s::interval
FROM seen s JOIN contacts_contact c ON c.id = s.contact_id
WHERE s.at IS NOT NULL ORDER BY c.id
ON CONFLICT (automation_id, contact_id) DO UPDATE
SET last_at = excluded.last_at, due_at = excluded.due_at, fired_at = NULL
WHERE excluded.last_at > journeys_absencetimer.last_at
"""

_RESET = """, seen AS (
    SELECT contact_id, {at} AS at FROM (
        SELECT contact_id, kind, occurred_at, received_at FROM batch
        UNION ALL
        SELECT a.contact_id, a.kind, a.occurred_at, a.received_at
        FROM (SELECT DISTINCT contact_id FROM batch WHERE kind = %(stitched)s) s
        JOIN contacts_activity a ON a.contact_id = s.contact_id WHERE a.anonymous_id IS NOT NULL
    ) x WHERE contact_id IS NOT NULL AND {matches} GROUP BY contact_id
)"""

_PART = """WITH part AS (
    SELECT id FROM contacts_contact WHERE id > %(after)s ORDER BY id LIMIT %(size)s
), """
_LAST_OF_PART = """
SELECT max(id) FROM (SELECT id FROM contacts_contact WHERE id > %(after)s ORDER BY id LIMIT %(size)s) part
"""
_SEEN_BY_PULSE = """seen AS (
    SELECT p.contact_id, least(p.last_seen_at, clock_timestamp()) AS at
    FROM part JOIN contacts_pulse p ON p.contact_id = part.id WHERE p.last_seen_at IS NOT NULL
)"""
_SEEN_BY_KIND = f"""seen AS (
    SELECT part.id AS contact_id, a.at FROM part CROSS JOIN LATERAL (
        SELECT {_AT} AS at FROM contacts_activity WHERE contact_id = part.id AND kind = %(kind)s) a
)"""  # noqa: S608

_SEEN_KINDS = (
    "(kind = ANY(%(seen_kinds)s)"
    " OR (NOT kind = ANY(%(our_kinds)s) AND NOT split_part(kind, '.', 1) = ANY(%(house)s)))"
)

_GIVEN = "WITH part AS (SELECT unnest(%(contacts)s::bigint[]) AS id), "


def _match(trigger: AbsenceTrigger) -> tuple[str, dict[str, Any]]:
    """SQL for "this activity is a sighting": one kind, or whatever the customer does.

    Tracked events come under names of their own, so a kind that no app registered is one of them; the
    same rule keeps ``Pulse.last_seen_at``.
    """
    if trigger.event != ANYTHING:
        return "kind = %(kind)s", {"kind": trigger.event}
    return _SEEN_KINDS, {
        "seen_kinds": [kind.key for kind in known_kinds if kind.seen],
        "our_kinds": known_kinds.keys(),
        "house": sorted(RESERVED),
    }


def timers_reset(automation: Automation, trigger: AbsenceTrigger, batch: Batch) -> int:
    """Push the timers ahead of everyone who was seen in the batch. Returns how many."""
    matches, params = _match(trigger)
    statement = batch.cte + _RESET.format(at=_AT, matches=matches) + _UPSERT
    params |= {
        **batch.params,
        "automation": automation.pk,
        "span": interval(trigger.span),
        "stitched": STITCHED,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return int(cursor.rowcount)


def _last_sightings(trigger: AbsenceTrigger) -> str:
    return _SEEN_BY_PULSE if trigger.event == ANYTHING else _SEEN_BY_KIND


def arm_part(automation_id: int, size: int = ARM_SIZE) -> bool:
    """Make the timers of the next contacts of an automation, in a transaction of its own.

    Returns whether there is more to do. Another worker at the same automation is not waited for.
    """
    with transaction.atomic():
        automation = (
            Automation.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("current_version")
            .filter(pk=automation_id, status=Automation.Status.ACTIVE, armed_contact__isnull=False)
            .first()
        )
        if automation is None:
            return False
        trigger = definition_of(automation).trigger
        last = None
        if isinstance(trigger, AbsenceTrigger):
            params = {"after": automation.armed_contact, "size": size}
            with connection.cursor() as cursor:
                cursor.execute(_LAST_OF_PART, params)
                last = cursor.fetchone()[0]
                cursor.execute(
                    _PART + _last_sightings(trigger) + _UPSERT,
                    params
                    | {"automation": automation.pk, "span": interval(trigger.span), "kind": trigger.event},
                )
        Automation.objects.filter(pk=automation.pk).update(armed_contact=last)
        return last is not None


def arm_all() -> None:
    """Go on with the timers of every automation that was activated."""
    waiting = Automation.objects.filter(status=Automation.Status.ACTIVE, armed_contact__isnull=False)
    for pk in waiting.values_list("pk", flat=True):
        while arm_part(pk):
            pass


def fire_part(now: dt.datetime, size: int = FIRE_SIZE) -> int:
    """Fire the timers that are due, in one transaction. Returns how many rows were handled."""
    with transaction.atomic():
        due = list(
            AbsenceTimer.objects.select_for_update(skip_locked=True)
            .filter(fired_at__isnull=True, due_at__lte=now)
            .order_by("due_at")[:size]
        )
        by_automation: dict[int, list[AbsenceTimer]] = defaultdict(list)
        for timer in due:
            by_automation[timer.automation_id].append(timer)
        running = {a.pk: a for a in active(by_automation)}
        for pk, timers in by_automation.items():
            automation = running.get(pk)
            trigger = None
            if automation is not None:
                try:
                    definition = definition_of(automation)
                    trigger = definition.trigger
                except DefinitionError as error:
                    _postpone(automation, timers, now, error)
                    continue
            if automation is None or not isinstance(trigger, AbsenceTrigger):
                # Nobody waits for these; activation makes them anew.
                AbsenceTimer.objects.filter(pk__in=[t.pk for t in timers]).delete()
                continue
            gone = _really_absent(automation, trigger, timers)
            mark = marks.here()
            runs_start(
                automation=automation,
                definition=definition,
                candidates=[
                    Candidate(t.contact_id, f"absence:{t.last_at.isoformat()}", None, None, 0, mark)
                    for t in gone
                ],
                now=now,
            )
            AbsenceTimer.objects.filter(pk__in=[t.pk for t in gone]).update(fired_at=now)
        return len(due)


def _postpone(
    automation: Automation, timers: list[AbsenceTimer], now: dt.datetime, error: DefinitionError
) -> None:
    """The definition can't be used at the moment: say so, and look again in an hour."""
    Automation.objects.filter(pk=automation.pk).update(problem=str(error)[:2000])
    AbsenceTimer.objects.filter(pk__in=[t.pk for t in timers]).update(due_at=now + dt.timedelta(hours=1))


def _really_absent(
    automation: Automation, trigger: AbsenceTrigger, timers: list[AbsenceTimer]
) -> list[AbsenceTimer]:
    """Those without a newer sighting; the others' timers are pushed ahead."""
    ids = [timer.contact_id for timer in timers]
    with connection.cursor() as cursor:
        cursor.execute(
            _GIVEN + _last_sightings(trigger) + _UPSERT + " RETURNING contact_id",
            {
                "contacts": ids,
                "automation": automation.pk,
                "span": interval(trigger.span),
                "kind": trigger.event,
            },
        )
        seen = {contact for (contact,) in cursor.fetchall()}
    return [timer for timer in timers if timer.contact_id not in seen]
