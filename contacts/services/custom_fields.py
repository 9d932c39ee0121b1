"""Making, changing, ordering and archiving custom fields: for those with ``fields:write``."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.http import Http404
from django.utils.translation import gettext as _

from contacts.custom import definitions
from contacts.custom.checks import clean_definition, key_from
from contacts.models import CustomField
from contacts.services.computed_fields import after_change, before_change
from contacts.services.field_indexes import KEEP
from crmcem.lib.actors import Actor, acting
from crmcem.lib.cleaning import MAX_CUSTOM_KEYS
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.jobs import soon
from crmcem.lib.records import change
from crmcem.workspace.policies import require

WRITE = "fields:write"


def custom_field_create(*, data: Mapping[str, Any], actor: Actor) -> CustomField:
    """Make a field: it is in forms, lists, conditions, imports and the API at once.

    ``data``: entity, label, type, and as needed key (made from the label), help, options, required, filterable,
    group, position (last). Raises DomainError.
    """
    require(actor, WRITE)
    given = dict(data)
    if not given.get("key") and isinstance(given.get("label"), str) and (key := key_from(given["label"])):
        given["key"] = key
    values, errors = clean_definition(given)
    if errors:
        raise DomainError(*errors)
    if "key" not in values:
        raise DomainError.of("key", "required", _("Give the field a key, such as loyalty_tier."))
    with acting(actor):
        rows = CustomField.objects.filter(entity=values["entity"])
        if rows.filter(archived=False).count() >= MAX_CUSTOM_KEYS:
            raise DomainError.of(
                "entity",
                "max_items",
                _("There can be %(most)s custom fields at most.") % {"most": MAX_CUSTOM_KEYS},
            )
        values.setdefault("position", (rows.aggregate(last=Max("position"))["last"] or 0) + 1)
        try:
            with transaction.atomic():
                field = CustomField.objects.create(**values)
        except IntegrityError as error:
            raise _taken(rows, values["key"]) from error
        _index(field)
    definitions.forget()
    return field


def _taken(rows: Any, key: str) -> DomainError:
    other = rows.filter(key=key).first()
    if other is not None and other.archived:
        return DomainError.of(
            "key",
            "unique",
            _("The archived field “%(name)s” has this key: restore it instead.") % {"name": other},
        )
    return DomainError.of("key", "unique", _("Another field has this key. Choose another one."))


def custom_field_update(
    *, field: CustomField, data: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> CustomField:
    """Change what ``data`` names; entity, key and type stay. ``archived`` takes the field out of use, or back.

    Raises DomainError, StaleWrite.
    """
    require(actor, WRITE)
    with acting(actor):
        row = CustomField.objects.select_for_update().filter(pk=field.pk).first()
        if row is None:
            raise Http404
        if expected_version is not None and row.version != expected_version:
            raise StaleWrite
        values, errors = clean_definition(data, stored=row)
        if errors:
            raise DomainError(*errors)
        before_change(row, values)
        changed = change(row, values)
        if changed.keys() & {"filterable", "archived", "options"}:
            _index(row)
        definitions.forget()
        after_change(row, changed)
    return row


def _index(field: CustomField) -> None:
    """Wake the worker that makes and drops indexes; the beat comes by anyway."""
    if field.filterable or field.version > 1:
        soon(KEEP, debounce=1)


def custom_fields_order(*, entity: str, ids: Sequence[int], actor: Actor) -> None:
    """Put the fields of an entity in this order; those that are not named follow in the order they had."""
    require(actor, WRITE)
    with acting(actor):
        rows = list(CustomField.objects.select_for_update().filter(entity=entity).order_by("pk"))
        place = {pk: number for number, pk in enumerate(ids)}
        rows.sort(key=lambda row: (place.get(row.pk, len(place)), row.position, row.pk))
        for number, row in enumerate(rows, 1):
            change(row, {"position": number})
    definitions.forget()
