"""What a hostile or careless client sends to any resource: refused before anything is written, and never a defect."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from contacts.models import (
    Activity,
    Company,
    Contact,
    DuplicatePair,
    ImportJob,
    Interaction,
    Segment,
    SegmentMember,
)
from contacts.services.custom_fields import custom_field_create
from crmcem.lib.actors import person
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, InteractionFactory, TaskFactory
from tests.factories.fields import CustomFieldFactory
from tests.factories.sales import DealFactory

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
BASE = "/api/v1"
MOMENT = "2026-03-01T10:00:00Z"


def deep(levels: int, inside: Any = 1) -> dict[str, Any]:
    """An object of so many levels."""
    for _ in range(levels):
        inside = {"a": inside}
    return inside  # type: ignore[no-any-return]


def cursor(*parts: str) -> str:
    """A cursor that no list gave out."""
    return base64.urlsafe_b64encode(f"[{','.join(parts)}]".encode()).decode().rstrip("=")


def faults(response: Any) -> set[tuple[str, str]]:
    return {(each["field"], each["code"]) for each in response.json()["errors"]}


class TestPages:
    def test_leading_zeros_open_no_larger_page(self, cast: Cast, api: Api) -> None:
        ContactFactory.create_batch(3)
        for size in ("0000001999999", "1999999", "201", "0", "-1", "1e2", "٣"):
            response = api(cast.admin).get(f"{BASE}/contacts/", {"page_size": size})
            assert (response.status_code, faults(response)) == (400, {("page_size", "invalid")}), size
        assert len(api(cast.admin).get(f"{BASE}/contacts/", {"page_size": "02"}).json()["results"]) == 2

    @pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN", "1e999", "[]", "{}", "null", '"x"'])
    def test_a_made_up_cursor_is_bad_input(self, cast: Cast, api: Api, value: str) -> None:
        CompanyFactory(size=3)
        for kind in ("v", "m", "t", "d"):
            params = {"ordering": "size", "cursor": cursor(f'"{kind}"', value, "1", "0")}
            response = api(cast.admin).get(f"{BASE}/companies/", params)
            assert (response.status_code, faults(response)) == (400, {("cursor", "invalid")}), (kind, value)

    def test_a_cursor_of_a_thousand_levels_is_bad_input(self, cast: Cast, api: Api) -> None:
        contact = ContactFactory()
        bomb = base64.urlsafe_b64encode(b"[" * 100_000).decode()
        response = api(cast.admin).get(f"{BASE}/contacts/{contact.pk}/timeline/", {"cursor": bomb})
        assert (response.status_code, faults(response)) == (400, {("cursor", "invalid")})

    def test_a_parameter_given_twice_is_not_guessed(self, cast: Cast, api: Api) -> None:
        response = api(cast.admin).get(f"{BASE}/contacts/?owner=1&owner=2")
        assert (response.status_code, faults(response)) == (400, {("owner", "repeated")})


class TestNesting:
    @pytest.mark.parametrize(
        "path", ["contacts/", "tasks/", "events/", "events/batch/", "identify/", "segments/preview/"]
    )
    @pytest.mark.parametrize("inside", [1, "\x00"], ids=["deep", "deep with NUL"])
    def test_a_deep_body_is_bad_input(self, cast: Cast, api: Api, path: str, inside: Any) -> None:
        before = (Contact.objects.count(), Activity.objects.count())
        body = b'{"a":' * 900 + json.dumps(inside).encode() + b"}" * 900
        response = api(cast.integrator).post(f"{BASE}/{path}", body, content_type="application/json")
        assert response.status_code == 400
        assert response["Content-Type"] == "application/problem+json"
        assert (Contact.objects.count(), Activity.objects.count()) == before

    def test_a_backslash_before_u0000_is_text(self, cast: Cast, api: Api) -> None:
        body = rb'{"first_name": "C:\\u0000"}'
        response = api(cast.rep).post(f"{BASE}/contacts/", body, content_type="application/json")
        assert (response.status_code, response.json()["first_name"]) == (201, r"C:\u0000")

    def test_a_deep_event_harms_no_other(self, cast: Cast, api: Api) -> None:
        client, contact = api(cast.integrator), ContactFactory(external_id="C-1")
        events = [
            {
                "message_id": f"m{levels}",
                "event": "order.placed",
                "occurred_at": MOMENT,
                "contact": {"external_id": "C-1"},
                "properties": deep(levels),
            }
            for levels in (1, 100, 101, 240)
        ]
        answer = client.post(f"{BASE}/events/batch/", {"events": events}).json()
        assert (answer["accepted"], [each["index"] for each in answer["rejected"]]) == (2, [2, 3])
        assert {e["code"] for each in answer["rejected"] for e in each["errors"]} == {"too_deep"}
        rows = client.get(f"{BASE}/contacts/{contact.pk}/timeline/", {"group": "events"}).json()["results"]
        assert [row["payload"] for row in reversed(rows)] == [deep(1), deep(100)]


class TestAnswersAsAsked:
    """What can't be answered as it is asked for is not written either."""

    @pytest.mark.parametrize("query", ["fields=nonsense", "expand=nonsense", "fields=id,pulse,nonsense"])
    def test_nothing_is_written_where_the_answer_is_impossible(
        self, cast: Cast, api: Api, query: str
    ) -> None:
        client, contact = api(cast.admin), ContactFactory(first_name="Ada")
        name = query.partition("=")[0]
        for method, path in (
            ("post", "contacts/"),
            ("patch", f"contacts/{contact.pk}/"),
            ("delete", f"contacts/{contact.pk}/"),
        ):
            response = getattr(client, method)(f"{BASE}/{path}?{query}", {"first_name": "Eve"})
            assert (response.status_code, faults(response)) == (400, {(name, "unknown_field")}), method
        assert list(Contact.objects.values_list("first_name", flat=True)) == ["Ada"]

    def test_a_merge_answers_sparsely(self, cast: Cast, api: Api) -> None:
        winner, loser = ContactFactory(email="a@b.example"), ContactFactory()
        response = api(cast.admin).post(
            f"{BASE}/contacts/{winner.pk}/merge/?fields=email", {"loser": str(loser.pk)}
        )
        assert response.status_code == 200
        assert response.json()["contact"] == {"email": "a@b.example"}
        assert response.json()["merge"]["loser"] == str(loser.pk)


