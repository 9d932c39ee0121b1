"""A list from conditions to a change of all that match and back, and the click that takes a deletion back."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from contacts.models import Contact, Interaction
from tests.browser.looking import looks, settle
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory, InteractionFactory

pytestmark = pytest.mark.django_db(transaction=True)
Open = Callable[..., Page]


def test_conditions_a_change_of_all_and_both_undone(cast: Cast, page: Open) -> None:
    for name, nps in (("Ada", 3), ("Ben", 5), ("Cora", 10)):
        ContactFactory(first_name=name, owner=cast.rep, job_title="", pulse={"nps": nps})
    talk = InteractionFactory(subject="Delivery", owner=cast.rep)
    tab = page(cast.admin)
    tab.goto("/contacts/?view=all&ordering=last_name")
    tab.click(".list-buttons [data-part=conditions]")
    tab.click("text=Add condition")
    tab.select_option(".builder-row select", label="NPS answer")
    tab.locator(".builder-row select").nth(1).select_option("lte")
    tab.fill(".builder-row input", "6")
    expect(tab.locator(".conditions-preview")).to_contain_text("2 contacts")
    assert looks(tab) == []
    tab.click("text=Apply conditions")
    expect(tab.locator(".list-where b")).to_have_text("NPS answer is at most 6")
    expect(tab.locator("#list tbody tr")).to_have_count(2)
    assert "ordering=last_name" in tab.url
    expect(tab.locator(".list-buttons [data-part=conditions]")).to_be_focused()

    tab.check("[data-pick-all]")
    tab.click("#bulk-bar >> text=Edit field")
    tab.select_option("#id_field", "job_title")
    tab.fill("#id_value", "Buyer")
    expect(tab.locator(".bulk-forecast")).to_contain_text("2 of them will change")
    settle(tab)
    assert looks(tab) == []
    tab.click("dialog >> role=button[name='Edit field']")
    expect(tab.locator("#bulk-edit")).to_contain_text("2 records changed.")
    assert Contact.objects.filter(job_title="Buyer").count() == 2
    tab.click("#bulk-edit >> text=Undo")
    expect(tab.locator("#bulk-edit")).to_contain_text("2 records are as they were before.")
    assert not Contact.objects.filter(job_title="Buyer").exists()

    tab.goto(f"/interactions/{talk.pk}/")
    tab.click("#content >> role=button[name='Delete']")
    tab.click("#confirm-yes")
    undo = tab.locator(".toast-card >> role=button[name='Undo']")
    expect(undo).to_be_visible()
    assert not Interaction.objects.filter(pk=talk.pk).exists()
    undo.click()
    expect(tab.locator(".toast-card")).to_contain_text("1 record is back.")
    assert Interaction.objects.filter(pk=talk.pk).exists()


def test_a_button_of_the_bar_and_the_message_that_takes_it_back(cast: Cast, page: Open) -> None:
    for name in ("Ada", "Ben"):
        ContactFactory(first_name=name, owner=cast.rep, tags=["kept"])
    tab = page(cast.admin, width=390)
    tab.goto("/contacts/?view=all")
    buttons = [each.bounding_box() for each in tab.locator(".list-buttons .btn").all()]
    assert len(buttons) == 4
    assert len({box and box["y"] for box in buttons}) == 1, "the tools stand in one line"
    tab.check("[data-pick-all]")
    tab.click("#bulk-bar >> role=button[name='Add tags']")
    tab.fill("#id_value", "vip")
    expect(tab.locator(".bulk-forecast")).to_contain_text("2 of them will change")
    settle(tab)
    assert looks(tab) == []
    tab.click("dialog >> role=button[name='Add tags']")
    card = tab.locator(".toast-card")
    undo = card.get_by_role("button", name="Undo")
    undo.focus()  # it stays while somebody is at it
    expect(card).to_contain_text("2 records changed.")
    expect(tab.locator("dialog[open]")).to_have_count(0)
    assert [sorted(tags) for tags in Contact.objects.values_list("tags", flat=True)] == [["kept", "vip"]] * 2
    settle(tab)
    assert looks(tab) == []
    expect(card.get_by_role("link", name="Details")).to_have_attribute("href", re.compile(r"^/edits/\d+/$"))
    undo.click()
    expect(tab.locator(".toast-card")).to_contain_text("2 records are as they were before.")
    assert list(Contact.objects.values_list("tags", flat=True)) == [["kept"]] * 2
