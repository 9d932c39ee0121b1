"""Who met an event trigger in a batch of the stream.

A trigger "n times within a window" is told by when things occurred, whatever order they came in: an activity
*completes* the trigger when it and the n - 1 matching ones before it lie within the window and at least one of
these n was received after the automation was activated. An arrival is judged together with all that occurred
around it, so a late one completes the later ones that were waiting for it. Nothing can undo a completion, so
the set of completions is the same for every order of arrival; ``trigger_key`` names the completing activity.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import connection
from django.db.models import Q

from crmcem.lib.conditions import Span
from crmcem.lib.stream import Batch
from journeys.definition import EventTrigger
from journeys.definition.nodes import interval
from journeys.engine import sql
from journeys.engine.marks import Mark
from journeys.engine.starts import Candidate
from journeys.models import Automation

#: Activities of this kind tell that earlier anonymous ones now belong to a contact.
STITCHED = "contact.stitched"

# The depth of an activity is that of the run that made it, plus one. A run has a transaction of its own, so
# the transaction tells the run; what an action leaves for later (a message sent) belongs to the latest one.
_HITS = """, hits AS (
    SELECT contact_id, id, received_at, occurred_at, txid, CASE WHEN actor_kind = 'automation' THEN 1 + coalesce(
        (SELECT max(r.depth) FROM journeys_runstep s JOIN journeys_run r ON r.id = s.run_id
         WHERE s.txid = contacts_activity.txid AND r.automation_id = contacts_activity.actor_id),
        (SELECT r.depth FROM journeys_run r
         WHERE r.automation_id = contacts_activity.actor_id AND r.contact_id = contacts_activity.contact_id
         ORDER BY r.id DESC LIMIT 1), 0) ELSE 0 END AS depth
    FROM ({source}) AS contacts_activity
    WHERE contact_id IS NOT NULL AND ({where})
      AND (txid > %(since_txid)s::xid8 OR (txid = %(since_txid)s::xid8 AND id > %(since_id)s)
           OR received_at > %(since_at)s::timestamptz + interval '1 minute')
)"""

_BATCH = "SELECT * FROM batch"
_REPEATED = """SELECT a.* FROM (
    SELECT DISTINCT b.contact_id, n.anonymous_id
    FROM batch b CROSS JOIN LATERAL jsonb_array_elements_text(b.payload->'anonymous_ids') AS n(anonymous_id)
    WHERE b.kind = %(stitched)s AND b.contact_id IS NOT NULL
) s JOIN contacts_activity a ON a.contact_id = s.contact_id AND a.anonymous_id = s.anonymous_id
WHERE a.received_at > %(since_at)s::timestamptz - interval '1 day'"""

_ONE = """
SELECT contact_id, id, received_at, depth, txid::text, id, received_at FROM hits ORDER BY hits.txid, hits.id
"""

# Windows of whole days are days of the organisation's time zone, as in the condition language: `day` is the
# mark that is compared, and two days more are read than the window is long.
_MANY = """, spans AS (
    SELECT contact_id, min(occurred_at) - %(within)s::interval - interval '2 days' AS low,
           max(occurred_at) + %(within)s::interval + interval '2 days' AS high, max(depth) AS depth
    FROM hits GROUP BY contact_id
), arrived AS (
    SELECT DISTINCT ON (contact_id) contact_id, txid, id, received_at FROM hits
    ORDER BY contact_id, txid DESC, id DESC
), history AS (
    SELECT contacts_activity.contact_id, contacts_activity.id, received_at, occurred_at, s.depth,
           lag(occurred_at, %(before)s) OVER w AS first_at, lag(contacts_activity.id, %(before)s) OVER w AS first_id
    FROM spans s JOIN contacts_activity ON contacts_activity.contact_id = s.contact_id
    WHERE occurred_at >= s.low AND occurred_at <= s.high AND ({where})
      AND received_at > (SELECT min(low) FROM spans) - interval '1 day'
    WINDOW w AS (PARTITION BY contacts_activity.contact_id ORDER BY occurred_at, contacts_activity.id)
)
SELECT h.contact_id, h.id, h.received_at, h.depth, n.txid::text, n.id, n.received_at
FROM history h JOIN arrived n ON n.contact_id = h.contact_id
WHERE {first} >= {last} - %(within)s::interval AND EXISTS (
    SELECT 1 FROM hits x WHERE x.contact_id = h.contact_id
       AND (x.occurred_at, x.id) >= (h.first_at, h.first_id) AND (x.occurred_at, x.id) <= (h.occurred_at, h.id))
ORDER BY h.occurred_at, h.id
"""


def _compared(column: str, span: Span) -> str:
    return f"date_trunc('day', {column} AT TIME ZONE %(zone)s)" if span.whole_days else column


def candidates(
    automation: Automation, trigger: EventTrigger, batch: Batch, now: dt.datetime
) -> list[Candidate]:
    """Every completion of the trigger that this batch brings, in order; they may have been seen before."""
    if automation.activated_at is None:
        return []
    where, params = sql.activity_sql(Q(kind=trigger.event) & sql.payload_q(trigger.where, now), "w")
    sources = []
    if trigger.event in batch.kinds:
        sources.append(_BATCH)
    if STITCHED in batch.kinds:
        sources.append(_REPEATED)
    if not sources:
        return []
    statement = batch.cte + _HITS.format(source=" UNION ALL ".join(sources), where=where)
    named: dict[str, Any] = {
        **batch.params,
        **params,
        "since_txid": automation.activated_txid or "0",
        "since_id": automation.activated_after,
        "since_at": automation.activated_at,
        "stitched": STITCHED,
    }
    if trigger.count == 1:
        statement += _ONE
    else:
        assert trigger.within is not None
        first, last = (_compared(c, trigger.within) for c in ("h.first_at", "h.occurred_at"))
        statement += _MANY.format(where=where, first=first, last=last)
        named |= {"within": interval(trigger.within), "before": trigger.count - 1, "zone": str(sql.zone())}
    with connection.cursor() as cursor:
        cursor.execute(statement, named)
        return [
            Candidate(contact, f"activity:{pk}", pk, received, depth, Mark(txid, mark, at))
            for contact, pk, received, depth, txid, mark, at in cursor.fetchall()
        ]
