"""Counts above lists, which are capped: however many rows a filter leaves, and however hard it is to tell."""

import json
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict

from contacts.views.lists import CompanyList, ContactList
from crmcem.lib.actors import person
from crmcem.lib.keyset import capped_count
from crmcem.workspace.models import User

from .segments import CONDITIONS
from .timing import Line, busy, percentile

SIZES = ("10k", "100k", "1M")
TURNS = 5
_PEOPLE = {"field": "people.lowest_nps", "op": "lte", "value": 2}
LISTS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "all": (ContactList, {}),
    "search": (ContactList, {"search": "smith"}),
    "a stage": (ContactList, {"lifecycle_stage": "qualified"}),
    "a tag": (ContactList, {"tag": "loyal"}),
    "nobody responsible": (ContactList, {"quality": "unowned"}),
    "stale": (ContactList, {"quality": "stale"}),
    "detractors": (ContactList, {"pulse__nps__lte": 6}),
    "five conditions": (ContactList, {"conditions": json.dumps(CONDITIONS)}),
    "companies": (CompanyList, {}),
    "companies by their people": (CompanyList, {"conditions": json.dumps(_PEOPLE)}),
}


def measure() -> dict[str, Any]:
    taken: dict[str, float] = {}
    for name, (view, query) in LISTS.items():
        page = _page(view, query)
        taken[name] = percentile([busy(lambda: capped_count(page.filtered())) for _ in range(TURNS)], 0.5)  # noqa: B023
    return taken


def _page(view: type[Any], query: dict[str, Any]) -> Any:
    request: Any = HttpRequest()
    request.method, request.path = "GET", f"/{view.entity}/"
    request.user = User.objects.get(username="admin")
    request.GET = QueryDict(urlencode(query))
    request.actor = person(request.user)
    page = view()
    page.setup(request)
    return page


def lines(found: dict[str, dict[str, Any]]) -> list[Line]:
    size, figures = list(found.items())[-1]
    slowest = max(figures, key=lambda name: figures[name])
    every = ", ".join(f"{name} {1000 * value:.0f}" for name, value in figures.items())
    return [
        Line(
            f"capped count of a list, slowest ({slowest}), {size}",
            1000 * figures[slowest],
            "≤ 150",
            every,
            " ms",
        )
    ]
