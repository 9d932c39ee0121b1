import datetime as dt
import re
import smtplib
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from cryptography.fernet import InvalidToken
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client

from crmcem.workspace.services.people import access_end
from crmcem.workspace.tokens import find
from tests.conftest import PASSWORD, Cast

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"


def sign_in(client: Client, login: str, password: str, address: str = "192.0.2.1") -> Any:
    return client.post(LOGIN, {"login": login, "password": password}, REMOTE_ADDR=address)


@pytest.fixture(autouse=True)
def _only_the_database_throttles(settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = False


@pytest.mark.parametrize("login", ["rep", "rep@crm.example", "REP"])
def test_username_or_address_signs_in(cast: Cast, login: str) -> None:
    client = Client()
    answer = sign_in(client, login, PASSWORD)
    assert answer.status_code == 302
    assert client.session["_auth_user_id"] == str(cast.rep.pk)


def test_known_and_unknown_accounts_look_alike(cast: Cast) -> None:
    known = sign_in(Client(), "rep", "wrong")
    unknown = sign_in(Client(), "reb", "wrong")
    assert known.status_code == unknown.status_code == 200
    assert known.context["form"].errors == unknown.context["form"].errors


def test_too_many_tries_lock_this_account_from_this_address_for_a_while(cast: Cast, settings: Any) -> None:
    client = Client()
    for _ in range(settings.AXES_FAILURE_LIMIT):
        answer = sign_in(client, "rep", "wrong")
    assert answer.status_code == 429
    assert answer["Retry-After"] == "600"
    assert sign_in(client, "rep", PASSWORD).status_code == 429
    assert "_auth_user_id" not in client.session
    assert sign_in(Client(), "rep", PASSWORD, "192.0.2.2").status_code == 302, (
        "the owner gets in from elsewhere"
    )
    assert sign_in(Client(), "rep2", PASSWORD).status_code == 302, (
        "another account at the same address does too"
    )
    with time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=11)):
        assert sign_in(Client(), "rep", PASSWORD).status_code == 302


def test_a_forwarded_address_counts_only_behind_our_own_proxy(cast: Cast, settings: Any) -> None:
    for n in range(settings.AXES_FAILURE_LIMIT):
        Client().post(
            LOGIN,
            {"login": "rep", "password": "wrong"},
            REMOTE_ADDR="192.0.2.1",
            HTTP_X_FORWARDED_FOR=f"10.0.0.{n}",
        )
    assert sign_in(Client(), "rep", PASSWORD).status_code == 429


def test_a_new_password_ends_other_sessions_and_tokens(cast: Cast, token_for: Callable[..., str]) -> None:
    secret = token_for(cast.rep)
    here, there = Client(), Client()
    sign_in(here, "rep", PASSWORD)
    sign_in(there, "rep", PASSWORD)
    answer = here.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": "an-Other-long-one", "password2": "an-Other-long-one"},
    )
    assert answer.status_code == 302
    assert here.get("/admin/").status_code == 302
    assert "_auth_user_id" in here.session
    assert there.get("/accounts/password/change/").status_code == 302, "the other session is signed out"
    assert find(secret) is None


def test_leaving_ends_every_session(cast: Cast) -> None:
    client = Client()
    sign_in(client, "rep", PASSWORD)
    access_end(user=cast.rep)
    assert not Session.objects.filter(session_key=client.session.session_key).exists()


def test_nobody_can_sign_up(db: None) -> None:
    answer = Client().post(
        "/accounts/signup/",
        {
            "username": "eve",
            "email": "eve@crm.example",
            "password1": "a-Long-password",
            "password2": "a-Long-password",
        },
    )
    assert answer.status_code == 200
    from crmcem.workspace.models import User

    assert not User.objects.exists()


RESET = "/accounts/password/reset/"


def test_a_known_and_an_unknown_address_are_answered_alike(cast: Cast) -> None:
    known = Client().post(RESET, {"email": "rep@crm.example"})
    unknown = Client().post(RESET, {"email": "who@crm.example"})
    assert known.status_code == unknown.status_code == 302
    assert known["Location"] == unknown["Location"] == f"{RESET}done/"
    assert [(m.to, "/reset/key/" in str(m.body)) for m in mail.outbox] == [
        (["rep@crm.example"], True),
        (["who@crm.example"], False),
    ]
    for message in mail.outbox:
        assert message.extra_headers["Auto-Submitted"] == "auto-generated"
        assert message.subject.startswith("crmcem: ")


