"""What a change of one custom field means for the formulas that use it, and for the segments that look at them."""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from contacts.custom.definitions import Definition, definition_of, every
from contacts.custom.formulas.definition import term_in, users_of
from contacts.custom.formulas.terms import Mistake
from contacts.models import CustomField, Segment
from contacts.services.segmenting import filling
from contacts.services.segmenting.keeping import wake_keeper
from contacts.services.segmenting.watching import read, watch
from crmcem.lib.errors import DomainError


def before_change(row: CustomField, values: Mapping[str, Any]) -> None:
    """Raises DomainError where a formula in use could not be computed any more, or a live segment not be kept."""
    archived = values.get("archived", row.archived)
    if archived and not row.archived:
        _nobody_uses(row)
    elif row.type == "formula" and (row.archived or "options" in values) and not archived:
        _still_right(replace(definition_of(row), archived=False, options=values.get("options", row.options)))


def _nobody_uses(row: CustomField) -> None:
    users = users_of(definition_of(row).name, every(row.entity).values())
    if users:
        names = ", ".join(f"“{each.label}”" for each in users)
        detail = _("These formulas use this field: %(names)s. Change or archive them first.") % {
            "names": names
        }
        raise DomainError.of("archived", "in_use", detail)


def _still_right(changed: Definition) -> None:
    """The formula itself, and those that use it, with all other fields as they are."""
    fields = {**every(changed.entity), changed.key: changed}
    names = []
    for each in (changed, *users_of(changed.name, fields.values())):
        try:
            found = term_in(each, fields)
        except Mistake as mistake:
            detail = _("“%(name)s” could not be computed any more: %(why)s")
            raise DomainError.of("options", "in_use", detail % {"name": each.label, "why": mistake}) from None
        if found.today:
            names.append(each.name)
    segments = _live(changed.entity, names)
    if segments:
        detail = _("These live segments look at it and can't follow what changes with the day: %(names)s.")
        raise DomainError.of(
            "options", "by_clock", detail % {"names": ", ".join(f"“{each}”" for each in segments)}
        )


def after_change(row: CustomField, changed: Collection[str]) -> None:
    """Have the members of live segments made anew whose conditions look at a formula that is another one now."""
    if row.type != "formula" or not {"options", "archived"} & set(changed):
        return
    name = definition_of(row).name
    names = [name, *(each.name for each in users_of(name, every(row.entity).values()))]
    found = _live(row.entity, names)
    for segment in found:
        seen = watch(read(segment))
        Segment.objects.filter(pk=segment.pk).update(watches=seen.names, uses=seen.uses, timed=seen.timed)
    if found:
        filling.refill(Segment.objects.filter(pk__in=[segment.pk for segment in found]))
        wake_keeper()


def _live(entity: str, names: Collection[str]) -> list[Segment]:
    """The live segments whose conditions name one of these fields."""
    if entity != "contact" or not names:
        return []
    wanted = [json.dumps(name) for name in names]
    rows = Segment.objects.filter(kind=Segment.Kind.LIVE)
    return [row for row in rows if any(name in json.dumps(row.conditions) for name in wanted)]
