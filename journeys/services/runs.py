"""What people do with single runs, and with the thought of one."""

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Contact
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import Conflict, DomainError
from crmcem.lib.jobs import soon
from crmcem.lib.records import visible_rows
from crmcem.workspace.policies import require
from journeys.definition import DefinitionError
from journeys.engine.dry_run import DryRun, dry_run
from journeys.engine.ending import run_end
from journeys.engine.load import parsed
from journeys.models import Automation, Run, RunStep
from journeys.policies import READ, WRITE


def run_cancel(*, run: Run, actor: Actor) -> Run:
    """End a run under way where it stands. Raises Conflict where it has ended, NotAllowed, Http404."""
    require(actor, WRITE)
    with acting(actor):
        row = _locked(run, actor)
        if row.status != Run.Status.ACTIVE:
            raise Conflict("has_ended", _("This run has ended already."))
        who = str(actor.user) if actor.user is not None else _("the system")
        run_end(
            run=row,
            status=Run.Status.CANCELLED,
            reason=_("Cancelled by %(who)s.") % {"who": who},
            now=timezone.now(),
            actor=actor,
        )
    return row


def run_retry(*, run: Run, actor: Actor) -> Run:
    """Let a failed run try its step again. Raises Conflict where it did not fail at a step, NotAllowed."""
    require(actor, WRITE)
    with acting(actor):
        row = _locked(run, actor)
        if row.status != Run.Status.FAILED or not row.step_key:
            raise Conflict("has_not_failed", _("Only a run that failed at a step can be tried again."))
        row.status = Run.Status.ACTIVE
        row.attempts, row.claims, row.reason, row.error = 0, 0, "", ""
        row.ended_at, row.due_at = None, timezone.now()
        row.save()
        RunStep.objects.filter(run=row, step_key=row.step_key, status="failed").update(
            status="waiting", reason=_("Tries again."), ended_at=None
        )
        soon("journeys.tasks.advance_runs", debounce=0.2)
    return row


def _locked(run: Run, actor: Actor) -> Run:
    row = (
        visible_rows(Run, actor)
        .select_for_update(of=("self",))
        .select_related("automation__created_by")
        .filter(pk=run.pk)
        .first()
    )
    if row is None:
        raise Http404
    return row


def automation_dry_run(*, automation: Automation, contact: Contact, actor: Actor) -> DryRun:
    """What the automation's current version would do with the customer now; writes nothing.

    Raises Http404 where the actor may not see the customer, DomainError where the definition can't be used any
    more, NotAllowed.
    """
    require(actor, READ)
    require(actor, "contacts:read")
    row = visible_rows(Contact, actor).select_related("company", "owner").filter(pk=contact.pk).first()
    if row is None:
        raise Http404
    if automation.current_version is None:
        raise DomainError.of("definition", "required", _("It has no definition yet."))
    try:
        definition = parsed(automation.current_version)
    except DefinitionError as error:
        raise error.as_domain_error() from error
    return dry_run(automation, definition, row, timezone.now())
