"""What an interaction or a task is about: a contact, a company, a deal."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from contacts.models import Company, Contact
from crmcem.lib import references
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError
from crmcem.lib.records import reference

NAMES = ("contact", "company", "deal")


def subjects(given: Mapping[str, Any], actor: Actor, row: Any = None) -> dict[str, Any]:
    """The columns for those of ``contact``, ``company`` and ``deal`` (rows or ids) that are given.

    What ``row`` already points to is left alone. Raises DomainError for what the actor may not see.
    """
    found: dict[str, Any] = {}
    for name, model in (("contact", Contact), ("company", Company)):
        value = given.get(name)
        if name in given and (row is None or getattr(value, "pk", value) != getattr(row, f"{name}_id")):
            found[name] = reference(model, value, actor, name)
    if "deal" in given and (row is None or given["deal"] != row.deal_id):
        found["deal_id"] = _deal(given["deal"], actor)
    return found


def _deal(pk: int | None, actor: Actor) -> int | None:
    if pk is not None and not references.is_visible("deal", pk, actor.user if actor.is_limited else None):
        raise DomainError.of("deal", "does_not_exist", _("There is no such deal, or it is not yours to see."))
    return pk
