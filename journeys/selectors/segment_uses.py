"""Automations that name a segment."""

from typing import Any

from django.db.models import F, Q, TextField
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils.translation import gettext as _

from contacts.selectors.segment_uses import Use, names_segment
from journeys.models import AutomationVersion, Run
from journeys.policies import READ


def find(pk: int, user: Any) -> list[Use]:
    """By their present version, or one that customers are still on their way through."""
    under_way = (
        Run.objects.filter(status=Run.Status.ACTIVE).order_by().values("automation_version").distinct()
    )
    rows = (
        AutomationVersion.objects.filter(Q(automation__current_version=F("pk")) | Q(pk__in=under_way))
        .annotate(text=Cast("definition", TextField()))
        .filter(text__contains=str(pk))
        .select_related("automation")
        .order_by("automation__name")
    )
    found = {row.automation_id: row.automation for row in rows if names_segment(row.definition, pk)}
    hidden = user is not None and not user.may(READ)
    return [
        Use(
            _("automation “%(name)s”") % {"name": each.name},
            reverse("journeys:automation", args=[each.pk]),
            hidden,
        )
        for each in found.values()
    ]
