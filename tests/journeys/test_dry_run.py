"""A dry run tells every step and why, and writes nothing."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.http import Http404
from django.utils import timezone

from crmcem.lib.actions import Action, Outcome, actions
from crmcem.lib.actors import SYSTEM
from crmcem.lib.errors import NotAllowed
from journeys.models import Automation
from journeys.services.runs import automation_dry_run
from journeys.tasks import advance_runs
from tests.factories.contacts import ContactFactory
from tests.journeys.conftest import STEP

pytestmark = pytest.mark.django_db
Make = Callable[..., Automation]
VIP = {"field": "tags", "op": "has_any", "value": ["vip"]}


def counts() -> dict[str, int]:
    found = {}
    with connection.cursor() as cursor:
        for model in apps.get_models():
            cursor.execute(f'SELECT count(*) FROM "{model._meta.db_table}"')
            found[model._meta.label] = cursor.fetchone()[0]
    return found


def test_every_step_is_told_and_nothing_is_written(automation: Make, notes: Any) -> None:
    row = automation(
        {"type": "event", "event": "order.placed", "count": 2, "within": {"days": 90}},
        [
            {**STEP, "key": "first"},
            {"key": "w", "type": "wait", "for": {"days": 3}},
            {"key": "u", "type": "wait_until", "event": "survey.answered", "timeout": {"days": 14}},
            {
                "key": "b",
                "type": "branch",
                "conditions": VIP,
                "then": [STEP],
                "else": [{**STEP, "key": "no"}],
            },
            {
                "key": "s",
                "type": "split",
                "paths": [{"percent": 50, "steps": [{**STEP, "key": "a"}]}, {"percent": 50}],
            },
        ],
        conditions={"all": [VIP, {"field": "email", "op": "is_set"}]},
    )
    contact = ContactFactory(tags=["vip"])
    before = counts()
    found = automation_dry_run(automation=row, contact=contact, actor=SYSTEM)
    assert counts() == before
    assert notes.done == []
    assert found.starts is True
    told = [(s.key, s.type, s.outcome) for s in found.steps]
    assert told[:5] == [
        ("first", "action", "do"),
        ("w", "wait", "wait"),
        ("u", "wait_until", "wait"),
        ("b", "branch", "choose"),
        ("n", "action", "do"),
    ]
    assert told[5] == ("s", "split", "choose")
    assert found.steps[0].reason == "Would note hi"
    assert (found.steps[4].at - found.steps[0].at).days == 17
    assert [(c.key, c.holds) for c in found.checks] == [
        ("status", True),
        ("trigger", False),
        ("conditions", True),
        ("conditions.all.0", True),
        ("conditions.all.1", True),
        ("reentry", True),
    ]


def test_it_would_not_start(automation: Make, happen: Any, drain: Any, notes: Any) -> None:
    row = automation(conditions=VIP)
    found = automation_dry_run(automation=row, contact=ContactFactory(), actor=SYSTEM)
    assert found.starts is False
    assert [c.key for c in found.checks if c.needed and not c.holds] == ["conditions"]
    contact = ContactFactory(tags=["vip"])
    happen(contact)
    drain()
    advance_runs()
    again = automation_dry_run(automation=row, contact=contact, actor=SYSTEM)
    assert [c.key for c in again.checks if c.needed and not c.holds] == ["reentry"]
    assert [c.holds for c in again.checks if c.key == "trigger"] == [True]


def test_the_database_keeps_a_preview_from_writing(automation: Make, notes: Any) -> None:
    def preview(run: Any, parameters: Any) -> str:
        ContactFactory()
        return "never"

    actions._items["naughty"] = Action("naughty", "Naughty", "x", (), lambda r, p: Outcome(), preview)
    try:
        row = automation(steps=[{"key": "x", "type": "action", "action": "naughty"}, STEP])
        contact = ContactFactory()
        before = counts()
        found = automation_dry_run(automation=row, contact=contact, actor=SYSTEM)
    finally:
        actions._items.pop("naughty")
    assert counts() == before
    assert [(s.key, s.outcome) for s in found.steps] == [("x", "fail"), ("n", "do")]
    assert "read-only" in found.steps[0].reason
    ContactFactory()  # and the transaction around it still writes


def test_an_absence_and_a_goal(automation: Make, notes: Any) -> None:
    row = automation({"type": "absence", "for": {"days": 12}}, goal={"conditions": VIP})
    seen = timezone.now() - dt.timedelta(days=13)
    contact = ContactFactory(tags=["vip"], pulse={"last_seen_at": seen})
    found = automation_dry_run(automation=row, contact=contact, actor=SYSTEM)
    assert [c.holds for c in found.checks if c.key == "trigger"] == [True]
    assert [s.outcome for s in found.steps] == ["end"]
    assert found.steps[0].reason == "The goal is reached already: Tagged vip."


def test_only_with_customers_that_one_may_see(automation: Make, cast: Any, actor: Any) -> None:
    row = automation()
    hidden = ContactFactory(owner=cast.rep2, team=cast.south)
    with pytest.raises(Http404):
        automation_dry_run(automation=row, contact=hidden, actor=actor(cast.rep))
    with pytest.raises(NotAllowed):
        automation_dry_run(automation=row, contact=hidden, actor=actor(cast.nobody))
