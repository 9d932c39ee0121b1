"""An anonymous visitor became known: what they did before belongs to the contact from now on."""

from typing import ClassVar

from django.db import connection

from crmcem.lib.stream import Batch, Consumer

_STITCH = """
, names AS (
    SELECT b.payload->>'anonymous_id' AS anonymous_id FROM batch b WHERE b.kind = 'contact.identified'
    UNION
    SELECT b.anonymous_id FROM batch b WHERE b.anonymous_id IS NOT NULL AND b.contact_id IS NULL
), known AS MATERIALIZED (
    SELECT i.anonymous_id, i.contact_id, c.company_id
    FROM names
    JOIN contacts_identityalias i ON i.anonymous_id = names.anonymous_id
    JOIN contacts_contact c ON c.id = i.contact_id
), found AS (
    UPDATE contacts_activity a SET contact_id = known.contact_id, company_id = known.company_id
    FROM known
    WHERE a.anonymous_id = known.anonymous_id AND a.anonymous_id IS NOT NULL AND a.contact_id IS NULL
    RETURNING a.contact_id, a.company_id, a.anonymous_id
)
INSERT INTO contacts_activity (occurred_at, kind, contact_id, company_id, actor_kind, payload)
SELECT clock_timestamp(), 'contact.stitched', found.contact_id, found.company_id, 'system',
       jsonb_build_object('anonymous_ids', jsonb_agg(DISTINCT found.anonymous_id), 'count', count(*))
FROM found GROUP BY found.contact_id, found.company_id
"""


class StitchConsumer(Consumer):
    """Attributes orphan activities, and says so once by ``contact.stitched {anonymous_ids, count}``.

    Both orders work: the alias comes after the event (``contact.identified`` is in the batch), or the event was
    written while the alias was on its way (the orphan itself is in the batch, and its alias exists by now).
    Consumers that passed an orphan recompute its contact when they meet ``contact.stitched``.
    """

    name = "contacts.stitch"
    batch_size: ClassVar[int] = 5000

    def handle(self, batch: Batch) -> None:
        with connection.cursor() as cursor:
            cursor.execute(batch.cte + _STITCH, batch.params)
