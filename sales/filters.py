"""One FilterSet for the web list, the board and the API list."""

from typing import Any, ClassVar

import django_filters as filters
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contacts.conditions import contact_fields
from contacts.custom.filtering import CustomFilters
from contacts.models import Follower
from crmcem.workspace.filtering import RANGE, HouseFilterSet, IdFilter, PersonFilter
from sales.deal_conditions import deal_fields
from sales.models import Deal, DealContact, Pipeline, Stage
from sales.selectors.board import in_state
from sales.selectors.search import matching

STATE_LABELS = [
    ("overdue", _("Overdue")),
    ("today", _("Today")),
    ("none", _("No activity")),
    ("planned", _("Planned")),
]


class DealFilter(CustomFilters, HouseFilterSet):
    entity = "deal"
    people, registry = contact_fields, deal_fields

    search = filters.CharFilter(method="find", label=_("Search"))
    pipeline = filters.ModelChoiceFilter(queryset=Pipeline.objects.all(), label=_("Pipeline"))
    stage = filters.ModelChoiceFilter(queryset=Stage.objects.all(), label=_("Stage"))
    status = filters.ChoiceFilter(choices=Deal.Status.choices, label=_("Status"))
    owner = PersonFilter(label=_("Owner"))
    company = IdFilter(label=_("Company"))
    contact = IdFilter(method="of_contact", label=_("Contact"))
    external_id = filters.CharFilter(label=_("External id"))
    amount = filters.NumberFilter(label=_("Amount"))
    amount__gte = filters.NumberFilter(field_name="amount", lookup_expr="gte", label=_("Amount from"))
    amount__lte = filters.NumberFilter(field_name="amount", lookup_expr="lte", label=_("Amount to"))
    expected_close = filters.DateFilter(label=_("Expected close"))
    expected_close__gte = filters.DateFilter(
        field_name="expected_close", lookup_expr="gte", label=_("Closes from")
    )
    expected_close__lte = filters.DateFilter(
        field_name="expected_close", lookup_expr="lte", label=_("Closes until")
    )
    created_at__gte = filters.IsoDateTimeFilter(
        field_name="created_at", lookup_expr="gte", label=_("Created from")
    )
    created_at__lte = filters.IsoDateTimeFilter(
        field_name="created_at", lookup_expr="lte", label=_("Created until")
    )
    updated_at__gte = filters.IsoDateTimeFilter(
        field_name="updated_at", lookup_expr="gte", label=_("Changed from")
    )
    rotting = filters.BooleanFilter(method="by_rot", label=_("Rotting"))
    followed = filters.BooleanFilter(method="by_follower", label=_("Followed by me"))
    next_activity = filters.ChoiceFilter(method="by_state", choices=STATE_LABELS, label=_("Next activity"))

    class Meta(HouseFilterSet.Meta):
        model = Deal
        fields: ClassVar[dict[str, list[str]]] = {
            "amount": RANGE,
            "expected_close": RANGE,
            "probability": ["exact", *RANGE],
            "stage_entered_at": RANGE,
            "closed_at": RANGE,
            "created_at": RANGE,
            "updated_at": RANGE,
        }

    def by_follower(self, queryset: QuerySet[Deal], name: str, value: bool) -> QuerySet[Deal]:
        followers = Follower.objects.filter(user=self.request.user, subject_type="deal").order_by()
        mine = followers.values("subject_id")
        return queryset.filter(pk__in=mine) if value else queryset.exclude(pk__in=mine)

    def find(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Every word somewhere in name or external id; under three characters only their beginning."""
        return matching(queryset, value)

    def of_contact(self, queryset: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        if value == "none":
            return queryset.filter(deal_contacts=None)
        return queryset.filter(deal_contacts__contact_id=value)

    def about(self, queryset: QuerySet[Any], people: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(pk__in=DealContact.objects.filter(contact__in=people).values("deal_id"))

    def by_state(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return in_state(queryset, value)

    def by_rot(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        late = Q(status=Deal.Status.OPEN, rots_at__lt=timezone.now())
        return queryset.filter(late) if value else queryset.exclude(late)
