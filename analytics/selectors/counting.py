"""Counts of answers and invitations, from rollups where they can tell, from the raw rows where they can't.

Rollups know one dimension at a time and nothing of who may see what. So whoever sees only some contacts, a segment,
two dimensions at once or a topic is answered from the raw rows, through ``visible_to``: no figure has a side door.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, CharField, Count, Exists, F, Func, OuterRef, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Cast, Coalesce, TruncDate, TruncMonth, TruncWeek

from analytics.models import SCORES, InvitationDay, MetricDay, RollupState
from contacts.models import Contact
from crmcem.lib.measures import CES_EASY, csat_top
from crmcem.workspace.organisation import organisation
from feedback.models import Invitation, Response, Survey
from feedback.policies import DETRACTOR, PROMOTER
from feedback.questions import CSAT_SCALES

TIME_GROUPS = ("day", "week", "month")
#: what answers are filtered and grouped by
DIMENSIONS = ("touchpoint", "owner", "company")
#: those that have a rollup of their own; of invitations only the first
ROLLED = frozenset({"touchpoint", "owner"})
GROUPS = (*TIME_GROUPS, *DIMENSIONS, "survey", "topic", "sentiment", "language")
#: what an invitation knows: it has no comment
RATE_GROUPS = (*TIME_GROUPS, *DIMENSIONS, "survey")
RATE = "rate"


@dataclass(frozen=True, slots=True)
class Counts:
    """``top``/``middle``/``bottom`` as in ``MetricDay``; of invitations: answered, begun, neither."""

    n: int = 0
    top: int = 0
    middle: int = 0
    bottom: int = 0
    total: int = 0
    scores: tuple[int, ...] = (0,) * len(SCORES)

    def __add__(self, other: "Counts") -> "Counts":
        scores = tuple(a + b for a, b in zip(self.scores, other.scores, strict=True))
        return Counts(
            self.n + other.n,
            self.top + other.top,
            self.middle + other.middle,
            self.bottom + other.bottom,
            self.total + other.total,
            scores,
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """Which answers count: of whom (as far as ``user`` may see them), from when to when (days inclusive).

    Empty ``surveys`` are all. ``touchpoint``, ``owner`` and ``company`` are values as text, '' for those without,
    None for any. ``people`` is a condition on the contact.
    """

    user: Any
    first: dt.date
    last: dt.date
    surveys: tuple[int, ...] = ()
    touchpoint: str | None = None
    owner: str | None = None
    company: str | None = None
    people: Q | None = None

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def before(self) -> "Scope":
        """The same for the period of the same length that ends where this one begins."""
        span = dt.timedelta(days=self.days)
        return replace(self, first=self.first - span, last=self.last - span)

    def filters(self) -> dict[str, str]:
        named = {name: getattr(self, name) for name in DIMENSIONS}
        return {name: value for name, value in named.items() if value is not None}


def today() -> dt.date:
    """The day it is at the organisation."""
    return dt.datetime.now(ZoneInfo(organisation().time_zone)).date()


def rollup_dimension(scope: Scope, group: str, metric: str = "") -> str | None:
    """The dimension whose rollup answers this, None where only the raw rows can."""
    if scope.people is not None or scope.user.access.visibility != "all":
        return None
    wanted = set(scope.filters())
    if group in DIMENSIONS:
        wanted.add(group)
    elif group and group not in TIME_GROUPS and group != "survey":
        return None
    if len(wanted) > 1 or wanted - ROLLED or (metric == RATE and wanted - {"touchpoint"}):
        return None
    return wanted.pop() if wanted else "all"


def counts(
    scope: Scope, metrics: Sequence[str], group: str = "", *, raw: bool = False
) -> dict[str, dict[Any, Counts]]:
    """``{metric: {group: Counts}}``; the one group is None without ``group``, a date for times, else a text.

    Groups without an answer are missing. ``raw`` passes over the rollups (they must say the same).
    """
    found: dict[str, dict[Any, Counts]] = {metric: {} for metric in metrics}
    from_rollup: dict[str, list[str]] = {}
    usable = not raw and rollups_are_current()
    for metric in metrics:
        dimension = rollup_dimension(scope, group, metric) if usable else None
        if dimension is None:
            rows = _raw_invitations(scope, group) if metric == RATE else _raw_answers(scope, metric, group)
            found[metric] = _read(rows, _prefix_of(metric))
        elif metric == RATE:
            found[metric] = _read(_rollup_invitations(scope, dimension, group), RATE)
        else:
            from_rollup.setdefault(dimension, []).append(metric)
    for dimension, names in from_rollup.items():
        for row in _rollup_answers(scope, names, dimension, group):
            if row["c_n"]:
                found[row["metric"]][_key(row)] = _counts(row)
    return found


def rollups_are_current() -> bool:
    """Whether the days of the rollups were cut in the organisation's time zone of now."""
    made = RollupState.objects.filter(pk=1).values_list("time_zone", flat=True).first()
    return made is None or made == organisation().time_zone


