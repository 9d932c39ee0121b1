"""The navigation: apps register entries, the shell shows those that the person's role covers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from .registry import Registry


@dataclass(frozen=True, slots=True)
class Entry:
    """``shortcut`` is the key after ``g`` (``c`` for ``g c``); ``create_url_name`` puts it in the Create menu.

    ``scope`` is what the person needs (empty: everybody); ``icon`` a Tabler icon's name (``users``);
    ``section`` the heading it stands under (empty: the first group, without a heading); ``also`` another page
    (its URL name) under which the entry is the active one.
    """

    key: str
    label: Any
    icon: str
    url_name: str
    scope: str
    order: int = 100
    section: Any = ""
    shortcut: str = ""
    also: str = ""
    create_label: Any = ""
    create_url_name: str = ""
    create_scope: str = ""


entries: Registry[Entry] = Registry("navigation entry")


def register(*items: Entry) -> None:
    for item in items:
        entries.add(item.key, item)


def navigation(may: Callable[[str], bool], path: str) -> list[dict[str, Any]]:
    """The person's entries in order; the one that ``path`` lies most closely under is ``active``."""
    shown: list[dict[str, Any]] = []
    for entry in sorted(entries, key=lambda e: (e.order, e.key)):
        if entry.scope and not may(entry.scope):
            continue
        create = bool(entry.create_url_name) and may(entry.create_scope or entry.scope)
        create_url = reverse(entry.create_url_name) if create else ""
        shown.append(
            {"entry": entry, "url": reverse(entry.url_name), "active": False, "create_url": create_url}
        )
    under: list[tuple[int, dict[str, Any]]] = []
    for item in shown:
        urls = [item["url"], *([reverse(item["entry"].also)] if item["entry"].also else [])]
        lengths = [len(url) for url in urls if path == url or (url != "/" and path.startswith(url))]
        if lengths:
            under.append((max(lengths), item))
    if under:
        max(under, key=lambda pair: pair[0])[1]["active"] = True
    return shown
