"""Segments that tell something about the shop, kept from now on like everybody's own."""

from typing import Any

from contacts.services.segmenting.keeping import segments_keep
from contacts.services.segments import segment_create
from crmcem.lib.actors import person
from crmcem.workspace.models import User

_AWAY = {"field": "pulse.last_seen_at", "op": "not_in_last", "value": {"days": 60}}
SEGMENTS: list[tuple[str, list[dict[str, Any]]]] = [
    ("Loyal but silent", [{"field": "tags", "op": "has_any", "value": ["loyal"]}, _AWAY]),
    (
        "Big customers who are detractors",
        [
            {"field": "pulse.nps", "op": "lte", "value": 6},
            {"field": "pulse.revenue", "op": "gte", "value": 300},
        ],
    ),
    ("Big customers not seen for 60 days", [{"field": "pulse.revenue", "op": "gte", "value": 300}, _AWAY]),
    (
        "Promoters of late",
        [
            {"field": "pulse.nps", "op": "gte", "value": 9},
            {"field": "pulse.nps_at", "op": "in_last", "value": {"days": 90}},
        ],
    ),
]


def make_segments(owner: User) -> None:
    """For everybody, and filled at once."""
    for name, conditions in SEGMENTS:
        data = {"name": name, "conditions": {"all": conditions}, "sharing": "all"}
        segment_create(data=data, actor=person(owner))
    segments_keep(seconds=600.0)
