"""What the FilterSets of all apps share: ids, ranges, and errors for what does not exist."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import django_filters
from django import forms
from django.db import models
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from crmcem.lib.api.fields import parse_id
from crmcem.lib.conditions import ConditionError, FieldRegistry, parse, to_q
from crmcem.lib.errors import DomainError
from crmcem.workspace.organisation import organisation

RANGE = ["gt", "gte", "lt", "lte"]


class IdFormField(forms.CharField):
    #: what may stand for an id
    words = frozenset({"none"})

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if text in self.empty_values:
            return None
        if text in self.words:
            return text
        pk = parse_id(text)
        if pk is None:
            raise forms.ValidationError(_("This is not the id of a record."), code="invalid")
        return pk


class PersonFormField(IdFormField):
    words = frozenset({"me", "none"})


@extend_schema_field(OpenApiTypes.STR)
class IdFilter(django_filters.Filter):
    """A reference by its opaque id; ``none`` is no record."""

    field_class: type[IdFormField] = IdFormField

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        if value is None:
            return qs
        if value == "none":
            return qs.filter(**{f"{self.field_name}__isnull": True})
        if value == "me":
            value = self.parent.request.user.pk
        return qs.filter(**{self.field_name: value})


class PersonFilter(IdFilter):
    """A colleague by their id; ``me`` is the acting person, ``none`` is nobody."""

    field_class = PersonFormField


class ChoicesFilter(django_filters.BaseInFilter, django_filters.ChoiceFilter):
    """Some of the choices, separated by commas."""


class MemberFilterSet(django_filters.FilterSet):
    """Understands ``segment``: keeps the rows that are, or are about, a member whom the person may see.

    ``people`` is the registry of whom the rows at the path ``person`` are; without it the list knows no segments.
    """

    people: FieldRegistry | None = None
    #: the path to them; empty where the rows themselves are these people
    person: str = "contact"

    segment = django_filters.CharFilter(method="filter_segment", label=gettext_lazy("Id of a segment"))

    @classmethod
    def get_filters(cls) -> Any:
        """Without those that the list has no use for: they are unknown there, to the OpenAPI document, too."""
        found = super().get_filters()
        if cls.people is None or cls.people.segments is None:
            found.pop("segment", None)
        return found

    def filter_segment(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        if self.people is None or self.people.segments is None:
            raise DomainError.of("segment", "unknown_parameter", _("This list knows no segments."))
        user = self.request.user
        try:
            node = parse({"segment": value}, self.people, user=user)
        except ConditionError as error:
            raise DomainError.of("segment", "does_not_exist", error.problems[0].detail) from None
        q = to_q(node, now=timezone.now(), tz=ZoneInfo(organisation().time_zone))
        if not self.person:
            return queryset.filter(q)
        model: Any = self.people.model
        return self.about(queryset, model.objects.visible_to(user).filter(q))

    def about(self, queryset: QuerySet[Any], people: QuerySet[Any]) -> QuerySet[Any]:
        """The rows about these people."""
        return queryset.filter(**{f"{self.person}__in": people.order_by().values("pk")})


class HouseFilterSet(MemberFilterSet):
    """The base of every FilterSet: web list and API list share it.

    A subclass with ``registry`` understands ``conditions`` (the condition language as JSON); relative dates are
    in the organisation's zone, so the same URL gives the same list to everybody.
    """

    registry: FieldRegistry | None = None

    conditions = django_filters.CharFilter(
        method="filter_conditions", label=gettext_lazy("Conditions as JSON")
    )

    class Meta:
        filter_overrides = {
            models.DateTimeField: {"filter_class": django_filters.IsoDateTimeFilter},
        }

    @classmethod
    def get_filters(cls) -> Any:
        found = super().get_filters()
        if cls.registry is None:
            found.pop("conditions", None)
        return found

    @classmethod
    def current(cls) -> Any:
        """The class with every filter that there is now: a subclass may have some that people make."""
        return cls

    def filter_conditions(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        if self.registry is None:
            raise DomainError.of("conditions", "unknown_parameter", _("This list has no conditions."))
        user = self.request.user
        try:
            data = json.loads(value)
        except (ValueError, RecursionError):
            raise DomainError.of("conditions", "invalid", _("Send the conditions as JSON.")) from None
        node = parse(data, self.registry, user=user)
        zone = ZoneInfo(organisation().time_zone)
        return queryset.filter(to_q(node, now=timezone.now(), tz=zone, user=user))
