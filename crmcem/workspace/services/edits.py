"""Edits of many records: at once where they are few, chunk by chunk in the background, taken back for half an hour.

A chunk is one transaction: the rows, what stood there before, and how far it is. Whatever dies when, the next worker
goes on behind the last chunk, so each row is written once.
"""

import datetime as dt
from contextlib import nullcontext
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection
from django.db.models import Max
from django.http import Http404
from django.urls import Resolver404
from django.utils import timezone
from django.utils.translation import gettext as _

from crmcem.lib import cleaning, jobs
from crmcem.lib.actors import Actor, acting, because, person
from crmcem.lib.bulk_edits import editors
from crmcem.lib.errors import DomainError, NotAllowed
from crmcem.lib.jobs import soon
from crmcem.lib.keyset import estimated_count
from crmcem.lib.timeouts import statement_timeout
from crmcem.workspace.models import BulkEdit, BulkEditRow
from crmcem.workspace.models.edits import KEPT
from crmcem.workspace.policies import require
from crmcem.workspace.services.lists import list_behind, seen_as

log = structlog.get_logger(__name__)
RUN = "crmcem.workspace.tasks.run_edit"
#: so many rows are changed at once, and so many in each transaction of a job
CHUNK = 500
LEASE_SECONDS = 60
FAILURES_KEPT = 20
OPEN_AT_ONCE = 3
#: who changed what in bulk is remembered so long
REMEMBERED = dt.timedelta(days=30)
Status = BulkEdit.Status
OPEN = (Status.QUEUED, Status.RUNNING, Status.UNDOING)


def edit_begin(
    *,
    actor: Actor,
    page: Any,
    key: str,
    raw: Any,
    label: str,
    ids: list[int] | None = None,
    reason: str = "",
) -> BulkEdit:
    """Set the field ``key`` of the open list's rows (or of the chosen ``ids`` among them) to ``raw``.

    ``reason`` goes into the histories that keep one. Raises DomainError where the value is none for this field,
    NotAllowed.
    """
    rows = page.filtered() if ids is None else page.filtered().filter(pk__in=ids)
    editor = editors[rows.model._meta.label]
    require(actor, editor.scope)
    value = editor.check(key=key, raw=raw, actor=actor)
    edit = BulkEdit(
        user=actor.user,
        model=rows.model._meta.label,
        title=str(page.title)[:120],
        label=label[:120],
        path=page.request.path,
        query=page.query.text,
        ids=ids,
        key=key,
        value=value,
        reason=_reason(reason),
    )
    return edit_start(edit=edit, rows=rows, actor=actor)


def _reason(value: Any) -> str:
    try:
        return str(cleaning.text(300)(value))
    except ValueError as error:
        raise DomainError.of("reason", getattr(error, "code", "invalid"), error) from error


def edit_start(*, edit: BulkEdit, rows: Any, actor: Actor) -> BulkEdit:
    """Begin an edit whose value is clean; ``rows`` are what ``list_behind`` its path and query would give.

    At once where they are few, else as a job. Raises DomainError where too many of theirs are open, NotAllowed.
    """
    require(actor, editors[edit.model].scope)
    few = _at_once(edit)
    with acting(actor):
        found = list(rows.order_by("pk").values_list("pk", flat=True)[: few + 1])
        edit.rows_total = len(found)
        if len(found) <= few:
            edit.status = Status.RUNNING
            edit.save()
            _change(edit, found, actor)
            _end(edit, Status.DONE)
        else:
            _queue(edit, rows)
    return edit


def _queue(edit: BulkEdit, rows: Any) -> None:
    waiting = BulkEdit.objects.filter(
        user_id=edit.user_id, status__in=[Status.QUEUED, Status.RUNNING, Status.UNDOING]
    )
    if waiting.count() >= OPEN_AT_ONCE:
        raise DomainError.of(
            "value", "too_many", _("Your changes before this one are still being made. Wait for them.")
        )
    edit.rows_total = _about(rows)
    edit.until = rows.model._base_manager.aggregate(last=Max("pk"))["last"] or 0
    edit.save()
    soon(RUN, edit.pk)


