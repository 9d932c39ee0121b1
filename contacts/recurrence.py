"""When a repeating task is due next: on the wall clock of its zone, counted from the start of its series.

Counting from the start keeps the rhythm: a 2:30 task that falls into the missing hour of spring is at 2:30
again the day after, and one of the 31st is on the last day of short months and on the 31st of long ones.
"""

import calendar
import datetime as dt
import zoneinfo

from contacts.models import Task


def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """The zone of that name; UTC where there is none."""
    try:
        return zoneinfo.ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return zoneinfo.ZoneInfo("UTC")


def occurrence(start: dt.datetime, recurrence: str, number: int, zone: dt.tzinfo) -> dt.datetime:
    """The instant of the ``number``-th repetition (0 is ``start`` itself), in UTC.

    A wall time that the clocks skip is moved on by the length of the gap; one that comes twice is the first.
    """
    wall = start.astimezone(zone).replace(tzinfo=None, fold=0)
    match recurrence:
        case Task.Recurrence.DAILY:
            wall += dt.timedelta(days=number)
        case Task.Recurrence.WEEKLY:
            wall += dt.timedelta(weeks=number)
        case Task.Recurrence.MONTHLY:
            months = wall.year * 12 + wall.month - 1 + number
            year, month = divmod(months, 12)
            day = min(wall.day, calendar.monthrange(year, month + 1)[1])
            wall = wall.replace(year=year, month=month + 1, day=day)
        case _:
            raise ValueError(f"{recurrence!r} is no recurrence")
    return wall.replace(tzinfo=zone).astimezone(dt.UTC)


def next_occurrence(task: Task, now: dt.datetime) -> tuple[int, dt.datetime]:
    """The number and instant of the first repetition after both the task's own time and ``now``.

    Times that passed while the task lay open are left out: a daily task three days late is due tomorrow.
    """
    assert task.due_at is not None
    start = task.series_start or task.due_at
    zone = zone_of(task.time_zone)
    number = task.series_number + 1
    late = now - occurrence(start, task.recurrence, number, zone)
    if late > dt.timedelta(0):
        longest = {"daily": 1, "weekly": 7, "monthly": 31}[task.recurrence]
        number += late // dt.timedelta(days=longest)  # never too many, so the loop below is short
    while (due := occurrence(start, task.recurrence, number, zone)) <= now:
        number += 1
    return number, due


def wall_distance(earlier: dt.datetime, later: dt.datetime, zone: dt.tzinfo) -> dt.timedelta:
    """How far apart the two are on the wall clock."""
    first, second = (moment.astimezone(zone).replace(tzinfo=None) for moment in (earlier, later))
    return second - first


def on_wall(moment: dt.datetime, shift: dt.timedelta, zone: dt.tzinfo) -> dt.datetime:
    """``moment`` moved back by ``shift`` on the wall clock, in UTC."""
    wall = moment.astimezone(zone).replace(tzinfo=None, fold=0) - shift
    return wall.replace(tzinfo=zone).astimezone(dt.UTC)
