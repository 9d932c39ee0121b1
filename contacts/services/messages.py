"""Queueing what is said to customers. Nothing is sent here: see ``contacts.services.outbox``."""

import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction
from django.utils.translation import gettext as _

from contacts.models import Contact, Message
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError, NotAllowed
from crmcem.lib.jobs import soon
from crmcem.lib.visibility import visible_q

SEND = "contacts.tasks.send_messages"
#: What a customer can't refuse: an answer to something they just did (a receipt, a confirmation).
TRANSACTIONAL = "transactional"
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,70}\Z")
_RESERVED = {
    "to",
    "cc",
    "bcc",
    "from",
    "sender",
    "subject",
    "date",
    "message-id",
    "content-type",
    "mime-version",
}


def message_queue(
    *,
    actor: Actor,
    contact: Contact,
    purpose: str,
    subject: str,
    text: str,
    html: str = "",
    idempotency_key: str,
    to: str | None = None,
    subject_ref: tuple[str, int | None] = ("", None),
    headers: Mapping[str, str] | None = None,
) -> Message:
    """Queue one e-mail to a contact, once per ``idempotency_key``; a repetition answers the first row.

    ``html`` is a fragment, framed and given inline styles when it is sent; without it the mail is plain text.
    ``purpose`` is ``survey``, ``automation``, ``transactional`` …: consent is checked at the moment of sending, and
    only ``transactional`` goes to who refused e-mail. A contact without an address makes a ``suppressed`` row.
    ``subject_ref`` is the record it is about. Call it inside the caller's transaction: with that it is queued or not.

    Raises DomainError for a bad header or key, NotAllowed for a contact that the actor may not see.
    """
    if not idempotency_key or len(idempotency_key) > 160:
        raise DomainError.of("idempotency_key", "invalid", _("The key must have 1 to 160 characters."))
    if actor.is_limited and not Contact.objects.filter(visible_q(actor.user), pk=contact.pk).exists():
        raise NotAllowed("contacts:read")
    address = (to or contact.email or "").strip()
    error = _address_error(address)
    values: dict[str, Any] = {
        "contact_id": contact.pk,
        "purpose": purpose[:40],
        "to_address": address[:320],
        "subject": one_line(subject)[:500],
        "body_text": text.replace("\x00", ""),
        "body_html": html.replace("\x00", ""),
        "headers": _json(_checked_headers(headers or {})),
        "status": Message.Status.SUPPRESSED if error else Message.Status.QUEUED,
        "error": error,
        "idempotency_key": idempotency_key,
        "subject_type": subject_ref[0],
        "subject_id": subject_ref[1],
    }
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, values)
            made = cursor.fetchone() is not None
        message = Message.objects.get(idempotency_key=idempotency_key)
    if made and not error:
        soon(SEND, debounce=0.2)
    return message


_INSERT = """
INSERT INTO contacts_message (contact_id, channel, direction, purpose, to_address, from_address, subject, body_text,
    body_html, headers, attachments, status, idempotency_key, attempts, next_attempt_at, error, subject_type,
    subject_id, created_at)
VALUES (%(contact_id)s, 'email', 'out', %(purpose)s, %(to_address)s, '', %(subject)s, %(body_text)s,
    %(body_html)s, %(headers)s, '{}', %(status)s, %(idempotency_key)s, 0, clock_timestamp(), %(error)s,
    %(subject_type)s, %(subject_id)s, clock_timestamp())
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING id
"""


def one_line(text: str) -> str:
    """``text`` without control characters and line breaks: what may stand in a header."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _address_error(address: str) -> str:
    if not address:
        return _("The contact has no e-mail address.")
    try:
        validate_email(address)
    except ValidationError:
        return _("The e-mail address is not valid.")
    return ""


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _HEADER.match(name) or name.lower() in _RESERVED:
            raise DomainError.of("headers", "invalid", _("This header can't be set: %s") % name[:80])
        if any(ord(c) < 32 or ord(c) == 127 for c in value) or len(value) > 2000:
            raise DomainError.of(
                "headers", "invalid", _("The header %s has a line break or is too long.") % name
            )
    return dict(headers)


def _json(value: Mapping[str, str]) -> str:
    import orjson

    return orjson.dumps(dict(value)).decode()
