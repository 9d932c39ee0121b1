"""Reading tracked events: light, quick checks of what came in, no database.

An event is ``{message_id, event, occurred_at, contact: {external_id|email|anonymous_id}, properties}``. This loop
is the hottest Python of the house: what repeats within a batch (names, customers) is looked at once.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from crmcem.lib import cleaning
from crmcem.lib.errors import NON_FIELD, FieldError
from crmcem.lib.normalise import normalise_email

MAX_EVENTS = 10_000
MAX_PROPERTIES = 32 * 1024
#: levels of nesting; a timeline wraps them in a few more, and 254 are the most that JSON is written with
MAX_LEVELS = 100
MAX_AHEAD = dt.timedelta(hours=1)
EARLIEST = dt.datetime(1900, 1, 1, tzinfo=dt.UTC)
#: First words of the kinds that the house itself writes: a tracked event can't pretend to be one.
RESERVED = frozenset(
    """
    contact company interaction task message deal pipeline quote contract survey invitation response case
    automation run campaign segment milestone consent import user team workspace system
    """.split()  # noqa: SIM905 - a list of thirty quoted words is harder to read
)
_NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9][a-z0-9_]*)*\Z")
_FIELDS = frozenset({"message_id", "event", "occurred_at", "contact", "properties"})
_KNOWN = ", ".join(("message_id", "event", "occurred_at", "contact", "properties"))
_MAX_TEXT = 200

#: How a customer is named: ``(external_id|email|anonymous_id, value, anonymous id beside it)``.
Identity = tuple[str, str, str | None]


class Refused(ValueError):
    """One event can't be taken."""

    def __init__(self, field: str, code: str, detail: str) -> None:
        self.error = FieldError(field, code, detail)
        super().__init__(detail)


class Event(NamedTuple):
    """One checked event. ``number`` is its place in the request; ``digest`` makes it count once.

    ``occurred_at`` is a time in ISO form, ``properties`` a JSON object as text.
    """

    number: int
    digest: str
    kind: str
    occurred_at: str
    who: Identity
    properties: bytes


Rejected = dict[int, list[FieldError]]


def read_events(raw: Sequence[Any], *, source: str, now: dt.datetime) -> tuple[list[Event], Rejected, int]:
    """The good events, the bad ones by index, and how many repeat a ``message_id`` of this very request.

    ``source`` keeps the message ids of different senders apart. Times without a zone are refused.
    """
    events: list[Event] = []
    rejected: Rejected = {}
    seen: set[str] = set()
    repeated = 0
    latest = now + MAX_AHEAD
    arrival = now.isoformat()
    name, who, salt = _remembered(event_name), _remembered_identity(), f"{source}\x1f".encode()
    for number, item in enumerate(raw):
        try:
            message_id = _message_id(item)
            kind = name(item.get("event"))
            at = item.get("occurred_at")
            occurred_at = arrival if at is None else event_time(at, latest)
            identity = who(item.get("contact"))
            properties = event_properties(item.get("properties"))
        except Refused as error:
            rejected[number] = [error.error]
            continue
        if message_id in seen:
            repeated += 1
            continue
        seen.add(message_id)
        digest = hashlib.md5(salt + message_id.encode(), usedforsecurity=False).hexdigest()
        events.append(Event(number, digest, kind, occurred_at, identity, properties))
    return events, rejected, repeated


def _message_id(item: Any) -> str:
    """The message id of an event that has no other fields than an event's."""
    if not isinstance(item, dict):
        raise Refused(NON_FIELD, "invalid", "Send each event as a JSON object.")
    if not _FIELDS.issuperset(item):
        raise _unknown(item)
    value = item.get("message_id")
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
        raise Refused("message_id", "invalid", "Send a text of 1 to 200 characters, unique per event.")
    return value


def event_name(value: Any) -> str:
    """A dotted name in lower case (``order.placed``) outside the house's own."""
    if not isinstance(value, str) or len(value) > 80 or not _NAME.match(value):
        raise Refused("event", "invalid", "Send a name in lower case, dotted, such as order.placed.")
    if value.split(".", 1)[0] in RESERVED:
        raise Refused(
            "event", "reserved", f"Names that begin with {value.split('.', 1)[0]} are kept for the system."
        )
    return value


