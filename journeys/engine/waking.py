"""Runs that wait for something: the stream makes them due at once, and the walk then looks."""

from django.db import connection

from crmcem.lib.jobs import soon
from crmcem.lib.stream import Batch

# What an automation says of its own runs wakes nobody: a run would wake itself for ever.
_WAKE = """, happened AS (
    SELECT DISTINCT contact_id, kind FROM batch
    WHERE contact_id IS NOT NULL AND kind NOT IN ('automation.started', 'automation.done')
)
UPDATE journeys_run r SET due_at = now()
FROM (SELECT contact_id, array_agg(kind)::varchar[] || '*'::varchar AS kinds FROM happened GROUP BY contact_id) h
WHERE r.contact_id = h.contact_id AND r.status = 'active' AND r.due_at > now()
  AND NOT r.wake_on = '{}' AND r.wake_on && h.kinds
"""


def runs_wake(batch: Batch) -> int:
    """Make the waiting runs due that wait for what this batch brought. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(batch.cte + _WAKE, batch.params)
        woken: int = cursor.rowcount
    if woken:
        soon("journeys.tasks.advance_runs", debounce=0.2)
    return woken
