"""Saved views of lists: the interface that their owner (``contacts``) implements, and their pages.

A view is a name for a list's query string. The lists know only this interface.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from crmcem.lib.actors import Actor

Sharing = Literal["private", "team", "all"]


@dataclass(frozen=True, slots=True)
class View:
    """One saved view as this person has it. ``mine`` says whether they may change it.

    ``opens_for`` is whom it opens first for beside its owner ("", "all", "role:ID"), ``rank`` how strongly it asks to
    be opened first (the lowest wins), and ``opens`` whether it is the one that this person's list opens with.
    """

    pk: int
    name: str
    query: str
    sharing: str
    is_default: bool
    is_pinned: bool
    mine: bool
    opens_for: str = ""
    rank: int = 0
    opens: bool = False


class Provider(Protocol):
    """Where saved views live. Errors are the house's own (DomainError, NotAllowed); a hidden view is None."""

    def views(self, user: Any, entity: str) -> Sequence[View]:
        """Those that the person may see, pinned ones first; one query."""

    def roles(self) -> Sequence[tuple[str, str]]:
        """The roles that a view can open first for, as ``role:ID`` and name."""

    def save(self, *, actor: Actor, entity: str, name: str, query: str, sharing: Sharing) -> View: ...

    def change(self, *, actor: Actor, pk: int, changes: dict[str, Any]) -> View:
        """Change ``name``, ``query``, ``sharing``, ``is_default``, ``is_pinned`` or ``opens_for`` of one's own view."""

    def choose(self, *, actor: Actor, pk: int, changes: dict[str, Any]) -> None:
        """``is_default`` and ``is_pinned`` of a view that somebody else shares, for oneself."""

    def delete(self, *, actor: Actor, pk: int) -> None: ...


class _Slot:
    provider: Provider | None = None


def use(provider: Provider) -> None:
    """Called once at start-up by the app that keeps the views."""
    _Slot.provider = provider


def provider() -> Provider | None:
    """The app's provider; None where no app keeps saved views."""
    return _Slot.provider
