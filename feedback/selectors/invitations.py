"""Reading invitations, and what became of those asked."""

from typing import Any

from django.db.models import Count, Q, QuerySet

from crmcem.lib.measures import Outcome
from crmcem.lib.visibility import OwnedQuerySet
from feedback.models import Invitation, Response


def invitations_listed() -> OwnedQuerySet:
    """Invitations with what a list shows of customer and survey."""
    rows: OwnedQuerySet = Invitation.objects.select_related("contact", "survey")
    return rows.defer("contact__search_text")


def invitations_of_contact(contact_id: int, user: Any) -> QuerySet[Invitation]:
    """A customer's invitations that ``user`` may see, newest first."""
    rows = invitations_listed().visible_to(user)
    found: QuerySet[Invitation] = rows.filter(contact_id=contact_id).order_by("-created_at", "-id")
    return found


def outcome(invitations: QuerySet[Invitation]) -> tuple[Outcome, int]:
    """What became of these invitations, and how many were delivered: one statement.

    Suppressed ones that were never sent were not asked, so they don't count; one that bounced was asked, but
    nobody knows whether there is such a person. Nobody can refuse but by silence, so ``refused`` is 0.
    """
    asked = Q(sent_at__isnull=False) | Q(status=Invitation.Status.ANSWERED)
    started = Q(response__status=Response.Status.PARTIAL) & ~Q(response__answers={})
    found = invitations.order_by().aggregate(
        complete=Count("pk", filter=Q(status=Invitation.Status.ANSWERED)),
        partial=Count("pk", filter=asked & started & ~Q(status=Invitation.Status.ANSWERED)),
        delivered=Count("pk", filter=asked),
        unknown=Count(
            "pk",
            filter=~asked & (Q(status=Invitation.Status.QUEUED) | Q(suppressed_reason="not_delivered")),
        ),
    )
    silent = found["delivered"] - found["complete"] - found["partial"]
    result = Outcome(found["complete"], found["partial"], 0, silent, found["unknown"])
    return result, found["delivered"]
