"""Slots of a page that upper floors fill: the page asks for its panels by URL name and knows none of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from .registry import Registry


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: ``url_name`` takes the record's pk and answers an HTML fragment.

    ``args`` come before the pk where an address serves several kinds of record.
    ``slot`` is ``contact``, ``company``, ``deal`` or ``home``; ``scope`` what the person needs to see it.
    """

    key: str
    slot: str
    label: Any
    url_name: str
    scope: str
    order: int = 100
    args: tuple[str, ...] = ()


panels: Registry[Panel] = Registry("panel")


def register(*items: Panel) -> None:
    for item in items:
        panels.add(item.key, item)


def panels_for(slot: str, may: Callable[[str], bool], pk: int | None = None) -> list[dict[str, Any]]:
    """The panels of ``slot`` that the person may see, in order: ``[{key, label, url, leads}]``; order 0 leads."""
    args = [] if pk is None else [pk]
    found = sorted((p for p in panels if p.slot == slot and may(p.scope)), key=lambda p: (p.order, p.key))
    return [
        {
            "key": p.key,
            "label": p.label,
            "url": reverse(p.url_name, args=[*p.args, *args]),
            "leads": p.order == 0,
        }
        for p in found
    ]
