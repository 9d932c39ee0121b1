"""Links from custom fields to records: checked when they are written, and shown to those who may see them."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Case, Q, When
from django.db.models.lookups import In
from django.utils.translation import gettext as _

from contacts.custom.definitions import Definition, active, every
from contacts.custom.entities import entities
from contacts.custom.sql import comparable
from contacts.models import MergeRecord
from contacts.selectors.merging import successor
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError, FieldError
from crmcem.lib.records import visible_rows


def check_links(
    entity: str, values: Mapping[str, Any], actor: Actor, stored: Mapping[str, Any] | None = None
) -> None:
    """Raises DomainError for links (clean ``values``) to records that don't exist or that the actor may not see.

    One that is stored already stays, also for somebody who may not see where it leads.
    """
    wanted = [
        (each, values[each.key])
        for each in active(entity).values()
        if each.type == "link" and values.get(each.key) and values[each.key] != (stored or {}).get(each.key)
    ]
    if not wanted:
        return
    sentence = _("There is no such record, or it is not yours to see.")
    errors = [
        FieldError(each.name, "does_not_exist", sentence)
        for each, pk in wanted
        if not visible_rows(_target(each), actor).filter(pk=int(pk)).exists()
    ]
    if errors:
        raise DomainError(*errors)


def _target(definition: Definition) -> Any:
    return entities[definition.options["entity"]].model


def link_names(
    definitions: Iterable[Definition], rows: Iterable[Any], user: Any
) -> dict[tuple[str, str], str]:
    """``{(entity, id): name}`` of every record that ``rows`` link to and that the person may see.

    One statement for each entity that is linked to, none where no field is a link.
    """
    links = [each for each in definitions if each.type == "link"]
    if not links:
        return {}
    wanted: dict[str, set[int]] = {}
    for row in rows:
        for each in links:
            value = row.custom.get(each.key)
            if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
                wanted.setdefault(each.options["entity"], set()).add(int(value))
    names: dict[tuple[str, str], str] = {}
    for entity, ids in wanted.items():
        seen = entities[entity].model.objects.visible_to(user)
        found = {row.pk: str(row) for row in seen.filter(pk__in=ids)}
        names |= {(entity, str(pk)): name for pk, name in found.items()}
        names |= _of_merged(entity, ids - found.keys(), seen)
    return names


def _of_merged(entity: str, ids: set[int], seen: Any) -> dict[tuple[str, str], str]:
    """The names of the records that merged ones became part of: their old ids still lead there."""
    if not ids:
        return {}
    gone = MergeRecord.objects.filter(entity=entity, loser_id__in=ids, undone_at__isnull=True)
    now = {old: successor(entity, old) for old in gone.values_list("loser_id", flat=True)}
    rows = {row.pk: str(row) for row in seen.filter(pk__in=set(now.values()))} if now else {}
    return {(entity, str(old)): rows[new] for old, new in now.items() if new in rows}


def seen_link(definition: Definition, user: Any) -> Any:
    """The id that a link leads to, as an expression: NULL where the person may not see the record. No user is the
    system itself. A merged record is seen by who sees what it became part of.
    """
    value = comparable(definition)
    if user is None or user.access.visibility == "all":
        return value
    entity = definition.options["entity"]
    seen = entities[entity].model.objects.visible_to(user).order_by().values("pk")
    merged = MergeRecord.objects.filter(entity=entity, undone_at__isnull=True, winner_id__in=seen)
    return Case(When(Q(In(value, seen)) | Q(In(value, merged.order_by().values("loser_id"))), then=value))


def drop_hidden_links(entity: str, rows: Iterable[Any], user: Any) -> None:
    """Take links to records that the person may not see out of rows that are only shown (never saved)."""
    found = [row for row in rows if row.custom]
    links = [each for each in every(entity).values() if each.type == "link"] if found else []
    if not links:
        return
    names = link_names(links, found, user)
    for row in found:
        hidden = {
            each.key
            for each in links
            if each.key in row.custom and (each.options["entity"], str(row.custom[each.key])) not in names
        }
        if hidden:
            row.custom = {key: value for key, value in row.custom.items() if key not in hidden}
