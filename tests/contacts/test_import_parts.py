"""Addresses, profiles and notes of a file become parts of its people: once, checked, counted, and taken back again."""

import io
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.importing import mapping as mappings
from contacts.importing import parts, runner
from contacts.importing.fields import PART_TARGETS
from contacts.importing.parts import address_line, addresses, notes, profile_text, profiles
from contacts.models import (
    Activity,
    Address,
    Contact,
    ImportKept,
    ImportPart,
    Interaction,
    SocialProfile,
)
from contacts.services.imports import import_create
from contacts.services.interactions import interaction_update
from contacts.services.parts import MOST
from contacts.services.places import address_add, address_update, profile_add
from crmcem.lib.actors import person
from tests.contacts.imports import counts, csv_file, errors, run_import, take_back
from tests.contacts.test_import_checks import checked, draft
from tests.factories.contacts import ContactFactory

HEAD = "external_id,first_name,street,plz,stadt,land,address_kind,more_addresses,web address,linkedin,note\n"
ADA = (
    'C-1,Ada,"1 Road\nFloor 2",50667,Köln,Deutschland,Rechnung,"home; 2 Lane\\; left; SW1Y; London; ; UK",'
    'ada.example|mastodon: @ada@x.example,https://linkedin.com/in/ada/,"First line\nSecond; line, with | signs"\n'
)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def places(contact: Contact) -> list[tuple[Any, ...]]:
    names = ("kind", "lines", "postal_code", "city", "region", "country", "is_primary")
    return list(contact.address_set.order_by("id").values_list(*names))


def pages(contact: Contact) -> set[tuple[Any, ...]]:
    return set(contact.socialprofile_set.values_list("network", "handle", "url"))


def said(contact: Contact) -> list[str]:
    found = contact.interactions.filter(kind="note").order_by("id").values_list("body", flat=True)
    return list(found)


def state(contact: Contact) -> tuple[Any, ...]:
    return places(contact), pages(contact), said(contact)


def test_a_row_brings_its_parts_and_the_same_file_again_doubles_nothing(cast: Any) -> None:
    job = run_import(HEAD + ADA, cast.rep)
    assert (errors(job), counts(job)) == ([], (1, 0, 0, 0))
    ada = Contact.objects.get()
    assert places(ada) == [
        ("billing", "1 Road\nFloor 2", "50667", "Köln", "", "DE", True),
        ("home", "2 Lane; left", "SW1Y", "London", "", "GB", False),
    ]
    assert pages(ada) == {
        ("other", "", "https://ada.example"),
        ("mastodon", "ada@x.example", ""),
        ("linkedin", "ada", "https://www.linkedin.com/in/ada"),
    }
    note = ada.interactions.get()
    assert (note.kind, note.body, note.owner, note.team) == (
        "note",
        "First line\nSecond; line, with | signs",
        cast.rep,
        cast.rep.team,
    )
    logged = Activity.objects.get(kind="interaction.logged")
    assert (logged.contact_id, logged.subject_type, logged.subject_id) == (ada.pk, "interaction", note.pk)
    assert (logged.actor_kind, logged.actor_id, logged.payload["kind"]) == ("import", job.pk, "note")
    assert not ImportPart.objects.exists()  # they go with their contact

    before, activities = state(ada), Activity.objects.count()
    again = run_import(HEAD + ADA, cast.rep)
    assert counts(again) == (0, 0, 1, 0)
    assert (state(ada), Activity.objects.count()) == (before, activities)
    assert checked(draft(HEAD + ADA, cast.rep), cast.rep).report == {
        "rows": 1,
        "create": 0,
        "update": 0,
        "skip": 1,
        "failed": 0,
    }


