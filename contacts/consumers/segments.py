"""What happened to whom, where a segment counts such activities."""

from typing import ClassVar

from django.db import connection

from contacts.models import Segment
from contacts.models.watch import ANYTHING
from contacts.services.segmenting.keeping import wake_keeper
from crmcem.lib.stream import Batch, Consumer

#: of the contact's own kinds those that move nothing but its row, which the triggers note
_PLAIN = frozenset({"contact.created", "contact.updated", "contact.deleted", "contact.identified"})

_NOTE = """
INSERT INTO contacts_segmentdirty (contact_id, what)
SELECT DISTINCT b.contact_id, CASE WHEN b.kind = ANY(%(anything)s) THEN %(star)s ELSE 'kind:' || b.kind END
FROM batch b WHERE b.contact_id IS NOT NULL AND b.kind = ANY(%(noted)s)
"""


class SegmentConsumer(Consumer):
    """Notes the contacts of a batch for upkeep, which asks the segments about them in transactions of its own.

    Asking here would hold back the whole stream for as long as it takes. Whose activities were moved to them (a
    stitch, a merge) is asked about everything.
    """

    name: ClassVar[str] = "contacts.segments"
    batch_size: ClassVar[int] = 5000
    #: a new segment is filled from what there is
    from_beginning: ClassVar[bool] = False

    def handle(self, batch: Batch) -> None:
        live = Segment.objects.filter(kind=Segment.Kind.LIVE).values_list("watches", flat=True)
        watched = {name for watches in live for name in watches}
        if not live:
            return
        anything = [kind for kind in batch.kinds if kind.startswith("contact.") and kind not in _PLAIN]
        noted = {kind for kind in batch.kinds if f"kind:{kind}" in watched}.union(anything)
        if noted:
            params = {"anything": anything, "noted": sorted(noted), "star": ANYTHING}
            with connection.cursor() as cursor:
                cursor.execute(batch.cte + _NOTE, batch.params | params)
        wake_keeper()
