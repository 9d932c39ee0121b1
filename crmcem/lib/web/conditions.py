"""The conditions of a list: built in a panel, kept in its URL, told in words above it.

What was built comes by POST, so that nothing of the open list moves before the conditions can be used; then the
browser is sent to the list's own URL with them. A page takes part by ``builder`` and a FilterSet with ``registry``.
"""

import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from crmcem.lib.conditions import Node, explain, parse, to_json
from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import capped_count
from crmcem.lib.web.htmx import is_fragment, toast, trigger

NAME = "conditions"
#: of the encoded text in a URL; servers and proxies take addresses of 8,000 characters
MAX_ENCODED = 4000
#: what people may type or paste into the panel
MAX_TEXT = 100_000


def too_long(value: str) -> bool:
    return len(quote(value)) > MAX_ENCODED


def read(page: Any, text: str) -> tuple[Node | None, str]:
    """The conditions in ``text`` and their short form for the URL; (None, "") for none. Raises DomainError."""
    if not text.strip():
        return None, ""
    try:
        data = json.loads(text) if len(text) <= MAX_TEXT and "\x00" not in text else None
    except (ValueError, RecursionError):
        data = None
    if data is None:
        raise DomainError.of(NAME, "invalid", _("This is no JSON. Mend it or build it anew."))
    if data in ({"all": []}, {}):
        return None, ""
    node = parse(data, page.filterset_class.registry, user=page.request.user)
    short = json.dumps(to_json(node), ensure_ascii=False, separators=(",", ":"))
    if too_long(short):
        raise DomainError.of(
            NAME,
            "too_long",
            _(
                "These conditions are too long for the address of a list. Make a segment of them, and filter by that."
            ),
        )
    return node, short


def told(page: Any) -> dict[str, Any] | None:
    """What stands above the list: the conditions in words, how to change them and how to be rid of them."""
    value = page.query.params.get(NAME, "")
    if not value or not page.has_builder:
        return None
    try:
        node, _short = read(page, value)
        words = explain(node) if node is not None else ""
    except DomainError:
        words = ""
    return {"words": words, "without": page.query.url(**{NAME: None})}


def panel(page: Any, text: str | None = None, error: DomainError | None = None) -> HttpResponse:
    """The builder over the open list's conditions, or over what was sent and can't be used."""
    shown: Any = page.query.params.get(NAME, "") if text is None else text
    with suppress(ValueError, RecursionError):
        shown = json.loads(shown)
    context = {
        "list": page,
        "builder": page.builder(shown),
        "faults": error.errors if error else [],
        "active": bool(page.query.params.get(NAME)),
    }
    response: HttpResponse = page.respond("components/list_conditions.html", context, 422 if error else 200)
    return response


def answer(page: Any) -> HttpResponse:
    """Apply what was built to the open list, or tell how many rows it would leave."""
    if page.request.POST["conditions_do"] == "preview":
        return _preview(page)
    text = page.request.POST.get(NAME, "")
    try:
        _node, short = read(page, text)
    except DomainError as error:
        return panel(page, text, error)
    url = page.request.path + page.query.url(**{NAME: short or None})
    if not is_fragment(page.request):
        return redirect(url)
    goal = {"path": url, "target": "#list", "swap": "outerHTML"}
    response = HttpResponse(status=204, headers={"HX-Location": json.dumps(goal)})
    trigger(response, conditions_applied=True)
    said = _("The conditions are applied.") if short else _("The conditions are gone.")
    return toast(response, said)


def _preview(page: Any) -> HttpResponse:
    """The words of what is being built and how many rows of the open list would be left."""
    try:
        node, short = read(page, page.request.POST.get(NAME, ""))
        rows = page.narrowed(short)
        context: dict[str, Any] = {
            "words": explain(node) if node is not None else "",
            "count": page.counted(*capped_count(rows, page.count_cap)),
            "list": page,
        }
    except DomainError as error:
        context = {"faults": error.errors}
    response: HttpResponse = page.respond("components/list_conditions_preview.html", context)
    return response
