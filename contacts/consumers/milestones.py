"""Since when somebody is a customer, and the orders that are worth a word: the first, the fifth, the tenth."""

from typing import ClassVar

from django.db import connection

from crmcem.lib.stream import Batch, Consumer
from crmcem.workspace.organisation import organisation

ORDER = "order.placed"
#: kinds by which earlier orders come to a contact
MOVED = ("contact.stitched", "contact.merged")
UPDATED = "contact.updated"
STEPS = (1, 5, 10, 25, 50, 100, 250, 500, 1000)
#: An order of longer ago is history (a file of old orders, the first read of an old stream), no news to act upon.
NEWS = "30 days"

# Counted anew from the stream up to this batch: a stitch or a merge brings orders from before, and a late order
# only changes which one was the fifth. Whoever is deleted meanwhile is waited for and then left out.
_ORDERS = """
, who AS MATERIALIZED (
    SELECT c.id, c.company_id FROM contacts_contact c
    WHERE c.id IN (SELECT b.contact_id FROM batch b WHERE b.kind = ANY(%(counted)s))
    ORDER BY c.id FOR KEY SHARE
), orders AS MATERIALIZED (
    SELECT a.contact_id, a.occurred_at, who.company_id,
           row_number() OVER (PARTITION BY a.contact_id ORDER BY a.occurred_at, a.id) AS n
    FROM who JOIN contacts_activity a ON a.contact_id = who.id AND a.kind = %(order)s
    WHERE {upto}
), reached AS (
    INSERT INTO contacts_milestone (contact_id, kind, number, day)
    SELECT o.contact_id, 'order', o.n, (o.occurred_at AT TIME ZONE %(zone)s)::date
    FROM orders o WHERE o.n = ANY(%(steps)s) ORDER BY o.contact_id, o.n
    ON CONFLICT DO NOTHING RETURNING contact_id, number, day
), said AS (
    INSERT INTO contacts_activity (occurred_at, kind, contact_id, company_id, actor_kind, payload)
    SELECT o.occurred_at, 'milestone.order', o.contact_id, o.company_id, 'system',
           jsonb_build_object('n', r.number, 'date', r.day)
    FROM reached r JOIN orders o ON o.contact_id = r.contact_id AND o.n = r.number
    WHERE o.occurred_at > clock_timestamp() - %(news)s::interval
    ORDER BY o.contact_id, o.n
    RETURNING 1
), first AS (
    SELECT o.contact_id, (o.occurred_at AT TIME ZONE %(zone)s)::date AS day FROM orders o WHERE o.n = 1
)"""
_STAGES = """
, first AS (
    SELECT b.contact_id, min((b.occurred_at AT TIME ZONE %(zone)s)::date) AS day FROM batch b
    WHERE b.kind = 'contact.updated' AND b.payload#>>'{{changes,lifecycle_stage,1}}' = 'customer'
    GROUP BY b.contact_id
)"""
# Pulse is locked in the order of its ids, like by every writer of it.
_SINCE = """
, earlier AS MATERIALIZED (
    SELECT p.contact_id, first.day FROM contacts_pulse p JOIN first ON first.contact_id = p.contact_id
    WHERE first.day < coalesce(p.customer_since, 'infinity')
    ORDER BY p.contact_id FOR UPDATE OF p
)
UPDATE contacts_pulse p SET customer_since = earlier.day FROM earlier WHERE p.contact_id = earlier.contact_id
"""


class MilestoneConsumer(Consumer):
    """Set-based, and the same for every order of arrival.

    ``Pulse.customer_since`` is the day of the first order, or of the first step into the stage customer where that
    came before. ``milestone.order {n, date}`` comes once per contact and step, whatever is counted again.
    """

    name: ClassVar[str] = "contacts.milestones"
    batch_size: ClassVar[int] = 5000
    kinds: ClassVar[tuple[str, ...]] = (ORDER, UPDATED, *MOVED)

    def handle(self, batch: Batch) -> None:
        params = batch.params | {
            "counted": [ORDER, *MOVED],
            "order": ORDER,
            "steps": list(STEPS),
            "news": NEWS,
            "zone": organisation().time_zone,
        }
        with connection.cursor() as cursor:
            if batch.kinds.intersection((ORDER, *MOVED)):
                cursor.execute(batch.cte + _ORDERS.format(upto=batch.upto) + _SINCE, params)
            if UPDATED in batch.kinds:
                cursor.execute(batch.cte + _STAGES.format() + _SINCE, params)
