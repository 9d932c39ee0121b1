"""One change to many records: set-based, every id checked, one activity and one audit row each."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Company, Contact, Interaction, Lifecycle, Pulse, Task
from contacts.selectors.tags import as_known
from contacts.services.contacts import ASSIGN, reason_of
from contacts.services.merge_forget import merges_forget
from contacts.services.owners import owner_named
from contacts.services.stream import NewActivity, activities_append
from contacts.services.tasks import ASSIGN as ASSIGN_TASKS
from contacts.services.tasks import recompute_next_activity
from crmcem.lib import cleaning
from crmcem.lib.actors import Actor, acting, because
from crmcem.lib.errors import DomainError
from crmcem.lib.records import lock_all
from crmcem.workspace.policies import require

#: of so many rows a DELETE with all that hangs on them is made at once
CHUNK = 1000


def contacts_assign(*, ids: Sequence[int], owner: Any, actor: Actor) -> int:
    """Give contacts to ``owner`` (a person, their id, or None). Answers how many changed hands."""
    require(actor, ASSIGN)
    with acting(actor):
        person = owner_named(owner, actor, ASSIGN)
        rows = [c for c in lock_all(Contact, list(ids), actor) if c.owner_id != _pk(person)]
        before = {row.pk: row.owner_id for row in rows}
        owned = {"owner_id": _pk(person), "team_id": person.team_id if person else None}
        _write(Contact, before, **owned)
        Pulse.objects.filter(pk__in=before).update(**owned)
        Interaction.objects.filter(contact_id__in=before).update(**owned)
        _say(actor, rows, lambda row: {"owner": [before[row.pk], _pk(person)]})
    return len(rows)


def contacts_tag(*, ids: Sequence[int], tags: Any, actor: Actor, remove: bool = False) -> int:
    """Add ``tags`` to contacts (or take them away). Answers how many changed. Raises DomainError."""
    require(actor, "contacts:write")
    try:
        names: list[str] = cleaning.tags(tags)
    except ValueError as error:
        raise DomainError.of("tags", getattr(error, "code", "invalid"), error) from error
    if not names:
        raise DomainError.of("tags", "required", _("Name at least one tag."))
    with acting(actor):
        names = as_known(names)
        changed: dict[int, list[Any]] = {}
        rows = []
        for row in lock_all(Contact, list(ids), actor):
            old = list(row.tags)
            new = [t for t in old if t not in names] if remove else sorted({*old, *names})
            if set(new) == set(old):
                continue
            if len(new) > cleaning.MAX_TAGS:
                raise DomainError.of(
                    "tags",
                    "too_many",
                    _("%(row)s would have more than %(most)s tags.")
                    % {"row": row, "most": cleaning.MAX_TAGS},
                )
            row.tags, row.version, row.updated_at = new, row.version + 1, timezone.now()
            changed[row.pk] = [old, new]
            rows.append(row)
        Contact.objects.bulk_update(rows, ["tags", "version", "updated_at"], batch_size=CHUNK)
        _say(actor, rows, lambda row: {"tags": changed[row.pk]})
    return len(rows)


def contacts_stage(*, ids: Sequence[int], stage: str, actor: Actor, reason: str = "") -> int:
    """Set the lifecycle stage of contacts; ``reason`` goes into their history. Answers how many changed."""
    require(actor, "contacts:write")
    reason = reason_of(reason)
    if stage not in Lifecycle.values:
        raise DomainError.of("lifecycle_stage", "invalid_choice", _("Choose one of the stages."))
    with acting(actor):
        rows = [c for c in lock_all(Contact, list(ids), actor) if c.lifecycle_stage != stage]
        before = {row.pk: row.lifecycle_stage for row in rows}
        with because(reason):
            _write(Contact, before, lifecycle_stage=stage)
        Pulse.objects.filter(pk__in=before).update(lifecycle_stage=stage)
        _say(actor, rows, lambda row: {"lifecycle_stage": [before[row.pk], stage]})
    return len(rows)


def contacts_delete(*, ids: Sequence[int], actor: Actor) -> int:
    """Delete contacts with everything that hangs on them; their activities stay in the stream."""
    require(actor, "contacts:delete")
    with acting(actor):
        rows = lock_all(Contact, list(ids), actor)
        activities_append(
            actor=actor,
            activities=[
                NewActivity(
                    "contact.deleted",
                    contact_id=row.pk,
                    company_id=row.company_id,
                    payload={"external_id": row.external_id},
                )
                for row in rows
            ],
        )
        merges_forget(entity="contact", ids=[row.pk for row in rows])
        for start in range(0, len(rows), CHUNK):
            Contact.objects.filter(pk__in=[row.pk for row in rows[start : start + CHUNK]]).delete()
    return len(rows)


def companies_assign(*, ids: Sequence[int], owner: Any, actor: Actor) -> int:
    """Give companies to ``owner``. Answers how many changed hands."""
    require(actor, ASSIGN)
    with acting(actor):
        person = owner_named(owner, actor, ASSIGN)
        rows = [c for c in lock_all(Company, list(ids), actor) if c.owner_id != _pk(person)]
        before = {row.pk: row.owner_id for row in rows}
        _write(Company, before, owner_id=_pk(person), team_id=person.team_id if person else None)
        activities_append(
            actor=actor,
            activities=[
                NewActivity(
                    "company.updated",
                    company_id=row.pk,
                    payload={"changes": {"owner": [before[row.pk], _pk(person)]}},
                )
                for row in rows
            ],
        )
    return len(rows)


def companies_delete(*, ids: Sequence[int], actor: Actor) -> int:
    """Delete companies; their people stay, without one."""
    require(actor, "contacts:delete")
    with acting(actor):
        rows = lock_all(Company, list(ids), actor)
        activities_append(
            actor=actor,
            activities=[
                NewActivity("company.deleted", company_id=row.pk, payload={"external_id": row.external_id})
                for row in rows
            ],
        )
        merges_forget(entity="company", ids=[row.pk for row in rows])
        for start in range(0, len(rows), CHUNK):
            Company.objects.filter(pk__in=[row.pk for row in rows[start : start + CHUNK]]).delete()
    return len(rows)


def tasks_assign(*, ids: Sequence[int], owner: Any, actor: Actor) -> int:
    """Give tasks to ``owner``. Answers how many changed hands."""
    require(actor, ASSIGN_TASKS)
    with acting(actor):
        person = owner_named(owner, actor, ASSIGN_TASKS)
        rows = [t for t in lock_all(Task, list(ids), actor) if t.owner_id != _pk(person)]
        before = {row.pk: row.owner_id for row in rows}
        _write(Task, before, owner_id=_pk(person), team_id=person.team_id if person else None)
        _say_tasks(
            actor, rows, "task.updated", lambda row: {"changes": {"owner": [before[row.pk], _pk(person)]}}
        )
    return len(rows)


def tasks_cancel(*, ids: Sequence[int], actor: Actor) -> int:
    """Give open tasks up; those that are closed already stay as they are."""
    require(actor, "tasks:write")
    with acting(actor):
        rows = [t for t in lock_all(Task, list(ids), actor) if t.status == Task.Status.OPEN]
        _write(Task, {row.pk: None for row in rows}, status=Task.Status.CANCELLED)
        recompute_next_activity([row.contact_id for row in rows])
        _say_tasks(actor, rows, "task.cancelled", lambda row: {})
    return len(rows)


def _pk(person: Any) -> int | None:
    return None if person is None else int(person.pk)


def _write(model: Any, rows: dict[int, Any], **values: Any) -> None:
    """One UPDATE of the locked rows, their versions up by one."""
    if rows:
        model.objects.filter(pk__in=rows).update(
            **values, version=F("version") + 1, updated_at=timezone.now()
        )


def _say(actor: Actor, rows: Sequence[Contact], changes: Callable[[Contact], dict[str, Any]]) -> None:
    activities_append(
        actor=actor,
        activities=[
            NewActivity(
                "contact.updated",
                contact_id=row.pk,
                company_id=row.company_id,
                payload={"changes": changes(row)},
            )
            for row in rows
        ],
    )


def _say_tasks(actor: Actor, rows: Sequence[Task], kind: str, more: Callable[[Task], dict[str, Any]]) -> None:
    activities_append(
        actor=actor,
        activities=[
            NewActivity(
                kind,
                contact_id=row.contact_id,
                company_id=row.company_id,
                subject=("task", row.pk),
                payload={
                    "title": row.title,
                    "kind": row.kind,
                    "due_at": row.due_at.isoformat() if row.due_at else None,
                    "deal": row.deal_id,
                }
                | more(row),
            )
            for row in rows
        ],
    )
