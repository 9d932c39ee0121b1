"""What is said of an edit of many records: what it became, what automations made of it, the click that undoes it."""

from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crmcem.lib.bulk_edits import Told, automations_started, automations_warning, editors
from crmcem.lib.web.cells import grouped
from crmcem.workspace.models import BulkEdit

#: so many of those that an undo leaves alone are named in a message; its page names more
NAMED = 3


def automations_said(edit: BulkEdit, user: Any) -> str:
    """The runs that the edit has started, or else which automations may answer to it; empty where nothing changed."""
    if edit.is_open or not edit.changed or edit.model not in editors:
        return ""
    editor = editors[edit.model]
    told = Told(editor.kinds(edit.key), edit.txids, edit.created_at, edit.finished_at or timezone.now())
    back = edit.status == BulkEdit.Status.UNDONE
    return automations_started(told, user, back=back) or automations_warning(editor, edit.key, user)


def _counted(one: str, many: str, rows: int) -> str:
    return ngettext(one, many, rows) % {"rows": grouped(rows)}


def _card(edit: BulkEdit, words: list[str], level: str) -> dict[str, Any]:
    page = {"more": reverse("workspace:edit", args=[edit.pk]), "moreLabel": _("Details")}
    return {"text": " ".join(filter(None, words)), "level": level, **(page if edit.changed else {})}


def done_toast(edit: BulkEdit, user: Any) -> dict[str, Any]:
    """A message that says what an edit has changed and takes it back by one click."""
    same = edit.rows_done - edit.changed - edit.failed
    words = [_counted("%(rows)s record changed.", "%(rows)s records changed.", edit.changed)]
    if same:
        words.append(_counted("%(rows)s had this value already.", "%(rows)s had this value already.", same))
    words.append(automations_said(edit, user))
    card = _card(edit, words, "success" if edit.changed else "info")
    if not edit.changed:
        return card
    undo = f"{reverse('workspace:edit-undo', args=[edit.pk])}?toast=1"
    return card | {"undo": undo, "undoLabel": _("Undo"), "events": ["list"]}


def undone_toast(edit: BulkEdit, user: Any) -> dict[str, Any]:
    """A message that says what is as before, and names the first of those that stay."""
    words = [
        _counted(
            "%(rows)s record is as it was before.", "%(rows)s records are as they were before.", edit.restored
        )
    ]
    kept = edit.changed - edit.restored
    if kept:
        words.append(
            _counted(
                "%(rows)s was changed again or deleted since, or is no longer yours to see, and stays as it is.",
                "%(rows)s were changed again or deleted since, or are no longer yours to see, and stay as they are.",
                kept,
            )
        )
        names = [each[0] for each in edit.skipped[:NAMED]]
        words.append(", ".join(names) + (", …" if len(edit.skipped) > NAMED else "") if names else "")
    words.append(automations_said(edit, user))
    return _card(edit, words, "warning" if kept else "success")
