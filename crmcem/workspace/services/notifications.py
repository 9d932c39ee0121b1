"""Telling people something: in the app at once, by e-mail where they asked for it."""

from django.db import connection
from django.utils import timezone

from crmcem.lib.jobs import soon
from crmcem.workspace.models import Notification, User


def notify(
    *, user: User, kind: str, title: str, body: str = "", url: str = "", dedupe_key: str | None = None
) -> bool:
    """Make one notification inside the caller's transaction; False when ``dedupe_key`` was used before.

    ``url`` is a path of this site. The e-mail is sent later from the row (see ``send_notification_emails``).
    """
    wants_mail = user.is_active and user.email_notifications and bool(user.email)
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO workspace_notification (user_id, kind, title, body, url, dedupe_key, created_at,
                                                email_status, email_attempts, email_next_at, email_error)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 0, %s, '')
            ON CONFLICT (dedupe_key) DO NOTHING
            """,
            [
                user.pk,
                kind,
                title[:300],
                body,
                url[:500],
                dedupe_key,
                now,
                "queued" if wants_mail else "none",
                now if wants_mail else None,
            ],
        )
        if cursor.rowcount == 0:
            return False
    if wants_mail:
        soon("crmcem.workspace.tasks.send_notification_emails", debounce=1)
    return True


def notifications_read(*, user: User, ids: list[int] | None = None) -> int:
    """Mark the person's own notifications as read (all of them without ``ids``). Returns how many."""
    unread = Notification.objects.filter(user=user, read_at__isnull=True)
    if ids is not None:
        unread = unread.filter(pk__in=ids)
    return unread.update(read_at=timezone.now())
