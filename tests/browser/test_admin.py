"""The admin under the strict policy: its theme's scripts run without a complaint on the console."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Cast

pytestmark = pytest.mark.django_db(transaction=True)
Open = Callable[..., Page]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lists_and_forms_work(cast: Cast, page: Open, theme: str) -> None:
    tab = page(cast.admin, theme=theme)
    tab.goto("/admin/")
    expect(tab.locator("#search-input-command")).to_be_hidden()
    tab.goto("/admin/workspace/user/")
    tab.locator("#result_list input[name=_selected_action]").first.check()
    expect(tab.get_by_role("combobox").first).to_be_visible()
    tab.get_by_role("link", name="rep", exact=True).click()
    first_name = tab.locator("[name=first_name]")
    first_name.fill("Rosa")
    tab.locator("[name=_continue]").click()
    expect(first_name).to_have_value("Rosa")
    cast.rep.refresh_from_db()
    assert cast.rep.first_name == "Rosa"


def test_the_navigation_folds_and_stays_folded(cast: Cast, page: Open) -> None:
    tab = page(cast.admin)
    tab.goto("/admin/")
    navigation = tab.locator("#nav-sidebar-apps")
    expect(navigation).to_be_in_viewport()
    tab.locator("[x-on\\:click='toggleSidebar()']").click()
    expect(navigation).not_to_be_in_viewport()
    tab.reload()
    expect(navigation).not_to_be_in_viewport()


def test_the_command_search_finds_a_model(cast: Cast, page: Open) -> None:
    tab = page(cast.admin)
    tab.goto("/admin/")
    tab.keyboard.press("Control+k")
    search = tab.locator("#search-input-command")
    expect(search).to_be_focused()
    search.press_sequentially("pipel")
    expect(tab.locator("#command-results")).to_contain_text("Pipelines")
    search.fill("")
    search.press("Escape")
    expect(search).to_be_hidden()
