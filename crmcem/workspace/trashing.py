"""Deletions that can be undone, for the actions of lists and the pages of single records."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from crmcem.lib.actors import Actor
from crmcem.lib.records import lock_all
from crmcem.lib.web.bulk import LIMIT, BulkDone
from crmcem.lib.web.htmx import trigger
from crmcem.workspace.models import Trash
from crmcem.workspace.services.trash import trash_delete


@dataclass(frozen=True, slots=True)
class Deletion:
    """How records of ``model`` are deleted: ``service(ids=, actor=)`` answers how many went.

    ``page`` names the list that one comes back to. ``more(ids)`` are rows beside them that the service deletes too
    and that no foreign key tells of.
    """

    model: Any
    entity: str
    title: Any
    scope: str
    page: str
    service: Callable[..., int]
    more: Callable[[list[int]], Mapping[Any, Sequence[int]]] | None = None

    def delete(
        self, ids: Sequence[int], actor: Actor, *, path: str = "", title: str = ""
    ) -> tuple[int, Trash | None]:
        """Delete those of the records that the actor may see. Answers how many, and what brings them back.

        ``path`` and ``title`` are those of a single record: one comes back to its page, and knows it by its name.
        """

        def roots() -> dict[Any, list[int]]:
            found = [row.pk for row in lock_all(self.model, list(ids), actor)]
            return {self.model: found, **({} if self.more is None else self.more(found))}  # type: ignore[dict-item]

        return trash_delete(
            actor=actor,
            entity=self.entity,
            title=title or str(self.title),
            scope=self.scope,
            path=path or reverse(self.page),
            roots=roots,
            delete=lambda: self.service(ids=ids, actor=actor),
        )

    def run(self, *, actor: Actor, rows: Any, data: dict[str, Any]) -> BulkDone:
        """What a bulk action of a list does."""
        ids = list(rows.order_by().values_list("pk", flat=True)[:LIMIT])
        count, kept = self.delete(ids, actor)
        return BulkDone(count, undo_url=undo_url(kept))


def undo_url(kept: Trash | None) -> str:
    return reverse("workspace:trash-restore", args=[kept.pk]) if kept else ""


def with_undo(response: HttpResponse, text: str, kept: Trash | None) -> HttpResponse:
    """A toast that says what went and takes it back by one click; what the response refreshes is refreshed again."""
    toast: dict[str, Any] = {"text": text, "level": "success"}
    if kept is not None:
        events = [name for name in json.loads(response.get("HX-Trigger", "{}")) if name != "close-modal"]
        toast |= {"undo": undo_url(kept), "undoLabel": _("Undo"), "events": events}
    return trigger(response, toast=toast)


def say_with_undo(request: HttpRequest, text: str, kept: Trash | None) -> None:
    """The same for a whole page that comes next: its message has a button that takes the deletion back."""
    hint = f" {came_back_hint()}" if kept is not None else ""
    messages.success(request, f"{text}{hint}", extra_tags=undo_url(kept))


def came_back_hint() -> str:
    """For pages that can't offer the click itself."""
    return _("You can bring it back for half an hour under “Deleted and changed lately” in your menu.")
