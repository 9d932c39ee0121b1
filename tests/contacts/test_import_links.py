"""Whom a row means: further ids, merged records, companies and owners by name; and several values in a cell."""

from typing import Any

import pytest

from contacts.importing import runner
from contacts.models import Activity, Company, Contact, ContactPoint, ImportPoint
from contacts.services.imports import import_undo
from contacts.services.merge import company_merge, contact_merge
from contacts.services.points import point_add, point_update
from crmcem.lib.actors import person
from tests.contacts.imports import counts, errors, run_import
from tests.factories.fields import custom_texts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def points(contact: Contact) -> set[tuple[str, str, bool]]:
    return set(contact.points.values_list("kind", "value", "is_primary"))


# --- whom a row means --------------------------------------------------------------------------------
def test_a_further_external_id_finds_its_contact_and_changes_no_id(cast: Any) -> None:
    run_import("external_id,email\nA,a@example.org\n", cast.rep)
    ada = Contact.objects.get()
    point_add(data={"contact": ada, "kind": "external_id", "value": "OLD-1"}, actor=person(cast.rep))

    changed = run_import("external_id,first_name\nOLD-1,Ada\n", cast.rep)
    same = run_import("external_id,first_name,email\nOLD-1,Ada,a@example.org\n", cast.rep)
    twice = run_import("external_id,first_name\nOLD-1,Ada\nA,Eve\n", cast.rep)
    other = run_import("external_id,email,first_name\nB,b@example.org,\nOLD-1,b@example.org,X\n", cast.rep)

    assert (counts(changed), counts(same)) == ((0, 1, 0, 0), (0, 0, 1, 0))
    assert errors(twice) == [(2, "", "duplicate_in_file")]
    assert errors(other) == [(2, "email", "duplicate_in_file")]
    ada.refresh_from_db()
    assert (ada.external_id, ada.first_name) == ("A", "Ada")
    assert Contact.objects.count() == 2
    assert errors(run_import("external_id\nOLD-1\n", cast.rep, mode="create")) == [(1, "", "exists")]
    assert errors(run_import("external_id\nOLD-1\n", cast.rep2)) == [(1, "external_id", "external_id_taken")]
    assert errors(run_import("external_id,email\nOLD-1,b@example.org\n", cast.rep)) == [
        (1, "email", "email_taken")
    ]


def test_the_id_of_a_merged_contact_means_the_one_that_it_is_now(cast: Any) -> None:
    run_import("external_id,first_name\nA,Ann\nB,Bea\nC,Cora\n", cast.rep)
    by_id = {c.external_id: c for c in Contact.objects.all()}
    actor = person(cast.rep)
    contact_merge(winner=by_id["B"], loser=by_id["A"], actor=actor)
    contact_merge(winner=by_id["C"], loser=Contact.objects.get(pk=by_id["B"].pk), actor=actor)
    ContactPoint.objects.filter(kind="external_id").delete()  # only the redirects know
    merged = by_id["A"].pk, by_id["B"].pk
    from contacts.models import MergeRecord

    for loser, key in zip(merged, "AB", strict=True):
        MergeRecord.objects.filter(loser_id=loser).update(external_id=key)

    job = run_import("external_id,job_title\nA,Boss\n", cast.rep)

    assert counts(job) == (0, 1, 0, 0)
    assert Contact.objects.values_list("external_id", "job_title").get() == ("C", "Boss")


def test_a_merged_company_is_found_by_its_old_names(cast: Any) -> None:
    run_import("external_id,name,domain\n1,One,one.example\n2,Two,two.example\n", cast.rep, kind="companies")
    one, two = Company.objects.order_by("external_id")
    company_merge(winner=two, loser=one, actor=person(cast.rep))

    job = run_import("email,company_external_id\na@example.org,1\nb@example.org,2\n", cast.rep)

    assert counts(job) == (2, 0, 0, 0)
    assert set(Contact.objects.values_list("company_id", flat=True)) == {two.pk}
    assert Company.objects.count() == 1


# --- companies and owners ----------------------------------------------------------------------------
def test_a_name_that_several_companies_have_is_an_error_and_their_domain_is_the_way_out(cast: Any) -> None:
    run_import("name,domain\nACME,acme.example\nACME,acme.test\n", cast.rep, kind="companies")

    job = run_import("email,company\na@example.org,ACME\n", cast.rep)
    good = run_import("email,company,company_domain\na@example.org,ACME,acme.test\n", cast.rep)

    assert errors(job) == [(1, "company", "company_ambiguous")]
    assert "Name its domain" in job.row_errors.get().detail
    assert counts(good) == (1, 0, 0, 0)
    assert Contact.objects.get().company.domain == "acme.test"


