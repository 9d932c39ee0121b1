"""Birthdays and anniversaries: found by index on the organisation's day, each told once."""

import calendar
import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.utils import timezone

from contacts.models import MilestoneDay
from contacts.services.stream import wake_consumers
from crmcem.lib.birthdays import UNKNOWN_YEAR
from crmcem.workspace.organisation import organisation

#: contacts of one transaction
STEP = 5_000
#: days that nobody worked on are made up for, up to here
MISSED = 7
_KEPT = dt.timedelta(days=60)

# Who is due: the column, the table whose rows have it, and what else must hold. A former customer has none.
_BIRTHDAY = """
    SELECT c.id, c.company_id,
           CASE WHEN EXTRACT(YEAR FROM c.birthday) <> %(unknown)s
                THEN %(year)s - EXTRACT(YEAR FROM c.birthday)::int END AS n
    FROM contacts_contact c
    WHERE c.birthday IS NOT NULL AND EXTRACT(MONTH FROM c.birthday) = %(month)s
      AND EXTRACT(DAY FROM c.birthday) = %(of_month)s AND EXTRACT(YEAR FROM c.birthday) < %(year)s
"""
_ANNIVERSARY = """
    SELECT c.id, c.company_id, %(year)s - EXTRACT(YEAR FROM p.customer_since)::int AS n
    FROM contacts_pulse p JOIN contacts_contact c ON c.id = p.contact_id
    WHERE p.customer_since IS NOT NULL AND EXTRACT(MONTH FROM p.customer_since) = %(month)s
      AND EXTRACT(DAY FROM p.customer_since) = %(of_month)s AND EXTRACT(YEAR FROM p.customer_since) < %(year)s
      AND c.lifecycle_stage <> 'former'
"""
# The key decides between two that do this at once: the second waits for the first, and then has nothing to say.
_TELL = """
WITH due AS MATERIALIZED (
    {due}
      AND NOT EXISTS (SELECT 1 FROM contacts_milestone m
                      WHERE m.contact_id = c.id AND m.kind = %(kind)s AND m.number = %(year)s)
    ORDER BY c.id LIMIT %(step)s FOR KEY SHARE OF c
), noted AS (
    INSERT INTO contacts_milestone (contact_id, kind, number, day)
    SELECT id, %(kind)s, %(year)s, %(day)s FROM due ORDER BY id
    ON CONFLICT DO NOTHING RETURNING contact_id
), said AS (
    INSERT INTO contacts_activity (occurred_at, kind, contact_id, company_id, actor_kind, payload)
    SELECT %(at)s, 'milestone.' || %(kind)s, d.id, d.company_id, 'system',
           jsonb_build_object('n', d.n, 'date', %(day)s::date)
    FROM due d JOIN noted ON noted.contact_id = d.id ORDER BY d.id
    RETURNING 1
)
SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM said)
"""
_DUE = {"birthday": _BIRTHDAY, "anniversary": _ANNIVERSARY}


def milestones_tell(*, now: dt.datetime | None = None, step: int = STEP) -> int:
    """Write ``milestone.birthday`` and ``milestone.anniversary`` of today, and of days that were missed.

    Returns how many. Today is looked through each time: somebody entered at noon has a birthday all the same.
    """
    now = now or timezone.now()
    zone = ZoneInfo(organisation().time_zone)
    today = now.astimezone(zone).date()
    told = 0
    for day in _days(today):
        at = min(now, dt.datetime.combine(day, dt.time(12), tzinfo=zone))
        told += sum(_tell(kind, day, at, step) for kind in _DUE)
        MilestoneDay.objects.get_or_create(day=day)
    MilestoneDay.objects.filter(day__lt=today - _KEPT).delete()
    return told


def _days(today: dt.date) -> list[dt.date]:
    """The days since the last one that was looked through, and today."""
    last = MilestoneDay.objects.filter(day__lt=today).order_by("-day").values_list("day", flat=True).first()
    missed = 0 if last is None else min((today - last).days - 1, MISSED)
    return [today - dt.timedelta(days=back) for back in range(missed, -1, -1)]


def dates_of(day: dt.date) -> list[tuple[int, int]]:
    """(month, day) of those who celebrate on ``day``: born on 29 February, they do on the 28th in other years."""
    dates = [(day.month, day.day)]
    if dates == [(2, 28)] and not calendar.isleap(day.year):
        dates.append((2, 29))
    return dates


def _tell(kind: str, day: dt.date, at: dt.datetime, step: int) -> int:
    """All of one kind and day, in short transactions."""
    told = 0
    for month, of_month in dates_of(day):
        params: dict[str, Any] = {"kind": kind, "day": day, "at": at, "step": step, "unknown": UNKNOWN_YEAR}
        params |= {"year": day.year, "month": month, "of_month": of_month}
        while True:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(_TELL.format(due=_DUE[kind]), params)
                found, said = cursor.fetchone()
                if said:
                    wake_consumers()
            told += said
            if found < step:
                break
    return told
