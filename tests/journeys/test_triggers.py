"""Triggers: who starts, however the events arrive."""

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from contacts.models import Contact
from contacts.services.events import events_append
from contacts.services.stream import NewActivity, activities_append, activity_append
from crmcem.lib.actors import SYSTEM, Actor
from journeys.engine.starts import MAX_DEPTH
from journeys.models import Automation, Run, RunStep
from journeys.services.automations import automation_activate, automation_pause, automation_update
from journeys.tasks import advance_runs
from tests.factories.contacts import ContactFactory
from tests.journeys.conftest import STEP, Notes

pytestmark = pytest.mark.django_db
Make = Callable[..., Automation]
Happen = Callable[..., int]
Drain = Callable[[], int]
NOW = timezone.now()
TWICE = {"type": "event", "event": "order.placed", "count": 2, "within": {"days": 90}}


def ago(days: float) -> dt.datetime:
    return NOW - dt.timedelta(days=days)


def started(automation: Automation) -> dict[int, int]:
    """How many runs each contact has."""
    found: dict[int, int] = defaultdict(int)
    for contact in Run.objects.filter(automation=automation).values_list("contact_id", flat=True):
        found[contact] += 1
    return dict(found)


def test_one_event_starts_one_run(automation: Make, happen: Happen, drain: Drain, notes: Notes) -> None:
    row, contact, other = automation(), ContactFactory(), ContactFactory()
    pk = happen(contact, amount=12)
    happen(other, "page.viewed")
    drain()
    run = Run.objects.get()
    assert (run.contact_id, run.automation_id, run.status, run.trigger_activity_id) == (
        contact.pk,
        row.pk,
        "active",
        pk,
    )
    assert run.context["event"]["properties"] == {"amount": 12}
    advance_runs()
    run.refresh_from_db()
    assert (run.status, run.reason) == ("done", "All steps are done.")
    assert notes.done == [(contact.pk, f"run:{run.pk}:n")]
    step = RunStep.objects.get()
    assert (step.status, step.reason, step.result) == ("done", "Noted hi", {"text": "hi"})


def test_once_means_once(automation: Make, happen: Happen, drain: Drain) -> None:
    row, contact = automation(), ContactFactory()
    for _ in range(3):
        happen(contact)
        drain()
        advance_runs()
    assert started(row) == {contact.pk: 1}


def test_always_means_each_time(automation: Make, happen: Happen, drain: Drain) -> None:
    row, contact = automation(reentry={"policy": "always"}), ContactFactory()
    happen(contact)
    happen(contact)
    drain()
    happen(contact)
    drain()
    assert started(row) == {contact.pk: 3}


def test_after_some_days(automation: Make, happen: Happen, drain: Drain) -> None:
    row, contact = automation(reentry={"policy": "after", "days": 30}), ContactFactory()
    happen(contact)
    happen(contact)
    drain()
    assert started(row) == {contact.pk: 1}
    Run.objects.update(started_at=ago(29))
    happen(contact)
    drain()
    assert started(row) == {contact.pk: 1}
    Run.objects.update(started_at=ago(31))
    happen(contact)
    drain()
    assert started(row) == {contact.pk: 2}


def test_a_frequency_cap(automation: Make, happen: Happen, drain: Drain) -> None:
    row = automation(reentry={"policy": "always"}, frequency_cap={"count": 2, "within": {"days": 7}})
    contact, other = ContactFactory(), ContactFactory()
    for _ in range(4):
        happen(contact)
    happen(other)
    drain()
    happen(contact)
    drain()
    assert started(row) == {contact.pk: 2, other.pk: 1}


def test_properties_and_conditions_decide(automation: Make, happen: Happen, drain: Drain) -> None:
    row = automation(
        {
            "type": "event",
            "event": "order.placed",
            "where": [{"property": "amount", "op": "gte", "value": 10}],
        },
        conditions={"field": "lifecycle_stage", "op": "eq", "value": "customer"},
    )
    good = ContactFactory(lifecycle_stage="customer")
    small = ContactFactory(lifecycle_stage="customer")
    lead = ContactFactory(lifecycle_stage="lead")
    happen(good, amount=10)
    happen(small, amount="9.99")
    happen(lead, amount=50)
    drain()
    assert started(row) == {good.pk: 1}


def test_what_came_before_activation_does_not_trigger(automation: Make, happen: Happen, drain: Drain) -> None:
    contact = ContactFactory()
    happen(contact)
    row = automation()
    drain()
    assert started(row) == {}
    happen(contact, at=ago(400))
    drain()
    assert started(row) == {contact.pk: 1}


