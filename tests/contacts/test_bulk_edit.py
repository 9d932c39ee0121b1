"""One field of many records: who may, what is written, how far a job is, and taking it back."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from contacts.models import Activity, Company, Contact, Interaction, Pulse
from crmcem.lib.actors import person
from crmcem.workspace.models import AuditEntry, BulkEdit, BulkEditRow, User
from crmcem.workspace.services import edits
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, InteractionFactory
from tests.factories.fields import CustomFieldFactory

pytestmark = pytest.mark.django_db
Web = Callable[[User], Client]
HX = {"HX-Request": "true"}


def set_field(
    client: Client, ids: list[int] | None, field: str, value: Any, name: str = "list", **more: Any
) -> Any:
    chosen: dict[str, Any] = {"_all": "1"} if ids is None else {"ids": [str(pk) for pk in ids]}
    data = {"_bulk": "edit", "_confirmed": "1", "field": field, "value": value, **chosen, **more}
    return client.post(reverse(f"contacts:{name}") + "?view=all", data, headers=HX)


def undo(client: Client, edit: BulkEdit) -> Any:
    return client.post(reverse("workspace:edit-undo", args=[edit.pk]), headers=HX)


def state(*rows: Any) -> list[tuple[Any, ...]]:
    for row in rows:
        row.refresh_from_db()
    return [(row.version, row.owner_id, row.custom, getattr(row, "tags", None)) for row in rows]


CONTACT_VALUES = [
    ("lifecycle_stage", "customer", "lifecycle_stage", "customer"),
    ("job_title", "  Buyer ", "job_title", "Buyer"),
    ("birthday", "1980-02-29", "birthday", dt.date(1980, 2, 29)),
    ("language", "de", "language", "de"),
    ("time_zone", "Europe/Berlin", "time_zone", "Europe/Berlin"),
    ("tags-add", "New, vip", "tags", ["new", "vip"]),
    ("tags-remove", "vip", "tags", []),
]


@pytest.mark.parametrize(("field", "typed", "column", "stored"), CONTACT_VALUES)
def test_a_field_is_set_for_all_of_them_and_comes_back(
    cast: Cast, web: Web, field: str, typed: str, column: str, stored: Any
) -> None:
    first, second = (ContactFactory(owner=cast.rep, lifecycle_stage="lead", tags=["vip"]) for _n in range(2))
    before = {row.pk: getattr(row, column) for row in (first, second)}
    client = web(cast.rep)
    response = set_field(client, [first.pk, second.pk], field, typed)
    assert response.status_code == 200
    edit = BulkEdit.objects.get()
    assert (edit.status, edit.rows_done, edit.changed, edit.failed) == ("done", 2, 2, 0)
    assert reverse("workspace:edit", args=[edit.pk]) in response.content.decode()
    for row in (first, second):
        row.refresh_from_db()
        assert (getattr(row, column), row.version) == (stored, 2)
        said = Activity.objects.filter(contact_id=row.pk, kind="contact.updated").get()
        assert list(said.payload["changes"]) == [column]
        assert said.actor_id == cast.rep.pk
    audited = AuditEntry.objects.filter(table_name="contacts_contact", actor_kind="user")
    assert set(audited.values_list("actor_id", flat=True)) == {cast.rep.pk}
    assert undo(client, edit).status_code == 200
    for row in (first, second):
        row.refresh_from_db()
        assert (getattr(row, column), row.version) == (before[row.pk], 3)
    edit.refresh_from_db()
    assert (edit.status, edit.restored) == ("undone", 2)


def test_owner_and_stage_reach_what_stands_on_them(cast: Cast, web: Web) -> None:
    contact = ContactFactory(owner=cast.rep, team=cast.north, lifecycle_stage="lead")
    talk = InteractionFactory(contact=contact, owner=cast.rep, team=cast.north)
    client = web(cast.admin)
    set_field(client, [contact.pk], "owner", str(cast.rep2.pk))
    pulse = Pulse.objects.get(pk=contact.pk)
    assert (pulse.owner_id, pulse.team_id) == (cast.rep2.pk, cast.south.pk)
    assert Interaction.objects.get(pk=talk.pk).owner_id == cast.rep2.pk
    set_field(client, [contact.pk], "lifecycle_stage", "former")
    assert Pulse.objects.get(pk=contact.pk).lifecycle_stage == "former"
    undo(client, BulkEdit.objects.earliest("pk"))
    contact.refresh_from_db()
    assert (contact.owner_id, contact.lifecycle_stage) == (cast.rep.pk, "former"), (
        "each edit takes back its own"
    )
    assert Interaction.objects.get(pk=talk.pk).owner_id == cast.rep.pk
    undo(client, BulkEdit.objects.latest("pk"))
    pulse = Pulse.objects.get(pk=contact.pk)
    assert (pulse.owner_id, pulse.team_id, pulse.lifecycle_stage) == (cast.rep.pk, cast.north.pk, "lead")


def test_custom_fields_and_only_that_one(cast: Cast, web: Web) -> None:
    CustomFieldFactory(entity="contact", key="size", type="number", label="Size")
    contact = ContactFactory(owner=cast.rep, custom={"size": 3, "other": "x"})
    empty = ContactFactory(owner=cast.rep)
    client = web(cast.rep)
    set_field(client, [contact.pk, empty.pk], "custom-size", "12")
    contact.refresh_from_db()
    assert {key: str(value) for key, value in contact.custom.items()} == {"size": "12", "other": "x"}
    Contact.objects.filter(pk=contact.pk).update(custom={**contact.custom, "other": "y"})
    undo(client, BulkEdit.objects.get())
    contact.refresh_from_db()
    empty.refresh_from_db()
    assert contact.custom == {"size": 3, "other": "y"}
    assert empty.custom == {}
    refused = set_field(client, [contact.pk], "custom-size", "many")
    assert refused.status_code == 422
    assert BulkEdit.objects.count() == 1


def test_companies_and_circles(cast: Cast, web: Web) -> None:
    top = CompanyFactory(owner=cast.rep, name="Top")
    middle = CompanyFactory(owner=cast.rep, name="Middle", parent=top)
    other = CompanyFactory(owner=cast.rep, name="Other")
    client = web(cast.rep)
    set_field(client, [top.pk, other.pk], "parent", str(middle.pk), "companies")
    edit = BulkEdit.objects.get()
    assert (edit.changed, edit.failed) == (1, 1)
    assert edit.failures[0][0] == "Top"
    assert Company.objects.get(pk=other.pk).parent_id == middle.pk
    assert Company.objects.get(pk=top.pk).parent_id is None
    set_field(client, [top.pk, other.pk], "industry", "Shipping", "companies")
    assert set(Company.objects.filter(pk__in=[top.pk, other.pk]).values_list("industry", flat=True)) == {
        "Shipping"
    }
    undo(client, edit)
    assert Company.objects.get(pk=other.pk).parent_id is None
    assert Company.objects.get(pk=other.pk).industry == "Shipping", "what another edit did stays"


def test_taking_back_makes_no_circle(cast: Cast, web: Web) -> None:
    old, new = CompanyFactory(owner=cast.rep, name="Old"), CompanyFactory(owner=cast.rep, name="New")
    child = CompanyFactory(owner=cast.rep, name="Child", parent=old)
    client = web(cast.rep)
    set_field(client, [child.pk], "parent", str(new.pk), "companies")
    Company.objects.filter(pk=old.pk).update(parent=child)
    page = undo(client, BulkEdit.objects.get()).content.decode()
    assert Company.objects.get(pk=child.pk).parent_id == new.pk
    assert "<b>Child</b>: This company stands above the other already" in page


def test_rows_of_others_are_left_out_and_told(cast: Cast, web: Web) -> None:
    mine, theirs = ContactFactory(owner=cast.rep), ContactFactory(owner=cast.rep2)
    before = state(theirs)
    client = web(cast.rep)
    shown = client.post(
        reverse("contacts:list") + "?view=all",
        {"_bulk": "edit", "ids": [str(mine.pk), str(theirs.pk)], "field": "job_title"},
        headers=HX,
    ).content.decode()
    assert "1 record is chosen." in shown
    assert "1 more is gone or not yours to change, and is left out." in shown
    set_field(client, [mine.pk, theirs.pk], "job_title", "Buyer")
    set_field(client, None, "tags-add", "mine")
    assert state(theirs) == before
    mine.refresh_from_db()
    assert (mine.job_title, mine.tags) == ("Buyer", ["mine"])


def test_without_the_scope_nothing_is_changed(cast: Cast, web: Web) -> None:
    contact = ContactFactory(owner=cast.readonly)
    before = state(contact)
    assert set_field(web(cast.readonly), [contact.pk], "job_title", "Buyer").status_code == 403
    mine = ContactFactory(owner=cast.rep)
    for field in ("owner", "email", "external_id", "created_at", "owner_id", "version"):
        assert set_field(web(cast.rep), [mine.pk], field, "x@y.example").status_code == 422
    assert state(contact) == before
    assert BulkEdit.objects.count() == 0


def test_the_forecast_counts_those_that_differ(cast: Cast, web: Web) -> None:
    CustomFieldFactory(entity="contact", key="size", type="number", label="Size")
    for title, custom in (("Buyer", {"size": 5}), ("", {}), ("Chief", {"size": 6})):
        ContactFactory(owner=cast.rep, job_title=title, custom=custom, tags=["a"])
    client = web(cast.rep)

    def said(field: str, value: str) -> str:
        response = set_field(client, None, field, value, _confirmed="", _forecast="1")
        assert response.status_code == 200
        return str(response.content.decode())

    assert said("job_title", "Buyer").startswith("2 of them")
    assert said("custom-size", "5").startswith("2 of them")
    assert said("custom-size", "").startswith("2 of them")
    assert said("tags-add", "a").startswith("All of them have")
    assert said("tags-remove", "a").startswith("3 of them")
    assert said("owner", str(cast.rep.pk)) == "", "a rep may not give contacts away"
    assert BulkEdit.objects.count() == 0


def test_many_are_a_job_that_goes_on_where_it_stopped(
    cast: Cast, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "CHUNK", 2)
    rows = [ContactFactory(owner=cast.rep, lifecycle_stage="lead") for _n in range(5)]
    ContactFactory(owner=cast.rep2, lifecycle_stage="lead")
    client = web(cast.rep)
    data = {"_bulk": "edit", "_confirmed": "1", "_all": "1", "field": "lifecycle_stage", "value": "customer"}
    assert (
        client.post(reverse("contacts:list") + "?lifecycle_stage=lead", data, headers=HX).status_code == 200
    )
    edit = BulkEdit.objects.get()
    assert (edit.status, edit.rows_total, edit.changed) == ("queued", 5, 0)
    page = client.get(reverse("workspace:edit", args=[edit.pk])).content.decode()
    assert "0 of about 5 records." in page
    assert edits.orphans() == [edit.pk]
    claimed = edits._claim(edit.pk)
    assert claimed is not None
    assert edits._step(edit.pk, edits._rows(claimed), person(cast.rep))
    assert edits.edit_run(edit.pk) == "busy"
    assert Contact.objects.filter(lifecycle_stage="customer").count() == 2
    BulkEdit.objects.update(claimed_until=timezone.now() - dt.timedelta(seconds=1))  # its worker died
    assert edits.edit_run(edit.pk) == "done"
    edit.refresh_from_db()
    assert (edit.rows_done, edit.changed) == (5, 5)
    assert Contact.objects.filter(lifecycle_stage="customer").count() == 5
    assert Activity.objects.filter(kind="contact.updated").count() == 5
    Contact.objects.filter(pk=rows[0].pk).update(version=9, lifecycle_stage="former")
    Contact.objects.filter(pk=rows[1].pk).update(version=9, job_title="Buyer")
    assert "Being taken back" in undo(client, edit).content.decode()
    assert edits.edit_run(edit.pk) == "undone"
    edit.refresh_from_db()
    assert (edit.changed, edit.restored) == (5, 4)
    assert not Contact.objects.filter(lifecycle_stage="customer").exists()
    assert Contact.objects.get(lifecycle_stage="former").pk == rows[0].pk
    assert edit.skipped == [[str(rows[0]), "It was changed again since."]]


def test_a_job_stops_on_request_and_without_its_persons_role(
    cast: Cast, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "CHUNK", 1)
    for _n in range(3):
        ContactFactory(owner=cast.rep, job_title="")
    client = web(cast.rep)
    set_field(client, None, "job_title", "Buyer")
    edit = BulkEdit.objects.get()
    client.post(reverse("workspace:edit-cancel", args=[edit.pk]))
    assert edits.edit_run(edit.pk) == "busy"
    set_field(client, None, "job_title", "Buyer")
    User.objects.filter(pk=cast.rep.pk).update(is_active=False)
    assert edits.edit_run(BulkEdit.objects.latest("pk").pk) == "failed"
    assert not Contact.objects.filter(job_title="Buyer").exists()


def test_only_who_did_it_sees_it_and_takes_it_back_for_half_an_hour(cast: Cast, web: Web) -> None:
    contact = ContactFactory(owner=cast.rep, team=cast.north, job_title="Old")
    client = web(cast.rep)
    set_field(client, [contact.pk], "job_title", "New")
    edit = BulkEdit.objects.get()
    for name in ("edit-cancel", "edit-undo"):
        assert web(cast.admin).post(reverse(f"workspace:{name}", args=[edit.pk])).status_code == 404
    assert web(cast.admin).get(reverse("workspace:edit", args=[edit.pk])).status_code == 404
    assert "Job title" in client.get(reverse("workspace:trash")).content.decode()
    BulkEdit.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    assert "can’t be taken back any more" in undo(client, edit).content.decode()
    assert Contact.objects.get(pk=contact.pk).job_title == "New"
    edits.edits_expire()
    assert BulkEditRow.objects.count() == 0


def test_an_edit_costs_the_same_statements_for_more_rows(cast: Cast, web: Web) -> None:
    client = web(cast.rep)

    def cost(size: int, value: str) -> int:
        rows = [ContactFactory(owner=cast.rep) for _n in range(size)]
        with CaptureQueriesContext(connection) as captured:
            assert set_field(client, [row.pk for row in rows], "job_title", value).status_code == 200
        return len(captured)

    cost(1, "A")
    assert cost(2, "B") == cost(20, "C") < 40
