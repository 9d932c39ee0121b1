"""Reminders: due rows are claimed and turned into notifications in one transaction, so each comes exactly once."""

import datetime as dt

from django.db import transaction
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from contacts.models import Task
from contacts.recurrence import zone_of
from contacts.services.tasks import zone_for
from crmcem.workspace.services.notifications import notify

BATCH = 200


def reminders_send(*, now: dt.datetime | None = None, batch: int = BATCH) -> int:
    """Make a notification for every reminder that is due by ``now``. Returns how many were made.

    Each batch is one transaction: a worker that dies in it has reminded nobody, and the next one starts where
    it did. Rows that another worker holds are left to it. The key of the notification is the second lock.
    """
    now = now or timezone.now()
    made = 0
    while True:
        seen, sent = _send_batch(now, batch)
        made += sent
        if seen < batch:
            return made


def due(now: dt.datetime) -> Q:
    return Q(status=Task.Status.OPEN, reminded_at__isnull=True, remind_at__isnull=False, remind_at__lte=now)


@transaction.atomic
def _send_batch(now: dt.datetime, batch: int) -> tuple[int, int]:
    tasks = list(
        Task.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("owner", "contact")
        .filter(due(now))
        .order_by("remind_at")[:batch]
    )
    sent = sum(_remind(task) for task in tasks)
    Task.objects.filter(pk__in=[task.pk for task in tasks]).update(reminded_at=now)
    return len(tasks), sent


def _remind(task: Task) -> bool:
    """One notification to the assignee; False where there is nobody to tell or it was told before."""
    user = task.owner
    if user is None or not user.is_active:
        return False
    assert task.remind_at is not None
    with translation.override(user.language or None), timezone.override(zone_of(zone_for(user))):
        body = str(task.contact) if task.contact else ""
        if task.due_at:
            when = date_format(timezone.localtime(task.due_at), "SHORT_DATETIME_FORMAT")
            body = " · ".join(part for part in (_("Due %(when)s") % {"when": when}, body) if part)
        return notify(
            user=user,
            kind="task.reminder",
            title=_("Reminder: %(title)s") % {"title": task.title},
            body=body,
            url=f"/tasks/{task.pk}/",
            dedupe_key=f"reminder:{task.pk}:{task.remind_at.astimezone(dt.UTC).isoformat()}",
        )
