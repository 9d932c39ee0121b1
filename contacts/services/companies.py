"""Making, changing and deleting companies."""

from collections.abc import Mapping
from typing import Any

from contacts.custom.links import check_links
from contacts.custom.rules import rules_for
from contacts.models import Company
from contacts.services.company_tree import check_parent, tree_lock
from contacts.services.contacts import ASSIGN, split
from contacts.services.merge_forget import merges_forget
from contacts.services.owners import MISSING, owner_for_new, owner_named
from contacts.services.stream import NewActivity, activity_append
from contacts.services.unique import unique_values
from contacts.validation import clean_company, merged
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError
from crmcem.lib.records import change, lock, reference
from crmcem.workspace.policies import require


def company_create(*, data: Mapping[str, Any], actor: Actor) -> Company:
    """Make a company. ``data``: the fields of ``contacts.validation``, and ``owner`` and ``parent`` by row or id."""
    require(actor, "contacts:write")
    own, references = split(data, "owner", "parent")
    values, errors = clean_company(own, rules_for("company", actor))
    if errors:
        raise DomainError(*errors)
    with acting(actor):
        if references.get("parent") is not None:
            tree_lock()
        owner = owner_for_new(references.get("owner", MISSING), actor, ASSIGN)
        company = Company(**values, owner=owner, team=owner.team if owner else None)
        check_links("company", company.custom, actor)
        company.custom = merged({}, company.custom)
        company.parent = reference(Company, references.get("parent"), actor, "parent")
        check_parent(None, company.parent)
        with unique_values(Company, values, actor):
            company.save(force_insert=True)
        activity_append(
            actor=actor,
            activity=NewActivity("company.created", company_id=company.pk, payload={"name": company.name}),
        )
    return company


def company_update(
    *, company: Company, data: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> Company:
    """Change what ``data`` names; ``custom`` is merged by key. Raises StaleWrite, DomainError."""
    require(actor, "contacts:write")
    own, references = split(data, "owner", "parent")
    values, errors = clean_company(own, rules_for("company", actor, company), partial=True)
    if errors:
        raise DomainError(*errors)
    with acting(actor):
        if references.get("parent") is not None:
            tree_lock()
        company = lock(Company, company.pk, actor, expected_version)
        check_links("company", values.get("custom", {}), actor, company.custom)
        if "custom" in values:
            values["custom"] = merged(company.custom, values["custom"])
        if (
            "owner" in references
            and getattr(references["owner"], "pk", references["owner"]) != company.owner_id
        ):
            owner = owner_named(references["owner"], actor, ASSIGN)
            values |= {"owner": owner, "team": owner.team if owner else None}
        parent = references.get("parent", company.parent_id)
        if getattr(parent, "pk", parent) != company.parent_id:
            values["parent"] = reference(Company, parent, actor, "parent")
            check_parent(company.pk, values["parent"])
        with unique_values(Company, values, actor):
            changed = change(company, values)
        if changed:
            activity_append(
                actor=actor,
                activity=NewActivity("company.updated", company_id=company.pk, payload={"changes": changed}),
            )
    return company


def company_delete(*, company: Company, actor: Actor, expected_version: int | None = None) -> None:
    """Delete a company; its people stay, without one."""
    require(actor, "contacts:delete")
    with acting(actor):
        company = lock(Company, company.pk, actor, expected_version)
        activity_append(
            actor=actor,
            activity=NewActivity(
                "company.deleted", company_id=company.pk, payload={"external_id": company.external_id}
            ),
        )
        merges_forget(entity="company", ids=[company.pk])
        company.delete()
