"""Addresses, profiles, notes and further domains of companies in files: once, checked, counted, taken back again."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.importing import runner
from contacts.models import (
    Activity,
    Address,
    Company,
    CompanyDomain,
    Contact,
    ImportJob,
    ImportKept,
    ImportPart,
    Interaction,
    SocialProfile,
)
from contacts.services.domains import domain_update
from contacts.services.imports import import_create
from contacts.services.parts import MOST
from contacts.services.places import address_update, profile_update
from crmcem.lib.actors import person
from crmcem.lib.errors import NotAllowed
from tests.contacts.imports import counts, csv_file, errors, run_import, take_back
from tests.contacts.test_import_checks import checked, draft

HEAD = "external_id,name,domain,street,plz,stadt,land,adressart,weitere anschriften,profile,linkedin,notiz\n"
ACME = (
    "F-1,ACME,acme.example;www.ACME.test|acme.shop,1 Road,50667,Köln,Deutschland,Rechnung,"
    '"shipping; 2 Dock; ; Kiel; ; DE",https://acme.example/shop|xing: acme,https://linkedin.com/in/acme,'
    '"Big\ncustomer"\n'
)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def bring(text: str, user: Any, **options: Any) -> ImportJob:
    return run_import(text, user, kind="companies", **options)


def domains(company: Company) -> dict[str, bool]:
    return dict(company.domains.order_by("id").values_list("domain", "is_primary"))


def places(company: Company) -> list[tuple[Any, ...]]:
    names = ("kind", "lines", "postal_code", "city", "country", "is_primary")
    return list(company.address_set.order_by("id").values_list(*names))


def pages(company: Company) -> set[tuple[Any, ...]]:
    return set(company.socialprofile_set.values_list("network", "handle", "url"))


def said(company: Company) -> list[str]:
    return list(
        Interaction.objects.filter(company=company, contact=None)
        .order_by("id")
        .values_list("body", flat=True)
    )


def state() -> list[Any]:
    """Everything that a file of companies can change, without times, versions and the ids of parts."""
    found: list[Any] = []
    for company in Company.objects.order_by("pk"):
        own = (company.pk, company.name, company.domain, company.industry)
        found.append((own, domains(company), places(company), pages(company), said(company)))
    return found


def test_a_row_brings_its_parts_and_the_same_file_again_doubles_nothing(cast: Any) -> None:
    job = bring(HEAD + ACME, cast.rep)
    assert (errors(job), counts(job)) == ([], (1, 0, 0, 0))
    acme = Company.objects.get()
    assert (acme.name, acme.domain) == ("ACME", "acme.example")
    assert domains(acme) == {"acme.example": True, "acme.shop": False, "acme.test": False}
    assert places(acme) == [
        ("billing", "1 Road", "50667", "Köln", "DE", True),
        ("shipping", "2 Dock", "", "Kiel", "DE", False),
    ]
    assert pages(acme) == {
        ("other", "", "https://acme.example/shop"),
        ("xing", "acme", "https://www.xing.com/profile/acme"),
        ("linkedin", "acme", "https://www.linkedin.com/in/acme"),
    }
    note = Interaction.objects.get()
    assert (note.kind, note.body, note.company, note.contact, note.owner, note.team) == (
        "note",
        "Big\ncustomer",
        acme,
        None,
        cast.rep,
        cast.rep.team,
    )
    logged = Activity.objects.get(kind="interaction.logged")
    assert (logged.contact_id, logged.company_id, logged.subject_id) == (None, acme.pk, note.pk)
    assert (logged.actor_kind, logged.actor_id) == ("import", job.pk)
    assert not ImportPart.objects.exists()  # they go with their company

    before, activities = state(), Activity.objects.count()
    assert counts(bring(HEAD + ACME, cast.rep)) == (0, 0, 1, 0)
    assert (state(), Activity.objects.count()) == (before, activities)
    assert checked(draft(HEAD + ACME, cast.rep, kind="companies"), cast.rep).report == {
        "rows": 1,
        "create": 0,
        "update": 0,
        "skip": 1,
        "failed": 0,
    }


def test_each_mode_does_what_it_says_and_a_dry_run_counts_the_same(cast: Any) -> None:
    bring("external_id,name,domain\nF-1,ACME,acme.example\nF-2,Beta,beta.example\n", cast.rep)
    text = (
        "external_id,name,domain,city,note,linkedin\n"
        "F-1,ACME,acme.example;acme.test,,,\n"  # a further domain alone
        "F-2,,,Kiel,Said,beta\n"  # parts alone
        "F-3,New,new.example;new.test,Ulm,,\n"
    )
    for mode, expected in (("create", (1, 0, 0, 2)), ("update", (0, 2, 0, 1)), ("upsert", (1, 2, 0, 0))):
        report = checked(draft(text, cast.rep, kind="companies", mode=mode), cast.rep).report
        assert (report["create"], report["update"], report["skip"], report["failed"]) == expected
    assert CompanyDomain.objects.count() == 2
    job = bring(text, cast.rep, mode="update")
    assert (counts(job), errors(job)) == ((0, 2, 0, 1), [(3, "", "not_found")])
    acme, beta = Company.objects.order_by("external_id")
    assert domains(acme) == {"acme.example": True, "acme.test": False}
    assert (places(beta), said(beta)) == ([("main", "", "", "Kiel", "", True)], ["Said"])
    told = Activity.objects.filter(kind="company.updated").order_by("id")
    assert [(each.company_id, each.payload) for each in told] == [
        (beta.pk, {"fields": ["addresses", "profiles"]}),
        (acme.pk, {"fields": ["domains"]}),
    ]
    noted = ImportPart.objects.order_by("id").values_list(
        "contact_id", "company_id", "entity", "made", "counted"
    )
    assert set(noted) == {
        (None, acme.pk, "domain", True, True),
        (None, beta.pk, "address", True, True),
        (None, beta.pk, "profile", True, True),
        (None, beta.pk, "note", True, True),
    }
    assert counts(bring(text, cast.rep, mode="create")) == (1, 0, 0, 2)


def test_a_company_is_known_by_any_of_its_domains_and_none_is_taken_from_another(cast: Any) -> None:
    bring(
        "external_id,name,domain\nF-1,ACME,acme.example\nF-2,Beta,beta.example\nF-3,Eta,eta.example\n",
        cast.rep,
    )
    bring("name,domain\nHers,hers.example\n", cast.rep2)
    before = state()
    text = (
        "external_id,name,domain,city\n"
        ",,acme.example;beta.example,Kiel\n"  # of two companies
        "F-1,,new.example;eta.example,Kiel\n"
        ",,other.example;hers.example,Kiel\n"  # of one that isn't to be seen
        ",Gamma,gamma.example;bad domain,Kiel\n"
        ",Delta,delta.example;gamma.test,Kiel\n"
        ",Epsilon,epsilon.example;delta.example,Kiel\n"  # named by the row before
    )
    job = bring(text, cast.rep, mode="update")
    assert errors(job) == [
        (1, "domain", "domain_taken"),
        (2, "domain", "domain_taken"),
        (3, "domain", "domain_taken"),
        (4, "domain", "invalid"),
        (5, "", "not_found"),
        (6, "domain", "duplicate_in_file"),
    ]
    assert state() == before
    found = bring("name,domain,city\nRenamed,unheard.example;acme.example,Kiel\n", cast.rep)
    assert (counts(found), errors(found)) == ((0, 1, 0, 0), [])
    acme = Company.objects.get(external_id="F-1")
    assert (acme.name, places(acme)[0][3]) == ("Renamed", "Kiel")
    assert set(domains(acme)) == {"acme.example", "unheard.example"}


def test_the_own_domain_takes_the_place_of_the_old_one_which_stays_where_the_row_names_it(cast: Any) -> None:
    bring("external_id,name,domain\nF-1,ACME,acme.example\n", cast.rep)
    before = state()
    text = "external_id,domain\nF-1,acme.test;acme.example\n"
    assert checked(draft(text, cast.rep, kind="companies"), cast.rep).report["update"] == 1
    job = bring(text, cast.rep)
    acme = Company.objects.get()
    assert (counts(job), acme.domain) == ((0, 1, 0, 0), "acme.test")
    assert domains(acme) == {"acme.test": True, "acme.example": False}
    assert state() != before
    job = take_back(job, cast.rep)
    assert (job.undone_updated, job.kept, state()) == (1, 0, before)


def test_undo_takes_added_parts_away_and_changed_ones_are_as_before(cast: Any) -> None:
    bring(HEAD + ACME, cast.rep)
    bring("external_id,name\nF-2,Beta\n", cast.rep)
    before = state()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "CHUNK_ROWS", 1)
        job = bring(
            "external_id,name,domain,industry,street,city,adressart,note,xing\n"
            "F-1,,acme.example;acme.gmbh,,3 Street,Bonn,billing,Third,\n"
            "F-2,,beta.example;beta.test,Tools,4 Street,Ulm,,Fourth,beta\n"
            ",,acme.shop,,5 Street,,billing,,\n"
            "F-3,New,new.example;new.test,,6 Street,Jena,,Fifth,new\n",
            cast.rep,
        )
    assert (errors(job), counts(job)) == ([], (1, 3, 0, 0))
    acme, beta, new = Company.objects.order_by("external_id")
    assert places(acme)[0] == ("billing", "5 Street", "50667", "Bonn", "DE", True)
    assert (domains(beta), said(new)) == ({"beta.example": True, "beta.test": False}, ["Fifth"])
    job = take_back(job, cast.rep)
    assert (job.undone_created, job.undone_updated, job.kept) == (1, 2, 0)
    assert state() == before
    assert set(Interaction.objects.values_list("body", flat=True)) == {
        "Big\ncustomer"
    }  # that of the new one is gone
    gone = Activity.objects.filter(kind="interaction.deleted").values_list(
        "company_id", "actor_kind", "actor_id"
    )
    assert set(gone) == {(acme.pk, "user", cast.rep.pk), (beta.pk, "user", cast.rep.pk)}
    told = Activity.objects.filter(kind="company.updated", company_id=acme.pk, actor_kind="user")
    assert [each.payload for each in told] == [{"fields": ["addresses", "domains"]}]


def test_undo_leaves_what_somebody_has_changed_since_and_lists_it(cast: Any) -> None:
    bring("external_id,name\n" + "".join(f"F-{n},Firm {n}\n" for n in range(1, 5)), cast.rep)
    one, two, three, four = Company.objects.order_by("external_id")
    job = bring(
        "external_id,domain,city,linkedin\nF-1,one.example;one.test,,\nF-2,,Ulm,\nF-3,,,three\nF-4,,Kiel,\n",
        cast.rep,
    )
    assert counts(job) == (0, 4, 0, 0)
    actor = person(cast.rep)
    domain_update(domain=one.domains.get(domain="one.test"), data={"domain": "one.shop"}, actor=actor)
    address_update(address=two.address_set.get(), data={"city": "Bonn"}, actor=actor)
    profile_update(profile=three.socialprofile_set.get(), data={"handle": "tres"}, actor=actor)
    job = take_back(job, cast.rep)
    kept = ImportKept.objects.filter(job=job).values_list("entity", "record_id", "reason", "fields")
    assert {(entity, pk): (reason, fields) for entity, pk, reason, fields in kept} == {
        ("company", one.pk): ("changed", ["domains"]),
        ("company", two.pk): ("changed", ["addresses"]),
        ("company", three.pk): ("changed", ["profiles"]),
    }
    assert places(two)[0][3] == "Bonn"
    assert "one.shop" in domains(one)
    assert places(four) == []


def test_undo_of_companies_that_are_not_mine_any_more_touches_none_of_their_parts(cast: Any) -> None:
    bring("external_id,name\nF-1,ACME\n", cast.rep)
    job = bring("external_id,city,note,linkedin\nF-1,Rome,Hello,acme\n", cast.rep)
    Company.objects.update(owner=cast.rep2, team=cast.south)
    before = state()
    job = take_back(job, cast.rep)
    assert (job.undone_updated, job.kept, state()) == (0, 1, before)
    kept = ImportKept.objects.get(job=job)
    assert (kept.entity, kept.reason, kept.fields) == (
        "company",
        "hidden",
        ["addresses", "notes", "profiles"],
    )


def test_rows_of_others_and_refused_rows_add_nothing(cast: Any) -> None:
    bring("external_id,name,domain\nF-1,Hers,hers.example\n", cast.rep2)
    before = state()
    job = bring(
        "external_id,name,domain,city,note\nF-1,,,Rome,Mine\n,X,hers.example;x.example,Rome,Mine\n,Y,,Rome,\x01\n",
        cast.rep,
    )
    assert errors(job) == [
        (1, "external_id", "external_id_taken"),
        (2, "domain", "domain_taken"),
        (3, "note", "characters"),
    ]
    assert state() == before


def test_a_part_without_room_is_left_out_and_said(cast: Any) -> None:
    bring("external_id,name,domain\nF-1,ACME,acme.example\n", cast.rep)
    acme = Company.objects.get()
    held = range(MOST - 1)
    SocialProfile.objects.bulk_create(
        SocialProfile(company=acme, network="other", url=f"https://x.example/{n}") for n in held
    )
    Address.objects.bulk_create(
        Address(company=acme, kind="main", lines=f"{n} Lane", is_primary=not n) for n in held
    )
    CompanyDomain.objects.bulk_create(CompanyDomain(company=acme, domain=f"d{n}.example") for n in held[1:])
    text = (
        "external_id,domain,city,adressart,weitere anschriften,profile\n"
        'F-1,acme.example;a.test;b.test,Rome,home,"other; 2 Road",https://a.example|https://b.example\n'
    )
    left = [
        (1, "domain", "“b.test"),
        (1, "more_addresses", "“2 Road"),
        (1, "profiles", "“https://b.example"),
    ]
    dry = checked(draft(text, cast.rep, kind="companies"), cast.rep)
    assert (dry.report["update"], dry.report["left_out"]) == (1, 3)
    job = bring(text, cast.rep)
    assert (counts(job), job.left_out) == ((0, 1, 0, 0), 3)
    for each in (dry, job):
        found = each.row_errors.filter(left_out=True).order_by("field")
        assert [(e.row, e.field, e.detail.split("”")[0]) for e in found] == left
    assert (acme.domains.count(), acme.address_set.count(), acme.socialprofile_set.count()) == (
        MOST,
        MOST,
        MOST,
    )


def test_a_note_of_a_company_needs_the_right_to_log_one(cast: Any) -> None:
    role = cast.rep.role
    role.scopes = [scope for scope in role.scopes if not scope.startswith("interactions")]
    role.save()
    with pytest.raises(NotAllowed, match="The column “note” is mapped to “Note”"):
        bring("name,note\nACME,Hello\n", cast.rep)
    assert (Company.objects.count(), Interaction.objects.count()) == (0, 0)


def test_a_slash_as_the_separator_leaves_web_addresses_whole(cast: Any) -> None:
    bring("name,domain\nACME,https://www.acme.example/shop\n", cast.rep, separator="/")
    assert domains(Company.objects.get()) == {"acme.example": True}
    bring("name,domain\nBeta,beta.example|beta.test\n", cast.rep, separator="|")
    assert set(domains(Company.objects.get(name="Beta"))) == {"beta.example", "beta.test"}


def test_companies_on_cards_are_names_as_before_and_their_addresses_the_persons(cast: Any) -> None:
    card = (
        "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Lovelace;Ada\r\nORG:ACME;Engines\r\nADR:;;1 Road;Rome;;;\r\n"
        "URL:https://acme.example\r\nEND:VCARD\r\n"
    )
    job = run_import(card, cast.rep)
    assert counts(job) == (1, 0, 0, 0)
    acme = Company.objects.get()
    assert (acme.name, acme.domain, places(acme), pages(acme)) == ("ACME", None, [], set())
    assert Contact.objects.get().address_set.count() == 1


def test_many_rows_cost_the_same_statements_as_few(cast: Any) -> None:
    def cost(first: int, count: int) -> int:
        text = "external_id,name,domain,street,city,note,linkedin\n" + "".join(
            f"F-{n},Firm {n},f{n}.example;f{n}.test,{n} Road,Rome,Note {n},p{n}\n"
            for n in range(first, first + count)
        )
        job = import_create(file=csv_file(text), kind="companies", actor=person(cast.rep))
        with CaptureQueriesContext(connection) as caught:
            runner.run(job.pk)
        return len(caught)

    assert cost(0, 2) == cost(100, 60)
    assert Address.objects.count() == Interaction.objects.count() == SocialProfile.objects.count() == 62
    assert CompanyDomain.objects.count() == 124
