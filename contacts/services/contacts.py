"""Making, changing and deleting people."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from contacts.custom.links import check_links
from contacts.custom.rules import rules_for
from contacts.models import Company, Contact, ContactPoint, Pulse
from contacts.selectors.tags import as_known
from contacts.services.merge_forget import merges_forget
from contacts.services.owners import MISSING, copy_owner, owner_for_new, owner_named
from contacts.services.stream import NewActivity, activity_append
from contacts.services.unique import unique_values
from contacts.validation import clean_contact, has_identity, merged, nobody
from crmcem.lib import cleaning
from crmcem.lib.actors import Actor, acting, because
from crmcem.lib.errors import DomainError
from crmcem.lib.records import change, lock, reference
from crmcem.workspace.policies import require

ASSIGN = "contacts:assign"


def split(data: Mapping[str, Any], *names: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The record's own fields, and the references among ``names`` that are given."""
    own = {key: value for key, value in data.items() if key not in names}
    return own, {key: data[key] for key in names if key in data}


def contact_create(*, data: Mapping[str, Any], actor: Actor) -> Contact:
    """Make a contact with its contact points and Pulse row.

    ``data``: the fields of ``contacts.validation``, and ``company`` and ``owner`` by row or id. The owner is
    the acting person unless named. Raises DomainError for bad input.
    """
    require(actor, "contacts:write")
    own, references = split(data, "company", "owner", "lifecycle_reason")
    values, errors = clean_contact(own, rules_for("contact", actor))
    if errors:
        raise DomainError(*errors)
    with acting(actor):
        owner = owner_for_new(references.get("owner", MISSING), actor, ASSIGN)
        contact = Contact(**values, owner=owner, team=owner.team if owner else None)
        contact.custom, contact.consent = merged({}, contact.custom), merged({}, contact.consent)
        contact.company = reference(Company, references.get("company"), actor, "company")
        check_links("contact", contact.custom, actor)
        contact.tags = as_known(contact.tags)
        with unique_values(Contact, values, actor):
            contact.save(force_insert=True)
            keep_points(contact, {"email", "phone"}, new=True)
        Pulse.objects.create(
            contact=contact,
            owner_id=contact.owner_id,
            team_id=contact.team_id,
            lifecycle_stage=contact.lifecycle_stage,
        )
        activity_append(actor=actor, activity=_activity("contact.created", contact, {"name": str(contact)}))
    return contact


def contact_update(
    *, contact: Contact, data: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> Contact:
    """Change what ``data`` names (see ``contact_create``); ``custom`` and ``consent`` are merged by key.

    A null removes a key. ``lifecycle_reason`` goes into the history of the stage where it changes. Nothing is
    written where nothing differs. Raises StaleWrite, DomainError.
    """
    require(actor, "contacts:write")
    own, references = split(data, "company", "owner", "lifecycle_reason")
    values, errors = clean_contact(own, rules_for("contact", actor, contact), partial=True)
    if errors:
        raise DomainError(*errors)
    with acting(actor):
        contact = lock(Contact, contact.pk, actor, expected_version)
        _complete(contact, values, references, actor)
        reason = reason_of(references.get("lifecycle_reason"))
        with unique_values(Contact, values, actor), because(reason) if reason else nullcontext():
            changed = change(contact, values)
            keep_points(contact, changed.keys() & {"email", "phone"})
        if not changed:
            return contact
        if changed.keys() & {"owner", "team", "lifecycle_stage"}:
            copy_owner(contact)
        activity_append(actor=actor, activity=_activity("contact.updated", contact, {"changes": changed}))
    return contact


def _complete(contact: Contact, values: dict[str, Any], references: Mapping[str, Any], actor: Actor) -> None:
    """Add to the clean ``values`` of an update what needs the stored row or the database."""
    if not has_identity(lambda name: values.get(name, getattr(contact, name))):
        raise DomainError(nobody())
    check_links("contact", values.get("custom", {}), actor, contact.custom)
    if "tags" in values:
        values["tags"] = as_known(values["tags"])
    for name in ("custom", "consent"):
        if name in values:
            values[name] = merged(getattr(contact, name), values[name])
    if "company" in references and _pk(references["company"]) != contact.company_id:
        values["company"] = reference(Company, references["company"], actor, "company")
    if "owner" in references and _pk(references["owner"]) != contact.owner_id:
        owner = owner_named(references["owner"], actor, ASSIGN)
        values |= {"owner": owner, "team": owner.team if owner else None}


def reason_of(value: Any) -> str:
    """Why somebody changed a lifecycle stage. Raises DomainError."""
    try:
        return str(cleaning.text(300)(value))
    except ValueError as error:
        raise DomainError.of("lifecycle_reason", getattr(error, "code", "invalid"), error) from error


def _pk(value: Any) -> Any:
    return getattr(value, "pk", value)


def contact_delete(*, contact: Contact, actor: Actor, expected_version: int | None = None) -> None:
    """Delete a contact with everything that hangs on it; its activities stay in the stream."""
    require(actor, "contacts:delete")
    with acting(actor):
        contact = lock(Contact, contact.pk, actor, expected_version)
        activity_append(
            actor=actor, activity=_activity("contact.deleted", contact, {"external_id": contact.external_id})
        )
        merges_forget(entity="contact", ids=[contact.pk])
        contact.delete()


def keep_points(contact: Contact, names: set[str], *, new: bool = False) -> None:
    """Make the primary contact points of these kinds (``email``, ``phone``) those of the contact.

    A replaced primary point goes; another point of the contact with the new value is promoted.
    """
    for kind in sorted(names):
        value = getattr(contact, kind)
        if not new:
            ContactPoint.objects.filter(contact=contact, kind=kind, is_primary=True).exclude(
                value=value or ""
            ).delete()
            if value and ContactPoint.objects.filter(contact=contact, kind=kind, value=value).update(
                is_primary=True
            ):
                continue
        if value:
            ContactPoint.objects.create(contact=contact, kind=kind, value=value, is_primary=True)


def _activity(kind: str, contact: Contact, payload: Mapping[str, Any]) -> NewActivity:
    return NewActivity(kind, contact_id=contact.pk, company_id=contact.company_id, payload=payload)