def test_a_mail_server_that_is_down_tells_nobody_which_address_is_known(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: EmailBackend, messages: Any) -> int:
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    for address in ("rep@crm.example", "who@crm.example"):
        answer = Client().post(RESET, {"email": address})
        assert (answer.status_code, answer["Location"]) == (302, f"{RESET}done/")
    assert mail.outbox == []


@pytest.mark.parametrize(
    "address", ["a@b.example\r\nBcc: evil@x.example", "a@b.example%0aBcc:x@y.example", "x" * 5000]
)
def test_an_address_with_a_header_in_it_is_no_address(cast: Cast, address: str) -> None:
    assert Client().post(RESET, {"email": address}).status_code == 200
    assert mail.outbox == []


def test_a_reset_link_works_once_and_ends_sessions_and_tokens(
    cast: Cast, token_for: Callable[..., str]
) -> None:
    secret = token_for(cast.rep)
    there = Client()
    sign_in(there, "rep", PASSWORD)
    Client().post(RESET, {"email": "rep@crm.example"})
    found = re.search(r"(/accounts/password/reset/key/\S+)", str(mail.outbox[0].body))
    assert found is not None
    link, here = found[1], Client()
    form = here.get(link)["Location"]
    values = {"password1": "an-Other-long-one", "password2": "an-Other-long-one"}
    assert here.post(form, values).status_code == 302
    assert sign_in(Client(), "rep", PASSWORD).status_code == 200
    assert sign_in(Client(), "rep", "an-Other-long-one").status_code == 302
    assert there.get("/profile/").status_code == 302
    assert find(secret) is None
    again = Client()
    used = again.get(link, follow=True)
    assert used.context["token_fail"] is True


def test_a_link_for_one_person_resets_no_other(cast: Cast) -> None:
    Client().post(RESET, {"email": "rep@crm.example"})
    Client().post(RESET, {"email": "rep2@crm.example"})
    keys = [re.search(r"/reset/key/([^-]+)-(\S+)/", str(m.body)) for m in mail.outbox]
    assert keys[0] is not None
    assert keys[1] is not None
    mixed = Client().get(f"{RESET}key/{keys[0][1]}-{keys[1][2]}/", follow=True)
    assert mixed.context["token_fail"] is True


def test_the_second_factor_is_asked_for_and_its_secrets_lie_encrypted(cast: Cast, settings: Any) -> None:
    secret = "JBSWY3DPEHPK3PXP"
    TOTP.activate(cast.rep, secret)
    RecoveryCodes.activate(cast.rep)
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    client = Client()
    answer = sign_in(client, "rep", PASSWORD)
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/2fa/authenticate/")
    assert "_auth_user_id" not in client.session, "half a sign-in is none"
    assert client.get("/profile/").status_code == 302
    assert client.get("/api/v1/users/me/").status_code == 401
    code = RecoveryCodes(Authenticator.objects.get(type="recovery_codes")).get_unused_codes()[0]
    assert client.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 302
    assert client.session["_auth_user_id"] == str(cast.rep.pk)

    kept = Authenticator.objects.get(type="totp").data["secret"]
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 50, [old]
    assert get_adapter().decrypt(kept) == secret, "a changed key reads what the one before wrote"
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(InvalidToken):
        get_adapter().decrypt(kept)


def test_guessing_the_second_factor_is_throttled(cast: Cast, settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = {}  # the framework's own
    TOTP.activate(cast.rep, "JBSWY3DPEHPK3PXP")
    client = Client()
    sign_in(client, "rep", PASSWORD)
    for _ in range(12):
        answer = client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert "Too many failed login attempts" in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_the_admin_has_no_way_in_of_its_own(cast: Cast) -> None:
    TOTP.activate(cast.admin, "JBSWY3DPEHPK3PXP")
    client = Client()
    answer = client.post("/admin/login/?next=/admin/", {"username": "admin", "password": PASSWORD})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=")
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/x",
        "/\\evil.example",
        "javascript:alert(1)",
        "https:evil.example",
        "\t//evil.example",
    ],
)
def test_signing_in_and_out_leads_to_no_other_site(cast: Cast, target: str) -> None:
    client = Client()
    came = client.post(f"{LOGIN}?next={target}", {"login": "rep", "password": PASSWORD, "next": target})
    assert (came.status_code, came["Location"]) == (302, "/")
    left = client.post("/accounts/logout/", {"next": target})
    assert left.status_code == 302
    assert left["Location"] in ("/", LOGIN)


def test_signing_in_leads_back_to_where_one_was_going(cast: Cast) -> None:
    came = Client().post(LOGIN, {"login": "rep", "password": PASSWORD, "next": "/contacts/?search=a"})
    assert came["Location"] == "/contacts/?search=a"
