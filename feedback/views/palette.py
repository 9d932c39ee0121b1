"""Surveys in the palette."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from crmcem.lib.fuzzy import folded, ids_by_words
from crmcem.lib.search import Hit, Provider
from feedback.models import Survey


def find_surveys(text: str, user: Any, limit: int) -> list[Hit]:
    """The newest surveys whose name has the words, or similar ones; there are few enough to read them all."""
    ids = ids_by_words(Survey.objects.all(), folded("name"), text, 200)
    rows = Survey.objects.filter(pk__in=ids).order_by("-pk")[:limit]
    return [
        Hit(
            row.name,
            f"{row.get_kind_display()} · {row.get_status_display()}",
            reverse("feedback:survey", args=[row.pk]),
        )
        for row in rows
    ]


SURVEYS = Provider("survey", _("Surveys"), "message-star", "surveys:read", find_surveys, order=60)
