"""Automations in the palette."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from crmcem.lib.fuzzy import folded, ids_by_words
from crmcem.lib.search import Hit, Provider
from journeys.models import Automation


def find(text: str, user: Any, limit: int) -> list[Hit]:
    """Those whose name has every word, or similar ones."""
    ids = ids_by_words(Automation.objects.all(), folded("name"), text, 200)
    rows = Automation.objects.filter(pk__in=ids)
    return [
        Hit(row.name, str(row.get_status_display()), reverse("journeys:automation", args=[row.pk]))
        for row in rows.order_by("name")[:limit]
    ]


PROVIDER = Provider("automations", _("Automations"), "route", "automations:read", find, order=80)
