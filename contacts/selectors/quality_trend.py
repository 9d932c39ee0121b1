"""The course of the data quality: what was noted each day, over all records."""

import datetime as dt
from collections import defaultdict
from typing import Any

from django.utils import timezone

from contacts.models import QualityDay
from contacts.quality import checks

#: days that can be asked for
PERIODS = (30, 90, 365)


def may_see(user: Any) -> bool:
    """The numbers are over everybody's records, so for those who see all of them."""
    return bool(user.access.visibility == "all")


def course(user: Any, name: str, days: int) -> list[QualityDay]:
    """The days of one check, the oldest first."""
    return list(_since(user, days).filter(check_name=name).order_by("day"))


def courses(user: Any, days: int) -> list[QualityDay]:
    """The days of every check that there still is."""
    return list(_since(user, days).filter(check_name__in=checks.keys()).order_by("day", "check_name"))


def moves(user: Any, days: int = 30) -> dict[str, tuple[int, dt.date]]:
    """Check → by how much the last noted number differs from the first one of the period, and that one's day."""
    rows: dict[str, list[QualityDay]] = defaultdict(list)
    for row in courses(user, days):
        rows[row.check_name].append(row)
    return {
        name: (each[-1].found - each[0].found, each[0].day) for name, each in rows.items() if len(each) > 1
    }


def _since(user: Any, days: int) -> Any:
    rows = QualityDay.objects.all() if may_see(user) else QualityDay.objects.none()
    return rows.filter(day__gt=timezone.now().date() - dt.timedelta(days=days))
