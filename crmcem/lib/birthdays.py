"""Days of birth, of which people often tell the day and month only.

A birthday without its year is stored in ``UNKNOWN_YEAR``: a leap year, so that 29 February has a place in it, and
long before anybody who lives. Outside it is written ``--05-17`` (as in ISO 8601 and vCards).
"""

import datetime as dt
import re
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _

from .cleaning import Bad

UNKNOWN_YEAR = 1604
EARLIEST_YEAR = 1900
_ISO = re.compile(r"(?:(\d{4})-|--|)(\d{1,2})-(\d{1,2})", re.ASCII)
_GERMAN = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})?", re.ASCII)


def birthday(value: Any) -> dt.date | None:
    """A cleaner: ``1980-05-17``, ``--05-17`` or ``05-17`` without a year, also ``17.5.1980`` and ``17.5.``."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    found = value if isinstance(value, dt.date) and not isinstance(value, dt.datetime) else _read(value)
    # A day is over in some zone of the world only hours later: the day after today is still a birth of today.
    latest = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    if found.year != UNKNOWN_YEAR and not (found.year >= EARLIEST_YEAR and found <= latest):
        raise Bad("range", _("A birthday lies between the year 1900 and today."))
    return found


def _read(value: Any) -> dt.date:
    wrong = _("Send a day such as 1980-05-17, or --05-17 where the year is unknown.")
    text = value.strip() if isinstance(value, str) else ""
    if found := _ISO.fullmatch(text):
        year, month, day = found.groups()
    elif found := _GERMAN.fullmatch(text):
        day, month, year = found.groups()
    else:
        raise Bad("invalid", wrong)
    try:
        return dt.date(int(year or UNKNOWN_YEAR), int(month), int(day))
    except ValueError:
        raise Bad("invalid", _("This date does not exist. %(wrong)s") % {"wrong": wrong}) from None


def written(value: dt.date | None) -> str | None:
    """``1980-05-17``, or ``--05-17`` where the year is unknown: what the cleaner reads again."""
    if value is None:
        return None
    return f"--{value:%m-%d}" if value.year == UNKNOWN_YEAR else value.isoformat()


def spoken(value: dt.date) -> str:
    """In the words of the reader's language, without a year that nobody knows."""
    return formats.date_format(value, "MONTH_DAY_FORMAT" if value.year == UNKNOWN_YEAR else "DATE_FORMAT")
