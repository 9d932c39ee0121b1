"""Sending queued messages: outside any transaction, each at most once (the rule is in ``crmcem.lib.outbox``)."""

import hashlib
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import structlog
from django.conf import settings

from contacts.models import Message
from contacts.services.messages import SEND, TRANSACTIONAL
from contacts.services.stream import NewActivity, activity_append
from crmcem.lib.actors import SYSTEM
from crmcem.lib.jobs import soon
from crmcem.lib.mail import Mail, Post
from crmcem.lib.outbox import Outbox, Suppress, Unreachable, send_again
from crmcem.workspace.organisation import organisation

log = structlog.get_logger(__name__)
OUTBOX = Outbox(Message, select_related=("contact",))
#: Extra headers of every message, such as List-Unsubscribe: registered by who owns the public page.
HeaderHook = Callable[[Message], Mapping[str, str]]
header_hooks: list[HeaderHook] = []


def send_messages(*, limit: int = 500) -> int:
    """Send up to ``limit`` due messages over one connection. Returns how many were tried.

    While the mail server can't be reached, nothing is claimed: the messages wait and lose no attempt.
    """
    OUTBOX.expire()
    if not Message.objects.filter(status="queued").exists():
        return 0
    try:
        with Post() as post:
            return OUTBOX.work(lambda message: post.send(compose(message)), limit=limit, done=_record)
    except Unreachable as error:
        log.warning("mail_server_unreachable", error=str(error))
        return 0


def compose(message: Message) -> Mail:
    """The mail for a row. Raises Suppress when the customer refuses e-mail now."""
    contact = message.contact
    if contact is not None and message.purpose != TRANSACTIONAL:
        consent = contact.consent.get("email") or {}
        if consent.get("status") == "denied":
            raise Suppress("The customer has refused e-mail.")
    headers: dict[str, str] = dict(message.headers)
    for hook in header_hooks:
        headers |= hook(message)
    return Mail(
        to=message.to_address,
        subject=message.subject,
        text=message.body_text,
        html=message.body_html,
        message_id=message_id(message.idempotency_key),
        headers=headers,
        footer=organisation().postal_address,
        sender_name=organisation().name,
        language=contact.language if contact else "",
    )


def message_id(idempotency_key: str) -> str:
    """The same Message-ID for every try of one message: receivers that compare it drop a repetition."""
    digest = hashlib.sha256(idempotency_key.encode()).hexdigest()[:40]
    return f"<{digest}@{urlsplit(settings.BASE_URL).hostname or 'localhost'}>"


def messages_send_again(*, ids: list[int]) -> int:
    """Queue failed and uncertain messages once more (a person's decision). Returns how many."""
    count = send_again(OUTBOX, ids)
    if count:
        soon(SEND, debounce=0.2)
    return count


def _record(message: Message, status: str) -> None:
    kind = {
        "sent": "message.sent",
        "failed": "message.failed",
        "uncertain": "message.failed",
        "suppressed": "message.suppressed",
    }.get(status)
    if kind is None:
        return
    payload = {
        "subject": message.subject,
        "purpose": message.purpose,
        "channel": message.channel,
        "status": status,
        "about": {"type": message.subject_type, "id": message.subject_id} if message.subject_type else None,
    }
    activity_append(
        actor=SYSTEM,
        activity=NewActivity(
            kind,
            contact_id=message.contact_id,
            subject=("message", message.pk),
            payload=payload,
        ),
    )
