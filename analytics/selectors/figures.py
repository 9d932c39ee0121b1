"""Figures with their interval and sample size, made of counts; compared with the period before."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from analytics.selectors.counting import RATE, TIME_GROUPS, Counts, Scope, counts
from contacts.models import Company
from crmcem.lib import measures
from crmcem.lib.measures import Measure, Outcome
from crmcem.workspace.models import User
from feedback.models import Survey

#: what is shown of a dimension: the largest groups
MAX_GROUPS = 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one group. ``group`` is None (no grouping), a date or a text ('' for those without)."""

    metric: str
    group: Any
    label: str
    counts: Counts
    measure: Measure
    previous: "Figure | None" = None

    @property
    def mean(self) -> float | None:
        return self.counts.total / self.counts.n if self.counts.n else None

    @property
    def outcome(self) -> Outcome:
        """Of invitations, as AAPOR counts: whoever got one and did not begin was not reached."""
        return Outcome(self.counts.top, self.counts.middle, no_contact=self.counts.bottom)

    @property
    def delta(self) -> float | None:
        before = self.previous.measure if self.previous else None
        if before is None or before.value is None or self.measure.value is None:
            return None
        return self.measure.value - before.value

    @property
    def z(self) -> float | None:
        return measures.z_score(self.measure, self.previous.measure) if self.previous else None

    @property
    def significant(self) -> bool:
        return measures.is_significant(self.z)


def measure_of(metric: str, of: Counts) -> Measure:
    """NPS is a score; every other figure is the share of its top boxes."""
    if metric == "nps":
        return measures.nps(of.top, of.middle, of.bottom)
    if metric == RATE:
        return measures.response_rate(of.top, of.n)
    return measures.share(of.top, of.n)


def figure(metric: str, of: Counts, group: Any = None, label: str = "") -> Figure:
    return Figure(metric, group, label, of, measure_of(metric, of))


def totals(scope: Scope, metrics: Iterable[str], *, compare: bool = False) -> dict[str, Figure]:
    """One figure per metric over the whole scope, with that of the period before where ``compare``."""
    names = list(metrics)
    now = counts(scope, names)
    before = counts(scope.before(), names) if compare else {}
    return {
        name: _beside(
            figure(name, now[name].get(None, Counts())),
            figure(name, before[name].get(None, Counts())) if compare else None,
        )
        for name in names
    }


def grouped(
    scope: Scope, metric: str, group: str, *, compare: bool = False, limit: int = MAX_GROUPS
) -> list[Figure]:
    """A figure per group: every day, week or month of the scope in order, else the largest groups first."""
    return grouped_many(scope, [metric], group, compare=compare, limit=limit)[metric]


def grouped_many(
    scope: Scope, metrics: Iterable[str], group: str, *, compare: bool = False, limit: int = MAX_GROUPS
) -> dict[str, list[Figure]]:
    """``grouped`` of several metrics in one go."""
    names = list(metrics)
    if not group:
        return {name: [found] for name, found in totals(scope, names, compare=compare).items()}
    now = counts(scope, names, group)
    before = counts(scope.before(), names, group) if compare else {}
    shown: dict[str, list[Any]] = {}
    for name in names:
        if group in TIME_GROUPS:
            shown[name] = list(times(scope, group))
        else:
            biggest = sorted(now[name].items(), key=lambda item: (-item[1].n, str(item[0])))
            shown[name] = [key for key, _counts in biggest[:limit]]
    words = labels(group, {key for keys in shown.values() for key in keys}, scope.user)
    result: dict[str, list[Figure]] = {}
    for name in names:
        result[name] = [
            _beside(
                figure(name, now[name].get(key, Counts()), key, words.get(key, str(key))),
                figure(name, before[name].get(key, Counts()), key) if compare else None,
            )
            for key in shown[name]
        ]
    return result


def _beside(now: Figure, before: Figure | None) -> Figure:
    if before is None:
        return now
    return Figure(now.metric, now.group, now.label, now.counts, now.measure, before)


# --- times and names -------------------------------------------------------------------------------
def start_of(day: dt.date, group: str) -> dt.date:
    """The first day of the week (Monday) or month that ``day`` lies in."""
    if group == "week":
        return day - dt.timedelta(days=day.weekday())
    return day.replace(day=1) if group == "month" else day


def times(scope: Scope, group: str) -> Iterable[dt.date]:
    """The first days of all days, weeks or months that the scope touches."""
    at = start_of(scope.first, group)
    while at <= scope.last:
        yield at
        if group == "month":
            at = start_of(at + dt.timedelta(days=31), "month")
        else:
            at += dt.timedelta(days=7 if group == "week" else 1)


def labels(group: str, keys: set[Any], user: Any) -> dict[Any, str]:
    """What people read for a group's value; a company that is hidden from ``user`` keeps its name to itself."""
    if group in TIME_GROUPS:
        return {key: key.isoformat() for key in keys}
    ids = {int(key) for key in keys if key and str(key).isdigit()}
    named: Mapping[Any, str] = {}
    hidden = ""
    if group == "owner":
        named = {str(u.pk): str(u) for u in User.objects.filter(pk__in=ids)}
        hidden = _("Former colleague")
    elif group == "company":
        rows = Company.objects.visible_to(user).filter(pk__in=ids).values_list("pk", "name")
        named = {str(pk): name for pk, name in rows}
        hidden = _("Hidden company")
    elif group == "survey":
        named = {str(pk): name for pk, name in Survey.objects.filter(pk__in=ids).values_list("pk", "name")}
    nothing = {
        "owner": _("No owner"),
        "company": _("No company"),
        "touchpoint": _("No touchpoint"),
        "sentiment": _("No comment"),
        "language": _("No language"),
    }.get(group, "")
    return {key: named.get(key) or (nothing if key == "" else hidden or str(key)) for key in keys}
