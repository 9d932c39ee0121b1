"""When the answer to a condition could next change by the clock alone: for timers instead of scans.

A relative moment ("12 days ago") is a boundary that only moves forward. A value at or beyond it will be passed some
day, a value behind it never again; so each boundary gives each record at most one next instant. The answer may stay
the same then (an instant is never too late, it may be too early): whoever asks again finds the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import DateTimeField, Func, Max, Min, Q, Subquery, Value
from django.db.models.expressions import OuterRef
from django.db.models.functions import Least
from django.db.models.lookups import IsNull

from crmcem.lib.conditions.compile_activity import CLOCK_SLACK, measure, window
from crmcem.lib.conditions.compile_field import field_operand, range_q
from crmcem.lib.conditions.compile_related import related
from crmcem.lib.conditions.compiler import EVERY, NONE, to_q, where_q
from crmcem.lib.conditions.moments import (
    CALENDAR_UNITS,
    Clock,
    Edge,
    Fixed,
    Range,
    Relative,
    period_start,
    resolve_range,
)
from crmcem.lib.conditions.nodes import (
    ActivityLeaf,
    All,
    AnyOf,
    Compare,
    Node,
    Not,
    Property,
    RelatedLeaf,
    walk,
)
from crmcem.lib.conditions.operators import COMPLEMENTS, FieldType

_AT: DateTimeField[Any, Any] = DateTimeField()
_TEMPORAL = (FieldType.DATE, FieldType.DATETIME)
_NOW = Relative("now")


@dataclass(frozen=True, slots=True)
class Boundary:
    """A moving edge: where it is ``now``, and how it moves.

    ``unit`` and ``amount``: so far behind (negative) or ahead of now. ``period``: moves when the next one begins.
    """

    now: Any
    unit: str = ""
    amount: int = 0
    period: str = ""


def timed(node: Node) -> bool:
    """Can the clock alone change the answer?"""
    return any(_timed(each) for each in walk(node, into_segments=False))


def possible(node: Node, *, now: datetime, tz: tzinfo, narrow: bool = False) -> Q:
    """Of whom the condition holds, or could come to hold by the clock alone: a Q on the registry's model.

    Of all others one knows that it won't hold until something but the clock moves. ``narrow`` as in ``to_q``.
    """
    return _possible(node, Clock(now, tz), narrow, False)


def due(node: Node, *, now: datetime, tz: tzinfo) -> Any:
    """An expression on the registry's model: the next instant at which the answer could change, NULL for never.

    None where nothing of the condition depends on the clock. Right for one or a few rows (``narrow``).
    """
    return _due(node, Clock(now, tz))


def _due(node: Node, clock: Clock) -> Any:
    found: list[Any] = []
    for leaf in walk(node, into_segments=False, into_related=False):
        if isinstance(leaf, Compare) and _timed(leaf):
            found += _of_field(leaf, clock)
        elif isinstance(leaf, ActivityLeaf):
            found += _of_activities(leaf, clock)
        elif isinstance(leaf, RelatedLeaf):
            found += _of_related(leaf, clock)
    return _least(found)


# --- what depends on the clock -----------------------------------------------------------------------------
def _timed(node: Node) -> bool:
    if isinstance(node, ActivityLeaf):
        return True
    return isinstance(node, Compare) and node.spec.type in _TEMPORAL and bool(_sources(node.op, node.value))


def _possible(node: Node, clock: Clock, narrow: bool, negated: bool) -> Q:
    match node:
        case Not(child):
            return _possible(child, clock, narrow, not negated)
        case All(children) | AnyOf(children):
            every = isinstance(node, All) is not negated
            out = EVERY if every else NONE
            for n, child in enumerate(children):
                q = _possible(child, clock, narrow, negated)
                out = q if n == 0 else out & q if every else out | q
            return out
        case Compare() if _timed(node):
            return _passable(node, clock, negated)
        case ActivityLeaf():
            return _reachable(node, clock, narrow, negated)
        case RelatedLeaf() if timed(node):
            return _reached(node, clock, narrow, negated)
        case _:
            return to_q(Not(node) if negated else node, now=clock.now, tz=clock.tz, narrow=narrow)


def _passable(leaf: Compare, clock: Clock, negated: bool) -> Q:
    """Both ends of the range only move forward: what lies behind its low end never comes in again."""
    if leaf.op in COMPLEMENTS:
        negated = not negated
    days = leaf.spec.type is FieldType.DATE
    if negated or leaf.spec.json:
        return EVERY
    here = resolve_range(COMPLEMENTS.get(leaf.op, leaf.op), leaf.value, clock, days=days)
    moving = {side for side, _source in _sources(leaf.op, leaf.value)}
    operand = field_operand(leaf.spec)
    return range_q(operand, Range(here.low, None if "high" in moving else here.high)) & Q(
        IsNull(operand, False)
    )


def _reachable(leaf: ActivityLeaf, clock: Clock, narrow: bool, negated: bool) -> Q:
    """The clock takes activities out of a window, and brings those in that lie ahead: "at least" only falls."""
    at_least = leaf.op in ("gte", "gt") or (leaf.op, leaf.value) == ("ne", 0)
    at_most = leaf.op in ("lt", "lte") or (leaf.op, leaf.value) == ("eq", 0)
    falls = leaf.measure == "count" and (at_most if negated else at_least)
    if not falls or (leaf.where is not None and any(_moving(each) for each in walk(leaf.where))):
        return EVERY
    where = None if leaf.where is None else where_q(leaf.where, leaf.source, now=clock.now, tz=clock.tz)
    return measure(leaf, where, clock, narrow, negated, ahead=True)


def _reached(leaf: RelatedLeaf, clock: Clock, narrow: bool, negated: bool) -> Q:
    """Enough related records must fit, or could come to fit. Of "none" nothing is known beforehand."""
    if leaf.where is None or negated is not (leaf.has == "none"):
        return EVERY
    return related(leaf, _possible(leaf.where, clock, narrow, False), None, narrow, negated)


def _sources(op: str, value: Any) -> list[tuple[str, Any]]:
    """The moving moments of an operator's value: (``low`` or ``high``, moment or signed span)."""
    op = COMPLEMENTS.get(op, op)
    if op == "is_set":
        return []
    if op == "in_last":
        found = [("low", (value, -1)), ("high", _NOW)]
    elif op == "in_next":
        found = [("low", _NOW), ("high", (value, 1))]
    elif op == "between":
        found = [("low", value[0]), ("high", value[1])]
    elif op in ("eq", "on"):
        found = [("low", value), ("high", value)]
    else:
        found = [("high" if op in ("lt", "lte", "before") else "low", value)]
    return [(side, source) for side, source in found if not isinstance(source, Fixed)]


