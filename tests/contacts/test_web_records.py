"""The 360 pages: what they show, to whom, and what they cost."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from contacts.models import Activity, Company, Contact, Message, Pulse
from contacts.services.interactions import interaction_log
from contacts.services.stream import NewActivity, activities_append
from contacts.services.tasks import task_create
from contacts.views.timeline import readable
from crmcem.lib.actors import SYSTEM, Actor
from crmcem.workspace.models import User
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, TaskFactory

Web = Callable[[User], Client]
As = Callable[[User], Actor]
XSS = '<script>alert("x")</script>'
RAW = '<script>alert("x")'


def mine(cast: Cast, **values: Any) -> Contact:
    return ContactFactory(owner=cast.rep, team=cast.north, **values)


def queries(client: Client, url: str, **headers: Any) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url, **headers).status_code == 200
    return len(captured)


def test_contact_page_shows_facts_and_signals(cast: Cast, web: Web) -> None:
    company = CompanyFactory(name="Nile Ltd", owner=cast.rep)
    now = timezone.now()
    contact = mine(cast, first_name="Ada", last_name="Byron", company=company, phone="+4930123456")
    Pulse.objects.filter(pk=contact.pk).update(
        nps=3, nps_at=now - dt.timedelta(days=3), open_cases=2, health=55, health_at=now,
        churn_risk=0.71, churn_risk_at=now, clv=Decimal("1234.00"),
    )  # fmt: skip
    body = web(cast.rep).get(reverse("contacts:contact", args=[contact.pk])).content.decode()
    assert "Ada Byron" in body
    assert "Nile Ltd" in body
    assert "mailto:" + (contact.email or "") in body
    assert "detractor" in body
    assert "3 d ago" in body
    assert "needs an answer" in body
    assert "71%" in body
    # a figure without its time was never measured
    assert "1,234" not in body
    assert body.count("not measured yet") == 1


def test_contact_without_pulse_figures(cast: Cast, web: Web) -> None:
    contact = mine(cast)
    body = web(cast.rep).get(reverse("contacts:contact", args=[contact.pk])).content.decode()
    assert body.count("not measured yet") == 4


URLS = ("contact", "edit", "contact-timeline", "contact-history", "contact-tasks", "contact-details",
        "contact-points", "contact-messages")  # fmt: skip


@pytest.mark.parametrize("name", URLS)
def test_hidden_contact_is_404_and_missing_is_404(cast: Cast, web: Web, name: str) -> None:
    contact = mine(cast)
    assert web(cast.rep).get(reverse(f"contacts:{name}", args=[contact.pk])).status_code == 200
    assert web(cast.rep2).get(reverse(f"contacts:{name}", args=[contact.pk])).status_code == 404
    assert web(cast.rep).get(reverse(f"contacts:{name}", args=[contact.pk + 999])).status_code == 404
    assert web(cast.nobody).get(reverse(f"contacts:{name}", args=[contact.pk])).status_code == 403


COMPANY_URLS = ("company", "company-edit", "company-timeline", "company-history", "company-people",
                "company-tasks", "company-details")  # fmt: skip


@pytest.mark.parametrize("name", COMPANY_URLS)
def test_hidden_company_is_404(cast: Cast, web: Web, name: str) -> None:
    company = CompanyFactory(owner=cast.rep, team=cast.north)
    assert web(cast.rep).get(reverse(f"contacts:{name}", args=[company.pk])).status_code == 200
    assert web(cast.rep2).get(reverse(f"contacts:{name}", args=[company.pk])).status_code == 404
    assert web(cast.nobody).get(reverse(f"contacts:{name}", args=[company.pk])).status_code == 403


def test_page_costs_at_most_twenty_queries_whatever_happened(cast: Cast, web: Web, actor: As) -> None:
    company = CompanyFactory(owner=cast.rep, team=cast.north)
    contact = mine(cast, company=company)
    client = web(cast.rep)
    url = reverse("contacts:contact", args=[contact.pk])
    few = queries(client, url)
    fill(contact, cast, actor)
    many = queries(client, url)
    assert many <= 20
    assert many - few <= 6  # texts, actors, tokens, references: one statement each
    for name in ("contact-tasks", "contact-details", "contact-points", "contact-messages", "contact-history"):
        assert queries(client, reverse(f"contacts:{name}", args=[contact.pk])) <= 12
    assert queries(client, reverse("contacts:company", args=[company.pk])) <= 20
    for name in ("company-people", "company-tasks", "company-details"):
        assert queries(client, reverse(f"contacts:{name}", args=[company.pk])) <= 12


def fill(contact: Contact, cast: Cast, actor: As) -> None:
    for n in range(12):
        interaction_log(
            data={"kind": "note", "body": f"Text {n}", "contact": contact.pk}, actor=actor(cast.rep)
        )
        task_create(data={"title": f"Task {n}", "contact": contact.pk}, actor=actor(cast.rep))
        Message.objects.create(
            contact=contact, to_address="a@b.example", subject=f"Mail {n}", idempotency_key=f"k{n}"
        )
    activities_append(
        actor=Actor("token", 1, cast.rep),
        activities=[NewActivity("order.placed", contact_id=contact.pk, company_id=contact.company_id)] * 20,
    )


def test_other_peoples_names_stay_hidden_on_a_contact(cast: Cast, web: Web) -> None:
    """A contact of mine can work for a company of somebody else."""
    company = CompanyFactory(name="Secret GmbH", owner=cast.rep2, team=cast.south)
    contact = mine(cast, company=company)
    TaskFactory(title="Visible", contact=contact, owner=cast.rep)
    TaskFactory(title="Invisible", contact=contact, owner=cast.rep2)
    client = web(cast.rep)
    for url in (
        reverse("contacts:contact", args=[contact.pk]),
        reverse("contacts:edit", args=[contact.pk]),
        reverse("contacts:contact-field", args=[contact.pk, "company"]),
        reverse("contacts:list"),
        reverse("contacts:list") + f"?company={company.pk}",
    ):
        body = client.get(url).content.decode()
        assert "Secret" not in body
    tasks = client.get(reverse("contacts:contact-tasks", args=[contact.pk])).content.decode()
    assert "Visible" in tasks
    assert "Invisible" not in tasks
    assert (
        "Secret GmbH" in web(cast.admin).get(reverse("contacts:contact", args=[contact.pk])).content.decode()
    )


def test_everything_people_write_is_escaped(cast: Cast, web: Web, actor: As) -> None:
    company = CompanyFactory(name=XSS, owner=cast.rep, industry=XSS)
    contact = mine(
        cast, first_name=XSS, job_title=XSS, tags=[XSS], custom={XSS: XSS}, company=company,
        consent={"email": {"status": "granted", "source": XSS}},
    )  # fmt: skip
    interaction_log(
        data={"kind": "note", "subject": XSS, "body": XSS, "outcome": XSS, "contact": contact.pk},
        actor=actor(cast.rep),
    )
    task_create(data={"title": XSS, "body": XSS, "contact": contact.pk}, actor=actor(cast.rep))
    Message.objects.create(
        contact=contact, to_address=XSS, subject=XSS, idempotency_key="k", status="failed", error=XSS
    )
    activities_append(
        actor=SYSTEM, activities=[NewActivity("page.viewed", contact.pk, company.pk, payload={XSS: XSS})]
    )
    client = web(cast.rep)
    names = (*(f"contacts:{n}" for n in URLS),)
    urls = [reverse(name, args=[contact.pk]) for name in names]
    urls += [reverse(f"contacts:{n}", args=[company.pk]) for n in COMPANY_URLS]
    urls += [reverse(f"contacts:{n}") for n in ("list", "companies", "tasks", "interactions")]
    urls += ["/?", reverse("contacts:today-tasks"), reverse("contacts:today-customers")]
    urls += [reverse("contacts:contact-lookup") + "?q=alert", reverse("contacts:company-lookup") + "?q=alert"]
    for url in urls:
        response = client.get(url, follow=True)
        assert response.status_code == 200, url
        assert RAW not in response.content.decode(), url


def test_a_get_changes_nothing(cast: Cast, web: Web) -> None:
    contact = mine(cast)
    client = web(cast.admin)
    for name in ("contact-delete",):
        assert client.get(reverse(f"contacts:{name}", args=[contact.pk])).status_code == 405
    task = TaskFactory(owner=cast.rep, contact=contact)
    for name in ("task-complete", "task-cancel", "task-reopen", "task-delete"):
        assert client.get(reverse(f"contacts:{name}", args=[task.pk])).status_code == 405
    assert client.get(reverse("contacts:contact-log", args=[contact.pk, "note"])).status_code == 405
    task.refresh_from_db()
    assert task.status == "open"
    assert Contact.objects.filter(pk=contact.pk).exists()
    assert not Activity.objects.exists()


class TestHistory:
    def test_who_changed_what_when(self, cast: Cast, web: Web) -> None:
        client = web(cast.manager)
        contact = mine(cast, phone=None)
        other = mine(cast, phone=None)
        client.post(reverse("contacts:contact-field", args=[other.pk, "job_title"]), {"value": "Elsewhere"})
        client.post(reverse("contacts:contact-field", args=[contact.pk, "job_title"]), {"value": "Captain"})
        client.post(
            reverse("contacts:contact-field", args=[contact.pk, "owner"]), {"value": str(cast.manager.pk)}
        )
        body = client.get(reverse("contacts:contact-history", args=[contact.pk])).content.decode()
        assert "Manager" in body
        assert "Job title" in body
        assert "Captain" in body
        assert "Rep" in body
        assert "Elsewhere" not in body
        assert "search_text" not in body
        assert "Search text" not in body

    def test_only_of_records_that_i_see(self, cast: Cast, web: Web) -> None:
        contact = mine(cast)
        url = reverse("contacts:contact-history", args=[contact.pk])
        assert web(cast.rep2).get(url).status_code == 404


def test_company_page_adds_up_only_its_visible_people(cast: Cast, web: Web) -> None:
    company = CompanyFactory(owner=cast.rep, team=cast.north)
    now = timezone.now()
    mine(cast, first_name="Seen", company=company, pulse={"nps": 10, "nps_at": now})
    ContactFactory(
        first_name="Unseen",
        owner=cast.rep2,
        team=cast.south,
        company=company,
        pulse={"nps": 0, "nps_at": now},
    )
    page = web(cast.rep).get(reverse("contacts:company", args=[company.pk])).content.decode()
    assert "+100" in page
    assert "n = 1" in page
    people = web(cast.rep).get(reverse("contacts:company-people", args=[company.pk])).content.decode()
    assert "Seen" in people
    assert "Unseen" not in people
    assert "mixed" in web(cast.admin).get(reverse("contacts:company", args=[company.pk])).content.decode()


def test_deleting_needs_the_scope_and_sight(cast: Cast, web: Web) -> None:
    contact, company = mine(cast), CompanyFactory(owner=cast.rep, team=cast.north)
    paths = [
        reverse("contacts:contact-delete", args=[contact.pk]),
        reverse("contacts:company-delete", args=[company.pk]),
    ]
    for path in paths:
        assert web(cast.rep).post(path).status_code == 403
        assert web(cast.readonly).post(path).status_code == 403
    cast.rep2.role = cast.manager.role
    cast.rep2.save()
    for path in paths:
        assert web(cast.rep2).post(path).status_code == 404
    assert Contact.objects.filter(pk=contact.pk).exists()
    assert Company.objects.filter(pk=company.pk).exists()
    for path in paths:
        assert web(cast.manager).post(path).status_code == 302
    assert not Contact.objects.filter(pk=contact.pk).exists()
    assert not Company.objects.filter(pk=company.pk).exists()


def test_an_event_names_its_price_as_one_thing_and_first() -> None:
    assert readable({"items": 2, "amount": "26.14", "currency": "USD"}) == [
        ("Amount", "26.14 USD"),
        ("Items", "2"),
    ]
    assert readable({"currency": "USD", "path": "/jazz/"}) == [("Currency", "USD"), ("Path", "/jazz/")]
