"""Many tasks given to somebody, or given up (``contacts.services.field_edits``)."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from contacts.models import Task
from contacts.services.field_edits import FieldEditor, Values, changes_of
from contacts.services.stream import activities_append
from contacts.services.tasks import ASSIGN, activity_of, recompute_next_activity
from contacts.validation import clean_task
from crmcem.lib.actors import Actor
from crmcem.lib.bulk_edits import Page, register
from crmcem.lib.errors import DomainError

CANCELLED = Task.Status.CANCELLED.value
KEYS = ("assignee", CANCELLED)


class TaskEditor(FieldEditor):
    """Giving up has no value. What is done stays done."""

    def checked(self, key: str, raw: Any, actor: Actor) -> Any:
        return None

    def differing(self, *, key: str, value: Any) -> Q:
        return ~Q(status=CANCELLED) if key == CANCELLED else super().differing(key=key, value=value)

    def barred(self, *, key: str, value: Any) -> list[tuple[Q, str]]:
        done = Q(status=Task.Status.DONE)
        return [(done, _("Done, so they stay as they are: %(count)s."))] if key == CANCELLED else []

    def kinds(self, key: str) -> tuple[str, ...]:
        return ("task.cancelled",) if key == CANCELLED else ("task.updated",)

    def wanted(self, row: Any, key: str, value: Any, shared: Values) -> Values:
        if key != CANCELLED:
            return super().wanted(row, key, value, shared)
        if row.status == Task.Status.DONE:
            raise DomainError.of("value", "closed", _("This task is done."))
        return {"status": CANCELLED, "completed_at": None} if row.status != CANCELLED else {}

    def follow(self, key: str, ids: list[int]) -> None:
        """A task that is given up is no next activity any more."""
        if key == CANCELLED:
            contacts = Task.objects.filter(pk__in=ids, contact__isnull=False)
            recompute_next_activity(list(contacts.values_list("contact_id", flat=True)))

    def tell(
        self, key: str, rows: Sequence[Any], olds: Mapping[int, Values], actor: Actor, back: bool
    ) -> None:
        if key == CANCELLED:
            said = [activity_of("task.reopened" if back else "task.cancelled", row, {}) for row in rows]
        else:
            said = [activity_of("task.updated", r, {"changes": changes_of(r, olds[r.pk])}) for r in rows]
        activities_append(actor=actor, activities=said)


TASKS = TaskEditor(
    Task,
    "task",
    scope="tasks:write",
    assign=ASSIGN,
    keys=KEYS,
    references={},
    clean=clean_task,
)


def register_editor() -> None:
    """Called when the app is ready."""
    register(Task._meta.label, TASKS, Page("tasks", "contacts:tasks"))
