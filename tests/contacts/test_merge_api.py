"""Merging over the API, what became of old ids, and many merges at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from contacts.models import Activity, Contact, MergeRecord, Task
from contacts.services.merge import contact_merge
from crmcem.lib.actors import SYSTEM
from crmcem.lib.errors import DomainError
from crmcem.workspace.models import User
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, TaskFactory

Api = Callable[..., APIClient]
pytestmark = pytest.mark.django_db


@pytest.fixture
def own(cast: Cast) -> dict[str, Any]:
    return {"owner": cast.rep, "team": cast.north}


def merge(client: APIClient, winner: Any, loser: Any, what: str = "contacts", **body: Any) -> Any:
    return client.post(f"/api/v1/{what}/{winner.pk}/merge/", {"loser": str(loser.pk), **body}, format="json")


def test_merge_dry_run_and_undo(cast: Cast, own: Any, api: Api) -> None:
    winner = ContactFactory(external_id="W", last_name="Winner", **own)
    loser = ContactFactory(external_id="L", last_name="Loser", **own)
    TaskFactory(contact=loser, **own)
    rep = api(cast.rep)
    dry = merge(rep, winner, loser, dry_run=True, fields={"last_name": "loser"})
    assert dry.status_code == 200, dry.data
    assert (dry.data["merge"]["id"], dry.data["contact"]["last_name"]) == (None, "Loser")
    assert dry.data["merge"]["moved"]["tasks"] == 1
    assert MergeRecord.objects.count() == 0
    done = merge(rep, winner, loser)
    assert done.status_code == 200
    assert done.data["contact"]["id"] == str(winner.pk)
    assert done["ETag"] == f'"{done.data["contact"]["version"]}"'
    assert (done.data["merge"]["winner"], done.data["merge"]["loser"]) == (str(winner.pk), str(loser.pk))
    listed = rep.get("/api/v1/merges/", {"loser": loser.pk, "undone": "false"}).data["results"]
    assert [m["id"] for m in listed] == [done.data["merge"]["id"]]
    undone = rep.post(f"/api/v1/merges/{done.data['merge']['id']}/undo/")
    assert undone.status_code == 200
    assert undone.data["undone_at"] is not None
    assert undone.data["kept"] == []
    assert rep.post(f"/api/v1/merges/{done.data['merge']['id']}/undo/").status_code == 409
    assert rep.get(f"/api/v1/contacts/{loser.pk}/").data["last_name"] == "Loser"


def test_companies(cast: Cast, own: Any, api: Api) -> None:
    winner, loser = CompanyFactory(**own), CompanyFactory(domain="loser.example", **own)
    done = merge(api(cast.rep), winner, loser, "companies")
    assert done.status_code == 200, done.data
    assert done.data["company"]["domain"] == "loser.example"
    assert done.data["company"]["pulse"] is not None


def test_bad_bodies_are_said(cast: Cast, own: Any, api: Api) -> None:
    winner, loser = ContactFactory(**own), ContactFactory(**own)
    rep = api(cast.rep)
    for body, field in (
        ({}, "loser"),
        ({"loser": "x"}, "loser"),
        ({"loser": str(loser.pk), "fields": {"nose": "loser"}}, "fields.nose"),
        ({"loser": str(loser.pk), "fields": []}, "fields"),
        ({"loser": str(loser.pk), "surprise": 1}, "surprise"),
        ({"loser": str(winner.pk)}, "loser"),
    ):
        answer = rep.post(f"/api/v1/contacts/{winner.pk}/merge/", body, format="json")
        assert answer.status_code == 400, body
        assert answer.data["errors"][0]["field"] == field
    stale = rep.post(
        f"/api/v1/contacts/{winner.pk}/merge/", {"loser": str(loser.pk)}, format="json", HTTP_IF_MATCH='"9"'
    )
    assert stale.status_code == 412
    assert Contact.objects.count() == 2


def test_an_old_id_leads_to_the_winner_for_those_who_see_it(cast: Cast, own: Any, api: Api, web: Any) -> None:
    winner, loser = ContactFactory(**own), ContactFactory(**own)
    rep, rep2 = api(cast.rep), api(cast.rep2)
    last = ContactFactory(**own)
    merge(rep, winner, loser)
    merge(rep, last, winner)
    old = f"/api/v1/contacts/{loser.pk}/"
    answer = rep.get(f"{old}?fields=id")
    assert answer.status_code == 307
    assert answer["Location"] == f"http://testserver/api/v1/contacts/{last.pk}/?fields=id"
    assert answer.data["merged_into"] == str(last.pk)
    assert rep.get(f"{old}timeline/")["Location"].endswith(f"/api/v1/contacts/{last.pk}/timeline/")
    for refused in (api(cast.manager).delete(old), rep.patch(old, {"last_name": "X"}, format="json")):
        assert refused.status_code == 409
        assert refused.data["errors"][0]["code"] == "merged"
    assert Contact.objects.filter(pk=last.pk).exists()
    missing = rep2.get("/api/v1/contacts/999999999/")
    hidden = rep2.get(old)
    assert (hidden.status_code, hidden.data) == (missing.status_code, missing.data)
    page = web(cast.rep).get(f"/contacts/{loser.pk}/?group=tasks")
    assert (page.status_code, page["Location"]) == (302, f"/contacts/{last.pk}/?group=tasks")
    assert web(cast.rep2).get(f"/contacts/{loser.pk}/").status_code == 404
    client: Client = web(cast.manager)
    assert client.post(f"/contacts/{loser.pk}/delete/").status_code == 409
    assert Contact.objects.filter(pk=last.pk).exists()


def test_an_old_id_in_a_body_means_the_winner(cast: Cast, own: Any, api: Api) -> None:
    winner, loser = ContactFactory(external_id="W", **own), ContactFactory(external_id="L", **own)
    rep = api(cast.rep)
    merge(rep, winner, loser)
    task = rep.post("/api/v1/tasks/", {"title": "Call", "contact": str(loser.pk)}, format="json")
    assert (task.status_code, task.data["contact"]) == (201, str(winner.pk))
    refused = api(cast.rep2).post("/api/v1/tasks/", {"title": "X", "contact": str(loser.pk)}, format="json")
    assert refused.status_code == 400
    operation = {"op": "upsert", "match": {"external_id": "L"}, "data": {"job_title": "Weaver"}}
    bulk = rep.post("/api/v1/contacts/bulk/", {"operations": [operation]}, format="json")
    assert bulk.status_code == 200, bulk.data
    winner.refresh_from_db()
    assert (winner.job_title, Contact.objects.count()) == ("Weaver", 1)


def test_a_late_activity_for_the_old_id_follows(cast: Cast, own: Any, drain: Any, actor: Any) -> None:
    """Written by somebody who had looked the contact up before the merge; the undo gives it back as well."""
    winner, loser = ContactFactory(**own), ContactFactory(**own)
    drain()
    record, _ = contact_merge(winner=winner, loser=loser, actor=actor(cast.rep))
    late = Activity.objects.create(kind="order.placed", contact_id=loser.pk, payload={"amount": "5.00"})
    drain()
    late.refresh_from_db()
    assert late.contact_id == winner.pk
    drain()
    winner.pulse.refresh_from_db()
    assert (winner.pulse.orders, str(winner.pulse.revenue)) == (1, "5.00")
    from contacts.services.merge import merge_undo

    merge_undo(merge=record, actor=actor(cast.rep))
    drain()
    late.refresh_from_db()
    winner.pulse.refresh_from_db()
    assert late.contact_id == loser.pk
    assert (winner.pulse.orders, Contact.objects.get(pk=loser.pk).pulse.orders) == (0, 1)


@pytest.mark.django_db(transaction=True)
def test_a_hundred_merges_at_the_same_time(cast: Cast) -> None:
    """All of them into each other: every contact but the last ends in one, no row is lost, nobody deadlocks."""
    contacts = [ContactFactory() for _ in range(12)]
    for contact in contacts:
        TaskFactory(contact=contact)
        Activity.objects.create(kind="order.placed", contact_id=contact.pk)

    def one(number: int) -> str:
        winner, loser = contacts[number % 12], contacts[(number * 7 + 5) % 12]
        try:
            contact_merge(winner=winner, loser=loser, actor=SYSTEM)
        except DomainError as error:
            return error.errors[0].code
        except Exception as error:
            return type(error).__name__
        finally:
            connection.close()
        return "merged"

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(one, range(100)))
    assert set(outcomes) <= {"merged", "does_not_exist", "same_record", "Http404"}
    left = set(Contact.objects.values_list("pk", flat=True))
    assert outcomes.count("merged") == 12 - len(left) == MergeRecord.objects.count()
    assert Task.objects.count() == 12
    assert set(Task.objects.values_list("contact_id", flat=True)) <= left
    assert set(Activity.objects.filter(kind="order.placed").values_list("contact_id", flat=True)) <= left
    assert Activity.objects.filter(kind="order.placed").count() == 12


def test_users_are_told_apart(cast: Cast, own: Any, api: Api) -> None:
    """Somebody of another team can neither merge, nor see, nor undo."""
    winner, loser = ContactFactory(**own), ContactFactory(**own)
    assert merge(api(cast.rep2), winner, loser).status_code == 404
    assert merge(api(cast.readonly), winner, loser).status_code == 403
    done = merge(api(cast.rep), winner, loser)
    pk = done.data["merge"]["id"]
    other: User = cast.rep2
    assert api(other).get(f"/api/v1/merges/{pk}/").status_code == 404
    assert api(other).post(f"/api/v1/merges/{pk}/undo/").status_code == 404
    assert api(cast.readonly).post(f"/api/v1/merges/{pk}/undo/").status_code == 403
    assert MergeRecord.objects.get().undone_at is None
