"""Ways from one kind of records to another, by which conditions ask about related records.

The app that knows both sides relates them, in ``ready`` where it lies above::

    contact_fields.relate(Relation(
        name="deals", label=_("Deals"), registry=deal_fields, link="deal_contacts__contact_id", scope="deals:read",
        any=_("has a deal"), none=_("has no deal"), at_least=ngettext_lazy("… %(n)s deal", "… %(n)s deals", "n")))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from crmcem.lib.conditions.registry import FieldRegistry, Text


@dataclass(frozen=True, eq=False, kw_only=True)
class Relation:
    """Records of ``registry`` whose path ``link`` equals the path ``outer`` of the record they belong to.

    ``only`` leaves out what is no such record (an answer that is not sent yet). ``single``: there is at most one.
    ``scope`` is what a person needs to read them; of those, each asks about what ``visible_to`` gives. ``any``,
    ``none`` and ``at_least`` (with ``n``) say it in words. ``reads`` names what moves the answer in a live segment
    (see ``Field.reads``); empty: nothing tells, so no live segment can ask. ``spec`` is what the builder needs.
    """

    name: str
    label: Text
    registry: FieldRegistry
    link: str
    any: Text
    none: Text
    at_least: Any = ""
    outer: str = "pk"
    scope: str = ""
    only: Q | None = None
    single: bool = False
    reads: tuple[str, ...] = ()

    def seen_by(self, user: Any) -> QuerySet[Any]:
        """The related records that the person may see; all of them for the system."""
        model: Any = self.registry.model
        rows: QuerySet[Any] = model.objects.all() if user is None else model.objects.visible_to(user)
        return (rows if self.only is None else rows.filter(self.only)).order_by()

    def known_to(self, user: Any) -> bool:
        """May this person read such records at all?"""
        return user is None or not self.scope or bool(user.may(self.scope))

    def known_fully(self, user: Any) -> bool:
        """Does this person see every such record, so that their answer is everybody's?"""
        return user is None or (self.known_to(user) and user.access.visibility == "all")

    def usable_by(self, user: Any, shared: bool) -> bool:
        """May this person ask by it, in an answer that is theirs alone or everybody's (``shared``)?"""
        return self.known_fully(user) if shared else self.known_to(user)

    def words(self, has: str, least: int) -> str:
        """ "has a deal"."""
        if has == "at_least":
            return str(self.at_least % {"n": least})
        return str(self.none if has == "none" else self.any)
