"""Points and spans of time, fixed or relative to now, resolved in the organisation's time zone.

Days are whole days of that zone: ``{"ago": {"days": 12}}`` is the day twelve days before today, not 288 hours
ago, so an answer doesn't change from minute to minute and daylight saving doesn't move it. ``hours`` and
``minutes`` are exact. Months and years keep the day of the month, or take the last one (31 March minus one
month is 28 or 29 February). A week starts on Monday.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

CALENDAR_UNITS = ("days", "weeks", "months", "years")
CLOCK_UNITS = ("minutes", "hours")
UNITS = CLOCK_UNITS + CALENDAR_UNITS
PERIODS = ("day", "week", "month", "quarter", "year")
WORDS = ("now", "today", "yesterday", "tomorrow")

# About a century each: far beyond any use and far inside what a date can hold.
MAX_AMOUNT = {
    "minutes": 52_560_000,
    "hours": 876_000,
    "days": 36_500,
    "weeks": 5_200,
    "months": 1_200,
    "years": 100,
}
MAX_OFFSET = {"day": 36_500, "week": 5_200, "month": 1_200, "quarter": 400, "year": 100}
MIN_YEAR, MAX_YEAR = 1900, 2200

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """Now (an aware datetime), and the zone whose days count."""

    now: datetime
    tz: tzinfo

    def __post_init__(self) -> None:
        if self.now.tzinfo is None:
            raise ValueError("now must carry a time zone")

    @property
    def today(self) -> date:
        return self.now.astimezone(self.tz).date()

    def midnight(self, day: date) -> datetime:
        """The first instant of a day, in UTC.

        ``fold=0`` is right both where midnight is skipped (the instant of the change) and where it comes
        twice (the first one).
        """
        return datetime.combine(day, time.min, tzinfo=self.tz).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time in one unit: ``{"days": 90}``."""

    unit: str
    amount: int

    @property
    def whole_days(self) -> bool:
        return self.unit in CALENDAR_UNITS

    def from_clock(self, clock: Clock, sign: int) -> date | datetime:
        """This long before (``sign=-1``) or after (``sign=1``) now: a day for calendar units, else an
        instant.
        """
        n = sign * self.amount
        if self.whole_days:
            return shift_day(clock.today, self.unit, n)
        return clock.now.astimezone(UTC) + timedelta(**{self.unit: n})

    def as_json(self) -> dict[str, int]:
        return {self.unit: self.amount}


@dataclass(frozen=True, slots=True)
class Fixed:
    """A date or an instant written out."""

    at: date | datetime

    @property
    def whole_days(self) -> bool:
        return not isinstance(self.at, datetime)

    def resolve(self, clock: Clock) -> date | datetime:
        return self.at

    def as_json(self) -> str:
        return self.at.isoformat()


@dataclass(frozen=True, slots=True)
class Relative:
    """A word (``today``) or a span before (``ago``) or after (``from_now``) now."""

    word: str
    span: Span | None = None

    @property
    def whole_days(self) -> bool:
        return self.span.whole_days if self.span else self.word != "now"

    def resolve(self, clock: Clock) -> date | datetime:
        if self.span is not None:
            return self.span.from_clock(clock, -1 if self.word == "ago" else 1)
        if self.word == "now":
            return clock.now.astimezone(UTC)
        return clock.today + timedelta(days={"yesterday": -1, "today": 0, "tomorrow": 1}[self.word])

    def as_json(self) -> Any:
        return {self.word: self.span.as_json()} if self.span else self.word


@dataclass(frozen=True, slots=True)
class Edge:
    """The first or last day of this period (``offset`` 0), the one before (-1), the next (1), …"""

    edge: str  # start_of | end_of
    period: str
    offset: int = 0

    whole_days = True

    def resolve(self, clock: Clock) -> date:
        start = period_start(clock.today, self.period, self.offset)
        if self.edge == "start_of":
            return start
        return period_start(clock.today, self.period, self.offset + 1) - timedelta(days=1)

    def as_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {self.edge: self.period}
        if self.offset:
            out["offset"] = self.offset
        return out


Moment = Fixed | Relative | Edge


@dataclass(frozen=True, slots=True)
class Range:
    """Half open: ``low <= x < high``; None is unbounded. Of dates or of instants (UTC), never mixed."""

    low: date | datetime | None
    high: date | datetime | None


def resolve_range(op: str, value: Any, clock: Clock, *, days: bool) -> Range:
    """The range that an operator and its value mean, of dates (``days=True``) or of instants.

    A day compared with an instant is the whole day: ``before`` it ends at its midnight, ``after`` it starts
    at the next.
    """
    if op == "in_last":
        low, high = value.from_clock(clock, -1), clock.today if days else clock.now.astimezone(UTC)
        return Range(_start(low, clock, days), _end(high, clock, days))
    if op == "in_next":
        low, high = clock.today if days else clock.now.astimezone(UTC), value.from_clock(clock, 1)
        return Range(_start(low, clock, days), _end(high, clock, days))
    if op == "between":
        first, last = (moment.resolve(clock) for moment in value)
        return Range(_start(first, clock, days), _end(last, clock, days))
    at = value.resolve(clock)
    start, end = _start(at, clock, days), _end(at, clock, days)
    return {
        "eq": Range(start, end),
        "on": Range(start, end),
        "lt": Range(None, start),
        "before": Range(None, start),
        "lte": Range(None, end),
        "gt": Range(end, None),
        "after": Range(end, None),
        "gte": Range(start, None),
    }[op]


def shift_day(day: date, unit: str, amount: int) -> date:
    """A day moved by whole days, weeks, months or years."""
    if unit in ("days", "weeks"):
        return day + timedelta(days=amount * (7 if unit == "weeks" else 1))
    months = day.year * 12 + day.month - 1 + amount * (12 if unit == "years" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def period_start(day: date, period: str, offset: int) -> date:
    """The first day of the period that holds ``day``, moved by ``offset`` periods."""
    if period == "day":
        return day + timedelta(days=offset)
    if period == "week":
        return day - timedelta(days=day.weekday()) + timedelta(weeks=offset)
    if period == "year":
        return date(day.year + offset, 1, 1)
    if period == "quarter":
        return shift_day(date(day.year, (day.month - 1) // 3 * 3 + 1, 1), "months", 3 * offset)
    return shift_day(day.replace(day=1), "months", offset)


def _start(at: date | datetime, clock: Clock, days: bool) -> date | datetime:
    if isinstance(at, datetime):
        return at
    return at if days else clock.midnight(at)


def _end(at: date | datetime, clock: Clock, days: bool) -> date | datetime:
    if isinstance(at, datetime):
        return at + _TICK
    following = at + timedelta(days=1)
    return following if days else clock.midnight(following)