def _about(rows: Any) -> int:
    """How many rows: counted where that takes no second, else as the planner thinks."""
    try:
        with statement_timeout(1000):
            return int(rows.order_by().count())
    except OperationalError:
        return estimated_count(rows)


def edit_cancel(*, edit: BulkEdit, actor: Actor) -> BulkEdit:
    """Go no further. What is changed already stays and can be taken back."""
    with acting(actor):
        row = _locked(edit.pk, actor)
        if row.status in {Status.QUEUED, Status.RUNNING}:
            _end(row, Status.CANCELLED)
    return row


def edit_undo(*, edit: BulkEdit, actor: Actor) -> BulkEdit:
    """Put back what stood there wherever nobody changed it since. Raises DomainError when it is too late."""
    with acting(actor):
        row = _locked(edit.pk, actor)
        require(actor, editors[row.model].scope)
        if not row.can_undo:
            raise DomainError.of("edit", "too_late", _("This change can’t be taken back any more."))
        last = BulkEditRow.objects.filter(edit=row).aggregate(last=Max("pk"))["last"] or 0
        row.status, row.position, row.claimed_until = Status.UNDOING, last + 1, None
        row.save(update_fields=["status", "position", "claimed_until"])
        if row.changed > _at_once(row):
            soon(RUN, row.pk)
        else:
            _restore(row, actor)
            _end(row, Status.UNDONE)
    return row


def _locked(pk: int, actor: Actor) -> BulkEdit:
    row: BulkEdit | None = BulkEdit.objects.select_for_update().visible_to(actor.user).filter(pk=pk).first()
    if row is None:
        raise Http404
    return row


# --- the work, inside a transaction that holds the edit's row ------------------------------------------------
def _at_once(edit: BulkEdit) -> int:
    own = editors[edit.model].at_once
    return CHUNK if own is None else own


def _chunk(edit: BulkEdit) -> int:
    own = editors[edit.model].chunk
    return CHUNK if own is None else min(own, CHUNK)


def _change(edit: BulkEdit, ids: list[int], actor: Actor) -> None:
    with because(edit.reason) if edit.reason else nullcontext():
        written = editors[edit.model].write(key=edit.key, value=edit.value, ids=ids, actor=actor)
    BulkEditRow.objects.bulk_create(
        [
            BulkEditRow(edit=edit, record_id=pk, before=before, version=version)
            for pk, before, version in written.changed
        ],
        batch_size=CHUNK,
    )
    edit.changed += len(written.changed)
    edit.failed += len(written.failed)
    edit.failures = [*edit.failures, *map(list, written.failed)][:FAILURES_KEPT]
    edit.rows_done += len(ids)
    edit.position = ids[-1] if ids else edit.position
    if written.changed:
        edit.txids = sorted({*edit.txids, _transaction()})
    edit.save(update_fields=["changed", "failed", "failures", "rows_done", "position", "txids"])


