"""Soft references to records of a higher floor (a task's deal): who resolves and checks them.

And old ids: a record that was merged into another is found under that one's id.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from .registry import Registry


@dataclass(frozen=True, slots=True)
class ReferenceType:
    """``visible(ids, user)`` answers ``{id: label}`` for those that exist and that ``user`` may see.

    ``personal``: some are hidden also from people who see every customer.
    """

    key: str
    label: Any
    visible: Callable[[Collection[int], Any], dict[int, str]]
    url: Callable[[int], str]
    rows: Callable[[Any], Any] | None = None
    scope: str = ""
    write_scope: str = ""
    personal: bool = False


references: Registry[ReferenceType] = Registry("reference type")


def register(*items: ReferenceType) -> None:
    for item in items:
        references.add(item.key, item)


def is_visible(key: str, pk: int, user: Any) -> bool:
    """Whether the record exists and ``user`` may see it (no user: the system, which sees all)."""
    kind = references.get(key)
    return kind is not None and pk in kind.visible([pk], user)


# --- old ids ---------------------------------------------------------------------------------------
class Moved(Exception):
    """A record was asked for by the id it had before it was merged; ``pk`` is where it is now, and visible."""

    def __init__(self, pk: int) -> None:
        self.pk = pk
        super().__init__(pk)


_successors: dict[Any, Callable[[int], int | None]] = {}


def redirect(model: Any, find: Callable[[int], int | None]) -> None:
    """Let ``find(old id)`` say under which id a merged record of ``model`` lives now (None: it was not merged)."""
    _successors[model] = find


def successor(rows: Any, pk: int | None) -> Any:
    """The row among ``rows`` (those that may be seen) that stands for a merged record; None if there is none."""
    find = _successors.get(rows.model)
    new = find(pk) if find is not None and pk is not None else None
    return rows.filter(pk=new).first() if new is not None else None
