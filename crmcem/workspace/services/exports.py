"""Exports of lists: written down, made in the background where they are large, fetched by their owner for a day."""

import time
import uuid
from pathlib import Path
from typing import IO, Any, Self

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import InterfaceError, OperationalError, connection, transaction
from django.urls import Resolver404, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from crmcem.lib import jobs
from crmcem.lib.actors import Actor, acting, person
from crmcem.lib.errors import DomainError, NotAllowed
from crmcem.lib.jobs import soon
from crmcem.lib.keyset import estimated_count
from crmcem.lib.web import exports
from crmcem.workspace.models import Export
from crmcem.workspace.models.exports import KEPT
from crmcem.workspace.policies import require
from crmcem.workspace.services.lists import list_behind, seen_as

log = structlog.get_logger(__name__)
RUN = "crmcem.workspace.tasks.run_export"
LEASE_SECONDS = 60
OPEN = (Export.Status.QUEUED, Export.Status.RUNNING)
TICK_SECONDS = 1.0
#: so many files of one person may be in the making
OPEN_AT_ONCE = 3


class Cancelled(Exception):
    """Somebody stopped the export, or another worker has it."""


class Exports:
    """What ``crmcem.lib.web.exports`` asks its keeper for."""

    def note(self, *, actor: Actor, page: Any, rows: int) -> None:
        with acting(actor):
            row = _row(actor, page)
            row.status, row.rows_done = Export.Status.DONE, rows
            row.finished_at = timezone.now()
            row.save()

    def begin(self, *, actor: Actor, page: Any) -> str:
        """Raises DomainError where the person has enough of them in the making."""
        with acting(actor):
            row = _row(actor, page)
            waiting = Export.objects.filter(owner_id=row.owner_id, status__in=["queued", "running"])
            if waiting.count() >= OPEN_AT_ONCE:
                raise DomainError.of(
                    "export",
                    "too_many",
                    _("Your exports before this one are still being made. Wait for them."),
                )
            row.rows_estimated = estimated_count(page.filtered())
            row.file_name = exports.file_name(page)
            row.save()
            soon(RUN, row.pk)
        return reverse("workspace:export", args=[row.pk])


def _row(actor: Actor, page: Any) -> Export:
    scope = exports.scope_of(page)
    require(actor, scope)
    return Export(
        owner=actor.user,
        entity=page.entity,
        title=str(page.title)[:120],
        scope=scope,
        path=page.request.path,
        query=page.query.text,
        columns=[str(column.label)[:80] for column in page.shown_columns],
    )


def export_cancel(*, export: Export, actor: Actor) -> Export:
    """Stop making the file. An export that has ended stays as it is."""
    with acting(actor):
        row: Export = Export.objects.select_for_update().visible_to(actor.user).get(pk=export.pk)
        if row.is_open:
            row.status, row.finished_at = Export.Status.CANCELLED, timezone.now()
            row.save(update_fields=["status", "finished_at"])
    return row


# --- the work ------------------------------------------------------------------------------------------
def orphans() -> list[int]:
    return jobs.orphans(Export, OPEN)


def _claim(export_id: int) -> Export | None:
    if not jobs.claim(Export, export_id, OPEN, LEASE_SECONDS, rows_done=0):
        return None
    row: Export = Export.objects.select_related("owner__role", "owner__team").get(pk=export_id)
    return row


def export_run(export_id: int) -> str:
    """Make the file from its beginning. Answers the export's status, "busy" where another worker has it."""
    row = _claim(export_id)
    if row is None:
        return "busy"
    name = f"exports/{timezone.now():%Y/%m}/{uuid.uuid4().hex}{Path(row.file_name).suffix or '.csv'}"
    try:
        with seen_as(row.owner):
            return _make(row, name)
    except Cancelled:
        default_storage.delete(name)
        return Export.Status.CANCELLED
    except (OperationalError, InterfaceError):
        default_storage.delete(name)
        raise  # the database is away or busy: the lease runs out and a worker begins anew
    except (DomainError, NotAllowed, Resolver404) as error:
        default_storage.delete(name)
        return _end(row, Export.Status.FAILED, error=str(error))
    except SoftTimeLimitExceeded:
        default_storage.delete(name)
        return _end(row, Export.Status.FAILED, error=_("The list is too long for one file. Narrow it first."))
    except Exception:
        log.exception("export_failed", export=row.pk)
        default_storage.delete(name)
        return _end(row, Export.Status.FAILED, error=_("The export stopped because of a defect on our side."))


def _make(row: Export, name: str) -> str:
    require(person(row.owner), row.scope)
    page = list_behind(row.owner, row.path, row.query)
    path = Path(settings.MEDIA_ROOT) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file, _Watched(file, row.pk) as watched:
        rows = exports.write(page, watched)
    return _end(row, Export.Status.DONE, rows=rows, file=name)


class _Watched:
    """The file on its way: tells how far it is and renews the lease, over a connection of its own.

    The export's own connection is inside one long statement all the while. The other one is made before that: Django
    may ask the first for the types of its extensions when it makes a second.
    """

    def __init__(self, file: IO[bytes], export_id: int) -> None:
        self.file, self.export_id, self.rows = file, export_id, 0
        self.last = time.monotonic()
        self.other = connection.copy()

    def __enter__(self) -> Self:
        self.other.ensure_connection()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.other.close()

    def write(self, data: bytes, /) -> int:
        return self.file.write(data)

    def tick(self, rows: int) -> None:
        self.rows += rows
        if time.monotonic() - self.last < TICK_SECONDS:
            return
        self.last = time.monotonic()
        with self.other.cursor() as cursor:
            cursor.execute(
                """UPDATE workspace_export
                SET rows_done = %s, claimed_until = clock_timestamp() + make_interval(secs => %s)
                WHERE id = %s AND status = 'running' RETURNING id""",
                [self.rows, LEASE_SECONDS, self.export_id],
            )
            if cursor.fetchone() is None:
                raise Cancelled


def _end(row: Export, status: str, *, rows: int = 0, file: str = "", error: str = "") -> str:
    now = timezone.now()
    with acting(person(row.owner)):
        changed = Export.objects.filter(pk=row.pk, status=Export.Status.RUNNING).update(
            status=status,
            rows_done=rows,
            file=file,
            error=error,
            claimed_until=None,
            finished_at=now,
            expires_at=now + KEPT if file else None,
        )
    if not changed and file:
        raise Cancelled
    return status


def exports_expire() -> int:
    """Delete the files whose day is over. Who exported what stays written down."""
    gone = 0
    for row in Export.objects.filter(expires_at__lt=timezone.now()).order_by("expires_at")[:500]:
        with transaction.atomic():
            row.file.delete(save=False)
            Export.objects.filter(pk=row.pk).update(file="", expires_at=None)
        gone += 1
    return gone
