"""The palette: every kind of record, in order of relevance, in spite of typing errors, and nothing hidden."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Q
from django.test.utils import CaptureQueriesContext

from contacts.models import Company, Contact, ContactPoint, Segment
from contacts.selectors.search import COMPANIES, PEOPLE, matching
from crmcem.lib.search import Hit, search
from crmcem.lib.sqlfields import Fold
from crmcem.lib.typos import neighbours, plain
from crmcem.workspace import organisation
from crmcem.workspace.models import Organisation
from journeys.models import Automation
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, TaskFactory
from tests.factories.feedback import CaseFactory, SurveyFactory
from tests.factories.sales import DealFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def records(cast: Cast) -> None:
    own = {"owner": cast.rep, "team": cast.north}
    company = CompanyFactory(name="Zephyr Möbelwerke", domain="zephyr.example", **own)
    contact = ContactFactory(
        first_name="Zephyrine", last_name="Duval", email="z@duval.example", company=company, **own
    )
    TaskFactory(title="Call Zephyr about chairs", **own)
    DealFactory(name="Zephyr chairs", company=company, **own)
    CaseFactory(subject="Zephyr chairs arrived broken", contact=contact, **own)
    SurveyFactory(name="Zephyr satisfaction")
    Automation.objects.create(name="Zephyr welcome")
    Segment.objects.create(name="Zephyr lovers", kind="static", sharing="private", owner=cast.admin)


def found(text: str, user: Any) -> dict[str, list[str]]:
    return {provider.key: [hit.label for hit in hits] for provider, hits in search(text, user)}


def test_it_finds_every_kind_of_record(cast: Cast, records: None) -> None:
    assert set(found("zephyr", cast.admin)) == {
        "contacts", "companies", "deals", "tasks", "cases", "survey", "automations", "segments",
    }  # fmt: skip


def test_typing_errors_and_accents_do_not_matter(cast: Cast, records: None) -> None:
    wrong = found("zephir chairs", cast.admin)
    assert wrong["tasks"] == ["Call Zephyr about chairs"]
    assert wrong["deals"] == ["Zephyr chairs"]
    assert "Zephyr chairs arrived broken" in wrong["cases"][0]
    assert found("mobelwerke", cast.admin)["companies"] == ["Zephyr Möbelwerke"]
    assert found("MÖBELWERK", cast.admin)["companies"] == ["Zephyr Möbelwerke"]
    assert found("möbelwerge", cast.admin)["companies"] == ["Zephyr Möbelwerke"]


def test_nobody_finds_what_they_may_not_see(cast: Cast, records: None) -> None:
    cast.rep2.role.scopes = ["*"]  # type: ignore[union-attr]
    for text in ("zephyr", "zephir chairs", "ze", "z@duval.example"):
        assert set(found(text, cast.rep2)) <= {"survey", "automations"}, text
    hidden = ContactFactory(first_name="Hidden", owner=cast.rep, team=cast.north)
    TaskFactory(title="Plain errand", contact=hidden, owner=cast.rep2, team=cast.south)
    ((_provider, hits),) = search("plain errand", cast.rep2)
    assert [(hit.label, hit.detail) for hit in hits] == [("Plain errand", "")]


def test_pages_come_before_records_that_are_only_similar(cast: Cast, web: Any) -> None:
    DealFactory(name="Concert series", owner=cast.rep, team=cast.north)
    page = web(cast.rep).get("/search/", {"q": "seg"}, headers={"HX-Request": "true"}).content.decode()
    assert page.index(">Segments<") < page.index("Concert series")
    named = web(cast.rep).get("/search/", {"q": "con"}, headers={"HX-Request": "true"}).content.decode()
    assert named.index("Concert series") < named.index(">Contacts<")


def test_the_best_hits_group_comes_first(cast: Cast, records: None) -> None:
    assert next(iter(found("zephyr chairs", cast.admin))) == "deals"
    assert next(iter(found("zephyr welcome", cast.admin))) == "automations"
    assert next(iter(found("z@duval.example", cast.admin))) == "contacts"


def test_the_exact_address_is_the_first_of_all(cast: Cast) -> None:
    own = {"owner": cast.rep, "team": cast.north}
    for n in range(30):
        ContactFactory(first_name="Ann", email=f"ann@firm.example{n}.example", **own)
    ContactFactory(first_name="Exact", last_name="One", email="ann@firm.example", **own)
    for n in range(30, 60):
        ContactFactory(first_name="Ann", email=f"ann@firm.example{n}.example", **own)
    assert found("Ann@Firm.Example", cast.rep)["contacts"][0] == "Exact One"


@pytest.mark.parametrize(
    "typed",
    ["+49 30 1234567", "0049 (30) 123-4567", "030/1234567", "030 123 4567", "30 1234567", "49301234567", "1234567",
     "030 123"],
)  # fmt: skip
def test_a_number_is_found_in_any_format(cast: Cast, typed: str) -> None:
    Organisation.objects.update(country="DE")
    organisation.forget()
    own = {"owner": cast.rep, "team": cast.north}
    contact = ContactFactory(first_name="Pho", last_name="Ned", phone="+49301234567", **own)
    ContactPoint.objects.create(contact=contact, kind="phone", value="+49301234567", is_primary=True)
    other = ContactFactory(first_name="Somebody", last_name="Else", phone="+4940999", **own)
    ContactPoint.objects.create(contact=other, kind="phone", value="+4940999", is_primary=True)
    assert found(typed, cast.rep) == {"contacts": ["Pho Ned"]}


@pytest.mark.parametrize("text", ["z", "ze", "é", "%", "_", "\\", "'", "\x00", "0", "00", "+"])
def test_one_or_two_characters_ask_beginnings_only(cast: Cast, records: None, text: str) -> None:
    with CaptureQueriesContext(connection) as said:
        found(text, cast.admin)
    assert len(said) <= 40
    for query in said.captured_queries:
        assert "%>" not in query["sql"]
        assert 'contacts_contact"."search_text" LIKE' not in query["sql"]


def test_relevance_is_as_typed_then_beginning_then_words_then_likeness() -> None:
    from crmcem.lib.search import _score

    labels = ["Zürich north", "To Zürich", "zurich", "Züriich"]
    scores = {label: int(_score(plain("ZURICH"), Hit(label, "", ""))) for label in labels}
    assert scores == {"zurich": 3, "Zürich north": 2, "To Zürich": 1, "Züriich": 0}


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Wolf", "Wlof"),  # swapped
        ("Wolf", "Wof"),
        ("Wolf", "Wollf"),  # doubled
        ("Wolf", "Wulf"),  # wrong
        ("Wolf", "Xolf"),  # the first one, too
        ("Smith", "Smiht"),
        ("Smith", "Smth"),
        ("Smith", "Smitth"),
        ("Smith", "Smish"),
        ("Müller", "Mulelr"),
        ("Müller", "Müler"),
        ("Meyer", "Mayer"),
        ("Lovelace", "Lovleace"),
    ],
)
def test_one_wrong_letter_in_a_name_does_not_matter(cast: Cast, name: str, typed: str) -> None:
    by_last = ContactFactory(first_name="Ada", last_name=name, email="a1@b.example")
    by_first = ContactFactory(first_name=name, last_name="Zz", email="a2@b.example")
    company = CompanyFactory(name=f"{name} Trading Ltd")
    ContactFactory(first_name="Quite", last_name="Different", email="a3@b.example")
    CompanyFactory(name="Something Else")
    assert set(matching(PEOPLE, Contact.objects.all(), typed)) == {by_last.pk, by_first.pk}
    assert matching(COMPANIES, Company.objects.all(), typed) == [company.pk]
    assert matching(PEOPLE, Contact.objects.all(), f"Ada {typed}") == [by_last.pk]


def test_typing_errors_cost_two_statements_and_show_nothing_hidden(cast: Cast) -> None:
    mine = ContactFactory(last_name="Wolf", owner=cast.rep)
    ContactFactory(last_name="Wolf", owner=cast.rep2)
    rows = Contact.objects.visible_to(cast.rep)
    with CaptureQueriesContext(connection) as asked:
        assert matching(PEOPLE, rows, "Wlof") == [mine.pk]
    assert len([q for q in asked if q["sql"].startswith("SELECT") and "contacts_contact" in q["sql"]]) == 2


def test_neighbours_are_few_and_complete() -> None:
    near = neighbours("Wölf")
    assert near[0] == "wolf"
    assert len(near) == len(set(near)) < 54 * 4 + 27
    assert {"wlof", "olf", "wol", "woolf", "wulf", "awolf", "wolfz"} <= set(near)
    assert len(neighbours("abcdefghijkl")) < 700
    assert "abd" not in neighbours("abc")
    for alone in ("ab", "abcdefghijklm", "a1b2c3", "o'neil"):
        assert neighbours(alone) == [alone]


def test_errors_are_looked_up_by_index_however_many_contacts_there_are(db: None) -> None:
    near = neighbours("wlof")
    rows = Contact.objects.alias(a=Fold(F("first_name")), b=Fold(F("last_name")))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = rows.filter(Q(a__in=near) | Q(b__in=near)).order_by().values("pk").explain()
    assert "contact_first_prefix" in plan
    assert "contact_last_prefix" in plan
