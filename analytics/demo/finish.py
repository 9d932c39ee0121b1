"""The end of every seed: the stream is written and read, the automations watch from now on."""

import datetime as dt
import json
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.utils import timezone

from contacts.models import Activity, SavedView
from crmcem.lib import stream_rebase, stream_runner
from crmcem.lib.actors import person
from crmcem.workspace.models import User
from feedback.models import Survey
from journeys.engine import timers
from journeys.engine.advance import advance_due
from journeys.models import AbsenceTimer
from journeys.services.defaults import install_defaults

from .copying import load
from .world import World

PUMP_SECONDS = 3600.0
CHUNK = 20_000
#: only who went missing within these days is followed up at the start; the rest has been away for long
FRESH_DAYS = 14

_NOT_SEEN = {"field": "pulse.last_seen_at", "operator": "not_in_last", "value": {"days": 30}}
VIEWS: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("contact", "Detractors", {"pulse__nps__lte": 6}, "manager", "all"),
    (
        "contact",
        "Detractors with open cases",
        {"pulse__nps__lte": 6, "pulse__open_cases__gte": 1},
        "cx",
        "all",
    ),
    ("contact", "Not seen for 30 days", {"conditions": json.dumps(_NOT_SEEN)}, "rep", "all"),
    ("contact", "My loyal customers", {"tag": "loyal", "owner": "me"}, "rep", "all"),
    ("deal", "Rotting deals", {"rotting": "true", "status": "open"}, "manager", "all"),
]


def write_stream(world: World) -> None:
    """Append all activities in the order in which they happened."""
    world.activities.sort(key=lambda row: row["occurred_at"])
    first = world.activities[0]["occurred_at"].date()
    with connection.cursor() as cursor:
        cursor.execute("SELECT contacts_activity_partitions(%s, %s)", [first, world.now.date()])
    for start in range(0, len(world.activities), CHUNK):
        load(Activity, world.activities[start : start + CHUNK], world.now)


def save_views(people: dict[str, User]) -> None:
    """Lists that people of the shop open every day."""
    SavedView.objects.bulk_create(
        SavedView(
            entity=entity,
            name=name,
            query=urlencode(query),
            owner=people[owner],
            team=people[owner].team,
            sharing=sharing,
            is_pinned=True,
            position=position,
        )
        for position, (entity, name, query, owner, sharing) in enumerate(VIEWS)
    )


def run_consumers() -> int:
    """Let every consumer read the stream from its beginning: Pulse, rollups and whatever else is registered."""
    stream_rebase.restart()
    return stream_runner.pump(seconds=PUMP_SECONDS)


def start_automations(owner: User, survey: Survey, follow_up: bool = True) -> None:
    """The two automations that everybody starts with; what happened before they began triggers nothing.

    ``follow_up``: who went missing in the last days is followed up all the same.
    """
    install_defaults(survey=survey, actor=person(owner))
    timers.arm_all()
    now = timezone.now()
    long_away = AbsenceTimer.objects.filter(fired_at__isnull=True)
    if follow_up:
        long_away = long_away.filter(last_at__lt=now - dt.timedelta(days=FRESH_DAYS))
    else:
        long_away = long_away.filter(due_at__lte=now)
    long_away.update(fired_at=now)
    while timers.fire_part(now):
        pass
    advance_due(seconds=PUMP_SECONDS)
    stream_runner.pump(seconds=PUMP_SECONDS)
