"""The same step for many cases at once: one lock, one update, one append to the stream."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contacts.services.stream import activities_append
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError
from crmcem.lib.records import lock_all
from crmcem.workspace.models import User
from crmcem.workspace.policies import require
from crmcem.workspace.services.notifications import notify
from feedback.models import Case

from .cases import activity_of

#: this many refusals are told by name; more of them nobody reads
TOLD = 20


@dataclass(slots=True)
class BulkResult:
    """How many cases changed, and why the first few others did not: ``(case, reason)``."""

    changed: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, case: Case, reason: Any) -> None:
        if len(self.refused) < TOLD:
            self.refused.append((str(case), str(reason)))


def cases_assign(*, case_ids: Collection[int], owner: User, actor: Actor) -> BulkResult:
    """Give the cases among ``case_ids`` that the actor sees to ``owner``, who is told once."""
    require(actor, "cases:write")
    require(actor, "cases:assign")
    if not owner.is_active:
        raise DomainError.of("owner", "inactive", _("This person no longer works here."))
    with acting(actor):
        rows = [row for row in lock_all(Case, list(case_ids), actor) if row.owner_id != owner.pk]
        before = {row.pk: row.owner_id for row in rows}
        _update(rows, owner=owner, team=owner.team)
        changes = {row.pk: {"changes": {"owner": [before[row.pk], owner.pk]}} for row in rows}
        _append(rows, "case.updated", changes, actor)
        if rows and not (actor.kind == "user" and actor.id == owner.pk):
            title = ngettext("%(n)d case is yours", "%(n)d cases are yours", len(rows)) % {"n": len(rows)}
            last = max(row.version for row in rows)
            key = f"cases-assigned:{rows[0].pk}:{rows[-1].pk}:{last}"
            notify(user=owner, kind="case", title=title, url="/cases/?owner=me&open=true", dedupe_key=key)
    return BulkResult(len(rows))


def cases_resolve(
    *, case_ids: Collection[int], resolution: str, actor: Actor, root_cause: str = ""
) -> BulkResult:
    """Settle those among ``case_ids`` that the actor sees and that are open; the others are refused."""
    require(actor, "cases:write")
    resolution, root_cause = resolution.strip(), root_cause.strip()
    if not resolution or len(resolution) > 20_000 or "\x00" in resolution:
        raise DomainError.of("resolution", "required", _("Say what was done for the customers."))
    if len(root_cause) > 200 or "\x00" in root_cause:
        raise DomainError.of("root_cause", "invalid", _("A root cause has at most 200 characters."))
    result = BulkResult()
    with acting(actor):
        rows = []
        for row in lock_all(Case, list(case_ids), actor):
            if row.is_open:
                rows.append(row)
            else:
                result.refuse(row, _("This case is resolved already."))
        values: dict[str, Any] = {"status": Case.Status.RESOLVED, "resolved_at": timezone.now()}
        values |= {"resolution": resolution} | ({"root_cause": root_cause} if root_cause else {})
        _update(rows, **values)
        more = {r.pk: {"resolution": resolution[:280], "root_cause": r.root_cause} for r in rows}
        _append(rows, "case.resolved", more, actor)
        result.changed = len(rows)
    return result


def cases_delete(*, ids: Collection[int], actor: Actor) -> int:
    """Delete cases that should not exist; the stream keeps that they were there. Answers how many went."""
    require(actor, "cases:delete")
    with acting(actor):
        rows = lock_all(Case, list(ids), actor)
        _append(rows, "case.deleted", {row.pk: {} for row in rows}, actor)
        Case.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def cases_back(ids: list[int], actor: Actor) -> None:
    """What follows when deleted cases come back: the timeline and the customer's figures learn it."""
    rows = list(Case.objects.filter(pk__in=ids))
    _append(rows, "case.restored", {row.pk: {} for row in rows}, actor)


def _update(rows: list[Case], **values: Any) -> None:
    """Set ``values`` on the locked rows, in the database and in memory; their versions go up by one."""
    now = timezone.now()
    found = Case.objects.filter(pk__in=[row.pk for row in rows])
    found.update(**values, version=F("version") + 1, updated_at=now)
    for row in rows:
        for name, value in values.items():
            setattr(row, name, value)
        row.version += 1


def _append(rows: list[Case], kind: str, more: dict[int, dict[str, Any]], actor: Actor) -> None:
    contacts = Case.objects.filter(pk__in=[row.pk for row in rows]).select_related("contact")
    by_id = {row.pk: row.contact for row in contacts}
    for row in rows:
        row.contact = by_id[row.pk]
    activities_append(actor=actor, activities=[activity_of(row, kind, **more[row.pk]) for row in rows])
