"""Reading cases: for lists and panels, soonest due first."""

from collections.abc import Collection
from typing import Any

from django.db.models import F, QuerySet
from django.urls import reverse

from crmcem.lib.visibility import OwnedQuerySet
from feedback.models import Case

OPEN = (Case.Status.OPEN, Case.Status.PENDING)


def cases_listed() -> OwnedQuerySet:
    """Cases with what a list shows of their customer, owner and answer."""
    rows: OwnedQuerySet = Case.objects.select_related("contact", "contact__pulse", "owner", "response")
    return rows.defer("contact__search_text", "response__answers", "response__emotions")


def open_cases(user: Any) -> QuerySet[Case]:
    """The open cases that ``user`` may see, soonest due first, those without a due time last."""
    rows = cases_listed().visible_to(user).filter(status__in=OPEN)
    found: QuerySet[Case] = rows.order_by(F("sla_due_at").asc(nulls_last=True), "id")
    return found


def cases_of_contact(contact_id: int, user: Any) -> QuerySet[Case]:
    """A customer's cases that ``user`` may see: open ones first, then the newest."""
    rows = cases_listed().visible_to(user).filter(contact_id=contact_id)
    found: QuerySet[Case] = rows.order_by(
        F("resolved_at").desc(nulls_first=True), F("sla_due_at").asc(nulls_last=True), "-id"
    )
    return found


def visible_labels(ids: Collection[int], user: Any) -> dict[int, str]:
    """``{id: subject}`` of the cases among ``ids`` that ``user`` may see (all of them for the system)."""
    rows = Case.objects.filter(pk__in=ids)
    if user is not None:
        rows = rows.visible_to(user)
    return dict(rows.values_list("pk", "subject"))


def case_url(pk: int) -> str:
    return reverse("feedback:case", args=[pk])