def test_an_address_of_the_same_kind_takes_what_the_row_says_and_blank_cells_erase_nothing(cast: Any) -> None:
    run_import(HEAD + ADA, cast.rep)
    ada = Contact.objects.get()
    text = "external_id,street,postal code,city,address kind,note,profiles\nC-1,3 Street,,,billing,Second,\n"
    assert checked(draft(text, cast.rep), cast.rep).report["update"] == 1
    job = run_import(text, cast.rep)
    assert counts(job) == (0, 1, 0, 0)
    assert places(ada) == [
        ("billing", "3 Street", "50667", "Köln", "", "DE", True),
        ("home", "2 Lane; left", "SW1Y", "London", "", "GB", False),
    ]
    assert said(ada) == ["First line\nSecond; line, with | signs", "Second"]
    updated = Activity.objects.filter(kind="contact.updated", contact_id=ada.pk)
    assert [each.payload for each in updated] == [{"fields": ["addresses"]}]
    # a kind that it hasn't is added; one that stands there without its kind being said is known
    job = run_import("external_id,street,city,address kind\nC-1,9 Dock,Kiel,Lieferadresse\n", cast.rep)
    assert counts(job) == (0, 1, 0, 0)
    assert places(ada)[-1] == ("shipping", "9 Dock", "", "Kiel", "", "", False)
    assert counts(run_import("external_id,street\nC-1,9 Dock\n", cast.rep)) == (0, 0, 1, 0)
    # without a kind it is the primary one that changes
    run_import("external_id,city\nC-1,Bonn\n", cast.rep)
    assert places(ada)[0] == ("billing", "3 Street", "50667", "Bonn", "", "DE", True)


def test_two_of_a_kind_stay_two_and_only_the_changed_one_changes(cast: Any) -> None:
    head = "external_id,last_name,more_addresses\n"
    run_import(head + 'C-1,A,"office; A; 1\noffice; B; 2"\n', cast.rep)
    ada = Contact.objects.get()
    assert counts(run_import(head + 'C-1,A,"office; B; 2\noffice; A2; 1"\n', cast.rep)) == (0, 1, 0, 0)
    assert [(row[1], row[2]) for row in places(ada)] == [("A2", "1"), ("B", "2")]


def test_a_record_holds_no_more_of_a_kind_than_by_hand(cast: Any) -> None:
    contact = ContactFactory(owner=cast.rep, team=cast.north, external_id="C-1")
    SocialProfile.objects.bulk_create(
        SocialProfile(contact=contact, network="other", url=f"https://x.example/{n}") for n in range(MOST - 1)
    )
    job = run_import("external_id,profiles\nC-1,https://a.example|https://b.example\n", cast.rep)
    assert counts(job) == (0, 1, 0, 0)
    assert contact.socialprofile_set.count() == MOST


@pytest.mark.parametrize(
    ("head", "cells", "field", "code"),
    [
        ("street,country", "A 1,Atlantis", "country", "invalid"),
        ("city,country", ",DE", "country", "required"),
        ("street", "x" * 501, "street", "max_length"),
        ("street,address_kind", "A 1,castle", "address_kind", "invalid_choice"),
        ("more_addresses", "a;b;c;d;e;f;g", "more_addresses", "invalid"),
        ("more_addresses", "home", "more_addresses", "required"),
        ("profiles", "javascript:alert(1)", "profiles", "invalid"),
        ("profiles", "|".join(f"a{n}.example" for n in range(21)), "profiles", "max_items"),
        ("profile_xing", "ftp://x.example/a", "profile_xing", "invalid"),
        ("note", "\x01", "note", "characters"),
        ("note", "x" * 100_001, "note", "max_length"),
    ],
)
def test_a_bad_part_is_the_error_of_its_row_and_nothing_of_it_comes_in(
    cast: Any, head: str, cells: str, field: str, code: str
) -> None:
    job = run_import(f"external_id,{head}\nC-1,{cells}\n", cast.rep, mapping=_all(f"external_id,{head}"))
    assert (counts(job), errors(job)) == ((0, 0, 0, 1), [(1, field, code)])
    assert (Contact.objects.count(), Address.objects.count(), Interaction.objects.count()) == (0, 0, 0)


def _all(head: str) -> dict[str, str]:
    return {name: name for name in head.split(",")}


def test_rows_of_others_and_refused_rows_add_nothing(cast: Any) -> None:
    run_import("email\nhers@example.org\n", cast.rep2)
    hers = Contact.objects.get()
    job = run_import(
        "email,street,city,note,linkedin\nhers@example.org,1 Road,Rome,Mine,ada\nbroken,2 Road,Rome,X,bob\n",
        cast.rep,
    )
    assert errors(job) == [(1, "email", "email_taken"), (2, "email", "invalid")]
    assert state(hers) == ([], set(), [])


