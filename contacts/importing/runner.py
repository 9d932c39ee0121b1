"""A job from its claim to its end: one worker at a time, resumable at every chunk."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from contacts.models import ImportJob
from contacts.services.stream import wake_consumers
from crmcem.lib import jobs
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError, NotAllowed
from crmcem.lib.jobs import soon
from crmcem.workspace.models import User
from crmcem.workspace.organisation import organisation
from crmcem.workspace.policies import require

from .checking import check_chunk
from .cleaning import Chunk, Cleaner
from .commit import LEASE_SECONDS, LeaseLost, commit_chunk
from .reading import Row
from .source import convert, job_numbers, job_rows
from .undo import undo_batch

log = structlog.get_logger(__name__)
CHUNK_ROWS = 50_000
CHUNK_CHARACTERS = 24_000_000
#: So many rows are cleaned at once: few enough that they are gone before the garbage collector looks for them.
BATCH_ROWS = 250
#: After so long a worker hands the job on, so that what else waits for workers gets its turn.
TURN_SECONDS = 60
RUN = "contacts.tasks.run_import"
_S = ImportJob.Status
OPEN = (_S.QUEUED, _S.RUNNING, _S.CHECKING, _S.UNDOING)


def claim(job_id: int) -> ImportJob | None:
    """The job, now this worker's for as long as its lease is renewed; None where it isn't to be had."""
    if not jobs.claim(ImportJob, job_id, OPEN, LEASE_SECONDS):
        return None
    job: ImportJob = ImportJob.objects.select_related("owner__role", "owner__team", "undone_by").get(
        pk=job_id
    )
    return job


def orphans() -> list[int]:
    return jobs.orphans(ImportJob, OPEN)


def run(job_id: int) -> str:
    """Take the job as far as one turn goes. Answers its status, or "busy" where another worker has it."""
    job = claim(job_id)
    if job is None:
        return "busy"
    if job.status == ImportJob.Status.UNDOING:
        return _undo(job)
    if job.status == ImportJob.Status.CHECKING:
        return _check(job)
    try:
        with translation.override(job.owner.language or None):
            return _run(job)
    except LeaseLost:
        return "busy"
    except (DomainError, NotAllowed) as error:
        return _end(job, ImportJob.Status.FAILED, str(error))
    except FileNotFoundError:
        return _end(job, ImportJob.Status.FAILED, _("The file is gone. Send it again."))
    except (OperationalError, InterfaceError):
        raise  # the database is away or busy: the lease runs out and a worker goes on
    except SoftTimeLimitExceeded:  # what isn't committed is done again
        return _hand_on(job)
    except Exception:
        log.exception("import_failed", job=job.pk, row=job.next_row)
        return _end(
            job,
            ImportJob.Status.FAILED,
            _("The import stopped at row %d because of a defect on our side. Rows before it are in.")
            % (job.next_row + 1),
        )


def _run(job: ImportJob) -> str:
    actor = Actor("import", job.pk, job.owner)
    require(actor, "imports:write")
    require(actor, "contacts:write")
    if job.cancel_requested:
        return _end(job, ImportJob.Status.CANCELLED)
    if job.rows_total is None:
        convert(job, _heartbeat(job))
        job.rows_total = _count(job)
        ImportJob.objects.filter(pk=job.pk).update(rows_total=job.rows_total)
    began = time.monotonic()
    for chunk in _chunks(job, job.next_row):
        outcome = commit_chunk(job, chunk)
        wake_consumers()
        log.info(
            "import_chunk",
            job=job.pk,
            row=chunk.end,
            created=outcome.created,
            updated=outcome.updated,
            failed=outcome.failed,
        )
        if outcome.cancelled and chunk.end < job.rows_total:
            return _end(job, ImportJob.Status.CANCELLED)
        if time.monotonic() - began >= TURN_SECONDS and chunk.end < job.rows_total:
            return _hand_on(job)
    return _end(job, ImportJob.Status.DONE)


def _check(job: ImportJob) -> str:
    """A dry run as far as one turn goes; then the job is a draft again, with a report."""
    began = time.monotonic()
    try:
        with translation.override(job.owner.language or None):
            if job.rows_total is None:
                convert(job, _heartbeat(job))
                job.rows_total = _count(job)
                if not _mine(job).update(rows_total=job.rows_total):
                    raise LeaseLost
            for chunk in _chunks(job, job.report["rows"]):
                check_chunk(job, chunk)
                if time.monotonic() - began >= TURN_SECONDS and chunk.end < job.rows_total:
                    return _hand_on(job)
    except LeaseLost:
        return "busy"
    except (DomainError, NotAllowed) as error:
        job.report = {"error": str(error)}
    except FileNotFoundError:
        job.report = {"error": _("The file is gone. Send it again.")}
    except SoftTimeLimitExceeded:
        return _hand_on(job)
    ended = _mine(job).update(status=ImportJob.Status.DRAFT, report=job.report, claimed_until=None)
    return ImportJob.Status.DRAFT if ended else "busy"


def _mine(job: ImportJob) -> QuerySet[ImportJob]:
    """The job, unless it has gone on without this worker: to another status, or to another dry run."""
    return ImportJob.objects.filter(pk=job.pk, status=job.status, checks=job.checks)


def _undo(job: ImportJob) -> str:
    """Take an import back as far as one turn goes. A failing batch is tried again when the lease has run out."""
    began = time.monotonic()
    try:
        while undo_batch(job):
            wake_consumers()
            if time.monotonic() - began >= TURN_SECONDS:
                return _hand_on(job)
    except LeaseLost:
        return "busy"
    except SoftTimeLimitExceeded:
        return _hand_on(job)
    ImportJob.objects.filter(pk=job.pk, status=ImportJob.Status.UNDOING).update(
        status=ImportJob.Status.UNDONE, claimed_until=None
    )
    return ImportJob.Status.UNDONE


def _hand_on(job: ImportJob) -> str:
    """Give the lease back and queue the job behind what waits already."""
    _mine(job).update(claimed_until=None)
    soon(RUN, job.pk)
    return job.status


def _end(job: ImportJob, status: str, error: str = "") -> str:
    changed = ImportJob.objects.filter(pk=job.pk, status=ImportJob.Status.RUNNING).update(
        status=status, error=error, claimed_until=None, finished_at=timezone.now()
    )
    return status if changed else "busy"


def _count(job: ImportJob) -> int:
    keep = _heartbeat(job)
    count = 0
    for count in job_numbers(job):
        if not count % 20_000:
            keep()
    return count


def _chunks(job: ImportJob, done: int) -> Iterator[Chunk]:
    """The rows after ``done``, cleaned, in chunks. Rows before them are read again for what they named."""
    cleaner = Cleaner(job, organisation().country, owners_of(job))
    keep = _heartbeat(job)
    chunk = Chunk(start=0, kept=not done)
    rows: list[Row] = []
    for row in job_rows(job):
        rows.append(row)
        chunk.end = row.number
        chunk.size += len("".join(row.cells))
        full = chunk.end - chunk.start >= CHUNK_ROWS or chunk.size >= CHUNK_CHARACTERS or chunk.end == done
        if len(rows) < BATCH_ROWS and not full:
            continue
        cleaner.add(rows, chunk)
        rows = []
        if not chunk.kept:
            keep()
        if full:
            if chunk.kept:
                yield chunk
            chunk = Chunk(start=row.number, kept=row.number >= done)
    if rows:
        cleaner.add(rows, chunk)
    if chunk.kept and chunk.end > chunk.start:
        yield chunk


def owners_of(job: ImportJob) -> dict[str, int]:
    """People by user name, e-mail address and full name, where a column names owners; 0 for a name of several."""
    if "owner" not in job.mapping.values():
        return {}
    people = User.objects.filter(is_active=True)
    named: dict[str, int] = {}
    sure: dict[str, int] = {}
    for pk, username, email, first, last in people.values_list(
        "pk", "username", "email", "first_name", "last_name"
    ):
        sure |= {name.lower(): pk for name in (username, email) if name}
        name = f"{first} {last}".strip().lower()
        if name:
            named[name] = 0 if name in named else pk
    return named | sure


def _heartbeat(job: ImportJob) -> Callable[[], None]:
    """Renews the lease, at most every few seconds, while rows are read."""
    last = time.monotonic()

    def keep() -> None:
        nonlocal last
        if time.monotonic() - last < LEASE_SECONDS / 4:
            return
        last = time.monotonic()
        until = timezone.now() + timedelta(seconds=LEASE_SECONDS)
        with transaction.atomic():
            if not _mine(job).update(claimed_until=until):
                raise LeaseLost

    return keep
