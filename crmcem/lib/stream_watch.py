"""How the stream is doing: lag and failures per consumer, for the admin, the probes and the metrics."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import DatabaseError, connection
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from .stream import OFFSETS, STREAM, consumers
from .stream_runner import SINCE, XMAX, states

#: Waiting activities are counted up to this.
CAP = 10_000

_LAG = f"""
SELECT o.name, o.handled, o.failures, o.last_error, o.txid::xid8 >= {XMAX} AS foreign,
       coalesce(extract(epoch FROM clock_timestamp() - w.first), 0)::float, w.waiting
FROM {OFFSETS} o
CROSS JOIN LATERAL (
    SELECT count(*) AS waiting, min(r.received_at) AS first
    FROM (
        SELECT a.received_at FROM {STREAM} a
        WHERE a.received_at >= {SINCE} AND (a.txid, a.id) > (o.txid::xid8, o.last_id)
        ORDER BY a.txid, a.id LIMIT {CAP}
    ) r
) w
WHERE o.name = ANY(%s) ORDER BY o.name
"""  # noqa: S608 - built from constants of the code

# What holds the stream back: the oldest transaction that writes, in any database of the cluster.
_HELD = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float
FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Lag:
    """One consumer: ``waiting`` activities (up to CAP), the oldest of them ``age`` seconds old."""

    name: str
    handled: int
    failures: int
    last_error: str
    foreign: bool
    age: float
    waiting: int


def stream_lag() -> list[Lag]:
    """The lag of every registered consumer that has run at least once, by one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_LAG, [consumers.keys()])
        return [Lag(*row) for row in cursor.fetchall()]


def held_seconds() -> float:
    """The age of the oldest writing transaction: nothing after it is settled."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD)
        return float(cursor.fetchone()[0])


def is_foreign() -> bool:
    """Whether the stream comes from another cluster, and was not rebased."""
    return any(ahead for ahead, _due in states().values())


def stream_problem() -> str | None:
    """What is wrong with the stream, in one sentence for /readyz; None when all is well.

    A lagging or failing consumer doesn't stop the web from serving: it shows in the admin and the metrics.
    """
    try:
        if is_foreign():
            return "The database was restored from another cluster: run `manage.py stream_rebase` once."
    except DatabaseError:
        return "The state of the activity stream can't be read."
    return None


class StreamCollector(Collector):
    """Gauges that are read from the database when they are asked for."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        return iter(self._families())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        age, waiting, failures, handled, held = self._families()
        try:
            for lag in stream_lag():
                age.add_metric([lag.name], lag.age)
                waiting.add_metric([lag.name], lag.waiting)
                failures.add_metric([lag.name], lag.failures)
                handled.add_metric([lag.name], lag.handled)
            held.add_metric([], held_seconds())
        except DatabaseError:
            return iter(())
        return iter([age, waiting, failures, handled, held])

    @staticmethod
    def _families() -> list[GaugeMetricFamily]:
        label = ["consumer"]
        return [
            GaugeMetricFamily(
                "crmcem_stream_age_seconds", "Age of the oldest activity that waits for it.", labels=label
            ),
            GaugeMetricFamily(
                "crmcem_stream_waiting", f"Activities that wait for it, up to {CAP}.", labels=label
            ),
            GaugeMetricFamily("crmcem_stream_failures", "Failures in a row of its batch.", labels=label),
            GaugeMetricFamily("crmcem_stream_handled", "Activities read so far.", labels=label),
            GaugeMetricFamily(
                "crmcem_stream_held_seconds", "Age of the oldest writing transaction.", labels=[]
            ),
        ]


def register_metrics() -> None:
    """Called once when the app is ready."""
    REGISTRY.register(StreamCollector())
