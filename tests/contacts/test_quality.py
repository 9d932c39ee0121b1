"""Data quality: counts that agree with the lists behind them, over what one may see, and repairs in bulk."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from contacts.models import (
    Activity,
    Address,
    Company,
    Contact,
    ContactPoint,
    DataFault,
    DuplicatePair,
    FaultScan,
    MergeRecord,
    Message,
    QualityDay,
)
from contacts.quality import checks
from contacts.selectors.quality import quality_report
from contacts.services import quality_watch
from crmcem.lib.normalise import mended_email
from crmcem.workspace.models import BulkEdit
from crmcem.workspace.services import edits
from tests.factories.contacts import CompanyFactory, ContactFactory

pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - dt.timedelta(days=400)


def mail(contact: Contact, status: str = "failed", error: str = "550 no such user") -> Message:
    return Message.objects.create(
        contact=contact,
        to_address=contact.email,
        status=status,
        error=error,
        idempotency_key=f"k{Message.objects.count()}",
    )


def mine(cast: Any, **more: Any) -> Contact:
    row: Contact = ContactFactory(**{"owner": cast.rep, "team": cast.rep.team, **more})
    if row.email:
        ContactPoint.objects.create(contact=row, kind="email", value=row.email, is_primary=True)
    return row


def counts(user: Any) -> dict[str, int | None]:
    return {each.check.name: each.count.n for each in quality_report(user).found}


@pytest.fixture
def faults(cast: Any) -> dict[str, Any]:
    """One record of each fault, and beside each one of somebody else's."""
    company = CompanyFactory(owner=cast.rep, team=cast.rep.team, domain="a.example")
    good = mine(cast, company=company, phone="+4930123456")
    made = {
        "contact.unreachable": mine(cast, email=None, company=company),
        "contact.unnamed": mine(cast, first_name="", last_name="", company=company),
        "contact.homeless": mine(cast),
        "contact.stale": mine(cast, company=company),
        "contact.bouncing": mine(cast, company=company),
        "company.unreachable": CompanyFactory(owner=cast.rep, team=cast.rep.team),
        "company.stale": CompanyFactory(owner=cast.rep, team=cast.rep.team, domain="b.example"),
    }
    Contact.objects.filter(pk=made["contact.stale"].pk).update(updated_at=LONG_AGO)
    Company.objects.filter(pk=made["company.stale"].pk).update(updated_at=LONG_AGO)
    mail(made["contact.bouncing"])
    mail(good)
    mail(good, "sent", "")  # it got there since
    twin = mine(cast, company=company, email="b@twin.example", first_name="Ann", last_name="B")
    other = mine(cast, company=company, email="c@twin.example", first_name="Ann", last_name="B")
    DuplicatePair.objects.create(entity="contact", left_id=twin.pk, right_id=other.pk, score=1, exact=True)
    return made | {"company": company, "twin": twin, "other": other, "good": good}


def test_each_check_finds_its_own_and_the_list_shows_the_same(
    cast: Any, api: Any, faults: dict[str, Any]
) -> None:
    found = counts(cast.rep)
    assert found["contact.duplicate"] == 2
    for name, record in faults.items():
        if name in checks:
            assert found[name] == 1, name
            entity, key = name.split(".")
            path = {"contact": "contacts", "company": "companies"}[entity]
            answer = api(cast.rep).get(f"/api/v1/{path}/", {"quality": key})
            assert [row["id"] for row in answer.json()["results"]] == [str(record.pk)], name


def test_records_of_others_are_in_no_number(cast: Any, faults: dict[str, Any]) -> None:
    before = counts(cast.rep)
    stranger = {"owner": cast.rep2, "team": cast.rep2.team}
    ContactFactory(**stranger, email=None)
    theirs = ContactFactory(**stranger)
    mail(theirs)
    CompanyFactory(**stranger)
    DuplicatePair.objects.create(
        entity="contact", left_id=faults["good"].pk, right_id=theirs.pk, score=1, exact=True
    )
    assert counts(cast.rep) == before


def test_the_score_is_the_mean_share_in_order(cast: Any) -> None:
    assert quality_report(cast.rep).score is None
    company = CompanyFactory(owner=cast.rep, team=cast.rep.team, domain="a.example")
    mine(cast, company=company)
    assert quality_report(cast.rep).score == 100
    mine(cast, company=company, email=None)
    # one of two contacts in one of eleven checks
    assert quality_report(cast.rep).score == round(100 * (len(checks.keys()) - 0.5) / len(checks.keys()))


