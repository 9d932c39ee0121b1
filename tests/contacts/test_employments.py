"""Jobs with their history: the contact's company and the primary employment always say the same."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.http import Http404
from django.test import Client
from rest_framework.test import APIClient

from contacts.importing.runner import run
from contacts.models import Activity, Company, Contact, Employment, ImportJob
from contacts.services.companies import company_delete
from contacts.services.contacts import contact_create, contact_update
from contacts.services.employments import employment_add, employment_remove, employment_update, today
from crmcem.lib.actors import SYSTEM, Actor, acting, replaying
from crmcem.lib.errors import DomainError, NotAllowed, StaleWrite
from crmcem.workspace.models import AuditEntry, User
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory

As = Callable[[User], Actor]
pytestmark = pytest.mark.django_db


def jobs(contact: Contact) -> list[tuple[str, str, Any, Any, bool]]:
    """Company, title, first and last day, primary: the oldest first."""
    rows = contact.employments.select_related("company").order_by("id")
    return [(e.company.name, e.title, e.starts_on, e.ends_on, e.is_primary) for e in rows]


def codes(error: Any) -> list[tuple[str, str]]:
    return [(e.field, e.code) for e in error.value.errors]


@pytest.fixture
def acme(cast: Cast) -> Company:
    return CompanyFactory(name="Acme", owner=cast.rep)


@pytest.fixture
def bolt(cast: Cast) -> Company:
    return CompanyFactory(name="Bolt", owner=cast.rep)


def test_who_changes_jobs_keeps_both(cast: Cast, actor: As, acme: Company, bolt: Company) -> None:
    me = actor(cast.rep)
    ada = contact_create(data={"first_name": "Ada", "company": acme, "job_title": "Engineer"}, actor=me)
    assert jobs(ada) == [("Acme", "Engineer", None, None, True)]
    contact_update(contact=ada, data={"company": bolt, "job_title": "Director"}, actor=me)
    assert jobs(ada) == [
        ("Acme", "Engineer", None, today(), False),
        ("Bolt", "Director", today(), None, True),
    ]
    contact_update(contact=ada, data={"job_title": "President"}, actor=me)
    assert jobs(ada)[1] == ("Bolt", "President", today(), None, True)
    contact_update(contact=ada, data={"company": None}, actor=me)
    assert [job[3:] for job in jobs(ada)] == [(today(), False), (today(), False)]


def test_a_change_of_anything_else_leaves_jobs_alone(cast: Cast, actor: As, acme: Company) -> None:
    ada = ContactFactory(company=acme, owner=cast.rep)
    before = list(ada.employments.values_list("pk", "version"))
    contact_update(contact=ada, data={"first_name": "Grace", "company": acme}, actor=actor(cast.rep))
    assert list(ada.employments.values_list("pk", "version")) == before


def test_an_import_keeps_the_history_too(cast: Cast, actor: As, acme: Company) -> None:
    data = {"email": "ada@x.example", "company": acme, "job_title": "Engineer"}
    ada = contact_create(data=data, actor=actor(cast.rep))
    text = "email,company,job_title\nada@x.example,Bolt,Director\nnew@x.example,Acme,Clerk\n"
    job = ImportJob.objects.create(
        owner=cast.rep,
        team=cast.north,
        object="contacts",
        file_name="a.csv",
        file=ContentFile(text.encode(), "a.csv"),
        columns=["email", "company", "job_title"],
        mapping={"email": "email", "company": "company", "job_title": "job_title"},
        encoding="utf-8",
        delimiter=",",
        status="queued",
    )
    assert run(job.pk) == "done"
    assert jobs(ada) == [
        ("Acme", "Engineer", None, today(), False),
        ("Bolt", "Director", today(), None, True),
    ]
    assert jobs(Contact.objects.get(email="new@x.example")) == [("Acme", "Clerk", None, None, True)]


def test_rows_that_are_put_back_leave_no_trace(acme: Company, bolt: Company) -> None:
    ada = ContactFactory(company=acme)
    with acting(SYSTEM):
        with replaying():
            Contact.objects.filter(pk=ada.pk).update(company=bolt)
        assert jobs(ada) == [("Acme", "", None, None, True)]
        Contact.objects.filter(pk=ada.pk).update(company=acme)
    assert jobs(ada) == [("Acme", "", None, None, True)]


def test_a_company_that_goes_takes_its_jobs(cast: Cast, actor: As, acme: Company, bolt: Company) -> None:
    ada = ContactFactory(company=acme, owner=cast.rep)
    contact_update(contact=ada, data={"company": bolt}, actor=actor(cast.rep))
    cast.rep.role.scopes = ["*"]  # type: ignore[union-attr]
    company_delete(company=bolt, actor=SYSTEM)
    ada.refresh_from_db()
    assert ada.company is None
    assert jobs(ada) == [("Acme", "", None, today(), False)]


class TestServices:
    def test_the_first_one_is_the_contacts_company(self, cast: Cast, actor: As, acme: Company) -> None:
        ada = ContactFactory(owner=cast.rep)
        job = employment_add(
            data={
                "contact": ada.pk,
                "company": acme.pk,
                "title": " Head  of Sales ",
                "department": "Sales",
                "starts_on": "2020-03-01",
            },
            actor=actor(cast.rep),
        )
        ada.refresh_from_db()
        assert (ada.company, ada.job_title, ada.version) == (acme, "Head of Sales", 2)
        assert (job.is_primary, job.starts_on, job.department) == (True, dt.date(2020, 3, 1), "Sales")
        told = Activity.objects.get(kind="contact.updated")
        assert told.payload["fields"] == ["employments"]
        assert told.payload["changes"] == {"company": [None, acme.pk], "job_title": ["", "Head of Sales"]}

    def test_a_second_one_beside_and_then_the_primary_one(
        self, cast: Cast, actor: As, acme: Company, bolt: Company
    ) -> None:
        me = actor(cast.rep)
        ada = ContactFactory(company=acme, job_title="Engineer", owner=cast.rep)
        board = employment_add(data={"contact": ada, "company": bolt, "title": "Board"}, actor=me)
        ada.refresh_from_db()
        assert (board.is_primary, ada.company) == (False, acme)
        board = employment_update(employment=board, data={"is_primary": True}, actor=me)
        ada.refresh_from_db()
        assert (ada.company, ada.job_title) == (bolt, "Board")
        assert jobs(ada) == [("Acme", "Engineer", None, None, False), ("Bolt", "Board", None, None, True)]
        employment_update(employment=board, data={"title": "Chair"}, actor=me)
        ada.refresh_from_db()
        assert ada.job_title == "Chair"

    def test_one_that_ends_leaves_nobody_behind(self, cast: Cast, actor: As, acme: Company) -> None:
        me = actor(cast.rep)
        ada = ContactFactory(company=acme, job_title="Engineer", owner=cast.rep)
        job = ada.employments.get()
        employment_update(employment=job, data={"ends_on": "2021-01-31"}, actor=me)
        ada.refresh_from_db()
        assert (ada.company, ada.job_title) == (None, "")
        assert jobs(ada) == [("Acme", "Engineer", None, dt.date(2021, 1, 31), False)]
        employment_remove(employment=job, actor=me)
        assert jobs(ada) == []
        assert list(
            AuditEntry.objects.filter(table_name="contacts_employment", op="D").values_list(
                "actor_kind", "actor_id"
            )
        ) == [("user", cast.rep.pk)]

    def test_bad_input_says_what_is_wrong(self, cast: Cast, actor: As, acme: Company) -> None:
        me = actor(cast.rep)
        ada = ContactFactory(owner=cast.rep)
        hidden = CompanyFactory(owner=cast.rep2)
        with pytest.raises(DomainError) as error:
            employment_add(data={"contact": ada, "starts_on": "yesterday", "nonsense": 1}, actor=me)
        assert sorted(codes(error)) == [
            ("company", "required"),
            ("nonsense", "unknown_field"),
            ("starts_on", "invalid"),
        ]
        with pytest.raises(DomainError) as error:
            employment_add(data={"contact": ada, "company": hidden}, actor=me)
        assert codes(error) == [("company", "does_not_exist")]
        with pytest.raises(DomainError) as error:
            employment_add(
                data={"contact": ada, "company": acme, "starts_on": "2020-01-02", "ends_on": "2020-01-01"},
                actor=me,
            )
        assert codes(error) == [("ends_on", "order")]
        with pytest.raises(DomainError) as error:
            employment_add(
                data={"contact": ada, "company": acme, "ends_on": "2020-01-01", "is_primary": True}, actor=me
            )
        assert codes(error) == [("is_primary", "ended")]
        assert not Employment.objects.exists()

    def test_who_may_not_changes_nothing(self, cast: Cast, actor: As, acme: Company) -> None:
        ada = ContactFactory(company=acme, owner=cast.rep)
        job = ada.employments.get()
        with pytest.raises(NotAllowed):
            employment_remove(employment=job, actor=actor(cast.readonly))
        with pytest.raises(Http404):
            employment_update(employment=job, data={"title": "X"}, actor=actor(cast.rep2))
        with pytest.raises(DomainError):
            employment_add(data={"contact": ada, "company": acme}, actor=actor(cast.rep2))
        with pytest.raises(StaleWrite):
            employment_update(employment=job, data={"title": "X"}, actor=actor(cast.rep), expected_version=9)
        assert jobs(ada) == [("Acme", "", None, None, True)]


def test_the_api_lists_changes_and_removes(cast: Cast, api: Callable[..., APIClient], acme: Company) -> None:
    client = api(cast.rep)
    ada = ContactFactory(company=acme, job_title="Engineer", owner=cast.rep)
    ContactFactory(company=acme, owner=cast.rep2)
    listed = client.get("/api/v1/employments/", {"company": acme.pk}).json()["results"]
    assert [row["contact"] for row in listed] == [str(ada.pk)]
    made = client.post(
        "/api/v1/employments/",
        {"contact": str(ada.pk), "company": str(acme.pk), "title": "Clerk", "ends_on": "2019-12-31"},
        format="json",
    )
    assert made.status_code == 201, made.content
    assert made.json()["is_primary"] is False
    ended = client.get("/api/v1/employments/", {"contact": ada.pk, "ended": "true"}).json()["results"]
    assert [row["id"] for row in ended] == [made.json()["id"]]
    url = f"/api/v1/employments/{made.json()['id']}/"
    stale = client.patch(url, {"title": "X"}, format="json", headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    done = client.patch(url, {"department": "Post"}, format="json", headers={"If-Match": made["ETag"]})
    assert (done.status_code, done.json()["department"]) == (200, "Post")
    other = ContactFactory(owner=cast.rep)
    moved = client.patch(url, {"contact": str(other.pk)}, format="json")
    assert (moved.status_code, moved.json()["errors"][0]["code"]) == (400, "fixed")
    assert client.delete(url).status_code == 204
    assert jobs(ada) == [("Acme", "Engineer", None, None, True)]


def test_the_panels_and_the_form(
    cast: Cast, web: Callable[..., Client], acme: Company, django_assert_max_num_queries: Any
) -> None:
    client = web(cast.rep)
    ada = ContactFactory(first_name="Ada", company=acme, job_title="Engineer", owner=cast.rep)
    page = client.post(
        f"/contacts/{ada.pk}/employments/new/",
        {"company": acme.pk, "title": "Adviser", "ends_on": "1999-01-01", "starts_on": "2001-01-01"},
    )
    assert page.status_code == 422
    assert "Adviser" in page.content.decode()
    assert "before the first day" in page.content.decode()
    sent = {"company": acme.pk, "title": "Adviser", "form_key": "k" * 20}
    for _again in range(2):
        done = client.post(f"/contacts/{ada.pk}/employments/new/", sent, headers={"HX-Request": "true"})
        assert done.status_code == 204
        assert "panel-contact-employments" in done["HX-Trigger"]
    assert [job[1] for job in jobs(ada)] == ["Engineer", "Adviser"]
    for _n in range(5):
        days = {"starts_on": "2001-02-03", "ends_on": "2002-02-03"}
        Employment.objects.create(contact=ada, company=CompanyFactory(owner=cast.rep), title="Old", **days)
    with django_assert_max_num_queries(9):
        shown = client.get(f"/contacts/{ada.pk}/employments/").content.decode()
    assert shown.count("Adviser") == 1
    assert "&lt;time" not in shown
    with django_assert_max_num_queries(9):
        assert "Ada" in client.get(f"/companies/{acme.pk}/jobs/").content.decode()
    job = ada.employments.get(title="Adviser")
    stale = client.post(
        f"/contacts/{ada.pk}/employments/{job.pk}/", {"company": acme.pk, "title": "Sage", "version": 99}
    )
    assert stale.status_code == 422
    assert 'value="Sage"' in stale.content.decode()
    other = ContactFactory(owner=cast.rep)
    assert client.post(f"/contacts/{other.pk}/employments/{job.pk}/remove/").status_code == 404
    assert client.post(f"/contacts/{ada.pk}/employments/{job.pk}/remove/").status_code == 302
    assert not Employment.objects.filter(title="Adviser").exists()


@pytest.mark.django_db(transaction=True)
def test_two_at_once_leave_one_primary(cast: Cast, actor: As) -> None:
    ada = ContactFactory(owner=cast.rep)
    companies = [CompanyFactory(owner=cast.rep) for _n in range(6)]

    def add(company: Company) -> None:
        try:
            employment_add(
                data={"contact": ada.pk, "company": company.pk, "is_primary": True}, actor=actor(cast.rep)
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, companies))
    ada.refresh_from_db()
    [primary] = ada.employments.filter(is_primary=True)
    assert ada.employments.count() == 6
    assert primary.company_id == ada.company_id
