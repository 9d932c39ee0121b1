"""An import taken back: what it made is gone, what it changed is as before, what others touched since stays."""

from typing import Any

import pytest
from django.urls import reverse

from contacts.importing import runner, undo
from contacts.models import (
    Activity,
    Company,
    CompanyDomain,
    Contact,
    ContactPoint,
    Employment,
    ImportJob,
    ImportKept,
    Interaction,
    Pulse,
)
from contacts.services.contacts import contact_update
from contacts.services.imports import import_undo
from contacts.services.interactions import interaction_log
from crmcem.lib.actors import person
from crmcem.lib.errors import Conflict, NotAllowed
from crmcem.workspace.models import AuditEntry
from tests.contacts.imports import run_import, take_back
from tests.factories.contacts import ContactFactory
from tests.factories.fields import custom_texts

pytestmark = pytest.mark.django_db

NEW = "Customer ID,First name,Last name,E-mail,Company\nC-1,Ada,Lovelace,ada@example.org,Analytical\n"
TABLES = (Contact, Company, ContactPoint, Pulse, CompanyDomain, Employment)


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    custom_texts("tier")


def state() -> dict[str, list[dict[str, Any]]]:
    """Every row of the customers' tables, without the times and versions of writing."""
    moved = {"updated_at", "version", "created_at", "stage_since"}
    found = {}
    for model in TABLES:
        rows = [{k: v for k, v in row.items() if k not in moved} for row in model.objects.values()]
        if model is ContactPoint:
            for row in rows:
                row.pop("id")
        found[model.__name__] = sorted(rows, key=str)
    return found


def kept(job: ImportJob) -> set[tuple[str, int, str]]:
    return set(ImportKept.objects.filter(job=job).values_list("entity", "record_id", "reason"))


def test_what_an_import_created_is_gone(cast: Any) -> None:
    other = ContactFactory(owner=cast.rep, team=cast.north)
    before = state()
    job = run_import(NEW, cast.rep)
    made = Contact.objects.get(external_id="C-1")
    job = take_back(job, cast.rep)
    assert (job.status, job.undone_created, job.undone_updated, job.kept) == ("undone", 1, 0, 0)
    assert state() == before
    gone = Activity.objects.get(kind="contact.deleted", contact_id=made.pk)
    assert (gone.actor_kind, gone.actor_id) == ("user", cast.rep.pk)
    audit = AuditEntry.objects.get(table_name="contacts_contact", row_id=made.pk, op="D")
    assert (audit.actor_kind, audit.actor_id) == ("user", cast.rep.pk)
    assert Contact.objects.get() == other


