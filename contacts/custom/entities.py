"""The kinds of records that have custom fields. Apps above register theirs in ``AppConfig.ready``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps

from crmcem.lib.registry import Registry


@dataclass(frozen=True, slots=True)
class Entity:
    """``model`` has a jsonb column ``custom`` and a manager with ``visible_to``.

    ``read_scope`` is what a person needs to know the fields; ``url_name`` the record's page and
    ``lookup_url_name`` the address that finds records by what is typed: without it fields can't link to them.
    ``labels`` are the names of its own fields in forms, for layouts.
    """

    key: str
    label: Any
    model_label: str
    read_scope: str
    url_name: str
    lookup_url_name: str = ""
    labels: Callable[[], Mapping[str, str]] | None = None

    @property
    def model(self) -> Any:
        return apps.get_model(self.model_label)

    @property
    def table(self) -> str:
        return str(self.model._meta.db_table)


entities: Registry[Entity] = Registry("entity with custom fields")


def register(*items: Entity) -> None:
    for item in items:
        entities.add(item.key, item)


def readable(may: Any) -> list[Entity]:
    """Those whose records a person (``may(scope)``) may read."""
    return [entity for entity in entities if may(entity.read_scope)]
