"""Repairs of the data quality as edits of many records: any number, in the background, and taken back."""

import threading
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts.models import (
    Activity,
    Address,
    Company,
    Contact,
    ContactPoint,
    DuplicatePair,
    MergeRecord,
    Message,
    Pulse,
)
from contacts.selectors.quality import quality_report
from contacts.services import quality_points, quality_watch
from contacts.services.contacts import contact_update
from crmcem.lib.actors import person
from crmcem.workspace.models import AuditEntry, BulkEdit, User
from crmcem.workspace.services import edits
from tests.factories.contacts import CompanyFactory, ContactFactory

pytestmark = pytest.mark.django_db
API = "/api/v1/data-quality/repair/"


def mine(cast: Any, **more: Any) -> Contact:
    row: Contact = ContactFactory(**{"owner": cast.rep, "team": cast.rep.team, **more})
    for kind in ("email", "phone"):
        if value := getattr(row, kind):
            ContactPoint.objects.create(contact=row, kind=kind, value=value, is_primary=True)
    return row


def bounced(contact: Contact) -> None:
    Message.objects.create(
        contact=contact,
        to_address=contact.email,
        status="failed",
        error="550 no such user",
        idempotency_key=f"k{Message.objects.count()}",
    )


def found(user: Any, name: str) -> int | None:
    return next(each.count.n for each in quality_report(user).found if each.check.name == name)


def state() -> dict[str, Any]:
    """All that a repair may write."""
    return {
        "contacts": list(
            Contact.objects.order_by("pk").values("pk", "email", "phone", "owner", "team", "version")
        ),
        "points": list(ContactPoint.objects.order_by("pk").values()),
        "companies": list(Company.objects.order_by("pk").values("pk", "phone", "version")),
        "edits": BulkEdit.objects.count(),
        "activities": Activity.objects.count(),
        "audit": AuditEntry.objects.filter(table_name__startswith="contacts_").count(),
    }


# --- an owner ---------------------------------------------------------------------------------------------------
def orphans(cast: Any, size: int) -> list[Contact]:
    company = CompanyFactory(owner=cast.rep, team=cast.rep.team)
    return [ContactFactory(company=company, owner=None, team=None) for _n in range(size)]


def test_as_many_as_there_are_go_chunk_by_chunk_and_come_back(
    cast: Any, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "CHUNK", 2)
    rows = orphans(cast, 5)
    alone = ContactFactory(owner=None)  # nobody to give it to
    client = web(cast.admin)
    assert "Give to the owner of their company (5)" in client.get("/quality/").content.decode()
    page = client.post("/quality/", {"check": "contact.unowned"}, follow=True).content.decode()
    edit = BulkEdit.objects.get()
    assert (edit.status, edit.rows_total, edit.changed) == ("queued", 6, 0)
    assert "0 of about 6 records." in page
    client.post("/quality/", {"check": "contact.unowned"})
    assert BulkEdit.objects.count() == 1, "a second click joins the first"
    assert edits.edit_run(edit.pk) == "done"
    edit.refresh_from_db()
    assert (edit.rows_done, edit.changed, edit.failed) == (6, 5, 0)
    owned = Contact.objects.filter(pk__in=[row.pk for row in rows])
    assert set(owned.values_list("owner", "team", "version")) == {(cast.rep.pk, cast.rep.team_id, 2)}
    assert Activity.objects.filter(kind="contact.updated", actor_id=cast.admin.pk).count() == 5
    shown = client.get("/quality/").content.decode()
    assert "5 records changed." in shown
    assert "1 stays as it is: its rule does not fit." in shown
    assert reverse("workspace:edit-undo", args=[edit.pk]) in shown
    assert "Give to the owner of their company" in client.get(reverse("workspace:trash")).content.decode()

    contact_update(contact=rows[0], data={"owner": cast.rep2}, actor=person(cast.admin))
    contact_update(contact=rows[1], data={"job_title": "Buyer"}, actor=person(cast.admin))
    client.post(reverse("workspace:edit-undo", args=[edit.pk]))
    assert edits.edit_run(edit.pk) == "undone"
    edit.refresh_from_db()
    assert (edit.changed, edit.restored) == (5, 4)
    assert list(owned.filter(owner__isnull=False).values_list("pk", flat=True)) == [rows[0].pk]
    assert not Pulse.objects.filter(pk__in=[row.pk for row in rows[1:]], owner__isnull=False).exists()
    shown = client.get("/quality/").content.decode()
    assert "4 records are as they were before." in shown
    assert f"<li><b>{rows[0]}</b>: It was changed again since.</li>" in shown
    assert found(cast.admin, "contact.unowned") == 5
    alone.refresh_from_db()
    assert alone.version == 1


