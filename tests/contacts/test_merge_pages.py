"""The pages of merging: the queue, two records side by side, the way back, and look-alikes while typing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from contacts.models import Company, Contact, DuplicatePair, DuplicateScan, MergeRecord
from contacts.services.duplicates import look_again
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, TaskFactory

pytestmark = pytest.mark.django_db
Web = Callable[..., Client]


@pytest.fixture
def own(cast: Cast) -> dict[str, Any]:
    return {"owner": cast.rep, "team": cast.north}


@pytest.fixture
def pair(own: dict[str, Any]) -> tuple[Contact, Contact]:
    same = {"first_name": "Ann", "last_name": "Lee", "phone": "+4930123456"}
    found = (
        ContactFactory(job_title="Weaver", **same, **own),
        ContactFactory(job_title="Spinner", **same, **own),
    )
    TaskFactory(contact=found[1], **own)
    look_again("contact", [row.pk for row in found])
    return found


def test_consent_is_said_in_words(cast: Cast, own: dict[str, Any], web: Web) -> None:
    given = {"email": {"status": "granted", "source": "checkout", "at": "2026-08-17T01:40:16+00:00"}}
    first = ContactFactory(consent=given, **own)
    second = ContactFactory(consent={"email": {"status": "denied"}, "sms": {"status": "granted"}}, **own)
    text = web(cast.rep).get(f"/contacts/{first.pk}/merge/?with={second.pk}").content.decode()
    assert "E-mail: granted (checkout, 08/17/2026)" in text
    assert "E-mail: denied; SMS: granted" in text


def test_side_by_side_then_merged_then_undone(cast: Cast, pair: tuple[Contact, Contact], web: Web) -> None:
    winner, loser = pair
    rep = web(cast.rep)
    page = rep.get(f"/contacts/{winner.pk}/merge/?with={loser.pk}")
    text = page.content.decode()
    assert page.status_code == 200
    assert "Weaver" in text
    assert "Spinner" in text
    assert "<li>Tasks: <b>1</b></li>" in text
    assert f"/contacts/{loser.pk}/merge/?with={winner.pk}" in text
    posted = rep.post(
        f"/contacts/{winner.pk}/merge/",
        {"with": loser.pk, "version": winner.version, "field.job_title": "loser"},
    )
    merge = MergeRecord.objects.get()
    assert posted["Location"] == f"/merges/{merge.pk}/"
    winner.refresh_from_db()
    assert winner.job_title == "Spinner"
    result = rep.get(posted["Location"])
    assert b"Undo merge" in result.content
    story = rep.get(f"/contacts/{winner.pk}/")
    assert f"/merges/{merge.pk}/" in story.content.decode()
    undone = rep.post(f"/merges/{merge.pk}/undo/", follow=True)
    assert b"Undo merge" not in undone.content
    winner.refresh_from_db()
    assert winner.job_title == "Weaver"
    assert Contact.objects.filter(pk=loser.pk).exists()


def test_what_was_chosen_stays_when_the_record_changed_meanwhile(
    cast: Cast, pair: tuple[Contact, Contact], web: Web
) -> None:
    winner, loser = pair
    Contact.objects.filter(pk=winner.pk).update(version=7)
    answer = web(cast.rep).post(
        f"/contacts/{winner.pk}/merge/", {"with": loser.pk, "version": "1", "field.job_title": "loser"}
    )
    assert answer.status_code == 422
    assert 'value="loser" aria-describedby="field.job_title" checked' in answer.content.decode()
    assert Contact.objects.count() == 2


def test_another_one_is_picked(cast: Cast, pair: tuple[Contact, Contact], web: Web) -> None:
    winner, loser = pair
    rep = web(cast.rep)
    page = rep.get(f"/contacts/{winner.pk}/merge/").content.decode()
    assert f"?with={loser.pk}" in page
    assert rep.get(f"/contacts/{winner.pk}/merge/?with={winner.pk}").status_code == 200
    assert rep.post(f"/contacts/{winner.pk}/merge/", {}).status_code == 422
    hidden = ContactFactory(owner=cast.rep2, team=cast.south)
    assert rep.get(f"/contacts/{winner.pk}/merge/?with={hidden.pk}").status_code == 404
    assert rep.post(f"/contacts/{winner.pk}/merge/", {"with": hidden.pk}).status_code == 404
    assert rep.get(f"/contacts/{winner.pk}/merge/?with=999999999999").status_code == 404


def test_companies_side_by_side(cast: Cast, own: Any, web: Web) -> None:
    winner, loser = CompanyFactory(name="Acme", **own), CompanyFactory(name="Acme Ltd", **own)
    rep = web(cast.rep)
    assert b"Acme Ltd" in rep.get(f"/companies/{winner.pk}/merge/?with={loser.pk}").content
    rep.post(f"/companies/{winner.pk}/merge/", {"with": loser.pk})
    assert list(Company.objects.values_list("pk", flat=True)) == [winner.pk]


def test_the_queue(
    cast: Cast, pair: tuple[Contact, Contact], web: Web, django_assert_max_num_queries: Any
) -> None:
    rep = web(cast.rep)
    with django_assert_max_num_queries(12):
        page = rep.get("/duplicates/").content.decode()
    assert "Ann Lee · Ann Lee" in page
    assert "same phone, same name, same e-mail domain" in page
    assert "Ann Lee" not in web(cast.rep2).get("/duplicates/").content.decode()
    row = DuplicatePair.objects.get()
    assert rep.post(f"/duplicates/{row.pk}/dismiss/").status_code == 302
    assert "Ann Lee" not in rep.get("/duplicates/").content.decode()
    assert "Ann Lee" in rep.get("/duplicates/?state=dismissed").content.decode()
    confirmed = {"_bulk": "reopen", "ids": [row.pk], "_confirmed": "1"}
    assert rep.post("/duplicates/?state=dismissed", confirmed).status_code == 204
    assert rep.post("/duplicates/exact/").status_code == 302
    assert Contact.objects.count() == 1
    assert rep.post("/duplicates/search/").status_code == 302
    assert DuplicateScan.objects.count() == 2
    assert "Searching" in rep.get("/duplicates/").content.decode()
    assert web(cast.readonly).post("/duplicates/exact/").status_code == 403


def test_look_alikes_while_typing(cast: Cast, pair: tuple[Contact, Contact], web: Web) -> None:
    typed = {"first_name": "ann", "last_name": "LEE"}
    assert "Perhaps the same" in web(cast.rep).get("/contacts/check/", typed).content.decode()
    assert "Perhaps the same" not in web(cast.rep2).get("/contacts/check/", typed).content.decode()
    phone = (
        web(cast.rep).get("/contacts/check/", {"phone": "030 123456", "except": pair[0].pk}).content.decode()
    )
    assert f"/contacts/{pair[1].pk}/" not in phone  # of the country of the organisation, not of Germany
    phone = (
        web(cast.rep)
        .get("/contacts/check/", {"phone": "+49 30 123456", "except": pair[0].pk})
        .content.decode()
    )
    assert f"/contacts/{pair[1].pk}/" in phone
    assert f"/contacts/{pair[0].pk}/" not in phone
    firm = CompanyFactory(name="Acme GmbH", owner=cast.rep, team=cast.north)
    look_again("company", [firm.pk])
    assert "Acme GmbH" in web(cast.rep).get("/companies/check/", {"name": "ACME"}).content.decode()
    assert web(cast.rep).get("/contacts/check/", {"phone": "x\x00" * 200, "company": "-1"}).status_code == 200
