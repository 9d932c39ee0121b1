"""Every page of the product, read from the URL map."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.access.routes import WORDS, item_of, kind_of
from tests.access.world import MISSING

#: somebody else's house: their own tests cover them
FOREIGN = ("admin/", "accounts/", "api/")


@dataclass(frozen=True)
class Route:
    """``name`` with its app, ``keys`` the names in its path."""

    name: str
    keys: tuple[str, ...]

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> str:
        """The kind of record whose id the path needs; empty for a page without one."""
        return kind_of(self.name) if "pk" in self.keys else ""

    def url(self, ids: dict[str, int] | None = None) -> str:
        words = WORDS[""] | WORDS.get(self.name.partition(":")[0], {})
        known = ids or {}
        values = {
            "pk": known[self.kind] if ids is not None and self.kind else MISSING,
            "item": known.get(item_of(self.name), MISSING),
        }
        return reverse(
            self.name, kwargs={key: values[key] if key in values else words[key] for key in self.keys}
        )


def walk(patterns: Any, prefix: str = "", space: str = "") -> Iterator[Route]:
    for item in patterns:
        path = prefix + str(item.pattern)
        if path.startswith(FOREIGN):
            continue
        if isinstance(item, URLResolver):
            yield from walk(item.url_patterns, path, f"{item.namespace}:" if item.namespace else space)
        elif isinstance(item, URLPattern):
            yield Route(f"{space}{item.name}", tuple(item.pattern.converters))


@functools.cache
def routes() -> tuple[Route, ...]:
    return tuple(walk(get_resolver().url_patterns))