def _boundaries(op: str, value: Any, clock: Clock, *, days: bool) -> list[Boundary]:
    here = resolve_range(COMPLEMENTS.get(op, op), value, clock, days=days)
    return [_boundary(getattr(here, side), source, days) for side, source in _sources(op, value)]


def _boundary(now: Any, source: Any, days: bool) -> Boundary:
    if isinstance(source, tuple):
        span, sign = source
        return Boundary(now, span.unit, sign * span.amount)
    if isinstance(source, Edge):
        return Boundary(now, period=source.period)
    if source.span is not None:
        return Boundary(now, source.span.unit, source.span.amount * (-1 if source.word == "ago" else 1))
    if source.word == "now":
        return Boundary(now, "days" if days else "minutes")
    return Boundary(now, "days", {"yesterday": -1, "today": 0, "tomorrow": 1}[source.word])


# --- fields ----------------------------------------------------------------------------------------------------
def _of_field(leaf: Compare, clock: Clock) -> list[Any]:
    field = leaf.spec
    kind = "text" if field.json else "day" if field.type is FieldType.DATE else "instant"
    edges = _boundaries(leaf.op, leaf.value, clock, days=field.type is FieldType.DATE)
    return [crossing(field_operand(field), edge, clock, kind) for edge in edges]


# --- related records -------------------------------------------------------------------------------------------
def _of_related(leaf: RelatedLeaf, clock: Clock) -> list[Any]:
    """The first moment at which the clock could change what one of the related records says."""
    moment = None if leaf.where is None else _due(leaf.where, clock)
    if moment is None:
        return []
    mine = leaf.spec.seen_by(None).filter(**{leaf.spec.link: OuterRef(leaf.spec.outer)})
    first = mine.annotate(related_due=moment).filter(related_due__isnull=False).order_by("related_due")
    return [Subquery(first.values("related_due")[:1], output_field=_AT)]


# --- activities ------------------------------------------------------------------------------------------------
def _of_activities(leaf: ActivityLeaf, clock: Clock) -> list[Any]:
    """When one more drops out of the window (or the one that decides), or one of the future becomes past."""
    source = leaf.source
    low, now = window(leaf, clock)
    past = Q(**{f"{source.occurred}__lte": now})
    rows = source.get_model()._base_manager.filter(
        **{
            source.kind: leaf.kind,
            source.subject: OuterRef(source.outer),
            f"{source.occurred}__gte": low,
            f"{source.received}__gte": low - CLOCK_SLACK,
            **source.filters,
        }
    )
    if leaf.where is not None:
        rows = rows.filter(where_q(leaf.where, source, now=clock.now, tz=clock.tz))
    edge = Boundary(low, leaf.within.unit, -leaf.within.amount)
    decisive = _decisive(leaf, past)
    found: list[Any] = [Min(source.occurred, filter=~past)]
    if decisive is not None:
        found.append(crossing(decisive, edge, clock, "instant"))
    if leaf.measure == "last":
        edges = _boundaries(leaf.op, leaf.value, clock, days=False)
        found += [crossing(Max(source.occurred, filter=past), each, clock, "instant") for each in edges]
    next_one = rows.order_by().values(source.subject).annotate(next_one=_least(found)).values("next_one")
    out: list[Any] = [Subquery(next_one, output_field=_AT)]
    if leaf.where is not None and any(_moving(each) for each in walk(leaf.where)):
        out.append(Value(_midnight(clock, clock.today + timedelta(days=1)), _AT))
    return out


