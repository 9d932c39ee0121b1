"""A list as a person would open it now: for work in the background that goes on with what they saw."""

import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.http import HttpRequest, QueryDict
from django.urls import Resolver404, resolve
from django.utils import timezone, translation

from crmcem.lib.actors import person
from crmcem.workspace.models import User
from crmcem.workspace.organisation import organisation
from crmcem.workspace.policies import require


def list_behind(user: User, path: str, query: str) -> Any:
    """The list at an address. Raises Resolver404 where there is none, NotAllowed where it is not theirs to open."""
    match = resolve(path)
    view: Any = getattr(match.func, "view_class", None)
    if view is None or not hasattr(view, "filtered"):
        raise Resolver404
    request = HttpRequest()
    request.method, request.path, request.user = "GET", path, user
    request.GET = QueryDict(query)
    request.actor = person(user)  # type: ignore[attr-defined]
    page = view()
    page.setup(request, *match.args, **match.kwargs)
    require(request.actor, page.scope)  # type: ignore[attr-defined]
    return page


@contextmanager
def seen_as(user: User) -> Iterator[None]:
    """The person's language and time zone."""
    try:
        zone = zoneinfo.ZoneInfo(user.time_zone or organisation().time_zone)
    except (KeyError, ValueError):
        zone = zoneinfo.ZoneInfo("UTC")
    with translation.override(user.language or settings.LANGUAGE_CODE), timezone.override(zone):
        yield
