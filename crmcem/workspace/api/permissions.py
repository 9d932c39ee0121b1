from typing import Any

from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from crmcem.workspace.policies import require


def _signed_in(request: Request) -> bool:
    return getattr(request, "actor", None) is not None and bool(request.user.is_authenticated)


class ScopePermission(BasePermission):
    """The view's ``scope`` (``area:action``) must be covered by role and token. Raises NotAllowed."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not _signed_in(request):
            raise NotAuthenticated
        if getattr(view, "action", "") is None:
            return True  # a method that the resource does not have: 405 follows
        require(request.actor, view.scope)  # type: ignore[attr-defined]
        return True


class SignedIn(BasePermission):
    """Whoever is signed in: for what every colleague may know, and for one's own things."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not _signed_in(request):
            raise NotAuthenticated
        return True
