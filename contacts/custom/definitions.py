"""The definitions of custom fields, read once per process and again as soon as one of them has changed.

Whether they have changed is one small statement over the few rows of two tables. Within a web request it is asked
once; outside of requests (workers, commands) each time, so a new field works at once everywhere.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.core.signals import request_finished, request_started
from django.db import connection

from contacts.models import CustomField, FieldLayout

_STATE = """
SELECT (SELECT count(*)::text || ':' || coalesce(sum(version), 0) || ':' || coalesce(max(id), 0) || ':'
               || coalesce(max(updated_at)::text, '') FROM contacts_customfield),
       (SELECT count(*)::text || ':' || coalesce(sum(version), 0) || ':' || coalesce(max(id), 0) || ':'
               || coalesce(max(updated_at)::text, '') FROM contacts_fieldlayout)
"""


#: types whose values nobody types
COMPUTED = frozenset({"formula", "rollup"})


@dataclass(frozen=True, eq=False)
class Definition:
    """A custom field as the code uses it. ``name`` is how it is called beside the record's own fields."""

    id: int
    entity: str
    key: str
    label: str
    help: str
    type: str
    required: bool
    filterable: bool
    group: str
    archived: bool
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"custom.{self.key}"

    @property
    def computed(self) -> bool:
        """Nobody types its value."""
        return self.type in COMPUTED

    @property
    def result(self) -> str:
        """The type of what it holds: that of the field, or of what it computes."""
        return str(self.options.get("result", "")) if self.computed else self.type

    @cached_property
    def labels(self) -> dict[str, str]:
        """Value → label of every choice, also of those that are no longer offered."""
        return {each["value"]: each["label"] for each in self.options.get("choices", ())}

    @cached_property
    def choices(self) -> list[tuple[str, str]]:
        """What can be chosen now."""
        return [
            (each["value"], each["label"])
            for each in self.options.get("choices", ())
            if not each.get("archived")
        ]

    @property
    def currency(self) -> str:
        return str(self.options.get("currency", ""))

    @property
    def decimals(self) -> int:
        return int(self.options.get("decimals", 0))


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Every definition and layout in one state. ``fields`` is entity → key → definition, in order."""

    state: tuple[str, str]
    fields: Mapping[str, Mapping[str, Definition]]
    layouts: Mapping[tuple[str, int | None], tuple[list[dict[str, Any]], list[str]]]
    #: what computed fields give (``contacts.custom.computed``), made once
    terms: dict[Any, Any] = field(default_factory=dict)


_cached: Catalogue | None = None


class _Request(threading.local):
    """Whether this thread serves a web request, and the catalogue that it has looked up."""

    serving = False
    catalogue: Catalogue | None = None


_request = _Request()


def catalogue() -> Catalogue:
    """The definitions as they are now."""
    global _cached
    if _request.serving and _request.catalogue is not None:
        return _request.catalogue
    with connection.cursor() as cursor:
        cursor.execute(_STATE)
        state = cursor.fetchone()
    found = _cached
    if found is None or found.state != state:
        found = _cached = _read(state)
    if _request.serving:
        _request.catalogue = found
    return found


def _read(state: tuple[str, str]) -> Catalogue:
    fields: dict[str, dict[str, Definition]] = {}
    for row in CustomField.objects.order_by("position", "id"):
        fields.setdefault(row.entity, {})[row.key] = definition_of(row)
    layouts = {(row.entity, row.team_id): (row.groups, row.hidden) for row in FieldLayout.objects.all()}
    return Catalogue(state, fields, layouts)


def definition_of(row: CustomField) -> Definition:
    return Definition(
        id=row.pk,
        entity=row.entity,
        key=row.key,
        label=row.label,
        help=row.help,
        type=row.type,
        required=row.required,
        filterable=row.filterable,
        group=row.group,
        archived=row.archived,
        options=row.options,
    )


def every(entity: str) -> Mapping[str, Definition]:
    """Key → definition of every field of the entity in order, the archived ones too."""
    return catalogue().fields.get(entity, {})


def active(entity: str) -> dict[str, Definition]:
    """Key → definition of the fields that are in use, in order."""
    return {key: each for key, each in every(entity).items() if not each.archived}


def forget() -> None:
    """Look again, also within this request (after a change of the definitions)."""
    _request.catalogue = None


def _begin(**kwargs: Any) -> None:
    _request.serving, _request.catalogue = True, None


def _end(**kwargs: Any) -> None:
    _request.serving, _request.catalogue = False, None


def watch_requests() -> None:
    """Called when the app is ready."""
    request_started.connect(_begin, dispatch_uid="contacts.custom")
    request_finished.connect(_end, dispatch_uid="contacts.custom")
