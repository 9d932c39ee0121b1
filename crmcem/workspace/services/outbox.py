"""Mailing notifications to people: from their rows, outside any transaction, each at most once."""

import hashlib
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation

from crmcem.lib.mail import Mail, Post
from crmcem.lib.outbox import Outbox, Suppress, Unreachable
from crmcem.workspace.models import Notification
from crmcem.workspace.organisation import organisation

log = structlog.get_logger(__name__)
SEND = "crmcem.workspace.tasks.send_notification_emails"
OUTBOX = Outbox(
    Notification,
    status="email_status",
    attempts="email_attempts",
    next_at="email_next_at",
    error="email_error",
    sent_at=None,
    claimed_at=None,
    suppressed="none",
    select_related=("user",),
)


def send_notifications(*, limit: int = 500) -> int:
    """Send up to ``limit`` due notification e-mails. Returns how many were tried.

    While the mail server can't be reached, nothing is claimed: they wait and lose no attempt.
    """
    OUTBOX.expire()
    if not Notification.objects.filter(email_status="queued").exists():
        return 0
    try:
        with Post() as post:
            return OUTBOX.work(lambda row: post.send(compose(row)), limit=limit)
    except Unreachable as error:
        log.warning("mail_server_unreachable", error=str(error))
        return 0


def compose(row: Notification) -> Mail:
    """The mail for a row. Raises Suppress when the person has left or no longer wants e-mail."""
    user = row.user
    if not user.is_active or not user.email_notifications or not user.email:
        raise Suppress("The person no longer takes e-mail.")
    link = f"{settings.BASE_URL}{row.url}" if row.url.startswith("/") else ""
    with translation.override(user.language or settings.LANGUAGE_CODE):
        html = render_to_string("email/notification.html", {"notification": row, "link": link})
    digest = hashlib.sha256(f"notification:{row.pk}".encode()).hexdigest()[:40]
    return Mail(
        to=user.email,
        subject=" ".join(row.title.split()),
        text="\n\n".join(part for part in (row.title, row.body, link) if part),
        html=html,
        message_id=f"<{digest}@{urlsplit(settings.BASE_URL).hostname or 'localhost'}>",
        sender_name=organisation().name,
        language=user.language,
    )
