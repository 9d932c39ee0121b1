"""Reading answers: for the inbox, lists and panels, newest first. Started sheets are nobody's answer yet."""

from collections.abc import Collection
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from crmcem.lib.visibility import OwnedQuerySet
from feedback.models import Response


def responses_complete() -> OwnedQuerySet:
    """Every submitted answer, without its relations."""
    rows: OwnedQuerySet = Response.objects.filter(status=Response.Status.COMPLETE)
    return rows


def responses_listed() -> OwnedQuerySet:
    """Submitted answers with what a list shows: customer with Pulse, survey, owner, company, case."""
    return (
        responses_complete()
        .select_related("contact", "contact__pulse", "survey", "owner", "company", "case")
        .defer("contact__search_text", "company__search_text")
    )


def responses_of_contact(contact_id: int, user: Any) -> QuerySet[Response]:
    """A customer's answers that ``user`` may see, newest first."""
    return _newest(responses_listed().filter(contact_id=contact_id), user)


def responses_of_company(company_id: int, user: Any) -> QuerySet[Response]:
    """Answers of a company's present people that ``user`` may see, newest first."""
    return _newest(responses_listed().filter(contact__company_id=company_id), user)


def visible_labels(ids: Collection[int], user: Any) -> dict[int, str]:
    """``{id: survey's name}`` of the answers among ``ids`` that ``user`` may see (all of them for the system)."""
    rows = Response.objects.filter(pk__in=ids)
    if user is not None:
        rows = rows.visible_to(user)
    return dict(rows.values_list("pk", "survey__name"))


def response_url(pk: int) -> str:
    return reverse("feedback:response", args=[pk])


def _newest(rows: OwnedQuerySet, user: Any) -> QuerySet[Response]:
    found: QuerySet[Response] = rows.visible_to(user).order_by("-submitted_at", "-id")
    return found
