"""Making, changing, activating and pausing automations."""

from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from contacts.selectors.segment_uses import segments_in
from contacts.services.segment_names import segments_hold
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import Conflict, DomainError
from crmcem.lib.jobs import soon
from crmcem.lib.records import change, lock
from crmcem.workspace.policies import require
from journeys.definition import AbsenceTrigger, Definition, DefinitionError, parse
from journeys.definition.nodes import interval
from journeys.models import AbsenceTimer, Automation, AutomationVersion, Run
from journeys.policies import DELETE, WRITE

_ACTIVATE = """
UPDATE journeys_automation SET status = 'active', problem = '', activated_at = clock_timestamp(),
    activated_txid = pg_current_xact_id(), armed_contact = %(arm)s,
    activated_after = (SELECT coalesce(max(id), 0) FROM contacts_activity WHERE txid = pg_current_xact_id()),
    updated_at = clock_timestamp(), version = version + 1
WHERE id = %(id)s
"""


def read_definition(data: Any, actor: Actor) -> Definition:
    """The parsed definition, as far as ``actor`` may refer to things. Raises DomainError with every fault."""
    try:
        return parse(data, user=actor.user if actor.is_limited else None)
    except DefinitionError as error:
        raise error.as_domain_error() from error


def automation_create(
    *,
    name: str,
    definition: Any,
    actor: Actor,
    description: str = "",
    activate: bool = False,
) -> Automation:
    """A draft with its first version (or an active one). Raises DomainError, NotAllowed."""
    require(actor, WRITE)
    parsed = read_definition(definition, actor)
    with acting(actor):
        automation = Automation(
            name=_clean_name(name), description=_clean_text(description), created_by=actor.user
        )
        _unique(automation.name)
        automation.save()
        _new_version(automation, parsed, actor)
        if activate:
            _activate(automation, parsed)
    automation.refresh_from_db()
    return automation


def automation_update(
    *, automation: Automation, values: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> Automation:
    """Change ``name``, ``description`` and ``definition``; a changed definition is a new version.

    ``status`` active or paused activates or pauses it afterwards. Runs under way keep the version that they began
    with. Raises DomainError, NotAllowed, StaleWrite.
    """
    require(actor, WRITE)
    parsed = read_definition(values["definition"], actor) if "definition" in values else None
    with acting(actor):
        row = lock(Automation, automation.pk, actor, expected_version)
        changes: dict[str, Any] = {}
        if "name" in values:
            changes["name"] = _clean_name(values["name"])
            _unique(changes["name"], row.pk)
        if "description" in values:
            changes["description"] = _clean_text(values["description"])
        change(row, changes)
        before = row.current_version.definition if row.current_version else None
        if parsed is not None and parsed.data != before:
            _new_version(row, parsed, actor)
            if (
                row.status == Automation.Status.ACTIVE
                and before
                and before["trigger"] != parsed.data["trigger"]
            ):
                _forget_timers(row)
                _activate(row, parsed)
        if "status" in values:
            _set_status(row, values["status"], actor)
    row.refresh_from_db()
    return row


def _set_status(row: Automation, status: str, actor: Actor) -> None:
    if status == Automation.Status.ACTIVE:
        automation_activate(automation=row, actor=actor)
    elif status == Automation.Status.PAUSED and row.status != Automation.Status.DRAFT:
        automation_pause(automation=row, actor=actor)
    elif status != row.status:
        detail = _("Set it to active or paused; a draft can only be activated.")
        raise DomainError.of("status", "invalid", detail)


def automation_activate(*, automation: Automation, actor: Actor) -> Automation:
    """Let it run: what reaches the stream from now on triggers it. Doing it twice changes nothing.

    Raises DomainError where its definition can't be used any more, NotAllowed.
    """
    require(actor, WRITE)
    with acting(actor):
        row = lock(Automation, automation.pk, actor)
        if row.status != Automation.Status.ACTIVE:
            if row.current_version is None:
                raise DomainError.of("definition", "required", _("Give it a definition first."))
            _activate(row, read_definition(row.current_version.definition, actor))
            Run.objects.filter(automation=row, status=Run.Status.ACTIVE, due_at__isnull=True).update(
                due_at=row.activated_at
            )
            soon("journeys.tasks.advance_runs", debounce=0.2)
    row.refresh_from_db()
    return row


def automation_pause(*, automation: Automation, actor: Actor) -> Automation:
    """Stop it: no run begins, and those under way stay where they are until it is activated again.

    What happens in between triggers nothing, also not later. Doing it twice changes nothing.
    """
    require(actor, WRITE)
    with acting(actor):
        row = lock(Automation, automation.pk, actor)
        if row.status == Automation.Status.ACTIVE:
            change(row, {"status": Automation.Status.PAUSED})
    return row


def automation_delete(*, automation: Automation, actor: Actor, expected_version: int | None = None) -> None:
    """Delete one that never ran; what it did for customers is kept. Raises Conflict, NotAllowed."""
    require(actor, DELETE)
    with acting(actor):
        row = lock(Automation, automation.pk, actor, expected_version)
        if Run.objects.filter(automation=row).exists():
            raise Conflict(
                "has_runs", _("It has run for customers: pause it instead, so that its log is kept.")
            )
        row.delete()


def _clean_name(value: Any) -> str:
    name = value.strip() if isinstance(value, str) else ""
    if not name or len(name) > 200 or "\x00" in name:
        raise DomainError.of("name", "invalid", _("Give it a name of at most 200 characters."))
    return name


def _clean_text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 5_000 or "\x00" in value:
        raise DomainError.of("description", "invalid", _("Give a text of at most 5,000 characters."))
    return value.strip()


def claim_name(name: str) -> None:
    """Until the transaction ends, nobody else makes an automation of this name; who tries waits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('automation:' || %s, 0))", [name])


def _unique(name: str, pk: int | None = None) -> None:
    """Raises DomainError where another automation has the name."""
    claim_name(name)
    others = Automation.objects.filter(name=name)
    if (others if pk is None else others.exclude(pk=pk)).exists():
        raise DomainError.of("name", "unique", _("There is an automation of this name already."))


def _new_version(automation: Automation, definition: Definition, actor: Actor) -> None:
    segments_hold(segments_in(definition.data), "definition")
    latest = automation.versions.order_by("-number").first()
    version = AutomationVersion.objects.create(
        automation=automation,
        number=latest.number + 1 if latest else 1,
        definition=dict(definition.data),
        created_by=actor.user,
    )
    change(automation, {"current_version": version})


def _activate(automation: Automation, definition: Definition) -> None:
    trigger = definition.trigger
    arm = 0 if isinstance(trigger, AbsenceTrigger) else None
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVATE, {"id": automation.pk, "arm": arm})
    automation.refresh_from_db()
    if isinstance(trigger, AbsenceTrigger):
        with connection.cursor() as cursor:
            # Timers from an earlier time that have not fired follow the definition as it is now.
            cursor.execute(
                "UPDATE journeys_absencetimer SET due_at = last_at + %s::interval"
                " WHERE automation_id = %s AND fired_at IS NULL",
                [interval(trigger.span), automation.pk],
            )
        soon("journeys.tasks.fire_timers", debounce=0.2)


def _forget_timers(automation: Automation) -> None:
    """Another trigger watches for something else."""
    AbsenceTimer.objects.filter(automation=automation).delete()
