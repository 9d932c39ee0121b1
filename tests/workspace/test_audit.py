"""Every change says who made it: a person, a token, an automation, an import; also where no model was asked."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from contacts.models import Contact
from crmcem.lib.actions import actions
from crmcem.lib.actors import Actor, acting, person
from crmcem.workspace.models import ApiToken, AuditEntry, Team
from tests.conftest import Cast
from tests.contacts.imports import run_import
from tests.contacts.test_automation_actions import FakeRun
from tests.factories.contacts import ContactFactory

pytestmark = pytest.mark.django_db


def written(contact: Contact) -> list[tuple[str, int | None, str, Any]]:
    """(actor, its id, what, changes) of what was done to a contact, but its making by the factory."""
    entries = AuditEntry.objects.filter(table_name="contacts_contact", row_id=contact.pk).order_by("id")
    return [(e.actor_kind, e.actor_id, e.op, e.changes) for e in entries if e.actor_kind != "system"]


@pytest.fixture
def ada(cast: Cast) -> Contact:
    contact: Contact = ContactFactory(
        first_name="Ada", email="ada@x.example", owner=cast.rep, team=cast.north
    )
    return contact


def test_a_person_on_the_web(cast: Cast, ada: Contact, web: Callable[..., Client]) -> None:
    values = {"first_name": "Ida", "last_name": ada.last_name, "email": ada.email, "lifecycle_stage": "lead"}
    answer = web(cast.rep).post(reverse("contacts:edit", args=[ada.pk]), values | {"version": ada.version})
    assert answer.status_code in (200, 204, 302)
    [(kind, pk, op, changes)] = written(ada)
    assert (kind, pk, op) == ("user", cast.rep.pk, "U")
    assert changes["first_name"] == ["Ada", "Ida"]


def test_a_token_over_the_api(cast: Cast, ada: Contact, api: Callable[..., APIClient]) -> None:
    client = api(cast.rep)
    assert client.patch(f"/api/v1/contacts/{ada.pk}/", {"first_name": "Ida"}).status_code == 200
    [(kind, pk, op, changes)] = written(ada)
    assert (kind, pk, op) == ("token", ApiToken.objects.get().pk, "U")
    assert changes["first_name"] == ["Ada", "Ida"]


def test_an_automation(cast: Cast, ada: Contact) -> None:
    actions["add_tag"].perform(FakeRun(ada.pk), {"tag": "vip"})
    [(kind, pk, op, changes)] = written(ada)
    assert (kind, pk, op) == ("automation", 3, "U")
    assert changes["tags"] == [[], ["vip"]]


def test_an_import(cast: Cast, settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    first = run_import("email,first_name\nada@y.example,Ada\n", cast.rep)
    second = run_import("email,first_name\nada@y.example,Ida\n", cast.rep)
    assert (first.status, second.status, second.error) == ("done", "done", "")
    [made, changed] = written(Contact.objects.get(email="ada@y.example"))
    assert made == ("import", first.pk, "I", None)
    assert changed[:3] == ("import", second.pk, "U")
    assert changed[3]["first_name"] == ["Ada", "Ida"]


def test_writes_that_no_model_sees_are_recorded_row_by_row(cast: Cast, ada: Contact) -> None:
    bob = ContactFactory(first_name="Bob")
    with acting(person(cast.admin)):
        Contact.objects.filter(pk__in=[ada.pk, bob.pk]).update(job_title="Chief")
    with acting(Actor("import", 77)), connection.cursor() as cursor:
        cursor.execute("UPDATE contacts_contact SET last_name = 'Raw' WHERE id = %s", [bob.pk])
    assert [(w[0], w[1], w[3]) for w in written(ada)] == [
        ("user", cast.admin.pk, {"job_title": ["", "Chief"]})
    ]
    assert [w[:3] for w in written(bob)] == [("user", cast.admin.pk, "U"), ("import", 77, "U")]


def test_copy_is_recorded(cast: Cast) -> None:
    with acting(Actor("import", 78)), connection.cursor() as cursor:
        line = "North-West\t{1}\t2026-01-01T00:00:00Z\n"
        cursor.copy_expert("COPY workspace_team (name, path, created_at) FROM STDIN", io.StringIO(line))
    entry = AuditEntry.objects.filter(table_name="workspace_team").latest("id")
    assert (entry.actor_kind, entry.actor_id, entry.op) == ("import", 78, "I")
    assert entry.row_id == Team.objects.get(name="North-West").pk
