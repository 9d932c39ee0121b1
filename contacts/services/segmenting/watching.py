"""What can change the answer to a segment's conditions."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from contacts.conditions import contact_fields
from contacts.models import Segment
from crmcem.lib.conditions import Node, parse, timed
from crmcem.lib.conditions.nodes import (
    ActivityLeaf,
    All,
    AnyOf,
    Compare,
    Not,
    RelatedLeaf,
    SegmentLeaf,
    walk,
)
from crmcem.workspace.organisation import organisation

#: what a field reads that says nothing else: the contact's own row
OWN = ("contact",)


@dataclass(frozen=True, slots=True)
class Watch:
    """``names`` as in ``Segment.watches``, ``uses`` the segments named, ``timed`` whether the clock plays a part."""

    names: list[str] = field(default_factory=list)
    uses: list[int] = field(default_factory=list)
    timed: bool = False


def zone() -> ZoneInfo:
    """The organisation's time zone, whose days the conditions mean."""
    return ZoneInfo(organisation().time_zone)


def watch(node: Node) -> Watch:
    """What the condition looks at. Segments that it names are watched as wholes."""
    names: set[str] = set()
    uses: set[int] = set()
    for each in walk(node, into_segments=False, into_related=False):
        if isinstance(each, Compare):
            names.update(each.spec.reads or OWN)
        elif isinstance(each, RelatedLeaf):
            names.update(each.spec.reads)
        elif isinstance(each, ActivityLeaf):
            names.add(f"kind:{each.kind}")
        elif isinstance(each, SegmentLeaf):
            names.add(f"segment:{each.id}")
            uses.add(int(each.id))
    return Watch(sorted(names), sorted(uses), timed(node))


def follows(leaf: RelatedLeaf) -> bool:
    """Whether notes tell of all that can change the answer: only the related records' own fields do."""
    if not leaf.spec.reads:
        return False
    below = [] if leaf.where is None else walk(leaf.where, into_segments=False, into_related=False)
    return all(
        isinstance(each, All | AnyOf | Not)
        or (isinstance(each, Compare) and set(each.spec.reads) <= set(leaf.spec.reads))
        for each in below
    )


def read(segment: Segment) -> Node:
    """The conditions of a stored segment, as the system sees them. Raises ConditionError."""
    return parse(segment.conditions, contact_fields, segment_id=str(segment.pk))


@dataclass(frozen=True, slots=True)
class Asked:
    """A segment with its conditions read, and the moment for which they are asked."""

    segment: Segment
    node: Node
    now: dt.datetime
    tz: Any