def test_who_may_not_give_records_away_changes_nothing(cast: Any, web: Any, api: Any) -> None:
    orphans(cast, 2)
    before = state()
    for user in (cast.rep, cast.readonly):
        assert web(user).post("/quality/", {"check": "contact.unowned"}).status_code == 403
        assert api(user).post(API, {"check": "contact.unowned"}, format="json").status_code == 403
        body = {"check": "contact.unowned", "dry_run": True}
        assert api(user).post(API, body, format="json").status_code == 403
    assert state() == before


def test_who_loses_the_right_meanwhile_changes_nothing(
    cast: Any, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "CHUNK", 1)
    orphans(cast, 2)
    assert api(cast.admin).post(API, {"check": "contact.unowned"}, format="json").json()["more"] is True
    User.objects.filter(pk=cast.admin.pk).update(role=cast.readonly.role, is_superuser=False)
    before = state()
    assert edits.edit_run(BulkEdit.objects.get().pk) == "failed"
    assert state() == before


def test_others_see_nothing_of_a_repair(cast: Any, web: Any, api: Any) -> None:
    orphans(cast, 1)
    edit = api(cast.admin).post(API, {"check": "contact.unowned"}, format="json").json()
    assert api(cast.rep).get("/api/v1/data-repairs/").json()["results"] == []
    assert api(cast.rep).get(f"/api/v1/data-repairs/{edit['id']}/").status_code == 404
    assert api(cast.rep).post(f"/api/v1/data-repairs/{edit['id']}/undo/").status_code == 404
    assert "Contacts: Nobody is responsible" not in web(cast.rep).get("/quality/").content.decode()
    assert Contact.objects.filter(owner=cast.rep).count() == 1


def test_over_the_api_a_repair_is_followed_and_undone(cast: Any, api: Any) -> None:
    [row] = orphans(cast, 1)
    client = api(cast.admin)
    edit = client.post(API, {"check": "contact.unowned"}, format="json").json()
    expected = {
        "check": "contact.unowned",
        "status": "done",
        "rows_total": 1,
        "rows_done": 1,
        "changed": 1,
        "restored": 0,
        "failed": [],
        "kept": [],
        "more": False,
        "error": "",
    }
    assert {name: edit[name] for name in expected} == expected
    assert client.get(f"/api/v1/data-repairs/{edit['id']}/").json() == edit
    assert [each["id"] for each in client.get("/api/v1/data-repairs/").json()["results"]] == [edit["id"]]
    Contact.objects.filter(pk=row.pk).update(version=9, owner=cast.rep2)
    undone = client.post(f"/api/v1/data-repairs/{edit['id']}/undo/").json()
    assert (undone["status"], undone["restored"], undone["kept"]) == (
        "undone",
        0,
        [{"record": str(row), "detail": "It was changed again since."}],
    )
    again = client.post(f"/api/v1/data-repairs/{edit['id']}/undo/")
    assert (again.status_code, again.json()["errors"][0]["code"]) == (400, "too_late")


