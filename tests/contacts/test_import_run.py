"""A file becomes contacts and companies, with every companion row, exactly once."""

import datetime as dt
from typing import Any

import pytest

from contacts.models import Activity, Company, Contact, ContactPoint, Pulse, Tag
from crmcem.workspace.models import AuditEntry
from tests.contacts.imports import counts, errors, run_import
from tests.factories.fields import custom_texts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fields(db: None) -> None:
    custom_texts("tier", "plan")


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


PEOPLE = (
    "Customer ID,First name,Last name,E-mail,Phone,Company,Tags,custom.tier,Stage\n"
    "C-1,Ada,Lovelace, ADA@Example.org ,+44 20 7946 0958,Analytical Ltd,vip; Maths,gold,Customer\n"
    "C-2,Grace,Hopper,grace@example.org,,Navy,,,\n"
)


def test_rows_become_contacts_with_every_companion(cast: Any) -> None:
    job = run_import(PEOPLE, cast.rep)

    assert (job.status, job.rows_total, job.rows_done) == ("done", 2, 2)
    assert counts(job) == (2, 0, 0, 0)
    ada = Contact.objects.get(external_id="C-1")
    assert (ada.first_name, ada.last_name, ada.email) == ("Ada", "Lovelace", "ada@example.org")
    assert (ada.phone, ada.lifecycle_stage, ada.tags) == ("+442079460958", "customer", ["vip", "maths"])
    assert ada.custom == {"tier": "gold"}
    assert (ada.owner, ada.team, ada.version) == (cast.rep, cast.north, 1)
    assert ada.company.name == "Analytical Ltd"
    points = set(ContactPoint.objects.filter(contact=ada).values_list("kind", "value", "is_primary"))
    assert points == {("email", "ada@example.org", True), ("phone", "+442079460958", True)}
    pulse = Pulse.objects.get(contact=ada)
    assert (pulse.owner_id, pulse.team_id, pulse.lifecycle_stage) == (cast.rep.pk, cast.north.pk, "customer")
    activity = Activity.objects.get(contact_id=ada.pk)
    assert (activity.kind, activity.actor_kind, activity.actor_id) == ("contact.created", "import", job.pk)
    assert activity.payload == {"name": "Ada Lovelace"}
    audit = AuditEntry.objects.get(table_name="contacts_contact", row_id=ada.pk)
    assert (audit.actor_kind, audit.actor_id, audit.op) == ("import", job.pk, "I")
    assert Activity.objects.filter(kind="company.created").count() == 2
    assert set(Company.objects.values_list("name", "owner_id")) == {
        ("Analytical Ltd", cast.rep.pk),
        ("Navy", cast.rep.pk),
    }


def test_tags_come_in_as_the_register_knows_them(cast: Any) -> None:
    Tag.objects.create(name="café", names=["cafe", "coffee"])
    run_import("last_name,tags\nLovelace,Cafe; maths; Coffee\nHopper,navy\n", cast.rep)
    assert list(Contact.objects.order_by("-last_name").values_list("tags", flat=True)) == [
        ["café", "maths"],
        ["navy"],
    ]


def test_the_same_file_again_changes_nothing(cast: Any) -> None:
    run_import(PEOPLE, cast.rep)
    before = list(Contact.objects.order_by("pk").values())
    audits, activities = AuditEntry.objects.count(), Activity.objects.count()

    job = run_import(PEOPLE, cast.rep)

    assert counts(job) == (0, 0, 2, 0)
    assert list(Contact.objects.order_by("pk").values()) == before
    assert (AuditEntry.objects.count(), Activity.objects.count()) == (audits, activities)


def test_an_update_writes_what_differs_and_keeps_blank_cells(cast: Any) -> None:
    run_import(PEOPLE, cast.rep)

    job = run_import(
        "external_id,first_name,email,phone,custom.plan\nC-1,,ada@new.example,,pro\nC-2,Grace,,,\n", cast.rep
    )

    assert counts(job) == (0, 1, 1, 0)
    ada = Contact.objects.get(external_id="C-1")
    assert (ada.first_name, ada.email, ada.phone, ada.version) == (
        "Ada",
        "ada@new.example",
        "+442079460958",
        2,
    )
    assert ada.custom == {"tier": "gold", "plan": "pro"}
    assert list(ada.points.filter(kind="email").values_list("value", "is_primary")) == [
        ("ada@new.example", True)
    ]
    changed = Activity.objects.get(kind="contact.updated", contact_id=ada.pk)
    assert changed.payload["changes"]["email"] == ["ada@example.org", "ada@new.example"]
    assert set(changed.payload["changes"]) == {"email", "custom"}
    assert AuditEntry.objects.filter(table_name="contacts_contact", row_id=ada.pk, op="U").count() == 1


