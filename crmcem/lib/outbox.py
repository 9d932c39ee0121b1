"""Effects outside the database (SMTP, HTTP) as rows: claimed, sent outside any transaction, marked.

The rule: a claim is committed before anything leaves, and ends with the lease. A row whose claim ran out was
*perhaps* sent (its worker died between sending and marking): it becomes ``uncertain``, shows up where a
person sees it, and is never sent again by itself. So each row leaves at most once, and none is lost.
One row is claimed at a time: a death leaves at most one uncertain row per worker.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog
from django.db import connection, models, transaction

log = structlog.get_logger(__name__)

M = TypeVar("M", bound=models.Model)


class Retry(Exception):
    """Surely not sent, and worth another try later: a refused connection, a temporary answer."""


class Unreachable(Retry):
    """The other side doesn't answer at all: the rows behind this one are left for the next turn."""


class GiveUp(Exception):
    """Surely not sent, and never will be: refused for good."""


class Suppress(Exception):
    """Not to be sent: no consent, no address."""


class Unsure(Exception):
    """Perhaps sent: the connection broke after the effect may have happened."""


@dataclass(frozen=True)
class Outbox(Generic[M]):
    """Which columns of ``model`` are an outbox. ``next_at`` is when a queued row is due, and a claim's end.

    ``pauses`` are the seconds before the second, third … attempt; after the last the row has failed.
    """

    model: type[M]
    status: str = "status"
    attempts: str = "attempts"
    next_at: str = "next_attempt_at"
    error: str = "error"
    sent_at: str | None = "sent_at"
    claimed_at: str | None = "claimed_at"
    lease: int = 300
    pauses: tuple[int, ...] = (30, 120, 600, 3600, 4 * 3600, 12 * 3600)
    select_related: tuple[str, ...] = ()
    suppressed: str = "suppressed"

    def claim(self) -> M | None:
        """Claim the row that is due the longest, in a transaction of its own. Other workers skip it.

        Raises RuntimeError inside a transaction: the claim must be committed before anything is sent.
        """
        table = self.model._meta.db_table
        claimed = f", {self.claimed_at} = clock_timestamp()" if self.claimed_at else ""
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            cursor.execute(
                f"""
                UPDATE {table} SET {self.status} = 'sending', {self.attempts} = {self.attempts} + 1,
                    {self.next_at} = clock_timestamp() + make_interval(secs => %s){claimed}
                WHERE id = (
                    SELECT id FROM {table}
                    WHERE {self.status} = 'queued' AND {self.next_at} <= clock_timestamp()
                    ORDER BY {self.next_at} LIMIT 1 FOR UPDATE SKIP LOCKED
                )
                RETURNING id
                """,  # noqa: S608 - columns of the code
                [self.lease],
            )
            found = cursor.fetchone()
        if found is None:
            return None
        return self._rows().get(pk=found[0])

    def _rows(self) -> models.QuerySet[M]:
        return self.model._default_manager.select_related(*self.select_related)

    def expire(self) -> int:
        """Mark the rows whose claim ran out as ``uncertain``. Returns how many."""
        table = self.model._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                UPDATE {table} SET {self.status} = 'uncertain', {self.error} = %s
                WHERE id IN (
                    SELECT id FROM {table}
                    WHERE {self.status} = 'sending' AND {self.next_at} < clock_timestamp()
                    LIMIT 1000 FOR UPDATE SKIP LOCKED
                )
                """,  # noqa: S608
                ["The worker ended while it was sending. Perhaps it was sent."],
            )
            return int(cursor.rowcount)

    def finish(self, row: M, status: str, error: str = "", pause: int | None = None) -> bool:
        """Mark a claimed row; False when its claim ran out meanwhile (its state stays)."""
        table = self.model._meta.db_table
        sent = f", {self.sent_at} = clock_timestamp()" if self.sent_at and status == "sent" else ""
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                UPDATE {table} SET {self.status} = %s, {self.error} = %s,
                    {self.next_at} = clock_timestamp() + make_interval(secs => %s){sent}
                WHERE id = %s AND {self.attempts} = %s AND {self.status} IN ('sending', 'uncertain')
                """,  # noqa: S608
                [status, error.replace("\x00", "")[:2000], pause, row.pk, getattr(row, self.attempts)],
            )
            return bool(cursor.rowcount == 1)

    def work(
        self,
        send: Callable[[M], None],
        *,
        limit: int = 500,
        done: Callable[[M, str], None] | None = None,
    ) -> int:
        """Claim, send and mark up to ``limit`` rows. Returns how many were claimed.

        ``send`` raises Retry, GiveUp, Suppress or Unsure; anything else counts as Unsure. ``done(row, status)``
        runs in the transaction that marks the row as sent, failed, suppressed or uncertain.
        """
        self.expire()
        count = 0
        while count < limit and (row := self.claim()) is not None:
            count += 1
            try:
                status, error, pause = self._attempt(send, row)
                stop = False
            except Unreachable as down:
                status, error, pause = self._again(row, down)
                stop = True
            with transaction.atomic():
                if self.finish(row, status, error, pause) and done is not None and status != "queued":
                    done(row, status)
            if stop:
                break
        return count

    def _again(self, row: M, error: Exception) -> tuple[str, str, int | None]:
        attempt = int(getattr(row, self.attempts))
        if attempt > len(self.pauses):
            return "failed", f"Given up after {attempt} attempts: {error}", None
        return "queued", str(error), self.pauses[attempt - 1]

    def _attempt(self, send: Callable[[M], None], row: M) -> tuple[str, str, int | None]:
        try:
            send(row)
        except Unreachable:
            raise
        except Retry as error:
            return self._again(row, error)
        except GiveUp as error:
            return "failed", str(error), None
        except Suppress as error:
            return self.suppressed, str(error), None
        except Exception as error:  # whatever the transport raises: perhaps it was sent
            if not isinstance(error, Unsure):
                log.error("outbox_unsure", table=self.model._meta.db_table, row=row.pk, exc_info=error)
            return "uncertain", f"{type(error).__name__}: {error}", None
        return "sent", "", None


def send_again(outbox: Outbox[Any], ids: list[int]) -> int:
    """Queue failed and uncertain rows once more: a person decided so. Returns how many."""
    table = outbox.model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE {table} SET {outbox.status} = 'queued', {outbox.error} = '',
                {outbox.next_at} = clock_timestamp()
            WHERE id = ANY(%s) AND {outbox.status} IN ('failed', 'uncertain')
            """,  # noqa: S608
            [ids],
        )
        return int(cursor.rowcount)
