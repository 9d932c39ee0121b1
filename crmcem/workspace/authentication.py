"""Who sends an API request: a bearer token, or a signed-in session with CSRF."""

from typing import Any

from rest_framework import authentication, exceptions
from rest_framework.request import Request

from crmcem.lib.actors import Actor, person

from .tokens import find


def _attach(request: Request, actor: Actor) -> None:
    request.actor = actor  # type: ignore[attr-defined]
    request._request.actor = actor  # type: ignore[attr-defined]


class BearerAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer TOKEN``."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        scheme, _sep, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = find(secret.strip()) if 8 <= len(secret.strip()) <= 200 else None
        if token is None:
            raise exceptions.AuthenticationFailed("The token is not valid: unknown, expired or revoked.")
        _attach(request, Actor("token", token.pk, token.user, frozenset(token.scopes)))
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="crmcem"'


class SessionAuthentication(authentication.SessionAuthentication):
    """The web's session; every write needs the CSRF token."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied as error:
            how = "Send the token of the page as X-CSRFToken, or an API token as Authorization: Bearer."
            raise exceptions.PermissionDenied(f"{error.detail} {how}") from None

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        result = super().authenticate(request)
        if result is not None:
            _attach(request, person(result[0]))
        return result
