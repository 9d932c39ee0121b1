"""Tasks: making, changing, completing (and what comes next), and the next activity of their contacts."""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Pulse, Task
from contacts.recurrence import next_occurrence, on_wall, wall_distance, zone_of
from contacts.services.contacts import split
from contacts.services.owners import MISSING, owner_for_new, owner_named
from contacts.services.stream import NewActivity, activity_append
from contacts.services.subjects import NAMES, subjects
from contacts.validation import clean_task, needs_due
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import Conflict, DomainError
from crmcem.lib.records import change, lock, save_next_version
from crmcem.workspace.models import User
from crmcem.workspace.organisation import organisation
from crmcem.workspace.policies import require

ASSIGN = "tasks:assign"


def task_create(*, data: Mapping[str, Any], actor: Actor, automation_key: str | None = None) -> Task:
    """Make a task. ``data``: the fields of ``contacts.validation``; ``contact``, ``company`` and ``assignee`` by
    row or id, ``deal`` by id. The assignee is the acting person unless named.

    ``status`` may be named: one that is done already is logged so. With ``automation_key`` the same task is
    never made twice: the first one is answered.
    """
    require(actor, "tasks:write")
    own, given = split(data, *NAMES, "assignee", "status")
    values, errors = clean_task(own)
    if errors:
        raise DomainError(*errors)
    with acting(actor):
        if automation_key is not None:
            made = _made_before(automation_key)
            if made is not None:
                return made
        owner = _renamed(owner_for_new, given.get("assignee", MISSING), actor)
        task = Task(**values, **subjects(given, actor), automation_key=automation_key)
        task.owner, task.team = owner, owner.team if owner else None
        if task.company is None and task.contact is not None:
            task.company_id = task.contact.company_id
        task.time_zone = task.time_zone or zone_for(owner)
        task.series_start = task.due_at if task.recurrence else None
        task.save(force_insert=True)
        recompute_next_activity([task.contact_id])
        activity_append(actor=actor, activity=activity_of("task.created", task, {"assignee": task.owner_id}))
        return _to_status(task, given.get("status", Task.Status.OPEN), actor)


