"""The filters of the list of tags."""

from typing import Any

import django_filters
from django.db.models import QuerySet, Value
from django.utils.translation import gettext_lazy as _

from contacts.models import Tag
from crmcem.lib.sqlfields import Fold
from crmcem.workspace.filtering import RANGE, HouseFilterSet


class TagFilter(HouseFilterSet):
    """Tags: by a part of their name, by colour, those that are kept."""

    search = django_filters.CharFilter(method="filter_search", label=_("Search"))
    colour = django_filters.ChoiceFilter(choices=Tag.Colour.choices, label=_("Colour"))
    is_kept = django_filters.BooleanFilter(label=_("Kept"))

    class Meta(HouseFilterSet.Meta):
        model = Tag
        fields = {"name": ["exact"], "created_at": RANGE, "updated_at": RANGE}

    def filter_search(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(folded__contains=Fold(Value(value.strip())))
