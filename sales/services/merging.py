"""What a merge of two people means for the deals that both take part in."""

from crmcem.lib import merging
from crmcem.lib.merging import Journal, Pointer
from sales.models import DealContact


def register() -> None:
    """Called once when the app is ready."""
    merging.handle("sales_dealcontact.contact_id", fold_committee)


def fold_committee(journal: Journal, pointer: Pointer) -> None:
    """One person has one place in a deal: the role that says more stands, and primary stays primary."""
    twin = "FROM sales_dealcontact l WHERE l.deal_id = t.deal_id AND l.contact_id = %(loser)s"
    journal.set(
        DealContact,
        f"role = CASE WHEN t.role = 'other' THEN (SELECT l.role {twin}) ELSE t.role END,"
        f" is_primary = t.is_primary OR (SELECT l.is_primary {twin})",
        f"t.contact_id = %(winner)s AND EXISTS (SELECT 1 {twin})",
    )
    journal.remove(
        DealContact,
        "t.contact_id = %(loser)s AND EXISTS (SELECT 1 FROM sales_dealcontact w"
        " WHERE w.deal_id = t.deal_id AND w.contact_id = %(winner)s)",
    )
    journal.move(pointer)
