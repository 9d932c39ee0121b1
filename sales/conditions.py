"""What conditions may say about the deals of a contact: known to those who see every deal, and to automations.

Sums are of deals in the organisation's currency: amounts of several currencies are never added up.
"""

from typing import Any

from django.db.models import Count, DecimalField, IntegerField, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from contacts.conditions import contact_fields
from crmcem.lib.conditions import Field, FieldType
from crmcem.workspace.models import Organisation
from sales.models import Deal, DealContact


def _sees_all(user: Any) -> bool:
    return bool(user.may("deals:read")) and user.access.visibility == "all"


def _of_contact(status: str) -> QuerySet[DealContact, Any]:
    rows = DealContact.objects.filter(contact_id=OuterRef("pk"), deal__status=status)
    return rows.order_by().values("contact_id")


def _count(status: str) -> Coalesce:
    counted = _of_contact(status).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), Value(0))


def _sum(status: str) -> Coalesce:
    ours = Subquery(Organisation.objects.values("currency")[:1])
    summed = _of_contact(status).filter(deal__currency=ours).annotate(n=Sum("deal__amount")).values("n")
    money: DecimalField[Any, Any] = DecimalField(max_digits=20, decimal_places=2)
    return Coalesce(Subquery(summed, output_field=money), Value(0), output_field=money)


def _field(name: str, label: Any, expression: Coalesce) -> Field:
    return Field(
        name=f"deals.{name}",
        label=label,
        type=FieldType.NUMBER,
        expression=expression,
        permission=_sees_all,
        group=_("Deals"),
        reads=("deals",),
    )


def register_conditions() -> None:
    """Called when the app is ready."""
    contact_fields.register(
        _field("open", _("Open deals"), _count(Deal.Status.OPEN)),
        _field("open_amount", _("Amount of open deals"), _sum(Deal.Status.OPEN)),
        _field("won", _("Won deals"), _count(Deal.Status.WON)),
        _field("won_amount", _("Amount of won deals"), _sum(Deal.Status.WON)),
    )