def _transaction() -> int:
    """The transaction by which the stream tells what this chunk did."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        return int(cursor.fetchone()[0])


def _restore(edit: BulkEdit, actor: Actor) -> bool:
    """One chunk back, the last change first. Answers whether there was one."""
    left = BulkEditRow.objects.filter(edit=edit, pk__lt=edit.position)
    rows = list(left.order_by("-pk")[: _chunk(edit)])
    if not rows:
        return False
    before = {row.record_id: (row.before, row.version) for row in rows}
    restored = editors[edit.model].restore(key=edit.key, before=before, actor=actor)
    edit.restored += restored.count
    edit.skipped = [*edit.skipped, *map(list, restored.kept)][:FAILURES_KEPT]
    edit.position = rows[-1].pk
    edit.save(update_fields=["restored", "skipped", "position"])
    return True


def _end(edit: BulkEdit, status: str, error: str = "") -> None:
    now = timezone.now()
    edit.status, edit.error, edit.claimed_until, edit.finished_at = status, error, None, now
    edit.expires_at = None if status == Status.UNDONE else now + KEPT
    edit.save(update_fields=["status", "error", "claimed_until", "finished_at", "expires_at"])


# --- the job ------------------------------------------------------------------------------------------------
def orphans() -> list[int]:
    return jobs.orphans(BulkEdit, OPEN)


def _claim(edit_id: int) -> BulkEdit | None:
    if not jobs.claim(BulkEdit, edit_id, OPEN, LEASE_SECONDS):
        return None
    row: BulkEdit = BulkEdit.objects.select_related("user__role", "user__team").get(pk=edit_id)
    return row


def edit_run(edit_id: int) -> str:
    """Go on with an edit until its end. Answers its status, "busy" where another worker has it."""
    edit = _claim(edit_id)
    if edit is None:
        return "busy"
    actor = person(edit.user)
    try:
        with seen_as(edit.user):
            if not edit.user.is_active:
                raise NotAllowed(editors[edit.model].scope)
            require(actor, editors[edit.model].scope)
            rows = None if edit.status == Status.UNDOING else _rows(edit)
            while _step(edit_id, rows, actor):
                pass
    except (OperationalError, InterfaceError):
        raise  # the database is away or busy: the lease runs out and a worker goes on
    except (DomainError, NotAllowed, Resolver404) as error:
        _fail(edit_id, actor, str(error))
    except Exception:
        log.exception("edit_failed", edit=edit_id)
        _fail(edit_id, actor, _("The change stopped because of a defect on our side."))
    return str(BulkEdit.objects.values_list("status", flat=True).get(pk=edit_id))


def _rows(edit: BulkEdit) -> Any:
    """The rows that are left to do, as the person would see them now."""
    page = list_behind(edit.user, edit.path, edit.query)
    rows = page.filtered()
    return rows if edit.ids is None else rows.filter(pk__in=edit.ids)


def _step(edit_id: int, rows: Any, actor: Actor) -> bool:
    """One chunk. Answers whether there may be another."""
    with acting(actor):
        edit = BulkEdit.objects.select_for_update().get(pk=edit_id)
        if edit.status == Status.UNDOING:
            more = _restore(edit, actor)
        elif edit.status == Status.RUNNING:
            left = rows.filter(pk__gt=edit.position, pk__lte=edit.until).order_by("pk")
            ids = list(left.values_list("pk", flat=True)[: _chunk(edit)])
            more = bool(ids)
            _change(edit, ids, actor)
        else:
            return False
        if more:
            edit.claimed_until = timezone.now() + dt.timedelta(seconds=LEASE_SECONDS)
            edit.save(update_fields=["claimed_until"])
        else:
            _end(edit, Status.UNDONE if edit.status == Status.UNDOING else Status.DONE)
    return more


def _fail(edit_id: int, actor: Actor, error: str) -> None:
    with acting(actor):
        edit = BulkEdit.objects.select_for_update().get(pk=edit_id)
        if edit.is_open:
            _end(edit, Status.FAILED, error)


def edits_expire() -> int:
    """Forget what stood there before when it can't be taken back any more, and old edits altogether."""
    now = timezone.now()
    late = BulkEdit.objects.filter(expires_at__lt=now).exclude(status=Status.UNDOING)
    for pk in list(late.order_by("expires_at").values_list("pk", flat=True)[:100]):
        BulkEditRow.objects.filter(edit_id=pk).delete()
        BulkEdit.objects.filter(pk=pk).update(expires_at=None)
    gone, _models = BulkEdit.objects.filter(created_at__lt=now - REMEMBERED).delete()
    return gone
