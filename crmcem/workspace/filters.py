from typing import Any

import django_filters as filters
from django.db.models import Q, QuerySet

from .models import User


class UserFilter(filters.FilterSet):
    """Colleagues by team, state or the beginning of a name."""

    search = filters.CharFilter(method="find")

    class Meta:
        model = User
        fields = {"team": ["exact"], "is_active": ["exact"], "username": ["exact"]}

    def find(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        starts = Q()
        for field in ("username", "first_name", "last_name"):
            starts |= Q(**{f"{field}__istartswith": value})
        return queryset.filter(starts)