# --- values out of form -----------------------------------------------------------------------------------------
def test_values_come_back_where_nobody_changed_them_since(
    cast: Any, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = mine(cast, email="Kay <kay@example.org>")
    two = mine(cast, email="Max <max@example.org>")
    three = mine(cast, email="Lea <lea@example.org>")
    quality_watch.faults_find()
    before = state()
    client = web(cast.rep)
    client.post("/quality/", {"check": "contact.invalid_email"})
    edit = BulkEdit.objects.get()
    assert (edit.status, edit.changed) == ("done", 3)
    assert list(Contact.objects.order_by("pk").values_list("email", "version")) == [
        ("kay@example.org", 2),
        ("max@example.org", 2),
        ("lea@example.org", 2),
    ]
    assert set(ContactPoint.objects.values_list("value", "version")) == {
        ("kay@example.org", 2),
        ("max@example.org", 2),
        ("lea@example.org", 2),
    }
    two.refresh_from_db()
    contact_update(contact=two, data={"email": "max@new.example"}, actor=person(cast.rep))
    three.refresh_from_db()
    contact_update(contact=three, data={"job_title": "Buyer"}, actor=person(cast.rep))
    client.post(reverse("workspace:edit-undo", args=[edit.pk]))
    after = {row["pk"]: row["email"] for row in state()["contacts"]}
    assert after == {
        one.pk: "Kay <kay@example.org>",
        two.pk: "max@new.example",
        three.pk: "Lea <lea@example.org>",
    }
    edit.refresh_from_db()
    assert (edit.status, edit.restored) == ("undone", 2)
    assert edit.skipped == [[str(two), "It was changed again since.", two.pk]]
    values = {row["id"]: row["value"] for row in before["points"] if row["contact_id"] != two.pk}
    assert {p.pk: p.value for p in ContactPoint.objects.exclude(contact=two)} == values
    assert found(cast.rep, "contact.invalid_email") == 2


def test_two_that_mean_the_same_address_and_one_that_is_taken(cast: Any, api: Any) -> None:
    first = mine(cast, email="Kay <kay@example.org>")
    second = mine(cast, email="mailto:kay@example.org", first_name="Second", last_name="Kay")
    mine(cast, email="max@example.org", first_name="Max", last_name="First")
    third = mine(cast, email="<max@example.org>")
    quality_watch.faults_find()
    body = api(cast.rep).post(API, {"check": "contact.invalid_email"}, format="json").json()
    assert (body["changed"], [each["id"] for each in body["failed"]]) == (1, [str(second.pk), str(third.pk)])
    assert "belongs to" in body["failed"][1]["detail"]
    emails = dict(Contact.objects.values_list("pk", "email"))
    assert (emails[first.pk], emails[second.pk]) == ("kay@example.org", "mailto:kay@example.org")


@pytest.mark.django_db(transaction=True)
def test_an_address_taken_between_look_and_write_fails_that_record_only(
    cast: Any, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = mine(cast, email="Kay <kay@example.org>")
    other = mine(cast, email="Max <max@example.org>")
    quick = mine(cast)
    quality_watch.faults_find()
    look = quality_points._free
    looks: list[int] = []

    def take() -> None:
        ContactPoint.objects.create(contact=quick, kind="email", value="kay@example.org")
        connection.close()

    def slow(*args: Any) -> Any:
        answer = look(*args)
        looks.append(len(answer[0]))
        if len(looks) == 1:
            somebody = threading.Thread(target=take)
            somebody.start()
            somebody.join()
        return answer

    monkeypatch.setattr(quality_points, "_free", slow)
    body = api(cast.rep).post(API, {"check": "contact.invalid_email"}, format="json").json()
    assert looks == [2, 1]
    failed = [each["id"] for each in body["failed"]]
    assert (body["status"], body["changed"], failed) == ("done", 1, [str(late.pk)])
    emails = dict(Contact.objects.exclude(pk=quick.pk).values_list("pk", "email"))
    assert emails == {late.pk: "Kay <kay@example.org>", other.pk: "max@example.org"}


def test_numbers_of_companies_come_back(cast: Any, web: Any) -> None:
    shop = CompanyFactory(owner=cast.rep, team=cast.rep.team, phone="(030) 7654321")
    Address.objects.create(company=shop, country="DE", is_primary=True)
    quality_watch.faults_find()
    client = web(cast.rep)
    client.post("/quality/", {"check": "company.invalid_phone"})
    shop.refresh_from_db()
    assert (shop.phone, shop.version) == ("+49307654321", 2)
    client.post(reverse("workspace:edit-undo", args=[BulkEdit.objects.get().pk]))
    shop.refresh_from_db()
    assert (shop.phone, shop.version) == ("(030) 7654321", 3)


# --- dead addresses ---------------------------------------------------------------------------------------------
def test_a_dead_address_comes_back_as_it_was(cast: Any, web: Any) -> None:
    heir = mine(cast)
    second = ContactPoint.objects.create(contact=heir, kind="email", value="second@example.org", label="home")
    lone, changed, taken = mine(cast), mine(cast), mine(cast)
    ContactPoint.objects.filter(contact=heir, is_primary=True).update(label="work")
    for row in (heir, lone, changed, taken):
        bounced(row)
    points = {p["id"]: p for p in ContactPoint.objects.values() if p["contact_id"] in {heir.pk, lone.pk}}
    client = web(cast.rep)
    client.post("/quality/", {"check": "contact.bouncing"})
    edit = BulkEdit.objects.get()
    assert (edit.changed, edit.failed) == (4, 0)
    assert dict(Contact.objects.values_list("pk", "email")) == {
        heir.pk: "second@example.org",
        lone.pk: None,
        changed.pk: None,
        taken.pk: None,
    }
    Contact.objects.filter(pk=changed.pk).update(version=9)
    now_theirs = mine(cast, email=taken.email)
    client.post(reverse("workspace:edit-undo", args=[edit.pk]))
    emails = dict(Contact.objects.values_list("pk", "email"))
    assert (emails[heir.pk], emails[lone.pk]) == (heir.email, lone.email)
    assert (emails[changed.pk], emails[taken.pk], emails[now_theirs.pk]) == (None, None, taken.email)
    edit.refresh_from_db()
    assert (edit.changed, edit.restored) == (4, 2)
    assert edit.skipped == [
        [str(changed), "It was changed again since.", changed.pk],
        [str(taken), "Another record has the address now.", taken.pk],
    ]
    for point in ContactPoint.objects.filter(contact__in=[heir.pk, lone.pk]).values():
        assert {**point, "version": 0} == {**points[point["id"]], "version": 0}
    second.refresh_from_db()
    assert second.is_primary is False
    assert found(cast.rep, "contact.bouncing") == 2


# --- duplicates -------------------------------------------------------------------------------------------------
def test_merges_are_parted_newest_first(cast: Any, web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edits, "CHUNK", 1)
    rows = [mine(cast, first_name="Ann", last_name=f"B{n}") for n in range(3)]
    other = mine(cast, first_name="Eve", last_name="X")
    for left, right in ((rows[1], rows[2]), (rows[0], rows[1]), (rows[0], other)):
        DuplicatePair.objects.create(
            entity="contact", left_id=left.pk, right_id=right.pk, score=1, exact=right is not other
        )
    client = web(cast.rep)
    page = client.post("/quality/", {"check": "contact.duplicate"}, follow=True).content.decode()
    assert "Contacts: Perhaps there twice" in page
    edit = BulkEdit.objects.get()
    assert (edit.status, edit.rows_total) == ("queued", 2)
    assert edits.edit_run(edit.pk) == "done"
    assert set(Contact.objects.values_list("pk", flat=True)) == {rows[0].pk, other.pk}
    assert MergeRecord.objects.count() == 2
    client.post(reverse("workspace:edit-undo", args=[edit.pk]))
    assert edits.edit_run(edit.pk) == "undone"
    edit.refresh_from_db()
    assert (edit.changed, edit.restored) == (2, 2)
    assert set(Contact.objects.values_list("pk", flat=True)) == {*(row.pk for row in rows), other.pk}
    assert not MergeRecord.objects.filter(undone_at__isnull=True).exists()


# --- what it costs ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("check", ["contact.unowned", "contact.bouncing", "contact.invalid_email"])
def test_a_repair_and_its_undo_cost_the_same_statements_for_more_rows(
    cast: Any, web: Any, check: str
) -> None:
    client = web(cast.admin)
    client.get("/quality/")

    def cost(size: int) -> tuple[int, int]:
        if check == "contact.unowned":
            orphans(cast, size)
        else:
            for _n in range(size):
                row = mine(cast)
                if check == "contact.bouncing":
                    bounced(row)
                else:
                    Contact.objects.filter(pk=row.pk).update(email=f"<{row.email}>")
                    ContactPoint.objects.filter(contact=row).update(value=f"<{row.email}>")
        quality_watch.FaultScan.objects.all().delete()
        quality_watch.faults_find()
        with CaptureQueriesContext(connection) as mended:
            client.post("/quality/", {"check": check})
        edit = BulkEdit.objects.latest("pk")
        assert edit.changed == size
        with CaptureQueriesContext(connection) as undone:
            client.post(reverse("workspace:edit-undo", args=[edit.pk]))
        edit.refresh_from_db()
        assert edit.restored == size
        Contact.objects.all().delete()
        return len(mended), len(undone)

    cost(1)
    few, many = cost(2), cost(20)
    assert few == many
    assert few[0] < 45
    assert few[1] < 40
