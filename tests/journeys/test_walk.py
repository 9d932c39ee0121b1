"""A run on its way: waits, branches, goals, failures, quiet hours."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from contacts.models import Activity, Contact
from crmcem.lib.errors import DomainError
from journeys.engine.walk import RETRIES
from journeys.models import Automation, Run, RunStep
from journeys.tasks import advance_runs
from tests.factories.contacts import ContactFactory
from tests.journeys.conftest import STEP, Notes

pytestmark = pytest.mark.django_db
Make = Callable[..., Automation]
Happen = Callable[..., int]
Drain = Callable[[], int]
DAY = dt.timedelta(days=1)
VIP = {"field": "tags", "op": "has_any", "value": ["vip"]}
WAIT = {"key": "w", "type": "wait", "for": {"days": 3}}


def begin(happen: Happen, drain: Drain, contact: Contact | None = None) -> Run:
    contact = contact or ContactFactory()
    happen(contact)
    drain()
    advance_runs()
    return Run.objects.get(contact=contact)


def later(by: dt.timedelta) -> Any:
    """Time goes on, and the workers look."""
    with time_machine.travel(timezone.now() + by, tick=True):
        advance_runs()


def log(run: Run) -> list[tuple[str, str]]:
    return list(RunStep.objects.filter(run=run).values_list("step_key", "status"))


def state(run: Run) -> tuple[str, str]:
    run.refresh_from_db()
    return run.status, run.step_key


def test_a_wait(automation: Make, happen: Happen, drain: Drain, notes: Notes) -> None:
    automation(steps=[WAIT, STEP])
    run = begin(happen, drain)
    assert (state(run), log(run)) == (("active", "w"), [("w", "waiting")])
    assert RunStep.objects.get().reason.startswith("Waits 3 days, until ")
    later(2.9 * DAY)
    assert (state(run), notes.done) == (("active", "w"), [])
    later(3.1 * DAY)
    assert state(run)[0] == "done"
    assert log(run) == [("w", "done"), ("n", "done")]
    assert len(notes.done) == 1


def test_wait_until_an_event(automation: Make, happen: Happen, drain: Drain, notes: Notes) -> None:
    until = {
        "key": "u",
        "type": "wait_until",
        "event": "survey.answered",
        "where": [{"property": "score", "op": "lte", "value": 6}],
        "timeout": {"days": 14},
    }
    automation(steps=[until, STEP])
    run = begin(happen, drain)
    contact = run.contact
    happen(contact, "survey.answered", score=9)
    happen(ContactFactory(), "survey.answered", score=1)
    drain()
    advance_runs()
    assert (state(run), log(run)) == (("active", "u"), [("u", "waiting")])
    happen(contact, "survey.answered", score=3)
    drain()
    advance_runs()
    assert state(run)[0] == "done"
    assert log(run) == [("u", "done"), ("n", "done")]


def test_wait_until_counts_what_came_while_the_steps_before_ran(
    automation: Make, happen: Happen, drain: Drain
) -> None:
    until = {"key": "u", "type": "wait_until", "event": "survey.answered", "timeout": {"days": 14}}
    automation(steps=[STEP, until])
    contact = ContactFactory()
    happen(contact, "survey.answered")
    happen(contact)
    drain()
    happen(contact, "survey.answered")
    advance_runs()
    run = Run.objects.get()
    assert state(run)[0] == "done"


def test_an_answer_before_the_trigger_is_no_answer(automation: Make, happen: Happen, drain: Drain) -> None:
    until = {"key": "u", "type": "wait_until", "event": "survey.answered", "timeout": {"days": 14}}
    automation(steps=[STEP, until])
    contact = ContactFactory()
    happen(contact, "survey.answered")
    run = begin(happen, drain, contact)
    assert state(run) == ("active", "u")


def test_two_waits_need_two_events(automation: Make, happen: Happen, drain: Drain) -> None:
    until = {"type": "wait_until", "event": "page.viewed", "timeout": {"days": 14}}
    automation(steps=[{**until, "key": "one"}, {**until, "key": "two"}])
    run = begin(happen, drain)
    happen(run.contact, "page.viewed")
    drain()
    advance_runs()
    assert state(run) == ("active", "two")
    happen(run.contact, "page.viewed")
    drain()
    advance_runs()
    assert state(run)[0] == "done"


def test_wait_until_times_out(automation: Make, happen: Happen, drain: Drain, notes: Notes) -> None:
    until = {"key": "u", "type": "wait_until", "event": "survey.answered", "timeout": {"days": 14}}
    automation(steps=[until, STEP])
    run = begin(happen, drain)
    later(15 * DAY)
    assert state(run)[0] == "done"
    assert log(run) == [("u", "skipped"), ("n", "done")]


def test_wait_until_conditions_hold(automation: Make, happen: Happen, drain: Drain, notes: Notes) -> None:
    until = {"key": "u", "type": "wait_until", "conditions": VIP, "timeout": {"days": 14}}
    automation(steps=[until, STEP])
    run = begin(happen, drain)
    assert state(run) == ("active", "u")
    Contact.objects.filter(pk=run.contact_id).update(tags=["vip"])
    later(dt.timedelta(hours=1))
    assert state(run)[0] == "done"


def test_an_activity_wakes_a_wait_for_conditions(automation: Make, happen: Happen, drain: Drain) -> None:
    automation(steps=[{"key": "u", "type": "wait_until", "conditions": VIP, "timeout": {"days": 14}}])
    run = begin(happen, drain)
    Contact.objects.filter(pk=run.contact_id).update(tags=["vip"])
    happen(run.contact, "contact.updated")
    drain()
    advance_runs()
    assert state(run)[0] == "done"


@pytest.mark.parametrize(("tags", "expected"), [(["vip"], "yes"), ([], "no")])
def test_a_branch(automation: Make, happen: Happen, drain: Drain, tags: list[str], expected: str) -> None:
    branch = {
        "key": "b",
        "type": "branch",
        "conditions": VIP,
        "then": [{**STEP, "key": "yes"}],
        "else": [{**STEP, "key": "no"}],
    }
    automation(steps=[branch, {**STEP, "key": "after"}])
    run = begin(happen, drain, ContactFactory(tags=tags))
    assert state(run)[0] == "done"
    assert log(run) == [("b", "done"), (expected, "done"), ("after", "done")]
    reason = RunStep.objects.get(step_key="b").reason
    assert reason == ("Yes: Tagged vip." if tags else "No, it is not so that: Tagged vip.")


def test_an_empty_branch_goes_on(automation: Make, happen: Happen, drain: Drain) -> None:
    automation(steps=[{"key": "b", "type": "branch", "conditions": VIP}, {**STEP, "key": "after"}])
    run = begin(happen, drain)
    assert log(run) == [("b", "done"), ("after", "done")]


def test_a_split_is_always_the_same_for_a_contact(automation: Make, happen: Happen, drain: Drain) -> None:
    split = {
        "key": "s",
        "type": "split",
        "paths": [
            {"name": "A", "percent": 50, "steps": [{**STEP, "key": "a"}]},
            {"name": "B", "percent": 50, "steps": [{**STEP, "key": "b"}]},
        ],
    }
    automation(steps=[split], reentry={"policy": "always"})
    contacts = [ContactFactory() for _ in range(30)]
    for _ in range(2):
        for contact in contacts:
            happen(contact)
        drain()
        advance_runs()
    paths: dict[int, set[str]] = {}
    for step in RunStep.objects.filter(step_key="s").select_related("run"):
        paths.setdefault(step.run.contact_id, set()).add(step.result["path"])
    assert all(len(found) == 1 for found in paths.values())
    taken = [next(iter(found)) for found in paths.values()]
    assert 5 < taken.count("A") < 25


def test_a_goal_event_ends_it_at_any_time(
    automation: Make, happen: Happen, drain: Drain, notes: Notes
) -> None:
    automation(steps=[WAIT, STEP], goal={"event": "deal.won"})
    run = begin(happen, drain)
    happen(run.contact, "deal.won")
    drain()
    advance_runs()
    assert state(run)[0] == "done"
    assert (run.reason, notes.done) == ("Goal reached: deal.won.", [])
    assert log(run) == [("w", "skipped")]


def test_goal_and_exit_conditions(automation: Make, happen: Happen, drain: Drain, notes: Notes) -> None:
    gone = {"field": "tags", "op": "has_any", "value": ["gone"]}
    automation(steps=[WAIT, STEP], goal={"conditions": VIP}, exit=gone)
    won, lost, neither = (begin(happen, drain) for _ in range(3))
    for run, tag in ((won, "vip"), (lost, "gone")):
        Contact.objects.filter(pk=run.contact_id).update(tags=[tag])
        happen(run.contact, "contact.updated")
    drain()
    advance_runs()
    assert [state(run)[0] for run in (won, lost, neither)] == ["done", "exited", "active"]
    assert lost.reason == "Left early: Tagged gone."
    assert notes.done == []


def test_an_exit_that_holds_already(automation: Make, happen: Happen, drain: Drain, notes: Notes) -> None:
    automation(exit=VIP)
    run = begin(happen, drain, ContactFactory(tags=["vip"]))
    assert (state(run)[0], notes.done, log(run)) == ("exited", [], [])


def test_a_failing_action_is_tried_again(
    automation: Make, happen: Happen, drain: Drain, notes: Notes
) -> None:
    def fail(run: Any) -> None:
        raise RuntimeError("no luck")

    notes.fail = fail
    automation()
    run = begin(happen, drain)
    assert state(run) == ("active", "n")
    step = RunStep.objects.get()
    assert step.status == "waiting"
    assert step.reason.startswith("Try 1 failed: RuntimeError: no luck Tries again at ")
    notes.fail = lambda run: None
    later(RETRIES[0] + dt.timedelta(seconds=1))
    assert state(run)[0] == "done"
    assert (run.attempts, run.error, log(run)) == (0, "", [("n", "done")])
    assert Activity.objects.filter(kind="note.made").count() == 1


def test_an_action_that_never_works_fails_the_run_visibly(
    automation: Make, happen: Happen, drain: Drain, notes: Notes, cast: Any
) -> None:
    from crmcem.workspace.models import Notification

    def fail(run: Any) -> None:
        raise DomainError.of("survey", "closed", "The survey is closed.")

    notes.fail = fail
    row = automation(steps=[STEP, {**STEP, "key": "never"}])
    Automation.objects.filter(pk=row.pk).update(created_by=cast.cx)
    run = begin(happen, drain)
    at = timezone.now()
    for pause in RETRIES:
        at += pause + dt.timedelta(seconds=5)
        with time_machine.travel(at, tick=True):
            advance_runs()
    assert state(run) == ("failed", "n")
    assert run.error == "Failed 6 times: The survey is closed."
    assert log(run) == [("n", "failed")]
    assert run.due_at is None
    done = Activity.objects.get(kind="automation.done")
    assert (done.subject_type, done.subject_id, done.payload["status"]) == ("run", run.pk, "failed")
    assert Notification.objects.get(user=cast.cx).kind == "automation.failed"


def test_what_a_failing_action_wrote_is_undone(
    automation: Make, happen: Happen, drain: Drain, notes: Notes
) -> None:
    def fail(run: Any) -> None:
        happen(ContactFactory(), "half.done")
        raise RuntimeError

    notes.fail = fail
    automation()
    begin(happen, drain)
    assert not Activity.objects.filter(kind="half.done").exists()


def test_a_skipped_action_says_why(automation: Make, happen: Happen, drain: Drain) -> None:
    automation(steps=[{"key": "s", "type": "action", "action": "skip"}])
    run = begin(happen, drain)
    assert state(run)[0] == "done"
    step = RunStep.objects.get()
    assert (step.status, step.reason) == ("skipped", "No consent")


def test_a_run_can_not_go_on_for_ever(automation: Make, happen: Happen, drain: Drain, notes: Notes) -> None:
    automation(steps=[WAIT, STEP], timeout={"days": 2})
    run = begin(happen, drain)
    later(2.1 * DAY)
    assert state(run)[0] == "failed"
    assert run.error == "It took longer than an automation's run may take."
    assert notes.done == []


@pytest.mark.parametrize(
    ("zone", "at", "until"),
    [
        ("Europe/Berlin", "2030-01-10T22:00:00+00:00", "2030-01-11T07:00:00+00:00"),
        ("America/New_York", "2030-01-10T22:00:00+00:00", None),
        ("", "2030-01-10T22:00:00+00:00", "2030-01-11T08:00:00+00:00"),
        ("Not/AZone", "2030-01-10T03:00:00+00:00", "2030-01-10T08:00:00+00:00"),
        ("Europe/Berlin", "2030-03-31T00:30:00+00:00", "2030-03-31T06:00:00+00:00"),
    ],
)
def test_quiet_hours_where_the_customer_lives(
    automation: Make,
    happen: Happen,
    drain: Drain,
    notes: Notes,
    zone: str,
    at: str,
    until: str | None,
) -> None:
    automation(quiet_hours={"from": "21:00", "to": "08:00"})
    contact = ContactFactory(time_zone=zone)
    happen(contact)
    drain()
    with time_machine.travel(dt.datetime.fromisoformat(at), tick=False):
        Run.objects.update(due_at=timezone.now(), started_at=timezone.now())
        advance_runs()
        run = Run.objects.get()
        if until is None:
            assert (run.status, len(notes.done)) == ("done", 1)
            return
        assert (run.due_at, notes.done) == (dt.datetime.fromisoformat(until), [])
        assert RunStep.objects.get().reason.startswith("Quiet hours (")
    with time_machine.travel(dt.datetime.fromisoformat(until) + dt.timedelta(seconds=1), tick=False):
        advance_runs()
    assert (state(run)[0], len(notes.done)) == ("done", 1)
    assert log(run) == [("n", "done")]


def test_a_step_may_ignore_quiet_hours(automation: Make, happen: Happen, drain: Drain, notes: Notes) -> None:
    automation(steps=[{**STEP, "ignore_quiet_hours": True}], quiet_hours={"from": "00:00", "to": "23:59"})
    run = begin(happen, drain)
    assert state(run)[0] == "done"


def test_both_ends_are_on_the_timeline(automation: Make, happen: Happen, drain: Drain) -> None:
    row = automation()
    run = begin(happen, drain)
    found = Activity.objects.filter(kind__startswith="automation.").order_by("id")
    assert [(a.kind, a.contact_id, a.subject_id, a.actor_kind, a.actor_id) for a in found] == [
        ("automation.started", run.contact_id, run.pk, "automation", row.pk),
        ("automation.done", run.contact_id, run.pk, "automation", row.pk),
    ]
