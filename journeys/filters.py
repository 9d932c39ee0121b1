"""One FilterSet for the web list and the API list."""

from typing import Any

import django_filters as filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from contacts.conditions import contact_fields
from crmcem.workspace.filtering import IdFilter, MemberFilterSet
from journeys.models import Automation, Run


class AutomationFilter(filters.FilterSet):
    search = filters.CharFilter(method="find", label=_("Search"))
    status = filters.ChoiceFilter(choices=Automation.Status.choices, label=_("Status"))

    class Meta:
        model = Automation
        fields: list[str] = []

    def find(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Every word somewhere in the name."""
        for word in value.split()[:8]:
            queryset = queryset.filter(name__icontains=word)
        return queryset


class RunFilter(MemberFilterSet):
    people = contact_fields

    automation = filters.ModelChoiceFilter(queryset=Automation.objects.all(), label=_("Automation"))
    contact = IdFilter(label=_("Customer"))
    status = filters.ChoiceFilter(choices=Run.Status.choices, label=_("Status"))
    started_at__gte = filters.IsoDateTimeFilter(
        field_name="started_at", lookup_expr="gte", label=_("Began from")
    )
    started_at__lte = filters.IsoDateTimeFilter(
        field_name="started_at", lookup_expr="lte", label=_("Began until")
    )

    class Meta:
        model = Run
        fields: list[str] = []