def _prefix_of(metric: str) -> str:
    return RATE if metric == RATE else ""


def _key(row: Mapping[str, Any]) -> Any:
    return row.get("g")


def _read(rows: Any, kind: str) -> dict[Any, Counts]:
    return {_key(row): _counts(row) for row in rows if row["c_n"]}


def _counts(row: Mapping[str, Any]) -> Counts:
    n, top, middle = row["c_n"], row["c_top"] or 0, row["c_middle"] or 0
    scores = tuple(row.get(f"c_{name}") or 0 for name in SCORES)
    return Counts(n, top, middle, n - top - middle, int(row.get("c_total") or 0), scores)


# --- rollups ---------------------------------------------------------------------------------------
_SUMS = {f"c_{name}": Sum(name) for name in ("n", "top", "middle", "total", *SCORES)}
_RATE_SUMS = {"c_n": Sum("delivered"), "c_top": Sum("answered"), "c_middle": Sum("partial")}


def _bounded(rows: QuerySet[Any], scope: Scope, dimension: str) -> QuerySet[Any]:
    # Naming the surveys lets one index walk from survey to survey, and in each only through the days.
    surveys: Any = scope.surveys or Survey.objects.values("pk")
    rows = rows.filter(dimension=dimension, survey__in=surveys, day__range=(scope.first, scope.last))
    value = scope.filters().get(dimension)
    return rows if value is None else rows.filter(value=value)


def _rollup_group(group: str) -> Any:
    expressions: dict[str, Any] = {
        "day": F("day"),
        "week": TruncWeek("day"),
        "month": TruncMonth("day"),
        "survey": Cast("survey_id", CharField()),
    }
    return expressions.get(group, F("value"))


def _grouped(rows: QuerySet[Any], expression: Any, *also: str) -> Any:
    if expression is None:
        return rows.values(*also) if also else rows.annotate(g=Value(None, CharField())).values("g")
    return rows.annotate(g=expression).values("g", *also)


def _rollup_answers(scope: Scope, metrics: Sequence[str], dimension: str, group: str) -> Any:
    rows = _bounded(MetricDay.objects.filter(metric__in=metrics), scope, dimension)
    return _grouped(rows, _rollup_group(group) if group else None, "metric").annotate(**_SUMS).order_by()


def _rollup_invitations(scope: Scope, dimension: str, group: str) -> Any:
    rows = _bounded(InvitationDay.objects.all(), scope, dimension)
    return _grouped(rows, _rollup_group(group) if group else None).annotate(**_RATE_SUMS).order_by()


# --- raw rows --------------------------------------------------------------------------------------
_SATISFIED = Q()
for _scale in CSAT_SCALES:
    _of_scale = Q(csat_scale=_scale) | Q(csat_scale__isnull=True) if _scale == 5 else Q(csat_scale=_scale)
    _SATISFIED |= _of_scale & Q(csat__gte=csat_top(_scale))


@dataclass(frozen=True, slots=True)
class _Boxes:
    answered: Q
    top: Q
    middle: Q = field(default_factory=lambda: Q(pk__in=[]))


