from collections.abc import Mapping
from typing import Any

import orjson
from django.utils.encoding import force_str
from django.utils.functional import Promise
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import JSONRenderer


def _fallback(value: Any) -> Any:
    if isinstance(value, Promise):
        return force_str(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


class OrjsonRenderer(JSONRenderer):
    """JSON by orjson: several times the speed of the standard library's."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if data is None:
            return b""
        return orjson.dumps(data, default=_fallback, option=orjson.OPT_NON_STR_KEYS)


class HouseNegotiation(DefaultContentNegotiation):
    """What we don't speak is told with what we do; an unknown ``?format=`` is no missing record."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable as error:
            if str(error.detail) != NotAcceptable.default_detail:
                raise
            known = ", ".join(each.media_type for each in renderers)
            raise NotAcceptable(f"This can't be answered as Accept asks for. Possible: {known}.") from None

    def filter_renderers(self, renderers: Any, format: str) -> Any:  # noqa: A002 - the name of DRF's parameter
        found = [each for each in renderers if each.format == format]
        if not found:
            known = ", ".join(each.format for each in renderers)
            raise NotAcceptable(f"This can't be answered as {format[:40]}. Possible: {known}.")
        return found
