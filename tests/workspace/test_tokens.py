import datetime as dt
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from crmcem.lib.actors import Actor, person
from crmcem.lib.errors import DomainError, NotAllowed
from crmcem.workspace.models import ApiToken, AuditEntry
from crmcem.workspace.policies import can
from crmcem.workspace.services.tokens import token_create, token_revoke
from crmcem.workspace.tokens import digest, find
from tests.conftest import Cast

pytestmark = pytest.mark.django_db


def test_the_secret_is_given_once_and_only_its_digest_stored(cast: Cast) -> None:
    token, secret = token_create(
        user=cast.rep, name=" sync ", scopes=["contacts:read"], expires_at=None, actor=person(cast.rep)
    )
    stored = ApiToken.objects.values().get(pk=token.pk)
    assert stored["digest"] == digest(secret)
    assert stored["name"] == "sync"
    assert secret not in str(stored)
    assert stored["prefix"] == secret[:10]
    assert find(secret) == token
    entry = AuditEntry.objects.get(table_name="workspace_apitoken", row_id=token.pk)
    assert (entry.actor_kind, entry.actor_id, entry.op, entry.changes) == ("user", cast.rep.pk, "I", None)


@pytest.mark.parametrize(
    "values",
    [{"expires_at": timezone.now() - dt.timedelta(seconds=1)}, {"revoked_at": timezone.now()}],
)
def test_expired_and_revoked_tokens_are_not_found(
    cast: Cast, token_for: Callable[..., str], values: dict[str, Any]
) -> None:
    assert find(token_for(cast.rep, **values)) is None


def test_tokens_of_people_who_left_are_not_found(cast: Cast, token_for: Callable[..., str]) -> None:
    secret = token_for(cast.rep)
    cast.rep.is_active = False
    cast.rep.save()
    assert find(secret) is None


def test_a_token_never_exceeds_its_persons_role(cast: Cast) -> None:
    with pytest.raises(DomainError) as caught:
        token_create(
            user=cast.rep, name="x", scopes=["settings:write"], expires_at=None, actor=person(cast.rep)
        )
    assert caught.value.errors[0].code == "not_granted"
    assert not ApiToken.objects.exists()
    wide = Actor("token", 1, cast.rep, frozenset({"*"}))
    assert can(wide, "contacts:read")
    assert not can(wide, "settings:write")
    narrow = Actor("token", 1, cast.rep, frozenset({"deals:read"}))
    assert can(narrow, "deals:read")
    assert not can(narrow, "contacts:read")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": " "}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["contacts:fly"]}, "scopes"),
        ({"expires_at": timezone.now() - dt.timedelta(days=1)}, "expires_at"),
    ],
)
def test_bad_input_is_named_and_makes_nothing(cast: Cast, values: dict[str, Any], field: str) -> None:
    good: dict[str, Any] = {"name": "x", "scopes": ["contacts:read"], "expires_at": None}
    with pytest.raises(DomainError) as caught:
        token_create(user=cast.rep, actor=person(cast.rep), **(good | values))
    assert caught.value.errors[0].field == field
    assert not ApiToken.objects.exists()


def test_only_settings_may_make_or_end_the_tokens_of_others(cast: Cast) -> None:
    with pytest.raises(NotAllowed):
        token_create(
            user=cast.rep2, name="x", scopes=["contacts:read"], expires_at=None, actor=person(cast.rep)
        )
    token, _secret = token_create(
        user=cast.rep2, name="x", scopes=["contacts:read"], expires_at=None, actor=person(cast.admin)
    )
    with pytest.raises(NotAllowed):
        token_revoke(token=token, actor=person(cast.rep))
    token.refresh_from_db()
    assert token.revoked_at is None
    token_revoke(token=token, actor=person(cast.rep2))
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_the_command_prints_a_token_that_works(cast: Cast) -> None:
    out = StringIO()
    call_command("create_api_token", "integrator", "--scopes", "events:write,contacts:read", stdout=out)
    token = find(out.getvalue().strip())
    assert token is not None
    assert token.user == cast.integrator
    assert token.scopes == ["contacts:read", "events:write"]
    assert token.expires_at is not None
    with pytest.raises(CommandError, match="no active person"):
        call_command("create_api_token", "nobody-here")
    with pytest.raises(CommandError, match="does not cover"):
        call_command("create_api_token", "rep", "--scopes", "settings:write")