_BOXES = {
    "nps": _Boxes(Q(nps__isnull=False), Q(nps__gte=PROMOTER), Q(nps__gt=DETRACTOR) & Q(nps__lt=PROMOTER)),
    "csat": _Boxes(Q(csat__isnull=False), _SATISFIED),
    "ces": _Boxes(Q(ces__isnull=False), Q(ces__gte=CES_EASY)),
    "mood": _Boxes(
        Q(sentiment_label__in=["positive", "neutral", "negative"]),
        Q(sentiment_label="positive"),
        Q(sentiment_label="neutral"),
    ),
}


def answers(scope: Scope) -> QuerySet[Any]:
    """The complete answers of ``scope`` that its user may see."""
    begin, end = _instants(scope)
    rows = Response.objects.visible_to(scope.user).filter(
        status=Response.Status.COMPLETE, submitted_at__gte=begin, submitted_at__lt=end
    )
    return _narrowed(rows, scope, "owner_id", "company_id")


def _instants(scope: Scope) -> tuple[dt.datetime, dt.datetime]:
    zone = ZoneInfo(organisation().time_zone)
    begin = dt.datetime.combine(scope.first, dt.time(), zone)
    return begin, dt.datetime.combine(scope.last + dt.timedelta(days=1), dt.time(), zone)


def _narrowed(rows: QuerySet[Any], scope: Scope, owner: str, company: str) -> QuerySet[Any]:
    if scope.surveys:
        rows = rows.filter(survey__in=scope.surveys)
    if scope.touchpoint is not None:
        rows = rows.filter(touchpoint=scope.touchpoint)
    for column, value in ((owner, scope.owner), (company, scope.company)):
        if value is not None:
            rows = rows.filter(**({column: int(value)} if value else {f"{column}__isnull": True}))
    if scope.people is not None:
        rows = rows.filter(contact__in=Contact.objects.visible_to(scope.user).filter(scope.people))
    return rows


def _text(column: str) -> Any:
    return Coalesce(Cast(column, CharField()), Value(""))


def _raw_group(group: str, at: str, owner: str, company: str) -> Any:
    zone = ZoneInfo(organisation().time_zone)
    day = TruncDate(at, tzinfo=zone)
    expressions: dict[str, Any] = {
        "day": day,
        "week": TruncWeek(day),
        "month": TruncMonth(day),
        "touchpoint": F("touchpoint"),
        "owner": _text(owner),
        "company": _text(company),
        "survey": Cast("survey_id", CharField()),
        "topic": Func(F("topics"), function="unnest", output_field=CharField()),
        "sentiment": F("sentiment_label"),
        "language": F("language"),
    }
    return expressions[group]


def _raw_answers(scope: Scope, metric: str, group: str) -> Any:
    boxes = _BOXES[metric]
    sums: dict[str, Any] = {
        "c_n": Count("pk"),
        "c_top": Count("pk", filter=boxes.top),
        "c_middle": Count("pk", filter=boxes.middle),
    }
    if metric == "mood":
        sign = Case(When(boxes.top, then=1), When(boxes.middle, then=0), default=-1)
        sums["c_total"] = Sum(sign)
    else:
        sums["c_total"] = Sum(metric)
        sums |= {f"c_{name}": Count("pk", filter=Q(**{metric: i})) for i, name in enumerate(SCORES)}
    expression = _raw_group(group, "submitted_at", "owner_id", "company_id") if group else None
    return _grouped(answers(scope).filter(boxes.answered), expression).annotate(**sums).order_by()


def _raw_invitations(scope: Scope, group: str) -> Any:
    begin, end = _instants(scope)
    rows: Any = Invitation.objects.visible_to(scope.user).filter(sent_at__gte=begin, sent_at__lt=end)
    rows = _narrowed(rows, scope, "contact__owner_id", "contact__company_id")
    begun = Exists(Response.objects.filter(invitation=OuterRef("pk"), status=Response.Status.PARTIAL))
    answered = Q(status=Invitation.Status.ANSWERED)
    expression = _raw_group(group, "sent_at", "contact__owner_id", "contact__company_id") if group else None
    rows = _grouped(rows.annotate(begun=begun), expression)
    return rows.annotate(
        c_n=Count("pk"),
        c_top=Count("pk", filter=answered),
        c_middle=Count("pk", filter=Q(begun=True) & ~answered),
    ).order_by()