def task_update(
    *, task: Task, data: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> Task:
    """Change what ``data`` names. A new reminder time is reminded of again; a new due time or rhythm starts the
    series anew. ``status`` may be named too: it completes, cancels or reopens the task.
    """
    require(actor, "tasks:write")
    own, given = split(data, *NAMES, "assignee", "status")
    values, errors = clean_task(own, partial=True)
    if errors:
        raise DomainError(*errors)
    with acting(actor):
        task = lock(Task, task.pk, actor, expected_version)
        before = task.contact_id
        values |= subjects(given, actor, task)
        if "assignee" in given and getattr(given["assignee"], "pk", given["assignee"]) != task.owner_id:
            owner = _renamed(owner_named, given["assignee"], actor)
            values |= {"owner": owner, "team": owner.team if owner else None}
        if values.get("time_zone") == "":
            values["time_zone"] = zone_for(values.get("owner", task.owner))
        changed = change(task, values)
        if task.recurrence and not task.due_at:
            raise DomainError(needs_due())
        _rearm(task, changed)
        if changed:
            recompute_next_activity([before, task.contact_id])
            activity_append(actor=actor, activity=activity_of("task.updated", task, {"changes": changed}))
        return _to_status(task, given.get("status", task.status), actor)


def _rearm(task: Task, changed: Mapping[str, Any]) -> None:
    """What follows from a change of times: a fresh reminder, a fresh series."""
    extra: dict[str, Any] = {}
    if "remind_at" in changed:
        extra["reminded_at"] = None
    if changed.keys() & {"due_at", "recurrence", "time_zone"}:
        extra |= {"series_start": task.due_at if task.recurrence else None, "series_number": 0}
    if extra:
        for name, value in extra.items():
            setattr(task, name, value)
        task.save(update_fields=list(extra))


def _to_status(task: Task, status: str, actor: Actor) -> Task:
    """The locked task brought to ``status`` in the way that has its effects."""
    if status == task.status:
        return task
    match status:
        case Task.Status.DONE:
            _complete(task, actor)
        case Task.Status.CANCELLED:
            _close(task, Task.Status.CANCELLED, actor)
        case Task.Status.OPEN:
            _reopen(task, actor)
        case _:
            names = ", ".join(Task.Status.values)
            raise DomainError.of(
                "status", "invalid_choice", _("Choose one of: %(names)s.") % {"names": names}
            )
    return task


def task_complete(*, task: Task, actor: Actor, expected_version: int | None = None) -> Task:
    """Mark a task as done; a repeating one makes its next. Done twice is done once."""
    require(actor, "tasks:write")
    with acting(actor):
        task = lock(Task, task.pk, actor, expected_version)
        return _to_status(task, Task.Status.DONE, actor)


def task_cancel(*, task: Task, actor: Actor, expected_version: int | None = None) -> Task:
    """Give a task up; a repeating one ends with it."""
    require(actor, "tasks:write")
    with acting(actor):
        task = lock(Task, task.pk, actor, expected_version)
        return _to_status(task, Task.Status.CANCELLED, actor)


def task_reopen(*, task: Task, actor: Actor, expected_version: int | None = None) -> Task:
    """Open a closed task again. The next one of a series, if still open, is taken back."""
    require(actor, "tasks:write")
    with acting(actor):
        task = lock(Task, task.pk, actor, expected_version)
        return _to_status(task, Task.Status.OPEN, actor)


def task_delete(*, task: Task, actor: Actor, expected_version: int | None = None) -> None:
    """Delete a task."""
    require(actor, "tasks:delete")
    with acting(actor):
        task = lock(Task, task.pk, actor, expected_version)
        contact_id = task.contact_id
        activity_append(actor=actor, activity=activity_of("task.deleted", task, {}))
        task.delete()
        recompute_next_activity([contact_id])


def _complete(task: Task, actor: Actor) -> None:
    if task.status != Task.Status.OPEN:
        raise Conflict("closed", _("This task is cancelled. Reopen it first."))
    _close(task, Task.Status.DONE, actor)
    if task.recurrence and task.due_at:
        _make_next(task, actor)


def _close(task: Task, status: Task.Status, actor: Actor) -> None:
    task.status = status
    task.completed_at = timezone.now() if status == Task.Status.DONE else None
    save_next_version(task, ["status", "completed_at"])
    recompute_next_activity([task.contact_id])
    kind = "task.completed" if status == Task.Status.DONE else "task.cancelled"
    activity_append(actor=actor, activity=activity_of(kind, task, {}))


def _reopen(task: Task, actor: Actor) -> None:
    if task.series_start is not None:
        Task.objects.filter(automation_key=series_key(task), status=Task.Status.OPEN, version=1).delete()
    task.status, task.completed_at = Task.Status.OPEN, None
    save_next_version(task, ["status", "completed_at"])
    recompute_next_activity([task.contact_id])
    activity_append(actor=actor, activity=activity_of("task.reopened", task, {}))


def series_key(task: Task) -> str:
    """The key of the task that follows ``task``: however often it is completed, one follows."""
    return f"series:{task.pk}"


def _make_next(task: Task, actor: Actor) -> None:
    """The next task of the series, with its reminder as far ahead on the wall clock as this one's."""
    assert task.due_at is not None
    if _made_before(series_key(task)) is not None:
        return
    zone = zone_of(task.time_zone)
    number, due = next_occurrence(task, timezone.now())
    remind = None
    if task.remind_at:
        remind = on_wall(due, wall_distance(task.remind_at, task.due_at, zone), zone)
    own = ("title", "kind", "body", "time_zone", "priority", "recurrence")
    names = (*own, "owner_id", "team_id", "contact_id", "company_id", "deal_id")
    following = Task.objects.create(
        **{name: getattr(task, name) for name in names},
        due_at=due,
        remind_at=remind,
        series_start=task.series_start or task.due_at,
        series_number=number,
        automation_key=series_key(task),
    )
    recompute_next_activity([task.contact_id])
    activity_append(
        actor=actor,
        activity=activity_of("task.created", following, {"assignee": task.owner_id, "after": task.pk}),
    )


def recompute_next_activity(contact_ids: Collection[int | None]) -> None:
    """Set ``Pulse.next_activity_at`` of these contacts to the earliest due time of their open tasks.

    The rows are locked first, in order: a statement that waited for them would still count the tasks by its
    old snapshot, so the counting is a statement of its own, after the wait.
    """
    ids = sorted({pk for pk in contact_ids if pk is not None})
    if not ids:
        return
    locked = Pulse.objects.filter(pk__in=ids).order_by("pk").select_for_update()
    list(locked.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE contacts_pulse p SET next_activity_at = t.due_at
            FROM (
                SELECT wanted.id, (
                    SELECT min(due_at) FROM contacts_task
                    WHERE contact_id = wanted.id AND status = 'open'
                ) AS due_at
                FROM unnest(%s::bigint[]) AS wanted(id)
            ) t
            WHERE p.contact_id = t.id AND p.next_activity_at IS DISTINCT FROM t.due_at
            """,
            [ids],
        )


def zone_for(user: User | None) -> str:
    """The zone whose wall clock counts for a person's tasks."""
    return (user.time_zone if user else "") or organisation().time_zone


def _renamed(find: Any, value: Any, actor: Actor) -> User | None:
    """The owner by ``find``, its errors under the name that tasks have for it."""
    try:
        found: User | None = find(value, actor, ASSIGN)
    except DomainError as error:
        raise DomainError.of("assignee", error.errors[0].code, error.errors[0].detail) from error
    return found


def _made_before(key: str) -> Task | None:
    """The task of this key. Two at the same time wait for each other, so that one of them makes it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"task:{key}"])
    return Task.objects.filter(automation_key=key).first()


def activity_of(kind: str, task: Task, payload: Mapping[str, Any]) -> NewActivity:
    due: dt.datetime | None = task.due_at
    said = {"title": task.title, "kind": task.kind, "due_at": due.isoformat() if due else None}
    return NewActivity(
        kind,
        contact_id=task.contact_id,
        company_id=task.company_id,
        subject=("task", task.pk),
        payload=said | {"deal": task.deal_id} | dict(payload),
    )
