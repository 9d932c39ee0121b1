"""Records that a person can star and comes back to: apps say which pages show which kind of record."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from .registry import Registry


@dataclass(frozen=True, slots=True)
class Kind:
    """``page`` is the URL name of the record's page, whose only argument is ``pk``.

    ``visible(ids, user)`` answers ``{id: name}`` for those that exist and that the person may see.
    """

    key: str
    page: str
    icon: str
    scope: str
    visible: Callable[[Collection[int], Any], dict[int, str]]


kinds: Registry[Kind] = Registry("kind of record to mark")


def register(*items: Kind) -> None:
    for item in items:
        kinds.add(item.key, item)


def names_of(rows: Callable[[Any], Any]) -> Callable[[Collection[int], Any], dict[int, str]]:
    """``visible`` of a kind from ``rows(user)``, the queryset of what the person may see."""

    def visible(ids: Collection[int], user: Any) -> dict[int, str]:
        return {row.pk: str(row) for row in rows(user).filter(pk__in=ids)}

    return visible


def record_of(match: Any) -> tuple[str, int] | None:
    """Kind and id of the record that a resolved address shows; None for any other page."""
    if match is None or set(match.kwargs) != {"pk"}:
        return None
    found = next((kind.key for kind in kinds if kind.page == match.view_name), None)
    return (found, match.kwargs["pk"]) if found else None
