"""Deleting from a list and taking it back: every row of every table is as it was."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from contacts.models import Activity, Company, Contact, Interaction, Pulse, Task
from crmcem.workspace.models import Trash, User
from crmcem.workspace.services.trash import trash_expire
from feedback.models import Case
from sales.models import Deal
from tests.access.world import World, fingerprint, make_world
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory, TaskFactory

pytestmark = pytest.mark.django_db
Web = Callable[[User], Client]
#: what says that something happened, or that it is to be looked at again
NOTES = (
    "workspace_auditentry",
    "contacts_activity",
    "workspace_trash",
    "contacts_segmentdirty",
    "contacts_tagchange",
    "workspace_user",
)
LISTS = {
    "contacts:list": (Contact, "contact"),
    "contacts:companies": (Company, "company"),
    "sales:deals": (Deal, "deal"),
    "contacts:tasks": (Task, "task"),
    "contacts:interactions": (Interaction, "interaction"),
    "feedback:cases": (Case, "case"),
}


@pytest.fixture
def world(cast: Cast) -> World:
    return make_world(cast)


def records() -> dict[str, str]:
    found = fingerprint()
    return {name: text for name, text in found.items() if name not in NOTES and "note" not in name}


def delete(client: Client, name: str, *ids: int) -> Any:
    data = {"_bulk": "delete", "_confirmed": "1", "ids": [str(pk) for pk in ids]}
    return client.post(reverse(name) + "?view=all", data, headers={"HX-Request": "true"})


@pytest.mark.parametrize("name", list(LISTS))
def test_delete_and_undo_restore_every_row_of_every_table(
    cast: Cast, web: Web, world: World, name: str
) -> None:
    model, kind = LISTS[name]
    client = web(cast.admin)
    before = records()
    response = delete(client, name, world.ids[kind])
    assert response.status_code == 200
    assert not model.objects.filter(pk=world.ids[kind]).exists()
    kept = Trash.objects.latest("id")
    assert (kept.user, kept.count, kept.entity) == (cast.admin, 1, kind)
    undo = reverse("workspace:trash-restore", args=[kept.pk])
    assert undo in response.content.decode()
    assert '"list"' in response["HX-Trigger"]
    changed = {table for table, text in records().items() if text != before[table]}
    assert len(changed) >= {"contact": 8, "company": 3, "deal": 2}.get(kind, 1), changed
    assert client.post(undo, headers={"HX-Request": "true"}).status_code == 204
    after = records()
    assert {table for table in before if after[table] != before[table]} == set()
    assert client.post(undo).status_code == 404  # once only
    kept.refresh_from_db()
    assert kept.data == ""


def test_only_who_deleted_brings_back_and_only_for_a_while(cast: Cast, web: Web, world: World) -> None:
    delete(web(cast.admin), "contacts:list", world.ids["contact"])
    kept = Trash.objects.latest("id")
    undo = reverse("workspace:trash-restore", args=[kept.pk])
    for other in (cast.rep, cast.manager, cast.cx):
        assert web(other).post(undo).status_code == 404
    assert "Hidden" not in web(cast.rep2).get(reverse("workspace:trash")).content.decode()
    assert undo in web(cast.admin).get(reverse("workspace:trash")).content.decode()
    Trash.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    assert web(cast.admin).post(undo).status_code == 404
    assert not Contact.objects.filter(pk=world.ids["contact"]).exists()
    assert trash_expire() == Trash.objects.count() + 2
    assert not Trash.objects.exists()


def test_what_has_been_taken_meanwhile_is_said_and_nothing_comes_back_by_half(
    cast: Cast, web: Web, world: World
) -> None:
    contact = ContactFactory(email="once@taken.example", owner=cast.admin)
    client = web(cast.admin)
    delete(client, "contacts:list", contact.pk, world.ids["contact"])
    ContactFactory(email="once@taken.example", owner=cast.admin)
    before = records()
    undo = reverse("workspace:trash-restore", args=[Trash.objects.latest("id").pk])
    assert client.post(undo).status_code == 409
    assert records() == before
    Contact.objects.filter(email="once@taken.example").delete()
    assert client.post(undo).status_code == 302
    assert Contact.objects.filter(pk__in=[contact.pk, world.ids["contact"]]).count() == 2


def test_without_the_scope_or_sight_nothing_is_deleted(cast: Cast, web: Web, world: World) -> None:
    before = records()
    assert delete(web(cast.rep), "contacts:list", world.ids["contact"]).status_code == 403
    cast.rep2.role.scopes = ["*"]  # type: ignore[union-attr]
    cast.rep2.role.save()  # type: ignore[union-attr]
    delete(web(cast.rep2), "contacts:list", world.ids["contact"])
    after = records()
    assert {name for name in before if after[name] != before[name]} == {"workspace_role"}
    assert Trash.objects.count() == 1  # the world's own


SINGLE = {
    "contacts:task-delete": (Task, "task"),
    "contacts:interaction-delete": (Interaction, "interaction"),
}


@pytest.mark.parametrize("name", list(SINGLE))
def test_a_single_deletion_offers_to_take_it_back(cast: Cast, web: Web, world: World, name: str) -> None:
    model, kind = SINGLE[name]
    client, pk = web(cast.admin), world.ids[kind]
    before = records()
    response = client.post(reverse(name, args=[pk]), headers={"HX-Request": "true"})
    fired = json.loads(response["HX-Trigger"])
    assert fired["close-modal"] is True
    assert fired["toast"]["undo"] == reverse("workspace:trash-restore", args=[Trash.objects.latest("pk").pk])
    assert "timeline" in fired["toast"]["events"]
    assert not model.objects.filter(pk=pk).exists()
    assert client.post(fired["toast"]["undo"], headers={"HX-Request": "true"}).status_code == 204
    assert records() == before
    assert Activity.objects.filter(kind=f"{kind}.restored", subject_id=pk).count() == 1


@pytest.mark.parametrize(
    ("name", "kind", "page", "list_page"),
    [
        ("contacts:contact-delete", "contact", "contacts:contact", "contacts:list"),
        ("contacts:company-delete", "company", "contacts:company", "contacts:companies"),
        ("sales:deal-delete", "deal", "sales:deal", "sales:deals"),
    ],
)
def test_a_deleted_record_comes_back_to_its_page_whole(
    cast: Cast, web: Web, world: World, name: str, kind: str, page: str, list_page: str
) -> None:
    """By the button in the message that the list shows."""
    client, pk = web(cast.admin), world.ids[kind]
    model = {"contact": Contact, "company": Company, "deal": Deal}[kind]
    label = str(model.objects.get(pk=pk))
    before = records()
    response = client.post(reverse(name, args=[pk]))
    assert (response.status_code, response["Location"]) == (302, reverse(list_page))
    kept = Trash.objects.latest("pk")
    assert (kept.title, kept.count, kept.user) == (label, 1, cast.admin)
    undo = reverse("workspace:trash-restore", args=[kept.pk])
    assert f'<form method="post" action="{undo}">' in client.get(reverse(list_page)).content.decode()
    back = client.post(undo)
    assert (back.status_code, back["Location"]) == (302, reverse(page, args=[pk]))
    assert {table for table, text in records().items() if text != before[table]} == set()


def test_a_deleted_case_comes_back_with_the_customers_figure(
    cast: Cast, web: Web, world: World, drain: Callable[[], Any]
) -> None:
    case = Case.objects.get(pk=world.ids["case"])
    client = web(cast.admin)
    client.post(reverse("feedback:case-delete", args=[case.pk]))
    drain()
    without = Pulse.objects.get(pk=case.contact_id).open_cases
    client.post(reverse("workspace:trash-restore", args=[Trash.objects.latest("pk").pk]))
    drain()
    assert Pulse.objects.get(pk=case.contact_id).open_cases == without + 1
    assert Case.objects.filter(pk=case.pk).exists()


def test_a_deleted_task_moves_the_next_activity_and_back(cast: Cast, web: Web) -> None:
    due = timezone.now() + dt.timedelta(days=1)
    task = TaskFactory(
        owner=cast.rep, contact=ContactFactory(owner=cast.rep, pulse={"next_activity_at": due}), due_at=due
    )
    client = web(cast.admin)
    delete(client, "contacts:tasks", task.pk)
    assert Pulse.objects.get(pk=task.contact_id).next_activity_at is None
    client.post(reverse("workspace:trash-restore", args=[Trash.objects.get().pk]))
    assert Pulse.objects.get(pk=task.contact_id).next_activity_at == due


@pytest.mark.parametrize("name", ["contacts:tasks", "contacts:interactions", "feedback:cases"])
def test_without_the_scope_or_the_row_nothing_goes(cast: Cast, web: Web, world: World, name: str) -> None:
    model, kind = LISTS[name]
    before = records()
    assert delete(web(cast.readonly), name, world.ids[kind]).status_code == 403
    foreign = delete(web(cast.rep2), name, world.ids[kind])
    assert foreign.status_code in {200, 204, 403}
    assert records() == before
    assert not Trash.objects.filter(entity=kind).exists()
    assert model.objects.filter(pk=world.ids[kind]).exists()
