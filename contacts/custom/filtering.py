"""The filters and orders that filterable custom fields give a list: ``custom__key``, ``custom__key__gte`` …"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet, TextField, Value
from django.db.models.fields.json import DataContains
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    IContains,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
)
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from contacts.custom.definitions import Definition, active, catalogue
from contacts.custom.entities import entities
from contacts.custom.sql import COLUMN, comparable, raw_text, upper
from crmcem.lib import references
from crmcem.lib.conditions.expressions import HasElements
from crmcem.lib.keyset import Order
from crmcem.workspace.filtering import ChoicesFilter, IdFilter

_RANGE = {"gt": GreaterThan, "gte": GreaterThanOrEqual, "lt": LessThan, "lte": LessThanOrEqual}
Filters = dict[str, django_filters.Filter]
#: types that a list can be sorted by
SORTABLE = frozenset({"text", "number", "money", "date", "choice", "boolean"})


def filterable(entity: str) -> list[Definition]:
    """The fields that lists can be filtered by, in order."""
    return [each for each in active(entity).values() if each.filterable]


def filter_name(definition: Definition, lookup: str = "") -> str:
    return f"{COLUMN}__{definition.key}{'__' if lookup else ''}{lookup}"


def order_of(definition: Definition) -> Order:
    """The order by a field: rows without a value come last."""
    return Order(filter_name(definition), nullable=True, expression=comparable(definition))


def orders(entity: str) -> list[Order]:
    return [order_of(each) for each in filterable(entity) if each.type in SORTABLE]


def _asking(make: Callable[[Any], Any]) -> Callable[[QuerySet[Any], str, Any], QuerySet[Any]]:
    """A filter's method from what makes the condition of a value (not empty)."""

    def method(queryset: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        return queryset.filter(make(value))

    return method


def filters_of(definition: Definition) -> Filters:
    """The filters of one field by their names. The method gets the value only where there is one."""
    value = comparable(definition)
    label = definition.label
    found: Filters = {}

    def put(lookup: str, kind: type[Any], words: str, make: Callable[[Any], Any], **extra: Any) -> None:
        found[filter_name(definition, lookup)] = kind(method=_asking(make), label=words, **extra)

    match definition.type:
        case "number" | "money":
            _put_range(put, django_filters.NumberFilter, label, value, lambda number: number)
        case "date":
            _put_range(put, _DayFilter, label, value, lambda day: day.isoformat())
        case "choice":
            choices = list(definition.labels.items())
            put("", django_filters.ChoiceFilter, label, lambda v: Exact(value, v), choices=choices)
            put("in", ChoicesFilter, label, lambda v: In(value, v), choices=choices)
        case "multichoice":
            choices = list(definition.labels.items())
            put("", ChoicesFilter, label, lambda v: _any_of(value, v), choices=choices)
        case "boolean":
            put("", django_filters.BooleanFilter, label, lambda v: Exact(value, "true" if v else "false"))
        case "link":
            found[filter_name(definition)] = _LinkFilter(value, definition.options["entity"], label=label)
        case _:
            put("", django_filters.CharFilter, label, lambda v: Exact(value, upper(Value(v, TextField()))))
            put(
                "contains",
                django_filters.CharFilter,
                _("%(field)s contains") % {"field": label},
                lambda v: IContains(raw_text(definition), v),
            )
    present = HasElements(value) if definition.type == "multichoice" else IsNull(value, False)
    put(
        "isset",
        django_filters.BooleanFilter,
        _("%(field)s is filled in") % {"field": label},
        lambda v: Q(present) if v else ~Q(present) | Q(IsNull(value, True)),
    )
    return found


def _put_range(put: Callable[..., None], kind: type[Any], label: str, value: Any, read: Any) -> None:
    words = {
        "gt": _("%(field)s more than"),
        "gte": _("%(field)s at least"),
        "lt": _("%(field)s less than"),
        "lte": _("%(field)s at most"),
    }
    put("", kind, label, lambda v: Exact(value, read(v)))
    for lookup, compare in _RANGE.items():
        put(lookup, kind, words[lookup] % {"field": label}, _comparing(compare, value, read))


def _comparing(compare: Any, value: Any, read: Any) -> Callable[[Any], Any]:
    return lambda v: compare(value, read(v))


def _any_of(value: Any, chosen: list[str]) -> Q:
    found = Q()
    for each in chosen:
        found |= Q(DataContains(value, [each]))
    return found


class _DayFilter(django_filters.DateFilter):
    """A day, as a date input sends it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            *args, input_formats=["%Y-%m-%d"], widget=forms.DateInput({"type": "date"}), **kwargs
        )


class _LinkFilter(IdFilter):
    """Records that link to this one, where the asking person may see it; ``none`` is no link."""

    def __init__(self, value: Any, entity: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value, self.entity = value, entity

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        if value is None:
            return qs
        if value == "none":
            return qs.filter(IsNull(self.value, True))
        seen = entities[self.entity].model.objects.visible_to(self.parent.request.user)
        known = seen.filter(pk=value).exists() or references.successor(seen, value) is not None
        return qs.filter(Exact(self.value, value)) if known else qs.none()


def filters(entity: str) -> Filters:
    found: Filters = {}
    for definition in filterable(entity):
        found |= filters_of(definition)
    return found


def panel_filters(entity: str) -> list[str]:
    """The filters that a list's panel offers: one or two a field."""
    lookups = {
        "number": ("gte", "lte"),
        "money": ("gte", "lte"),
        "date": ("gte", "lte"),
        "text": ("contains",),
    }
    return [
        filter_name(each, lookup)
        for each in filterable(entity)
        if each.type != "link"
        for lookup in lookups.get(each.type, ("",))
    ]


class CustomFilters:
    """Mixed into a FilterSet: ``current()`` is the class with the filters of the entity's custom fields as they are
    now."""

    entity = ""

    @classmethod
    def current(cls) -> Any:
        base: Any = cls
        return _with_custom(base, cls.entity, catalogue().state, get_language() or "")


@lru_cache(maxsize=32)
def _with_custom(base: Any, entity: str, state: tuple[str, str], language: str) -> Any:
    """One class for each state of the definitions and each language of its words."""
    found = filters(entity)
    return type(base)(base.__name__, (base,), {**found, "__module__": base.__module__}) if found else base
