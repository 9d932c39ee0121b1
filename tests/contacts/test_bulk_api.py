"""``…/bulk/``: many writes, answered in order, none harmed by another."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from contacts.models import Activity, Company, Contact, ContactPoint, Task
from sales.models import Deal
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, TaskFactory
from tests.factories.sales import DealFactory, PipelineFactory

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]


def send(client: APIClient, path: str, *operations: Any, **extra: Any) -> list[dict[str, Any]]:
    answer = client.post(f"/api/v1/{path}/bulk/", {"operations": list(operations)}, format="json", **extra)
    assert answer.status_code == 200, answer.content
    results: list[dict[str, Any]] = answer.json()["results"]
    assert [r["index"] for r in results] == list(range(len(operations)))
    return results


def statuses(results: list[dict[str, Any]]) -> list[int]:
    return [r["status"] for r in results]


def codes(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(e["field"], e["code"]) for e in result["errors"]]


def test_every_operation_is_answered_in_order_and_a_bad_one_harms_no_other(cast: Cast, api: Api) -> None:
    old = ContactFactory(external_id="A", first_name="Old", owner=cast.rep, team=cast.north)
    second = ContactFactory(email="two@x.example", owner=cast.rep, team=cast.north)
    ContactPoint.objects.create(contact=second, kind="email", value="alias@x.example")
    doomed = ContactFactory(external_id="D", owner=cast.rep, team=cast.north)
    results = send(
        api(cast.manager),
        "contacts",
        {"op": "create", "data": {"external_id": "N", "first_name": "New"}},
        {"op": "create", "data": {"email": "not an address"}},
        {"op": "update", "match": {"external_id": "A"}, "data": {"first_name": "Fresh"}},
        {"op": "update", "match": {"email": "Alias@X.example"}, "data": {"first_name": "Two"}},
        {"op": "upsert", "match": {"external_id": "A"}, "data": {"last_name": "Again"}},
        {"op": "upsert", "match": {"email": "Neu@X.example"}, "data": {"last_name": "Neu"}},
        {"op": "upsert", "match": {"email": "neu@x.example"}, "data": {"first_name": "Nina"}},
        {"op": "update", "match": {"external_id": "missing"}, "data": {"first_name": "X"}},
        {"op": "update", "match": {"id": str(old.pk)}, "data": {"colour": "red"}},
        {"op": "update", "match": {"id": str(old.pk)}, "data": {"first_name": "X"}, "version": 1},
        {"op": "delete", "match": {"external_id": "D"}},
    )
    assert statuses(results) == [201, 400, 200, 200, 200, 201, 200, 404, 400, 412, 204]
    assert codes(results[1]) == [("email", "invalid")]
    assert codes(results[7]) == [("non_field_errors", "not-found")]
    assert codes(results[8]) == [("colour", "unknown_field")]
    assert codes(results[9]) == [("non_field_errors", "stale")]
    assert (results[2]["id"], results[2]["version"]) == (str(old.pk), 2)
    assert (results[10]["id"], results[10]["version"]) == (str(doomed.pk), None)
    assert results[5]["id"] == results[6]["id"]
    old.refresh_from_db()
    second.refresh_from_db()
    assert (old.first_name, old.last_name, old.version) == ("Fresh", "Again", 3)
    assert second.first_name == "Two"
    made = Contact.objects.get(email="neu@x.example")
    assert (made.first_name, made.last_name, made.owner) == ("Nina", "Neu", cast.manager)
    assert sorted(Contact.objects.exclude(external_id=None).values_list("external_id", flat=True)) == [
        "A",
        "N",
    ]
    assert Activity.objects.filter(kind="contact.created").count() == 2


def test_scopes_and_visibility_count_for_each_operation(cast: Cast, api: Api) -> None:
    mine = ContactFactory(external_id="mine", owner=cast.rep, team=cast.north, first_name="Mine")
    ContactFactory(external_id="theirs", owner=cast.rep2, team=cast.south, first_name="Theirs")
    results = send(
        api(cast.rep),
        "contacts",
        {"op": "delete", "match": {"external_id": "mine"}},
        {"op": "update", "match": {"external_id": "theirs"}, "data": {"first_name": "X"}},
        {"op": "delete", "match": {"external_id": "theirs"}},
        {"op": "upsert", "match": {"external_id": "theirs"}, "data": {"first_name": "X"}},
        {"op": "update", "match": {"external_id": "mine"}, "data": {"owner": str(cast.rep2.pk)}},
        {"op": "update", "match": {"external_id": "mine"}, "data": {"first_name": "Own"}},
    )
    assert statuses(results) == [403, 404, 404, 400, 403, 200]
    assert codes(results[0]) == [("non_field_errors", "forbidden")]
    assert "contacts:delete" in results[0]["errors"][0]["detail"]
    assert codes(results[3]) == [("external_id", "unique")]
    assert Contact.objects.get(external_id="theirs").first_name == "Theirs"
    mine.refresh_from_db()
    assert (mine.first_name, mine.owner) == ("Own", cast.rep)
    assert Contact.objects.count() == 2
    body = {"operations": [{"op": "create", "data": {"first_name": "X"}}]}
    for client, status in (
        (api(cast.readonly), 403),
        (api(cast.rep, ["contacts:read"]), 403),
        (api(None), 401),
    ):
        assert client.post("/api/v1/contacts/bulk/", body, format="json").status_code == status
    assert Contact.objects.count() == 2


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("x", ("non_field_errors", "invalid")),
        ({"op": "erase"}, ("op", "invalid_choice")),
        ({"op": "create", "data": [1]}, ("data", "invalid")),
        ({"op": "create", "data": {"first_name": "A"}, "match": {"id": "1"}}, ("match", "unknown_field")),
        ({"op": "update", "data": {"first_name": "A"}}, ("match", "invalid")),
        ({"op": "update", "match": {"phone": "1"}, "data": {}}, ("match", "invalid")),
        ({"op": "update", "match": {"email": "a", "id": "1"}, "data": {}}, ("match", "invalid")),
        ({"op": "update", "match": {"external_id": 7}, "data": {}}, ("match", "invalid")),
        ({"op": "upsert", "match": {"id": "1"}, "data": {}}, ("match", "invalid")),
        ({"op": "update", "match": {"id": "1"}, "version": "1"}, ("version", "invalid")),
        ({"op": "delete", "match": {"id": "1"}, "data": {"a": 1}}, ("data", "unknown_field")),
        ({"op": "delete", "match": {"id": "1"}, "when": "now"}, ("when", "unknown_field")),
    ],
)
def test_bad_operations_name_what_is_wrong(
    cast: Cast, api: Api, operation: Any, expected: tuple[str, str]
) -> None:
    good = {"op": "create", "data": {"first_name": "Good"}}
    bad, fine = send(api(cast.admin), "contacts", operation, good)
    assert (bad["status"], codes(bad)) == (400, [expected])
    assert fine["status"] == 201


def test_the_request_itself_has_a_shape_and_a_limit(cast: Cast, api: Api) -> None:
    client = api(cast.admin)
    for body in ([], {}, {"operations": {}}, {"operations": [], "more": 1}):
        answer = client.post("/api/v1/contacts/bulk/", body, format="json")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == "operations"
    many = [{"op": "create", "data": {"first_name": "A"}}] * 1001
    answer = client.post("/api/v1/contacts/bulk/", {"operations": many}, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "too_many"
    assert not Contact.objects.exists()
    assert send(client, "contacts") == []
    assert client.get("/api/v1/contacts/bulk/").status_code == 405


def test_a_repeated_request_is_replayed(cast: Cast, api: Api) -> None:
    client, key = api(cast.admin), {"headers": {"Idempotency-Key": "k-1"}}
    operation = {"op": "create", "data": {"first_name": "Once"}}
    first = send(client, "contacts", operation, **key)
    assert send(client, "contacts", operation, **key) == first
    assert Contact.objects.count() == 1


def test_companies_tasks_and_deals(cast: Cast, api: Api) -> None:
    client = api(cast.admin)
    CompanyFactory(domain="old.example", name="Old")
    results = send(
        client,
        "companies",
        {"op": "upsert", "match": {"domain": "OLD.example"}, "data": {"name": "New name"}},
        {"op": "upsert", "match": {"external_id": "C1"}, "data": {"name": "C one"}},
    )
    assert statuses(results) == [200, 201]
    assert set(Company.objects.values_list("name", flat=True)) == {"New name", "C one"}
    task = TaskFactory(owner=cast.admin)
    results = send(
        client,
        "tasks",
        {"op": "update", "match": {"id": str(task.pk)}, "data": {"status": "done"}},
        {"op": "create", "data": {"title": "Next"}},
        {"op": "upsert", "match": {"id": str(task.pk)}, "data": {}},
    )
    assert statuses(results) == [200, 201, 400]
    assert codes(results[2]) == [("op", "invalid_choice")]
    task.refresh_from_db()
    assert (task.status, Task.objects.count()) == ("done", 2)
    deal = DealFactory(pipeline=PipelineFactory(is_default=True), external_id="D1", owner=cast.admin)
    results = send(
        client,
        "deals",
        {"op": "upsert", "match": {"external_id": "D1"}, "data": {"name": "Renamed"}},
        {"op": "upsert", "match": {"external_id": "D2"}, "data": {"name": "Second"}},
    )
    assert statuses(results) == [200, 201]
    deal.refresh_from_db()
    assert deal.name == "Renamed"
    assert Deal.objects.count() == 2
