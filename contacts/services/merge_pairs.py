"""What becomes of the pairs of duplicates that a merged record was in."""

# ruff: noqa: S608 - statements are built from constants of the code; values are parameters

from django.db.models import Q

from contacts.models import DuplicatePair
from crmcem.lib.merging import Journal


def settle_pairs(journal: Journal, entity: str) -> None:
    """The pair of the two is merged. What somebody said of the loser and a third holds for the winner as well.

    Other open pairs of the loser go: the change of the winner finds them again, if they are still alike.
    """
    ends = (journal.winner, journal.loser)
    rows = DuplicatePair.objects.filter(Q(left_id__in=ends) | Q(right_id__in=ends), entity=entity)
    list(rows.order_by("pk").select_for_update().values_list("pk", flat=True))
    both = "t.left_id IN (%(winner)s, %(loser)s) AND t.right_id IN (%(winner)s, %(loser)s)"
    mine = "t.entity = %(entity)s"
    journal.set(DuplicatePair, "state = 'merged'", f"{mine} AND {both}", entity=entity)
    third = "CASE WHEN t.left_id = %(loser)s THEN t.right_id ELSE t.left_id END"
    journal.add(
        DuplicatePair,
        "(entity, left_id, right_id, score, reasons, exact, state, created_at)"
        f" SELECT t.entity, least({third}, %(winner)s), greatest({third}, %(winner)s), t.score, t.reasons, false,"
        f" t.state, t.created_at FROM contacts_duplicatepair t WHERE {mine} AND t.state = 'dismissed'"
        " AND (t.left_id = %(loser)s OR t.right_id = %(loser)s) ON CONFLICT DO NOTHING",
        entity=entity,
    )
    journal.remove(
        DuplicatePair,
        f"{mine} AND t.state <> 'merged' AND (t.left_id = %(loser)s OR t.right_id = %(loser)s)",
        entity=entity,
    )
