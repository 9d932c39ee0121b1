"""How many statements a page takes, whatever the number of rows."""

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from contacts.models import Contact

from .browser import api, getter, web
from .timing import Line

SIZES = ("100k", "1M")
PAGES = (
    "contacts:list",
    "contacts:companies",
    "contacts:tasks",
    "contacts:interactions",
    "contacts:imports",
    "sales:deals",
    "sales:board",
    "feedback:surveys",
    "feedback:responses",
    "feedback:cases",
    "journeys:automations",
)
APIS = (
    "contacts",
    "companies",
    "tasks",
    "interactions",
    "deals",
    "surveys",
    "responses",
    "invitations",
    "cases",
)


def measure() -> dict[str, Any]:
    browser, client = web(), api()
    counts = {}
    for name in PAGES:
        counts[name] = _count(browser, reverse(name))
    for name in APIS:
        try:
            counts[f"api {name}"] = _count(client, reverse(f"{name.rstrip('s')}-list"))
        except NoReverseMatch:
            counts[f"api {name}"] = _count(client, f"/api/v1/{name}/")
    busy = Contact.objects.filter(pulse__nps__isnull=False, company__isnull=False).earliest("id")
    counts["360"] = _count(browser, reverse("contacts:contact", args=[busy.pk]))
    return counts


def _count(client: Any, url: str) -> int:
    answer = client.get(url)
    run = getter(client, answer["Location"] if answer.status_code == 302 else url)
    run()
    with CaptureQueriesContext(connection) as said:
        run()
    return len(said)


def lines(found: dict[str, dict[str, Any]]) -> list[Line]:
    figures = list(found.values())[-1]
    lists = {name: n for name, n in figures.items() if name != "360"}
    worst = max(lists, key=lambda name: lists[name])
    result = [
        Line("statements of a list, at most", lists[worst], "≤ 12", worst),
        Line("statements of the 360 page", figures["360"], "≤ 20"),
    ]
    if len(found) > 1:
        small = next(iter(found.values()))
        moved = [name for name in figures if figures[name] > small[name]]
        result.append(Line("pages with more statements on more rows", len(moved), "≤ 0", ", ".join(moved)))
    return result
