"""What a deletion takes along of the merges that led to the record."""

from django.db import transaction

from contacts.models import MergeRecord


def merges_forget(*, entity: str, ids: list[int]) -> None:
    """A record is deleted for good: the journals of what was merged into it go with it, and the redirects.

    Inside the caller's transaction.
    """
    while ids:
        with transaction.atomic():
            gone = list(MergeRecord.objects.filter(entity=entity, winner_id__in=ids))
            MergeRecord.objects.filter(pk__in=[row.pk for row in gone]).delete()
        ids = [row.loser_id for row in gone if row.undone_at is None]


def merges_of(*, entity: str, ids: list[int]) -> list[int]:
    """The ids of the journals that ``merges_forget`` would take along."""
    found: list[int] = []
    while ids:
        rows = list(MergeRecord.objects.filter(entity=entity, winner_id__in=ids).exclude(pk__in=found))
        found += [row.pk for row in rows]
        ids = [row.loser_id for row in rows if row.undone_at is None]
    return found