def event_time(value: Any, latest: dt.datetime) -> str:
    """The moment in ISO form; at most an hour ahead, as late as it likes."""
    try:
        moment = dt.datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise Refused(
                "occurred_at", "invalid", "Send the time with its zone, such as 2026-01-31T12:00:00Z."
            )
        if moment > latest:
            raise Refused("occurred_at", "future", "This time lies more than an hour ahead.")
        if moment < EARLIEST:
            raise Refused("occurred_at", "invalid", "This time lies before 1900.")
        return moment.isoformat()
    except Refused:
        raise
    except (ValueError, TypeError, OverflowError):
        raise Refused(
            "occurred_at", "invalid", "Send a time in RFC 3339, such as 2026-01-31T12:00:00Z."
        ) from None


def event_properties(value: Any) -> bytes:
    """The properties as JSON text, at most 32 KB; none of them is an empty object."""
    if value is None:
        return b"{}"
    if not isinstance(value, dict):
        raise Refused("properties", "invalid", "Send the properties as a JSON object.")
    try:
        text = orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise _too_deep() from None
    if len(text) > MAX_PROPERTIES:
        raise Refused("properties", "too_large", "The properties of one event may take 32 KB at most.")
    if text.count(b"{") + text.count(b"[") > MAX_LEVELS and not _fits(value, MAX_LEVELS):
        raise _too_deep()
    return text


def _too_deep() -> Refused:
    return Refused("properties", "too_deep", f"Nest the properties at most {MAX_LEVELS} levels deep.")


def _fits(value: Any, levels: int) -> bool:
    """Whether ``value`` has at most so many levels of objects and lists; looks level by level, so it can't overflow."""
    level = [value]
    for _ in range(levels):
        inner = [one.values() if isinstance(one, dict) else one for one in level]
        level = [each for one in inner for each in one if isinstance(each, dict | list)]
        if not level:
            return True
    return False


def identity_of(contact: Any) -> Identity:
    """Who it is about: exactly one of external_id and email, or an anonymous_id; that may also stand beside them."""
    if (
        not isinstance(contact, dict)
        or not contact
        or not contact.keys() <= {"external_id", "email", "anonymous_id"}
    ):
        raise Refused("contact", "invalid", "Name the customer by one of external_id, email or anonymous_id.")
    if "external_id" in contact and "email" in contact:
        raise Refused("contact", "ambiguous", "Name the customer by external_id or by email, not by both.")
    anonymous = _text("anonymous_id", contact["anonymous_id"]) if "anonymous_id" in contact else None
    if "external_id" in contact:
        return ("external_id", _text("external_id", contact["external_id"]), anonymous)
    if "email" in contact:
        return ("email", _email(contact["email"]), anonymous)
    return ("anonymous_id", anonymous or "", anonymous)


_line = cleaning.text(_MAX_TEXT)


def _text(field: str, value: Any) -> str:
    try:
        text = _line(value)
    except ValueError as error:
        raise Refused(f"contact.{field}", "invalid", str(error)) from None
    if not isinstance(value, str) or not text:
        raise Refused(f"contact.{field}", "invalid", "Send a text of 1 to 200 characters.")
    return str(text)


def _email(value: Any) -> str:
    try:
        if not isinstance(value, str):
            raise ValueError("Send the e-mail address as text.")
        return normalise_email(value)
    except ValueError as error:
        raise Refused("contact.email", "invalid", str(error)) from None


def _unknown(item: Mapping[str, Any]) -> Refused:
    field = sorted(item.keys() - _FIELDS)[0][:80] or NON_FIELD
    return Refused(field, "unknown_field", f"There is no such field. Fields that can be set: {_KNOWN}.")


def _remembered(check: Callable[[Any], str]) -> Callable[[Any], str]:
    good: dict[str, str] = {}

    def ask(value: Any) -> str:
        found = good.get(value) if isinstance(value, str) else None
        if found is None:
            found = check(value)
            good[value] = found
        return found

    return ask


def _remembered_identity() -> Callable[[Any], Identity]:
    good: dict[tuple[str, str], Identity] = {}

    def ask(contact: Any) -> Identity:
        if not isinstance(contact, dict) or len(contact) != 1:
            return identity_of(contact)
        [(key, value)] = contact.items()
        if not isinstance(value, str):
            return identity_of(contact)
        if key == "external_id" and value.isprintable() and " " not in value and 0 < len(value) <= _MAX_TEXT:
            return (key, value, None)  # nearly every event: there is nothing to clean
        found = good.get((key, value))
        if found is None:
            found = good[(key, value)] = identity_of(contact)
        return found

    return ask
