"""The buttons over ticked rows, or all that match: what they change, who may, and taking exactly that back."""

import datetime as dt
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from contacts.models import Activity, Company, Contact, Interaction, LifecycleChange, Pulse, Task
from crmcem.lib.actors import SYSTEM
from crmcem.workspace.models import BulkEdit, Role, User
from crmcem.workspace.services import edits
from journeys.models import Run
from journeys.services.automations import automation_create
from tests.conftest import Cast
from tests.contacts.editing import press, undo
from tests.factories.contacts import CompanyFactory, ContactFactory, InteractionFactory, TaskFactory

pytestmark = pytest.mark.django_db
Web = Callable[[User], Client]
CONTACTS, COMPANIES, TASKS = "contacts:list", "contacts:companies", "contacts:tasks"
PASSING = {"version", "updated_at"}


def whole(model: Any) -> list[dict[str, Any]]:
    """Everything that stands in the rows of a model, but for the version and the moment of the last change."""
    return [
        {k: v for k, v in row.items() if k not in PASSING} for row in model.objects.order_by("pk").values()
    ]


def everything() -> list[list[dict[str, Any]]]:
    return [whole(model) for model in (Contact, Company, Task, Pulse, Interaction)]


def toast(response: Any) -> dict[str, Any]:
    assert response.status_code == 204, response.content
    said: dict[str, Any] = json.loads(response["HX-Trigger"])["toast"]
    return said


def make_rows(cast: Cast) -> None:
    own: dict[str, Any] = {"owner": cast.rep, "team": cast.north}
    for n in range(3):
        due = timezone.now()
        tags = ["vip", "b"] if n else ["zeta", "alpha"]
        contact = ContactFactory(lifecycle_stage="lead", tags=tags, pulse={"next_activity_at": due}, **own)
        InteractionFactory(contact=contact, **own)
        CompanyFactory(**own)
        TaskFactory(contact=contact, due_at=due, **own)


BUTTONS = [
    (CONTACTS, "assign", "REP2", 3, "contact.updated"),
    (CONTACTS, "tag", "VIP, new", 3, "contact.updated"),
    (CONTACTS, "untag", "vip", 2, "contact.updated"),
    (CONTACTS, "stage", "customer", 3, "contact.updated"),
    (COMPANIES, "assign", "REP2", 3, "company.updated"),
    (TASKS, "assign", "REP2", 3, "task.updated"),
    (TASKS, "cancel", "", 3, "task.cancelled"),
]


@pytest.mark.parametrize("everybody", [False, True], ids=["ticked", "all"])
@pytest.mark.parametrize(("name", "button", "value", "changed", "kind"), BUTTONS)
def test_a_button_changes_them_and_one_click_takes_it_back(
    cast: Cast, web: Web, name: str, button: str, value: str, changed: int, kind: str, everybody: bool
) -> None:
    make_rows(cast)
    before = everything()
    model = {CONTACTS: Contact, COMPANIES: Company, TASKS: Task}[name]
    rows = None if everybody else list(model.objects.all())
    client = web(cast.admin)
    said = toast(press(client, name, button, rows, str(cast.rep2.pk) if value == "REP2" else value))
    edit = BulkEdit.objects.get()
    words = f"{changed} records changed." + (" 1 had this value already." if changed < 3 else "")
    assert said == {
        "text": words,
        "level": "success",
        "undo": reverse("workspace:edit-undo", args=[edit.pk]) + "?toast=1",
        "undoLabel": "Undo",
        "events": ["list"],
        "more": reverse("workspace:edit", args=[edit.pk]),
        "moreLabel": "Details",
    }
    assert everything() != before
    assert Activity.objects.filter(kind=kind, actor_id=cast.admin.pk).count() == changed
    back = toast(client.post(said["undo"], headers={"HX-Request": "true"}))
    assert back["text"] == f"{changed} records are as they were before."
    assert back["level"] == "success"
    assert everything() == before
    edit.refresh_from_db()
    assert (edit.status, edit.restored, edit.skipped) == ("undone", changed, [])
    again = toast(undo(client, toast=True))
    assert again == {"text": "This change can’t be taken back any more.", "level": "error"}
    assert everything() == before


