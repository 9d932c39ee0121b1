"""Several addresses, numbers and ids of one person, whichever way they come in."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.http import Http404
from django.test import Client
from rest_framework.test import APIClient

from contacts.models import Activity, Contact, ContactPoint
from contacts.services.contacts import contact_create, contact_update
from contacts.services.identify import identify
from contacts.services.points import point_add, point_remove, point_update
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError, NotAllowed, StaleWrite
from crmcem.workspace.models import User
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory

As = Callable[[User], Actor]
pytestmark = pytest.mark.django_db


def points(contact: Contact) -> list[tuple[str, str, bool]]:
    rows = ContactPoint.objects.filter(contact=contact).order_by("kind", "id")
    return list(rows.values_list("kind", "value", "is_primary"))


def codes(error: Any) -> list[tuple[str, str]]:
    return [(e.field, e.code) for e in error.value.errors]


@pytest.fixture
def ada(cast: Cast, actor: As) -> Contact:
    return contact_create(data={"first_name": "Ada", "email": "ada@x.example"}, actor=actor(cast.rep))


def add(ada: Contact, me: Actor, kind: str, value: str, **more: Any) -> ContactPoint:
    return point_add(data={"contact": ada, "kind": kind, "value": value, **more}, actor=me)


def test_the_first_of_its_kind_is_the_primary_one(cast: Cast, actor: As, ada: Contact) -> None:
    me = actor(cast.rep)
    add(ada, me, "phone", "+49 30 123456", label="work")
    add(ada, me, "email", " Ada@Work.Example ")
    ada.refresh_from_db()
    assert (ada.phone, ada.email, ada.version) == ("+4930123456", "ada@x.example", 2)
    assert points(ada) == [
        ("email", "ada@x.example", True),
        ("email", "ada@work.example", False),
        ("phone", "+4930123456", True),
    ]
    told = Activity.objects.filter(kind="contact.updated").order_by("id")
    assert [row.payload for row in told] == [
        {"fields": ["points"], "changes": {"phone": [None, "+4930123456"]}},
        {"fields": ["points"]},
    ]


def test_another_becomes_the_primary_one_and_the_old_stays(cast: Cast, actor: As, ada: Contact) -> None:
    me = actor(cast.rep)
    second = add(ada, me, "email", "ada@work.example")
    point_update(point=second, data={"is_primary": True}, actor=me)
    ada.refresh_from_db()
    assert ada.email == "ada@work.example"
    assert points(ada) == [("email", "ada@x.example", False), ("email", "ada@work.example", True)]
    changed = point_update(point=second, data={"value": "Ada@New.example", "label": "work"}, actor=me)
    ada.refresh_from_db()
    assert (ada.email, changed.label, changed.version) == ("ada@new.example", "work", 3)
    point_remove(point=changed, actor=me)
    ada.refresh_from_db()
    assert ada.email == "ada@x.example"
    assert points(ada) == [("email", "ada@x.example", True)]
    point_remove(point=ada.points.get(), actor=me)
    ada.refresh_from_db()
    assert (ada.email, points(ada)) == (None, [])


def test_the_last_name_of_somebody_can_not_go(cast: Cast, actor: As) -> None:
    me = actor(cast.rep)
    nobody = contact_create(data={"email": "only@x.example"}, actor=me)
    with pytest.raises(DomainError):
        point_remove(point=nobody.points.get(), actor=me)
    assert points(nobody) == [("email", "only@x.example", True)]


def test_what_another_has_is_taken(cast: Cast, actor: As, ada: Contact) -> None:
    me = actor(cast.rep)
    contact_create(data={"email": "bob@x.example", "external_id": "B-1"}, actor=me)
    contact_create(data={"email": "eve@x.example"}, actor=actor(cast.rep2))
    for kind, value in (
        ("email", "BOB@x.example"),
        ("external_id", "B-1"),
        ("email", "eve@x.example"),
        ("email", "ada@x.example"),
    ):
        with pytest.raises(DomainError) as error:
            add(ada, me, kind, value)
        assert error.value.errors[0].field == "value"
        assert "Eve" not in error.value.errors[0].detail
    with pytest.raises(DomainError) as error:
        add(ada, me, "phone", "12")
    assert codes(error) == [("value", "invalid")]
    with pytest.raises(DomainError) as error:
        add(ada, me, "fax", "12")
    assert codes(error) == [("kind", "invalid_choice")]
    assert points(ada) == [("email", "ada@x.example", True)]


def test_a_further_external_id_names_the_contact_everywhere(
    cast: Cast, actor: As, ada: Contact, api: Callable[..., APIClient], web: Callable[..., Client]
) -> None:
    me = actor(cast.admin)
    add(ada, me, "external_id", "ERP-7", label="erp")
    with pytest.raises(DomainError) as error:
        contact_create(data={"external_id": "ERP-7"}, actor=me)
    assert codes(error) == [("external_id", "unique")]
    bob = contact_create(data={"first_name": "Bob"}, actor=me)
    with pytest.raises(DomainError) as error:
        contact_update(contact=bob, data={"external_id": "ERP-7"}, actor=me)
    assert codes(error) == [("external_id", "unique")]
    found = identify(actor=me, contact={"external_id": "ERP-7"}, traits={"job_title": "Countess"})
    assert (found.contact.pk, found.created) == (ada.pk, False)
    sent = api(cast.admin).post(
        "/api/v1/events/",
        {
            "message_id": "m1",
            "event": "order.placed",
            "contact": {"external_id": "ERP-7"},
            "occurred_at": "2026-01-01T00:00:00Z",
        },
        format="json",
    )
    assert sent.status_code < 300, sent.content
    assert Activity.objects.get(kind="order.placed").contact_id == ada.pk
    operation = {"op": "upsert", "match": {"external_id": "ERP-7"}, "data": {"first_name": "Augusta"}}
    api(cast.admin).post("/api/v1/contacts/bulk/", {"operations": [operation]}, format="json")
    ada.refresh_from_db()
    assert (ada.first_name, Contact.objects.count()) == ("Augusta", 2)
    assert "Augusta" in web(cast.admin).get("/contacts/", {"search": "ERP-7"}).content.decode()


def test_who_may_not_changes_nothing(cast: Cast, actor: As, ada: Contact) -> None:
    point = ada.points.get()
    with pytest.raises(NotAllowed):
        point_remove(point=point, actor=actor(cast.readonly))
    with pytest.raises(Http404):
        point_update(point=point, data={"value": "a@b.example"}, actor=actor(cast.rep2))
    with pytest.raises(StaleWrite):
        point_update(point=point, data={"label": "x"}, actor=actor(cast.rep), expected_version=5)
    with pytest.raises(DomainError):
        point_update(point=point, data={"is_primary": False}, actor=actor(cast.rep))
    assert points(ada) == [("email", "ada@x.example", True)]


def test_the_api(cast: Cast, ada: Contact, api: Callable[..., APIClient]) -> None:
    client = api(cast.rep)
    made = client.post(
        "/api/v1/contact-points/",
        {"contact": str(ada.pk), "kind": "email", "value": "A@B.example", "is_primary": True},
        format="json",
    )
    assert made.status_code == 201, made.content
    assert made.json()["value"] == "a@b.example"
    rows = client.get("/api/v1/contact-points/", {"contact": ada.pk, "kind": "email"}).json()["results"]
    assert [(row["value"], row["is_primary"]) for row in rows] == [
        ("a@b.example", True),
        ("ada@x.example", False),
    ]
    url = f"/api/v1/contact-points/{made.json()['id']}/"
    refused = client.patch(url, {"kind": "phone"}, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "fixed")
    assert client.delete(url).status_code == 204
    assert client.get(f"/api/v1/contacts/{ada.pk}/").json()["email"] == "ada@x.example"


def test_the_panel_and_its_form(cast: Cast, ada: Contact, web: Callable[..., Client]) -> None:
    client = web(cast.rep)
    base = f"/contacts/{ada.pk}/points/"
    bad = client.post(f"{base}new/", {"kind": "email", "value": "nobody"})
    assert bad.status_code == 422
    assert 'value="nobody"' in bad.content.decode()
    assert client.post(f"{base}new/", {"kind": "phone", "value": "+4930123457"}).status_code == 302
    assert "+4930123457" in client.get(base).content.decode()
    point = ada.points.get(kind="email")
    assert client.get(f"{base}{point.pk}/").status_code == 200
    saved = client.post(
        f"{base}{point.pk}/", {"kind": "email", "value": "ada@y.example", "label": "home", "version": 1}
    )
    assert saved.status_code == 302
    ada.refresh_from_db()
    assert ada.email == "ada@y.example"
    assert client.post(f"{base}{point.pk}/remove/").status_code == 302
    assert points(ada) == [("phone", "+4930123457", True)]


@pytest.mark.django_db(transaction=True)
def test_one_external_id_is_given_once_whoever_is_first(cast: Cast, actor: As) -> None:
    rows = [ContactFactory(owner=cast.rep) for _n in range(3)]

    def further(row: Contact) -> str:
        try:
            add(row, actor(cast.rep), "external_id", "X-1")
            return "ok"
        except DomainError:
            return "taken"
        finally:
            connection.close()

    def own(_row: Contact) -> str:
        try:
            contact_create(data={"external_id": "X-1"}, actor=actor(cast.rep))
            return "ok"
        except DomainError:
            return "taken"
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        ends = [pool.submit(each, row) for row in rows for each in (further, own)]
    assert sorted(end.result() for end in ends) == ["ok", *["taken"] * 5]
