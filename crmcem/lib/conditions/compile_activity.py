"""A measure over activities as a Q on their subject.

Two shapes with one answer: *broad* groups the activities once for everybody (a hash join, right for segments
and lists) and *narrow* looks up one subject's activities through their index (right for one contact); they
are thirty times apart in cost.

Activities are partitioned by the month they were received in, so every statement bounds ``received_at``. The
bound follows from the window: an activity can't be received before it occurred, so all that occurred since
the window's start were received since then too. One day is allowed for clocks of senders that run ahead.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import (
    Count,
    DateTimeField,
    DecimalField,
    Exists,
    ExpressionWrapper,
    F,
    Max,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    Window,
)
from django.db.models.fields import IntegerField
from django.db.models.functions import Coalesce, Lag, TruncDate
from django.db.models.lookups import IsNull

from crmcem.lib.conditions.compile_field import number_q, range_q
from crmcem.lib.conditions.expressions import payload_number
from crmcem.lib.conditions.moments import Clock, Span, resolve_range
from crmcem.lib.conditions.nodes import ActivityLeaf
from crmcem.lib.conditions.operators import COMPLEMENTS

CLOCK_SLACK = timedelta(days=1)

_AT_LEAST_ONE = {("gte", 1), ("gt", 0), ("ne", 0)}
_NUMERIC: DecimalField[Any, Any] = DecimalField(max_digits=40, decimal_places=10)


def measure(
    leaf: ActivityLeaf, where: Q | None, clock: Clock, narrow: bool, negated: bool, *, ahead: bool = False
) -> Q:
    """The leaf, or its complement, on the model whose path ``source.outer`` is the activities' subject.

    ``ahead`` also counts what lies after now.
    """
    rows = _rows(leaf, where, clock, ahead)
    if leaf.together is not None:
        return _together(leaf, leaf.together, rows, clock, narrow, negated)
    if leaf.measure == "count" and leaf.op != "between":
        some = _some(leaf.op, int(leaf.value))
        if some is not None:
            return _exists(leaf, rows, negated is some)
    if narrow:
        return _narrow(leaf, rows, clock, negated)
    return _broad(leaf, rows, clock, negated)


def window(leaf: ActivityLeaf, clock: Clock) -> tuple[datetime, datetime]:
    """First and last instant that count; the first is the midnight of its day for whole days."""
    start = leaf.within.from_clock(clock, -1)
    low = start if isinstance(start, datetime) else clock.midnight(start)
    return low, clock.now.astimezone(UTC)


def _rows(leaf: ActivityLeaf, where: Q | None, clock: Clock, ahead: bool = False) -> QuerySet[Model]:
    source = leaf.source
    low, high = window(leaf, clock)
    until = {} if ahead else {f"{source.occurred}__lte": high}
    rows = source.get_model()._base_manager.filter(
        **{
            source.kind: leaf.kind,
            f"{source.occurred}__gte": low,
            **until,
            f"{source.received}__gte": low - CLOCK_SLACK,
            f"{source.subject}__isnull": False,
            **source.filters,
        }
    )
    return (rows if where is None else rows.filter(where)).order_by()


def _some(op: str, value: int) -> bool | None:
    """True where the test means "at least one", False where "none", else None."""
    if (op, value) in _AT_LEAST_ONE:
        return True
    return False if (op, value) in {("eq", 0), ("lt", 1), ("lte", 0)} else None


def _exists(leaf: ActivityLeaf, rows: QuerySet[Model], negated: bool) -> Q:
    """The planner makes a semi or anti join of it for many subjects and an index look-up for one."""
    exists = Q(Exists(rows.filter(**{leaf.source.subject: OuterRef(leaf.source.outer)})))
    return ~exists if negated else exists


def _measured(leaf: ActivityLeaf) -> Any:
    if leaf.measure == "count":
        return Count("*")
    if leaf.measure == "last":
        return Max(leaf.source.occurred)
    return Coalesce(
        Sum(payload_number(leaf.source.payload, leaf.of)), Value(Decimal(0)), output_field=_NUMERIC
    )


def _test(leaf: ActivityLeaf, operand: Any, clock: Clock) -> tuple[Q, bool]:
    """The test of the measured figure, and whether the leaf is the complement of it."""
    if leaf.measure == "last":
        op = COMPLEMENTS.get(leaf.op, leaf.op)
        return range_q(operand, resolve_range(op, leaf.value, clock, days=False)), op != leaf.op
    op = COMPLEMENTS.get(leaf.op, leaf.op)
    return number_q(operand, op, leaf.value), op != leaf.op


def _narrow(leaf: ActivityLeaf, rows: QuerySet[Model], clock: Clock, negated: bool) -> Q:
    subject = leaf.source.subject
    mine = (
        rows.filter(**{subject: OuterRef(leaf.source.outer)})
        .values(subject)
        .annotate(measured=_measured(leaf))
    )
    figure: Any = Subquery(mine.values("measured"))
    if leaf.measure == "last":
        test, flipped = _test(leaf, figure, clock)
        return (~test | Q(IsNull(figure, True))) if negated is not flipped else test
    output = IntegerField() if leaf.measure == "count" else _NUMERIC
    test, flipped = _test(leaf, Coalesce(figure, Value(0), output_field=output), clock)
    return ~test if negated is not flipped else test


def _broad(leaf: ActivityLeaf, rows: QuerySet[Model], clock: Clock, negated: bool) -> Q:
    """Subjects whose figure passes. Where a figure of nothing (0) would pass, those whose figure fails are
    left out instead.
    """
    source = leaf.source
    test, flipped = _test(leaf, F("measured"), clock)
    if leaf.measure != "last" and _holds_at_zero(leaf, flipped):
        test, flipped = ~test, not flipped
    grouped = (
        rows.values(source.subject).annotate(measured=_measured(leaf)).filter(test).values(source.subject)
    )
    return _among(leaf, grouped, excluded=negated is not flipped)


def _among(leaf: ActivityLeaf, grouped: QuerySet[Any, Any], *, excluded: bool) -> Q:
    """Rows whose subject is, or is not, among the grouped subjects."""
    source = leaf.source
    if not excluded:
        return Q(**{f"{source.outer}__in": grouped})
    # NOT IN degrades to a scan per row once the list outgrows work_mem; this becomes an anti join.
    subjects = source.get_subject_model()._base_manager.filter(pk=OuterRef(source.outer), pk__in=grouped)
    return ~Q(Exists(subjects))


def _together(
    leaf: ActivityLeaf, span: Span, rows: QuerySet[Model], clock: Clock, narrow: bool, negated: bool
) -> Q:
    """Subjects with n activities so close together that the first and the last of them are within the span.

    Days are days of the organisation's zone. The order in which the activities arrived plays no part.
    """
    source = leaf.source
    mark: Any = TruncDate(source.occurred, tzinfo=clock.tz) if span.whole_days else F(source.occurred)
    length = timedelta(**{span.unit: span.amount})

    def close(found: QuerySet[Model]) -> QuerySet[Any, Any]:
        first = Window(
            Lag("mark", int(leaf.value) - 1),
            partition_by=[F(source.subject)],
            order_by=[F(source.occurred).asc()],
        )
        earliest = ExpressionWrapper(F("mark") - Value(length), DateTimeField())
        marked: QuerySet[Any, Any] = found.annotate(mark=mark, first=first).filter(first__gte=earliest)
        return marked.values(source.subject)

    if not narrow:
        return _among(leaf, close(rows), excluded=negated)
    exists = Q(Exists(close(rows.filter(**{source.subject: OuterRef(source.outer)}))))
    return ~exists if negated else exists


def _holds_at_zero(leaf: ActivityLeaf, flipped: bool) -> bool:
    """Would the (unflipped) test hold for a figure of 0?"""
    if leaf.op == "between":
        return bool(leaf.value[0] <= 0 <= leaf.value[1])
    zero, value = Decimal(0), leaf.value
    holds = {
        "eq": zero == value,
        "ne": zero == value,  # tested as eq, flipped
        "gt": zero > value,
        "gte": zero >= value,
        "lt": zero < value,
        "lte": zero <= value,
    }
    return bool(holds[leaf.op])
