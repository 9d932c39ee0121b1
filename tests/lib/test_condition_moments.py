"""Relative dates: daylight saving, month ends, and what a day means for an instant."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from crmcem.lib.conditions.moments import Clock, Edge, Fixed, Range, Relative, Span, resolve_range, shift_day

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def clock(text: str, zone: str = "Europe/Berlin") -> Clock:
    return Clock(at(text), ZoneInfo(zone))


@pytest.mark.parametrize(
    ("day", "unit", "amount", "expected"),
    [
        ("2026-03-31", "months", -1, "2026-02-28"),
        ("2024-03-31", "months", -1, "2024-02-29"),
        ("2024-02-29", "years", -1, "2023-02-28"),
        ("2024-02-29", "years", 4, "2028-02-29"),
        ("2026-01-31", "months", 1, "2026-02-28"),
        ("2026-12-15", "months", 1, "2027-01-15"),
        ("2026-01-15", "months", -13, "2024-12-15"),
        ("2026-03-01", "days", -1, "2026-02-28"),
        ("2026-03-01", "weeks", 2, "2026-03-15"),
    ],
)
def test_shifts_keep_the_day_or_take_the_last(day, unit, amount, expected):
    assert shift_day(date.fromisoformat(day), unit, amount) == date.fromisoformat(expected)


@pytest.mark.parametrize(
    ("edge", "expected"),
    [
        (Edge("start_of", "day"), "2026-05-17"),
        (Edge("start_of", "week"), "2026-05-11"),
        (Edge("end_of", "week"), "2026-05-17"),
        (Edge("start_of", "month", -1), "2026-04-01"),
        (Edge("end_of", "month", -3), "2026-02-28"),
        (Edge("end_of", "month", 0), "2026-05-31"),
        (Edge("start_of", "quarter"), "2026-04-01"),
        (Edge("end_of", "quarter", -1), "2026-03-31"),
        (Edge("start_of", "quarter", -2), "2025-10-01"),
        (Edge("start_of", "year", 1), "2027-01-01"),
        (Edge("end_of", "year", -1), "2025-12-31"),
    ],
)
def test_edges_of_periods(edge, expected):
    assert edge.resolve(clock("2026-05-17T12:00:00+00:00")) == date.fromisoformat(expected)  # a Sunday


def test_today_is_the_day_of_the_organisation():
    late = "2026-06-30T22:30:00+00:00"  # already July in Berlin, still June in New York
    assert Relative("today").resolve(clock(late)) == date(2026, 7, 1)
    assert Relative("today").resolve(clock(late, "America/New_York")) == date(2026, 6, 30)
    assert Relative("yesterday").resolve(clock(late)) == date(2026, 6, 30)
    assert Relative("tomorrow").resolve(clock(late)) == date(2026, 7, 2)


def test_a_day_ago_across_the_spring_change_is_a_day_and_24_hours_are_24_hours():
    now = clock("2026-03-29T10:00:00+02:00")  # the clocks went from 2:00 to 3:00 this night
    day = resolve_range("gte", Relative("ago", Span("days", 1)), now, days=False)
    assert day == Range(at("2026-03-27T23:00:00+00:00"), None)  # midnight of the 28th, still winter time
    hours = resolve_range("gte", Relative("ago", Span("hours", 24)), now, days=False)
    assert hours == Range(at("2026-03-28T08:00:00+00:00"), None)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_on_a_day_is_the_whole_day_however_long(day, hours):
    span = resolve_range("on", Fixed(date.fromisoformat(day)), clock("2026-06-01T12:00:00Z"), days=False)
    assert isinstance(span.low, datetime)
    assert isinstance(span.high, datetime)
    assert span.high - span.low == timedelta(hours=hours)
    assert span.low.astimezone(BERLIN).date() == date.fromisoformat(day)


def test_midnight_that_does_not_exist_is_the_instant_of_the_change():
    beirut = clock("2026-03-29T12:00:00Z", "Asia/Beirut")  # 0:00 became 1:00
    assert beirut.midnight(date(2026, 3, 29)) == at("2026-03-28T22:00:00+00:00")


def test_midnight_that_comes_twice_is_the_first():
    havana = clock("2026-11-01T12:00:00Z", "America/Havana")  # 1:00 became 0:00 again
    assert havana.midnight(date(2026, 11, 1)) == at("2026-11-01T04:00:00+00:00")


NOW = "2026-05-17T12:00:00+00:00"
D16, D17, D18 = (
    at(f"2026-05-{day}T22:00:00+00:00") for day in (15, 16, 17)
)  # midnights of 16, 17, 18 in Berlin
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("op", "value", "low", "high"),
    [
        ("on", Relative("today"), D17, D18),
        ("eq", Relative("today"), D17, D18),
        ("before", Relative("today"), None, D17),
        ("lt", Relative("today"), None, D17),
        ("lte", Relative("today"), None, D18),
        ("after", Relative("today"), D18, None),
        ("gt", Relative("today"), D18, None),
        ("gte", Relative("today"), D17, None),
        ("between", (Relative("yesterday"), Relative("today")), D16, D18),
        ("in_last", Span("days", 1), D16, at(NOW) + TICK),
        ("in_last", Span("hours", 1), at(NOW) - timedelta(hours=1), at(NOW) + TICK),
        ("in_next", Span("days", 1), at(NOW), D18 + timedelta(days=1)),
        ("after", Relative("now"), at(NOW) + TICK, None),
        ("before", Fixed(at("2026-05-01T08:00:00+02:00")), None, at("2026-05-01T06:00:00+00:00")),
    ],
)
def test_ranges_of_instants(op, value, low, high):
    assert resolve_range(op, value, clock(NOW), days=False) == Range(low, high)


def test_ranges_of_dates():
    now = clock(NOW)
    assert resolve_range("in_last", Span("months", 1), now, days=True) == Range(
        date(2026, 4, 17), date(2026, 5, 18)
    )
    assert resolve_range("in_next", Span("weeks", 1), now, days=True) == Range(
        date(2026, 5, 17), date(2026, 5, 25)
    )
    assert resolve_range("after", Relative("today"), now, days=True) == Range(date(2026, 5, 18), None)
    assert resolve_range("lte", Relative("today"), now, days=True) == Range(None, date(2026, 5, 18))


def test_a_naive_now_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        Clock(datetime(2026, 1, 1), UTC)  # noqa: DTZ001
