"""What the services of a record's parts share: its clean values, its locked record, and what is told of it.

A part (an employment, an address) is changed under the lock of the record that it hangs on, so two at the same time
wait for each other, and limits and "one primary only" hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model
from django.http import Http404
from django.utils.translation import gettext as _

from contacts.models import Company, Contact
from contacts.services.stream import NewActivity, activity_append
from crmcem.lib import cleaning
from crmcem.lib.actors import Actor
from crmcem.lib.cleaning import Cleaner
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.records import lock, reference, visible_rows
from crmcem.workspace.policies import require

P = TypeVar("P", bound=Model)
SCOPE = "contacts:write"
#: so many of one kind can hang on one record
MOST = 200


@dataclass(frozen=True, slots=True)
class Shape:
    """``spec``: cleaner by field; ``required`` among them; ``references``: model by field, beside the record itself."""

    spec: Mapping[str, Cleaner]
    required: tuple[str, ...] = ()
    references: Mapping[str, type[Model]] | None = None


def flag(value: Any) -> bool:
    """True or false, also as a form or file has it."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "yes", "on", "1"}:
        return True
    if value is None or (isinstance(value, str) and value.strip().lower() in {"", "false", "no", "off", "0"}):
        return False
    raise cleaning.Bad("type", _("Send true or false."))


def clean_part(
    shape: Shape, data: Mapping[str, Any], actor: Actor, *, partial: bool = False
) -> dict[str, Any]:
    """The clean values of ``data`` with references as rows that the actor may see. Raises DomainError."""
    references = shape.references or {}
    own = {name: value for name, value in data.items() if name not in references}
    required = [name for name in shape.required if not partial or name in data]
    values, errors = cleaning.clean(shape.spec, own, [name for name in required if name not in references])
    for name, model in references.items():
        if name not in data:
            if not partial and name in required:
                errors += DomainError.of(name, "required", _("This field is required.")).errors
            continue
        try:
            values[name] = reference(model, data[name], actor, name)
        except DomainError as error:
            errors += error.errors
        else:
            if values[name] is None and name in required:
                errors += DomainError.of(name, "required", _("This field is required.")).errors
    if errors:
        raise DomainError(*errors)
    return values


def record_of(model: type[P], value: Any, actor: Actor, field: str) -> P:
    """The record that a new part belongs to, locked. Raises DomainError where the actor may not see it."""
    row = reference(model, value, actor, field)
    if row is None:
        raise DomainError.of(field, "required", _("This field is required."))
    return lock(model, row.pk, actor)


def locked_part(part: P, actor: Actor, expected_version: int | None, *names: str) -> tuple[P, Any]:
    """The part as it is now and its locked record (one of ``names``). Raises Http404, StaleWrite."""
    model = type(part)
    row: Any = visible_rows(model, actor).filter(pk=part.pk).first()
    if row is None:
        raise Http404
    [name] = [name for name in names if getattr(row, f"{name}_id") is not None]
    related: Any = model._meta.get_field(name).related_model
    record = lock(related, getattr(row, f"{name}_id"), actor)
    fresh: Any = model._default_manager.filter(pk=part.pk).first()
    if fresh is None:
        raise Http404
    if expected_version is not None and fresh.version != expected_version:
        raise StaleWrite
    return fresh, record


def room_for_one(rows: Any, field: str) -> None:
    """Raises DomainError where a record has as many of them as it can."""
    if rows.count() >= MOST:
        raise DomainError.of(field, "too_many", _("There can be %(most)s of them at most.") % {"most": MOST})


def tell(
    record: Contact | Company, part: str, actor: Actor, changes: Mapping[str, Any] | None = None
) -> None:
    """Say that a record changed: its own columns by name, or only which of its parts (``employments``)."""
    payload: dict[str, Any] = {"fields": [part]}
    if changes:
        payload["changes"] = dict(changes)
    if isinstance(record, Contact):
        activity = NewActivity(
            "contact.updated", contact_id=record.pk, company_id=record.company_id, payload=payload
        )
    else:
        activity = NewActivity("company.updated", company_id=record.pk, payload=payload)
    activity_append(actor=actor, activity=activity)


def may_write(actor: Actor) -> None:
    require(actor, SCOPE)
