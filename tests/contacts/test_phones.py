"""A number without its country code belongs to the workspace's country: where that has none such, it is said, and what
was entered stays."""

from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from contacts.models import Company, Contact, ContactPoint
from crmcem.workspace.models import Organisation
from crmcem.workspace.organisation import forget, organisation
from tests.contacts.imports import counts, errors, run_import
from tests.factories.contacts import ContactFactory

SAID = "This is not a phone number of this workspace's country (US)."
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def test_the_workspace_is_american() -> None:
    assert (organisation().country, Organisation.objects.exclude(country="US").count()) == ("US", 0)


def test_the_forms_say_so_and_keep_what_was_typed(cast: Any, web: Any) -> None:
    client = web(cast.rep)
    for url, name in (("contacts:new", "first_name"), ("contacts:company-new", "name")):
        answer = client.post(reverse(url), {name: "Ada", "phone": "030 1234", "lifecycle_stage": "lead"})
        page = answer.content.decode()
        assert answer.status_code == 422
        assert SAID in unescape(page)
        assert 'value="030 1234"' in page
    assert not Contact.objects.exists()
    assert not Company.objects.exists()


def test_the_api_names_the_field(cast: Any, api: Any) -> None:
    client = api(cast.rep)
    contact = ContactFactory(owner=cast.rep, team=cast.north, phone="+12025550100")
    sent = [
        client.post("/api/v1/contacts/", {"first_name": "Ada", "phone": "030 1234"}, format="json"),
        client.post("/api/v1/companies/", {"name": "ACME", "phone": "030 1234567"}, format="json"),
        client.patch(f"/api/v1/contacts/{contact.pk}/", {"phone": "112"}, format="json"),
    ]
    for answer in sent:
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["field"]) == (400, "phone")
        assert error["detail"].startswith(SAID)
    contact.refresh_from_db()
    assert (contact.phone, Contact.objects.count(), Company.objects.count()) == ("+12025550100", 1, 0)
    good = client.patch(f"/api/v1/contacts/{contact.pk}/", {"phone": "+49 30 1234"}, format="json")
    assert (good.status_code, good.json()["phone"]) == (200, "+49301234")


@pytest.mark.parametrize("kind", ["contacts", "companies"])
def test_a_row_with_one_is_refused_and_keeps_its_cells(cast: Any, kind: str) -> None:
    key = "full_name" if kind == "contacts" else "name"
    text = f"{key},phone\nAda,030 1234\nBob,(202) 555-0100\nCy,+49 30 1234\n"
    job = run_import(text, cast.rep, kind=kind)
    assert (counts(job), errors(job)) == ((2, 0, 0, 1), [(1, "phone", "invalid")])
    error = job.row_errors.get()
    assert error.detail.startswith(SAID)
    assert error.raw == ["Ada", "030 1234"]
    model: Any = Contact if kind == "contacts" else Company
    assert set(model.objects.values_list("phone", flat=True)) == {"+12025550100", "+49301234"}


def test_among_several_numbers_of_a_cell_too(cast: Any) -> None:
    job = run_import("first_name,phone\nAda,202 555 0100;030 1234\n", cast.rep)
    assert (errors(job), ContactPoint.objects.count()) == ([(1, "phone", "invalid")], 0)


def test_in_a_workspace_of_its_country_the_same_number_is_one(cast: Any) -> None:
    Organisation.objects.update_or_create(pk=1, defaults={"country": "DE"})
    forget()
    run_import("first_name,phone\nAda,030 1234\n", cast.rep)
    assert Contact.objects.get().phone == "+49301234"
