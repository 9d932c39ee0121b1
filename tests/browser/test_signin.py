"""Signing in as people do it: passkeys, an authenticator app, recovery codes, a forgotten password, other devices.

Chromium's own virtual authenticator stands for the person's finger; nothing is faked on our side.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.contrib.sessions.models import Session
from django.core import mail
from playwright.sync_api import Page, expect

from tests.conftest import PASSWORD, Cast

pytestmark = pytest.mark.django_db(transaction=True)
Open = Callable[..., Page]
NEW = "an-Other-long-one"


@pytest.fixture(autouse=True)
def _no_waiting(settings: Any) -> None:
    """The walks sign in more often in a second than a person does in an hour."""
    settings.ACCOUNT_RATE_LIMITS = False


def with_authenticator(tab: Page) -> Page:
    session = tab.context.new_cdp_session(tab)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return tab


def sign_in(tab: Page, password: str = PASSWORD, login: str = "rep") -> None:
    tab.goto("/accounts/login/")
    tab.fill("[name=login]", login)
    tab.fill("[name=password]", password)
    tab.press("[name=password]", "Enter")


def sign_out(tab: Page) -> None:
    tab.goto("/")
    tab.get_by_role("button", name=re.compile("^Menu of")).click()
    tab.get_by_role("button", name="Sign out").click()
    expect(tab).to_have_url(re.compile("/accounts/login/"))


def confirm(tab: Page) -> None:
    """A sensitive page asks once more who is there."""
    expect(tab.get_by_role("heading", name="Confirm Access")).to_be_visible()
    tab.fill("[name=password]", PASSWORD)
    tab.get_by_role("button", name="Confirm").click()


def totp(secret: str) -> str:
    """What the authenticator app shows now."""
    counter = next(iter(yield_hotp_counters_from_time()))
    return format_hotp_value(hotp_value(secret, counter))


def home(tab: Page) -> None:
    expect(tab.get_by_role("button", name=re.compile("^Menu of"))).to_be_visible()


def test_a_passkey_is_made_signs_in_and_is_taken_away(cast: Cast, page: Open) -> None:
    tab = with_authenticator(page(None))
    sign_in(tab)
    home(tab)
    tab.goto("/profile/")
    tab.get_by_role("link", name="Two-factor sign-in and passkeys").click()
    tab.goto("/accounts/2fa/webauthn/add/")
    confirm(tab)
    tab.fill("[name=name]", "My phone")
    tab.check("[name=passwordless]")
    tab.get_by_role("button", name="Add").click()
    expect(tab).to_have_url(re.compile("/accounts/2fa/(recovery-codes/.*|webauthn/)$"))
    key = Authenticator.objects.get(user=cast.rep, type="webauthn")
    assert key.wrap().name == "My phone"
    assert key.wrap().is_passwordless

    sign_out(tab)
    tab.get_by_role("button", name="Sign in with a passkey").click()
    home(tab)
    key.refresh_from_db()
    assert key.last_used_at is not None

    tab.goto("/accounts/2fa/webauthn/")
    expect(tab.get_by_text("My phone")).to_be_visible()
    tab.get_by_role("link", name="Remove").click()
    confirm(tab)
    tab.get_by_role("button", name="Remove").click()
    expect(tab.get_by_text("My phone")).to_have_count(0)
    assert not Authenticator.objects.filter(user=cast.rep, type="webauthn").exists()
    sign_out(tab)
    tab.get_by_role("button", name="Sign in with a passkey").click()
    expect(tab.locator("#auth-failed, .alert-danger").first).to_be_visible()
    tab.goto("/")
    expect(tab).to_have_url(re.compile("/accounts/login/"))


def test_a_passkey_answers_the_second_question_too(cast: Cast, page: Open) -> None:
    tab = with_authenticator(page(None))
    sign_in(tab)
    home(tab)
    tab.goto("/accounts/2fa/webauthn/add/")
    confirm(tab)
    tab.fill("[name=name]", "Key")
    tab.get_by_role("button", name="Add").click()
    expect(tab).not_to_have_url(re.compile("/add/"))
    sign_out(tab)
    sign_in(tab)
    expect(tab).to_have_url(re.compile("/accounts/2fa/authenticate/"))
    tab.goto("/contacts/")
    expect(tab).to_have_url(re.compile("/accounts/2fa/authenticate/")), "half a sign-in opens nothing"
    tab.get_by_role("button", name="Use a security key").click()
    home(tab)


def test_an_authenticator_app_is_asked_and_recovery_codes_help_without_it(cast: Cast, page: Open) -> None:
    tab = page(None)
    sign_in(tab)
    home(tab)
    tab.goto("/accounts/2fa/totp/activate/")
    confirm(tab)
    expect(tab.locator("img.qr")).to_be_visible()
    assert tab.evaluate("document.querySelector('img.qr').naturalWidth") > 0, "the policy lets the image in"
    secret = tab.locator("#authenticator_secret").input_value()
    tab.fill("[name=code]", "000000")
    tab.get_by_role("button", name="Activate").click()
    expect(tab.get_by_text("Incorrect code")).to_be_visible()
    assert tab.locator("#authenticator_secret").input_value() == secret, "the same picture is still true"
    tab.fill("[name=code]", totp(secret))
    tab.get_by_role("button", name="Activate").click()
    expect(tab).to_have_url(re.compile("/accounts/2fa/recovery-codes/"))
    codes = tab.locator("#recovery_codes").input_value().split()
    assert len(set(codes)) == 10

    sign_out(tab)
    sign_in(tab)
    expect(tab).to_have_url(re.compile("/accounts/2fa/authenticate/"))
    tab.fill("[name=code]", "123")
    tab.get_by_role("button", name="Sign In").click()
    expect(tab.get_by_text("Incorrect code")).to_be_visible()
    tab.fill("[name=code]", codes[3])
    tab.get_by_role("button", name="Sign In").click()
    home(tab)

    sign_out(tab)
    sign_in(tab)
    tab.fill("[name=code]", codes[3])
    tab.get_by_role("button", name="Sign In").click()
    expect(tab.get_by_text("Incorrect code")).to_be_visible()
    tab.fill("[name=code]", totp(secret))
    tab.get_by_role("button", name="Sign In").click()
    expect(tab).not_to_have_url(re.compile("/accounts/2fa/authenticate/"))
    home(tab)

    tab.goto("/accounts/2fa/totp/deactivate/")
    confirm(tab)
    tab.get_by_role("button", name="Deactivate").click()
    expect(tab).to_have_url(re.compile("/accounts/2fa/$"))
    assert not Authenticator.objects.filter(user=cast.rep).exists()


def test_a_forgotten_password_is_reset_by_mail_once(cast: Cast, page: Open) -> None:
    tab = page(None)
    tab.goto("/accounts/login/")
    tab.get_by_role("link", name="Forgot").click()
    tab.fill("[name=email]", cast.rep.email)
    tab.get_by_role("button", name="Reset My Password").click()
    expect(tab.get_by_text("We have sent you an email")).to_be_visible()
    assert [message.to for message in mail.outbox] == [[cast.rep.email]]
    found = re.search(r"https?://\S+(/accounts/password/reset/key/\S+)", str(mail.outbox[0].body))
    assert found is not None
    tab.goto(found[1])
    tab.fill("[name=password1]", NEW)
    tab.fill("[name=password2]", NEW)
    tab.get_by_role("button", name="Change Password").click()
    expect(tab.get_by_text("Your password is now changed.")).to_be_visible()
    tab.goto(found[1])
    expect(tab.get_by_text("The password reset link was invalid")).to_be_visible()
    sign_in(tab)
    expect(tab.get_by_text("not correct")).to_be_visible()
    sign_in(tab, NEW)
    home(tab)


def test_other_devices_are_listed_and_signed_out(cast: Cast, page: Open) -> None:
    here, there = page(None), page(None)
    for tab in (here, there):
        sign_in(tab)
        home(tab)
    here.goto("/profile/")
    here.get_by_role("link", name="Where you are signed in").click()
    expect(here.locator("tbody tr")).to_have_count(2)
    here.get_by_role("button", name="Sign Out Other Sessions").click()
    expect(here.locator("tbody tr")).to_have_count(1)
    there.goto("/")
    expect(there).to_have_url(re.compile("/accounts/login/"))
    here.goto("/")
    home(here)
    assert Session.objects.count() >= 1


def test_the_password_is_changed_from_the_profile(cast: Cast, page: Open) -> None:
    here, there = page(None), page(None)
    for tab in (here, there):
        sign_in(tab)
        home(tab)
    here.goto("/profile/")
    here.get_by_role("link", name="Change password").click()
    here.fill("[name=oldpassword]", PASSWORD)
    here.fill("[name=password1]", "short")
    here.fill("[name=password2]", "short")
    here.get_by_role("button", name="Change Password").click()
    expect(here.get_by_text("too short")).to_be_visible()
    here.fill("[name=oldpassword]", PASSWORD)
    here.fill("[name=password1]", NEW)
    here.fill("[name=password2]", NEW)
    here.get_by_role("button", name="Change Password").click()
    expect(here.get_by_text("Password successfully changed")).to_be_visible()
    there.goto("/")
    expect(there).to_have_url(re.compile("/accounts/login/"))
    here.goto("/")
    home(here)


@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1280, "light")])
def test_every_page_of_signing_in_fits_its_screen(cast: Cast, page: Open, width: int, theme: str) -> None:
    stranger = page(None, width=width, theme=theme)
    for path in ("login/", "password/reset/", "password/reset/done/", "signup/", "inactive/"):
        answer = stranger.goto(f"/accounts/{path}")
        assert answer is not None
        assert answer.status == 200
        assert _overflow(stranger) <= 0, path
    tab = page(None, width=width, theme=theme)
    sign_in(tab)
    home(tab)
    tab.goto("/accounts/reauthenticate/?next=/accounts/2fa/")
    confirm(tab)
    expect(tab).to_have_url(re.compile("/accounts/2fa/$"))
    for path in (
        "password/change/",
        "email/",
        "2fa/",
        "2fa/totp/activate/",
        "2fa/webauthn/",
        "2fa/webauthn/add/",
        "sessions/",
        "reauthenticate/",
        "logout/",
    ):
        answer = tab.goto(f"/accounts/{path}")
        assert answer is not None
        assert answer.status == 200, path
        assert _overflow(tab) <= 0, path


def _overflow(tab: Page) -> int:
    return int(tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
