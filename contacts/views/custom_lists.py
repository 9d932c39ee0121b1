"""Lists of records with custom fields: each field is a column that can be chosen, a filter and an order."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from django.db.models import Case, QuerySet, TextField, Value, When
from django.db.models.lookups import Exact

from contacts.custom.computed import expression, put_computed, readable
from contacts.custom.definitions import Definition, active
from contacts.custom.entities import entities
from contacts.custom.filtering import filter_name, orders, panel_filters
from contacts.custom.links import link_names
from contacts.custom.sql import comparable, raw_text
from contacts.views.common import number
from contacts.views.custom_cells import shown, value_of
from contacts.views.listing import HouseList
from crmcem.lib.keyset import Order
from crmcem.lib.web.columns import Column
from crmcem.lib.web.lists import ListPage

NUMERIC = frozenset({"number", "money"})


class CustomColumns(ListPage):
    """A list of the entity that ``entity`` names."""

    @cached_property
    def definitions(self) -> list[Definition]:
        """The fields that this request can be about: none where its URL says nothing of custom fields."""
        asked = "_part" in self.request.GET or any("custom" in f"{k}={v}" for k, v in self.query.pairs())
        return [each for each in active(self.entity).values() if readable(each, self.may)] if asked else []

    @cached_property
    def _columns(self) -> list[Column]:
        return [*self.columns, *(_column(each) for each in self.definitions)]

    def all_columns(self) -> Sequence[Column]:
        return self._columns

    def all_orderings(self) -> Sequence[Order]:
        return [*self.orderings, *(orders(self.entity) if self.definitions else ())]

    def panel_filters(self) -> Sequence[str]:
        return [*self.filter_fields, *(panel_filters(self.entity) if self.definitions else ())]

    @cached_property
    def filterset_type(self) -> Any:
        return self.filterset_class.current() if self.definitions else self.filterset_class

    @cached_property
    def shown_fields(self) -> list[Definition]:
        """The custom fields among the columns that are shown."""
        keys = {column.key for column in self.shown_columns}
        return [each for each in self.definitions if each.name in keys]

    def with_custom(self, rows: QuerySet[Any], *deferred: str) -> QuerySet[Any]:
        """``rows`` without these columns, and without the custom fields where none of them is shown."""
        return rows.defer(*deferred) if self.shown_fields else rows.defer(*deferred, "custom")

    def prepare(self, rows: list[Any]) -> None:
        super().prepare(rows)
        names = link_names(self.shown_fields, rows, self.request.user)
        put_computed(self.entity, rows, self.shown_fields, self.request.user)
        for row in rows:
            row.link_names = names

    def filter_value(self, name: str, value: str) -> str:
        for each in self.definitions:
            if each.type == "link" and name == filter_name(each):
                row = entities[each.options["entity"]].model.objects.visible_to(self.request.user)
                found = row.filter(pk=number(value) or 0).first()
                return str(found) if found is not None else value
        return super().filter_value(name, value)


class CustomList(CustomColumns, HouseList):
    """The same for the lists of this app."""


def _column(definition: Definition) -> Column:
    return Column(
        definition.name,
        definition.label,
        _cell(definition),
        sort=filter_name(definition) if definition.filterable else "",
        css="num" if definition.result in NUMERIC else "",
        default=False,
        export=exported(definition),
    )


def exported(definition: Definition) -> Any:
    """The value in a file, by the database; empty where only the row itself can say it (names, several labels)."""
    if definition.computed:
        return lambda user: expression(definition, user)
    match definition.type:
        case "link" | "multichoice":
            return ""
        case "number" | "money":
            return lambda user: comparable(definition)
        case "choice":
            raw = raw_text(definition)
            known = [When(Exact(raw, value), then=Value(label)) for value, label in definition.labels.items()]
            return lambda user: Case(*known, default=raw, output_field=TextField())
        case _:
            return lambda user: raw_text(definition)


def _cell(definition: Definition) -> Callable[[Any], Any]:
    return lambda row: shown(definition, value_of(definition, row), row.link_names)
