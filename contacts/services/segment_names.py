"""Saving what names a segment, while somebody may be deleting that segment."""

from collections.abc import Collection

from django.db import connection
from django.utils.translation import gettext as _

from contacts.models import Segment
from crmcem.lib.errors import DomainError

#: who saves or deletes a segment holds it alone (``services.segments``)
HELD = "contacts_segments_saved"
_TOGETHER = "SELECT pg_advisory_xact_lock_shared(hashtext(%s))"


def segments_hold(pks: Collection[int], field: str) -> None:
    """Keep these segments from being deleted until the transaction ends, which has to be open.

    Raises DomainError at ``field`` where one is gone already. Locks of the segments' rows would do too, but upkeep
    takes those in the order in which segments name each other, and two orders make a deadlock.
    """
    if not pks:
        return
    with connection.cursor() as cursor:
        cursor.execute(_TOGETHER, [HELD])
    gone = set(pks) - set(Segment.objects.filter(pk__in=pks).values_list("pk", flat=True))
    if gone:
        detail = _("There is no segment %(id)s.") % {"id": ", ".join(map(str, sorted(gone)))}
        raise DomainError.of(field, "unknown_segment", detail)
