"""The tree of a parsed condition: immutable, comparable, and written back to JSON exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from crmcem.lib.conditions.moments import Edge, Fixed, Relative, Span
from crmcem.lib.conditions.operators import FieldType

if TYPE_CHECKING:
    from django.db.models import Q

    from crmcem.lib.conditions.registry import ActivitySource, Field, FieldRegistry
    from crmcem.lib.conditions.relations import Relation


@dataclass(frozen=True, slots=True)
class Money:
    """An amount, with its currency where the field has one."""

    amount: Decimal
    currency: str = ""


@dataclass(frozen=True, slots=True)
class CurrentUser:
    """The person the condition is compiled for: ``"me"``."""


@dataclass(frozen=True, slots=True)
class All:
    """Every child holds; an empty one always does."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one child holds; an empty one never does."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    child: Node


@dataclass(frozen=True, slots=True)
class Compare:
    """A field against a value. ``spec`` is the field as the registry knew it when the condition was
    parsed.
    """

    field: str
    op: str
    value: Any = None
    spec: Field = dataclass_field(kw_only=True, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Property:
    """A property of an activity's payload against a value of ``type``."""

    name: str
    op: str
    value: Any = None
    type: FieldType = FieldType.TEXT


@dataclass(frozen=True, slots=True)
class ActivityLeaf:
    """A measure over the activities of one kind within a window.

    ``measure`` is ``count``, ``sum`` (of the property ``of``) or ``last`` (when it last occurred). With ``together``,
    that many must lie within this span of each other.
    """

    kind: str
    measure: str
    op: str
    value: Any
    within: Span
    of: str = ""
    where: Node | None = None
    together: Span | None = None
    source: ActivitySource = dataclass_field(kw_only=True, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SegmentLeaf:
    """Membership of a saved segment: its own condition (live), or a list of members (static).

    ``weight`` is the number of nodes it brings into a statement.
    """

    id: str
    name: str = dataclass_field(compare=False)
    body: Node | None = dataclass_field(default=None, compare=False, repr=False)
    members: Q | None = dataclass_field(default=None, compare=False, repr=False)
    weight: int = dataclass_field(default=1, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RelatedLeaf:
    """Whether any, none or at least ``least`` of the records that ``relation`` leads to fit ``where`` (all of them
    without one). The nodes of ``where`` are about those records, the leaf itself about one of ``owner``.
    """

    relation: str
    has: str
    least: int = 1
    where: Node | None = None
    spec: Relation = dataclass_field(kw_only=True, compare=False, repr=False)
    owner: FieldRegistry = dataclass_field(kw_only=True, compare=False, repr=False)


Node = All | AnyOf | Not | Compare | Property | ActivityLeaf | SegmentLeaf | RelatedLeaf


def to_json(node: Node) -> dict[str, Any]:
    """The JSON of a node; parsing it again gives an equal node."""
    match node:
        case All(children):
            return {"all": [to_json(child) for child in children]}
        case AnyOf(children):
            return {"any": [to_json(child) for child in children]}
        case Not(child):
            return {"not": to_json(child)}
        case Compare():
            ids = node.spec.type is FieldType.REFERENCE
            return _leaf({"field": node.field, "op": node.op}, _opaque(node.value) if ids else node.value)
        case Property():
            return _leaf({"property": node.name, "op": node.op}, node.value)
        case SegmentLeaf():
            return {"segment": node.id}
        case RelatedLeaf():
            has = {"at_least": node.least} if node.has == "at_least" else node.has
            where = {} if node.where is None else {"where": to_json(node.where)}
            return {"related": node.relation, "has": has, **where}
        case ActivityLeaf():
            out: dict[str, Any] = {"activity": node.kind, "op": node.op, node.measure: value_json(node.value)}
            if node.of:
                out["of"] = node.of
            if node.together is not None:
                out["together"] = node.together.as_json()
            out["within"] = node.within.as_json()
            if node.where is not None:
                inner = to_json(node.where)
                out["where"] = inner["all"] if isinstance(node.where, All) else [inner]
            return out


def value_json(value: Any) -> Any:
    """The JSON of one value."""
    if isinstance(value, tuple):
        return [value_json(item) for item in value]
    if isinstance(value, Decimal):
        return _number_json(value)
    if isinstance(value, Money):
        if value.currency:
            return {"amount": str(value.amount), "currency": value.currency}
        return _number_json(value.amount)
    if isinstance(value, Span | Fixed | Relative | Edge):
        return value.as_json()
    if isinstance(value, CurrentUser):
        return "me"
    return value if isinstance(value, str | int | float | None) else str(value)


def walk(node: Node, *, into_segments: bool = True, into_related: bool = True) -> Iterator[Node]:
    """The node and everything below it. What is below a RelatedLeaf is about other records."""
    yield node
    below: tuple[Node, ...] = ()
    if isinstance(node, All | AnyOf):
        below = node.children
    elif isinstance(node, Not):
        below = (node.child,)
    elif isinstance(node, ActivityLeaf) and node.where is not None:
        below = (node.where,)
    elif isinstance(node, SegmentLeaf) and node.body is not None and into_segments:
        below = (node.body,)
    elif isinstance(node, RelatedLeaf) and node.where is not None and into_related:
        below = (node.where,)
    for child in below:
        yield from walk(child, into_segments=into_segments, into_related=into_related)


def fields_used(node: Node) -> set[str]:
    """Names of the record's own fields that a condition reads, those of segments included."""
    return {n.field for n in walk(node, into_related=False) if isinstance(n, Compare)}


def kinds_used(node: Node) -> set[str]:
    """Kinds of the record's own activities that a condition counts, those of segments included."""
    return {n.kind for n in walk(node, into_related=False) if isinstance(n, ActivityLeaf)}


def _opaque(value: Any) -> Any:
    """Ids are opaque texts in JSON, whatever the key of the model is."""
    if isinstance(value, tuple):
        return tuple(_opaque(item) for item in value)
    return value if value is None or isinstance(value, CurrentUser) else str(value)


def _leaf(out: dict[str, Any], value: Any) -> dict[str, Any]:
    if value is not None:
        out["value"] = value_json(value)
    return out


def _number_json(number: Decimal) -> int | float | str:
    if number == number.to_integral_value():
        return int(number)
    return float(number) if Decimal(str(float(number))) == number else str(number)
