"""Every page of the product in a real browser: in both themes, on a phone and on a screen.

A page fails by its status, by a complaint on its console, by scrolling sideways, and by what axe finds against
WCAG 2.2 AA. Each page is loaded once; theme and width change under it, as they do on a device.
"""

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.test import Client, RequestFactory
from django.urls import reverse
from playwright.sync_api import Page

from crmcem.lib.web import errors
from feedback import links
from tests.access.routes import PUBLIC, QUERY
from tests.access.urlmap import routes
from tests.access.world import World, make_world
from tests.browser.looking import looks, settle
from tests.conftest import Cast

pytestmark = pytest.mark.django_db(transaction=True)
Open = Callable[..., Page]
Web = Callable[..., Client]

#: All pages in one test would come near the time limit of a test where the machine has other work.
PARTS = 8
ADMIN = ["", "workspace/user/", "workspace/role/1/change/", "contacts/contact/", "feedback/survey/"]


@pytest.fixture
def world(cast: Cast) -> World:
    return make_world(cast)


def pages(world: World, client: Client, part: int) -> Iterator[str]:
    """The addresses of one part that answer whole pages; fragments are seen inside of them."""
    for route in routes()[part::PARTS]:
        if route.name in PUBLIC:
            continue
        query = "&".join(f"{key}={value}" for key, value in QUERY.get(route.name, {}).items())
        address = route.url(world.ids) + (f"?{query}" if query else "")
        response = client.get(address)
        if response.status_code == 200 and not response.streaming and b"<html" in response.content[:200]:
            yield address


def path(url: str) -> str:
    return url.removeprefix(settings.BASE_URL)


def visit(tab: Page, address: str, status: int = 200) -> list[str]:
    answer = tab.goto(address, wait_until="load")
    assert answer is not None
    settle(tab)
    found = [] if answer.status == status else [f"answers {answer.status}"]
    return [f"{address} {line}" for line in found + looks(tab)]


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_holds_on_every_screen(part: int, world: World, cast: Cast, page: Open, web: Web) -> None:
    addresses = list(pages(world, web(cast.admin), part))
    assert len(addresses) > 7
    tab = page(cast.admin)
    found = [line for address in addresses for line in visit(tab, address)]
    assert not found, "\n".join(found)


def test_the_pages_of_customers_hold(world: World, page: Open) -> None:
    """The survey for one customer, for everybody, with something missing, the thanks, and links that ended."""
    tab = page(None)
    mine = path(links.invitation_url(world.ids["invitation"], score=9))
    found = visit(tab, path(links.survey_url(world.ids["survey"]))) + visit(tab, mine)
    for status in (422, 200):
        if status == 422:
            tab.locator("input[name=nps]").evaluate_all("all => all.forEach(each => each.checked = false)")
            tab.locator("form").evaluate("form => form.noValidate = true")
        else:
            tab.locator("input[name=nps][value='9']").check(force=True)
        with tab.expect_navigation() as sent:
            tab.locator("form [type=submit]").click()
        assert sent.value.status == status
        found += [f"sent {status} {line}" for line in looks(tab)]
    found += visit(tab, mine, 410) + visit(tab, "/s/nobodys-link/", 404)
    assert not found, "\n".join(found)


def test_sign_in_and_errors_hold(world: World, cast: Cast, page: Open) -> None:
    stranger, nobody = page(None), page(cast.nobody)
    found = visit(stranger, reverse("account_login")) + visit(stranger, reverse("account_reset_password"))
    found += visit(nobody, "/") + visit(nobody, "/no/such/page/", 404) + visit(nobody, "/contacts/", 403)
    broken = errors.server_error(RequestFactory().get("/broken/")).content.decode()
    nobody.route("**/broken/", lambda route: route.fulfill(body=broken, content_type="text/html"))
    found += visit(nobody, "/broken/")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_admin_complains_about_nothing(theme: str, world: World, cast: Cast, page: Open) -> None:
    tab = page(cast.admin, theme=theme)
    for name in ADMIN:
        answer = tab.goto(f"/admin/{name}")
        assert answer is not None
        assert answer.status == 200, name
