"""Tracked events: checked, deduplicated, attributed and appended by a handful of statements per request."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.utils import timezone

from contacts.services.event_contacts import Found, contacts_for, sees_all
from contacts.services.event_input import MAX_EVENTS, Event, Rejected, read_events
from contacts.services.stream import wake_consumers
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError, FieldError
from crmcem.workspace.policies import require

HIDDEN = FieldError("contact", "does_not_exist", "There is no such customer, or it is not yours to see.")
NO_ANONYMOUS = FieldError(
    "contact", "not_allowed", "Anonymous events need a token of a person who sees all customers."
)

# Between the values of a column. No value can hold it: JSON escapes it, names and identities are printable.
_SEPARATOR = "\x1f"
# The events come as columns of text, which cost a third of a JSON document to take apart. Customers who are named by
# their external id (``x``) are found on the way; where one of them is unknown, nothing is written. The look-up is
# lateral so that it goes by index however few events there are. Keys are taken in the order of their values, so that
# two requests never wait for each other.
_APPEND = """
WITH e AS MATERIALIZED (
    SELECT q.i, q.d::uuid AS d, q.k, q.t::timestamptz AS t, q.p::jsonb AS p, q.a,
           coalesce(named.id, q.c::bigint) AS c, coalesce(named.company_id, q.o::bigint) AS o,
           q.x IS NOT NULL AND named.id IS NULL AS unknown
    FROM ROWS FROM (
        string_to_table(%(digests)s, %(separator)s), string_to_table(%(kinds)s, %(separator)s),
        string_to_table(%(times)s, %(separator)s), string_to_table(%(payloads)s, %(separator)s),
        string_to_table(%(external_ids)s, %(separator)s, ''), string_to_table(%(contacts)s, %(separator)s, ''),
        string_to_table(%(companies)s, %(separator)s, ''), string_to_table(%(visitors)s, %(separator)s, '')
    ) WITH ORDINALITY AS q (d, k, t, p, x, c, o, a, i)
    LEFT JOIN LATERAL (
        SELECT id, company_id FROM contacts_contact WHERE external_id = q.x LIMIT 1
    ) named ON true
), fresh AS (
    INSERT INTO contacts_eventkey (digest)
    SELECT e.d FROM e WHERE NOT EXISTS (SELECT FROM e WHERE e.unknown) ORDER BY e.d
    ON CONFLICT (digest) DO NOTHING
    RETURNING digest
), written AS (
    INSERT INTO contacts_activity
        (occurred_at, kind, contact_id, company_id, actor_kind, actor_id, anonymous_id, payload)
    SELECT e.t, e.k, e.c, e.o, %(actor_kind)s, %(actor_id)s, e.a, e.p
    FROM e JOIN fresh ON fresh.digest = e.d
    ORDER BY e.i
)
SELECT EXISTS (SELECT FROM e WHERE e.unknown), (SELECT count(*) FROM fresh)
"""


@dataclass(slots=True)
class Taken:
    """What became of the events of one request."""

    accepted: int = 0
    duplicates: int = 0
    rejected: Rejected = field(default_factory=dict)


def events_append(*, actor: Actor, events: Sequence[Any], now: dt.datetime | None = None) -> Taken:
    """Append tracked events to the stream, each once per ``message_id`` of its sender.

    Unknown customers are made (where the actor sees all of them). Bad events are answered by index and harm
    no other. Raises DomainError for more than MAX_EVENTS, NotAllowed without ``events:write``.
    """
    require(actor, "events:write")
    if len(events) > MAX_EVENTS:
        raise DomainError.of("events", "too_many", f"Send at most {MAX_EVENTS:,} events in one request.")
    good, rejected, repeated = read_events(events, source=source_of(actor), now=now or timezone.now())
    taken = Taken(duplicates=repeated, rejected=rejected)
    if not good:
        return taken
    accepted = _append_to_known(actor, good)
    if accepted is None:
        with acting(actor):
            found = contacts_for(actor=actor, identities={event.who for event in good})
            good = _reachable(good, found, taken.rejected)
            accepted = _append(actor, good, found)[1]
    taken.accepted = accepted
    taken.duplicates += len(good) - accepted
    wake_consumers()
    return taken


def source_of(actor: Actor) -> str:
    """Message ids are unique per token; all sessions of people share one name space."""
    return f"token:{actor.id}" if actor.kind == "token" else "session"


def _append_to_known(actor: Actor, events: list[Event]) -> int | None:
    """Append where all are about customers named by an external id that there is: one statement, its own transaction.

    None, and nothing written, where somebody must be made, is named in another way, or may be hidden from the actor.
    """
    if not sees_all(actor) or not all(event.who[0] == "external_id" for event in events):
        return None
    complete, accepted = _append(actor, events)
    return accepted if complete else None


def _reachable(events: Iterable[Event], found: Found, rejected: Rejected) -> list[Event]:
    """The events about somebody whom the actor may speak of; the others are rejected."""
    reachable = []
    for event in events:
        if event.who in found:
            reachable.append(event)
        else:
            rejected[event.number] = [NO_ANONYMOUS if event.who[0] == "anonymous_id" else HIDDEN]
    return reachable


def _append(actor: Actor, events: list[Event], found: Found | None = None) -> tuple[bool, int]:
    """Whether all customers are known (else nothing is written), and how many of the events were new.

    Without ``found`` the statement looks the customers up by their external ids.
    """
    if not events:
        return True, 0
    _number, digests, kinds, times, people, payloads = zip(*events, strict=True)
    places = [found[who] for who in people] if found is not None else []
    columns: dict[str, Iterable[str]] = {
        "digests": digests,
        "kinds": kinds,
        "times": times,
        "external_ids": [who[1] for who in people] if found is None else [],
        "contacts": [str(contact or "") for contact, _company in places],
        "companies": [str(company or "") for _contact, company in places],
        "visitors": [who[2] or "" for who in people],
    }
    values = {name: _SEPARATOR.join(column) for name, column in columns.items()}
    values["payloads"] = _SEPARATOR.encode().join(payloads).decode()
    with connection.cursor() as cursor:
        cursor.execute(
            _APPEND,
            values | {"separator": _SEPARATOR, "actor_kind": actor.kind, "actor_id": actor.id},
        )
        unknown, accepted = cursor.fetchone()
        return not unknown, int(accepted)
