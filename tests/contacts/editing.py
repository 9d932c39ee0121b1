"""Edits of many records as tests make them: by the editor alone, or over a list."""

from collections.abc import Sequence
from typing import Any

from django.test import Client
from django.urls import reverse

from contacts.services.bulk_edit import CONTACTS
from crmcem.lib.actors import Actor
from crmcem.workspace.models import BulkEdit

HX = {"HX-Request": "true"}


def set_contacts(ids: list[int], key: str, raw: Any, actor: Actor) -> int:
    """Set a field of contacts without a list. Answers how many changed."""
    value = CONTACTS.check(key=key, raw=raw, actor=actor)
    return len(CONTACTS.write(key=key, value=value, ids=ids, actor=actor).changed)


def press(
    client: Client, name: str, button: str, rows: Sequence[Any] | None, value: Any = "", **more: Any
) -> Any:
    """A button of the list ``name`` (``app:url``), confirmed, on these rows or (None) on all that match."""
    chosen: dict[str, Any] = {"_all": "1"} if rows is None else {"ids": [str(row.pk) for row in rows]}
    data = {"_bulk": button, "_confirmed": "1", "value": value, **chosen, **more}
    return client.post(reverse(name) + "?view=all", data, headers=HX)


def undo(client: Client, edit: BulkEdit | None = None, *, toast: bool = False) -> Any:
    """The newest edit (or ``edit``) taken back, from its page or from the message."""
    edit = edit or BulkEdit.objects.latest("pk")
    url = reverse("workspace:edit-undo", args=[edit.pk])
    return client.post(url + ("?toast=1" if toast else ""), headers=HX)