def test_a_stage_keeps_its_reason_in_the_history(cast: Cast, web: Web) -> None:
    contact = ContactFactory(owner=cast.rep, lifecycle_stage="lead")
    client = web(cast.rep)
    asked = client.post(
        reverse(CONTACTS), {"_bulk": "stage", "ids": [contact.pk]}, headers={"HX-Request": "true"}
    )
    assert 'name="reason"' in asked.content.decode()
    press(client, CONTACTS, "stage", [contact], "customer", reason=" signed the contract ")
    history = LifecycleChange.objects.filter(contact=contact)
    assert list(history.values_list("from_stage", "to_stage", "reason", "actor_id")) == [
        ("lead", "customer", "signed the contract", cast.rep.pk)
    ]
    page = client.get(reverse("workspace:edit", args=[BulkEdit.objects.get().pk])).content.decode()
    assert "signed the contract" in page
    assert press(client, CONTACTS, "stage", [contact], "former", reason="x" * 301).status_code == 422
    assert Contact.objects.get(pk=contact.pk).lifecycle_stage == "customer"


def test_only_the_tags_that_it_put_on_go_and_what_others_did_stays(cast: Cast, web: Web) -> None:
    own: dict[str, Any] = {"owner": cast.rep, "team": cast.north}
    fresh, had, mixed, gone = (
        ContactFactory(first_name=n, tags=t, **own)
        for n, t in (("Fresh", []), ("Had", ["vip"]), ("Mixed", ["a"]), ("Gone", ["a"]))
    )
    rep, manager = web(cast.rep), web(cast.manager)
    press(rep, CONTACTS, "tag", [fresh, had, mixed, gone], "vip, new")
    press(manager, CONTACTS, "tag", [mixed], "later")
    press(manager, CONTACTS, "untag", [mixed], "a")
    press(manager, CONTACTS, "untag", [gone], "vip, new")
    first = BulkEdit.objects.earliest("pk")
    said = toast(undo(rep, first, toast=True))
    assert said["text"] == (
        "3 records are as they were before. 1 was changed again or deleted since, or is no longer yours to see,"
        f" and stays as it is. {gone}"
    )
    assert said["level"] == "warning"
    found = dict(Contact.objects.values_list("first_name", "tags"))
    assert found == {"Fresh": [], "Had": ["vip"], "Mixed": ["later"], "Gone": ["a"]}
    first.refresh_from_db()
    assert (first.restored, first.skipped) == (3, [[str(gone), "It was changed again since."]])


def test_tags_that_were_taken_away_come_back_beside_new_ones(cast: Cast, web: Web) -> None:
    contact = ContactFactory(owner=cast.rep, tags=["vip", "old", "kept"])
    full = ContactFactory(owner=cast.rep, tags=["vip", *(f"t{n}" for n in range(49))])
    client = web(cast.rep)
    press(client, CONTACTS, "untag", [contact, full], "vip, old")
    first = BulkEdit.objects.get()
    press(client, CONTACTS, "tag", [contact, full], "new")
    undo(client, first)
    assert Contact.objects.get(pk=contact.pk).tags == ["kept", "new", "vip", "old"]
    assert len(Contact.objects.get(pk=full.pk).tags) == 50
    first.refresh_from_db()
    assert first.skipped == [[str(full), "It would have more than 50 tags."]]


def test_an_answer_to_the_edit_does_not_hinder_taking_it_back(cast: Cast, web: Web) -> None:
    """An automation that writes another field of the record leaves the value of the edit where it is."""
    contact = ContactFactory(owner=cast.rep, lifecycle_stage="lead", job_title="")
    client = web(cast.rep)
    press(client, CONTACTS, "stage", [contact], "customer")
    Contact.objects.filter(pk=contact.pk).update(job_title="Buyer", version=7)
    assert toast(undo(client, toast=True))["text"] == "1 record is as it was before."
    contact.refresh_from_db()
    assert (contact.lifecycle_stage, contact.job_title, contact.version) == ("lead", "Buyer", 8)


def test_who_gives_records_out_of_their_sight_takes_them_back(cast: Cast, web: Web) -> None:
    own: dict[str, Any] = {"owner": cast.rep, "team": cast.north}
    given, moved = ContactFactory(**own), ContactFactory(first_name="Moved on", **own)
    InteractionFactory(contact=given, **own)
    client = web(cast.manager)
    press(client, CONTACTS, "assign", [given, moved], str(cast.rep2.pk))
    assert not Contact.objects.visible_to(cast.manager).exists()
    Contact.objects.filter(pk=moved.pk).update(owner=cast.admin, team=None, version=9)
    page = undo(client).content.decode()
    assert "1 record is as it was before." in page
    assert "Moved on" not in page, "what is hidden is not named"
    found = dict(Contact.objects.values_list("pk", "owner_id"))
    assert found == {given.pk: cast.rep.pk, moved.pk: cast.admin.pk}
    assert Pulse.objects.get(pk=given.pk).team_id == cast.north.pk
    assert Interaction.objects.get().owner_id == cast.rep.pk


