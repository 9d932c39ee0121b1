"""``events/`` and ``events/batch/``: once per message, whomever they are about, however late."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from contacts.models import Activity, Contact, ContactPoint, EventKey, IdentityAlias, Pulse
from contacts.services.event_input import RESERVED
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
BATCH = "/api/v1/events/batch/"


def event(message_id: str = "m1", **values: Any) -> dict[str, Any]:
    return {
        "message_id": message_id,
        "event": "order.placed",
        "occurred_at": "2026-01-31T12:00:00Z",
        "contact": {"external_id": "C-1"},
        "properties": {"amount": 12.5},
    } | values


@pytest.fixture
def client(api: Api, cast: Cast) -> APIClient:
    return api(cast.integrator)


def test_an_event_lands_on_the_contact_with_everything_it_said(client: APIClient) -> None:
    contact = ContactFactory(external_id="C-1", company=CompanyFactory())
    response = client.post("/api/v1/events/", event(properties={"amount": 12.5, "items": ["a", {"b": None}]}))
    assert response.status_code == 201
    assert response.json() == {"accepted": 1, "duplicates": 0, "rejected": []}
    activity = Activity.objects.get()
    assert activity.kind == "order.placed"
    assert activity.occurred_at == dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
    assert (activity.contact_id, activity.company_id) == (contact.pk, contact.company_id)
    assert activity.payload == {"amount": 12.5, "items": ["a", {"b": None}]}
    assert (activity.actor_kind, activity.anonymous_id) == ("token", None)
    assert timezone.now() - activity.received_at < dt.timedelta(minutes=1)
    again = client.post("/api/v1/events/", event(properties={"amount": 99}))
    assert (again.status_code, again.json()["duplicates"]) == (200, 1)
    assert Activity.objects.count() == 1


def test_a_batch_counts_each_message_once(client: APIClient) -> None:
    ContactFactory(external_id="C-1")
    first = client.post(BATCH, {"events": [event("a"), event("b"), event("a")]}).json()
    assert first == {"accepted": 2, "duplicates": 1, "rejected": []}
    second = client.post(BATCH, [event("b"), event("c")]).json()
    assert second == {"accepted": 1, "duplicates": 1, "rejected": []}
    assert Activity.objects.filter(kind="order.placed").count() == 3
    assert EventKey.objects.count() == 3


def test_message_ids_of_two_senders_do_not_meet(api: Api, cast: Cast) -> None:
    ContactFactory(external_id="C-1")
    for _ in range(2):
        assert api(cast.integrator).post("/api/v1/events/", event()).status_code == 201
    assert Activity.objects.count() == 2


def test_contacts_are_found_by_external_id_email_second_address_and_alias(client: APIClient) -> None:
    one = ContactFactory(external_id="C-1")
    two = ContactFactory(email="two@customer.example")
    ContactPoint.objects.create(contact=two, kind="email", value="second@customer.example")
    IdentityAlias.objects.create(anonymous_id="anon-1", contact=one)
    named = [
        {"external_id": "C-1"},
        {"email": " TWO@Customer.example"},
        {"email": "second@customer.example"},
        {"anonymous_id": "anon-1"},
        {"anonymous_id": "anon-2"},
    ]
    answer = client.post(BATCH, [event(f"m{i}", contact=who) for i, who in enumerate(named)]).json()
    assert answer == {"accepted": 5, "duplicates": 0, "rejected": []}
    rows = Activity.objects.order_by("id").values_list("contact_id", "anonymous_id")
    assert list(rows) == [
        (one.pk, None),
        (two.pk, None),
        (two.pk, None),
        (one.pk, "anon-1"),
        (None, "anon-2"),
    ]
    assert Contact.objects.count() == 2


def test_unknown_customers_are_made_with_all_that_belongs_to_them(client: APIClient) -> None:
    sent = [
        event("a", contact={"external_id": "new-1"}),
        event("b", contact={"email": "New@Customer.example"}),
        event("c", contact={"external_id": "new-1"}),
    ]
    assert client.post(BATCH, sent).json()["accepted"] == 3
    by_id, by_mail = Contact.objects.order_by("external_id")
    assert (by_id.external_id, by_id.email, by_id.lifecycle_stage) == ("new-1", None, "subscriber")
    assert (by_mail.external_id, by_mail.email) == (None, "new@customer.example")
    assert set(Pulse.objects.values_list("contact_id", "lifecycle_stage")) == {
        (by_id.pk, "subscriber"),
        (by_mail.pk, "subscriber"),
    }
    assert list(ContactPoint.objects.values_list("contact_id", "value", "is_primary")) == [
        (by_mail.pk, "new@customer.example", True)
    ]
    kinds = Activity.objects.order_by("id").values_list("kind", "contact_id")
    assert sorted(kinds) == sorted(
        [("contact.created", by_id.pk), ("contact.created", by_mail.pk)]
        + [("order.placed", by_id.pk)] * 2
        + [("order.placed", by_mail.pk)]
    )


def test_late_events_are_welcome_and_future_ones_are_not(client: APIClient) -> None:
    now = timezone.now()
    times = {
        "years late": (now - dt.timedelta(days=3000)).isoformat(),
        "a little ahead": (now + dt.timedelta(minutes=50)).isoformat(),
        "ahead": (now + dt.timedelta(minutes=70)).isoformat(),
        "no zone": "2026-01-31T12:00:00",
        "too early": "1776-07-04T12:00:00Z",
        "no time": "yesterday",
        "a number": 1769860800,
    }
    answer = client.post(BATCH, [event(key, occurred_at=value) for key, value in times.items()]).json()
    assert answer["accepted"] == 2
    found = {
        item["index"]: (item["errors"][0]["field"], item["errors"][0]["code"]) for item in answer["rejected"]
    }
    assert found == {
        2: ("occurred_at", "future"),
        3: ("occurred_at", "invalid"),
        4: ("occurred_at", "invalid"),
        5: ("occurred_at", "invalid"),
        6: ("occurred_at", "invalid"),
    }


BAD: list[tuple[Any, str, str]] = [
    ("text", "non_field_errors", "invalid"),
    (None, "non_field_errors", "invalid"),
    (event(message_id=""), "message_id", "invalid"),
    (event(message_id="x" * 201), "message_id", "invalid"),
    (event(message_id=7), "message_id", "invalid"),
    (event(event="Order Placed"), "event", "invalid"),
    (event(event="order..placed"), "event", "invalid"),
    (event(event="x" * 81), "event", "invalid"),
    (event(event=["a"]), "event", "invalid"),
    (event(event="deal.won"), "event", "reserved"),
    (event(event="contact"), "event", "reserved"),
    (event(contact=None), "contact", "invalid"),
    (event(contact={}), "contact", "invalid"),
    (event(contact={"phone": "1"}), "contact", "invalid"),
    (event(contact={"external_id": "a", "email": "a@b.example"}), "contact", "ambiguous"),
    (event(contact={"external_id": ""}), "contact.external_id", "invalid"),
    (event(contact={"external_id": 5}), "contact.external_id", "invalid"),
    (event(contact={"external_id": "x" * 201}), "contact.external_id", "invalid"),
    (event(contact={"email": "no address"}), "contact.email", "invalid"),
    (event(contact={"email": "a@b.example\nBcc: c@d.example"}), "contact.email", "invalid"),
    (event(contact={"anonymous_id": None}), "contact.anonymous_id", "invalid"),
    (event(properties=[1]), "properties", "invalid"),
    (event(properties={"a": "x" * 33_000}), "properties", "too_large"),
    (event(proprties={}), "proprties", "unknown_field"),
]


@pytest.mark.parametrize(("bad", "field", "code"), BAD)
def test_a_bad_event_is_named_and_harms_no_other(client: APIClient, bad: Any, field: str, code: str) -> None:
    answer = client.post(BATCH, [bad, event("good")]).json()
    assert answer["accepted"] == 1
    [rejected] = answer["rejected"]
    assert rejected["index"] == 0
    assert [(e["field"], e["code"]) for e in rejected["errors"]] == [(field, code)]
    assert rejected["errors"][0]["detail"]
    assert Activity.objects.filter(kind="order.placed").count() == 1
    single = client.post("/api/v1/events/", bad, format="json")
    assert (single.status_code, single.headers["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.parametrize("body", ["text", {"events": "x"}, {"events": [], "more": 1}, 5, {}])
def test_a_batch_of_another_shape_is_refused(client: APIClient, body: Any) -> None:
    response = client.post(BATCH, body, format="json")
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "events"


def test_a_batch_is_bounded(client: APIClient) -> None:
    response = client.post(BATCH, [{}] * 10_001, format="json")
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "too_many")
    assert client.post(BATCH, [], format="json").json() == {"accepted": 0, "duplicates": 0, "rejected": []}


def test_a_rejected_event_can_be_sent_again_mended(client: APIClient) -> None:
    assert client.post(BATCH, [event("m", event="Bad Name")]).json()["accepted"] == 0
    assert client.post(BATCH, [event("m")]).json()["accepted"] == 1


def test_the_scope_is_needed_and_nothing_is_written_without_it(api: Api, cast: Cast) -> None:
    ContactFactory(external_id="C-1")
    assert api(None).post("/api/v1/events/", event()).status_code == 401
    assert api(cast.readonly).post("/api/v1/events/", event()).status_code == 403
    assert api(cast.integrator, ["contacts:write"]).post(BATCH, [event()]).status_code == 403
    assert Activity.objects.count() == 0
    assert EventKey.objects.count() == 0


def test_who_sees_own_customers_reaches_no_other_and_learns_nothing(api: Api, cast: Cast) -> None:
    role = cast.rep.role
    assert role is not None
    role.scopes = [*role.scopes, "events:write"]
    role.save()
    ContactFactory(external_id="mine", owner=cast.rep, team=cast.north)
    ContactFactory(external_id="theirs", email="theirs@customer.example", owner=cast.rep2, team=cast.south)
    named = [
        {"external_id": "mine"},
        {"external_id": "theirs"},
        {"external_id": "nobody"},
        {"email": "theirs@customer.example"},
        {"email": "nobody@customer.example"},
        {"anonymous_id": "anon"},
    ]
    answer = api(cast.rep).post(BATCH, [event(f"m{i}", contact=who) for i, who in enumerate(named)]).json()
    assert answer["accepted"] == 1
    errors = {item["index"]: item["errors"] for item in answer["rejected"]}
    assert sorted(errors) == [1, 2, 3, 4, 5]
    assert errors[1] == errors[2] == errors[3] == errors[4]
    assert errors[1][0]["code"] == "does_not_exist"
    assert errors[5][0]["code"] == "not_allowed"
    assert Contact.objects.count() == 2
    assert Activity.objects.count() == 1
    assert EventKey.objects.count() == 1


def test_the_number_of_statements_does_not_grow_with_the_batch(client: APIClient) -> None:
    client.post(BATCH, [event()])  # the token's last use is noted once
    counts = []
    for size in (1, 300):
        body = [event(f"{size}-{i}", contact={"external_id": f"{size}-{i}"}) for i in range(size)]
        with CaptureQueriesContext(connection) as queries:
            assert client.post(BATCH, body).json()["accepted"] == size
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[1] <= 12


def test_events_of_known_customers_take_one_statement(client: APIClient) -> None:
    company = CompanyFactory()
    contacts = [ContactFactory(external_id=f"C-{n}", company=company if n % 2 else None) for n in range(4)]
    client.post(BATCH, [event("warm")])  # the token's last use is noted once
    body = [event(f"m{n}", contact={"external_id": f"C-{n % 4}"}) for n in range(12)]
    with CaptureQueriesContext(connection) as queries:
        assert client.post(BATCH, body).json() == {"accepted": 12, "duplicates": 0, "rejected": []}
    written = [query["sql"] for query in queries if "contacts_" in query["sql"]]
    assert len(written) == 1
    assert len(queries) == 2, "the token, and the events"
    rows = Activity.objects.order_by("id").values_list("contact_id", "company_id")[1:]
    assert list(rows) == [(contacts[n % 4].pk, company.pk if n % 2 else None) for n in range(12)]


def test_one_unknown_customer_among_known_ones_doubles_nothing_and_keeps_the_order(client: APIClient) -> None:
    known = ContactFactory(external_id="C-1")
    names = ["C-1", "new", "C-1", "new", "C-1"]
    body = [event(f"m{n}", contact={"external_id": name}) for n, name in enumerate(names)]
    assert client.post(BATCH, [body[2]]).json()["accepted"] == 1
    assert client.post(BATCH, body).json() == {"accepted": 4, "duplicates": 1, "rejected": []}
    new = Contact.objects.get(external_id="new")
    rows = Activity.objects.filter(kind="order.placed").order_by("id").values_list("contact_id", flat=True)
    assert list(rows) == [known.pk, known.pk, new.pk, new.pk, known.pk]
    assert EventKey.objects.count() == 5
    assert Activity.objects.filter(kind="contact.created", contact_id=new.pk).count() == 1
    assert client.post(BATCH, body).json() == {"accepted": 0, "duplicates": 5, "rejected": []}


HARD = [
    "a\x1fb",
    "quote ' double \" back \\ slash",
    "\\x1f",
    "tab\tline\nreturn\r",
    "{braces, commas}",
    "Ünïcödé 漢字 🎉",
    "NULL",
    "%s %(digests)s",
]


def test_whatever_a_text_holds_stays_in_its_place(client: APIClient) -> None:
    for name in ("O'Neill", 'say "hi"', "back\\slash", "Zoë 漢字", "two words", "{a,b}", "NULL", "%s"):
        ContactFactory(external_id=name)
    names = list(Contact.objects.order_by("id").values_list("external_id", "id"))
    body = [
        event(text, contact={"external_id": f" {name} "}, properties={text: text, "n": n})
        for n, (text, (name, _pk)) in enumerate(zip(HARD, names, strict=True))
    ]
    assert client.post(BATCH, body).json() == {"accepted": 8, "duplicates": 0, "rejected": []}
    rows = Activity.objects.order_by("id").values_list("contact_id", "payload")
    assert list(rows) == [
        (pk, {text: text, "n": n}) for n, (text, (_name, pk)) in enumerate(zip(HARD, names, strict=True))
    ]
    assert Contact.objects.count() == 8
    assert client.post(BATCH, body).json()["duplicates"] == 8


def test_no_name_of_a_customer_brings_a_control_character_in(client: APIClient) -> None:
    """Columns are parted by one. It is a blank to Python, so it is cleaned away like any other."""
    contact = ContactFactory(external_id="a b")
    sent = [event("1", contact={"external_id": "a\x1fb\x1f"}), event("2", contact={"external_id": "a\x7fb"})]
    answer = client.post(BATCH, sent).json()
    assert (answer["accepted"], [r["index"] for r in answer["rejected"]]) == (1, [1])
    assert client.post(BATCH, [event("3", contact={"anonymous_id": "x\x1fy"})]).json()["accepted"] == 1
    rows = Activity.objects.order_by("id").values_list("contact_id", "anonymous_id")
    assert list(rows) == [(contact.pk, None), (None, "x y")]


def test_every_kind_that_the_house_writes_is_reserved() -> None:
    for kind in (
        "contact.identified",
        "deal.won",
        "survey.answered",
        "case.opened",
        "automation.done",
        "task.done",
    ):
        assert kind.split(".")[0] in RESERVED
