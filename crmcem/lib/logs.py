"""Structured logs: one line of JSON for each thing that happened, with the request's id, and never a secret."""

import logging
import re
import uuid
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
import structlog.tracebacks
from django.http import HttpRequest, HttpResponse

_SECRETS = re.compile(
    r"(?i)(bearer\s+|(?:password\w*|passwd|secret\w*|token|authorization|api[_-]?key|sessionid|csrf\w*|cookie)"
    r"\\?[\"']?\s*[=:]\s*\\?[\"']?(?:bearer\s+)?)"
    r"([^\s\"'&,;\\}]+)"
)
_PUBLIC_TOKENS = re.compile(r"/(s|f|u|q|p|reset/key)/[A-Za-z0-9_\-:.=]{16,}")
_SECRET_KEYS = re.compile(
    r"(?i)^(password\d?|oldpassword|secret|secret_key|token|authorization|cookie|sessionid)$"
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def redact(text: str) -> str:
    """``text`` with credentials and the tokens of public links masked."""
    return _PUBLIC_TOKENS.sub(r"/\1/***", _SECRETS.sub(r"\1***", text))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {
            key: "***" if value and isinstance(key, str) and _SECRET_KEYS.match(key) else _clean(value)
            for key, value in value.items()
        }
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def redact_event(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last step before a line is written: whatever it carries, tracebacks too, is masked."""
    cleaned: dict[str, Any] = _clean(dict(event))
    return cleaned


class RedactSecrets(logging.Filter):
    """Masks secrets in messages and in structlog's event dictionaries."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, dict):
            record.msg = _clean(record.msg)
        else:
            record.msg = redact(record.getMessage())
            record.args = ()
        return True


class RequestId:
    """Every request has an id: the caller's ``X-Request-ID`` where it is a plain word, else one of ours.

    It stands in every line that the request logs and comes back as a header, so that both sides can name it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        name = given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
        request.META["HTTP_X_REQUEST_ID"] = name
        response = self.get_response(request)
        response["X-Request-ID"] = name
        return response


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(*, form: str, level: str) -> dict[str, Any]:
    """Sets structlog up and returns Django's LOGGING. ``form`` is ``json`` or ``console``."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    # Without the frames' local variables: they hold passwords and tokens.
    frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    written: list[Any] = (
        [redact_event, structlog.dev.ConsoleRenderer(colors=False)]
        if form == "console"
        else [
            structlog.processors.ExceptionRenderer(frames),
            redact_event,
            structlog.processors.JSONRenderer(default=str),
        ]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"secrets": {"()": "crmcem.lib.logs.RedactSecrets"}},
        "formatters": {
            "house": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *written],
                "foreign_pre_chain": _SHARED,
            }
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "house", "filters": ["secrets"]},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {"django.server": {"level": "WARNING"}, "axes": {"level": "WARNING"}},
    }
