"""Debian's Chromium, driven by Playwright against a live server with a transactional database.

``page(cast.rep)`` is a page of that person's own browser, ``page(None)`` of nobody's. What a page complains about on
its console (a broken script, a blocked style, a missing file) fails the test that opened it.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from crmcem.workspace.models import User

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome")
Open = Callable[..., Page]
#: Milliseconds until something that must come counts as missing: long, for a machine that has other work too.
WAIT = 30_000
expect.set_options(timeout=WAIT)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for this folder's tests, gone before those of any other.

    While Playwright's loop runs in this thread, Django keeps other connections for it than without; a process forked
    meanwhile has no loop, and would take up the connection from before.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("The browser tests need chromium.")
    # Playwright's loop runs in this thread; Django would refuse every query as "from an async context".
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    connections.close_all()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()
        connections.close_all()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(browser: Browser, live_server: Any) -> Iterator[Open]:
    """``page(user, width=1280, theme="light", touch=False, javascript=True)``: paths are relative to the server."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(
        user: User | None,
        *,
        width: int = 1280,
        theme: Any = "light",
        touch: bool = False,
        javascript: bool = True,
        reduced_motion: Any = "reduce",
    ) -> Page:
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": width, "height": 844 if width < 600 else 900},
            color_scheme=theme,
            has_touch=touch,
            java_script_enabled=javascript,
            reduced_motion=reduced_motion,
            locale="en-GB",
            timezone_id="Europe/Berlin",
        )
        context.set_default_timeout(WAIT)
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user, backend="crmcem.workspace.backends.PersonBackend")
            assert SESSION_KEY in client.session
            cookie = client.cookies[settings.SESSION_COOKIE_NAME]
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
        opened = context.new_page()
        opened.on(
            "console",
            lambda m: complaints.append(m.text) if m.type == "error" and not _expected(m.text) else None,
        )
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        return opened

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def _expected(text: str) -> bool:
    """The browser's own line about an answer of 4xx, which a test may well be about."""
    return text.startswith("Failed to load resource: the server responded with a status of 4")


@pytest.fixture
def settle(transactional_db: None) -> Callable[[], int]:
    """``settle()`` runs every consumer over what is committed, as the worker would."""
    from crmcem.lib.stream_runner import pump

    return pump
