"""The figures of Pulse that any activity can move: last seen, last touched, orders and revenue."""

from typing import ClassVar

from django.db import connection

from contacts.services.event_input import RESERVED
from crmcem.lib.activities import kinds
from crmcem.lib.stream import Batch, Consumer

ORDER = "order.placed"
STITCHED = "contact.stitched"
#: What numeric(14, 2) holds; a figure beyond it stays at the edge, it never stops the stream.
_EDGE = "999999999999.99"

# Rows are updated, and so locked, in the order of their ids, so that two writers of Pulse never wait for each other: a
# nested loop over the sorted customers, each found by its key.
_PLANS = ("hashjoin", "mergejoin", "bitmapscan", "seqscan")
_ONE_BY_ONE = "".join(f"SET LOCAL enable_{plan} = off;" for plan in _PLANS)
_AS_USUAL = "".join(f";SET LOCAL enable_{plan} = on" for plan in _PLANS)

# The function of contacts' migration 0034: the same, planned once a connection.
_ADD = """
SELECT contacts_pulse_add(
    %(batch_first)s, %(batch_last)s, %(batch_txid)s, %(batch_id)s, %(batch_end_txid)s, %(batch_end_id)s,
    %(seen)s::text[], %(touch)s::text[]
)
"""

_AGAIN = f"""
, who AS (
    SELECT DISTINCT b.contact_id FROM batch b WHERE b.kind = 'contact.stitched' AND b.contact_id IS NOT NULL
), s AS MATERIALIZED (
    SELECT a.contact_id,
           max(a.occurred_at) FILTER (WHERE a.kind = ANY(%(seen)s)
               OR (a.kind <> ALL(%(registered)s) AND split_part(a.kind, '.', 1) <> ALL(%(house)s))) AS seen,
           max(a.occurred_at) FILTER (WHERE a.kind = ANY(%(touch)s)) AS touched,
           count(*) FILTER (WHERE a.kind = 'order.placed') AS orders,
           coalesce(sum(CASE WHEN a.kind = 'order.placed' THEN contacts_order_amount(a.payload) END), 0) AS revenue
    FROM contacts_activity a JOIN who ON who.contact_id = a.contact_id
    WHERE {{upto}}
    GROUP BY a.contact_id ORDER BY a.contact_id
)
UPDATE contacts_pulse p SET
    last_seen_at = greatest(p.last_seen_at, s.seen),
    last_touched_at = greatest(p.last_touched_at, s.touched),
    orders = s.orders,
    revenue = greatest(least(s.revenue, {_EDGE}), -{_EDGE})
FROM s WHERE p.contact_id = s.contact_id
"""  # noqa: S608


class PulseConsumer(Consumer):
    """Set-based, and independent of the order of events: times only grow, counts and sums add up.

    Orphans that a stitch attributes are counted by recomputing their contact up to this batch (``upto``).
    """

    name = "contacts.pulse"
    batch_size: ClassVar[int] = 5000

    def handle(self, batch: Batch) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_ADD, batch.params | _flags(batch.kinds))
            if STITCHED in batch.kinds:
                everything = {
                    "registered": kinds.keys(),
                    "house": sorted(RESERVED),
                    "seen": [k.key for k in kinds if k.seen],
                    "touch": [k.key for k in kinds if k.touch],
                }
                again = batch.cte + _AGAIN.replace("{upto}", batch.upto)
                cursor.execute(_ONE_BY_ONE + again + _AS_USUAL, batch.params | everything)


def _flags(present: frozenset[str]) -> dict[str, list[str]]:
    """Which of the kinds mean that the customer did something, or that we were in touch.

    A kind that nobody registered and that isn't the house's own is a tracked event: the customer did it.
    """
    seen, touch = [], []
    for key in sorted(present):
        kind = kinds.get(key)
        if kind.seen if kind else key.split(".", 1)[0] not in RESERVED:
            seen.append(key)
        if kind and kind.touch:
            touch.append(key)
    return {"seen": seen, "touch": touch}
