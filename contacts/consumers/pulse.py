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

# The amount of an order: a number, a decimal text, or money {"amount": "12.50", …}; anything else counts nothing.
_AMOUNT = r"""
CASE WHEN {row}.kind = 'order.placed' THEN (
    SELECT CASE WHEN v.text ~ '^-?[0-9]{{1,11}}(\.[0-9]{{1,20}})?$' THEN round(v.text::numeric, 2) END
    FROM (SELECT CASE jsonb_typeof({row}.payload->'amount')
                 WHEN 'object' THEN {row}.payload->'amount'->>'amount'
                 ELSE {row}.payload->>'amount' END AS text) v
) END
"""
_REVENUE = "greatest(least({sum}, " + _EDGE + "), -" + _EDGE + ")"

# Rows are updated, and so locked, in the order of their ids, so that two writers of Pulse never wait for each other: a
# nested loop over the sorted customers, each found by its key. The planner might hash a large batch and take them in
# any order, so it has no other choice here (and locking them in a step of its own before costs a fifth of the rate).
_PLANS = ("hashjoin", "mergejoin", "bitmapscan", "seqscan")
_ONE_BY_ONE = "".join(f"SET LOCAL enable_{plan} = off;" for plan in _PLANS)
_AS_USUAL = "".join(f";SET LOCAL enable_{plan} = on" for plan in _PLANS)

_ADD = f"""
, s AS MATERIALIZED (
    SELECT b.contact_id,
           {{seen}} AS seen,
           {{touch}} AS touched,
           count(*) FILTER (WHERE b.kind = 'order.placed') AS orders,
           coalesce(sum({_AMOUNT.format(row="b")}), 0) AS revenue
    FROM batch b WHERE b.contact_id IS NOT NULL
    GROUP BY b.contact_id ORDER BY b.contact_id
)
UPDATE contacts_pulse p SET
    last_seen_at = greatest(p.last_seen_at, s.seen),
    last_touched_at = greatest(p.last_touched_at, s.touched),
    orders = p.orders + s.orders,
    revenue = {_REVENUE.format(sum="p.revenue + s.revenue")}
FROM s
WHERE p.contact_id = s.contact_id
  AND (s.orders > 0
    OR s.seen > coalesce(p.last_seen_at, '-infinity')
    OR s.touched > coalesce(p.last_touched_at, '-infinity'))
"""  # noqa: S608 - built from constants of the code, also below

_AGAIN = f"""
, who AS (
    SELECT DISTINCT b.contact_id FROM batch b WHERE b.kind = 'contact.stitched' AND b.contact_id IS NOT NULL
), s AS MATERIALIZED (
    SELECT a.contact_id,
           max(a.occurred_at) FILTER (WHERE a.kind = ANY(%(seen)s)
               OR (a.kind <> ALL(%(registered)s) AND split_part(a.kind, '.', 1) <> ALL(%(house)s))) AS seen,
           max(a.occurred_at) FILTER (WHERE a.kind = ANY(%(touch)s)) AS touched,
           count(*) FILTER (WHERE a.kind = 'order.placed') AS orders,
           coalesce(sum({_AMOUNT.format(row="a")}), 0) AS revenue
    FROM contacts_activity a JOIN who ON who.contact_id = a.contact_id
    WHERE {{upto}}
    GROUP BY a.contact_id ORDER BY a.contact_id
)
UPDATE contacts_pulse p SET
    last_seen_at = greatest(p.last_seen_at, s.seen),
    last_touched_at = greatest(p.last_touched_at, s.touched),
    orders = s.orders,
    revenue = {_REVENUE.format(sum="s.revenue")}
FROM s WHERE p.contact_id = s.contact_id
"""  # noqa: S608


class PulseConsumer(Consumer):
    """Set-based, and independent of the order of events: times only grow, counts and sums add up.

    Orphans that a stitch attributes are counted by recomputing their contact up to this batch (``upto``).
    """

    name = "contacts.pulse"
    batch_size: ClassVar[int] = 5000

    def handle(self, batch: Batch) -> None:
        flags = _flags(batch.kinds)
        params = batch.params | flags
        add = _ADD
        for name, of in flags.items():
            add = add.replace("{" + name + "}", _newest(name, of, batch.kinds))
        with connection.cursor() as cursor:
            cursor.execute(_ONE_BY_ONE + batch.cte + add + _AS_USUAL, params)
            if STITCHED in batch.kinds:
                everything = {
                    "registered": kinds.keys(),
                    "house": sorted(RESERVED),
                    "seen": [k.key for k in kinds if k.seen],
                    "touch": [k.key for k in kinds if k.touch],
                }
                again = batch.cte + _AGAIN.replace("{upto}", batch.upto)
                cursor.execute(_ONE_BY_ONE + again + _AS_USUAL, params | everything)


def _newest(name: str, of: list[str], present: frozenset[str]) -> str:
    """The newest time of these kinds, without looking at the kind where all or none of the batch count."""
    if not of:
        return "NULL::timestamptz"
    return "max(b.occurred_at)" + (
        f" FILTER (WHERE b.kind = ANY(%({name})s))" if len(of) < len(present) else ""
    )


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
