"""Who tries to sign in, from where, and what they see when it was tried too often."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from crmcem.lib.web.errors import page


def account_of(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """The account that is tried, however it is named (username and e-mail count separately)."""
    given = credentials or {}
    name = (
        given.get("username")
        or given.get("email")
        or request.POST.get("login")
        or request.POST.get("username")
    )
    return str(name or "").strip().lower()[:254]


def address_of(request: HttpRequest) -> str:
    """The client's address: the peer's, or what the outermost trusted proxy saw."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    hops = [h.strip() for h in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if h.strip()]
    count = settings.TRUSTED_PROXIES
    return hops[-count] if count and len(hops) >= count else peer


def locked_out(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """429 for this account from this address, for ten minutes; the owner gets in from elsewhere."""
    response = page(request, 429)
    response["Retry-After"] = str(int(settings.AXES_COOLOFF_TIME.total_seconds()))
    return response
