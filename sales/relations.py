"""Deals in conditions: those of a contact and of a company, and whom a deal is with."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from contacts.conditions import company_fields, contact_fields
from contacts.relations import employer, people, work
from crmcem.lib.conditions import Relation
from sales.deal_conditions import deal_fields


def _deals(link: str, reads: tuple[str, ...] = ()) -> Relation:
    return Relation(
        name="deals",
        label=_("Deals"),
        registry=deal_fields,
        link=link,
        scope="deals:read",
        any=_("has a deal"),
        none=_("has no deal"),
        at_least=ngettext_lazy("has at least %(n)s deal", "has at least %(n)s deals", "n"),
        reads=reads,
    )


def register_relations() -> None:
    """Called when the app is ready."""
    contact_fields.relate(_deals("deal_contacts__contact_id", ("deals", "deal")))
    company_fields.relate(_deals("company_id"))
    deal_fields.relate(
        people("deal_contacts__deal_id"),
        employer(_("belongs to a company"), _("belongs to no company")),
        *work("deal_id"),
    )
