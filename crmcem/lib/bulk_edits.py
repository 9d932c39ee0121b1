"""One field of many records set to one value: what the keeper of such edits asks the owner of the records for.

The app that owns a model registers an ``Editor`` for it. The keeper (``workspace.services.edits``) cuts the rows into
chunks, remembers what stood there before, and takes an edit back for a while.
"""

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crmcem.lib.actors import Actor

#: ``(row, reason)``, with the row's id as a third where a client needs it
Line = tuple[str, str] | tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Written:
    """What a chunk became: ``(id, what stood there, version now)`` of each changed row, and those that could not be
    changed."""

    changed: list[tuple[int, Any, int]] = field(default_factory=list)
    failed: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of a chunk that was taken back: how many rows are as before, and ``(row, reason)`` of those that
    the actor sees and that stay as they are now."""

    count: int
    kept: list[Line] = field(default_factory=list)


class Editor(Protocol):
    """How the fields of a model are set in bulk. Values and what stood there before are JSON.

    ``at_once`` is how many rows are changed without a job and ``chunk`` how many in one transaction of it; None: as
    the keeper thinks (where a row takes long, say less).
    """

    scope: str
    at_once: int | None
    chunk: int | None
    assign: str
    entity: str
    keys: Sequence[str]

    def check(self, *, key: str, raw: Any, actor: Actor) -> Any:
        """The clean value of the field ``key``. Raises DomainError (of the field ``value``), NotAllowed."""

    def differing(self, *, key: str, value: Any) -> Any:
        """A Q on the rows that do not have the value yet."""

    def barred(self, *, key: str, value: Any) -> list[tuple[Any, str]]:
        """A Q on rows that can't take the value (each row is in one at most), and a sentence with ``%(count)s``."""

    def kinds(self, key: str) -> Sequence[str]:
        """The kinds of activity that setting the field leaves behind."""

    def write(self, *, key: str, value: Any, ids: list[int], actor: Actor) -> Written:
        """Set it on those of the rows that the actor may see; one transaction, one activity each."""

    def restore(self, *, key: str, before: dict[int, tuple[Any, int]], actor: Actor) -> Restored:
        """Put back what stood there wherever the row still has what the edit gave it (``(before, version)``)."""


@dataclass(frozen=True, slots=True)
class Page:
    """What the records are called in addresses of the API, and the list whose filters choose among them."""

    name: str
    url_name: str


#: by ``Model._meta.label``
editors: dict[str, Editor] = {}
pages: dict[str, Page] = {}


def register(model_label: str, editor: Editor, page: Page | None = None) -> None:
    """``model_label`` as in ``Model._meta.label``; with ``page`` the records are edited over the API, too."""
    editors[model_label] = editor
    if page is not None:
        pages[model_label] = page


# --- what an undo does not reach ---------------------------------------------------------------------------
#: ``f(kinds, user)``: the names of what answers by itself to activities of these kinds, "" for one that the person
#: may not read of
Listener = Callable[[Collection[str], Any], Sequence[str]]
listeners: list[Listener] = []
NAMED = 3


@dataclass(frozen=True, slots=True)
class Told:
    """What an edit told the stream: kinds of activity, in which transactions, and between which moments."""

    kinds: Collection[str]
    txids: Collection[int]
    since: dt.datetime
    until: dt.datetime


#: ``f(told, user)``: the runs that began by it, ``(name of the automation, runs)``, the most first; none for who may
#: not read of them
Counter = Callable[[Told, Any], Sequence[tuple[str, int]]]
counters: list[Counter] = []


def automations_warning(editor: Editor, key: str, user: Any) -> str:
    """What is said before and after an edit of ``key`` that automations may answer to; empty where none does."""
    found = [name for listener in listeners for name in listener(editor.kinds(key), user)]
    names = [f"“{name}”" for name in found if name][:NAMED]
    if not found:
        return ""
    if not names:
        return _("Automations may answer to this change. Undo does not take back what they do.")
    more = ", …" if len(found) > len(names) else ""
    return _("Automations may answer to this change: %(names)s. Undo does not take back what they do.") % {
        "names": ", ".join(names) + more
    }


def automations_started(told: Told, user: Any, *, back: bool = False) -> str:
    """How many runs of automations an edit has started; ``back``: it was taken back. Empty where none began."""
    found = [each for counter in counters for each in counter(told, user)] if told.txids else []
    if not found:
        return ""
    total = sum(runs for _name, runs in found)
    named = [f"“{name}” ({runs})" for name, runs in found[:NAMED]]
    said = {"runs": total, "names": ", ".join(named) + (", …" if len(found) > NAMED else "")}
    text = (
        ngettext(
            "It had started %(runs)s run of automations: %(names)s. What they did stays.",
            "It had started %(runs)s runs of automations: %(names)s. What they did stays.",
            total,
        )
        if back
        else ngettext(
            "It has started %(runs)s run of automations: %(names)s. Undo does not take back what they do.",
            "It has started %(runs)s runs of automations: %(names)s. Undo does not take back what they do.",
            total,
        )
    )
    return text % said
