"""Deleting many tasks or interactions, and what follows when they come back."""

from collections.abc import Sequence

from contacts.models import Interaction, Task
from contacts.services import interactions, tasks
from contacts.services.bulk import CHUNK
from contacts.services.stream import activities_append
from contacts.services.tasks import recompute_next_activity
from crmcem.lib.actors import Actor, acting
from crmcem.lib.records import lock_all
from crmcem.workspace.policies import require
from crmcem.workspace.services.trash import after_restore


def tasks_delete(*, ids: Sequence[int], actor: Actor) -> int:
    """Delete tasks. Answers how many went."""
    require(actor, "tasks:delete")
    with acting(actor):
        rows = lock_all(Task, list(ids), actor)
        said = [tasks.activity_of("task.deleted", row, {}) for row in rows]
        activities_append(actor=actor, activities=said)
        for start in range(0, len(rows), CHUNK):
            Task.objects.filter(pk__in=[row.pk for row in rows[start : start + CHUNK]]).delete()
        recompute_next_activity([row.contact_id for row in rows])
    return len(rows)


def interactions_delete(*, ids: Sequence[int], actor: Actor) -> int:
    """Delete interactions; the stream keeps that there were some, never what was said. Answers how many went."""
    require(actor, "interactions:delete")
    with acting(actor):
        rows = lock_all(Interaction, list(ids), actor)
        said = [interactions.activity_of("interaction.deleted", row, {"kind": row.kind}) for row in rows]
        activities_append(actor=actor, activities=said)
        for start in range(0, len(rows), CHUNK):
            Interaction.objects.filter(pk__in=[row.pk for row in rows[start : start + CHUNK]]).delete()
    return len(rows)


def _tasks_back(ids: list[int], actor: Actor) -> None:
    rows = list(Task.objects.filter(pk__in=ids))
    recompute_next_activity([row.contact_id for row in rows])
    said = [tasks.activity_of("task.restored", row, {}) for row in rows]
    activities_append(actor=actor, activities=said)


def _interactions_back(ids: list[int], actor: Actor) -> None:
    rows = Interaction.objects.filter(pk__in=ids)
    said = [interactions.activity_of("interaction.restored", row, {"kind": row.kind}) for row in rows]
    activities_append(actor=actor, activities=said)


def register_restores() -> None:
    """Called when the app is ready."""
    after_restore("task", Task, _tasks_back)
    after_restore("interaction", Interaction, _interactions_back)
