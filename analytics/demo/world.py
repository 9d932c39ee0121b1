"""What the parts of the demo data share while they are made: the clock, chance, the cast, the customers."""

import datetime as dt
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from crmcem.lib.actors import SYSTEM, Actor, person
from crmcem.workspace.models import User

SEED = 1997
ZONE = ZoneInfo("America/New_York")


@dataclass(slots=True)
class Order:
    number: str
    at: dt.datetime
    items: int
    amount: str


@dataclass(slots=True)
class Someone:
    """A customer in the making. ``row`` is the contact's row; ``mood`` shifts scores, -1 to 1."""

    row: dict[str, Any]
    orders: list[Order] = field(default_factory=list)
    mood: float = 0.0

    @property
    def pk(self) -> int:
        return int(self.row["id"])

    @property
    def name(self) -> str:
        return f"{self.row['first_name']} {self.row['last_name']}"

    @property
    def language(self) -> str:
        return str(self.row["language"])

    @property
    def owner_id(self) -> int | None:
        return self.row["owner_id"]  # type: ignore[no-any-return]


@dataclass(slots=True)
class World:
    """``now`` is the moment that everything ends at; nothing but tasks and deals lies after it."""

    today: dt.date
    now: dt.datetime
    chance: random.Random
    people: dict[str, User] = field(default_factory=dict)
    customers: list[Someone] = field(default_factory=list)
    companies: list[dict[str, Any]] = field(default_factory=list)
    activities: list[dict[str, Any]] = field(default_factory=list)

    def actor(self, user_id: int | None) -> Actor:
        """The person of that id; the system where nobody owns it."""
        for user in self.people.values():
            if user.pk == user_id:
                return person(user)
        return SYSTEM

    def moment(self, day: dt.date, first: int = 9, last: int = 18) -> dt.datetime:
        """A moment of that day in the shop's zone between two hours, never later than now."""
        minute = self.chance.randrange(first * 60, last * 60)
        local = dt.datetime.combine(day, dt.time(minute // 60, minute % 60), tzinfo=ZONE)
        at = local.astimezone(dt.UTC) + dt.timedelta(seconds=self.chance.randrange(60))
        if at <= self.now:
            return at
        return self.now - dt.timedelta(minutes=5 + minute % 50)

    def clock(self, days: int, hour: int, minute: int = 0) -> dt.datetime:
        """The wall clock of the shop some days from today, also in the future."""
        day = self.today + dt.timedelta(days=days)
        return dt.datetime.combine(day, dt.time(hour, minute), tzinfo=ZONE).astimezone(dt.UTC)

    def happened(
        self,
        kind: str,
        at: dt.datetime,
        *,
        someone: Someone | None = None,
        company_id: int | None = None,
        subject: tuple[str, int] | None = None,
        actor: Actor = SYSTEM,
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        """One activity for the stream; all of them are appended at the end in the order of time."""
        at = min(at, self.now)
        self.activities.append(
            {
                "kind": kind,
                "occurred_at": at,
                "received_at": at,
                "contact_id": someone.pk if someone else None,
                "company_id": company_id or (someone.row["company_id"] if someone else None),
                "subject_type": subject[0] if subject else "",
                "subject_id": subject[1] if subject else None,
                "actor_kind": actor.kind,
                "actor_id": actor.id,
                "payload": dict(payload or {}),
            }
        )


def world(today: dt.date, actual: dt.datetime) -> World:
    """A fresh world that ends now, or in the evening of another ``today``."""
    evening = dt.datetime.combine(today, dt.time(19), tzinfo=ZONE).astimezone(dt.UTC)
    # Chance for stories, never for secrets
    return World(today, min(actual, evening) if evening < actual else actual, random.Random(SEED))
