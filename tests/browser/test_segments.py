"""The condition builder: by keyboard alone, beside its JSON, and without scripts."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from contacts.models import Segment
from contacts.services.segments import segment_create
from contacts.services.tagging import tags_keep
from crmcem.lib.actors import person
from journeys.services.automations import automation_create
from tests.browser.looking import looks, settle
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.sales import DealFactory

pytestmark = pytest.mark.django_db(transaction=True)
Open = Callable[..., Page]

MIXED = {
    "all": [
        {"field": "lifecycle_stage", "op": "in", "value": ["lead", "customer"]},
        {"field": "pulse.nps", "op": "between", "value": [7, 10]},
        {"field": "pulse.last_seen_at", "op": "before", "value": {"ago": {"days": 12}}},
        {"field": "created_at", "op": "after", "value": {"start_of": "month", "offset": -1}},
        {"not": {"any": [{"field": "tags", "op": "has_any", "value": ["vip", "gold"]}]}},
        {
            "activity": "order.placed",
            "op": "gte",
            "count": 2,
            "within": {"days": 90},
            "together": {"days": 30},
            "where": [{"property": "amount", "op": "gt", "value": 10}],
        },
        {"activity": "order.placed", "op": "gte", "sum": 100, "within": {"years": 1}, "of": "amount"},
        {"activity": "order.placed", "op": "in_last", "last": {"days": 30}, "within": {"years": 1}},
        {
            "activity": "order.placed",
            "op": "gte",
            "count": 1,
            "within": {"days": 9},
            "where": {"any": [{"property": "amount", "op": "gt", "value": 10}]},
        },
        {
            "related": "deals",
            "has": {"at_least": 2},
            "where": {"all": [{"field": "status", "op": "eq", "value": "open"}]},
        },
        {"related": "company", "has": "none"},
        {
            "any": [
                {"not": {"all": [{"field": "email", "op": "is_set"}]}},
                {"field": "custom.old", "op": "is_set"},
            ]
        },
    ]
}


def built(tab: Page) -> Any:
    return json.loads(tab.input_value("#id_conditions"))


def test_a_segment_is_built_by_keyboard_alone(cast: Cast, page: Open) -> None:
    ContactFactory(first_name="Mina", lifecycle_stage="customer")
    tab = page(cast.cx)
    tab.goto("/segments/new/")
    expect(tab.locator("#segment-preview")).to_contain_text("Everyone")
    tab.locator("#id_name").fill("Customers")
    tab.get_by_role("button", name="Add condition").focus()
    tab.keyboard.press("Enter")
    tab.keyboard.type("Lifecycle")
    tab.keyboard.press("Tab")
    expect(tab.locator(":focus")).to_have_attribute("aria-label", "How it compares")
    tab.keyboard.press("Tab")
    tab.keyboard.type("Customer")
    expect(tab.locator("#segment-preview")).to_contain_text("Lifecycle stage is Customer")
    expect(tab.locator("#segment-preview")).to_contain_text("Mina")
    assert built(tab) == {"all": [{"field": "lifecycle_stage", "op": "eq", "value": "customer"}]}
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")  # the row's own button takes it away, and the next thing has the focus
    assert built(tab) == {"all": []}
    assert tab.evaluate("document.activeElement.textContent").strip() == "Add condition"
    tab.get_by_role("button", name="Add group").press("Enter")
    tab.keyboard.press("Enter")
    tab.keyboard.type("Tags")
    tab.keyboard.press("Tab")
    expect(tab.locator(":focus")).to_have_attribute("aria-label", "How it compares")
    tab.keyboard.press("Tab")
    tab.keyboard.type("vip, gold")
    tab.locator("#segment-form button.btn-primary").press("Enter")
    tab.wait_for_url("**/segments/*/")
    assert Segment.objects.get().conditions == {
        "all": [{"any": [{"field": "tags", "op": "has_any", "value": ["vip", "gold"]}]}]
    }


def test_what_is_saved_comes_back_as_it_was(cast: Cast, page: Open) -> None:
    segment = segment_create(data={"name": "Mixed", "conditions": MIXED}, actor=person(cast.cx))
    stored = segment.conditions
    tab = page(cast.cx)
    tab.goto(f"/segments/{segment.pk}/edit/")
    settle(tab)
    expect(tab.locator(".builder-row")).to_have_count(14)
    assert looks(tab) == []
    tab.locator("#id_name").fill("Mixed up")
    tab.locator(".builder-row input").first.press("Space")
    tab.locator(".builder-row input").first.press("Space")
    tab.locator("#segment-form button.btn-primary").click()
    tab.wait_for_url(f"**/segments/{segment.pk}/")
    segment.refresh_from_db()
    assert (segment.name, segment.conditions) == ("Mixed up", stored)


def test_faults_stand_at_their_row_and_json_leads_the_builder(cast: Cast, page: Open) -> None:
    CompanyFactory(name="Acme")
    tab = page(cast.cx)
    tab.goto("/segments/new/")
    tab.get_by_role("button", name="Add condition").click()
    tab.locator(".builder-row select").select_option("field:first_name")
    expect(tab.locator(".builder-row .builder-fault")).to_have_count(1)
    tab.locator("summary", has_text="As JSON").click()
    tab.locator("#id_conditions").fill('{"field": "company", "op": "eq", "value": ""}')
    tab.locator(".lookup input[type=text]").press_sequentially("Acm")
    tab.locator(".lookup-option").click()
    expect(tab.locator(".builder-fault")).to_have_count(0)
    assert set(built(tab)["all"][0]) == {"field", "op", "value"}
    tab.locator("#id_conditions").fill("{")
    expect(tab.locator(".builder-tree")).to_contain_text("The JSON can’t be read")


def test_related_records_are_asked_by_keyboard_alone(cast: Cast, page: Open) -> None:
    mina = ContactFactory(first_name="Mina")
    for _ in range(2):
        DealFactory().deal_contacts.create(contact=mina)
    ContactFactory(first_name="Otto")
    tab = page(cast.cx)
    tab.goto("/segments/new/")
    tab.locator("#id_name").fill("Several deals")
    tab.get_by_role("button", name="Add condition").press("Enter")
    tab.keyboard.type("Deals …")
    tab.keyboard.press("Tab")
    expect(tab.locator(":focus")).to_have_attribute("aria-label", "Deals: How many")
    tab.keyboard.type("there are at least")
    tab.keyboard.press("Tab")
    expect(tab.locator(":focus")).to_have_attribute("aria-label", "At least how many")
    tab.keyboard.press("Control+a")
    tab.keyboard.type("0")
    expect(tab.locator("#segment-preview")).to_contain_text("a whole number from 1")
    expect(tab.locator(".builder-row > .builder-fault")).to_have_count(1)
    tab.keyboard.press("Control+a")
    tab.keyboard.type("2")
    for _ in range(3):  # past the row's own button and how the inner conditions go together
        tab.keyboard.press("Tab")
    expect(tab.locator(":focus")).to_have_text("Add condition")
    tab.keyboard.press("Enter")
    tab.keyboard.type("Status")
    tab.keyboard.press("Tab")
    expect(tab.locator(":focus")).to_have_attribute("aria-label", "How it compares")
    expect(tab.locator("#segment-preview")).to_contain_text("Has at least 2 deals with Status is Open")
    expect(tab.locator("#segment-preview")).to_contain_text("Mina")
    expect(tab.locator("#segment-preview")).not_to_contain_text("Otto")
    assert looks(tab) == []
    tab.locator("#segment-form button.btn-primary").press("Enter")
    tab.wait_for_url("**/segments/*/")
    asked = {"field": "status", "op": "eq", "value": "open"}
    assert Segment.objects.get().conditions == {
        "all": [{"related": "deals", "has": {"at_least": 2}, "where": {"all": [asked]}}]
    }


def test_a_fault_behind_a_relation_stands_at_its_row_and_nothing_is_lost(cast: Cast, page: Open) -> None:
    tab = page(cast.cx)
    tab.goto("/segments/new/")
    tab.locator("#id_name").fill("Bad")
    tab.get_by_role("button", name="Add condition").click()
    tab.locator(".builder-row select").select_option("related:company")
    tab.locator(".builder-related").get_by_role("button", name="Add condition").click()
    tab.locator(".builder-related .builder-row select").select_option("field:name")
    inner = tab.locator(".builder-related .builder-row")
    expect(inner.locator(".builder-fault")).to_have_text(
        "The text is empty: use “is_not_set” to find rows without a value."
    )
    written = built(tab)
    tab.locator("#segment-form button.btn-primary").click()
    expect(tab.locator(".alert, [role=alert]").first).to_be_visible()
    expect(inner.locator(".builder-fault").first).to_contain_text("The text is empty")
    assert built(tab) == written
    assert not Segment.objects.exists()


def test_tags_are_completed(cast: Cast, page: Open) -> None:
    ContactFactory(tags=["wholesale"])
    tags_keep()
    tab = page(cast.cx)
    tab.goto("/segments/new/")
    tab.get_by_role("button", name="Add condition").click()
    tab.locator(".builder-row select").select_option("field:tags")
    tab.locator(".builder-row input[role=combobox]").press_sequentially("vip, whol")
    expect(tab.locator(".lookup-option")).to_have_count(1)
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    assert built(tab)["all"][0]["value"] == ["vip", "wholesale"]


def test_tags_are_completed_in_automations_too(cast: Cast, page: Open) -> None:
    ContactFactory(tags=["wholesale", "white label"])
    tags_keep()
    definition = {
        "trigger": {"type": "event", "event": "order.placed"},
        "conditions": {"field": "tags", "op": "has_any", "value": ["vip"]},
        "steps": [{"key": "a", "type": "action", "action": "add_tag", "parameters": {"tag": "x"}}],
    }
    row = automation_create(name="A", definition=definition, actor=person(cast.cx))
    tab = page(cast.cx)
    tab.goto(f"/automations/{row.pk}/edit/")
    tab.locator("[name=cond-0-value]").press("End")
    tab.keyboard.type(", whol")
    expect(tab.locator(".lookup-option")).to_have_count(1)
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    expect(tab.locator("[name=cond-0-value]")).to_have_value("vip, wholesale, ")
    tab.locator("[name=step-0-p-tag]").fill("")
    tab.locator("[name=step-0-p-tag]").press_sequentially("wh")
    expect(tab.locator(".lookup-list:visible .lookup-option")).to_have_count(2)
    tab.locator(".lookup-list:visible .lookup-option", has_text="white label").click()
    expect(tab.locator("[name=step-0-p-tag]")).to_have_value("white label")
    assert looks(tab) == []
    tab.get_by_role("button", name="Save").first.click()
    tab.wait_for_url(f"**/automations/{row.pk}/")
    row.refresh_from_db()
    assert row.current_version is not None
    saved = row.current_version.definition
    assert saved["conditions"] == {"field": "tags", "op": "has_any", "value": ["vip", "wholesale"]}
    assert saved["steps"][0]["parameters"] == {"tag": "white label"}


def test_without_scripts_the_json_is_the_form(cast: Cast, page: Open) -> None:
    tab = page(cast.cx, javascript=False)
    tab.goto("/segments/new/")
    tab.locator("#id_name").fill("Plain")
    tab.locator("#id_conditions").fill('{"field": "tags", "op": "has_any", "value": ["vip"]}')
    tab.locator("#segment-form button.btn-primary").click()
    tab.wait_for_url("**/segments/*/")
    assert Segment.objects.get().conditions == {"field": "tags", "op": "has_any", "value": ["vip"]}