WHOLE = {
    "external_id": ("W", "W-1"),
    "first_name": ("Ada", "Augusta"),
    "last_name": ("King", "Lovelace"),
    "email": ("ada@example.org", "ada@new.example"),
    "phone": ("+442079460958", "+442079460959"),
    "job_title": ("Analyst", "Countess"),
    "company": ("Analytical Ltd", "Difference Ltd"),
    "lifecycle_stage": ("lead", "customer"),
    "tags": ("maths", "maths, engine"),
    "language": ("en", "de"),
    "time_zone": ("Europe/London", "Europe/Berlin"),
    "owner": ("rep", "rep2"),
    "custom.tier": ("gold", "silver"),
    "custom.plan": ("", "pro"),
}


@pytest.mark.parametrize("field", WHOLE)
def test_each_field_alone_is_seen_to_differ(cast: Any, field: str) -> None:
    """What is the same is told by a list of fields in SQL: a field that it lacked would never be updated."""
    header = ",".join(WHOLE)
    old = {name: cells[0] for name, cells in WHOLE.items()}
    new = old | {field: WHOLE[field][1]}
    first, second = (header + "\n" + ",".join(f'"{c}"' for c in row.values()) + "\n" for row in (old, new))
    if field == "external_id":
        first = first.replace('"W"', '""')
    assert counts(run_import(first, cast.admin)) == (1, 0, 0, 0)
    assert counts(run_import(first, cast.admin)) == (0, 0, 1, 0)

    job = run_import(second, cast.admin)

    assert counts(job) == (0, 1, 0, 0)
    changes = Activity.objects.get(kind="contact.updated").payload["changes"]
    assert set(changes) - {"team"} == {field.split(".")[0]}
    assert counts(run_import(second, cast.admin)) == (0, 0, 1, 0)


def test_a_second_address_of_a_contact_is_no_difference(cast: Any) -> None:
    run_import("email,first_name\nada@example.org,Ada\n", cast.rep)
    ada = Contact.objects.get()
    ContactPoint.objects.create(contact=ada, kind="email", value="ada@home.example")

    job = run_import("email,first_name\nada@home.example,Ada\nADA@example.org,Ada\n", cast.rep)

    assert (counts(job), errors(job)) == ((0, 0, 1, 1), [(2, "", "duplicate_in_file")])
    ada.refresh_from_db()
    assert (ada.email, ada.version) == ("ada@example.org", 1)


def test_upsert_matches_by_email_and_adds_the_external_id(cast: Any) -> None:
    run_import("email,first_name\nada@example.org,Ada\n", cast.rep)

    job = run_import("id,email,last_name\nX1,ada@example.org,Lovelace\n", cast.rep)

    assert counts(job) == (0, 1, 0, 0)
    ada = Contact.objects.get()
    assert (ada.external_id, ada.first_name, ada.last_name) == ("X1", "Ada", "Lovelace")


def test_modes(cast: Any) -> None:
    run_import("email\nada@example.org\n", cast.rep)

    create = run_import("email\nada@example.org\nnew@example.org\n", cast.rep, mode="create")
    update = run_import(
        "email,first_name\nada@example.org,Ada\nnobody@example.org,N\n", cast.rep, mode="update"
    )

    assert (counts(create), errors(create)) == ((1, 0, 0, 1), [(1, "", "exists")])
    assert (counts(update), errors(update)) == ((0, 1, 0, 1), [(2, "", "not_found")])
    assert Contact.objects.count() == 2


def test_bad_cells_are_errors_of_their_row_only(cast: Any) -> None:
    job = run_import(
        "external_id,email,phone\n"
        "1,not an address,12\n"
        '2,"a@b.example\nBcc: x@y.example",\n'
        "3,ok@example.org,+49 30 123456\n",
        cast.rep,
    )

    assert counts(job) == (1, 0, 0, 2)
    assert [(row, field) for row, field, _code in errors(job)] == [(1, "email"), (1, "phone"), (2, "email")]
    assert Contact.objects.get().external_id == "3"


