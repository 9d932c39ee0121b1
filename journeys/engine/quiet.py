"""Quiet hours, on the clock of the contact."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from journeys.definition import QuietHours
from journeys.engine import sql


def zone_of(time_zone: str) -> ZoneInfo:
    """The contact's time zone, or the organisation's where the contact has none that exists."""
    try:
        return ZoneInfo(time_zone) if time_zone else sql.zone()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return sql.zone()


def until(quiet: QuietHours | None, now: dt.datetime, zone: ZoneInfo) -> dt.datetime | None:
    """When the quiet hours that hold now are over (UTC); None when it is not quiet."""
    if quiet is None:
        return None
    local = now.astimezone(zone)
    overnight = quiet.start > quiet.end
    time = local.time()
    if overnight:
        inside = time >= quiet.start or time < quiet.end
    else:
        inside = quiet.start <= time < quiet.end
    if not inside:
        return None
    day = local.date() + dt.timedelta(days=1 if overnight and time >= quiet.start else 0)
    return dt.datetime.combine(day, quiet.end, tzinfo=zone).astimezone(dt.UTC)
