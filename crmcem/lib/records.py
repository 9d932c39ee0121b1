"""What every service does with the record it changes: lock it, check what it points to, save what changed."""

import datetime as dt
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from .actors import Actor
from .errors import DomainError, StaleWrite

M = TypeVar("M", bound=Model)


def visible_rows(model: type[M], actor: Actor) -> QuerySet[M]:
    """The rows of ``model`` that ``actor`` may see: all of them for automations, customers and the system."""
    queryset: Any = model._default_manager.all()
    if actor.is_limited and hasattr(queryset, "visible_to"):
        queryset = queryset.visible_to(actor.user)
    rows: QuerySet[M] = queryset
    return rows


def lock(model: type[M], pk: int, actor: Actor, expected_version: int | None = None) -> M:
    """The row, locked until the transaction ends, as the database has it now.

    Raises Http404 where it is gone or the actor may not see it, and StaleWrite where its version is not
    ``expected_version`` (the one that the actor's change is based on).
    """
    row = visible_rows(model, actor).select_for_update(of=("self",)).filter(pk=pk).first()
    if row is None:
        raise Http404
    if expected_version is not None and getattr(row, "version", None) != expected_version:
        raise StaleWrite
    return row


def lock_all(model: type[M], pks: list[int], actor: Actor) -> list[M]:
    """Those of the rows that the actor may see, locked in the order of their ids (so nobody deadlocks)."""
    rows = visible_rows(model, actor).select_for_update(of=("self",)).filter(pk__in=pks)
    return list(rows.order_by("pk"))


def reference(model: type[M], value: M | int | None, actor: Actor, field: str) -> M | None:
    """The record that ``field`` of the input names, by row or id; None stays None.

    Raises DomainError where it doesn't exist or the actor may not see it.
    """
    if value is None:
        return None
    pk = value.pk if isinstance(value, Model) else value
    row = visible_rows(model, actor).filter(pk=pk).first()
    if row is None:
        raise DomainError.of(
            field, "does_not_exist", _("There is no such record, or it is not yours to see.")
        )
    return row


def plain(value: Any) -> Any:
    """``value`` as JSON can carry it: rows as ids, times and decimals as text."""
    if isinstance(value, Model):
        return value.pk
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal | uuid.UUID):
        return str(value)
    return value


def change(row: Model, values: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Set ``values`` on a locked row and save those columns; its version goes up by one.

    Answers ``{field: [old, new]}`` as JSON can carry it, empty where nothing differs (and nothing is saved).
    """
    changed: dict[str, list[Any]] = {}
    names: list[str] = []
    for name, value in values.items():
        attname = row._meta.get_field(name).attname  # type: ignore[union-attr]
        old = getattr(row, attname)
        new = value.pk if isinstance(value, Model) else value
        if old == new and type(old) is type(new):
            continue
        changed[name] = [plain(old), plain(new)]
        setattr(row, name, value)
        names.append(name)
    if changed:
        save_next_version(row, names)
    return changed


def save_next_version(row: Model, names: list[str]) -> None:
    """Save these fields of a locked row as its next version."""
    extra = []
    if hasattr(row, "version"):
        row.version += 1
        extra.append("version")
    if hasattr(row, "updated_at"):
        row.updated_at = timezone.now()
        extra.append("updated_at")
    row.save(update_fields=[*names, *extra])
