"""Telling who an anonymous visitor is, and what is known about a customer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from contacts.models import Contact, IdentityAlias
from contacts.services.contacts import contact_update
from contacts.services.event_contacts import contacts_for
from contacts.services.event_input import Identity, Refused, identity_of
from contacts.services.events import HIDDEN
from contacts.services.stream import NewActivity, activity_append
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import Conflict, DomainError, FieldError
from crmcem.lib.records import visible_rows
from crmcem.workspace.policies import require


@dataclass(frozen=True, slots=True)
class Identified:
    """``created``: the contact is new; ``aliased``: the anonymous id is newly theirs."""

    contact: Contact
    created: bool
    aliased: bool


def identify(
    *,
    actor: Actor,
    contact: Mapping[str, Any],
    anonymous_id: str | None = None,
    traits: Mapping[str, Any] | None = None,
) -> Identified:
    """Find or make the customer, set ``traits`` on them, and give them what ``anonymous_id`` did.

    ``contact`` has ``external_id``, ``email`` or both (a customer known by e-mail gets the external id).
    The token needs ``events:write`` only; its person needs the right to change contacts. Earlier activities of the
    visitor are attributed by a consumer (``contact.identified`` → ``contact.stitched``).

    Raises DomainError for bad input, Conflict when the alias or the names belong to different customers.
    """
    require(actor, "events:write")
    names = _names(contact)
    alias = _alias(anonymous_id)
    writer = actor if actor.scopes is None else replace(actor, scopes=actor.scopes | {"contacts:write"})
    require(writer, "contacts:write")
    with acting(actor):
        row, created = _find_or_make(actor, names)
        data = dict(traits or {})
        if "external_id" in names and row.external_id is None and not _is_further(row, names["external_id"]):
            data["external_id"] = names["external_id"]
        if data:
            row = _update(writer, row, data)
        aliased = alias is not None and _claim(actor, alias, row)
    return Identified(row, created, aliased)


def _names(contact: Mapping[str, Any]) -> dict[str, str]:
    """The clean ``external_id`` and ``email``, at least one of them."""
    if not isinstance(contact, Mapping) or not contact or not set(contact) <= {"external_id", "email"}:
        raise DomainError.of("contact", "invalid", _("Name the customer by external_id, email or both."))
    return {field: _clean({field: value})[1] for field, value in contact.items()}


def _alias(anonymous_id: str | None) -> str | None:
    return None if anonymous_id is None else _clean({"anonymous_id": anonymous_id}, prefix="")[1]


def _clean(named: dict[str, Any], prefix: str = "contact.") -> Identity:
    try:
        return identity_of(named)
    except Refused as error:
        field = prefix + error.error.field.removeprefix("contact.")
        raise DomainError(FieldError(field, error.error.code, error.error.detail)) from None


def _find_or_make(actor: Actor, names: dict[str, str]) -> tuple[Contact, bool]:
    """The customer whom the names mean; made where none of them is known."""
    found = {field: _find(actor, field, value) for field, value in names.items()}
    rows = {row.pk: row for row in found.values() if row is not None}
    if len(rows) > 1:
        raise Conflict("two_customers", _("The external id and the e-mail address belong to two customers."))
    if rows:
        [row] = rows.values()
        if found.get("external_id") is None and "external_id" in names and row.external_id is not None:
            raise Conflict(
                "two_customers", _("The customer with this e-mail address has another external id.")
            )
        return row, False
    # Made by e-mail where there is one, so that both names end on one row.
    field = "email" if "email" in names else "external_id"
    identity: Identity = (field, names[field], None)
    pk, _company = contacts_for(actor=actor, identities=[identity]).get(identity, (None, None))
    if pk is None:
        raise DomainError(HIDDEN)
    return Contact.objects.get(pk=pk), True


def _find(actor: Actor, field: str, value: str) -> Contact | None:
    rows = visible_rows(Contact, actor)
    found = rows.filter(**{field: value}).first()
    if found is None:
        found = rows.filter(points__kind=field, points__value=value).first()
    return found


def _is_further(row: Contact, external_id: str) -> bool:
    return row.points.filter(kind="external_id", value=external_id).exists()


def _update(writer: Actor, row: Contact, data: dict[str, Any]) -> Contact:
    try:
        return contact_update(contact=row, data=data, actor=writer)
    except DomainError as error:
        own = {"external_id", "non_field_errors"}
        raise DomainError(
            *(
                e if e.field in own else FieldError(f"traits.{e.field}", e.code, e.detail)
                for e in error.errors
            )
        ) from error


def _claim(actor: Actor, alias: str, row: Contact) -> bool:
    """Make the alias the contact's own; False when it was already. Raises Conflict for another's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts_identityalias (anonymous_id, contact_id, created_at)"
            " VALUES (%s, %s, clock_timestamp()) ON CONFLICT (anonymous_id) DO NOTHING",
            [alias, row.pk],
        )
        made = cursor.rowcount == 1
    if not made:
        if IdentityAlias.objects.filter(anonymous_id=alias, contact=row).exists():
            return False
        raise Conflict("alias_taken", _("This anonymous_id belongs to another customer already."))
    activity_append(
        actor=actor,
        activity=NewActivity(
            "contact.identified",
            contact_id=row.pk,
            company_id=row.company_id,
            payload={"anonymous_id": alias},
        ),
    )
    return True
