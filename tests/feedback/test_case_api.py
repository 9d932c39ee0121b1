"""cases/ as integrators see them."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from contacts.models import Activity
from crmcem.workspace.models import Notification
from feedback.models import Case
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import CaseFactory, ResponseFactory

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
URL = "/api/v1/cases/"
NOW = timezone.now()


def codes(answer: Any) -> list[tuple[str, str]]:
    assert answer["Content-Type"] == "application/problem+json"
    return [(e["field"], e["code"]) for e in answer.json()["errors"]]


def kinds() -> list[str]:
    return list(
        Activity.objects.filter(kind__startswith="case.").order_by("id").values_list("kind", flat=True)
    )


@pytest.fixture
def case(cast: Cast) -> Case:
    return CaseFactory(contact=ContactFactory(owner=cast.rep, team=cast.north))


def test_a_case_is_opened_settled_and_opened_again(cast: Cast, api: Api) -> None:
    contact = ContactFactory(owner=cast.rep, team=cast.north)
    client = api(cast.rep)
    body = {"contact": str(contact.pk), "subject": " Broken door ", "priority": "high"}
    made = client.post(URL, body, format="json")
    assert made.status_code == 201, made.content
    data = made.json()
    row = Case.objects.get()
    due = dt.datetime.fromisoformat(data["sla_due_at"])
    assert abs(due - row.created_at - dt.timedelta(hours=24)) < dt.timedelta(seconds=5)
    assert {k: data[k] for k in ("subject", "status", "priority", "owner", "source", "sla", "response")} == {
        "subject": "Broken door",
        "status": "open",
        "priority": "high",
        "owner": str(cast.rep.pk),
        "source": "api",
        "sla": "on_track",
        "response": None,
    }
    url = f"{URL}{row.pk}/"
    assert codes(client.post(f"{url}resolve/", {}, format="json")) == [("resolution", "required")]
    done = client.post(f"{url}resolve/", {"resolution": "New door", "root_cause": "Carrier"}, format="json")
    assert (done.json()["status"], done.json()["sla"], done["ETag"]) == ("resolved", "met", '"2"')
    assert (done.json()["root_cause"], done.json()["resolution"]) == ("Carrier", "New door")
    assert client.post(f"{url}resolve/", {"resolution": "Again"}, format="json").status_code == 409
    assert client.post(f"{url}close/").json()["status"] == "closed"
    again = client.post(f"{url}reopen/", {"reason": "Creaks"}, format="json")
    assert (again.json()["status"], again.json()["resolved_at"]) == ("open", None)
    assert client.post(f"{url}reopen/", {}, format="json").status_code == 409
    assert kinds() == ["case.opened", "case.resolved", "case.closed", "case.reopened"]
    assert client.delete(url).status_code == 403
    assert api(cast.cx).delete(url, headers={"If-Match": '"1"'}).status_code == 412
    assert api(cast.cx).delete(url).status_code == 204
    assert client.get(url).status_code == 404


class TestPatch:
    def test_status_takes_the_way_that_leads_there(self, cast: Cast, api: Api, case: Case) -> None:
        client, url = api(cast.rep), f"{URL}{case.pk}/"

        def patch(**body: Any) -> Any:
            return client.patch(url, body, format="json")

        assert patch(status="pending").json()["status"] == "pending"
        assert codes(patch(status="resolved")) == [("resolution", "required")]
        done = patch(status="resolved", resolution="Refund", root_cause="Billing", priority="low").json()
        assert (done["status"], done["resolution"], done["root_cause"], done["priority"]) == (
            "resolved",
            "Refund",
            "Billing",
            "low",
        )
        assert patch(status="pending").json()["status"] == "pending"
        closed = patch(status="closed").json()  # the resolution of before still stands
        assert (closed["status"], closed["resolution"]) == ("closed", "Refund")
        assert patch(status="closed").status_code == 200
        assert patch(status="resolved").status_code == 409
        assert kinds() == [
            *("case.updated", "case.resolved", "case.updated", "case.reopened", "case.updated"),
            *("case.resolved", "case.closed"),
        ]

    def test_all_or_nothing_and_no_lost_update(self, cast: Cast, api: Api, case: Case) -> None:
        client, url = api(cast.rep), f"{URL}{case.pk}/"
        etag = client.get(url)["ETag"]
        refused = client.patch(
            url, {"subject": "New", "owner": str(cast.rep2.pk)}, format="json", headers={"If-Match": etag}
        )
        assert refused.status_code == 403
        assert (
            client.patch(url, {"subject": "New"}, format="json", headers={"If-Match": etag}).status_code
            == 200
        )
        stale = client.patch(url, {"subject": "Newer"}, format="json", headers={"If-Match": etag})
        assert stale.status_code == 412
        case.refresh_from_db()
        assert (case.subject, case.owner, case.version) == ("New", cast.rep, 2)

    def test_giving_a_case_away_tells_its_new_owner(self, cast: Cast, api: Api, case: Case) -> None:
        url = f"{URL}{case.pk}/"
        given = api(cast.manager).patch(
            url, {"owner": str(cast.rep2.pk), "priority": "urgent"}, format="json"
        )
        assert (given.status_code, given.json()["owner"]) == (200, str(cast.rep2.pk))
        case.refresh_from_db()
        assert (case.owner, case.team, case.priority) == (cast.rep2, cast.south, "urgent")
        assert Notification.objects.get(user=cast.rep2).url == f"/cases/{case.pk}/"
        assert api(cast.manager).get(url).status_code == 404
        nobody = api(cast.cx).patch(url, {"owner": None}, format="json")
        assert codes(nobody) == [("owner", "required")]

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"contact": "1"}, ("contact", "read_only")),
            ({"source": "api"}, ("source", "read_only")),
            ({"response": "1"}, ("response", "read_only")),
            ({"resolved_at": None}, ("resolved_at", "read_only")),
            ({"sla": "met"}, ("sla", "read_only")),
            ({"mood": "bad"}, ("mood", "unknown_field")),
            ({"subject": " "}, ("subject", "blank")),
            ({"priority": "asap"}, ("priority", "invalid_choice")),
            ({"status": "gone"}, ("status", "invalid_choice")),
            ({"owner": "0"}, ("owner", "does_not_exist")),
            ({"sla_due_at": "soon"}, ("sla_due_at", "invalid")),
        ],
    )
    def test_bad_bodies(
        self, cast: Cast, api: Api, case: Case, body: dict[str, Any], expected: tuple[str, str]
    ) -> None:
        answer = api(cast.cx).patch(f"{URL}{case.pk}/", body, format="json")
        assert (answer.status_code, codes(answer)) == (400, [expected])
        case.refresh_from_db()
        assert case.version == 1


def test_a_case_of_an_answer_is_made_once(cast: Cast, api: Api) -> None:
    response = ResponseFactory(contact=ContactFactory(owner=cast.rep), nps=3)
    body = {"contact": str(response.contact_id), "subject": "Call", "response": str(response.pk)}
    client = api(cast.rep)
    made = client.post(URL, body, format="json")
    assert (made.status_code, made.json()["source"], made.json()["response"]) == (
        201,
        "survey",
        str(response.pk),
    )
    assert client.post(URL, body, format="json").status_code == 409
    other = {"contact": str(ContactFactory(owner=cast.rep).pk), "subject": "x", "response": str(response.pk)}
    assert codes(client.post(URL, other, format="json")) == [("response", "invalid")]
    assert Case.objects.count() == 1


def test_lists_filter_sort_and_cost_the_same(
    cast: Cast, api: Api, django_assert_max_num_queries: Any
) -> None:
    contact = ContactFactory(owner=cast.rep, team=cast.north)
    rows = [CaseFactory(contact=contact, sla_due_at=NOW + dt.timedelta(hours=2 * n - 1)) for n in range(20)]
    CaseFactory(owner=cast.rep2, team=cast.south)
    never = CaseFactory(contact=contact, sla_due_at=None)
    client = api(cast.rep)
    client.get(URL)
    for size in (2, 21):
        with django_assert_max_num_queries(6):
            found = client.get(URL, {"page_size": size, "ordering": "sla_due_at", "expand": "contact,owner"})
        ids = [row["id"] for row in found.json()["results"]]
        assert ids == [str(row.pk) for row in [*rows, never][:size]]
    assert [r["id"] for r in client.get(URL, {"overdue": "true"}).json()["results"]] == [str(rows[0].pk)]
    assert client.get(URL, {"ordering": "body"}).status_code == 400


def test_bulk_resolves_and_a_bad_one_harms_no_other(cast: Cast, api: Api) -> None:
    first, second = (CaseFactory(contact=ContactFactory(owner=cast.rep)) for _ in range(2))
    hidden = CaseFactory(owner=cast.rep2)
    operations = [
        {
            "op": "update",
            "match": {"id": str(first.pk)},
            "data": {"status": "resolved", "resolution": "Done"},
        },
        {"op": "update", "match": {"id": str(second.pk)}, "data": {"status": "resolved"}},
        {"op": "update", "match": {"id": str(hidden.pk)}, "data": {"status": "pending"}},
        {"op": "delete", "match": {"id": str(second.pk)}},
        {"op": "create", "data": {"contact": str(first.contact_id), "subject": "Next"}},
    ]
    answer = api(cast.rep).post(f"{URL}bulk/", {"operations": operations}, format="json")
    results = answer.json()["results"]
    assert [r["status"] for r in results] == [200, 400, 404, 403, 201]
    for row in (first, second, hidden):
        row.refresh_from_db()
    assert [row.status for row in (first, second, hidden)] == ["resolved", "open", "open"]
