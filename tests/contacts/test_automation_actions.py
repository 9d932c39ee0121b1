"""What automations do with a customer: once per key, and previews write nothing."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from contacts.automation_actions import due_in
from contacts.models import Activity, Contact, Message, Task
from crmcem.lib.actions import Outcome, actions
from crmcem.lib.actors import Actor
from crmcem.workspace.models import Notification
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory

pytestmark = pytest.mark.django_db


@dataclass
class FakeRun:
    contact_id: int
    key: str = "run:7:step-1"
    actor: Actor = field(default_factory=lambda: Actor("automation", 3))
    depth: int = 0
    context: dict[str, Any] = field(default_factory=dict)


def perform(key: str, contact: Contact, **parameters: Any) -> Outcome:
    action = actions[key]
    assert action.validate(parameters) == []
    before = counts()
    assert action.preview(FakeRun(contact.pk), parameters)
    assert counts() == before
    return action.perform(FakeRun(contact.pk), parameters)


def counts() -> tuple[int, ...]:
    return tuple(m.objects.count() for m in (Task, Message, Notification, Activity))


@pytest.fixture
def contact(cast: Cast) -> Contact:
    contact: Contact = ContactFactory(owner=cast.rep, first_name="Ada", last_name="L", tags=["old"])
    return contact


def test_create_task_once(contact: Contact, cast: Cast) -> None:
    for _ in range(2):
        with time_machine.travel("2026-10-24T12:00:00Z", tick=False):
            perform("create_task", contact, title="Call {{ contact.first_name }}", days=2)
    task = Task.objects.get()
    assert (task.title, task.owner, task.contact) == ("Call Ada", cast.rep, contact)
    assert task.due_at == task.remind_at == dt.datetime(2026, 10, 26, 9, tzinfo=dt.UTC)
    activity = Activity.objects.get()
    assert (activity.kind, activity.actor_kind, activity.actor_id) == ("task.created", "automation", 3)


def test_nine_o_clock_where_the_owner_is(cast: Cast) -> None:
    cast.rep.time_zone = "Europe/Berlin"
    before_the_change = dt.datetime(2026, 10, 24, 22, 30, tzinfo=dt.UTC)  # already the 25th in Berlin
    found = due_in(1, cast.rep, before_the_change)
    assert found.astimezone(ZoneInfo("Europe/Berlin")).isoformat() == "2026-10-26T09:00:00+01:00"


def test_tag_and_stage(contact: Contact) -> None:
    assert perform("add_tag", contact, tag="VIP").status == "done"
    assert perform("add_tag", contact, tag="vip ").status == "skipped"
    assert perform("set_lifecycle_stage", contact, stage="customer").status == "done"
    assert perform("set_lifecycle_stage", contact, stage="customer").status == "skipped"
    contact.refresh_from_db()
    assert (contact.tags, contact.lifecycle_stage, contact.version) == (["old", "vip"], "customer", 3)


def test_email_once_and_not_without_an_address(contact: Contact) -> None:
    for _ in range(2):
        outcome = perform(
            "send_email", contact, subject="Hi {{ contact.name }}", body="Dear {{ contact.first_name }}"
        )
    message = Message.objects.get()
    assert outcome.result == {"message": message.pk}
    assert (message.subject, message.body_text, message.to_address) == ("Hi Ada L", "Dear Ada", contact.email)
    silent = ContactFactory(email=None)
    run = FakeRun(silent.pk, key="run:8:step-1")
    skipped = actions["send_email"].perform(run, {"subject": "x", "body": "y"})
    assert skipped.status == "skipped"


def test_notify_owner_once(contact: Contact, cast: Cast) -> None:
    assert perform("notify_owner", contact, text="{{ contact.name }} is back").status == "done"
    assert perform("notify_owner", contact, text="{{ contact.name }} is back").status == "skipped"
    told = Notification.objects.get()
    assert (told.user, told.title, told.url) == (cast.rep, "Ada L is back", f"/contacts/{contact.pk}/")
    nobody = ContactFactory(owner=None)
    assert actions["notify_owner"].perform(FakeRun(nobody.pk), {"text": "x"}).status == "skipped"


@pytest.mark.parametrize(
    ("key", "parameters", "bad"),
    [
        ("create_task", {"title": "{{ contact.password }}", "days": 1}, ["title"]),
        ("create_task", {"title": "", "days": -1}, ["title", "days"]),
        ("create_task", {"title": "x", "kind": "party"}, ["kind"]),
        ("add_tag", {"tag": "a,b"}, ["tag"]),
        ("set_lifecycle_stage", {"stage": "king"}, ["stage"]),
        ("send_email", {"subject": "x"}, ["body"]),
        ("notify_owner", {"text": "{% include 'x' %}"}, ["text"]),
    ],
)
def test_bad_parameters(key: str, parameters: dict[str, Any], bad: list[str]) -> None:
    assert [name for name, _ in actions[key].validate(parameters)] == bad