def test_a_file_of_companies_changes_none_of_several_with_a_name_unless_it_says_which(cast: Any) -> None:
    for domain in ("acme.example", "acme.test"):
        Company.objects.create(name="ACME", domain=domain, owner=cast.rep, team=cast.north)
    Company.objects.create(name="Hidden", owner=cast.rep2, team=cast.south)
    Company.objects.create(name="Hidden", owner=cast.rep, team=cast.north)
    text = "name,industry\nACME,Tools\nHidden,Mine\n"

    job = run_import(text, cast.rep, kind="companies")

    assert (counts(job), errors(job)) == ((0, 1, 0, 1), [(1, "name", "name_ambiguous")])
    assert "Add the domain or the external id" in job.row_errors.get().detail
    assert list(Company.objects.filter(name="ACME").values_list("industry", flat=True)) == ["", ""]
    assert errors(run_import(text, cast.rep, kind="companies", mode="update")) == [
        (1, "name", "name_ambiguous")
    ]
    assert errors(run_import("name\nACME\n", cast.rep, kind="companies", mode="create")) == [
        (1, "", "exists")
    ]
    good = run_import("name,domain,industry\nACME,acme.test,Tools\n", cast.rep, kind="companies")
    assert counts(good) == (0, 1, 0, 0)
    assert Company.objects.get(domain="acme.test").industry == "Tools"


def test_unknown_companies_are_errors_where_none_shall_be_made(cast: Any) -> None:
    run_import("name\nACME\n", cast.rep, kind="companies")
    text = "email,company\na@example.org,ACME\nb@example.org,ACMEE\n"

    job = run_import(text, cast.rep, make_companies=False)

    assert (counts(job), errors(job)) == ((1, 0, 0, 1), [(2, "company", "company_unknown")])
    assert list(Company.objects.values_list("name", flat=True)) == ["ACME"]
    assert counts(run_import(text, cast.rep)) == (1, 0, 1, 0)


def test_owners_by_their_name_unless_several_have_it(cast: Any) -> None:
    for user, first, last in (
        (cast.rep, "Ada", "King"),
        (cast.rep2, "Same", "Name"),
        (cast.manager, "Same", "Name"),
    ):
        user.first_name, user.last_name = first, last
        user.save()

    job = run_import(
        "email,owner\na@example.org,ada king\nb@example.org,Same Name\nc@example.org,REP2\nd@example.org,No One\n",
        cast.manager,
    )

    assert errors(job) == [(2, "owner", "ambiguous_user"), (4, "owner", "unknown_user")]
    assert dict(Contact.objects.values_list("email", "owner")) == {
        "a@example.org": cast.rep.pk,
        "c@example.org": cast.rep2.pk,
    }


# --- several values in a cell ------------------------------------------------------------------------
def test_several_addresses_and_numbers_become_points_and_the_first_is_the_primary_one(cast: Any) -> None:
    text = (
        "external_id,email,phone\n"
        '1,"A@x.example; a@y.example, a@x.example",+49301111111 | +49302222222\n'
        "2,;,\n"
        "3,c@x.example,\n"
    )
    job = run_import(text, cast.rep)

    assert counts(job) == (3, 0, 0, 0)
    ada = Contact.objects.get(external_id="1")
    assert (ada.email, ada.phone) == ("a@x.example", "+49301111111")
    assert points(ada) == {
        ("email", "a@x.example", True),
        ("email", "a@y.example", False),
        ("phone", "+49301111111", True),
        ("phone", "+49302222222", False),
    }
    assert not Contact.objects.get(external_id="2").points.exists()
    assert not ImportPoint.objects.exists()
    assert counts(run_import(text, cast.rep)) == (0, 0, 3, 0)


def test_a_bad_or_taken_further_address_refuses_its_row(cast: Any) -> None:
    run_import("email\ntaken@x.example\nother@x.example\n", cast.rep)

    job = run_import(
        "external_id,email\n"
        "1,a@x.example;nonsense\n"
        "2,b@x.example;taken@x.example;other@x.example\n"
        "3,c@x.example;d@x.example\n"
        "4,d@x.example\n"
        "5,e@x.example;c@x.example\n"
        f"6,{';'.join(f'm{n}@x.example' for n in range(21))}\n",
        cast.rep,
    )

    assert errors(job) == [
        (1, "email", "invalid"),
        (2, "email", "email_taken"),
        (4, "email", "duplicate_in_file"),
        (5, "email", "duplicate_in_file"),
        (6, "email", "max_items"),
    ]
    assert counts(job) == (1, 0, 0, 5)
    assert Contact.objects.count() == 3


