"""Claiming the runs that are due: each in a transaction of its own, whichever worker comes first.

A turn is counted on the run (``claims``) before it begins and forgotten when it ends, so a run that takes its worker's
life (memory, a crash in a library) is known by the claims that nobody came back from. Fresh runs are claimed by the
batch; those of a batch that was lost are taken one by one, so that only the guilty one goes on counting.
"""

from __future__ import annotations

import datetime as dt
import time

import structlog
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from crmcem.lib.actors import Actor, acting
from journeys.engine.ending import run_end
from journeys.engine.load import parsed
from journeys.engine.walk import RETRIES, Walk, told_error
from journeys.models import Automation, Run

log = structlog.get_logger(__name__)

BATCH = 50
#: So many turns of a run may take their worker's life; a worker that is killed from outside comes to far fewer.
DEATHS = 10
FAILED = Run.Status.FAILED
#: Of one statement of a run's turn, and of its waiting for a row that somebody else holds.
LONGEST_STATEMENT = "60s"
LONGEST_LOCK = "10s"


def advance_due(*, seconds: float = 20.0) -> int:
    """Take every due run onwards, for at most about so long. Returns how many were taken."""
    deadline = time.monotonic() + seconds
    taken = 0
    while time.monotonic() < deadline:
        found = [advance(pk) for pk in _due(timezone.now())]
        if not any(found):
            break
        taken += sum(found)
    return taken


def _due(now: dt.datetime) -> list[int]:
    """The next due runs that no other worker holds, counted; the lock is taken for real by ``advance``."""
    with transaction.atomic():
        rows = Run.objects.select_for_update(skip_locked=True, of=("self",))
        due = rows.filter(status=Run.Status.ACTIVE, due_at__lte=now).order_by("due_at")
        found = list(due.values_list("pk", "claims")[:BATCH])
        fresh = [pk for pk, claims in found if claims == 0]
        taken = fresh or [pk for pk, _claims in found[:1]]
        Run.objects.filter(pk__in=taken).update(claims=F("claims") + 1)
        return taken


def advance(run_id: int) -> bool:
    """Take one run onwards; False where it is not due or another worker has it.

    What goes wrong outside a step (a lost connection, a definition that can't be read, a commit that the
    database refuses) undoes the whole turn; it is noted on the run and tried again later, with an end.
    """
    try:
        with transaction.atomic():
            _bound()
            run = _claim(run_id)
            if run is None:
                return False
            if run.automation.status != Automation.Status.ACTIVE:
                return _hold(run)
            deaths, run.claims = run.claims - 1, 0
            actor = Actor("automation", run.automation_id)
            with acting(actor):
                if deaths >= DEATHS:
                    reason = _("The worker died %(n)s times in this step.") % {"n": deaths}
                    run_end(run=run, status=FAILED, reason=reason, now=timezone.now(), actor=actor)
                else:
                    Walk(run, parsed(run.automation_version), timezone.now()).go()
        return True
    except Exception as error:  # one bad run must not stop the others
        log.error("run_failed", run=run_id, exc_info=error)
        _note(run_id, error)
        return True


def _bound() -> None:
    """No statement of this turn takes for ever: what is cut off is noted on the run and tried again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)",
            [LONGEST_STATEMENT, LONGEST_LOCK],
        )


def _claim(run_id: int) -> Run | None:
    return (
        Run.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("automation__created_by", "automation_version", "contact")
        .filter(pk=run_id, status=Run.Status.ACTIVE, due_at__lte=timezone.now())
        .first()
    )


def _hold(run: Run) -> bool:
    """A paused automation's run stays where it is, out of the queue, until the automation goes on.

    The automation's row is locked, so that its activation can't pass by unseen; where somebody has it, the
    run is left for the next turn.
    """
    paused = (
        Automation.objects.select_for_update(skip_locked=True)
        .filter(pk=run.automation_id)
        .exclude(status=Automation.Status.ACTIVE)
    )
    if not paused.exists():
        Run.objects.filter(pk=run.pk).update(claims=0)
        return False
    Run.objects.filter(pk=run.pk).update(due_at=None, claims=0)
    return True


def _note(run_id: int, error: Exception) -> None:
    with transaction.atomic():
        run = (
            Run.objects.select_for_update(of=("self",))
            .select_related("automation__created_by")
            .filter(pk=run_id, status=Run.Status.ACTIVE)
            .first()
        )
        if run is None:
            return
        now = timezone.now()
        run.attempts, run.claims = run.attempts + 1, 0
        run.error = told_error(error)
        if run.attempts > len(RETRIES):
            actor = Actor("automation", run.automation_id)
            with acting(actor):
                run_end(run=run, status=FAILED, reason=run.error, now=now, actor=actor)
            return
        run.due_at = now + RETRIES[run.attempts - 1]
        run.save(update_fields=["attempts", "claims", "error", "due_at"])
