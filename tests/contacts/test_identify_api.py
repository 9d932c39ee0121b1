"""``identify/``: who a visitor is."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.test import APIClient

from contacts.models import Activity, Contact, IdentityAlias, Pulse
from tests.conftest import Cast
from tests.contacts.test_events_api import event
from tests.factories.contacts import ContactFactory
from tests.factories.fields import custom_texts

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
URL = "/api/v1/identify/"


@pytest.fixture(autouse=True)
def _fields(db: None) -> None:
    custom_texts("plan")


@pytest.fixture
def client(api: Api, cast: Cast) -> APIClient:
    return api(cast.integrator, ["events:write"])


def test_a_visitor_becomes_a_customer_with_their_history(client: APIClient, drain: Callable[[], int]) -> None:
    for number in range(3):
        client.post(
            "/api/v1/events/", event(f"m{number}", contact={"anonymous_id": "a"}, properties={"amount": 5})
        )
    body = {
        "anonymous_id": "a",
        "contact": {"external_id": "C-9"},
        "traits": {"first_name": "Ada", "email": "ADA@customer.example", "custom": {"plan": "pro"}},
    }
    response = client.post(URL, body)
    assert response.status_code == 201
    contact = Contact.objects.get()
    assert response.json() == {"contact": str(contact.pk), "created": True, "aliased": True}
    assert (contact.external_id, contact.first_name, contact.email) == ("C-9", "Ada", "ada@customer.example")
    assert contact.custom == {"plan": "pro"}
    assert (contact.owner_id, contact.lifecycle_stage) == (None, "subscriber")
    drain()
    assert Activity.objects.filter(kind="order.placed", contact_id=contact.pk).count() == 3
    assert Activity.objects.get(kind="contact.stitched").payload == {"anonymous_ids": ["a"], "count": 3}
    assert Pulse.objects.get(pk=contact.pk).revenue == Decimal("15.00")
    again = client.post(URL, body)
    assert (again.status_code, again.json()["aliased"]) == (200, False)
    drain()
    assert Activity.objects.filter(kind__in=["contact.identified", "contact.stitched"]).count() == 2


def test_a_customer_known_by_email_gets_the_external_id(client: APIClient) -> None:
    contact = ContactFactory(email="ada@customer.example")
    body = {"contact": {"external_id": "C-9", "email": "ada@customer.example"}}
    assert client.post(URL, body).json() == {"contact": str(contact.pk), "created": False, "aliased": False}
    contact.refresh_from_db()
    assert contact.external_id == "C-9"
    assert client.post(URL, {"contact": {"external_id": "C-9"}}).json()["contact"] == str(contact.pk)


def test_both_names_make_one_new_customer(client: APIClient) -> None:
    assert client.post(URL, {"contact": {"external_id": "x", "email": "x@y.example"}}).status_code == 201
    assert Contact.objects.values_list("external_id", "email").get() == ("x", "x@y.example")


def test_names_of_two_customers_are_a_conflict(client: APIClient) -> None:
    ContactFactory(external_id="one")
    two = ContactFactory(external_id="two", email="two@customer.example")
    for external_id in ("one", "three"):
        body = {"contact": {"external_id": external_id, "email": two.email}, "traits": {"first_name": "X"}}
        response = client.post(URL, body)
        assert (response.status_code, response.json()["errors"][0]["code"]) == (409, "two_customers")
    assert not Contact.objects.filter(first_name="X").exists()
    assert Contact.objects.count() == 2


def test_an_alias_belongs_to_one_customer(client: APIClient) -> None:
    one = ContactFactory(external_id="one")
    IdentityAlias.objects.create(anonymous_id="a", contact=one)
    body = {"anonymous_id": "a", "contact": {"external_id": "two"}, "traits": {"first_name": "X"}}
    response = client.post(URL, body)
    assert (response.status_code, response.json()["errors"][0]["code"]) == (409, "alias_taken")
    assert Contact.objects.count() == 1
    assert Activity.objects.count() == 0


BAD: list[tuple[Any, str]] = [
    ([], "non_field_errors"),
    ({}, "contact"),
    ({"contact": "C-1"}, "contact"),
    ({"contact": {"phone": "1"}}, "contact"),
    ({"contact": {"email": "no"}}, "contact.email"),
    ({"contact": {"external_id": 7}}, "contact.external_id"),
    ({"contact": {"external_id": "C"}, "anonymous_id": ""}, "anonymous_id"),
    ({"contact": {"external_id": "C"}, "anonymous_id": 5}, "anonymous_id"),
    ({"contact": {"external_id": "C"}, "traits": []}, "traits"),
    ({"contact": {"external_id": "C"}, "traits": {"shoe_size": 43}}, "traits.shoe_size"),
    ({"contact": {"external_id": "C"}, "traits": {"email": "no"}}, "traits.email"),
    ({"contact": {"external_id": "C"}, "more": 1}, "more"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
def test_bad_input_is_named_and_writes_nothing(client: APIClient, body: Any, field: str) -> None:
    response = client.post(URL, body, format="json")
    assert response.status_code == 400, response.content
    assert [e["field"] for e in response.json()["errors"]] == [field]
    assert Contact.objects.count() == 0
    assert Activity.objects.count() == 0


def test_the_person_must_be_allowed(api: Api, cast: Cast) -> None:
    body = {"anonymous_id": "a", "contact": {"external_id": "C"}}
    assert api(None).post(URL, body).status_code == 401
    assert api(cast.readonly).post(URL, body).status_code == 403
    assert api(cast.integrator, ["contacts:write"]).post(URL, body).status_code == 403
    assert Contact.objects.count() == 0


def test_a_hidden_customer_is_a_missing_one(api: Api, cast: Cast) -> None:
    role = cast.rep.role
    assert role is not None
    role.scopes = [*role.scopes, "events:write"]
    role.save()
    ContactFactory(external_id="theirs", owner=cast.rep2, team=cast.south)
    answers = [
        api(cast.rep).post(
            URL, {"anonymous_id": "a", "contact": {"external_id": name}, "traits": {"first_name": "X"}}
        )
        for name in ("theirs", "nobody")
    ]
    assert [a.status_code for a in answers] == [400, 400]
    assert answers[0].json() == answers[1].json()
    assert not Contact.objects.filter(first_name="X").exists()
    assert IdentityAlias.objects.count() == 0
