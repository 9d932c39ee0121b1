"""Writing to the stream: the only way an activity comes to be."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from contacts.models import Activity
from crmcem.lib.actors import Actor
from crmcem.lib.jobs import soon

PUMP = "contacts.tasks.pump_stream"


@dataclass(frozen=True, slots=True)
class NewActivity:
    """One activity to append. ``subject`` is ``(type, id)`` of the record it is about."""

    kind: str
    contact_id: int | None = None
    company_id: int | None = None
    subject: tuple[str, int] | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: dt.datetime | None = None
    anonymous_id: str | None = None


def activities_append(*, actor: Actor, activities: Iterable[NewActivity]) -> int:
    """Append to the stream inside the caller's transaction, and wake the consumers after commit.

    Set-based: one INSERT per thousand rows. Returns how many were appended.
    """
    rows = [
        Activity(
            kind=a.kind,
            contact_id=a.contact_id,
            company_id=a.company_id,
            subject_type=a.subject[0] if a.subject else "",
            subject_id=a.subject[1] if a.subject else None,
            actor_kind=actor.kind,
            actor_id=actor.id,
            anonymous_id=a.anonymous_id,
            occurred_at=a.occurred_at or timezone.now(),
            payload=dict(a.payload),
        )
        for a in activities
    ]
    if rows:
        Activity.objects.bulk_create(rows, batch_size=1000)
        wake_consumers()
    return len(rows)


def activity_append(*, actor: Actor, activity: NewActivity) -> None:
    """Append one activity (see ``activities_append``)."""
    activities_append(actor=actor, activities=[activity])


def wake_consumers() -> None:
    """Ask the workers, after commit and debounced, to read the stream."""
    soon(PUMP, debounce=0.2)