def test_history_counts_but_does_not_trigger(automation: Make, happen: Happen, drain: Drain) -> None:
    both_before, one_before = ContactFactory(), ContactFactory()
    for contact, days in ((both_before, 20), (both_before, 10), (one_before, 60)):
        happen(contact, at=ago(days))
    row = automation(TWICE)
    drain()
    assert started(row) == {}
    happen(one_before, at=ago(1))
    drain()
    assert started(row) == {one_before.pk: 1}


def test_a_late_event_completes_a_later_one(automation: Make, happen: Happen, drain: Drain) -> None:
    row, contact = automation(TWICE), ContactFactory()
    happen(contact, at=ago(200))
    newest = happen(contact, at=ago(10))
    drain()
    assert started(row) == {}
    happen(contact, at=ago(50))
    drain()
    assert Run.objects.get().trigger_activity_id == newest


def test_the_edge_of_the_window(automation: Make, happen: Happen, drain: Drain) -> None:
    row = automation({**TWICE, "within": {"hours": 10}})
    inside, outside = ContactFactory(), ContactFactory()
    for contact, gap in ((inside, dt.timedelta(hours=10)), (outside, dt.timedelta(hours=10, seconds=1))):
        happen(contact, at=ago(5))
        happen(contact, at=ago(5) + gap)
    drain()
    assert started(row) == {inside.pk: 1}


