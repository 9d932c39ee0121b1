"""Reading deals: with what lists and cards show, in a bounded number of queries."""

from collections.abc import Collection
from typing import Any

from django.db.models import DateTimeField, Min, OuterRef, Prefetch, QuerySet, Subquery
from django.urls import reverse

from contacts.models import Task
from crmcem.lib.visibility import visible_q
from sales.models import Deal, DealContact


def with_next_activity(deals: QuerySet[Deal]) -> QuerySet[Deal]:
    """Each with ``next_activity_at``: the earliest open task's due time."""
    if "next_activity_at" in deals.query.annotations:
        return deals
    tasks = Task.objects.filter(deal_id=OuterRef("pk"), status=Task.Status.OPEN, due_at__isnull=False)
    earliest = tasks.order_by().values("deal_id").annotate(due=Min("due_at")).values("due")
    return deals.annotate(next_activity_at=Subquery(earliest, output_field=DateTimeField()))


def deals_listed() -> QuerySet[Deal]:
    """Deals with stage, company, owner, next activity and the buying committee, for the API."""
    deals = with_next_activity(Deal.objects.select_related("stage", "company", "owner"))
    return deals.prefetch_related(Prefetch("deal_contacts", DealContact.objects.select_related("contact")))


def visible_labels(ids: Collection[int], user: Any) -> dict[int, str]:
    """``{id: name}`` of the deals among ``ids`` that ``user`` may see (all of them for the system)."""
    deals = Deal.objects.filter(pk__in=ids)
    if user is not None:
        deals = deals.filter(visible_q(user))
    return dict(deals.values_list("pk", "name"))


def visible_rows_of(user: Any) -> QuerySet[Deal]:
    """The deals that ``user`` may see; all of them for the system."""
    return Deal.objects.all() if user is None else Deal.objects.visible_to(user)


def deal_url(pk: int) -> str:
    return reverse("sales:deal", args=[pk])