def test_undo_takes_added_parts_away_and_changed_ones_are_as_before(cast: Any) -> None:
    run_import(HEAD + ADA, cast.rep)
    run_import("external_id,email\nC-1,ada@example.org\nC-2,\n", cast.rep)
    ada, bob = Contact.objects.get(external_id="C-1"), Contact.objects.get(external_id="C-2")
    before = state(ada), state(bob)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "CHUNK_ROWS", 1)
        job = run_import(
            "external_id,email,first_name,street,city,address_kind,note,profile_xing\n"
            "C-1,,,3 Street,Bonn,billing,Third,ada\n"
            "C-2,,,4 Street,Ulm,,Fourth,\n"
            ",ada@example.org,,5 Street,,billing,,\n"
            "C-3,,New,6 Street,Jena,,Fifth,new\n",
            cast.rep,
        )
    assert counts(job) == (1, 3, 0, 0)
    assert places(ada)[0] == ("billing", "5 Street", "50667", "Bonn", "", "DE", True)
    assert places(bob) == [("main", "4 Street", "", "Ulm", "", "", True)]
    job = take_back(job, cast.rep)
    assert (job.undone_created, job.undone_updated, job.kept) == (1, 2, 0)
    assert (state(ada), state(bob)) == before
    assert set(Contact.objects.values_list("external_id", flat=True)) == {"C-1", "C-2"}
    assert Interaction.objects.count() == 1
    gone = Activity.objects.filter(kind="interaction.deleted").values_list(
        "contact_id", "actor_kind", "actor_id"
    )
    assert set(gone) == {(ada.pk, "user", cast.rep.pk), (bob.pk, "user", cast.rep.pk)}
    told = Activity.objects.filter(kind="contact.updated", contact_id=bob.pk, actor_kind="user")
    assert [each.payload for each in told] == [{"fields": ["addresses"]}]


def test_undo_leaves_what_somebody_has_changed_since_and_lists_it(cast: Any) -> None:
    ada, bob, cleo, dan = (
        ContactFactory(owner=cast.rep, team=cast.north, external_id=f"C-{n}") for n in range(1, 5)
    )
    address_add(data={"contact": bob.pk, "lines": "Old", "city": "Ulm"}, actor=person(cast.rep))
    job = run_import(
        "external_id,street,city,note\nC-1,1 Road,Rome,\nC-2,2 Road,Ulm,\nC-3,,,Hello\nC-4,,,Bye\n", cast.rep
    )
    assert counts(job) == (0, 4, 0, 0)
    actor = person(cast.rep)
    address_update(address=ada.address_set.get(), data={"city": "Paris"}, actor=actor)
    address_update(address=bob.address_set.get(), data={"region": "BW"}, actor=actor)
    interaction_update(interaction=cleo.interactions.get(), data={"body": "Hello again"}, actor=actor)
    Interaction.objects.filter(contact=dan).update(owner=cast.manager)  # as it follows its contact
    job = take_back(job, cast.rep)
    assert (job.undone_updated, job.kept) == (1, 3)
    kept = ImportKept.objects.filter(job=job).values_list("record_id", "reason", "fields")
    assert {pk: (reason, fields) for pk, reason, fields in kept} == {
        ada.pk: ("changed", ["addresses"]),
        bob.pk: ("changed", ["addresses"]),
        cleo.pk: ("changed", ["notes"]),
    }
    assert places(ada)[0][1:4] == ("1 Road", "", "Paris")
    assert places(bob)[0][1:5] == ("2 Road", "", "Ulm", "BW")
    assert (said(cleo), said(dan)) == (["Hello again"], [])


def test_undo_gives_the_primary_place_to_the_oldest_other_address(cast: Any) -> None:
    ada = ContactFactory(owner=cast.rep, team=cast.north, external_id="C-1")
    job = run_import("external_id,city\nC-1,Rome\n", cast.rep)
    actor = person(cast.rep)
    for city in ("Kiel", "Ulm"):
        address_add(data={"contact": ada.pk, "city": city}, actor=actor)
    profile_add(data={"contact": ada.pk, "network": "xing", "handle": "ada"}, actor=actor)
    take_back(job, cast.rep)
    assert [(row[3], row[6]) for row in places(ada)] == [("Kiel", True), ("Ulm", False)]
    assert ada.socialprofile_set.count() == 1


def test_undo_of_contacts_that_are_not_mine_any_more_touches_none_of_their_parts(cast: Any) -> None:
    ada = ContactFactory(owner=cast.rep, team=cast.north, external_id="C-1")
    job = run_import("external_id,city,note\nC-1,Rome,Hello\n", cast.rep)
    Contact.objects.filter(pk=ada.pk).update(owner=cast.rep2, team=cast.south)
    before = state(ada)
    job = take_back(job, cast.rep)
    assert (job.undone_updated, job.kept, state(ada)) == (0, 1, before)
    assert ImportKept.objects.get(job=job).reason == "hidden"