def _expected(events: list[tuple[int, dt.datetime]], count: int, window: dt.timedelta) -> dict[int, int]:
    """The plain recomputation: how many completions each contact has."""
    by_contact = defaultdict(list)
    for contact, at in events:
        by_contact[contact].append(at)
    out = {}
    for contact, times in by_contact.items():
        times.sort()
        n = sum(
            1 for i in range(count - 1, len(times)) if times[i].date() - times[i - count + 1].date() <= window
        )
        if n:
            out[contact] = n
    return out


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_arrival_gives_the_same_runs(automation: Make, drain: Drain, seed: int) -> None:
    """Duplicated, shuffled and late events: exactly the runs of a plain recomputation."""
    chance = random.Random(seed)
    count, days = chance.choice([(2, 90), (3, 60), (4, 30)])
    trigger = {**TWICE, "count": count, "within": {"days": days}}
    once, always = automation(trigger), automation(trigger, reentry={"policy": "always"})
    contacts = [ContactFactory(external_id=f"c{n}") for n in range(12)]
    events = []
    for contact in contacts:
        events += [
            (contact, ago(chance.randrange(600)) + dt.timedelta(seconds=chance.randrange(3600)))
            for _ in range(chance.randrange(9))
        ]
    sent: list[dict[str, Any]] = [
        {
            "message_id": f"{seed}-{n}",
            "event": "order.placed",
            "occurred_at": at.isoformat(),
            "contact": {"external_id": contact.external_id},
            "properties": {"amount": n},
        }
        for n, (contact, at) in enumerate(events)
    ]
    sent += chance.sample(sent, len(sent) // 3)
    chance.shuffle(sent)
    while sent:
        size = chance.randrange(1, 12)
        part, sent = sent[:size], sent[size:]
        events_append(actor=SYSTEM, events=part)
        if chance.random() < 0.7:
            drain()
    drain()
    expected = _expected([(c.pk, at) for c, at in events], count, dt.timedelta(days=days))
    assert expected
    assert started(always) == expected
    assert started(once) == dict.fromkeys(expected, 1)


def test_anonymous_events_count_once_they_are_stitched(automation: Make, drain: Drain) -> None:
    from contacts.models import IdentityAlias

    row, contact = automation(TWICE), ContactFactory(external_id="known")
    for n, who in enumerate(({"anonymous_id": "visitor"}, {"external_id": "known"})):
        events_append(
            actor=SYSTEM,
            events=[
                {
                    "message_id": f"s{n}",
                    "event": "order.placed",
                    "contact": who,
                    "occurred_at": ago(n).isoformat(),
                }
            ],
        )
    drain()
    assert started(row) == {}
    IdentityAlias.objects.create(anonymous_id="visitor", contact=contact)
    activity_append(
        actor=SYSTEM,
        activity=NewActivity(
            "contact.identified", contact_id=contact.pk, payload={"anonymous_id": "visitor"}
        ),
    )
    drain()
    drain()
    assert started(row) == {contact.pk: 1}


def test_a_pause_lets_nothing_in_and_holds_what_is_under_way(
    automation: Make, happen: Happen, drain: Drain, notes: Notes
) -> None:
    row = automation(reentry={"policy": "always"})
    first, second, third = ContactFactory(), ContactFactory(), ContactFactory()
    happen(first)
    drain()
    automation_pause(automation=row, actor=SYSTEM)
    happen(second)
    drain()
    advance_runs()
    assert started(row) == {first.pk: 1}
    assert notes.done == []
    assert Run.objects.get().due_at is None
    automation_activate(automation=row, actor=SYSTEM)
    happen(third)
    drain()
    advance_runs()
    assert started(row) == {first.pk: 1, third.pk: 1}
    assert [contact for contact, _key in notes.done] == [first.pk, third.pk]


def test_a_new_version_is_for_new_runs(automation: Make, happen: Happen, drain: Drain, notes: Notes) -> None:
    row = automation(steps=[{"key": "w", "type": "wait", "for": {"days": 1}}, STEP])
    old, new = ContactFactory(), ContactFactory()
    happen(old)
    drain()
    automation_update(
        automation=row,
        values={"definition": {"trigger": {"type": "event", "event": "order.placed"}, "steps": [STEP]}},
        actor=SYSTEM,
    )
    happen(new)
    drain()
    numbers = dict(Run.objects.values_list("contact_id", "automation_version__number"))
    assert numbers == {old.pk: 1, new.pk: 2}
    advance_runs()
    assert [contact for contact, _key in notes.done] == [new.pk]


def test_automations_that_set_each_other_off_stop(
    automation: Make, happen: Happen, drain: Drain, notes: Notes
) -> None:
    row = automation({"type": "event", "event": "note.made"}, reentry={"policy": "always"})
    contact = ContactFactory()
    happen(contact, "note.made")
    for _ in range(MAX_DEPTH + 3):
        drain()
        advance_runs()
    runs = list(Run.objects.filter(automation=row).order_by("id").values_list("depth", "status"))
    assert runs == [(n, "done") for n in range(MAX_DEPTH + 1)] + [(MAX_DEPTH + 1, "failed")]
    assert "automations in a row" in Run.objects.get(status="failed").error
    assert len(notes.done) == MAX_DEPTH + 1


def test_a_hold_out_group(automation: Make, drain: Drain, notes: Notes) -> None:
    row = automation(holdout_percent=50)
    contacts = [ContactFactory() for _ in range(60)]
    activities_append(
        actor=SYSTEM, activities=[NewActivity("order.placed", contact_id=c.pk) for c in contacts]
    )
    drain()
    advance_runs()
    held = Run.objects.filter(automation=row, status="exited")
    assert 10 < held.count() < 50
    assert set(held.values_list("reason", flat=True)) == {
        "In the hold-out group: nothing is done, so that the effect can be measured."
    }
    assert len(notes.done) == 60 - held.count()
    from journeys.engine import chance

    salt = chance.holdout_salt(row.pk)
    assert set(held.values_list("contact_id", flat=True)) == {
        c.pk for c in contacts if chance.share(salt, c.pk) < 5000
    }


def test_a_field_that_is_gone_is_told_and_stops_nothing_else(
    automation: Make, happen: Happen, drain: Drain
) -> None:
    broken, fine = automation(), automation()
    version = broken.current_version
    assert version is not None
    version.definition["conditions"] = {"field": "gone", "op": "is_set"}
    version.save()
    contact = ContactFactory()
    happen(contact)
    drain()
    assert started(broken) == {}
    assert started(fine) == {contact.pk: 1}
    broken.refresh_from_db()
    assert "gone" in broken.problem


def test_activities_without_a_contact_or_of_a_gone_one(automation: Make, drain: Drain) -> None:
    row = automation()
    activities_append(
        actor=Actor("system"),
        activities=[NewActivity("order.placed"), NewActivity("order.placed", contact_id=2**40)],
    )
    drain()
    assert started(row) == {}
    assert Contact.objects.count() == 0


def test_starting_is_set_based(automation: Make, drain: Drain, django_assert_max_num_queries: Any) -> None:
    from crmcem.lib import stream_runner
    from crmcem.lib.stream import consumers

    automation(TWICE)
    contacts = [ContactFactory() for _ in range(40)]
    activities_append(
        actor=SYSTEM,
        activities=[NewActivity("order.placed", contact_id=c.pk) for c in contacts for _ in range(2)],
    )
    with django_assert_max_num_queries(16):
        consumer = consumers["journeys.triggers"]
        stream_runner.run(consumer, 1, reach=stream_runner.Reach(settled=True))
    assert Run.objects.count() == 40


def test_the_fifth_order_starts_an_automation_by_its_milestone(
    automation: Make, happen: Happen, drain: Drain
) -> None:
    where = {"property": "n", "op": "eq", "value": 5}
    row = automation({"type": "event", "event": "milestone.order", "count": 1, "where": where})
    contact, other = ContactFactory(), ContactFactory()
    for _ in range(6):
        happen(contact)
    happen(other)
    drain()  # the orders; the milestones are read in the next turn
    drain()
    assert started(row) == {contact.pk: 1}
