"""Single values of a definition: each reader answers the value or raises Fault."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from django.utils.translation import gettext as _

from crmcem.lib.conditions import Span, values
from crmcem.lib.conditions.errors import Fault

MAX_COUNT = 100
MAX_RUN_DAYS = 1_830
MAX_NAME = 120
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


def count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_COUNT:
        raise Fault("not_a_count", _("Give a whole number from 1 to %(max)s.") % {"max": MAX_COUNT})
    return value


def days(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_RUN_DAYS:
        raise Fault("not_a_count", _("Give a number of days from 1 to %(max)s.") % {"max": MAX_RUN_DAYS})
    return value


def percent(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 90:
        raise Fault("not_a_number", _("Give a percentage from 0 to 90."))
    return float(value)


def whole_percent(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 99:
        raise Fault("not_a_number", _("Give a whole percentage from 1 to 99."))
    return value


def run_time(value: Any) -> Span:
    span = values.span(value)
    days = {"minutes": 1 / 1440, "hours": 1 / 24, "days": 1, "weeks": 7, "months": 31, "years": 366}
    if span.amount * days[span.unit] > MAX_RUN_DAYS:
        raise Fault("span_out_of_range", _("A run can take at most five years."))
    return span


def time(value: Any) -> dt.time:
    if not isinstance(value, str) or not TIME.fullmatch(value):
        raise Fault("not_a_time", _("Give a time of day such as 21:00."))
    return dt.time.fromisoformat(value)


def name(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_NAME or not values.storable(value):
        raise Fault("not_text", _("Give a name of at most %(max)s characters.") % {"max": MAX_NAME})
    return value.strip()