class TestFilters:
    def test_a_search_that_a_list_does_not_know_is_no_whole_list(self, cast: Cast, api: Api) -> None:
        client = api(cast.admin)
        for path in (
            "employments",
            "addresses",
            "merges",
            "duplicates",
            "teams",
            "pipelines",
            "notifications",
        ):
            response = client.get(f"{BASE}/{path}/", {"search": "x"})
            assert (response.status_code, faults(response)) == (400, {("search", "unknown_parameter")}), path
        for path in ("contacts", "companies", "tasks", "deals", "cases", "users"):
            assert client.get(f"{BASE}/{path}/", {"search": "x"}).json()["results"] == [], path

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("duplicates", "record"),
            ("contacts", "company"),
            ("deals", "company"),
            ("deals", "contact"),
            ("tasks", "deal"),
            ("relationships", "contact"),
            ("attachments", "deal"),
        ],
    )
    def test_me_is_a_person_and_no_other_record(self, cast: Cast, api: Api, path: str, name: str) -> None:
        client = api(cast.admin)
        for value in ("me", "x", "1.5", "-1", "9" * 30):
            response = client.get(f"{BASE}/{path}/", {name: value})
            assert (response.status_code, faults(response)) == (400, {(name, "invalid")}), value
        assert client.get(f"{BASE}/{path}/", {name: "none"}).status_code == 200
        assert client.get(f"{BASE}/{path}/", {name: "1"}).status_code == 200

    def test_a_pair_is_found_by_one_of_its_records(self, cast: Cast, api: Api) -> None:
        one, two, other = ContactFactory.create_batch(3)
        DuplicatePair.objects.create(entity="contact", left_id=one.pk, right_id=two.pk, score=0.9, reasons=[])
        found = [
            len(api(cast.admin).get(f"{BASE}/duplicates/", {"record": row.pk}).json()["results"])
            for row in (one, two, other)
        ]
        assert found == [1, 1, 0]

    def test_the_company_of_a_deal_tells_nothing_of_hidden_ones(self, cast: Cast, api: Api) -> None:
        own = {"owner": cast.rep2, "team": cast.rep2.team}
        hidden = CompanyFactory(owner=cast.rep, team=cast.rep.team)
        mine = DealFactory(amount="5.00", **own)
        client = api(cast.rep2)
        answers = [client.get(f"{BASE}/deals/", {"company": pk}) for pk in (hidden.pk, 10**12)]
        assert [each.status_code for each in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()
        seen = client.get(
            f"{BASE}/deals/", {"company": "none", "amount__gt": "-1", "updated_at__lte": "2200-01-01"}
        )
        assert [row["id"] for row in seen.json()["results"]] == [str(mine.pk)]
        assert client.get(f"{BASE}/deals/", {"owner": "me"}).json() == seen.json()

    def test_imports_are_filtered_as_on_the_web(self, cast: Cast, api: Api) -> None:
        jobs = [
            ImportJob.objects.create(
                owner=cast.admin, object=kind, file_name="a.csv", columns=["email"], status=status
            )
            for kind, status in (("contacts", "done"), ("contacts", "failed"), ("companies", "done"))
        ]
        client = api(cast.admin)
        params = {"object": "contacts", "status": "done", "owner": "me", "ordering": "-created_at"}
        found = client.get(f"{BASE}/imports/", params).json()["results"]
        assert [row["id"] for row in found] == [str(jobs[0].pk)]
        for part in ("row-errors", "kept"):
            response = client.get(f"{BASE}/imports/{jobs[0].pk}/{part}/", {"status": "done"})
            assert faults(response) == {("status", "unknown_parameter")}


class TestHiddenLinks:
    """A custom field of my record may link to a record that I may not see: nowhere does its id come out."""

    @pytest.fixture
    def client(self, cast: Cast, api: Api) -> APIClient:
        CustomFieldFactory(entity="company", key="rival", type="link", options={"entity": "company"})
        CustomFieldFactory(
            entity="contact", key="boss", type="link", options={"entity": "contact"}, filterable=True
        )
        return api(cast.rep2)

    def test_not_in_an_expanded_company(self, cast: Cast, client: APIClient) -> None:
        own = {"owner": cast.rep2, "team": cast.rep2.team}
        hidden = CompanyFactory(owner=cast.rep, team=cast.rep.team)
        company = CompanyFactory(name="Mine", custom={"rival": str(hidden.pk)}, **own)
        contact = ContactFactory(company=company, **own)
        CompanyFactory(name="Child", parent=company, **own)
        TaskFactory(contact=contact, company=company, **own)
        InteractionFactory(contact=contact, company=company, **own)
        DealFactory(company=company, **own)
        company.domains.create(domain="mine.example")
        company.address_set.create(city="Bonn")
        for path, name in (
            *(
                ("companies", "parent"),
                ("contacts", "company"),
                ("tasks", "company"),
                ("interactions", "company"),
            ),
            *(("employments", "company"), ("company-domains", "company"), ("addresses", "company")),
            ("deals", "company"),
        ):
            rows = client.get(f"{BASE}/{path}/", {"expand": name}).json()["results"]
            shown = [row[name] for row in rows if row[name] is not None]
            assert [each["name"] for each in shown] == ["Mine"], path
            assert [each["custom"] for each in shown] == [{}], path

    def test_not_among_the_members_of_a_segment(self, cast: Cast, client: APIClient) -> None:
        own = {"owner": cast.rep2, "team": cast.rep2.team}
        hidden = ContactFactory(owner=cast.rep, team=cast.rep.team)
        mine = ContactFactory(custom={"boss": str(hidden.pk)}, tags=["vip"], **own)
        shout = {
            "entity": "contact",
            "label": "Shout",
            "type": "formula",
            "options": {"formula": "upper(first_name)"},
        }
        custom_field_create(data=shout, actor=person(cast.admin))
        segment = Segment.objects.create(owner=cast.rep2, name="Mine", kind="static", filled_at=MOMENT)
        SegmentMember.objects.create(segment=segment, contact=mine, since=MOMENT)
        [member] = client.get(f"{BASE}/segments/{segment.pk}/members/").json()["results"]
        assert member["custom"] == {}
        condition = {"field": "tags", "op": "has_any", "value": ["vip"]}
        [sample] = client.post(f"{BASE}/segments/preview/", {"conditions": condition}).json()["sample"]
        assert sample["custom"] == {}
        alone = client.get(f"{BASE}/contacts/{mine.pk}/").json()
        assert member["computed"] == sample["computed"] == alone["computed"] != {}

    def test_no_filter_tells_of_one(self, cast: Cast, client: APIClient) -> None:
        own = {"owner": cast.rep2, "team": cast.rep2.team}
        hidden = ContactFactory(owner=cast.rep, team=cast.rep.team)
        boss = ContactFactory(**own)
        ContactFactory(custom={"boss": str(hidden.pk)}, **own)
        led = ContactFactory(custom={"boss": str(boss.pk)}, **own)

        def ids(pk: Any) -> list[str]:
            response = client.get(f"{BASE}/contacts/", {"custom__boss": pk})
            return [row["id"] for row in response.json()["results"]]

        assert ids(boss.pk) == [str(led.pk)]
        assert ids(hidden.pk) == ids(10**12) == []
        assert client.get(f"{BASE}/contacts/", {"custom__boss": "me"}).status_code == 400

    def test_no_condition_tells_of_one(self, cast: Cast, client: APIClient, api: Api) -> None:
        own = {"owner": cast.rep2, "team": cast.rep2.team}
        hidden = ContactFactory(owner=cast.rep, team=cast.rep.team)
        boss, loser = ContactFactory(**own), ContactFactory(**own)
        kept = ContactFactory(custom={"boss": str(hidden.pk)}, **own)
        led = ContactFactory(custom={"boss": str(boss.pk)}, **own)
        old = ContactFactory(custom={"boss": str(loser.pk)}, **own)
        merged = api(cast.admin).post(f"{BASE}/contacts/{boss.pk}/merge/", {"loser": str(loser.pk)})
        assert merged.status_code == 200, merged.content

        def ids(op: str, pk: Any = None, who: APIClient = client) -> set[str]:
            leaf = {"field": "custom.boss", "op": op} | ({"value": pk} if pk else {})
            response = who.get(f"{BASE}/contacts/", {"conditions": json.dumps(leaf)})
            assert response.status_code == 200, response.content
            return {row["id"] for row in response.json()["results"]}

        of_mine = {str(led.pk), str(old.pk)}
        assert ids("eq", hidden.pk) == ids("eq", 10**12) == set()
        assert str(kept.pk) in ids("is_not_set")
        assert ids("is_set") == of_mine
        assert ids("eq", boss.pk) | ids("eq", loser.pk) == of_mine
        assert ids("eq", hidden.pk, api(cast.admin)) == {str(kept.pk)}

    def test_a_segment_by_a_link_is_of_who_sees_all(self, cast: Cast, client: APIClient, api: Api) -> None:
        """Its members are the same for everybody, so it may not be asked until it tells what is hidden."""
        leaf = {"field": "custom.boss", "op": "eq", "value": ContactFactory(owner=cast.rep).pk}
        body = {"name": "Led", "kind": "static", "conditions": leaf}
        refused = client.post(f"{BASE}/segments/", body)
        assert (refused.status_code, faults(refused)) == (400, {("conditions.field", "not_for_all")})
        assert not Segment.objects.exists()
        assert api(cast.admin).post(f"{BASE}/segments/", body).status_code == 201


def test_many_interactions_are_logged_at_once(cast: Cast, api: Api) -> None:
    contact = ContactFactory(owner=cast.rep, team=cast.rep.team)
    old = InteractionFactory(contact=contact, owner=cast.rep, team=cast.rep.team)
    operations = [
        {"op": "create", "data": {"kind": "call", "contact": str(contact.pk), "subject": "First"}},
        {"op": "create", "data": {"kind": "shout", "contact": str(contact.pk)}},
        {"op": "update", "match": {"id": str(old.pk)}, "data": {"subject": "Second"}},
    ]
    answer = api(cast.rep).post(f"{BASE}/interactions/bulk/", {"operations": operations})
    assert [each["status"] for each in answer.json()["results"]] == [201, 400, 200]
    assert set(Interaction.objects.values_list("subject", flat=True)) == {"First", "Second"}
    assert Company.objects.count() == 0


class TestTheWayIn:
    def test_a_form_is_no_empty_body_beside_a_key(self, cast: Cast, api: Api) -> None:
        client = api(cast.admin)
        for headers in ({}, {"Idempotency-Key": "k1"}):
            response = client.post(f"{BASE}/tasks/", {"title": "Form"}, format="multipart", headers=headers)
            assert response.status_code == 415, headers
            response = client.post(
                f"{BASE}/notifications/read/", {"ids": "1"}, format="multipart", headers=headers
            )
            assert response.status_code == 415, headers

    def test_a_write_without_the_slash_is_led_on_with_its_body(self, cast: Cast, api: Api) -> None:
        client = api(cast.admin)
        response = client.post(f"{BASE}/contacts", {"first_name": "Ada"})
        assert (response.status_code, response["Location"]) == (308, f"{BASE}/contacts/")
        assert client.get(f"{BASE}/contacts").status_code == 301
        response = client.post(f"{BASE}/contacts", {"first_name": "Ada"}, follow=True)
        assert (response.status_code, response.json()["first_name"]) == (201, "Ada")

    def test_a_format_that_we_do_not_speak_is_no_missing_record(self, cast: Cast, api: Api) -> None:
        response = api(cast.admin).get(f"{BASE}/contacts/", {"format": "xml"})
        assert (response.status_code, response["Content-Type"]) == (406, "application/problem+json")
        assert "Possible: json." in response.json()["detail"]
        response = api(cast.admin).get(f"{BASE}/contacts/", headers={"accept": "text/html"})
        assert (response.status_code, response["Content-Type"]) == (406, "application/problem+json")
        assert "Possible: application/json." in response.json()["detail"]
        assert api(cast.admin).get(f"{BASE}/schema/", {"format": "json"}).status_code == 200

    def test_who_is_turned_away_is_told_the_way(self, cast: Cast, api: Api) -> None:
        missing = api(cast.admin).get(f"{BASE}/contact/")
        assert (missing.status_code, missing.json()["detail"]) == (
            404,
            "There is no such address; /api/v1/docs/ has those that there are.",
        )
        browser = APIClient(enforce_csrf_checks=True)
        browser.force_login(cast.admin, backend="crmcem.workspace.backends.PersonBackend")
        refused = browser.post(f"{BASE}/contacts/", {"first_name": "Ada"})
        assert (refused.status_code, Contact.objects.count()) == (403, 0)
        assert "X-CSRFToken" in refused.json()["detail"]

    def test_a_wrong_choice_is_told_the_right_ones(self, cast: Cast, api: Api) -> None:
        client, contact = api(cast.admin), ContactFactory()
        for method, path, field, value, known in (
            ("post", "contacts/", "lifecycle_stage", "buyer", "subscriber, lead, qualified"),
            ("post", "interactions/", "kind", "x" * 300, "call, email, meeting"),
            ("post", "imports/", "mode", "merge", "create, upsert, update"),
            (
                "post",
                "deals/",
                "contacts",
                [{"contact": str(contact.pk), "role": "boss"}],
                "decision_maker, champion",
            ),
            ("get", "contacts/", "lifecycle_stage", "buyer", "subscriber, lead, qualified"),
            ("get", "deals/", "status", "closed", "open, won, lost"),
        ):
            extra = {"format": "multipart"} if path == "imports/" else {}
            body = {"name": "Deal", field: value} if path == "deals/" and method == "post" else {field: value}
            response = getattr(client, method)(f"{BASE}/{path}", body, **extra)
            assert response.status_code == 400, path
            [fault] = [e for e in response.json()["errors"] if e["code"] == "invalid_choice"]
            assert f"Choose one of: {known}" in fault["detail"], fault
            assert len(fault["detail"]) < 300

    def test_a_foreign_host_is_told_so(self, settings: Any, api: Api) -> None:
        settings.ALLOWED_HOSTS = ["crm.example"]
        response = api(None).get(f"{BASE}/contacts/", headers={"host": "evil.example"})
        assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
        assert "ALLOWED_HOSTS" in response.json()["detail"]
