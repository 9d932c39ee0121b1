"""A page and its fragment from one view and one context."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers

Level = Literal["success", "info", "warning", "error"]


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of a page (a boosted or restored page is a whole one)."""
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.history_restore_request


def render_page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    fragment: str | None = None,
    status: int = 200,
) -> HttpResponse:
    """``fragment`` for htmx, ``template`` for everybody else; caches keep the two apart."""
    name = fragment if fragment and is_fragment(request) else template
    response = render(request, name, dict(context), status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def trigger(response: HttpResponse, **events: Any) -> HttpResponse:
    """Fire ``events`` in the browser when htmx has the answer (names with ``_`` become ``-``)."""
    before = json.loads(response.get("HX-Trigger", "{}"))
    named = {name.replace("_", "-"): value for name, value in events.items()}
    response["HX-Trigger"] = json.dumps(before | named)
    return response


def toast(response: HttpResponse, text: Any, level: Level = "success") -> HttpResponse:
    """Show ``text`` as a toast. An error stays until it is read."""
    return trigger(response, toast={"text": str(text), "level": level})


def close_modal(text: Any = "", refresh: str = "list") -> HttpResponse:
    """The answer to a form in the modal that succeeded: close it, say so, refresh what listens.

    ``refresh`` names the event that the page's parts listen to: ``hx-trigger="<refresh> from:body"``.
    """
    response = HttpResponse(status=204)
    trigger(response, close_modal=True)
    if text:
        toast(response, text)
    return trigger(response, **{refresh: True}) if refresh else response


def go(request: HttpRequest, url: str) -> HttpResponse:
    """Send the person to ``url``, from htmx or not."""
    if is_fragment(request):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return redirect(url)
