"""What rollup fields may add up of deals: of a contact, all in whose buying committee they are."""

from dataclasses import replace

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from contacts.custom.sources import Figure, Part, Source, register, sources
from sales.models import Deal

_FIGURES = {
    "amount": Figure(_("amount"), "money", "amount", currency="currency"),
    "expected_close": Figure(_("expected close"), "day", "expected_close"),
    "closed_at": Figure(_("closed"), "moment", "closed_at"),
    "created_at": Figure(_("created"), "moment", "created_at"),
}
_PARTS = {
    "open": Part(_("open deals"), Q(status=Deal.Status.OPEN)),
    "won": Part(_("won deals"), Q(status=Deal.Status.WON)),
    "lost": Part(_("lost deals"), Q(status=Deal.Status.LOST)),
}


def register_related() -> None:
    """Called when the app is ready."""
    for key in ("tasks", "interactions"):
        register(replace(sources[f"contact.{key}"], entity="deal", link="deal_id"))
    for entity, link in (("contact", "deal_contacts__contact_id"), ("company", "company_id")):
        register(
            Source(
                key="deals",
                entity=entity,
                label=_("deals"),
                scope="deals:read",
                rows=Deal.objects.all,
                link=link,
                figures=_FIGURES,
                parts=_PARTS,
                reads=("deals",),
            )
        )
