"""The frame around every page: sign-in, navigation, palette, shortcuts, themes, phone, errors."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from crmcem.workspace.models import Notification, User
from tests.conftest import PASSWORD, Cast
from tests.factories.contacts import ContactFactory

pytestmark = pytest.mark.django_db(transaction=True)
Open = Callable[..., Page]
SIGN_IN = re.compile("/accounts/login/")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_person_signs_in(cast: Cast, page: Open, javascript: bool) -> None:
    tab = page(None, javascript=javascript)
    tab.goto("/notifications/")
    expect(tab).to_have_url(SIGN_IN)
    tab.fill("[name=login]", "rep")
    tab.fill("[name=password]", "wrong")
    tab.press("[name=password]", "Enter")
    expect(tab.locator("[name=login]")).to_have_value("rep")
    tab.fill("[name=password]", PASSWORD)
    tab.press("[name=password]", "Enter")
    expect(tab).to_have_url(re.compile("/notifications/$"))


def test_signing_out_ends_the_session(cast: Cast, page: Open) -> None:
    tab = page(cast.rep)
    tab.goto("/")
    tab.get_by_role("button", name=re.compile("^Menu of")).click()
    tab.get_by_role("button", name="Sign out").click()
    tab.goto("/")
    expect(tab).to_have_url(SIGN_IN)


def test_the_palette_opens_by_key_and_goes_where_it_says(cast: Cast, page: Open) -> None:
    tab = page(cast.rep)
    tab.goto("/")
    tab.keyboard.press("Control+k")
    expect(tab.get_by_role("combobox")).to_be_focused()
    tab.keyboard.type("tod")
    option = tab.locator(".palette-item").first
    expect(option).to_contain_text("Today")
    expect(option).to_have_attribute("aria-selected", "true")
    tab.keyboard.press("Escape")
    expect(tab.locator("#palette")).to_be_hidden()


def test_the_palette_does_what_the_page_in_view_can_do(cast: Cast, page: Open) -> None:
    contact = ContactFactory(first_name="Ada", last_name="Byron", owner=cast.manager, team=cast.north)
    tab = page(cast.manager)
    tab.goto(f"/contacts/{contact.pk}/")
    tab.keyboard.press("Control+k")
    here = tab.get_by_role("group", name="On this page")
    expect(here.get_by_role("option", name="Merge")).to_be_visible()
    # Enter on nothing typed deletes nothing: what is marked is no deed
    expect(here.locator("[aria-selected=true]")).to_have_count(0)
    tab.keyboard.type("hist")
    expect(here.get_by_role("option")).to_have_text(["History"])
    expect(here.locator("[aria-selected=true]")).to_have_count(1)
    tab.keyboard.press("Enter")
    expect(tab.locator("#palette")).to_be_hidden()
    expect(tab.locator("#drawer")).to_contain_text("History of Ada Byron")
    tab.keyboard.press("Escape")
    tab.keyboard.press("Control+k")
    tab.keyboard.type("new conta")
    expect(tab.get_by_role("option", name="Create: Contact")).to_be_visible()
    tab.get_by_role("combobox").fill("exports")
    expect(tab.get_by_role("option", name="My exports")).to_be_visible()


def test_the_keyboard_alone_is_enough(cast: Cast, page: Open) -> None:
    tab = page(cast.rep)
    tab.goto("/")
    tab.keyboard.press("Tab")
    expect(tab.get_by_text("Skip to the content")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("#content")).to_be_focused()
    tab.keyboard.press("?")
    expect(tab.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    tab.keyboard.press("Escape")
    tab.keyboard.press("g")
    tab.keyboard.press("c")
    expect(tab).to_have_url(re.compile("/contacts/"))


def test_the_theme_is_the_systems_until_somebody_chooses(cast: Cast, page: Open) -> None:
    tab = page(cast.rep, theme="dark")
    tab.goto("/")
    html = tab.locator("html")
    expect(html).to_have_attribute("data-bs-theme", "dark")
    tab.get_by_role("button", name=re.compile("^Menu of")).click()
    tab.get_by_role("button", name="Light", exact=True).click()
    expect(html).to_have_attribute("data-bs-theme", "light")
    tab.reload()
    expect(html).to_have_attribute("data-bs-theme", "light")
    assert User.objects.get(pk=cast.rep.pk).theme == "light"


def test_on_a_phone_the_bar_below_navigates(cast: Cast, page: Open) -> None:
    tab = page(cast.rep, width=390, touch=True)
    tab.goto("/")
    bar = tab.get_by_role("navigation", name="Quick navigation")
    expect(bar).to_be_visible()
    expect(tab.get_by_role("navigation", name="Main", exact=True)).not_to_be_in_viewport()
    bar.get_by_role("button", name="More").tap()
    expect(tab.get_by_role("navigation", name="Main", exact=True)).to_be_in_viewport()


def test_the_bell_counts_and_opens(cast: Cast, page: Open) -> None:
    Notification.objects.create(user=cast.rep, kind="task", title="<b>Call</b> Ada", url="/profile/")
    tab = page(cast.rep)
    tab.goto("/")
    bell = tab.get_by_role("button", name="Notifications")
    expect(bell).to_contain_text("1")
    bell.click()
    tab.get_by_text("<b>Call</b> Ada").click()
    expect(tab).to_have_url(re.compile("/profile/"))
    expect(bell).not_to_contain_text("1")


@pytest.mark.parametrize(("path", "status"), [("/contacts/1/", 403), ("/no/such/page/", 404)])
def test_errors_are_pages_of_the_house(cast: Cast, page: Open, path: str, status: int) -> None:
    tab = page(cast.nobody)
    answer = tab.goto(path)
    assert answer is not None
    assert answer.status == status
    expect(tab.get_by_role("heading", level=1)).to_be_visible()
    expect(tab.get_by_role("link", name=re.compile("Today|home|start", re.IGNORECASE)).first).to_be_visible()


def test_every_answer_carries_the_strict_policy(cast: Cast, web: Callable[[User], Client]) -> None:
    answer = web(cast.rep).get("/")
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
