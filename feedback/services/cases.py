"""Cases: opened by a person, the API or a bad answer; assigned, settled, closed, opened again."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Contact
from contacts.services.stream import NewActivity, activity_append
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import Conflict, DomainError
from crmcem.lib.records import change, lock, reference
from crmcem.workspace.models import User
from crmcem.workspace.policies import require
from crmcem.workspace.services.notifications import notify
from feedback.models import Case, Response
from feedback.policies import sla_due

_LIMITS = {"subject": 300, "body": 20_000, "root_cause": 200, "resolution": 20_000}
_EDITABLE = frozenset({"subject", "body", "priority", "root_cause", "resolution", "sla_due_at", "status"})


def case_create(
    *,
    contact: Contact,
    subject: str,
    actor: Actor,
    body: str = "",
    priority: str = Case.Priority.NORMAL,
    source: str = Case.Source.MANUAL,
    owner: User | None = None,
    response: Response | None = None,
    sla_due_at: dt.datetime | None = None,
) -> Case:
    """A new open case. Without ``owner`` it belongs to the contact's owner, without ``sla_due_at`` it is due by
    its priority. Raises DomainError for bad values, Conflict where ``response`` has a case already.
    """
    require(actor, "cases:write")
    values = _clean({"subject": subject, "body": body, "priority": priority})
    if source not in Case.Source.values:
        raise DomainError.of("source", "invalid_choice", _("The source is survey, inbox, api or manual."))
    with acting(actor):
        who = reference(Contact, contact, actor, "contact")
        if who is None:
            raise DomainError.of("contact", "required", _("Say which customer the case is about."))
        answer = reference(Response, response, actor, "response")
        if answer is not None:
            # The answer's row is the lock: of two people who open its case at once one is told so.
            Response.objects.select_for_update(no_key=True).get(pk=answer.pk)
            if answer.contact_id != who.pk:
                raise DomainError.of("response", "invalid", _("This answer is another customer's."))
            if Case.objects.filter(response=answer).exists():
                raise Conflict("has_case", _("A case was opened for this answer before."))
        holder = _holder(owner, who, actor)
        case = Case.objects.create(
            contact=who,
            source=source,
            response=answer,
            owner=holder,
            team_id=holder.team_id if holder else who.team_id,
            sla_due_at=sla_due_at or sla_due(priority, timezone.now()),
            **values,
        )
        opened(case, actor)
    return case


def case_update(
    *, case: Case, actor: Actor, changes: Mapping[str, Any], expected_version: int | None = None
) -> Case:
    """Change texts, priority, due time, or between open and pending. A new priority moves the due time."""
    require(actor, "cases:write")
    if set(changes) - _EDITABLE:
        raise TypeError(f"a case has no {', '.join(sorted(set(changes) - _EDITABLE))} to edit")
    values = _clean(changes)
    with acting(actor):
        row = lock(Case, case.pk, actor, expected_version)
        status = values.get("status", row.status)
        if status != row.status and not (row.is_open and status in {Case.Status.OPEN, Case.Status.PENDING}):
            raise Conflict("status", _("Resolve, close or reopen the case to change its status."))
        if "priority" in values and values["priority"] != row.priority and "sla_due_at" not in values:
            values["sla_due_at"] = sla_due(values["priority"], row.created_at)
        changed = change(row, values)
        if changed:
            _append(row, actor, "case.updated", changes={k: v for k, v in changed.items() if k != "body"})
    return row


def case_assign(*, case: Case, owner: User, actor: Actor, expected_version: int | None = None) -> Case:
    """Give the case to ``owner`` and tell them. Taking or giving another's case needs ``cases:assign``."""
    require(actor, "cases:write")
    with acting(actor):
        row = lock(Case, case.pk, actor, expected_version)
        if row.owner_id != owner.pk:
            _require_assign(actor, row, owner)
            if not owner.is_active:
                raise DomainError.of("owner", "inactive", _("This person no longer works here."))
            before = row.owner_id
            change(row, {"owner": owner, "team": owner.team})
            _append(row, actor, "case.updated", changes={"owner": [before, owner.pk]})
            tell_owner(row, actor, _("A case is yours: %(subject)s"), f"case-assigned:{row.pk}:{row.version}")
    return row


def case_resolve(
    *,
    case: Case,
    actor: Actor,
    resolution: str,
    root_cause: str = "",
    expected_version: int | None = None,
) -> Case:
    """Settle it: what was done, and (if known) why it happened. Raises Conflict where it is not open."""
    require(actor, "cases:write")
    values = _clean({"resolution": resolution, "root_cause": root_cause})
    if not values["resolution"]:
        raise DomainError.of("resolution", "required", _("Say what was done for the customer."))
    with acting(actor):
        row = lock(Case, case.pk, actor, expected_version)
        if not row.is_open:
            raise Conflict("status", _("This case is resolved already."))
        if not values["root_cause"]:
            del values["root_cause"]
        change(row, values | {"status": Case.Status.RESOLVED, "resolved_at": timezone.now()})
        _append(row, actor, "case.resolved", resolution=row.resolution[:280], root_cause=row.root_cause)
    return row


