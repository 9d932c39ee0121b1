"""Running the consumers: poll cheaply, lock one offset, handle one range, move on.

Old partitions are pruned by a lower bound of ``received_at``. The bound is exact, not a guess: at some moment
the runner notes ``(mark_txid, mark_at)``, the first transaction id that was not given out yet and the time just
before. Once the offset has passed ``mark_txid``, every activity behind it belongs to a transaction that began
to write after ``mark_at``, so its ``received_at`` (the clock at the insert) is later too, however long that or
any other transaction stays open. ``mark_at`` becomes ``seen_at`` then; the slack is for clocks that are set back.
Rows with a ``received_at`` of the past (a seed) are below any bound: load them before the first poll, or call
``stream_rebase.restart``.
"""

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import connection, transaction

from .stream import OFFSETS, STREAM, Batch, Consumer, FunctionConsumer, StreamConsumer, consumers

log = structlog.get_logger(__name__)

XMIN = "pg_snapshot_xmin(pg_current_snapshot())"
XMAX = "pg_snapshot_xmax(pg_current_snapshot())"
#: How far clocks may be set back without an activity falling below the pruning bound.
SLACK = "interval '1 day'"
SINCE = f"greatest(o.received_after, o.seen_at - {SLACK}, '-infinity')"
#: Seconds until a failed batch is tried again: doubled with every failure, up to the second figure.
BACKOFF = (1, 300)
#: Batches of one consumer before the next gets its turn.
TURN = 20

_NEW = f"""
INSERT INTO {OFFSETS} (name, txid, last_id, handled, failures, last_error, updated_at)
SELECT %(name)s,
       CASE WHEN %(all)s THEN '0' ELSE ({XMIN}::text::numeric - 1)::text END,
       CASE WHEN %(all)s THEN 0 ELSE 9223372036854775807 END, 0, 0, '', clock_timestamp()
ON CONFLICT (name) DO NOTHING
"""

# Two short statements: with the bound as a constant only the newest partitions are planned, and the order makes the
# index answer (an EXISTS alone reads a partition from its beginning: 300 ms at ten million activities).
# The newest activity is looked for in whole partitions: a bound inside one would be searched for row by row.
_BOUND = f"""
SELECT b.bound::text, (date_trunc('month', b.bound AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')::text
FROM (SELECT coalesce(min({SINCE}), '-infinity') AS bound FROM {OFFSETS} o WHERE o.name = ANY(%s)) b
"""  # noqa: S608

# Ahead of the cluster's own transactions: an offset, or the newest activity (behind no rebase yet).
_POLL = f"""
WITH n AS MATERIALIZED (
    SELECT a.txid, a.received_at FROM {STREAM} a WHERE a.received_at >= %(month)s ORDER BY a.id DESC LIMIT 1
)
SELECT o.name,
       o.txid::xid8 >= {XMAX} OR coalesce((
           SELECT n.txid >= {XMAX} AND n.received_at >= coalesce(o.received_after, '-infinity') FROM n
       ), false) AS foreign,
       (o.retry_at IS NULL OR o.retry_at <= clock_timestamp()) AND (
           SELECT a.id FROM {STREAM} a
           WHERE a.received_at >= %(bound)s AND a.received_at >= {SINCE}
             AND (a.txid, a.id) > (o.txid::xid8, o.last_id)
             AND a.txid < {XMIN}
           ORDER BY a.txid, a.id LIMIT 1
       ) IS NOT NULL AS due
FROM {OFFSETS} o WHERE o.name = ANY(%(names)s)
"""  # noqa: S608

# Lock the offset, find the range behind it, move on: the function of contacts' migration 0032 plans its statements once
# a connection, which is a third of what a batch of a thousand costs otherwise. Effects and offset are lost together, if
# at all: so the commit need not wait for the disk. What a crash takes back is read again.
_NEXT = """
SELECT n.*, set_config('synchronous_commit', 'off', true)
FROM contacts_stream_next(%s, %s, %s, %s) n
"""

# The times of the range's own rows: constants, so that only the partitions which hold it are planned.
_CTE = f"""WITH batch AS (
    SELECT a.* FROM {STREAM} a
    WHERE a.received_at BETWEEN %(batch_first)s AND %(batch_last)s
      AND (a.txid, a.id) > (%(batch_txid)s::xid8, %(batch_id)s)
      AND (a.txid, a.id) <= (%(batch_end_txid)s::xid8, %(batch_end_id)s)
      {{kinds}}
)"""  # noqa: S608
_OF_KINDS = "AND a.kind = ANY(%(batch_kinds)s)"

# Below the pruning bound everything is handled; after a rebase its transaction ids say nothing.
_UPTO = """(a.received_at < %(batch_since)s
    OR (a.txid, a.id) <= (%(batch_end_txid)s::xid8, %(batch_end_id)s))"""

_FAILED = f"""
UPDATE {OFFSETS} SET
    failures = failures + 1, last_error = %(error)s, updated_at = clock_timestamp(),
    retry_at = clock_timestamp()
        + make_interval(secs => least(%(high)s, %(low)s * power(2, least(failures, 20))))
WHERE name = %(name)s
"""  # noqa: S608


