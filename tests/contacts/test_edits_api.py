"""Edits of many records over the API: the same as over the list, within what the token may."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from contacts.models import Activity, Company, Contact, LifecycleChange, Task
from crmcem.workspace.models import BulkEdit
from crmcem.workspace.services import edits
from sales.models import Deal
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, TaskFactory
from tests.factories.sales import DealFactory

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]


def send(client: APIClient, what: str, **body: Any) -> Any:
    return client.post(f"/api/v1/{what}/edit/", body, format="json")


def problems(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 400, answer.content
    return [(each["field"], each["code"]) for each in answer.json()["errors"]]


def test_a_tag_for_all_that_match_is_followed_and_taken_back(cast: Cast, api: Api) -> None:
    own: dict[str, Any] = {"owner": cast.rep, "team": cast.north}
    lead, tagged = ContactFactory(lifecycle_stage="lead", **own), ContactFactory(tags=["vip"], **own)
    Contact.objects.filter(pk=tagged.pk).update(lifecycle_stage="lead")
    other = ContactFactory(lifecycle_stage="customer", **own)
    hidden = ContactFactory(lifecycle_stage="lead", owner=cast.rep2, team=cast.south)
    client = api(cast.rep)
    body = send(client, "contacts", field="tags-add", value=["VIP"], filters={"lifecycle_stage": "lead"})
    assert body.status_code == 200, body.content
    edit = body.json()
    expected = {
        "object": "contacts",
        "field": "tags-add",
        "value": ["vip"],
        "reason": "",
        "status": "done",
        "rows_total": 2,
        "rows_done": 2,
        "changed": 1,
        "restored": 0,
        "failed": [],
        "kept": [],
        "more": False,
        "error": "",
    }
    assert {name: edit[name] for name in expected} == expected
    assert client.get(f"/api/v1/edits/{edit['id']}/").json() == edit
    assert [each["id"] for each in client.get("/api/v1/edits/").json()["results"]] == [edit["id"]]
    tags = dict(Contact.objects.values_list("pk", "tags"))
    assert tags == {lead.pk: ["vip"], tagged.pk: ["vip"], other.pk: [], hidden.pk: []}
    undone = client.post(f"/api/v1/edits/{edit['id']}/undo/").json()
    assert (undone["status"], undone["restored"], undone["kept"]) == ("undone", 1, [])
    assert dict(Contact.objects.values_list("pk", "tags")) == {**tags, lead.pk: []}
    again = client.post(f"/api/v1/edits/{edit['id']}/undo/")
    assert problems(again) == [("edit", "too_late")]


def test_each_kind_of_record_by_its_ids(cast: Cast, api: Api) -> None:
    own: dict[str, Any] = {"owner": cast.rep, "team": cast.north}
    contact, company = ContactFactory(lifecycle_stage="lead", **own), CompanyFactory(**own)
    task, deal = TaskFactory(**own), DealFactory(**own)
    client = api(cast.admin)
    to = str(cast.rep2.pk)
    for what, row, field in (
        ("contacts", contact, "owner"),
        ("companies", company, "owner"),
        ("tasks", task, "assignee"),
        ("deals", deal, "owner"),
    ):
        answer = send(client, what, field=field, value=to, ids=[str(row.pk)])
        assert (answer.status_code, answer.json()["changed"], answer.json()["object"]) == (200, 1, what)
    for model in (Contact, Company, Task, Deal):
        assert list(model.objects.values_list("owner_id", "team_id")) == [(cast.rep2.pk, cast.south.pk)]
    assert send(client, "deals", field="lost", value="Price", ids=[str(deal.pk)]).json()["changed"] == 1
    assert send(client, "tasks", field="cancelled", ids=[str(task.pk)]).json()["changed"] == 1
    stage = {"field": "lifecycle_stage", "value": "customer", "reason": "signed", "ids": [str(contact.pk)]}
    assert send(client, "contacts", **stage).json()["reason"] == "signed"
    assert LifecycleChange.objects.get(contact=contact).reason == "signed"
    for edit in client.get("/api/v1/edits/").json()["results"]:
        assert client.post(f"/api/v1/edits/{edit['id']}/undo/").json()["restored"] == 1
    for model in (Contact, Company, Task, Deal):
        assert list(model.objects.values_list("owner_id", "team_id")) == [(cast.rep.pk, cast.north.pk)]
    assert list(Deal.objects.values_list("status", "lost_reason")) == [("open", "")]
    assert Task.objects.get().status == "open"
    assert Contact.objects.get().lifecycle_stage == "lead"


def test_what_is_wrong_is_named_and_changes_nothing(cast: Cast, api: Api) -> None:
    contact = ContactFactory(owner=cast.rep, team=cast.north, tags=["a"])
    before = Contact.objects.values().get()
    client = api(cast.rep)
    ids = [str(contact.pk)]
    wrong: list[tuple[dict[str, Any], tuple[str, str]]] = [
        ({"field": "tags-add", "value": ["x"]}, ("ids", "required")),
        ({"field": "tags-add", "value": ["x"], "ids": ids, "filters": {}}, ("ids", "required")),
        ({"field": "tags-add", "value": ["x"], "ids": ["abc"]}, ("ids", "invalid")),
        ({"field": "tags-add", "value": ["x"], "filters": {"_part": "x"}}, ("_part", "unknown_parameter")),
        ({"field": "tags-add", "value": ["x"], "filters": {"view": "1"}}, ("view", "unknown_parameter")),
        ({"field": "tags-add", "value": ["x"], "filters": {"tag": ""}}, ("tag", "invalid")),
        ({"field": "tags-add", "value": ["x"], "filters": {"owner": "zz"}}, ("owner", "invalid")),
        ({"field": "tags-add", "value": [], "ids": ids}, ("value", "required")),
        ({"field": "tags-add", "value": {"a": 1}, "ids": ids}, ("value", "type")),
        ({"field": "lifecycle_stage", "ids": ids}, ("value", "required")),
        ({"field": "company", "value": "abc", "ids": ids}, ("value", "does_not_exist")),
        ({"field": "company", "value": True, "ids": ids}, ("value", "does_not_exist")),
        ({"field": "company", "value": [1], "ids": ids}, ("value", "does_not_exist")),
        ({"field": "email", "value": "a@b.example", "ids": ids}, ("field", "unknown_field")),
        ({"field": "owner_id", "value": "1", "ids": ids}, ("field", "unknown_field")),
        ({"field": "job_title", "value": "x", "ids": ids, "reason": "x" * 301}, ("reason", "max_length")),
        ({"field": "job_title", "value": "x", "ids": ids, "version": 1}, ("version", "unknown_field")),
    ]
    for body, problem in wrong:
        assert problems(send(client, "contacts", **body)) == [problem], body
    assert (Contact.objects.values().get(), BulkEdit.objects.count()) == (before, 0)


def test_a_token_does_no_more_than_its_scopes(cast: Cast, api: Api) -> None:
    own: dict[str, Any] = {"owner": cast.admin, "team": None}
    contact, deal = ContactFactory(**own), DealFactory(**own)
    before = (Contact.objects.values().get(), Deal.objects.values().get())
    client = api(cast.admin, ["contacts:read", "contacts:write"])
    ids = [str(contact.pk)]
    assert send(client, "contacts", field="owner", value=str(cast.rep.pk), ids=ids).status_code == 403
    assert send(client, "deals", field="amount", value="5", ids=[str(deal.pk)]).status_code == 403
    writing = api(cast.admin, ["contacts:write"])
    assert send(writing, "contacts", field="job_title", value="x", filters={}).status_code == 403
    assert send(api(cast.readonly), "contacts", field="job_title", value="x", filters={}).status_code == 403
    assert (Contact.objects.values().get(), Deal.objects.values().get()) == before
    assert (BulkEdit.objects.count(), Activity.objects.count()) == (0, 0)
    whole = api(cast.admin)
    edit = send(whole, "deals", field="amount", value="5", ids=[str(deal.pk)]).json()
    assert client.get("/api/v1/edits/").json()["results"] == []
    assert client.post(f"/api/v1/edits/{edit['id']}/undo/").status_code == 404
    given = send(whole, "contacts", field="owner", value=str(cast.rep.pk), ids=ids).json()
    assert client.post(f"/api/v1/edits/{given['id']}/undo/").status_code == 403
    assert Contact.objects.get().owner_id == cast.rep.pk
    assert str(Deal.objects.get().amount) == "5.00"


def test_hidden_rows_stay_and_others_see_nothing_of_it(cast: Cast, api: Api) -> None:
    mine = ContactFactory(owner=cast.rep, team=cast.north)
    theirs = ContactFactory(owner=cast.rep2, team=cast.south)
    ids = [str(mine.pk), str(theirs.pk), str(10**12)]
    edit = send(api(cast.rep), "contacts", field="job_title", value="Buyer", ids=ids).json()
    assert (edit["rows_total"], edit["changed"]) == (1, 1)
    assert dict(Contact.objects.values_list("pk", "job_title")) == {mine.pk: "Buyer", theirs.pk: ""}
    other = api(cast.admin)
    assert other.get("/api/v1/edits/").json()["results"] == []
    for path in ("", "undo/", "cancel/"):
        call = other.post if path else other.get
        assert call(f"/api/v1/edits/{edit['id']}/{path}").status_code == 404
    assert Contact.objects.get(pk=mine.pk).job_title == "Buyer"


def test_many_are_a_job_that_can_be_stopped(cast: Cast, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edits, "CHUNK", 2)
    for _n in range(5):
        ContactFactory(owner=cast.rep, team=cast.north, job_title="")
    client = api(cast.rep)
    edit = send(client, "contacts", field="job_title", value="Buyer", filters={}).json()
    assert (edit["status"], edit["more"], edit["changed"]) == ("queued", True, 0)
    path = f"/api/v1/edits/{edit['id']}/"
    assert client.post(path + "cancel/").json()["status"] == "cancelled"
    assert edits.edit_run(int(edit["id"])) == "busy"
    assert not Contact.objects.filter(job_title="Buyer").exists()
    second = send(client, "contacts", field="job_title", value="Buyer", filters={}).json()
    assert edits.edit_run(int(second["id"])) == "done"
    assert client.get(f"/api/v1/edits/{second['id']}/").json()["changed"] == 5
    assert Contact.objects.filter(job_title="Buyer").count() == 5
