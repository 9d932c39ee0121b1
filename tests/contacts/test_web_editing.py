"""Forms and fields in place: validation, duplicates, conflicts, double submit, permission."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from contacts.models import Activity, Company, Contact
from contacts.services.contacts import contact_create, contact_update
from crmcem.lib.actors import SYSTEM, Actor
from crmcem.workspace.models import User
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory

Web = Callable[[User], Client]
As = Callable[[User], Actor]
KEY = "k" * 22


def field_url(contact: Contact, name: str) -> str:
    return reverse("contacts:contact-field", args=[contact.pk, name])


class TestNew:
    url = "/contacts/new/"

    def data(self, **more: Any) -> dict[str, Any]:
        return {
            "first_name": "Ada",
            "email": "Ada@Example.com",
            "lifecycle_stage": "lead",
            "form_key": KEY,
        } | more

    def test_creates_and_normalises(self, cast: Cast, web: Web) -> None:
        company = CompanyFactory(owner=cast.rep)
        response = web(cast.rep).post(self.url, self.data(tags="VIP, vip", company=company.pk))
        contact = Contact.objects.get()
        assert response["Location"] == reverse("contacts:contact", args=[contact.pk])
        assert (contact.email, contact.tags, contact.company, contact.owner) == (
            "ada@example.com", ["vip"], company, cast.rep,
        )  # fmt: skip
        assert Activity.objects.filter(kind="contact.created", actor_id=cast.rep.pk).count() == 1

    def test_sent_twice_counts_once(self, cast: Cast, web: Web) -> None:
        client = web(cast.rep)
        first = client.post(self.url, self.data(email=""))
        second = client.post(self.url, self.data(email=""))
        assert Contact.objects.count() == 1
        assert first["Location"] == second["Location"]
        client.post(self.url, self.data(email="", form_key="z" * 22))
        assert Contact.objects.count() == 2
        # gone back in the browser and written down somebody else: not the same form
        assert client.post(self.url, self.data(email="", first_name="Grace"))["Location"] != first["Location"]
        assert Contact.objects.count() == 3

    def test_errors_keep_what_was_typed(self, cast: Cast, web: Web) -> None:
        response = web(cast.rep).post(self.url, self.data(email="not an address", last_name="Kept"))
        page = response.content.decode()
        assert response.status_code == 422
        assert "not an address" in page
        assert 'value="Kept"' in page
        assert not Contact.objects.exists()
        # the key of a failed form is still good
        assert web(cast.rep).post(self.url, self.data()).status_code == 302

    def test_a_duplicate_is_linked_only_where_it_may_be_seen(self, cast: Cast, web: Web, actor: As) -> None:
        taken = contact_create(
            data={"first_name": "Known", "email": "ada@example.com"}, actor=actor(cast.rep)
        )
        link = reverse("contacts:contact", args=[taken.pk])
        seen = web(cast.rep).post(self.url, self.data(first_name="Typed"))
        assert seen.status_code == 422
        assert link in seen.content.decode()
        assert 'value="Typed"' in seen.content.decode()
        hidden = web(cast.rep2).post(self.url, self.data())
        assert hidden.status_code == 422
        assert link not in hidden.content.decode()
        assert "Known" not in hidden.content.decode()
        assert Contact.objects.count() == 1

    def test_while_typing(self, cast: Cast, web: Web, actor: As) -> None:
        taken = contact_create(
            data={"first_name": "Known", "email": "ada@example.com"}, actor=actor(cast.rep)
        )
        url = reverse("contacts:check") + "?email=ADA@example.com"
        assert "Known" in web(cast.rep).get(url).content.decode()
        assert "Known" not in web(cast.rep).get(f"{url}&except={taken.pk}").content.decode()
        assert "Known" not in web(cast.rep2).get(url).content.decode()
        assert web(cast.rep).get(reverse("contacts:check") + "?email=a%00@").status_code == 200

    def test_owner_needs_the_right_to_assign(self, cast: Cast, web: Web) -> None:
        assert 'name="owner"' not in web(cast.rep).get(self.url).content.decode()
        web(cast.rep).post(self.url, self.data(owner=cast.rep2.pk))
        assert Contact.objects.get().owner == cast.rep
        web(cast.manager).post(self.url, self.data(email="", owner=cast.rep.pk))
        assert Contact.objects.filter(owner=cast.rep).count() == 2

    def test_a_hidden_company_is_refused(self, cast: Cast, web: Web) -> None:
        company = CompanyFactory(name="Secret", owner=cast.rep2)
        response = web(cast.rep).post(self.url, self.data(company=company.pk))
        assert response.status_code == 422
        assert "Secret" not in response.content.decode()
        assert not Contact.objects.exists()

    def test_needs_the_scope(self, cast: Cast, web: Web) -> None:
        assert web(cast.readonly).get(self.url).status_code == 403
        assert web(cast.readonly).post(self.url, self.data()).status_code == 403
        assert not Contact.objects.exists()


class TestEdit:
    def test_it_says_that_it_edits_and_leads_back(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(first_name="Ada", last_name="B", owner=cast.rep, team=cast.north)
        page = web(cast.rep).get(f"/contacts/{contact.pk}/edit/").content.decode()
        assert "<h1>Edit Ada B</h1>" in page
        assert f'<span aria-hidden="true">/</span><a href="/contacts/{contact.pk}/">Ada B</a>' in page

    def test_saves_the_whole_form(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep, job_title="Old")
        url = reverse("contacts:edit", args=[contact.pk])
        data = {"first_name": "New", "email": contact.email, "lifecycle_stage": "customer", "version": "1"}
        assert web(cast.rep).post(url, data).status_code == 302
        contact.refresh_from_db()
        assert (contact.first_name, contact.job_title, contact.lifecycle_stage) == ("New", "", "customer")

    def test_a_conflict_keeps_what_was_typed_and_shows_what_is_stored(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep, job_title="Old")
        client, url = web(cast.rep), reverse("contacts:edit", args=[contact.pk])
        contact_update(contact=contact, data={"job_title": "Theirs"}, actor=SYSTEM)
        data = {"first_name": "Typed", "email": contact.email, "lifecycle_stage": "lead", "version": "1"}
        response = client.post(url, data | {"job_title": "Mine"})
        page = response.content.decode()
        assert response.status_code == 422
        assert "Somebody else changed this record" in page
        assert "Job title: <b>Theirs</b>" in page
        assert 'value="Mine"' in page
        assert 'name="version" value="2"' in page
        contact.refresh_from_db()
        assert contact.job_title == "Theirs"
        assert client.post(url, data | {"job_title": "Mine", "version": "2"}).status_code == 302
        contact.refresh_from_db()
        assert contact.job_title == "Mine"

    def test_a_hidden_company_stays_as_it_is(self, cast: Cast, web: Web) -> None:
        company = CompanyFactory(name="Secret", owner=cast.rep2)
        contact = ContactFactory(owner=cast.rep, company=company)
        url = reverse("contacts:edit", args=[contact.pk])
        data = {"first_name": "New", "lifecycle_stage": "lead", "company": company.pk, "version": "1"}
        assert web(cast.rep).post(url, data).status_code == 302
        contact.refresh_from_db()
        assert (contact.first_name, contact.company_id) == ("New", company.pk)

    def test_hidden_rows_stay_untouched(self, cast: Cast, web: Web) -> None:
        contact, company = (
            ContactFactory(owner=cast.rep, first_name="Kept"),
            CompanyFactory(owner=cast.rep, name="Kept"),
        )
        data = {"first_name": "X", "name": "X", "lifecycle_stage": "lead", "version": "1"}
        assert web(cast.rep2).post(reverse("contacts:edit", args=[contact.pk]), data).status_code == 404
        assert (
            web(cast.rep2).post(reverse("contacts:company-edit", args=[company.pk]), data).status_code == 404
        )
        assert Contact.objects.get().first_name == "Kept"
        assert Company.objects.get().name == "Kept"


class TestCompany:
    def test_create_and_duplicate_domain(self, cast: Cast, web: Web) -> None:
        client, url = web(cast.rep), reverse("contacts:company-new")
        assert (
            client.post(url, {"name": "Acme", "domain": "www.acme.example", "size": "1,200"}).status_code
            == 302
        )
        company = Company.objects.get()
        assert (company.domain, company.size, company.owner) == ("acme.example", 1200, cast.rep)
        again = client.post(url, {"name": "Other", "domain": "acme.example"})
        assert again.status_code == 422
        assert reverse("contacts:company", args=[company.pk]) in again.content.decode()
        assert Company.objects.count() == 1
        assert client.post(url, {"domain": "x.example"}).status_code == 422


class TestInPlace:
    def test_opens_saves_and_gives_the_value_back(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep)
        client, url = web(cast.rep), field_url(contact, "phone")
        opened = client.get(url, HTTP_HX_REQUEST="true").content.decode()
        assert 'name="version" value="1"' in opened
        saved = client.post(url, {"value": "+49 30 123456", "version": "1"}, HTTP_HX_REQUEST="true")
        assert saved.status_code == 200
        assert saved["ETag"] == '"2"'
        assert "timeline" in saved["HX-Trigger"]
        assert "tel:+4930123456" in saved.content.decode()
        contact.refresh_from_db()
        assert contact.phone == "+4930123456"
        cancelled = client.get(url + "?cancel", HTTP_HX_REQUEST="true").content.decode()
        assert "+4930123456" in cancelled
        assert "<form" not in cancelled

    def test_bad_input_keeps_what_was_typed(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep)
        for name, value in (
            ("phone", "twelve"),
            ("email", "nobody"),
            ("lifecycle_stage", "king"),
            ("time_zone", "Mars/X"),
        ):
            response = web(cast.rep).post(field_url(contact, name), {"value": value}, HTTP_HX_REQUEST="true")
            assert response.status_code == 422, name
            assert "field-error" in response.content.decode()
        contact.refresh_from_db()
        assert contact.version == 1

    def test_a_conflict_is_told_and_what_was_typed_stays(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep, job_title="Old")
        url = field_url(contact, "job_title")
        contact_update(contact=contact, data={"job_title": "Theirs"}, actor=SYSTEM)
        response = web(cast.rep).post(url, {"value": "Mine", "version": "1"}, HTTP_HX_REQUEST="true")
        page = response.content.decode()
        assert response.status_code == 422
        assert "Somebody else changed this record" in page
        assert 'value="Mine"' in page
        assert "Theirs" in page
        assert 'name="version" value="2"' in page
        contact.refresh_from_db()
        assert contact.job_title == "Theirs"

    def test_owner_needs_the_right_to_assign(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        url = field_url(contact, "owner")
        assert web(cast.rep).get(url).status_code == 403
        assert web(cast.rep).post(url, {"value": cast.rep2.pk}).status_code == 403
        contact.refresh_from_db()
        assert contact.owner == cast.rep
        assert (
            web(cast.manager).post(url, {"value": cast.manager.pk}, HTTP_HX_REQUEST="true").status_code == 200
        )
        contact.refresh_from_db()
        assert contact.owner == cast.manager

    def test_only_known_fields_and_visible_rows(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        company = CompanyFactory(owner=cast.rep, team=cast.north)
        client = web(cast.manager)
        for name in ("id", "version", "team", "custom", "search_text", "consent"):
            assert client.post(field_url(contact, name), {"value": "1"}).status_code == 404
        for url in (
            field_url(contact, "phone"),
            reverse("contacts:company-field", args=[company.pk, "phone"]),
        ):
            assert web(cast.rep2).get(url).status_code == 404
            assert web(cast.rep2).post(url, {"value": "+4930123456"}).status_code == 404
            assert web(cast.readonly).post(url, {"value": "+4930123456"}).status_code == 403
        contact.refresh_from_db()
        company.refresh_from_db()
        assert (contact.phone, company.phone) == (None, None)


@pytest.mark.django_db(transaction=True)
def test_the_same_form_twelve_times_at_once_counts_once(cast: Cast, web: Web) -> None:
    data = {"first_name": "Ada", "lifecycle_stage": "lead", "form_key": KEY}
    clients = [web(cast.rep) for _n in range(12)]

    def send(client: Client) -> str:
        try:
            return str(client.post("/contacts/new/", data)["Location"])
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        urls = set(pool.map(send, clients))
    assert urls == {reverse("contacts:contact", args=[Contact.objects.get().pk])}
    assert Activity.objects.filter(kind="contact.created").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_who_change_one_field_at_once_one_is_told(cast: Cast, web: Web) -> None:
    contact = ContactFactory(owner=cast.rep, job_title="Old")
    clients = [(web(cast.rep), f"Title {n}") for n in range(6)]

    def send(pair: tuple[Client, str]) -> int:
        try:
            data = {"value": pair[1], "version": "1"}
            return pair[0].post(field_url(contact, "job_title"), data, HTTP_HX_REQUEST="true").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        codes = sorted(pool.map(send, clients))
    assert codes == [200] + [422] * 5
    contact.refresh_from_db()
    assert contact.version == 2
