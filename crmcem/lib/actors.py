"""Who is acting, and the transaction in which the database's audit triggers learn it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from django.db import connection, transaction

ActorKind = Literal["user", "token", "automation", "import", "customer", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """The one who acts.

    ``user`` is the person whose visibility applies (also behind a token or an import); it is None for
    automations, customers and the system, which are not limited by a role. ``scopes`` narrows a token
    further than its person's role; None means no narrowing.
    """

    kind: ActorKind
    id: int | None = None
    user: Any = None
    scopes: frozenset[str] | None = None

    @property
    def is_limited(self) -> bool:
        """Whether a person's role decides what this actor may see and do."""
        return self.kind in {"user", "token", "import"}


SYSTEM = Actor("system")


def person(user: Any) -> Actor:
    """The actor for a signed-in user."""
    return Actor("user", user.pk, user)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """One transaction whose every audited write carries ``actor``.

    Nested uses join the outer transaction; the outer actor is restored at the end. The setting is local
    to the transaction, so it is safe behind PgBouncer's transaction pooling.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        value = f"{actor.kind}:{'' if actor.id is None else actor.id}"
        cursor.execute(
            "SELECT current_setting('crmcem.actor', true), set_config('crmcem.actor', %s, true)", [value]
        )
        before = cursor.fetchone()[0] or ""
        yield
        if before and before != value:
            cursor.execute("SELECT set_config('crmcem.actor', %s, true)", [before])


@contextmanager
def replaying() -> Iterator[None]:
    """Inside a transaction: rows are put back as they were, and the triggers that keep histories stand still."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('crmcem.replay', 'on', true)")
        yield
        cursor.execute("SELECT set_config('crmcem.replay', '', true)")


@contextmanager
def because(reason: str) -> Iterator[None]:
    """Inside a transaction: histories that the database keeps note ``reason`` with what is written in here."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('crmcem.reason', %s, true)", [reason])
        yield
        cursor.execute("SELECT set_config('crmcem.reason', '', true)")