def test_a_file_without_parts_costs_no_statement_more(cast: Any) -> None:
    def statements(text: str) -> list[str]:
        job = import_create(file=csv_file(text), kind="contacts", actor=person(cast.rep))
        with CaptureQueriesContext(
            connection,
        ) as caught:
            runner.run(job.pk)
        return [
            query["sql"] for query in caught if "part" in query["sql"] and "DROP TABLE IF" not in query["sql"]
        ]

    assert statements("email,first_name\na@example.org,Ada\n") == []
    assert statements("email,street,note\nb@example.org,,\n") == []  # mapped, and blank
    assert len(statements("email,note\nc@example.org,Hello\n")) > 5


def test_many_rows_cost_the_same_statements_as_few(cast: Any) -> None:
    def cost(first: int, count: int) -> int:
        text = "external_id,street,city,note,linkedin\n" + "".join(
            f"C-{n},{n} Road,Rome,Note {n},p{n}\n" for n in range(first, first + count)
        )
        job = import_create(file=csv_file(text), kind="contacts", actor=person(cast.rep))
        with CaptureQueriesContext(connection) as caught:
            runner.run(job.pk)
        return len(caught)

    assert cost(0, 2) == cost(100, 60)
    assert Address.objects.count() == Interaction.objects.count() == SocialProfile.objects.count() == 62


def test_headings_in_english_and_german_are_known_and_own_fields_come_first() -> None:
    head = [
        "E-Mail",
        "Straße",
        "PLZ",
        "Ort",
        "Bundesland",
        "Land",
        "Adressart",
        "Webadresse",
        "LinkedIn-Profil",
        "Twitter",
        "Notizen",
    ]
    assert list(mappings.guess("contacts", head, []).values()) == [
        "email",
        "street",
        "postal_code",
        "city",
        "region",
        "country",
        "address_kind",
        "profiles",
        "profile_linkedin",
        "profile_x",
        "note",
    ]
    assert mappings.guess("contacts", ["email", "Country", "State"], []) == {
        "email": "email",
        "Country": "",
        "State": "",
    }
    mails = [["a@example.org"], ["b@example.org"]]
    assert mappings.guess("contacts", ["Adresse"], mails) == {"Adresse": "email"}
    assert mappings.guess("companies", ["Name", "City", "Note", "Country", "Web"], []) == {
        "Name": "name",
        "City": "city",
        "Note": "note",
        "Country": "country",
        "Web": "website",
    }


def test_every_part_has_a_cleaner_that_takes_text() -> None:
    assert {target.key for target in PART_TARGETS} == {
        "street",
        "postal_code",
        "city",
        "region",
        "country",
        "address_kind",
        "more_addresses",
        "profiles",
        "note",
        *(f"profile_{network}" for network in parts.NETWORK_NAMES),
    }


def test_cells_of_several_values_are_read_as_they_are_written() -> None:
    place = ("office", "1; Road\nFloor, 2 \\ 3", "1", "Köln", "", "DE")
    assert addresses(address_line(place)) == [("office", "1; Road\nFloor, 2 \\ 3", "1", "Köln", None, "DE")]
    for profile in (
        ("linkedin", "", "https://www.linkedin.com/in/ada"),
        ("mastodon", "a@b.example", ""),
        ("other", "Ada L", "https://ada.example/a,b"),
    ):
        assert profiles(profile_text(*profile)) == [profile]
    assert profiles("www.linkedin.com/in/ad%C3%A4?x=1\ntwitter.com/ada | github.com/ada/repo") == [
        ("linkedin", "adä", "https://www.linkedin.com/in/ad%C3%A4"),
        ("x", "ada", "https://x.com/ada"),
        ("github", "", "https://github.com/ada/repo"),
    ]
    assert notes("one\n\u2029two\u2029\u2029one") == ["one", "two"]


def test_the_preview_shows_parts_as_they_would_come_in(cast: Any, web: Any) -> None:
    client = web(cast.rep)
    file = io.BytesIO((HEAD + ADA + "C-2,Bob,,,,Atlantis,,,,,\n").encode())
    file.name = "people.csv"
    page = client.get(client.post("/imports/new/", {"file": file, "object": "contacts"}).url).content.decode()
    assert "mastodon, ada@x.example" in page
    assert "linkedin, ada, https://www.linkedin.com/in/ada" in page
    assert "Write the country’s code of two letters" in page
