"""From JSON to a tree of nodes, with every fault found on the way and never more work than the limits
allow.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from crmcem.lib.conditions import parse_related, values
from crmcem.lib.conditions.errors import MAX_PROBLEMS, ConditionError, Fault, Problem, not_for_all, shown
from crmcem.lib.conditions.moments import Span
from crmcem.lib.conditions.nodes import ActivityLeaf, All, AnyOf, Compare, Node, Not, Property, SegmentLeaf
from crmcem.lib.conditions.operators import LAST_OPERATORS, MEASURE_OPERATORS, PROPERTY_OPERATORS
from crmcem.lib.conditions.registry import FieldRegistry

MAX_DEPTH = 8
MAX_NODES = 200
MAX_SEGMENT_DEPTH = 5
MAX_SEGMENTS = 50
MAX_WEIGHT = 1_000
MAX_NAME = 100
MAX_PATH = 5

_GROUPS = ("all", "any", "not")
_MEASURES = ("count", "sum", "last")
_EXTRA = {"count": {"together"}, "sum": {"of"}}


class Stop(Exception):
    """A limit was passed: looking further would only cost time."""


def parse(
    data: Any,
    registry: FieldRegistry,
    *,
    user: Any = None,
    segment_id: str | None = None,
    shared: bool = False,
) -> Node:
    """Parse a condition.

    ``user``: only fields, activities, segments and related records that this person may use are known; None is the
    system itself. ``segment_id``: the segment whose own condition this is, so that it can't refer to itself.
    ``shared``: the answer will be everybody's (segments, automations), so related records can only be asked by
    those who see all of them. Raises ConditionError with every fault found (at most 50).
    """
    stack = () if segment_id is None else (str(segment_id),)
    parser = Parser(registry, user, stack)
    parser.shared = shared
    return parser.run(data)


def parse_where(data: Any) -> Node:
    """Parse a filter on the payload of one activity: a list (all must hold) or a tree with ``property``
    leaves.
    """
    parser = Parser(None, None, ())
    parser.events = True
    return parser.run(data)


class Parser:
    def __init__(
        self,
        registry: FieldRegistry | None,
        user: Any,
        stack: tuple[str, ...],
        loaded: dict[str, SegmentLeaf] | None = None,
    ) -> None:
        self.registry = registry
        self.user = user
        self.stack = stack  # the segments being read, outermost first
        self.loaded: dict[str, SegmentLeaf] = {} if loaded is None else loaded
        self.problems: list[Problem] = []
        self.nodes = 0
        self.weight = 0  # what segments add to the statement
        self.open: set[int] = set()  # identities of the containers above: Python objects can be cyclic
        self.events = False  # inside the filter of an activity
        self.shared = False  # the answer is everybody's
        self.beyond = 0  # how many relations lie between the record and what is read
        self.relations = 0  # how often related records are asked

    def run(self, data: Any) -> Node:
        node: Node | None = None
        with suppress(Stop):
            if self.events and isinstance(data, list | tuple):
                node = self.items("all", data, "", 1)
            else:
                node = self.node(data, "", 1)
        if self.problems or node is None:
            raise ConditionError(self.problems)
        return node

    # faults

    def fault(self, path: str, code: str, detail: str) -> None:
        self.problems.append(Problem(path, code, detail))
        if len(self.problems) >= MAX_PROBLEMS:
            raise Stop

    def stop(self, path: str, code: str, detail: str) -> None:
        self.problems.append(Problem(path, code, detail))
        raise Stop

    @contextmanager
    def faults_at(self, path: str, default: str = "") -> Iterator[None]:
        """Collect a Fault raised inside; ``default`` is the key it belongs to when it names none."""
        try:
            yield
        except Fault as fault:
            self.fault(join(path, fault.at or default), fault.code, fault.detail)

    # nodes

    def node(self, data: Any, path: str, depth: int) -> Node | None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.stop(
                path,
                "too_many_nodes",
                _("A condition has at most %(max)s parts: split it into segments.") % {"max": MAX_NODES},
            )
        if not isinstance(data, dict):
            self.fault(
                path,
                "not_an_object",
                _("Give an object such as {“field”: …, “op”: …, “value”: …}, not %(value)s.")
                % {"value": shown(data)},
            )
            return None
        if id(data) in self.open:
            self.stop(path, "cycle", _("This condition contains itself."))
        if depth > MAX_DEPTH:
            self.fault(path, "too_deep", _("Groups nest at most %(max)s levels deep.") % {"max": MAX_DEPTH})
            return None
        self.open.add(id(data))
        try:
            return self.dispatch(data, path, depth)
        finally:
            self.open.discard(id(data))

    def dispatch(self, data: dict[Any, Any], path: str, depth: int) -> Node | None:
        leaves = ("property",) if self.events else ("field", "activity", "segment", "related")
        heads = [head for head in (*_GROUPS, *leaves) if head in data]
        if len(heads) != 1:
            expected = ", ".join((*_GROUPS, *leaves))
            self.fault(
                path,
                "unknown_shape",
                _("An object has exactly one of the keys %(expected)s.") % {"expected": expected},
            )
            return None
        head = heads[0]
        if head in ("all", "any"):
            return self.group(head, data, path, depth)
        if head == "not":
            self.only(data, path, {"not"})
            child = self.node(data["not"], join(path, "not"), depth + 1)
            return None if child is None else Not(child)
        return getattr(self, head)(data, path, depth)  # type: ignore[no-any-return]

    def only(self, data: dict[Any, Any], path: str, known: set[str]) -> None:
        """Unknown keys are faults: a misspelt one would silently widen the condition."""
        for key in data:
            if key not in known:
                self.fault(
                    join(path, shown(key)),
                    "unknown_key",
                    _("Unknown key; this object may have: %(known)s.") % {"known": ", ".join(sorted(known))},
                )

    def group(self, head: str, data: dict[Any, Any], path: str, depth: int) -> Node | None:
        self.only(data, path, {head})
        return self.items(head, data[head], join(path, head), depth)

    def items(self, head: str, items: Any, here: str, depth: int) -> Node | None:
        if not isinstance(items, list | tuple):
            self.fault(here, "not_a_list", _("“%(head)s” takes a list of conditions.") % {"head": head})
            return None
        if id(items) in self.open:
            self.stop(here, "cycle", _("This condition contains itself."))
        self.open.add(id(items))
        try:
            children = [
                self.node(item, join(here, str(index)), depth + 1) for index, item in enumerate(items)
            ]
        finally:
            self.open.discard(id(items))
        found = tuple(child for child in children if child is not None)
        if len(found) < len(children):
            return None
        return All(found) if head == "all" else AnyOf(found)

    # leaves

    def field(self, data: dict[Any, Any], path: str, depth: int) -> Node | None:
        assert self.registry is not None
        self.only(data, path, {"field", "op", "value"})
        name = data["field"]
        spec = self.registry.get(name, self.user) if isinstance(name, str) and len(name) <= MAX_NAME else None
        if spec is None:
            self.fault(join(path, "field"), "unknown_field", self.unknown_field(name))
            return None
        if not spec.usable_by(self.user, self.shared):
            self.fault(join(path, "field"), "not_for_all", not_for_all(spec.label))
            return None
        op = self.operator(data, path, spec.ops)
        if op is None:
            return None
        with self.faults_at(path, "value"):
            return Compare(spec.name, op, values.field_value(spec, op, data.get("value")), spec=spec)
        return None

    def unknown_field(self, name: Any) -> str:
        assert self.registry is not None
        known = [item.name for item in self.registry.fields(self.user, shared=self.shared)]
        near = difflib.get_close_matches(shown(name), known, n=3)
        detail = _("There is no field “%(name)s”.") % {"name": shown(name)}
        return detail + (" " + _("Did you mean %(near)s?") % {"near": ", ".join(near)} if near else "")

    def operator(self, data: dict[Any, Any], path: str, allowed: tuple[str, ...]) -> str | None:
        op = data.get("op")
        if isinstance(op, str) and op in allowed:
            return op
        code, here = ("missing_operator" if op is None else "operator_not_allowed"), join(path, "op")
        self.fault(here, code, _("“op” must be one of: %(allowed)s.") % {"allowed": ", ".join(allowed)})
        return None

    def property(self, data: dict[Any, Any], path: str, depth: int) -> Node | None:
        self.only(data, path, {"property", "op", "value"})
        with self.faults_at(path, "property"):
            name = property_name(data["property"])
            op = self.operator(data, path, PROPERTY_OPERATORS)
            if op is None:
                return None
            with self.faults_at(path, "value"):
                kind, value = values.property_value(op, data.get("value"))
                return Property(name, op, value, kind)
        return None

    def activity(self, data: dict[Any, Any], path: str, depth: int) -> Node | None:
        source = self.registry.activities if self.registry else None
        measures = [name for name in _MEASURES if name in data]
        if source is None:
            self.fault(join(path, "activity"), "unknown_shape", _("Activities can't be counted here."))
            return None
        if len(measures) != 1:
            self.fault(path, "unknown_shape", _("Give exactly one of count, sum and last."))
            return None
        measure = measures[0]
        self.only(data, path, {"activity", "op", "within", "where", measure} | _EXTRA.get(measure, set()))
        before = len(self.problems)
        kind, of, value, within, together = "", "", None, None, None
        with self.faults_at(path, "activity"):
            kind = activity_kind(data["activity"])
            if not source.allows(self.user, kind):
                raise Fault("unknown_activity", _("There is no activity “%(kind)s”.") % {"kind": shown(kind)})
        op = self.operator(data, path, LAST_OPERATORS if measure == "last" else MEASURE_OPERATORS)
        with self.faults_at(path, "of"):
            of = property_name(data.get("of")) if measure == "sum" else ""
        with self.faults_at(path, measure):
            value = _measured(measure, op, data[measure]) if op else None
        with self.faults_at(path, "within"):
            if data.get("within") is None:
                raise Fault("missing_window", _("Say how far to look back, such as {“days”: 90}."))
            within = values.span(data["within"])
        with self.faults_at(path, "together"):
            together = _together(data.get("together"), op, value) if measure == "count" else None
        where = self.where(data.get("where"), join(path, "where"), depth)
        if len(self.problems) > before or op is None or within is None:
            return None
        return ActivityLeaf(kind, measure, op, value, within, of, where, together, source=source)

    def where(self, data: Any, path: str, depth: int) -> Node | None:
        if data is None:
            return None
        self.events = True
        try:
            if isinstance(data, list | tuple):
                return self.items("all", data, path, depth)
            return self.node(data, path, depth + 1)
        finally:
            self.events = False

    def related(self, data: dict[Any, Any], path: str, depth: int) -> Node | None:
        return parse_related.read(self, data, path, depth)

    def segment(self, data: dict[Any, Any], path: str, depth: int) -> Node | None:
        self.only(data, path, {"segment"})
        with self.faults_at(path, "segment"):
            leaf = self.load_segment(data["segment"])
            self.weight += leaf.weight
            if self.weight > MAX_WEIGHT:
                raise Fault(
                    "too_many_segments", _("The segments used here are too large together: use fewer.")
                )
            return leaf
        return None

    def load_segment(self, raw: Any) -> SegmentLeaf:
        """The segment, with its own condition read as the system sees it: who may see a segment sees its
        members.
        """
        registry = self.registry
        if registry is None or registry.segments is None:
            raise Fault("unknown_shape", _("Segments can't be used here."))
        if isinstance(raw, bool) or not isinstance(raw, str | int) or len(shown(raw, MAX_NAME)) > MAX_NAME:
            raise Fault("unknown_segment", _("Give the id of a segment."))
        key = shown(raw, MAX_NAME)
        if key in self.stack:
            raise Fault("segment_cycle", _("Segment %(id)s would contain itself.") % {"id": key})
        if key in self.loaded:
            return self.loaded[key]
        if len(self.stack) >= MAX_SEGMENT_DEPTH or len(self.loaded) >= MAX_SEGMENTS:
            raise Fault(
                "too_many_segments", _("Too many segments inside segments: copy their conditions instead.")
            )
        body = registry.segments(key, self.user)
        if body is None:
            raise Fault("unknown_segment", _("There is no segment %(id)s.") % {"id": key})
        node, weight = None, 1
        if body.members is None:
            inner = Parser(registry, None, (*self.stack, key), self.loaded)
            try:
                node = inner.run(body.conditions)
                weight += inner.nodes + inner.weight
            except ConditionError as error:
                first = error.problems[0]
                code = (
                    first.code if first.code in ("segment_cycle", "too_many_segments") else "broken_segment"
                )
                raise Fault(
                    code,
                    _("Segment “%(name)s” can't be used: %(why)s") % {"name": body.name, "why": first.detail},
                ) from None
        leaf = self.loaded[key] = SegmentLeaf(key, body.name, node, body.members, weight)
        return leaf


def property_name(name: Any) -> str:
    """A property of a payload: a key, or a path of at most five keys joined by dots."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not values.storable(name):
        raise Fault("bad_property", _("Name a property of the event, such as “amount” or “address.city”."))
    parts = name.split(".")
    if len(parts) > MAX_PATH or not all(parts):
        raise Fault(
            "bad_property", _("A property is at most %(max)s names joined by dots.") % {"max": MAX_PATH}
        )
    return name


def activity_kind(kind: Any) -> str:
    """The kind of an activity: a short text without control characters."""
    if (
        not isinstance(kind, str)
        or not 0 < len(kind) <= MAX_NAME
        or not kind.isprintable()
        or not kind.strip()
    ):
        raise Fault("unknown_activity", _("Name the activity, such as “order.placed”."))
    return kind


def _together(data: Any, op: str | None, value: Any) -> Span | None:
    if data is None:
        return None
    if op != "gte" or not isinstance(value, Decimal) or value < 2:
        raise Fault("bad_together", _("“together” goes with “op”: “gte” and a count of at least 2."))
    out = values.span(data)
    if out.unit in ("months", "years"):
        raise Fault("bad_together", _("Say how close together in days, weeks, hours or minutes."))
    return out


def _measured(measure: str, op: str, value: Any) -> Any:
    readers = {"count": values.whole, "sum": values.number, "last": values.moment}
    try:
        return values.by_arity(op, value, readers[measure])
    except Fault as fault:
        raise Fault(
            fault.code,
            fault.detail,
            measure if fault.at in ("", "value") else fault.at.replace("value", measure, 1),
        ) from None


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
