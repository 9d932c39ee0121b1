"""The history of a lifecycle stage: whoever changes it, it is written down."""

import datetime as dt
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from contacts.automation_actions import _set_stage
from contacts.importing.runner import run
from contacts.models import Contact, ImportJob, LifecycleChange, Pulse
from contacts.services.contacts import contact_create, contact_update
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError
from crmcem.workspace.models import User
from tests.conftest import Cast
from tests.contacts.editing import press
from tests.factories.contacts import ContactFactory

As = Callable[[User], Actor]
pytestmark = pytest.mark.django_db


def changes(contact: Contact) -> list[tuple[Any, ...]]:
    rows = contact.lifecycle_changes.order_by("id")
    return list(rows.values_list("from_stage", "to_stage", "actor_kind", "actor_id", "reason"))


def test_every_way_writes_it_down(
    cast: Cast, actor: As, api: Callable[..., APIClient], web: Callable[..., Client]
) -> None:
    me = actor(cast.rep)
    ada = contact_create(data={"email": "ada@x.example", "lifecycle_stage": "subscriber"}, actor=me)
    assert changes(ada) == []
    contact_update(contact=ada, data={"first_name": "Ada"}, actor=me)
    data = {"lifecycle_stage": "lead", "lifecycle_reason": " signed  up "}
    contact_update(contact=ada, data=data, actor=me)
    contact_update(contact=ada, data={"lifecycle_stage": "lead"}, actor=me)
    for reason in (" call ", ""):
        press(web(cast.rep), "contacts:list", "stage", [ada], "qualified", reason=reason)
    sent = api(cast.rep).patch(
        f"/api/v1/contacts/{ada.pk}/",
        {"lifecycle_stage": "opportunity", "lifecycle_reason": "asked"},
        format="json",
    )
    assert sent.status_code == 200, sent.content
    assert "lifecycle_reason" not in sent.json()
    posted = web(cast.rep).post(
        f"/contacts/{ada.pk}/stage/", {"lifecycle_stage": "customer", "lifecycle_reason": "bought"}
    )
    assert posted.status_code == 302
    run_of: Any = SimpleNamespace(key="k1", contact_id=ada.pk, actor=Actor("automation", 7))
    _set_stage(run_of, {"stage": "former", "reason": "silent for a year"})
    job = ImportJob.objects.create(
        owner=cast.rep,
        team=cast.north,
        object="contacts",
        file_name="a.csv",
        file=ContentFile(b"email,stage\nada@x.example,customer\n", "a.csv"),
        columns=["email", "stage"],
        mapping={"email": "email", "stage": "lifecycle_stage"},
        encoding="utf-8",
        delimiter=",",
        status="queued",
    )
    assert run(job.pk) == "done"
    token = LifecycleChange.objects.get(to_stage="opportunity").actor_id
    assert changes(ada) == [
        ("subscriber", "lead", "user", cast.rep.pk, "signed up"),
        ("lead", "qualified", "user", cast.rep.pk, "call"),
        ("qualified", "opportunity", "token", token, "asked"),
        ("opportunity", "customer", "user", cast.rep.pk, "bought"),
        ("customer", "former", "automation", 7, "silent for a year"),
        ("former", "customer", "import", job.pk, ""),
    ]
    assert web(cast.rep).get(f"/contacts/{ada.pk}/lifecycle/").content.decode().count("part-note") == 6
    listed = api(cast.rep).get("/api/v1/lifecycle-changes/", {"contact": ada.pk, "to_stage": "former"}).json()
    assert [row["actor"] for row in listed["results"]] == [{"kind": "automation", "id": "7"}]
    assert api(cast.rep2).get("/api/v1/lifecycle-changes/").json()["results"] == []


def test_a_reason_that_is_too_long_changes_nothing(cast: Cast, actor: As, web: Callable[..., Client]) -> None:
    ada = ContactFactory(owner=cast.rep)
    with pytest.raises(DomainError) as error:
        contact_update(
            contact=ada,
            data={"lifecycle_stage": "former", "lifecycle_reason": "x" * 301},
            actor=actor(cast.rep),
        )
    assert [(e.field, e.code) for e in error.value.errors] == [("lifecycle_reason", "max_length")]
    sent = {"lifecycle_stage": "former", "lifecycle_reason": "why", "version": 7}
    stale = web(cast.rep).post(f"/contacts/{ada.pk}/stage/", sent)
    assert (stale.status_code, 'value="why"' in stale.content.decode()) == (422, True)
    ada.refresh_from_db()
    assert (ada.lifecycle_stage, changes(ada)) == ("lead", [])


def test_since_when_can_be_asked(cast: Cast, actor: As, api: Callable[..., APIClient]) -> None:
    old, new = ContactFactory(owner=cast.rep), ContactFactory(owner=cast.rep)
    long_ago = timezone.now() - dt.timedelta(days=90)
    Pulse.objects.update(stage_since=long_ago)
    contact_update(contact=new, data={"lifecycle_stage": "customer"}, actor=actor(cast.rep))
    new.refresh_from_db()
    assert timezone.now() - new.pulse.stage_since < dt.timedelta(minutes=1)
    contact_update(contact=old, data={"first_name": "Old"}, actor=actor(cast.rep))
    condition = {"field": "pulse.stage_since", "op": "before", "value": {"ago": {"days": 30}}}
    client = api(cast.rep)
    found = client.get("/api/v1/contacts/", {"conditions": json.dumps(condition)})
    assert found.status_code == 200, found.content
    assert [row["id"] for row in found.json()["results"]] == [str(old.pk)]
    before = (timezone.now() - dt.timedelta(days=1)).isoformat()
    filtered = client.get("/api/v1/contacts/", {"pulse__stage_since__lt": before}).json()["results"]
    assert [row["id"] for row in filtered] == [str(old.pk)]
    assert client.get(f"/api/v1/contacts/{old.pk}/").json()["pulse"]["stage_since"] is not None