def test_hidden_rows_stay_and_without_the_scope_nothing_changes(cast: Cast, web: Web) -> None:
    make_rows(cast)
    before = everything()
    theirs = web(cast.rep2)
    values = {"assign": str(cast.rep2.pk), "tag": "x", "untag": "vip", "stage": "former", "cancel": ""}
    Role.objects.filter(pk=cast.rep2.role_id).update(scopes=["*"])
    for name, button, _value, _changed, _kind in BUTTONS:
        model: Any = {CONTACTS: Contact, COMPANIES: Company, TASKS: Task}[name]
        for rows in (list(model.objects.all()), None):
            said = toast(press(theirs, name, button, rows, values[button]))
            assert (said["text"], "undo" in said) == ("0 records changed.", False)
    Role.objects.filter(pk=cast.rep.role_id).update(scopes=["contacts:read", "tasks:read"])
    blind = web(User.objects.get(pk=cast.rep.pk))
    count = BulkEdit.objects.count()
    for name, button, _value, _changed, _kind in BUTTONS:
        assert press(blind, name, button, None, values[button]).status_code == 403
    assert (everything(), BulkEdit.objects.count(), Activity.objects.count()) == (before, count, 0)


def test_who_lost_the_right_meanwhile_takes_nothing_back(cast: Cast, web: Web) -> None:
    contact = ContactFactory(owner=cast.rep, team=cast.north)
    press(web(cast.manager), CONTACTS, "assign", [contact], str(cast.manager.pk))
    Role.objects.filter(pk=cast.manager.role_id).update(scopes=["contacts:read", "contacts:write"])
    before = everything()
    assert undo(web(User.objects.get(pk=cast.manager.pk))).status_code == 403
    assert everything() == before
    assert BulkEdit.objects.get().status == "done"


def test_bad_values_change_nothing(cast: Cast, web: Web) -> None:
    make_rows(cast)
    before = everything()
    client = web(cast.admin)
    for name, button, value in (
        (CONTACTS, "assign", str(10**12)),
        (CONTACTS, "tag", " , "),
        (CONTACTS, "tag", "x" * 80),
        (CONTACTS, "stage", "gone"),
        (CONTACTS, "stage", ""),
        (TASKS, "assign", "abc"),
    ):
        assert press(client, name, button, None, value).status_code == 422, (button, value)
    assert (everything(), BulkEdit.objects.count()) == (before, 0)


def test_done_tasks_stay_done_and_are_named(cast: Cast, web: Web) -> None:
    open_, done = (
        TaskFactory(owner=cast.rep, title="Open"),
        TaskFactory(owner=cast.rep, title="Done", status="done"),
    )
    TaskFactory(owner=cast.rep, title="Given up", status="cancelled")
    client = web(cast.rep)
    forecast = press(client, TASKS, "cancel", None, _confirmed="", _forecast="1").content.decode()
    assert forecast == (
        "1 of them will change; others have this value already. Done, so they stay as they are: 1."
    )
    page = press(client, TASKS, "cancel", None)
    assert page.status_code == 200
    edit = BulkEdit.objects.get()
    assert (edit.changed, edit.failures) == (1, [["Done", "This task is done."]])
    assert dict(Task.objects.values_list("title", "status")) == {
        "Open": "cancelled",
        "Done": "done",
        "Given up": "cancelled",
    }
    undo(client)
    open_.refresh_from_db()
    done.refresh_from_db()
    assert (open_.status, done.status) == ("open", "done")


def test_many_are_a_job_with_a_page_and_go_back_by_one(
    cast: Cast, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "CHUNK", 2)
    for _n in range(5):
        ContactFactory(owner=cast.rep, tags=["kept"])
    hidden = ContactFactory(owner=cast.rep2)
    before = everything()
    client = web(cast.rep)
    response = press(client, CONTACTS, "tag", None, "new")
    edit = BulkEdit.objects.get()
    assert response.status_code == 200
    assert reverse("workspace:edit", args=[edit.pk]) in response.content.decode()
    assert (edit.status, edits.edit_run(edit.pk)) == ("queued", "done")
    assert Contact.objects.filter(tags=["kept", "new"]).count() == 5
    assert Contact.objects.get(pk=hidden.pk).tags == []
    edit.refresh_from_db()
    assert (edit.changed, len(edit.txids)) == (5, 1), "the test is one transaction"
    undo(client)
    assert edits.edit_run(edit.pk) == "undone"
    assert everything() == before


