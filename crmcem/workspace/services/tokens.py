"""Making and ending API tokens."""

import datetime as dt
from collections.abc import Sequence

from django.utils import timezone
from django.utils.translation import gettext as _

from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError, NotAllowed
from crmcem.workspace.models import ApiToken, User
from crmcem.workspace.policies import can
from crmcem.workspace.scopes import covers, is_scope
from crmcem.workspace.tokens import digest, new_secret

DEFAULT_DAYS = 365


def token_create(
    *,
    user: User,
    name: str,
    scopes: Sequence[str],
    expires_at: dt.datetime | None,
    actor: Actor,
) -> tuple[ApiToken, str]:
    """A token for ``user`` and its secret, which is shown once and never stored.

    People make tokens for themselves; one who may change settings also for others. A scope that the
    person's role lacks is an error. Raises DomainError, NotAllowed.
    """
    if (
        actor.is_limited
        and (actor.kind != "user" or actor.id != user.pk)
        and not can(actor, "settings:write")
    ):
        raise NotAllowed("settings:write")
    name = name.strip()
    if not name or len(name) > 120:
        raise DomainError.of("name", "invalid", _("Give the token a name of at most 120 characters."))
    wanted = sorted({scope.strip() for scope in scopes if scope.strip()})
    if not wanted:
        raise DomainError.of("scopes", "required", _("Choose at least one scope."))
    unknown = [scope for scope in wanted if not is_scope(scope)]
    if unknown:
        raise DomainError.of(
            "scopes", "invalid", _("Unknown scopes: %(names)s.") % {"names": ", ".join(unknown)}
        )
    granted = user.access.scopes
    lacking = [scope for scope in wanted if "*" not in scope and not covers(granted, scope)]
    if lacking:
        raise DomainError.of(
            "scopes",
            "not_granted",
            _("The person's role does not cover: %(names)s.") % {"names": ", ".join(lacking)},
        )
    if expires_at is not None and expires_at <= timezone.now():
        raise DomainError.of("expires_at", "invalid", _("The expiry must lie in the future."))
    secret = new_secret()
    with acting(actor):
        token = ApiToken.objects.create(
            user=user,
            name=name,
            prefix=secret[:10],
            digest=digest(secret),
            scopes=wanted,
            expires_at=expires_at,
        )
    return token, secret


def token_revoke(*, token: ApiToken, actor: Actor) -> None:
    """End a token at once; ending it twice is harmless. Raises NotAllowed."""
    if (
        actor.is_limited
        and (actor.kind != "user" or actor.id != token.user_id)
        and not can(actor, "settings:write")
    ):
        raise NotAllowed("settings:write")
    with acting(actor):
        ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=timezone.now())