class ForeignStream(Exception):
    """The offsets come from another cluster, whose transaction ids were ahead of this one's."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            f"The offsets of {', '.join(names)} are ahead of this database cluster: it was restored from another "
            "one. Run `manage.py stream_rebase` once; until then no consumer runs."
        )


@dataclass(frozen=True, slots=True)
class Reach:
    """Which rows of the stream a run may take.

    ``settled`` takes every visible row as final, whatever the snapshot says: for a rebase, where all was
    committed elsewhere, and for tests that live in one open transaction. ``before`` bounds ``received_at``.
    """

    settled: bool = False
    before: str = "infinity"


OPEN = Reach()


def poll() -> list[StreamConsumer]:
    """The consumers with work to do, by two short statements. Makes missing offset rows. Raises ForeignStream."""
    rows = states()
    missing = [consumer for consumer in consumers if consumer.name not in rows]
    if missing:
        for consumer in missing:
            ensure(consumer)
        rows = states()
    foreign = sorted(name for name, (ahead, _due) in rows.items() if ahead)
    if foreign:
        raise ForeignStream(foreign)
    return [consumer for consumer in consumers if rows[consumer.name][1]]


def states() -> dict[str, tuple[bool, bool]]:
    """``{consumer: (foreign, due)}``: whether it comes from another cluster, and whether it has work."""
    names = consumers.keys()
    with connection.cursor() as cursor:
        cursor.execute(_BOUND, [names])
        bound, month = cursor.fetchone()
        cursor.execute(_POLL, {"bound": bound, "month": month, "names": names})
        return {name: (foreign, due) for name, foreign, due in cursor.fetchall()}


def ensure(consumer: StreamConsumer) -> None:
    """Make the consumer's offset row where it is missing: at the beginning, or behind what is settled now."""
    with connection.cursor() as cursor:
        cursor.execute(_NEW, {"name": consumer.name, "all": consumer.from_beginning})


def run(consumer: StreamConsumer, max_batches: int | None = None, *, reach: Reach = OPEN) -> int:
    """Handle ranges until there is none, or ``max_batches``. Returns how many activities were read.

    Another worker at the same consumer is not waited for. A failing handler is recorded on the offset row.
    """
    ensure(consumer)
    total = batches = 0
    while max_batches is None or batches < max_batches:
        try:
            with _transaction(consumer):
                rows = step(consumer, reach)
        except Exception as error:  # whatever a handler raises: it must not stop the other consumers
            _record_failure(consumer, error)
            return total
        if not rows:
            return total
        total += rows
        batches += 1
    return total


def _transaction(consumer: StreamConsumer) -> AbstractContextManager[Any]:
    """One statement is a transaction by itself. Inside one that is open already it must fail alone."""
    by_itself = isinstance(consumer, FunctionConsumer) and not connection.in_atomic_block
    return nullcontext() if by_itself else transaction.atomic()


def step(consumer: StreamConsumer, reach: Reach = OPEN) -> int:
    """One range, inside the caller's transaction. Returns its rows; 0 when idle, failed lately or locked."""
    if isinstance(consumer, FunctionConsumer):
        return _call(consumer, reach)
    return _hand_over(consumer, reach)


def _hand_over(consumer: Consumer, reach: Reach) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [consumer.name, reach.settled, reach.before, consumer.batch_size])
        found = cursor.fetchone()
    if found is None:
        return 0
    txid, last_id, since, end_txid, end_id, counts, first, last = found[:8]
    by_kind = _json(counts)
    rows = sum(by_kind.values())
    wanted = consumer.wants(by_kind)
    if wanted:
        params = {"batch_since": since, "batch_before": reach.before, "batch_txid": txid, "batch_id": last_id}
        params |= {"batch_first": first, "batch_last": last, "batch_kinds": wanted}
        params |= {"batch_end_txid": end_txid, "batch_end_id": end_id}
        size = sum(by_kind[kind] for kind in wanted)
        cte = _CTE.replace("{kinds}", _OF_KINDS if size < rows else "")
        consumer.handle(Batch(cte, params, size, frozenset(wanted), _UPTO))
    return rows


def _call(consumer: FunctionConsumer, reach: Reach) -> int:
    params = [consumer.name, reach.settled, reach.before, consumer.batch_size, *consumer.arguments()]
    marks = ", ".join(["%s"] * len(params))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {consumer.function}({marks}), set_config('synchronous_commit', 'off', true)",
            params,
        )
        return int(cursor.fetchone()[0])


def _json(text: str) -> dict[str, int]:
    import orjson

    result: dict[str, int] = orjson.loads(text)
    return result


def _record_failure(consumer: StreamConsumer, error: Exception) -> None:
    log.error("consumer_failed", consumer=consumer.name, exc_info=error)
    message = f"{type(error).__name__}: {error}"[:2000].replace("\x00", "")
    with transaction.atomic(), connection.cursor() as cursor:
        low, high = BACKOFF
        cursor.execute(_FAILED, {"name": consumer.name, "error": message, "low": low, "high": high})


def pump(*, seconds: float = 20.0, reach: Reach = OPEN) -> int:
    """Run every registered consumer until all are idle, at most about ``seconds``.

    Returns how many activities were read, summed over the consumers. Raises ForeignStream.
    """
    total = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        progress = 0
        for consumer in consumers if reach.settled else poll():
            progress += run(consumer, TURN, reach=reach)
            if time.monotonic() >= deadline:
                break
        if not progress:
            break
        total += progress
    return total
