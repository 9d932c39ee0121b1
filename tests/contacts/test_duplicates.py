"""Records that are perhaps the same: found on every change and by a search, decided by people."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from contacts.models import Company, Contact, ContactPoint, DuplicateKey, DuplicatePair, DuplicateScan
from contacts.selectors.duplicate_sql import HITS
from contacts.services import duplicates
from contacts.services.companies import company_create
from contacts.services.contacts import contact_create, contact_delete, contact_update
from contacts.services.duplicates import look_again, pairs_merge_exact, scan_run, scan_start
from contacts.services.merge import contact_merge, merge_undo
from crmcem.lib.actors import SYSTEM
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]


def person(**values: Any) -> Contact:
    return contact_create(data={"first_name": "", "last_name": "", **values}, actor=SYSTEM)


def found(entity: str = "contact") -> list[tuple[int, int, list[str], bool]]:
    rows = DuplicatePair.objects.filter(entity=entity, state="open").order_by("left_id", "right_id")
    return [(p.left_id, p.right_id, [r["code"] for r in p.reasons], p.exact) for p in rows]


def search() -> None:
    for entity in ("contact", "company"):
        scan_start(entity=entity, actor=SYSTEM)
    assert scan_run(seconds=60) is False


#: two records of one person (or of two), and what the pair is found by; None: not a pair
CASES: list[tuple[dict[str, Any], dict[str, Any], list[str] | None, bool]] = [
    (
        {"first_name": "Ann", "last_name": "Lee", "email": "ann.lee@gmail.com"},
        {"first_name": "Ann", "last_name": "Lee", "email": "annlee+shop@gmail.com"},
        ["mail", "name"],
        True,
    ),
    (
        {"first_name": "José", "last_name": "Müller", "phone": "+4930123456"},
        {"first_name": "MULLER", "last_name": "jose", "phone": "+4930123456"},
        ["phone", "name"],
        True,
    ),
    (
        {"first_name": "Ann", "last_name": "Lee", "external_id": "C-0042"},
        {"first_name": "Ann", "last_name": "Lee", "external_id": "c42"},
        None,
        False,
    ),
    (
        {"first_name": "Ann", "last_name": "Lee", "external_id": "C-42"},
        {"first_name": "Ann", "last_name": "Lee", "external_id": "c 42"},
        ["id", "name"],
        True,
    ),
    (
        {"first_name": "Jon", "last_name": "Smith", "email": "jon@works.example"},
        {"first_name": "John", "last_name": "Smith", "email": "j.smith@works.example"},
        ["alike", "domain"],
        False,
    ),
    (
        {"first_name": "Jon", "last_name": "Smith", "email": "jon@gmail.com"},
        {"first_name": "John", "last_name": "Smith", "email": "j.smith@gmail.com"},
        None,
        False,
    ),
    ({"first_name": "Ann", "last_name": "Lee"}, {"first_name": "Ann", "last_name": "Lee"}, None, False),
    (
        {"first_name": "Ann", "last_name": "Lee", "phone": "+4930123456"},
        {"first_name": "Bob", "last_name": "Stone", "phone": "+4930123456"},
        None,
        False,
    ),
]


@pytest.mark.parametrize(("one", "other", "reasons", "exact"), CASES)
def test_what_makes_a_pair(
    one: dict[str, Any], other: dict[str, Any], reasons: list[str] | None, exact: bool, drain: Any
) -> None:
    first, second = person(**one), person(**other)
    drain()
    wanted = [] if reasons is None else [(first.pk, second.pk, reasons, exact)]
    assert found() == wanted
    DuplicatePair.objects.all().delete()
    DuplicateKey.objects.all().delete()
    search()
    assert found() == wanted


def test_a_typing_error_in_the_name_is_found_within_a_company(drain: Any) -> None:
    firm = company_create(data={"name": "Works"}, actor=SYSTEM)
    first = person(first_name="Margaret", last_name="Hamilton", company=firm)
    second = person(first_name="Margret", last_name="Hamiltno", company=firm)
    person(first_name="Mark", last_name="Hansen", company=firm)
    drain()
    assert found() == [(first.pk, second.pk, ["alike", "company"], False)]
    assert 0.62 <= DuplicatePair.objects.get().score < 0.78


def test_companies(drain: Any) -> None:
    def firm(**values: Any) -> Company:
        return company_create(data=values, actor=SYSTEM)

    a = firm(name="Acme GmbH", domain="acme.example")
    b = firm(name="ACME", website="https://www.acme.example/about")
    c = firm(name="Umbrella Ltd", domain="umbrella.de")
    d = firm(name="Umbrella Inc.", domain="umbrella.com")
    firm(name="Something else", domain="else.example")
    drain()
    assert found("company") == [(a.pk, b.pk, ["host", "name"], True), (c.pk, d.pk, ["brand", "name"], False)]


def test_a_criterion_that_hits_too_many_is_none(drain: Any) -> None:
    for number in range(HITS + 1):
        person(first_name="Ann", last_name="Lee", phone="+4930123456", email=f"a{number}@x{number}.example")
    drain()
    search()
    assert found() == []


def test_a_pair_goes_with_its_reason_and_stays_dismissed(cast: Cast, drain: Any) -> None:
    one = person(first_name="Ann", last_name="Lee", phone="+4930123456")
    two = person(first_name="Ann", last_name="Lee", phone="+4930123456")
    drain()
    pair = DuplicatePair.objects.get()
    duplicates.pair_dismiss(pair=pair, actor=SYSTEM)
    contact_update(contact=one, data={"job_title": "Weaver"}, actor=SYSTEM)
    drain()
    search()
    pair.refresh_from_db()
    assert pair.state == "dismissed"
    duplicates.pair_reopen(pair=pair, actor=SYSTEM)
    contact_update(contact=two, data={"phone": None}, actor=SYSTEM)
    drain()
    assert not DuplicatePair.objects.exists()
    contact_update(contact=two, data={"phone": "+4930123456"}, actor=SYSTEM)
    drain()
    assert DuplicatePair.objects.count() == 1
    contact_delete(contact=two, actor=SYSTEM)
    drain()
    assert not DuplicatePair.objects.exists()
    assert not DuplicateKey.objects.filter(record_id=two.pk, entity="contact").exists()


def test_a_merge_decides_its_pair_and_carries_the_others_over(drain: Any) -> None:
    people = [person(first_name="Ann", last_name="Lee", phone="+4930123456") for _ in range(3)]
    drain()
    assert len(found()) == 3
    third = DuplicatePair.objects.get(left_id=people[1].pk, right_id=people[2].pk)
    duplicates.pair_dismiss(pair=third, actor=SYSTEM)
    DuplicatePair.objects.filter(left_id=people[0].pk, right_id=people[2].pk).delete()
    before = sorted(DuplicatePair.objects.values_list("id", "left_id", "right_id", "state"))
    merge, _ = contact_merge(winner=people[0], loser=people[1], actor=SYSTEM)
    pairs = DuplicatePair.objects.order_by("right_id").values_list("left_id", "right_id", "state")
    assert list(pairs) == [
        (people[0].pk, people[1].pk, "merged"),
        (people[0].pk, people[2].pk, "dismissed"),
    ]
    merge_undo(merge=merge, actor=SYSTEM)
    assert sorted(DuplicatePair.objects.values_list("id", "left_id", "right_id", "state")) == before


def test_a_killed_search_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "CHUNK", 2)
    for _ in range(5):
        ContactFactory(first_name="Ann", last_name="Lee", phone="+4930123456")
    DuplicateScan.objects.create(entity="contact")
    calls: list[int] = []
    rekey = duplicates.rekey

    def dying(entity: str, ids: Any) -> None:
        calls.append(len(ids))
        rekey(entity, ids)
        if len(calls) == 2:
            raise RuntimeError("killed")

    monkeypatch.setattr(duplicates, "rekey", dying)
    with pytest.raises(RuntimeError):
        scan_run(seconds=60)
    assert DuplicateScan.objects.get().records == 2
    scan_run(seconds=60)
    scan = DuplicateScan.objects.get()
    assert (scan.records, scan.pairs, scan.phase, len(found())) == (5, 10, "done", 10)


def test_nobody_sees_a_pair_with_a_record_that_is_not_theirs(cast: Cast, api: Api) -> None:
    own, other = {"owner": cast.rep, "team": cast.north}, {"owner": cast.rep2, "team": cast.south}
    same = {"first_name": "Ann", "last_name": "Lee", "phone": "+4930123456"}
    mine, mine_too = ContactFactory(**same, **own), ContactFactory(**same, **own)
    theirs = ContactFactory(**same, **other)
    look_again("contact", [mine.pk, mine_too.pk, theirs.pk])
    assert len(found()) == 3
    hidden = DuplicatePair.objects.get(left_id=mine_too.pk, right_id=theirs.pk)
    rep = api(cast.rep)
    seen = rep.get("/api/v1/duplicates/", {"state": "open", "ordering": "-score"}).data["results"]
    assert [(p["left"]["id"], p["right"]["id"]) for p in seen] == [(str(mine.pk), str(mine_too.pk))]
    assert seen[0]["left"]["name"] == "Ann Lee"
    assert seen[0]["score"] == 0.88
    assert [r["code"] for r in seen[0]["reasons"]] == ["phone", "name", "domain"]
    assert rep.get(f"/api/v1/duplicates/{hidden.pk}/").status_code == 404
    assert rep.post(f"/api/v1/duplicates/{hidden.pk}/dismiss/").status_code == 404
    assert len(api(cast.integrator).get("/api/v1/duplicates/").data["results"]) == 3
    done = rep.post("/api/v1/duplicates/merge-exact/", {"entity": "contact"}, format="json")
    assert done.status_code == 200, done.data
    assert [(m["winner"], m["loser"]) for m in done.data["merged"]] == [(str(mine.pk), str(mine_too.pk))]
    assert (done.data["failed"], done.data["more"]) == ([], False)
    assert Contact.objects.filter(pk=theirs.pk).exists()
    assert (
        api(cast.readonly).post("/api/v1/duplicates/merge-exact/", {"entity": "contact"}).status_code == 403
    )
    dismissed = rep.post(f"/api/v1/duplicates/{seen[0]['id']}/dismiss/")
    assert dismissed.status_code == 409


def test_bulk_merge_of_exact_ones(cast: Cast, drain: Any) -> None:
    for name in ("Ann", "Bob"):
        for _ in range(3):
            person(first_name=name, last_name="Lee", phone=f"+49301234{len(name) if name == 'Ann' else 56}56")
    company_pair = [CompanyFactory(name="Acme"), CompanyFactory(name="Acme", domain="acme.example")]
    drain()
    done = pairs_merge_exact(entity="contact", actor=SYSTEM)
    assert len(done["merged"]) == 4
    assert Contact.objects.count() == 2
    assert ContactPoint.objects.count() == 2
    assert Company.objects.filter(pk__in=[c.pk for c in company_pair]).count() == 2
    drain()
    assert found() == []


def test_a_list_of_pairs_costs_the_same_for_few_and_many(
    cast: Cast, api: Api, django_assert_max_num_queries: Any
) -> None:
    same = {"first_name": "Ann", "last_name": "Lee", "phone": "+4930123456"}
    rows = [ContactFactory(owner=cast.rep, team=cast.north, **same) for _ in range(8)]
    look_again("contact", [row.pk for row in rows])
    client = api(cast.rep)
    with django_assert_max_num_queries(8):
        assert len(client.get("/api/v1/duplicates/").data["results"]) == 28