def case_close(*, case: Case, actor: Actor, expected_version: int | None = None) -> Case:
    """File a resolved case. Raises Conflict for one that is still open."""
    require(actor, "cases:write")
    with acting(actor):
        row = lock(Case, case.pk, actor, expected_version)
        if row.status == Case.Status.CLOSED:
            return row
        if row.is_open:
            raise Conflict("status", _("Resolve the case before you close it."))
        change(row, {"status": Case.Status.CLOSED})
        _append(row, actor, "case.closed")
    return row


def case_reopen(*, case: Case, actor: Actor, reason: str = "", expected_version: int | None = None) -> Case:
    """The customer is not content: open again, due anew by its priority. Raises Conflict for an open case."""
    require(actor, "cases:write")
    with acting(actor):
        row = lock(Case, case.pk, actor, expected_version)
        if row.is_open:
            raise Conflict("status", _("This case is open."))
        due = sla_due(row.priority, timezone.now())
        change(row, {"status": Case.Status.OPEN, "resolved_at": None, "sla_due_at": due})
        _append(row, actor, "case.reopened", reason=reason.replace("\x00", "")[:500])
        tell_owner(row, actor, _("A case was reopened: %(subject)s"), f"case-reopened:{row.pk}:{row.version}")
    return row


def case_delete(*, case: Case, actor: Actor, expected_version: int | None = None) -> None:
    """Remove a case that should not exist; the stream keeps that it was there."""
    require(actor, "cases:delete")
    with acting(actor):
        row = lock(Case, case.pk, actor, expected_version)
        _append(row, actor, "case.deleted")
        row.delete()


def opened(case: Case, actor: Actor) -> None:
    """What follows a new case: the activity, and the owner's notification."""
    _append(case, actor, "case.opened", source=case.source, response=case.response_id)
    tell_owner(case, actor, _("New case: %(subject)s"), f"case-opened:{case.pk}")


# --- steps ---------------------------------------------------------------------------------------
def _clean(changes: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(changes)
    for field, limit in _LIMITS.items():
        if field in values:
            text = values[field] = str(values[field] or "").strip()
            if len(text) > limit or "\x00" in text:
                detail = _("This text can have %(max)s characters, and no NUL.") % {"max": limit}
                raise DomainError.of(field, "invalid", detail)
    if "subject" in values and not values["subject"]:
        raise DomainError.of("subject", "required", _("Say in a few words what it is about."))
    if "priority" in values and values["priority"] not in Case.Priority.values:
        raise DomainError.of("priority", "invalid_choice", _("The priority is low, normal, high or urgent."))
    if "status" in values and values["status"] not in Case.Status.values:
        detail = _("The status is open, pending, resolved or closed.")
        raise DomainError.of("status", "invalid_choice", detail)
    return values


def _holder(owner: User | None, contact: Contact, actor: Actor) -> User | None:
    """Whose case it becomes. To open one for another person than oneself or the contact's owner needs assign."""
    if owner is None:
        return contact.owner or (actor.user if actor.is_limited else None)
    if not owner.is_active:
        raise DomainError.of("owner", "inactive", _("This person no longer works here."))
    if actor.is_limited and owner.pk not in {contact.owner_id, actor.user.pk}:
        require(actor, "cases:assign")
    return owner


def _require_assign(actor: Actor, case: Case, owner: User) -> None:
    taking_a_free_one = case.owner_id is None and actor.user is not None and owner.pk == actor.user.pk
    if not taking_a_free_one:
        require(actor, "cases:assign")


def activity_of(case: Case, kind: str, **more: Any) -> NewActivity:
    """The activity ``kind`` of a case as its consumers and the timeline know it."""
    payload = {
        "case": case.pk,
        "subject": case.subject,
        "status": case.status,
        "priority": case.priority,
        "owner": case.owner_id,
    }
    contact = case.contact
    return NewActivity(kind, contact.pk, contact.company_id, ("case", case.pk), payload | more)


def _append(case: Case, actor: Actor, kind: str, **more: Any) -> None:
    activity_append(actor=actor, activity=activity_of(case, kind, **more))


def tell_owner(case: Case, actor: Actor, title: str, key: str) -> None:
    """Notify the case's owner, unless it is they who act; ``title`` may hold ``%(subject)s``."""
    if case.owner is None or (actor.kind == "user" and actor.id == case.owner_id):
        return
    notify(
        user=case.owner,
        kind="case",
        title=title % {"subject": case.subject},
        body=str(case.contact),
        url=f"/cases/{case.pk}/",
        dedupe_key=key,
    )
