"""Activities written for a merged record by somebody who had looked it up before: they follow to the winner."""

from typing import ClassVar

from django.db import connection

from crmcem.lib.stream import Batch, Consumer

# One hop at a time, each noted in the journal of its own merge, so that every undo gives back what is its own.
_FOLLOW = """
, late AS (
    SELECT b.id, b.received_at FROM batch b
    JOIN contacts_mergerecord m ON m.entity = '{entity}' AND m.loser_id = b.{column} AND m.undone_at IS NULL
    UNION
    SELECT a.id, a.received_at FROM batch b
    JOIN contacts_mergerecord m ON m.entity = '{entity}' AND m.undone_at IS NULL
        AND m.loser_id = CASE WHEN b.kind = '{entity}.merged' AND jsonb_typeof(b.payload->'loser') = 'number'
                              THEN (b.payload->>'loser')::numeric END
    JOIN contacts_activity a ON a.{column} = m.loser_id
), moved AS (
    UPDATE contacts_activity a SET {column} = m.winner_id
    FROM late, contacts_mergerecord m
    WHERE a.id = late.id AND a.received_at = late.received_at
      AND m.entity = '{entity}' AND m.loser_id = a.{column} AND m.undone_at IS NULL
    RETURNING a.id, a.contact_id, a.company_id, m.id AS merge_id
), noted AS (
    INSERT INTO contacts_mergestep (merge_id, op, "table", pk_column, "column", rows)
    SELECT merge_id, 'move', 'contacts_activity', 'id', '{column}', jsonb_agg(id) FROM moved GROUP BY merge_id
), said AS (
    INSERT INTO contacts_activity (occurred_at, kind, contact_id, company_id, actor_kind, payload)
    SELECT clock_timestamp(), 'contact.stitched', contact_id, max(company_id), 'system',
           jsonb_build_object('merge', merge_id, 'count', count(*))
    FROM moved WHERE '{entity}' = 'contact' GROUP BY contact_id, merge_id
)
SELECT count(*) FROM moved
"""
HOPS = 20


class FollowConsumer(Consumer):
    """Both orders work: the merge is known when the activity is read, or the activity when ``contact.merged`` is.

    An activity is read once all transactions before it are over. So either its merge is committed by then, or the
    merge's own activity comes behind it, and finds it by the old id.
    """

    name = "contacts.follow"
    batch_size: ClassVar[int] = 5000

    def handle(self, batch: Batch) -> None:
        with connection.cursor() as cursor:
            for entity, column in (("contact", "contact_id"), ("company", "company_id")):
                statement = batch.cte + _FOLLOW.format(entity=entity, column=column)
                for _hop in range(HOPS):
                    cursor.execute(statement, batch.params)
                    if cursor.fetchone()[0] == 0:
                        break
