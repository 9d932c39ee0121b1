"""One e-mail over one connection, with every way it can fail told apart: surely not sent, or perhaps."""

import smtplib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import css_inline
import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string
from django.utils import translation

from .outbox import GiveUp, Retry, Unreachable, Unsure

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mail:
    """What is sent. ``html`` is a trusted fragment of ours; without it the mail is plain text."""

    to: str
    subject: str
    text: str
    html: str
    message_id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    footer: str = ""
    sender_name: str = ""
    language: str = ""


def build(mail: Mail) -> EmailMultiAlternatives:
    """The message, framed by ``templates/email/base.html`` with its styles made inline."""
    message = EmailMultiAlternatives(
        subject=mail.subject,
        body=f"{mail.text}\n\n--\n{mail.footer}" if mail.footer else mail.text,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[mail.to],
        headers={**mail.headers, "Message-ID": mail.message_id, "Auto-Submitted": "auto-generated"},
    )
    if mail.html:
        with translation.override(mail.language or settings.LANGUAGE_CODE):
            page = render_to_string("email/base.html", {"mail": mail})
        message.attach_alternative(css_inline.inline(page), "text/html")
    return message


class Post:
    """A connection to the mail server: ``with Post() as post: post.send(mail)``. Raises Unreachable on entry."""

    def __init__(self) -> None:
        self.connection: Any = get_connection()
        #: whether the text of the mail in hand has begun to leave: before that it is surely not sent
        self.leaving = False

    def __enter__(self) -> "Post":
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.connection.close()
        except (smtplib.SMTPException, OSError):
            log.info("mail_close_failed")

    def _open(self) -> None:
        try:
            self.connection.open()
        except (smtplib.SMTPException, OSError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        raw = getattr(self.connection, "connection", None)
        if isinstance(raw, smtplib.SMTP):
            raw.data = self._watched(raw.data)  # type: ignore[method-assign]

    def _watched(self, data: Callable[..., Any]) -> Callable[..., Any]:
        def leave(*args: Any) -> Any:
            self.leaving = True
            return data(*args)

        return leave

    def _alive(self) -> None:
        """An idle connection that the server has closed is opened anew, before anything is sent over it."""
        raw = getattr(self.connection, "connection", None)
        if raw is None or not hasattr(raw, "noop"):
            return
        try:
            if raw.noop()[0] == 250:
                return
        except (smtplib.SMTPException, OSError):
            pass
        self.connection.close()
        self._open()

    def send(self, mail: Mail) -> None:
        """Send one. Raises Retry, Unreachable, GiveUp or Unsure (see ``crmcem.lib.outbox``)."""
        try:
            message = build(mail)
        except Exception as error:  # it could not even be built: nothing has left
            raise GiveUp(f"It can't be composed: {type(error).__name__}: {error}") from error
        self._alive()
        self.leaving = not isinstance(getattr(self.connection, "connection", None), smtplib.SMTP)
        try:
            self.connection.send_messages([message])
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = next(iter(error.recipients.values()))
            _refused(code, answer)
        except smtplib.SMTPResponseException as error:
            _refused(error.smtp_code, error.smtp_error)
        except smtplib.SMTPNotSupportedError as error:  # an address that this server can't take
            raise GiveUp(str(error)) from error
        except (smtplib.SMTPException, OSError) as error:
            kind = Unsure if self.leaving else Unreachable
            raise kind(f"{type(error).__name__}: {error}") from error
        except ValueError as error:  # a header or address that mail can't carry
            raise GiveUp(str(error)) from error


def _refused(code: int, answer: bytes | str) -> None:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    if 400 <= code < 500:
        raise Retry(f"{code} {text}")
    raise GiveUp(f"{code} {text}")
