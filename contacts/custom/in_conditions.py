"""Custom fields in the condition language: typed, with their names, choices and links."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from django.utils.translation import gettext_lazy as _

from contacts.custom.computed import expression, known_fully, moves_by_itself, readable, reads
from contacts.custom.definitions import Definition, active, every
from contacts.custom.links import seen_link
from contacts.custom.sql import COLUMN, comparable
from crmcem.lib.conditions import Field, FieldRegistry, FieldType

_NAME = re.compile(r"custom\.([a-z0-9_]{1,60})", re.ASCII)
#: whose conditions make segments and start automations
SEGMENTED = "contact"
_TYPES = {
    "number": FieldType.NUMBER,
    "money": FieldType.MONEY,
    "date": FieldType.DATE,
    "boolean": FieldType.BOOLEAN,
    "choice": FieldType.CHOICE,
    "multichoice": FieldType.MULTI_CHOICE,
    "link": FieldType.REFERENCE,
}


def condition_field(definition: Definition) -> Field:
    """The field in conditions. Those of a type whose index is not over the bare key compare what it has."""
    kind = _TYPES.get(definition.result, FieldType.TEXT)
    shared: dict[str, Any] = {
        "name": definition.name,
        "label": definition.label,
        "type": kind,
        "group": definition.group or _("Custom fields"),
    }
    if definition.computed:
        return _computed(definition, shared)
    if definition.labels:
        shared["choices"] = lambda: definition.labels.items()
    if kind is FieldType.REFERENCE:
        return Field(**shared, seen_by=lambda user: seen_link(definition, user))
    if kind in (FieldType.MONEY, FieldType.CHOICE):
        return Field(**shared, expression=comparable(definition))
    return Field(**shared, json=(COLUMN, definition.key))


def _computed(definition: Definition, shared: dict[str, Any]) -> Field:
    """A computed field. Conditions on contacts are also those of segments and automations, whose answer is everybody's:
    only for those who see all that the value is made of. Others are asked for a list, over what the asking person sees.
    """
    shared |= {"reads": reads(definition), "by_clock": moves_by_itself(definition)}
    if definition.entity != SEGMENTED:
        return Field(
            **shared,
            seen_by=lambda user: expression(definition, user),
            permission=lambda user: readable(definition, user.may),
        )
    return Field(
        **shared, expression=expression(definition), permission=lambda user: known_fully(definition, user)
    )


def _finder(entity: str) -> Callable[[str], Field | None]:
    def find(name: str) -> Field | None:
        """Archived fields work on in what is saved; what no definition knows compares as text."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        definition = every(entity).get(match[1])
        if definition is not None:
            return condition_field(definition)
        return Field(
            name=name,
            label=match[1],
            type=FieldType.TEXT,
            json=(COLUMN, match[1]),
            group=_("Custom fields"),
        )

    return find


def register_custom(registry: FieldRegistry, entity: str) -> None:
    """Give a registry the custom fields of an entity."""

    def listed() -> Iterable[Field]:
        return [condition_field(each) for each in active(entity).values()]

    example = Field(
        name="custom.field",
        label="field",
        type=FieldType.TEXT,
        json=(COLUMN, "field"),
        group=_("Custom fields"),
    )
    registry.register_dynamic("custom.", _finder(entity), listed, example=example)
