"""The workspace's periodic work."""

import datetime as dt

from celery import shared_task
from django.utils import timezone

from crmcem.lib.jobs import soon, started

from .models import IdempotencyKey
from .services import edits, exports
from .services.outbox import SEND, send_notifications
from .services.trash import trash_expire

IDEMPOTENCY_DAYS = 7
BATCH = 10_000


@shared_task
def expire_idempotency_keys() -> int:
    """Forget keys after a week, in batches. Returns how many."""
    limit = timezone.now() - dt.timedelta(days=IDEMPOTENCY_DAYS)
    total = 0
    while True:
        ids = list(IdempotencyKey.objects.filter(created_at__lt=limit).values_list("pk", flat=True)[:BATCH])
        if not ids:
            return total
        total += IdempotencyKey.objects.filter(pk__in=ids).delete()[0]


@shared_task(name=SEND)
def send_notification_emails() -> int:
    """Send the e-mails of notifications that are due; those found half-sent become ``uncertain``."""
    started(SEND)
    return send_notifications()


@shared_task(name=exports.RUN)
def run_export(export_id: int) -> str:
    """Make the file of an export; one that another worker has is left to it."""
    return exports.export_run(export_id)


@shared_task
def resume_exports() -> int:
    """Wake a worker for each export that nobody works on."""
    waiting = exports.orphans()
    for export_id in waiting:
        soon(exports.RUN, export_id)
    return len(waiting)


@shared_task
def expire_exports() -> int:
    """Delete the files that were kept for a day."""
    return exports.exports_expire()


@shared_task
def expire_trash() -> int:
    """Forget deleted records that can't be restored any more."""
    return trash_expire()


@shared_task(name=edits.RUN)
def run_edit(edit_id: int) -> str:
    """Go on with an edit of many records; one that another worker has is left to it."""
    return edits.edit_run(edit_id)


@shared_task
def resume_edits() -> int:
    """Wake a worker for each edit that nobody works on."""
    waiting = edits.orphans()
    for edit_id in waiting:
        soon(edits.RUN, edit_id)
    return len(waiting)


@shared_task
def expire_edits() -> int:
    """Forget what stood there before edits that can't be taken back any more."""
    return edits.edits_expire()