def test_the_page_shows_and_links_in_few_statements(cast: Any, web: Any, faults: dict[str, Any]) -> None:
    client = web(cast.rep)
    client.get("/quality/")
    with CaptureQueriesContext(
        connection,
    ) as few:
        page = client.get("/quality/")
    assert page.status_code == 200
    text = page.content.decode()
    assert 'href="/contacts/?quality=bouncing"' in text
    assert 'href="/companies/?quality=stale"' in text
    assert client.get("/contacts/?quality=bouncing").status_code == 200
    for _ in range(20):
        mail(mine(cast))
    with CaptureQueriesContext(connection) as many:
        client.get("/quality/")
    assert len(few) == len(many) <= 20


def test_who_may_not_write_has_no_such_page(cast: Any, web: Any, api: Any) -> None:
    assert web(cast.readonly).get("/quality/").status_code == 403
    assert api(cast.readonly).get("/api/v1/data-quality/").status_code == 403


def test_dead_addresses_go_and_the_next_one_takes_their_place(
    cast: Any, web: Any, faults: dict[str, Any]
) -> None:
    row = faults["contact.bouncing"]
    ContactPoint.objects.create(contact=row, kind="email", value="second@example.org")
    client = web(cast.rep)
    assert "Remove the dead addresses (1)" in client.get("/quality/").content.decode()
    done = client.post("/quality/", {"check": "contact.bouncing"}, follow=True)
    assert "1 record changed." in done.content.decode()
    row.refresh_from_db()
    assert row.email == "second@example.org"
    assert counts(cast.rep)["contact.bouncing"] == 0
    assert Activity.objects.filter(kind="contact.updated", contact_id=row.pk, actor_id=cast.rep.pk).exists()


def test_who_would_be_nobody_keeps_the_address_and_others_lose_theirs(
    cast: Any, api: Any, faults: dict[str, Any]
) -> None:
    nobody = mine(cast, first_name="", last_name="", company=faults["company"])
    mail(nobody)
    answer = api(cast.rep).post("/api/v1/data-quality/repair/", {"check": "contact.bouncing"}, format="json")
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["changed"], [f["id"] for f in body["failed"]], body["more"]) == (1, [str(nobody.pk)], False)
    nobody.refresh_from_db()
    assert nobody.email is not None


def test_unowned_contacts_get_the_owner_of_their_company(cast: Any, api: Any) -> None:
    company = CompanyFactory(owner=cast.rep, team=cast.rep.team)
    orphan = ContactFactory(company=company)
    ContactFactory()  # without a company: nobody to give it to
    url, body = "/api/v1/data-quality/repair/", {"check": "contact.unowned"}
    dry = api(cast.admin).post(url, body | {"dry_run": True}, format="json")
    assert (dry.json()["id"], dry.json()["changed"], dry.json()["more"]) == (None, 1, False)
    orphan.refresh_from_db()
    assert orphan.owner is None
    assert api(cast.admin).post(url, body, format="json").json()["changed"] == 1
    orphan.refresh_from_db()
    assert (orphan.owner, orphan.team) == (cast.rep, cast.rep.team)
    assert counts(cast.admin)["contact.unowned"] == 1


def test_exact_duplicates_are_merged(cast: Any, web: Any, faults: dict[str, Any]) -> None:
    web(cast.rep).post("/quality/", {"check": "contact.duplicate"})
    assert edits.edit_run(BulkEdit.objects.get().pk) == "done"  # merges are always a job
    assert MergeRecord.objects.get().loser_id == faults["other"].pk
    assert counts(cast.rep)["contact.duplicate"] == 0


@pytest.mark.parametrize("body", [{"check": "contact.unnamed"}, {"check": "nonsense"}, {"check": 5}, {}])
def test_what_is_no_repair_says_which_there_are(cast: Any, api: Any, body: Any) -> None:
    answer = api(cast.rep).post("/api/v1/data-quality/repair/", body, format="json")
    assert answer.status_code == 400
    assert [e["field"] for e in answer.json()["errors"]] == ["check"]


def test_the_numbers_over_the_api(cast: Any, api: Any, faults: dict[str, Any]) -> None:
    body = api(cast.rep).get("/api/v1/data-quality/").json()
    assert [row["check"] for row in body["checks"]] == checks.keys()
    row = next(row for row in body["checks"] if row["check"] == "contact.bouncing")
    assert row == {
        "check": "contact.bouncing",
        "entity": "contact",
        "group": "bouncing",
        "label": "E-mails come back",
        "count": 1,
        "exact": True,
        "total": Contact.objects.visible_to(cast.rep).count(),
        "repair": "address",
    }


