"""Contact lists: against bare views of the same rows in the same process, over sizes, and deep inside."""

from typing import Any
from urllib.parse import quote

from contacts.models import Contact
from crmcem.lib.keyset import encode

from .browser import api, getter, web, with_bare_views
from .timing import Line, interleaved

SIZES = ("10k", "100k", "1M")
ORDERS = {"newest": "-id", "name": "last_name", "last seen": "-pulse__last_seen_at"}


def measure() -> dict[str, Any]:
    with_bare_views()
    browser, client = web(), api()
    runs = {
        "page": getter(browser, "/contacts/"),
        "bare page": getter(browser, "/bench/list/"),
        "api": getter(client, "/api/v1/contacts/?page_size=50"),
        "bare api": getter(client, "/bench/api/"),
    }
    for name, order in ORDERS.items():
        runs[f"{name} first"] = getter(browser, f"/contacts/?ordering={order}")
        runs[f"{name} deep"] = getter(browser, f"/contacts/?ordering={order}&cursor={_middle(order)}")
        runs[f"api {name} first"] = getter(client, f"/api/v1/contacts/?page_size=50&ordering={order}")
        runs[f"api {name} deep"] = getter(
            client, f"/api/v1/contacts/?page_size=50&ordering={order}&cursor={_middle(order)}"
        )
    return interleaved(runs, rounds=25)


def _middle(order: str) -> str:
    """The cursor of a row in the middle of the list."""
    field = order.removeprefix("-")
    rows = Contact.objects.select_related("pulse").exclude(**{f"{field}__isnull": True}).order_by(field, "id")
    row = rows[rows.count() // 2]
    value: Any = row
    for part in field.split("__"):
        value = getattr(value, part)
    return quote(encode(None if field == "id" else value, row.pk, False))


def lines(found: dict[str, dict[str, Any]]) -> list[Line]:
    largest = list(found)[-1]
    figures = found[largest]
    result = [
        Line(
            "contact list page ÷ bare 50-row template view",
            figures["page"] / figures["bare page"],
            "≤ 2",
            _pair(figures, "page", "bare page"),
        ),
        Line(
            "API list ÷ bare serializer view",
            figures["api"] / figures["bare api"],
            "≤ 1.5",
            _pair(figures, "api", "bare api"),
        ),
    ]
    if "10k" in found and largest != "10k":
        for name in ("page", "api"):
            growth = ", ".join(f"{size} {1000 * found[size][name]:.1f} ms" for size in found)
            result.append(
                Line(
                    f"contact list ({name}) at {largest} ÷ at 10k",
                    figures[name] / found["10k"][name],
                    "≤ 1.2",
                    growth,
                )
            )
    for prefix in ("", "api "):
        for name in ORDERS:
            first, deep = f"{prefix}{name} first", f"{prefix}{name} deep"
            result.append(
                Line(
                    f"deep {prefix}page ÷ first, by {name}",
                    figures[deep] / figures[first],
                    "≤ 1.2",
                    _pair(figures, deep, first),
                )
            )
    return result


def _pair(figures: dict[str, Any], one: str, other: str) -> str:
    return f"{1000 * figures[one]:.1f} ms against {1000 * figures[other]:.1f} ms"
