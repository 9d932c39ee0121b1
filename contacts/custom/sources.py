"""What rollup fields can add up: records related to a contact or company. Apps above register theirs in ``ready``."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

from crmcem.lib.conditions.expressions import payload_number
from crmcem.lib.registry import Registry

_PROPERTY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}(\.[A-Za-z_][A-Za-z0-9_]{0,39}){0,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Figure:
    """Something of a related record that can be added up (``number``, ``money``) or compared (``day``, ``moment``).

    ``value`` is its path or expression. Money counts where the column ``currency`` holds the organisation's; without
    one the amounts are in that currency anyway.
    """

    label: Any
    kind: str
    value: Any
    currency: str = ""
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the related records: those a rollup may be limited to."""

    label: Any
    q: Q


@dataclass(frozen=True, kw_only=True)
class Source:
    """Records related to one of ``entity``. ``rows()`` is all of them, and ``link`` the path to the id of the record.

    ``scope`` is what a person needs to read them; of those, each sees counted what ``visible_to`` gives. Rows without
    it are visible with the record itself. ``reads`` names what segments watch (``contacts.models.watch``). A source of
    events has ``event``, which checks the name of one (ValueError for another): any number in its payload is
    a figure.
    """

    key: str
    entity: str
    label: Any
    scope: str
    rows: Callable[[], QuerySet[Any]]
    link: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    parts: Mapping[str, Part] = field(default_factory=dict)
    reads: tuple[str, ...] = ()
    event: Callable[[Any], str] | None = None

    @property
    def events(self) -> bool:
        return self.event is not None

    def figure(self, name: str) -> Figure | None:
        """The figure of this name, or the number at this place of an event."""
        found = self.figures.get(name)
        if found is None and self.events and _PROPERTY.fullmatch(name):
            return Figure(name, "number", payload_number("payload", name), decimals=2)
        return found

    def known_fully(self, user: Any) -> bool:
        """Whether the person sees every one of these records, as the system does."""
        return bool(user.may(self.scope)) and user.access.visibility == "all"


sources: Registry[Source] = Registry("source of rollups")


def register(*items: Source) -> None:
    for item in items:
        sources.add(f"{item.entity}.{item.key}", item)


def sources_of(entity: str) -> list[Source]:
    return [each for each in sources if each.entity == entity]


def source_of(entity: str, key: Any) -> Source | None:
    return sources.get(f"{entity}.{key}")