# --- values out of form -------------------------------------------------------------------------------------------
@pytest.fixture
def broken(cast: Any) -> dict[str, Any]:
    """Values that came past the services."""
    german = mine(cast, first_name="Ger", last_name="Man", phone="030 1234567")
    Address.objects.create(contact=german, country="DE", is_primary=True)
    swiss = mine(cast, company=CompanyFactory(owner=cast.rep, team=cast.rep.team, phone="044 123"))
    Address.objects.create(company=swiss.company, country="CH")
    lost = mine(cast, phone="+4912")
    pasted = mine(cast, email="Kay <Kay@Example.org>", first_name="Kay", last_name="Pasted")
    shop = CompanyFactory(owner=cast.rep, team=cast.rep.team, phone="(030) 7654321")
    Address.objects.create(company=shop, country="DE")
    for row, value in ((german, german.phone), (swiss, "044 668 18 00"), (lost, lost.phone)):
        ContactPoint.objects.create(contact=row, kind="phone", value=value, is_primary=row.phone is not None)
    mine(cast, phone="+493012345678")
    theirs = ContactFactory(owner=cast.rep2, team=cast.rep2.team, email="not an address")
    ContactPoint.objects.create(contact=theirs, kind="email", value=theirs.email, is_primary=True)
    return {"german": german, "swiss": swiss, "lost": lost, "pasted": pasted, "shop": shop, "theirs": theirs}


def test_values_out_of_form_are_found_in_the_background(
    cast: Any, broken: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_watch, "STEP", 2)
    assert counts(cast.rep)["contact.invalid_phone"] == 0  # nobody has looked yet
    assert quality_watch.faults_find() is False
    found = counts(cast.rep)
    assert (found["contact.invalid_phone"], found["contact.invalid_email"]) == (3, 1)
    assert found["company.invalid_phone"] == 2
    assert counts(cast.admin)["contact.invalid_email"] == 2
    # a value that was mended counts no more, though nobody has looked again
    ContactPoint.objects.filter(contact=broken["lost"], kind="phone").update(value="+493012345679")
    assert counts(cast.rep)["contact.invalid_phone"] == 2
    FaultScan.objects.update(finished_at=LONG_AGO)
    ContactPoint.objects.filter(contact=broken["pasted"]).delete()
    quality_watch.faults_find()
    assert DataFault.objects.filter(kind="point").count() == 3


def test_numbers_get_the_country_of_the_address_after_a_look(
    cast: Any, web: Any, broken: dict[str, Any]
) -> None:
    quality_watch.faults_find()
    client = web(cast.rep)
    page = client.get("/quality/").content.decode()
    assert "Write with the country code (2)" in page
    look = client.get("/quality/preview/?check=contact.invalid_phone").content.decode()
    for text in ("030 1234567", "+49301234567", "044 668 18 00", "+41446681800", "Repair (2)"):
        assert text in look
    assert "+4912<" not in look
    broken["german"].refresh_from_db()
    assert broken["german"].phone == "030 1234567"  # looking writes nothing
    client.post("/quality/", {"check": "contact.invalid_phone"})
    broken["german"].refresh_from_db()
    assert broken["german"].phone == "+49301234567"
    assert list(
        ContactPoint.objects.filter(contact=broken["swiss"], kind="phone").values_list("value", flat=True)
    ) == ["+41446681800"]
    assert counts(cast.rep)["contact.invalid_phone"] == 1
    said = Activity.objects.filter(kind="contact.updated", contact_id=broken["german"].pk).get()
    assert (said.actor_id, said.payload["changes"]["phone"]) == (cast.rep.pk, ["030 1234567", "+49301234567"])
    client.post("/quality/", {"check": "company.invalid_phone"})
    broken["shop"].refresh_from_db()
    assert broken["shop"].phone == "+49307654321"
    assert counts(cast.rep)["company.invalid_phone"] == 1  # 044 123 is no number anywhere


