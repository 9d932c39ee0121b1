"""The page of a record: fields in place, parts in a dialog, faults where they are."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from contacts.services.custom_fields import custom_field_create
from crmcem.lib.actors import person
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory

pytestmark = pytest.mark.django_db(transaction=True)
Open = Callable[..., Page]
FORMULA = 'if custom.budget > 10 then "large" else "small"'


def test_a_fact_of_the_header_is_changed_in_place(cast: Cast, page: Open) -> None:
    contact = ContactFactory(owner=cast.manager, team=cast.north, phone="+4930123456")
    company = CompanyFactory(owner=cast.manager, team=cast.north, industry="Retail")
    tab = page(cast.manager)
    tab.goto(f"/contacts/{contact.pk}/")
    tab.locator(".page-facts").get_by_role("button", name="Change Phone").click()
    tab.locator(".page-facts").get_by_role("textbox", name="Phone").fill("+49 30 99 99 99")
    tab.keyboard.press("Enter")
    expect(tab.locator(".page-facts [data-field=phone] .field-value")).to_have_text("+4930999999")
    expect(tab.locator(".page-facts").get_by_role("button", name="Change Phone")).to_be_focused()
    tab.wait_for_load_state("networkidle")
    tab.goto(f"/companies/{company.pk}/")
    tab.locator(".page-facts").get_by_role("button", name="Change Industry").click()
    tab.locator(".page-facts").get_by_role("textbox", name="Industry").fill("Media")
    tab.keyboard.press("Escape")
    expect(tab.locator(".page-facts [data-field=industry] .field-value")).to_have_text("Retail")


def test_a_company_is_chosen_beside_the_edge_of_the_page(cast: Cast, page: Open) -> None:
    own = {"owner": cast.manager, "team": cast.north}
    top, low = CompanyFactory(name="Alpha Holding", **own), CompanyFactory(name="Beta", **own)
    low.parent = top
    low.save()
    tab = page(cast.manager)
    tab.goto(f"/companies/{top.pk}/")
    details = tab.locator("#panel-company-details")
    details.get_by_role("button", name="Change Parent company").click()
    details.get_by_role("combobox").fill("beta")
    expect(details.get_by_role("option", name="Beta")).to_be_visible()
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert tab.evaluate(wide) == 0
    tab.keyboard.press("Enter")
    details.get_by_role("button", name="Save").click()
    expect(details).to_contain_text("they would make a circle")
    expect(details.get_by_role("combobox")).to_have_value("Beta")


def test_the_first_fault_has_the_focus(cast: Cast, page: Open) -> None:
    tab = page(cast.manager)
    tab.goto("/contacts/new/")
    tab.wait_for_load_state("networkidle")
    tab.get_by_label("First name").fill("Ada")
    tab.get_by_label("Phone").fill("12")
    tab.get_by_role("button", name="Create", exact=True).last.click()
    expect(tab.get_by_label("Phone")).to_be_focused()
    tab.wait_for_load_state("networkidle")


def test_the_first_fault_in_a_dialog_has_the_focus(cast: Cast, page: Open) -> None:
    contact = ContactFactory(owner=cast.manager, team=cast.north)
    tab = page(cast.manager)
    tab.goto(f"/contacts/{contact.pk}/")
    tab.locator("#panel-contact-addresses").get_by_role("link", name="Add an address").click()
    modal = tab.locator("#modal")
    modal.get_by_label("City").fill("Berlin")
    modal.get_by_label("Country").fill("Narnia")
    modal.get_by_role("button", name="Add").click()
    expect(modal.get_by_label("Country")).to_be_focused()
    modal.get_by_label("Country").fill("Germany")
    modal.get_by_role("button", name="Add").click()
    expect(tab.locator("#panel-contact-addresses")).to_contain_text("Berlin, DE")


def test_hints_of_duplicates_stay_in_their_column(cast: Cast, page: Open) -> None:
    """However long they are: each person has an address that is wider than what is left of the line."""
    tab = page(cast.rep)
    tab.goto("/contacts/new/")
    hint = tab.locator("#last_name-check")
    person = '<a href="/">Rainer Graf</a> (rainer.graf@a-rather-long-name-of-a-firm.example)'
    hint.evaluate(
        "(e, html) => { e.innerHTML = html }", f'<p class="duplicate">Perhaps: {person}, {person}</p>'
    )
    assert hint.locator(".duplicate").evaluate("e => e.scrollWidth - e.clientWidth") == 0


def test_people_to_choose_from_are_not_cut_off_by_the_dialog(cast: Cast, page: Open) -> None:
    own = {"owner": cast.rep, "team": cast.north}
    contact = ContactFactory(**own)
    for n in range(6):
        ContactFactory(first_name="Zora", last_name=f"N{n}", **own)
    tab = page(cast.rep)
    tab.goto(f"/contacts/{contact.pk}/")
    tab.locator("#panel-contact-relationships").get_by_role("link", name="Add a relationship").click()
    modal = tab.locator("#modal")
    modal.get_by_role("combobox", name="Whom").fill("zora")
    options = modal.locator(".lookup-list")
    expect(options.get_by_role("option")).to_have_count(6)
    inside = options.bounding_box(), modal.bounding_box()
    assert inside[0]["y"] + inside[0]["height"] <= inside[1]["y"] + inside[1]["height"]  # type: ignore[index]


def test_a_formula_follows_a_field_that_is_changed_in_place(cast: Cast, page: Open) -> None:
    budget = {"label": "Budget", "type": "number", "options": {"decimals": 0}}
    size = {"label": "Size", "type": "formula", "options": {"formula": FORMULA, "decimals": 0}}
    for data in (budget, size):
        custom_field_create(data={**data, "entity": "contact"}, actor=person(cast.admin))
    contact = ContactFactory(owner=cast.rep, team=cast.north, custom={"budget": 5})
    tab = page(cast.rep)
    tab.goto(f"/contacts/{contact.pk}/")
    shown = tab.locator("[data-field=custom-size] .field-value")
    expect(shown).to_have_text("small")
    tab.get_by_role("button", name="Change Budget").click()
    tab.get_by_role("textbox", name="Budget").fill("12")
    tab.keyboard.press("Enter")
    expect(shown).to_have_text("large")
    expect(tab.get_by_role("button", name="Change Budget")).to_be_focused()