def test_conflicts_inside_the_file_and_with_others(cast: Any) -> None:
    run_import("external_id,email\nA,a@example.org\nB,b@example.org\n", cast.rep)

    job = run_import(
        "external_id,email\n"
        "A,b@example.org\n"  # the address of B
        "C,a@example.org\n"  # the address of A, who has another id
        "D,d@example.org\n"
        "D,e@example.org\n"  # the id of the row before
        "E,d@example.org\n",  # the address of a row before
        cast.rep,
    )

    assert errors(job) == [
        (1, "email", "email_taken"),
        (2, "email", "email_taken"),
        (4, "external_id", "duplicate_in_file"),
        (5, "email", "duplicate_in_file"),
    ]
    assert counts(job) == (1, 0, 0, 4)
    assert set(Contact.objects.values_list("external_id", "email")) == {
        ("A", "a@example.org"),
        ("B", "b@example.org"),
        ("D", "d@example.org"),
    }


def test_rows_of_others_stay_untouched(cast: Any) -> None:
    run_import("external_id,email,first_name\nA,a@example.org,Ann\n", cast.rep)
    before = Contact.objects.values().get()

    by_id = run_import("external_id,first_name\nA,Eve\n", cast.rep2)
    by_mail = run_import("email,first_name\na@example.org,Eve\n", cast.rep2)

    assert errors(by_id) == [(1, "external_id", "external_id_taken")]
    assert errors(by_mail) == [(1, "email", "email_taken")]
    assert Contact.objects.values().get() == before


def test_a_hidden_company_is_not_linked(cast: Any) -> None:
    run_import("name,domain\nSecret,secret.example\n", cast.rep, kind="companies")

    job = run_import("email,company_domain\nx@example.org,secret.example\n", cast.rep2)

    assert errors(job) == [(1, "company", "company_taken")]
    assert not Contact.objects.exists()


def test_a_company_is_made_once_however_it_is_named(cast: Any) -> None:
    job = run_import(
        "email,company,company_domain\n"
        "a@example.org,ACME,acme.example\n"
        "b@example.org,ACME,\n"
        "c@example.org,,acme.example\n",
        cast.rep,
    )

    assert counts(job) == (3, 0, 0, 0)
    assert Company.objects.values_list("name", "domain").get() == ("ACME", "acme.example")
    assert Contact.objects.values("company").distinct().count() == 1


def test_a_failed_row_makes_no_company(cast: Any) -> None:
    run_import("external_id,email\nA,a@example.org\n", cast.rep)

    run_import("external_id,email,company\nB,a@example.org,Ghost\n", cast.rep)

    assert not Company.objects.exists()


def test_companies_upsert(cast: Any) -> None:
    run_import("name,domain,size\nACME,acme.example,10\nOther,,\n", cast.rep, kind="companies")

    job = run_import(
        "external_id,name,domain,employees\n1,ACME Inc,www.ACME.example,12\n2,Other,,\n3,New,new.example,\n",
        cast.rep,
        kind="companies",
    )

    assert counts(job) == (1, 2, 0, 0)
    found = set(Company.objects.values_list("external_id", "name", "domain", "size"))
    assert found == {
        ("1", "ACME Inc", "acme.example", 12),
        ("2", "Other", None, None),
        ("3", "New", "new.example", None),
    }


def test_owner_needs_the_right_to_assign(cast: Any) -> None:
    text = "email,owner\na@example.org,rep2\nb@example.org,nobody-here\n"
    with pytest.raises(Exception, match="contacts:assign"):
        run_import(text, cast.rep)

    job = run_import(text, cast.manager)

    assert errors(job) == [(2, "owner", "unknown_user")]
    contact = Contact.objects.get()
    assert (contact.owner, contact.team) == (cast.rep2, cast.south)
    assert contact.pulse.team_id == cast.south.pk


def test_a_birthday_comes_in_and_is_changed_alone(cast: Any) -> None:
    run_import(
        "Customer ID,Last name,Geburtstag\nC-1,A,17.5.1980\nC-2,B,--02-29\nC-3,C,30.2.1980\n", cast.rep
    )
    birthdays = dict(Contact.objects.values_list("external_id", "birthday"))
    assert birthdays == {"C-1": dt.date(1980, 5, 17), "C-2": dt.date(1604, 2, 29)}
    again = run_import("Customer ID,Last name,Geburtstag\nC-1,A,18.5.1980\nC-2,B,--02-29\n", cast.rep)
    assert counts(again) == (0, 1, 1, 0)
    assert Contact.objects.get(external_id="C-1").birthday == dt.date(1980, 5, 18)
    changed = Activity.objects.get(kind="contact.updated")
    assert changed.payload["changes"] == {"birthday": ["1980-05-17", "1980-05-18"]}