@pytest.mark.parametrize(("name", "button", "value", "changed", "kind"), BUTTONS)
def test_it_costs_the_same_statements_for_more_rows(
    cast: Cast, web: Web, name: str, button: str, value: str, changed: int, kind: str
) -> None:
    client = web(cast.admin)
    typed = str(cast.rep2.pk) if value == "REP2" else value
    make: dict[str, Callable[[], Any]] = {
        CONTACTS: lambda: ContactFactory(owner=cast.rep, lifecycle_stage="lead", tags=["vip"]),
        COMPANIES: lambda: CompanyFactory(owner=cast.rep),
        TASKS: lambda: TaskFactory(owner=cast.rep, contact=ContactFactory(owner=cast.rep)),
    }

    def cost(size: int) -> tuple[int, int]:
        rows = [make[name]() for _n in range(size)]
        with CaptureQueriesContext(connection) as there:
            toast(press(client, name, button, rows, typed))
        with CaptureQueriesContext(connection) as back:
            toast(undo(client, toast=True))
        assert BulkEdit.objects.latest("pk").restored == size
        return len(there), len(back)

    cost(1)
    few, many = cost(2), cost(20)
    assert few == many
    assert max(many) < 40


@pytest.mark.django_db(transaction=True)
def test_two_at_once_lose_nothing_of_each_other(cast: Cast, web: Web) -> None:
    own: dict[str, Any] = {"owner": cast.rep, "team": cast.north}
    rows = [ContactFactory(tags=["kept"], lifecycle_stage="lead", **own) for _n in range(6)]
    before = everything()
    errors: list[BaseException] = []
    begin = threading.Barrier(3)

    def work(client: Client, button: str, value: str, user: User) -> None:
        try:
            begin.wait()
            for _n in range(4):
                said = toast(press(client, CONTACTS, button, rows, value))
                assert said["text"] == "6 records changed."
                assert toast(client.post(said["undo"], headers={"HX-Request": "true"}))["level"] == "success"
            toast(press(client, CONTACTS, button, rows, value))
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    people = [(cast.rep, "tag", "one"), (cast.manager, "tag", "two"), (cast.admin, "stage", "customer")]
    threads = [
        threading.Thread(target=work, args=(web(user), button, value, user)) for user, button, value in people
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert errors == []
    held = Contact.objects.values_list("tags", "lifecycle_stage")
    assert {(tuple(sorted(tags)), stage) for tags, stage in held} == {(("kept", "one", "two"), "customer")}
    for user in (cast.manager, cast.admin, cast.rep):
        edit = BulkEdit.objects.filter(user=user).latest("pk")
        assert toast(undo(web(user), edit, toast=True))["text"] == "6 records are as they were before."
    assert everything() == before


@pytest.mark.django_db(transaction=True)
def test_runs_that_it_started_are_counted_and_stay(cast: Cast, web: Web, drain: Callable[[], int]) -> None:
    step = {"key": "w", "type": "wait", "for": {"days": 1}}
    greet = {"trigger": {"type": "event", "event": "contact.updated"}, "steps": [step]}
    automation_create(name="Greet", definition=greet, actor=SYSTEM, activate=True)
    drain()
    own: dict[str, Any] = {"owner": cast.rep, "team": cast.north}
    rows, other = [ContactFactory(**own) for _n in range(3)], ContactFactory(**own)
    client = web(cast.admin)
    said = toast(press(client, CONTACTS, "tag", rows, "new"))
    first = BulkEdit.objects.get()
    warning = "Automations may answer to this change: “Greet”. Undo does not take back what they do."
    assert said["text"] == f"3 records changed. {warning}"
    press(client, CONTACTS, "tag", [other], "else")
    drain()
    assert Run.objects.count() == 4
    url = reverse("workspace:edit", args=[first.pk])
    started = "It has started 3 runs of automations: “Greet” (3). Undo does not take back what they do."
    page = client.get(url).content.decode()
    assert started in page
    assert f'hx-get="{url}?_part=automations"' in page, "more may come"
    part = client.get(url + "?_part=automations", headers={"HX-Request": "true"})
    assert started in part.content.decode()
    BulkEdit.objects.update(finished_at=timezone.now() - dt.timedelta(minutes=2))
    later = client.get(url).content.decode()
    assert (started in later, "_part=automations" in later) == (True, False), "it is looked at for a minute"
    back = toast(undo(client, first, toast=True))
    assert back["text"] == (
        "3 records are as they were before."
        " It had started 3 runs of automations: “Greet” (3). What they did stays."
    )
    assert Run.objects.filter(status="active").count() == 4
    Role.objects.filter(pk=cast.rep.role_id).update(scopes=["contacts:*"])
    blind = web(User.objects.get(pk=cast.rep.pk))
    press(blind, CONTACTS, "stage", rows[:1], "customer")
    drain()
    shown = blind.get(reverse("workspace:edit", args=[BulkEdit.objects.latest("pk").pk])).content.decode()
    assert "Automations may answer to this change. Undo does not take back what they do." in shown
    assert "Greet" not in shown
    assert "It has started" not in shown