def _decisive(leaf: ActivityLeaf, past: Q) -> Any:
    """The activity whose leaving the window could change the answer first; None where none could.

    "At least three" falls with the third newest. Where every one counts, it is the oldest.
    """
    occurred = leaf.source.occurred
    if leaf.measure == "last":
        return Max(occurred, filter=past)
    if leaf.measure == "count" and leaf.together is None and leaf.op != "between":
        value = int(leaf.value)
        least = {"gte": value, "lt": value, "gt": value + 1, "lte": value + 1}.get(leaf.op)
        if leaf.op in ("eq", "ne") and value == 0:
            least = 1
        if least is not None and least <= 0:
            return None
        if least == 1:
            return Max(occurred, filter=past)
        if least is not None:
            newest = ArrayAgg(occurred, order_by=f"-{occurred}", filter=past)
            return Func(newest, template=f"(%(expressions)s)[{least}]", output_field=_AT)
    return Min(occurred, filter=past)


def _moving(node: Node) -> bool:
    return (
        isinstance(node, Property)
        and node.type is FieldType.DATE
        and any(not isinstance(each, Fixed) for each in _values(node.value))
    )


def _values(value: Any) -> Iterable[Any]:
    return value if isinstance(value, tuple) else (value,)


# --- SQL -------------------------------------------------------------------------------------------------------
_DAY_OF_TEXT = (
    "(make_date(greatest(left({x}, 4)::int, 1), substr({x}, 6, 2)::int, 1)"
    " + (substr({x}, 9, 2)::int - 1))::timestamp"
)
_LOCAL = {"instant": "({x} AT TIME ZONE {tz})", "day": "{x}::timestamp", "text": _DAY_OF_TEXT}
_DAYS = (
    "CASE WHEN {x} >= {edge} THEN greatest(("
    "date_trunc('day', {local} - {span}::interval) - {slack}::interval) AT TIME ZONE {tz}, {floor}::timestamptz) END"
)
_CLOCK = "CASE WHEN {x} >= {edge} THEN {x} - {span}::interval + interval '1 millisecond' END"
_PERIOD = "CASE WHEN {x} >= {edge} THEN {floor}::timestamptz END"
_HOLE = re.compile(r"\{(\w+)\}")


class _Filled(Func):
    """A template whose ``{x}`` is the expression, as often as it stands there, and the other holes parameters."""

    output_field = _AT

    def __init__(self, *expressions: Any, text: str = "", values: Any = None, **extra: Any) -> None:
        super().__init__(*expressions, **extra)
        self.text, self.values = text, values or {}

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        inner, given = compiler.compile(self.source_expressions[0])
        params: list[Any] = []

        def fill(match: re.Match[str]) -> str:
            if match[1] == "x":
                params.extend(given)
                return str(inner)
            params.append(self.values[match[1]])
            return "%s"

        return _HOLE.sub(fill, self.text), tuple(params)


def crossing(operand: Any, edge: Boundary, clock: Clock, kind: str) -> Any:
    """When ``edge`` passes the value (or a little earlier); NULL where it has passed. See ``due``."""
    at = edge.now.isoformat() if kind == "text" and isinstance(edge.now, date) else edge.now
    values: dict[str, Any] = {"edge": at, "tz": str(clock.tz), "floor": _midnight(clock, None)}
    if edge.period:
        values["floor"] = _midnight(clock, period_start(clock.today, edge.period, 1))
        return _Filled(operand, text=_PERIOD, values=values)
    values["span"] = f"{edge.amount} {edge.unit}"
    if edge.unit not in CALENDAR_UNITS:
        text = _CLOCK if kind == "instant" else _PERIOD
        return _Filled(operand, text=text, values=values)
    # Ends of months are clamped, midnights come twice: rather a little too early.
    values["slack"] = (
        "4 days" if kind == "text" else "1 day" if edge.unit in ("months", "years") else "2 hours"
    )
    return _Filled(operand, text=_DAYS.replace("{local}", _LOCAL[kind]), values=values)


def _midnight(clock: Clock, day: date | None) -> datetime:
    """The first instant of a day; of tomorrow by default."""
    return clock.midnight(clock.today + timedelta(days=1) if day is None else day).astimezone(UTC)


def _least(found: list[Any]) -> Any:
    """The earliest; PostgreSQL passes over NULLs."""
    if not found:
        return None
    return found[0] if len(found) == 1 else Least(*found, output_field=_AT)
