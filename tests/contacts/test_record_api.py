"""contacts/, companies/, interactions/ and tasks/ as integrators see them."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from contacts.models import Activity, Company, Contact, Interaction, Pulse, Task
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, InteractionFactory, TaskFactory
from tests.factories.fields import custom_texts

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
BASE = "/api/v1"


@pytest.fixture(autouse=True)
def _fields(db: None) -> None:
    custom_texts("plan")
    custom_texts("a", "b", type="number")


NO_PULSE = {
    "nps": None,
    "nps_at": None,
    "csat": None,
    "csat_at": None,
    "ces": None,
    "ces_at": None,
    "sentiment": None,
    "sentiment_at": None,
    "open_cases": 0,
    "health": None,
    "health_at": None,
    "churn_risk": None,
    "churn_risk_at": None,
    "clv": None,
    "clv_at": None,
    "orders": 0,
    "revenue": {"amount": "0.00", "currency": "EUR"},
    "customer_since": None,
    "last_seen_at": None,
    "last_touched_at": None,
    "next_activity_at": None,
}


def errors(response: Any) -> list[tuple[str, str]]:
    assert response["Content-Type"] == "application/problem+json"
    return [(e["field"], e["code"]) for e in response.json()["errors"]]


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]


class TestContacts:
    def test_create_answers_the_whole_record(self, cast: Cast, api: Api) -> None:
        company = CompanyFactory(owner=cast.rep)
        body = {
            "external_id": "C-1",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "email": "Ada@Example.com",
            "phone": "+49 30 123456",
            "company": str(company.pk),
            "lifecycle_stage": "customer",
            "tags": ["VIP"],
            "custom": {"plan": "gold"},
            "consent": {"email": {"status": "granted", "at": "2026-01-02T03:04:05Z", "source": "shop"}},
        }
        response = api(cast.rep).post(f"{BASE}/contacts/", body)
        assert response.status_code == 201
        contact = Contact.objects.get()
        data = response.json()
        for stamp in ("created_at", "updated_at"):
            assert dt.datetime.fromisoformat(data.pop(stamp)) == getattr(contact, stamp)
        since = data["pulse"].pop("stage_since")
        assert dt.datetime.fromisoformat(since) == contact.pulse.stage_since
        assert data == {
            "id": str(contact.pk),
            "external_id": "C-1",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "email": "ada@example.com",
            "phone": "+4930123456",
            "job_title": "",
            "birthday": None,
            "company": str(company.pk),
            "owner": str(cast.rep.pk),
            "lifecycle_stage": "customer",
            "tags": ["vip"],
            "custom": {"plan": "gold"},
            "computed": {},
            "consent": {"email": {"status": "granted", "at": "2026-01-02T03:04:05+00:00", "source": "shop"}},
            "language": "",
            "time_zone": "",
            "pulse": NO_PULSE,
            "version": 1,
        }
        assert response["ETag"] == '"1"'
        again = api(cast.rep).get(f"{BASE}/contacts/{contact.pk}/")
        assert again.json() == again.json() | data | {"pulse": NO_PULSE | {"stage_since": since}}
        assert again["ETag"] == '"1"'

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"email": "nobody"}, [("email", "invalid")]),
            ({"email": "a@b.de\r\nBcc: c@d.de"}, [("email", "characters")]),
            ({"first_name": "A", "colour": "red"}, [("colour", "unknown_field")]),
            ({"first_name": "A", "version": 7}, [("version", "read_only")]),
            ({"first_name": "A", "pulse": {"nps": 10}}, [("pulse", "read_only")]),
            ({"first_name": "A", "company": "99999999"}, [("company", "does_not_exist")]),
            ({"first_name": "A", "owner": "x"}, [("owner", "does_not_exist")]),
            ({"first_name": "A", "lifecycle_stage": "king"}, [("lifecycle_stage", "invalid_choice")]),
            ({"first_name": "A", "tags": "x"}, [("tags", "not_a_list")]),
            ({"first_name": "A", "custom": ["x"]}, [("custom", "type")]),
            ({"first_name": "A", "consent": {"fax": "granted"}}, [("consent", "key")]),
            ({"first_name": {"a": 1}}, [("first_name", "invalid")]),
            ({}, [("non_field_errors", "required")]),
        ],
    )
    def test_bad_bodies(
        self, cast: Cast, api: Api, body: dict[str, Any], expected: list[tuple[str, str]]
    ) -> None:
        response = api(cast.rep).post(f"{BASE}/contacts/", body)
        assert response.status_code == 400
        assert errors(response) == expected
        assert not Contact.objects.exists()

    def test_patch_etag_and_lost_update(self, cast: Cast, api: Api) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north, first_name="Ada", custom={"a": 1})
        client, url = api(cast.rep), f"{BASE}/contacts/{contact.pk}/"
        etag = client.get(url)["ETag"]
        first = client.patch(url, {"first_name": "Bea", "custom": {"b": 2}}, headers={"If-Match": etag})
        assert (first.status_code, first["ETag"]) == (200, '"2"')
        assert first.json()["custom"] == {"a": 1, "b": 2}
        second = client.patch(url, {"first_name": "Cleo"}, headers={"If-Match": etag})
        assert second.status_code == 412
        assert Contact.objects.get().first_name == "Bea"
        assert client.patch(url, {"first_name": "Dora"}, headers={"If-Match": "x"}).status_code == 400
        assert client.delete(url).status_code == 403
        assert api(cast.manager).delete(url, headers={"If-Match": '"1"'}).status_code == 412
        assert api(cast.manager).delete(url).status_code == 204
        assert client.get(url).status_code == 404

    def test_hidden_is_missing_and_nothing_changes(self, cast: Cast, api: Api) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north, first_name="Ada")
        url, client = f"{BASE}/contacts/{contact.pk}/", api(cast.rep2)
        missing = client.get(f"{BASE}/contacts/999999999/").json()
        for answer in (
            client.get(url),
            client.patch(url, {"first_name": "X"}),
            client.get(f"{url}timeline/"),
            client.get(f"{BASE}/contacts/abc/"),
        ):
            assert answer.status_code == 404
            assert answer.json() == missing
        assert ids(client.get(f"{BASE}/contacts/")) == []
        assert ids(client.get(f"{BASE}/contacts/", {"search": "Ada"})) == []
        assert ids(client.get(f"{BASE}/contacts/", {"email": contact.email})) == []
        assert api(cast.readonly).patch(url, {"first_name": "X"}).status_code == 403
        assert api(cast.readonly).post(f"{BASE}/contacts/", {"first_name": "X"}).status_code == 403
        assert api(cast.rep, ["contacts:read"]).patch(url, {"first_name": "X"}).status_code == 403
        assert api(None).get(url).status_code == 401
        assert list(Contact.objects.values_list("first_name", "version")) == [("Ada", 1)]

    def test_expand_fields_and_order(self, cast: Cast, api: Api) -> None:
        shown = CompanyFactory(owner=cast.rep, name="Mine")
        hidden = CompanyFactory(owner=cast.rep2, name="Hidden")
        a = ContactFactory(owner=cast.rep, last_name="B", company=shown)
        b = ContactFactory(owner=cast.rep, last_name="A", company=hidden)
        client = api(cast.rep)
        response = client.get(
            f"{BASE}/contacts/",
            {"expand": "company,owner", "fields": "id,company,owner", "ordering": "last_name"},
        )
        rows = response.json()["results"]
        assert [row["id"] for row in rows] == [str(b.pk), str(a.pk)]
        assert rows[0]["company"] == str(hidden.pk)
        assert (rows[1]["company"]["name"], rows[1]["owner"]["username"]) == ("Mine", "rep")
        assert set(rows[0]) == {"id", "company", "owner"}
        for query in ({"expand": "team"}, {"fields": "secret"}, {"ordering": "custom"}, {"colour": "red"}):
            assert client.get(f"{BASE}/contacts/", query).status_code == 400

    def test_filters(self, cast: Cast, api: Api) -> None:
        company = CompanyFactory(owner=cast.rep)
        happy = ContactFactory(owner=cast.rep, tags=["vip", "new"], pulse={"nps": 10}, company=company)
        angry = ContactFactory(
            owner=cast.rep,
            lifecycle_stage="customer",
            pulse={"nps": 2, "open_cases": 3},
            custom={"plan": "gold"},
        )
        silent = ContactFactory(owner=cast.rep)
        client = api(cast.rep)

        def found(**query: str) -> set[str]:
            return set(ids(client.get(f"{BASE}/contacts/", query)))

        everyone = {str(c.pk) for c in (happy, angry, silent)}
        assert found(tag="vip") == found(tag="NEW,vip") == {str(happy.pk)}
        assert found(company=str(company.pk)) == {str(happy.pk)}
        assert found(company="none") == {str(angry.pk), str(silent.pk)}
        assert found(owner="me") == everyone
        assert found(owner=str(cast.rep2.pk)) == set()
        assert found(lifecycle_stage="customer") == {str(angry.pk)}
        assert found(lifecycle_stage__in="customer,lead") == everyone
        assert found(pulse__nps__lte="6") == {str(angry.pk)}
        assert found(pulse__nps__isnull="true") == {str(silent.pk)}
        assert found(pulse__open_cases__gte="1") == {str(angry.pk)}
        assert found(created_at__gte="2020-01-01T00:00:00Z") == everyone
        assert found(created_at__lt="2020-01-01T00:00:00Z") == set()
        assert found(email=str(happy.email).upper()) == {str(happy.pk)}
        conditions = {"any": [{"field": "pulse.nps", "op": "gte", "value": 9}]}
        assert found(conditions=json.dumps(conditions)) == {str(happy.pk)}
        custom = {"field": "custom.plan", "op": "eq", "value": "gold"}
        assert found(conditions=json.dumps(custom)) == {str(angry.pk)}

    @pytest.mark.parametrize(
        "query",
        [
            {"pulse__nps__gte": "many"},
            {"owner": "x"},
            {"created_at__gte": "yesterday"},
            {"lifecycle_stage": "king"},
            {"conditions": "{"},
            {"conditions": '{"field": "password", "op": "eq", "value": "x"}'},
            {"segment": "1"},
            {"page_size": "201"},
            {"cursor": "x"},
            {"email": "a\x00b"},
        ],
    )
    def test_bad_filters(self, cast: Cast, api: Api, query: dict[str, str]) -> None:
        response = api(cast.rep).get(f"{BASE}/contacts/", query)
        assert response.status_code == 400, response.content
        assert len(errors(response)) == 1

    @pytest.mark.parametrize("n", [5, 50])
    def test_query_count(self, cast: Cast, api: Api, django_assert_max_num_queries: Any, n: int) -> None:
        companies = [CompanyFactory(owner=cast.rep) for _ in range(n)]
        for company in companies:
            contact = ContactFactory(owner=cast.rep, company=company)
            InteractionFactory(owner=cast.rep, contact=contact)
            TaskFactory(owner=cast.rep, contact=contact)
        client = api(cast.rep)
        client.get(f"{BASE}/contacts/")
        for path, most in [
            ("contacts/?fields=id", 2),
            ("contacts/", 3),
            ("contacts/?expand=company,owner", 5),
            ("companies/", 4),
            ("interactions/?expand=contact", 3),
            ("tasks/?expand=contact,company", 4),
        ]:
            with django_assert_max_num_queries(most):
                assert len(ids(client.get(f"{BASE}/{path}"))) == n


class TestSearch:
    @pytest.fixture
    def client(self, cast: Cast, api: Api) -> APIClient:
        from contacts.services.contacts import contact_create
        from crmcem.lib.actors import person

        for first, last, email, phone in [
            ("Zoë", "Müller", "zoe.mueller@shop.example", "+4930123456"),
            ("Anna", "Zimmer", "anna@other.example", "+14155550100"),
            ("Al", "Xu", "al@third.example", None),
        ]:
            data = {"first_name": first, "last_name": last, "email": email, "phone": phone}
            contact_create(data=data, actor=person(cast.rep))
        return api(cast.rep)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("zoe", ["Zoë"]),
            ("ZOË mül", ["Zoë"]),
            ("muller zo", ["Zoë"]),
            ("zoe.m", ["Zoë"]),
            ("anna@", ["Anna"]),
            ("+49 30 123", ["Zoë"]),
            ("0014155", ["Anna"]),
            ("z", ["Anna", "Zoë"]),
            ("a", ["Al", "Anna"]),
            ("xu", ["Al"]),
            ("al x", ["Al"]),
            ("nn", []),
            ("shop", ["Zoë"]),
            ("zimer", ["Anna"]),
            ("100%", []),
            ("_", []),
            ("'; drop table", []),
        ],
    )
    def test_finds(self, client: APIClient, text: str, expected: list[str]) -> None:
        response = client.get(f"{BASE}/contacts/", {"search": text})
        assert sorted(row["first_name"] for row in response.json()["results"]) == expected

    def test_companies(self, cast: Cast, api: Api) -> None:
        company = CompanyFactory(owner=cast.rep, name="Über Räder", domain="raeder.example", external_id="K9")
        CompanyFactory(owner=cast.rep2, name="Über Räder zwei")
        for text in ("uber", "räd", "raeder.", "K9", "üb"):
            assert ids(api(cast.rep).get(f"{BASE}/companies/", {"search": text})) == [str(company.pk)]


class TestTimeline:
    def test_keyset_with_ties_sees_each_once(self, cast: Cast, api: Api) -> None:
        contact = ContactFactory(owner=cast.rep)
        at = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
        for n in range(25):
            Activity.objects.create(
                kind="order.placed",
                contact_id=contact.pk,
                occurred_at=at - dt.timedelta(hours=n // 10),
                payload={"n": n},
            )
        Activity.objects.create(kind="order.placed", contact_id=contact.pk + 1, occurred_at=at)
        client, url = api(cast.rep), f"{BASE}/contacts/{contact.pk}/timeline/"
        seen: list[str] = []
        page = client.get(url, {"page_size": 4}).json()
        pages = 1
        while True:
            seen += [row["id"] for row in page["results"]]
            if page["next"] is None:
                break
            page = client.get(page["next"]).json()
            pages += 1
        expected = Activity.objects.filter(contact_id=contact.pk).order_by("-occurred_at", "-id")
        assert seen == [str(pk) for pk in expected.values_list("id", flat=True)]
        assert pages == 7
        back = client.get(page["previous"]).json()
        assert [row["id"] for row in back["results"]] == seen[20:24]
        assert set(parse_qs(urlparse(page["previous"]).query)) == {"page_size", "cursor"}

    def test_an_entry(self, cast: Cast, api: Api) -> None:
        contact = ContactFactory(owner=cast.rep, company=CompanyFactory())
        client = api(cast.rep)
        client.post(
            f"{BASE}/interactions/",
            {
                "contact": str(contact.pk),
                "kind": "call",
                "direction": "in",
                "subject": "Late parcel",
                "outcome": "Refund",
                "occurred_at": "2026-03-01T12:00:00+01:00",
            },
        )
        interaction = Interaction.objects.get()
        entry = client.get(f"{BASE}/contacts/{contact.pk}/timeline/").json()["results"][0]
        assert dt.datetime.fromisoformat(entry.pop("received_at")) <= timezone.now()
        token = entry.pop("actor")
        assert token["kind"] == "token"
        assert entry == {
            "id": str(Activity.objects.get().pk),
            "kind": "interaction.logged",
            "label": "Interaction",
            "group": "interactions",
            "summary": "Call, incoming: Late parcel (Refund)",
            "occurred_at": "2026-03-01T11:00:00Z",
            "contact": str(contact.pk),
            "company": str(contact.company_id),
            "subject": {"type": "interaction", "id": str(interaction.pk)},
            "payload": {
                "kind": "call",
                "direction": "in",
                "subject": "Late parcel",
                "outcome": "Refund",
                "duration_seconds": None,
                "deal": None,
            },
        }

    def test_kinds_and_groups(self, cast: Cast, api: Api) -> None:
        contact = ContactFactory(owner=cast.rep)
        for kind in ("order.placed", "task.created", "interaction.logged", "contact.updated"):
            Activity.objects.create(kind=kind, contact_id=contact.pk)
        client, url = api(cast.rep), f"{BASE}/contacts/{contact.pk}/timeline/"

        def found(**query: str) -> set[str]:
            return {row["kind"] for row in client.get(url, query).json()["results"]}

        assert found(kind="order.placed,task.created") == {"order.placed", "task.created"}
        assert found(group="tasks") == {"task.created"}
        assert found(group="events") == {"order.placed"}
        assert found(group="events,interactions") == {"order.placed", "interaction.logged"}
        assert client.get(url, {"group": "x"}).status_code == 400
        assert client.get(url, {"colour": "x"}).status_code == 400


class TestCompanies:
    def test_create_and_figures(self, cast: Cast, api: Api) -> None:
        client = api(cast.rep)
        response = client.post(
            f"{BASE}/companies/",
            {"name": "ACME", "domain": "www.acme.example", "size": 12, "industry": "Anvils"},
        )
        assert response.status_code == 201
        company = Company.objects.get()
        ContactFactory(owner=cast.rep, company=company, pulse={"nps": 10, "open_cases": 1, "clv": "10.50"})
        ContactFactory(owner=cast.rep, company=company, pulse={"nps": 3, "health": 41})
        ContactFactory(owner=cast.rep2, company=company, pulse={"nps": 0, "open_cases": 7})
        data = client.get(f"{BASE}/companies/{company.pk}/").json()
        assert {
            k: data[k] for k in ("id", "external_id", "name", "domain", "industry", "size", "owner", "custom")
        } == {
            "id": str(company.pk),
            "external_id": None,
            "name": "ACME",
            "domain": "acme.example",
            "industry": "Anvils",
            "size": 12,
            "owner": str(cast.rep.pk),
            "custom": {},
        }
        pulse = data["pulse"]
        assert (pulse["contacts"], pulse["nps"], pulse["nps_n"], pulse["open_cases"]) == (2, 0, 2, 1)
        assert (pulse["health"], pulse["health_n"]) == (41, 1)
        assert pulse["clv"] == {"amount": "10.50", "currency": "EUR"}
        listed = client.get(f"{BASE}/companies/").json()["results"]
        assert listed[0]["pulse"] == pulse
        empty = client.post(f"{BASE}/companies/", {"name": "Nobody"}).json()["pulse"]
        assert (empty["contacts"], empty["nps"], empty["open_cases"]) == (0, None, 0)

    def test_hidden(self, cast: Cast, api: Api) -> None:
        company = CompanyFactory(owner=cast.rep, name="ACME")
        url, client = f"{BASE}/companies/{company.pk}/", api(cast.rep2)
        for answer in (client.get(url), client.patch(url, {"name": "X"}), client.get(f"{url}timeline/")):
            assert answer.status_code == 404
        assert Company.objects.get().name == "ACME"


class TestInteractions:
    def test_life(self, cast: Cast, api: Api) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        client = api(cast.manager)
        response = client.post(
            f"{BASE}/interactions/",
            {"contact": str(contact.pk), "kind": "note", "body": "Line one\nline two", "sentiment": -0.5},
        )
        assert response.status_code == 201
        row = Interaction.objects.get()
        data = response.json()
        for stamp in ("created_at", "updated_at", "occurred_at"):
            data.pop(stamp)
        assert data == {
            "id": str(row.pk),
            "contact": str(contact.pk),
            "company": None,
            "deal": None,
            "kind": "note",
            "direction": "",
            "subject": "",
            "body": "Line one\nline two",
            "duration_seconds": None,
            "outcome": "",
            "sentiment": -0.5,
            "version": 1,
        }
        # who sees the contact sees it
        url = f"{BASE}/interactions/{row.pk}/"
        assert api(cast.rep).get(url).status_code == 200
        assert api(cast.rep2).get(url).status_code == 404
        assert api(cast.rep2).delete(url).status_code == 404
        changed = api(cast.rep).patch(url, {"kind": "call", "duration_seconds": 60})
        assert (changed.json()["kind"], changed.json()["version"]) == ("call", 2)
        assert api(cast.rep).delete(url).status_code == 204
        assert not Interaction.objects.exists()

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"kind": "call"}, ("contact", "required")),
            ({"contact": "CONTACT", "kind": "fax"}, ("kind", "invalid_choice")),
            ({"contact": "CONTACT", "kind": "call", "sentiment": 2}, ("sentiment", "range")),
            ({"contact": "CONTACT", "kind": "call", "deal": "77"}, ("deal", "does_not_exist")),
            (
                {"contact": "CONTACT", "kind": "call", "occurred_at": "2026-02-30T00:00:00Z"},
                ("occurred_at", "invalid"),
            ),
            (
                {"contact": "CONTACT", "kind": "call", "occurred_at": "9999-12-31T23:00:00Z"},
                ("occurred_at", "range"),
            ),
            ({"contact": "HIDDEN", "kind": "call"}, ("contact", "does_not_exist")),
        ],
    )
    def test_bad(self, cast: Cast, api: Api, body: dict[str, Any], expected: tuple[str, str]) -> None:
        names = {
            "CONTACT": str(ContactFactory(owner=cast.rep).pk),
            "HIDDEN": str(ContactFactory(owner=cast.rep2).pk),
        }
        body = {key: names.get(value, value) for key, value in body.items()}
        response = api(cast.rep).post(f"{BASE}/interactions/", body)
        assert response.status_code == 400
        assert errors(response) == [expected]
        assert not Interaction.objects.exists()


class TestTasks:
    def test_life(self, cast: Cast, api: Api) -> None:
        contact = ContactFactory(owner=cast.rep)
        client = api(cast.rep)
        response = client.post(
            f"{BASE}/tasks/",
            {
                "title": "Call back",
                "kind": "call",
                "contact": str(contact.pk),
                "due_at": "2026-05-01T09:00:00+02:00",
                "remind_at": "2026-05-01T08:45:00+02:00",
                "priority": "high",
                "recurrence": "weekly",
            },
        )
        assert response.status_code == 201
        task = Task.objects.get()
        data = response.json()
        for stamp in ("created_at", "updated_at"):
            data.pop(stamp)
        assert data == {
            "id": str(task.pk),
            "title": "Call back",
            "kind": "call",
            "body": "",
            "due_at": "2026-05-01T07:00:00Z",
            "remind_at": "2026-05-01T06:45:00Z",
            "time_zone": "UTC",
            "assignee": str(cast.rep.pk),
            "contact": str(contact.pk),
            "company": None,
            "deal": None,
            "status": "open",
            "priority": "high",
            "recurrence": "weekly",
            "completed_at": None,
            "version": 1,
        }
        assert Pulse.objects.get().next_activity_at == task.due_at
        url = f"{BASE}/tasks/{task.pk}/"
        assert api(cast.rep2).patch(url, {"status": "done"}).status_code == 404
        assert api(cast.readonly).patch(url, {"status": "done"}).status_code == 403
        assert Task.objects.get().status == "open"
        done = client.patch(url, {"status": "done"})
        assert (done.json()["status"], done.json()["version"]) == ("done", 2)
        assert done.json()["completed_at"] is not None
        assert Task.objects.filter(status="open").count() == 1
        assert client.patch(url, {"status": "cancelled"}).json()["status"] == "cancelled"
        assert client.delete(url).status_code == 204

    def test_filters(self, cast: Cast, api: Api) -> None:
        now = timezone.now()
        late = TaskFactory(owner=cast.rep, due_at=now - dt.timedelta(days=1), title="Late one")
        later = TaskFactory(owner=cast.rep, due_at=now + dt.timedelta(days=1))
        whenever = TaskFactory(owner=cast.rep)
        client = api(cast.rep)
        assert ids(client.get(f"{BASE}/tasks/", {"overdue": "true"})) == [str(late.pk)]
        assert ids(client.get(f"{BASE}/tasks/", {"search": "late"})) == [str(late.pk)]
        expected = [str(t.pk) for t in (late, later, whenever)]
        assert ids(client.get(f"{BASE}/tasks/", {"ordering": "due_at", "assignee": "me"})) == expected
        assert ids(client.get(f"{BASE}/tasks/", {"status": "done"})) == []