def test_addresses_that_are_plainly_meant_are_mended(cast: Any, api: Any, broken: dict[str, Any]) -> None:
    quality_watch.faults_find()
    url, body = "/api/v1/data-quality/repair/", {"check": "contact.invalid_email"}
    assert api(cast.rep).post(url, body | {"dry_run": True}, format="json").json()["changed"] == 1
    done = api(cast.rep).post(url, body, format="json").json()
    assert (done["status"], done["changed"], done["failed"], done["more"]) == ("done", 1, [], False)
    broken["pasted"].refresh_from_db()
    broken["theirs"].refresh_from_db()
    assert (broken["pasted"].email, broken["theirs"].email) == ("kay@example.org", "not an address")
    assert counts(cast.rep)["contact.invalid_email"] == 0


def test_an_address_that_somebody_else_has_stays(cast: Any, api: Any, broken: dict[str, Any]) -> None:
    mine(cast, email="kay@example.org")
    quality_watch.faults_find()
    answer = api(cast.rep).post(
        "/api/v1/data-quality/repair/", {"check": "contact.invalid_email"}, format="json"
    )
    body = answer.json()
    assert (body["changed"], [each["id"] for each in body["failed"]]) == (0, [str(broken["pasted"].pk)])
    broken["pasted"].refresh_from_db()
    assert broken["pasted"].email == "Kay <Kay@Example.org>"


@pytest.mark.parametrize(
    ("value", "mended"),
    [
        ("mailto:a@b.de", "a@b.de"),
        (" a @b.de. ", "a@b.de"),
        ("A (at) b.de", "a@b.de"),
        ("a@b,de", "a@b.de"),
        ("nobody", ""),
        ("a@b@c.de", ""),
    ],
)
def test_only_what_is_plain_is_mended(value: str, mended: str) -> None:
    assert mended_email(value) == mended


def test_a_preview_is_only_there_where_values_change(cast: Any, web: Any) -> None:
    client = web(cast.rep)
    assert client.get("/quality/preview/?check=contact.unowned").status_code == 404
    assert client.get("/quality/preview/?check=nonsense").status_code == 404


# --- the course ---------------------------------------------------------------------------------------------------
def test_each_day_is_noted_once_over_all_records(cast: Any, faults: dict[str, Any]) -> None:
    assert quality_watch.quality_note() == len(checks.keys())
    row = QualityDay.objects.get(check_name="contact.unnamed")
    assert (row.found, row.total) == (1, Contact.objects.count())
    ContactFactory(first_name="", last_name="")
    quality_watch.quality_note()
    assert QualityDay.objects.get(check_name="contact.unnamed").found == 2


def test_the_course_is_a_chart_a_table_and_a_file(cast: Any, web: Any, api: Any) -> None:
    today = timezone.now().date()
    for ago, found in ((40, 9), (20, 7), (0, 4)):
        QualityDay.objects.create(
            day=today - dt.timedelta(days=ago), check_name="contact.unnamed", found=found, total=10
        )
    client = web(cast.admin)
    page = client.get("/quality/trend/?check=contact.unnamed&days=30").content.decode()
    assert "&quot;values&quot;: [7, 4]" in page
    assert "40.0 %" in page
    assert (
        "&quot;values&quot;: [9, 7, 4]"
        in client.get("/quality/trend/?check=contact.unnamed&days=90").content.decode()
    )
    file = client.get("/quality/trend/?check=contact.unnamed&days=30&format=csv")
    assert file["Content-Type"] == "text/csv; charset=utf-8"
    assert file.content.decode().splitlines()[2] == f"contact.unnamed,{today.isoformat()},4,10"
    assert "Nothing noted yet" in client.get("/quality/trend/?check=contact.stale").content.decode()
    assert "3 fewer" in client.get("/quality/").content.decode()
    listed = api(cast.admin).get("/api/v1/data-quality/trend/?check=contact.unnamed").json()
    assert [row["found"] for row in listed] == [7, 4]
    for bad in ("check=nope", "days=31"):
        assert api(cast.admin).get(f"/api/v1/data-quality/trend/?{bad}").status_code == 400


def test_the_course_of_everybodys_records_is_not_for_those_who_see_some(
    cast: Any, web: Any, api: Any
) -> None:
    QualityDay.objects.create(day=timezone.now().date(), check_name="contact.unnamed", found=3, total=9)
    for user in (cast.rep, cast.manager):
        page = web(user).get("/quality/trend/?check=contact.unnamed").content.decode()
        assert "Not over your records" in page
        assert "data-chart" not in page
        assert web(user).get("/quality/trend/?format=csv").content.decode().count("\n") == 1
        assert api(user).get("/api/v1/data-quality/trend/").json() == []
        assert "/quality/trend/" not in web(user).get("/quality/").content.decode()
