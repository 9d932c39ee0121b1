"""How the two ways to sign in look in the OpenAPI document."""

from typing import Any

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "crmcem.workspace.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API token with the scopes that the request needs.",
        }


class CookieScheme(SessionScheme):  # type: ignore[no-untyped-call]
    target_class = "crmcem.workspace.authentication.SessionAuthentication"
    name = "session"