def test_what_an_import_changed_is_as_before_even_twice(cast: Any) -> None:
    run_import(
        "Customer ID,First name,E-mail,Phone,Company,Tags,custom.tier,Stage\n"
        "C-1,Ada,ada@example.org,+44 20 7946 0958,Analytical,vip,gold,Customer\n"
        "C-2,Grace,grace@example.org,,,,,\n",
        cast.rep,
    )
    before = state()
    contact = Contact.objects.get(external_id="C-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "CHUNK_ROWS", 1)
        job = run_import(
            "Customer ID,First name,E-mail,Phone,Company,Tags,custom.tier,Stage\n"
            "C-1,Augusta,,+44 20 7946 0999,Babbage,vip;new,silver,Former\n"
            ",Countess,ada@example.org,+44 20 7946 0111,,,,Lead\n"
            "C-2,Grace,grace@example.org,,,,,\n",
            cast.rep,
        )
    contact.refresh_from_db()
    assert (contact.first_name, contact.lifecycle_stage) == ("Countess", "lead")
    job = take_back(job, cast.rep)
    assert (job.undone_created, job.undone_updated, job.kept) == (0, 1, 0)
    assert state() == before
    said = Activity.objects.filter(kind="contact.updated", contact_id=contact.pk).order_by("id").last()
    assert said is not None
    assert said.payload["changes"]["first_name"] == ["Countess", "Ada"]
    assert said.payload["changes"]["lifecycle_stage"] == ["lead", "customer"]
    assert said.payload["changes"]["company"][1] == Company.objects.get(name="Analytical").pk


def test_what_others_touched_since_stays_and_is_listed(cast: Any) -> None:
    old = ContactFactory(owner=cast.rep, team=cast.north, external_id="C-9", first_name="Old", job_title="")
    job = run_import(
        "Customer ID,First name,Last name,E-mail,Job title\n"
        "C-1,Ada,Lovelace,ada@example.org,\n"
        "C-2,Grace,Hopper,grace@example.org,\n"
        "C-3,Mary,Shelley,mary@example.org,\n"
        "C-9,New,,,Captain\n",
        cast.rep,
    )
    ada, grace = (Contact.objects.get(external_id=key) for key in ("C-1", "C-2"))
    contact_update(contact=ada, data={"last_name": "King"}, actor=person(cast.rep))
    interaction_log(data={"contact": grace.pk, "kind": "call", "subject": "Hello"}, actor=person(cast.rep))
    contact_update(contact=old, data={"first_name": "Newer"}, actor=person(cast.rep))
    job = take_back(job, cast.rep)
    assert (job.undone_created, job.undone_updated, job.kept) == (1, 0, 3)
    assert kept(job) == {
        ("contact", ada.pk, "changed"),
        ("contact", grace.pk, "in_use"),
        ("contact", old.pk, "changed"),
    }
    assert ImportKept.objects.get(record_id=old.pk).fields == ["first_name", "job_title"]
    old.refresh_from_db()
    assert (old.first_name, old.job_title) == ("Newer", "Captain")
    assert Interaction.objects.get().contact == grace
    assert set(Contact.objects.values_list("external_id", flat=True)) == {"C-1", "C-2", "C-9"}


def test_another_field_changed_since_does_not_stop_it(cast: Any) -> None:
    old = ContactFactory(owner=cast.rep, team=cast.north, external_id="C-9", first_name="Old")
    job = run_import("Customer ID,First name\nC-9,New\n", cast.rep)
    contact_update(contact=old, data={"job_title": "Captain"}, actor=person(cast.rep))
    job = take_back(job, cast.rep)
    assert (job.undone_updated, job.kept) == (1, 0)
    old.refresh_from_db()
    assert (old.first_name, old.job_title) == ("Old", "Captain")


def test_an_address_that_somebody_else_has_now_is_not_taken_from_them(cast: Any) -> None:
    run_import("Customer ID,E-mail\nC-1,ada@example.org\n", cast.rep)
    job = run_import("Customer ID,E-mail\nC-1,ada@new.example\n", cast.rep)
    run_import("Customer ID,E-mail\nC-2,ada@example.org\n", cast.rep)
    before = state()
    job = take_back(job, cast.rep)
    assert kept(job) == {("contact", Contact.objects.get(external_id="C-1").pk, "taken")}
    assert state() == before


def test_rows_that_are_not_mine_any_more_stay(cast: Any) -> None:
    job = run_import(NEW, cast.rep)
    Contact.objects.update(owner=cast.rep2, team=cast.south)
    job = take_back(job, cast.rep)
    assert kept(job) >= {("contact", Contact.objects.get().pk, "hidden")}
    assert Contact.objects.count() == 1


def test_a_worker_killed_in_between_changes_nothing(cast: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state()
    monkeypatch.setattr(undo, "BATCH", 2)
    rows = "".join(f"C-{n},P{n},p{n}@example.org,Firm {n}\n" for n in range(7))
    job = run_import("Customer ID,First name,E-mail,Company\n" + rows, cast.rep)
    import_undo(job=job, actor=person(cast.rep))
    steps = 0
    while True:
        job = runner.claim(job.pk)  # type: ignore[assignment] # each time another worker, that dies after one batch
        assert job is not None
        if not undo.undo_batch(job):
            break
        steps += 1
        ImportJob.objects.filter(pk=job.pk).update(claimed_until=None)
    ImportJob.objects.filter(pk=job.pk).update(claimed_until=None)
    assert steps >= 8
    assert runner.run(job.pk) == "undone"
    job.refresh_from_db()
    assert (job.undone_created, job.kept) == (7, 0)
    assert state() == before


def test_what_can_not_be_undone_says_why_and_changes_nothing(cast: Any) -> None:
    job = run_import(NEW, cast.rep)
    before = state()
    same = run_import(NEW, cast.rep)
    for each, code in ((same, "nothing"), (job, "")):
        if code:
            with pytest.raises(Conflict) as refused:
                import_undo(job=each, actor=person(cast.rep))
            assert refused.value.code == code
    with pytest.raises(NotAllowed):
        import_undo(job=job, actor=person(cast.readonly))
    assert state() == before
    take_back(job, cast.rep)
    with pytest.raises(Conflict) as refused:
        import_undo(job=job, actor=person(cast.rep))
    assert refused.value.code == "undone"


def test_over_the_api(cast: Any, api: Any) -> None:
    job = run_import(NEW, cast.integrator)
    client = api(cast.integrator)
    contact = Contact.objects.get()
    contact_update(contact=contact, data={"last_name": "King"}, actor=person(cast.integrator))
    answer = client.post(f"/api/v1/imports/{job.pk}/undo/")
    assert (answer.status_code, answer.json()["status"]) == (200, "undoing")
    runner.run(job.pk)
    found = client.get(f"/api/v1/imports/{job.pk}/").json()
    assert (found["status"], found["undone_created"], found["kept"]) == ("undone", 0, 2)
    listed = client.get(f"/api/v1/imports/{job.pk}/kept/").json()["results"]
    assert [(row["entity"], row["record"], row["reason"]) for row in listed] == [
        ("contact", str(contact.pk), "changed"),
        ("company", str(contact.company_id), "in_use"),
    ]
    again = client.post(f"/api/v1/imports/{job.pk}/undo/")
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, "undone")


def test_on_its_page(cast: Any, web: Any) -> None:
    job = run_import(NEW, cast.rep)
    client = web(cast.rep)
    page = reverse("contacts:import-job", args=[job.pk])
    shown = client.get(page).content.decode()
    assert "1 contact created by this import will be deleted." in shown
    contact = Contact.objects.get()
    contact_update(contact=contact, data={"last_name": "<b>King"}, actor=person(cast.rep))
    assert client.post(reverse("contacts:import-undo", args=[job.pk])).status_code == 302
    assert "records taken back" in client.get(page).content.decode()
    runner.run(job.pk)
    shown = client.get(page).content.decode()
    assert "This import was undone." in shown
    assert "Ada &lt;b&gt;King" in shown
    assert "Changed since" in shown
    assert "import-undo" not in shown
    assert "See the contacts" not in shown
