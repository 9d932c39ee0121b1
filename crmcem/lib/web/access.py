"""Who may open a page."""

from typing import Any, ClassVar

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from crmcem.lib.actors import Actor
from crmcem.lib.errors import Conflict
from crmcem.lib.references import Moved


class ScopedView(LoginRequiredMixin):
    """Signed in, and with a role that covers ``scope`` (``deals:read``); 403 otherwise.

    ``write_scope`` is asked for by everything that is not a GET; empty means ``scope``.
    """

    scope: ClassVar[str] = ""
    write_scope: ClassVar[str] = ""
    request: HttpRequest

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user: Any = request.user
        if user.is_authenticated:
            safe = request.method in {"GET", "HEAD", "OPTIONS"}
            needed = self.scope if safe else self.write_scope or self.scope
            if needed and not user.may(needed):
                raise PermissionDenied
        try:
            return super().dispatch(request, *args, **kwargs)
        except Moved as moved:
            return self.moved(request, moved)

    def moved(self, request: HttpRequest, moved: Moved) -> HttpResponseBase:
        """A page opened by the id of a merged record leads to the one it became part of; a write is refused."""
        match = request.resolver_match
        if request.method not in {"GET", "HEAD"} or match is None:
            raise Conflict(
                "merged",
                _("This record was merged into another one meanwhile (id %(id)s). Nothing was changed.")
                % {"id": moved.pk},
            )
        url = reverse(match.view_name, kwargs={**match.kwargs, "pk": moved.pk})
        query = request.META.get("QUERY_STRING", "")
        return redirect(f"{url}?{query}" if query else url)

    @property
    def actor(self) -> Actor:
        """Who acts in this request, for services."""
        return self.request.actor  # type: ignore[attr-defined,no-any-return]
