"""Deleting many deals at once. What else is done to many is in ``sales.services.edits``."""

from django.db.models import QuerySet

from crmcem.lib.actors import Actor, acting
from crmcem.lib.records import lock_all
from crmcem.workspace.policies import require
from sales.models import Deal
from sales.services.history import tell_all
from sales.services.ranks import many_lock

DELETE = "deals:delete"


def deals_delete(*, deals: QuerySet[Deal], actor: Actor) -> int:
    """Delete the deals with their history; the audit keeps the rows. Answers how many went."""
    require(actor, DELETE)
    with acting(actor):
        many_lock()
        rows = lock_all(Deal, list(deals.order_by().values_list("pk", flat=True)), actor)
        tell_all(rows, "deal.deleted", lambda d: {}, actor)
        Deal.objects.filter(pk__in=[deal.pk for deal in rows]).delete()
    return len(rows)
