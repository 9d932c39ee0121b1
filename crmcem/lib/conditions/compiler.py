"""From nodes to one Q, and so to one SQL statement whatever the size of the condition.

Negation is pushed down to the leaves, where "not" of an empty value is spelt out (``x IS NULL OR NOT …``), so
that SQL's third truth value never decides an answer. All values are parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

from django.db.models import Model, Q, QuerySet

from crmcem.lib.conditions import compile_activity, compile_field, compile_related
from crmcem.lib.conditions.moments import Clock
from crmcem.lib.conditions.nodes import (
    ActivityLeaf,
    All,
    AnyOf,
    Compare,
    Node,
    Not,
    Property,
    RelatedLeaf,
    SegmentLeaf,
)
from crmcem.lib.conditions.registry import ActivitySource, FieldRegistry

EVERY = Q(pk__isnull=False)
NONE = Q(pk__isnull=True)


@dataclass(frozen=True, slots=True)
class Target:
    """What a condition is compiled for."""

    clock: Clock
    user: Any = None
    narrow: bool = False
    column: str = ""  # of the payload, inside the filter of an activity


def to_q(node: Node, *, now: datetime, tz: tzinfo, user: Any = None, narrow: bool = False) -> Q:
    """The condition as a Q on the registry's model.

    ``now`` (aware) and ``tz`` (the organisation's zone) settle relative dates. Activities that happened after
    ``now`` don't count. ``user`` is who ``"me"`` means and whose sight bounds related records (None: the system,
    all of them). ``narrow=True`` when the queryset is one or a few rows (an automation's branch on a contact):
    activities and related records are then counted per row through their index, otherwise once for everybody.
    The answer is the same.
    """
    return _q(node, Target(Clock(now, tz), user, narrow), False)


def where_q(node: Node, source: ActivitySource, *, now: datetime, tz: tzinfo) -> Q:
    """A filter from ``parse_where`` as a Q on the activities themselves (the filter of a trigger)."""
    return _q(node, Target(Clock(now, tz), column=source.payload), False)


def matches(
    node: Node, registry: FieldRegistry, pk: Any, *, now: datetime, tz: tzinfo, user: Any = None
) -> bool:
    """Does the condition hold for one record?"""
    rows: QuerySet[Model] = registry.model._base_manager.filter(pk=pk)
    return rows.filter(to_q(node, now=now, tz=tz, user=user, narrow=True)).exists()


def _q(node: Node, to: Target, negated: bool) -> Q:
    match node:
        case Not(child):
            return _q(child, to, not negated)
        case All(children):
            return _group(children, to, negated, conjunction=not negated)
        case AnyOf(children):
            return _group(children, to, negated, conjunction=negated)
        case Compare():
            return compile_field.compare(node, to.clock, to.user, negated)
        case Property():
            return compile_field.compare_property(node, to.column, to.clock, negated)
        case ActivityLeaf():
            where = None
            if node.where is not None:
                where = _q(node.where, Target(to.clock, column=node.source.payload), False)
            return compile_activity.measure(node, where, to.clock, to.narrow, negated)
        case SegmentLeaf():
            if node.body is not None:  # a segment is the same for everybody: of the system's sight
                return _q(node.body, replace(to, user=None), negated)
            members = node.members if node.members is not None else NONE
            return ~members if negated else members
        case RelatedLeaf():
            where = None if node.where is None else _q(node.where, to, False)
            return compile_related.related(node, where, to.user, to.narrow, negated)


def _group(children: tuple[Node, ...], to: Target, negated: bool, *, conjunction: bool) -> Q:
    if not children:
        return EVERY if conjunction else NONE
    out = Q()
    for child in children:
        q = _q(child, to, negated)
        out = out & q if conjunction else out | q
    return out
