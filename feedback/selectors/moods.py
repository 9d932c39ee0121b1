"""What the people who look after customers should see today: new answers, and moods that fell."""

import datetime as dt
from typing import Any

from django.db.models import F, OuterRef, Subquery
from django.utils import timezone

from contacts.models import Contact
from crmcem.lib.visibility import OwnedQuerySet
from feedback.models import Response
from feedback.policies import DETRACTOR, PROMOTER

from .responses import responses_complete, responses_listed

#: answers are new for so long, a fall is worth a call for so long
NEW_DAYS = 7
FALL_DAYS = 30
#: points that an NPS answer must lie below the one before
FALL = 3
_LOOKED_AT = 500


def is_mine(user: Any) -> bool:
    """Whether the person has customers of their own; who has none looks after all that they see."""
    return Contact.objects.filter(owner=user).exists()


def new_answers(user: Any, limit: int, *, mine: bool) -> list[Response]:
    """The newest answers of the last days, detractors before everybody else."""
    since = timezone.now() - dt.timedelta(days=NEW_DAYS)
    rows = _customers(responses_listed(), user, mine).filter(submitted_at__gte=since)
    rows = rows.order_by("-submitted_at", "-id")
    first = list(rows.filter(nps__lte=DETRACTOR)[:limit])
    rest = limit - len(first)
    return first + (list(rows.exclude(nps__lte=DETRACTOR, nps__isnull=False)[:rest]) if rest else [])


def fallen(user: Any, limit: int, *, mine: bool) -> list[Response]:
    """Latest answers whose NPS lies at least FALL points below the same customer's one before (``.before``)."""
    since = timezone.now() - dt.timedelta(days=FALL_DAYS)
    recent = _customers(responses_complete(), user, mine)
    recent = recent.filter(submitted_at__gte=since, nps__lt=PROMOTER, contact__isnull=False)
    looked_at = list(recent.order_by("-submitted_at", "-id").values_list("pk", flat=True)[:_LOOKED_AT])
    others = responses_complete().filter(contact_id=OuterRef("contact_id"), nps__isnull=False)
    earlier = others.filter(submitted_at__lt=OuterRef("submitted_at")).order_by("-submitted_at", "-id")
    newest = others.order_by("-submitted_at", "-id").values("pk")[:1]
    rows = (
        responses_listed()
        .filter(pk__in=looked_at, pk=Subquery(newest))
        .annotate(before=Subquery(earlier.values("nps")[:1]))
        .filter(before__gte=F("nps") + FALL)
        .order_by("-submitted_at", "-id")
    )
    return list(rows[:limit])


def _customers(rows: OwnedQuerySet, user: Any, mine: bool) -> OwnedQuerySet:
    visible = rows.visible_to(user)
    return visible.filter(contact__owner=user) if mine else visible
