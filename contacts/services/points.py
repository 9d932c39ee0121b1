"""Every e-mail address, phone number and further external id of a contact.

The primary address and number are the contact's own ``email`` and ``phone``; a value that is replaced in place goes,
one that another takes the place of stays beside it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from django.db.models import F
from django.utils.translation import gettext as _

from contacts.models import Contact, ContactPoint
from contacts.services.parts import (
    Shape,
    clean_part,
    flag,
    locked_part,
    may_write,
    record_of,
    room_for_one,
    tell,
)
from contacts.services.unique import taken, unique_values
from contacts.validation import contact_cleaners, has_identity, nobody
from crmcem.lib import cleaning
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError, FieldError
from crmcem.lib.records import change
from crmcem.workspace.organisation import organisation

Kind = ContactPoint.Kind
OWN = (Kind.EMAIL, Kind.PHONE)


def _shape(kind: str | None) -> Shape:
    values = contact_cleaners(organisation().country)
    return Shape(
        {
            "kind": cleaning.choice(Kind.values),
            "value": values[kind] if kind in Kind.values else cleaning.text(254),
            "label": cleaning.text(60),
            "is_primary": flag,
        },
        ("kind", "value"),
    )


def point_add(*, data: Mapping[str, Any], actor: Actor) -> ContactPoint:
    """Add an address, number or external id to a contact; the first of its kind is the primary one.

    ``data``: ``contact`` by row or id, ``kind value label is_primary``. Raises DomainError for bad input and for a
    value that another contact (or this one) has already.
    """
    may_write(actor)
    own = {name: value for name, value in data.items() if name != "contact"}
    kind = str(own.get("kind") or "").strip().lower().replace("-", "_").replace(" ", "_")
    values = clean_part(_shape(kind), own, actor)
    with acting(actor):
        contact = record_of(Contact, data.get("contact"), actor, "contact")
        room_for_one(contact.points, "contact")
        wanted = values.pop("is_primary", False)
        _free(contact, values["kind"], values["value"])
        primary = _primary(contact, values["kind"], wanted)
        with _unique(values["kind"], values["value"], actor):
            row = ContactPoint(contact=contact, **values)
            row.save(force_insert=True)
        _keep(contact, row if primary else None, values["kind"], actor)
        row.refresh_from_db()
    return row


def point_update(
    *, point: ContactPoint, data: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> ContactPoint:
    """Change ``value``, ``label`` or make it the primary one. Raises StaleWrite, DomainError."""
    may_write(actor)
    if "kind" in data and data["kind"] != point.kind:
        raise DomainError.of("kind", "fixed", _("The kind stays as it is. Remove this and add another."))
    own = {name: value for name, value in data.items() if name != "kind"}
    values = clean_part(_shape(point.kind), own, actor, partial=True)
    with acting(actor):
        row, contact = locked_part(point, actor, expected_version, "contact")
        primary = values.pop("is_primary", row.is_primary)
        if row.is_primary and not primary:
            raise DomainError.of(
                "is_primary", "required", _("Make another one the primary one instead: there is always one.")
            )
        new = values.get("value", row.value) != row.value
        if new:
            _free(contact, row.kind, values["value"])
        if primary and not row.is_primary:
            primary = _primary(contact, row.kind, True)
        with _unique(row.kind, values["value"], actor) if new else nullcontext():
            changed = change(row, values)
        if not changed and primary == row.is_primary:
            return row
        _keep(contact, row if primary else None, row.kind, actor)
        row.refresh_from_db()
    return row


def point_remove(*, point: ContactPoint, actor: Actor, expected_version: int | None = None) -> None:
    """Take it away. After a primary one the oldest other of its kind takes its place, if there is one."""
    may_write(actor)
    with acting(actor):
        row, contact = locked_part(point, actor, expected_version, "contact")
        was, kind = row.is_primary, row.kind
        row.delete()
        if not was:
            tell(contact, "points", actor)
            return
        heir = contact.points.filter(kind=kind).order_by("id").first()
        if heir is None and not has_identity(lambda name: None if name == kind else getattr(contact, name)):
            raise DomainError(nobody())
        _keep(contact, heir, kind, actor, gone=True)


def _primary(contact: Contact, kind: str, wanted: bool) -> bool:
    if kind in OWN:
        return wanted or getattr(contact, kind) is None
    if wanted:
        raise DomainError.of(
            "is_primary",
            "not_possible",
            _("The first external id is a field of the contact itself. Change it there."),
        )
    return False


def _keep(
    contact: Contact, primary: ContactPoint | None, kind: str, actor: Actor, *, gone: bool = False
) -> None:
    """Make ``primary`` the only one of its kind, and the contact's own column say the same."""
    changed: dict[str, Any] = {}
    if primary is not None:
        same = contact.points.filter(kind=kind)
        same.filter(is_primary=True).exclude(pk=primary.pk).update(is_primary=False, version=F("version") + 1)
        same.filter(pk=primary.pk, is_primary=False).update(is_primary=True, version=F("version") + 1)
        changed = change(contact, {kind: primary.value})
    elif gone:
        changed = change(contact, {kind: None})
    tell(contact, "points", actor, changed)


def _free(contact: Contact, kind: str, value: str) -> None:
    """Raises DomainError where the contact itself has this value already."""
    own = kind == Kind.EXTERNAL_ID and contact.external_id == value
    if own or contact.points.filter(kind=kind, value=value).exists():
        raise DomainError.of("value", "duplicate", _("This contact has it already."))


@contextmanager
def _unique(kind: str, value: str, actor: Actor) -> Iterator[None]:
    """``unique_values`` with its error at ``value``, which holds an address or an id here."""
    if kind == Kind.PHONE:
        yield
        return
    try:
        with unique_values(Contact, {kind: value}, actor):
            if kind == Kind.EXTERNAL_ID and Contact.objects.filter(external_id=value).exists():
                raise DomainError(taken(Contact, kind, value, actor))
            yield
    except DomainError as error:
        raise DomainError(*(FieldError("value", e.code, e.detail) for e in error.errors)) from error
