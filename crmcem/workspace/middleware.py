"""The person behind a web request: actor, language and time zone."""

import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from crmcem.lib.actors import person

from .organisation import organisation


class PersonMiddleware:
    """Sets ``request.actor`` and activates the person's time zone and language."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not user.is_authenticated:
            return self.get_response(request)
        request.actor = person(user)  # type: ignore[attr-defined]
        name = user.time_zone or organisation().time_zone
        try:
            zone = zoneinfo.ZoneInfo(name)
        except (KeyError, ValueError):
            zone = zoneinfo.ZoneInfo("UTC")
        if user.language:
            translation.activate(user.language)
        with timezone.override(zone):
            return self.get_response(request)