def test_a_contact_known_by_one_of_the_addresses_gets_the_others_and_undo_takes_them_back(cast: Any) -> None:
    run_import("email,first_name\nold@x.example,Ada\nbob@x.example,Bob\n", cast.rep)
    ada, bob = Contact.objects.order_by("email").reverse()
    before = {c.pk: (c.email, c.first_name, points(c)) for c in (ada, bob)}

    job = run_import(
        "email,phone,first_name\n"
        "new@x.example; old@x.example,+49301111111|+49302222222,\n"
        "bob@x.example;bob@y.example,,\n",
        cast.rep,
    )

    assert (counts(job), errors(job)) == ((0, 2, 0, 0), [])
    ada.refresh_from_db()
    assert ada.email == "new@x.example"
    assert ("email", "old@x.example", False) in points(ada)
    assert points(bob) == {("email", "bob@x.example", True), ("email", "bob@y.example", False)}
    said = Activity.objects.filter(kind="contact.updated", contact_id=bob.pk).get()
    assert (said.payload, said.actor_kind) == ({"fields": ["points"]}, "import")
    assert ImportPoint.objects.filter(job=job).count() == 3

    import_undo(job=job, actor=person(cast.rep))
    runner.run(job.pk)

    job.refresh_from_db()
    assert (job.status, job.undone_updated, job.kept) == ("undone", 2, 0)
    for contact in Contact.objects.all():
        assert (contact.email, contact.first_name, points(contact)) == before[contact.pk]


def test_a_further_address_that_was_changed_since_is_kept_and_told(cast: Any) -> None:
    run_import("email\nbob@x.example\n", cast.rep)
    job = run_import("email\nbob@x.example;bob@y.example\n", cast.rep)
    point = ContactPoint.objects.get(value="bob@y.example")
    point_update(point=point, data={"label": "home"}, actor=person(cast.rep))

    import_undo(job=job, actor=person(cast.rep))
    runner.run(job.pk)

    job.refresh_from_db()
    assert (job.status, job.undone_updated, job.kept) == ("undone", 0, 1)
    assert list(job.kept_records.values_list("reason", "fields")) == [("changed", ["points"])]
    assert ContactPoint.objects.filter(value="bob@y.example", label="home").exists()


def test_a_chosen_separator_is_the_only_one(cast: Any) -> None:
    custom_texts(
        "areas",
        type="multichoice",
        options={"choices": [{"value": v, "label": v} for v in ("a;b", "c", "d")]},
    )
    text = "email,tags,custom.areas\na@x.example / b@x.example,one;two / three,a;b/c\n"
    job = run_import(text, cast.rep, separator="/")

    assert counts(job) == (1, 0, 0, 0)
    contact = Contact.objects.get()
    assert (contact.email, contact.tags) == ("a@x.example", ["one;two", "three"])
    assert contact.custom == {"areas": ["a;b", "c"]}
    assert errors(run_import("email\nc@x.example;d@x.example\n", cast.rep, separator="/")) == [
        (1, "email", "invalid")
    ]


def test_the_choices_come_over_the_page_and_the_api(cast: Any, web: Any, api: Any) -> None:
    from contacts.models import ImportJob
    from tests.contacts.imports import csv_file

    file = "email,company\na@x.example / b@x.example,New\n"
    client = web(cast.rep)
    url = client.post("/imports/new/", {"file": csv_file(file), "object": "contacts"}).url
    shown = client.post(url, {"mode": "upsert", "separator": "/"}, HTTP_HX_REQUEST="true").content.decode()
    assert "There is no such company." in shown
    client.post(url, {"mode": "upsert", "separator": "/", "_action": "start"})
    job = ImportJob.objects.get()
    assert (job.status, job.separator, job.make_companies) == ("queued", "/", False)
    send = {"file": csv_file(file), "object": "contacts", "separator": "/", "make_companies": "false"}
    made = api(cast.rep).post("/api/v1/imports/", send, format="multipart")
    assert (made.json()["separator"], made.json()["make_companies"]) == ("/", False)
    wrong = api(cast.rep).post(
        "/api/v1/imports/", send | {"file": csv_file(file), "separator": "x"}, format="multipart"
    )
    assert [(e["field"], e["code"]) for e in wrong.json()["errors"]] == [("separator", "invalid_choice")]
