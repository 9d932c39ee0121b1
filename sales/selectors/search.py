"""Finding deals by words, in lists and in the palette."""

from typing import Any

from django.db.models import F, Q, QuerySet

from crmcem.lib.fuzzy import similar
from crmcem.lib.search import Hit
from crmcem.lib.visibility import mark_hidden
from sales.models import Deal
from sales.selectors.deals import deal_url

#: how many matches are looked at for the best ones
LOOKED_AT = 200


def matching(deals: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Every word somewhere in name or external id; under three characters only their beginning."""
    text = " ".join(text.split())[:100]
    if len(text) < 3:
        return deals.filter(Q(name__istartswith=text) | Q(external_id__startswith=text))
    for word in text.split()[:8]:
        folded = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        deals = deals.extra(
            where=["sales_deal.search_text LIKE '%%' || crmcem_fold(%s) || '%%'"], params=[folded]
        )
    return deals


def find_deals(text: str, user: Any, limit: int) -> list[Hit]:
    """Deals whose name or external id holds the words (or similar ones); open ones first, the latest first."""
    ids = list(
        matching(Deal.objects.visible_to(user), text).order_by().values_list("pk", flat=True)[:LOOKED_AT]
    )
    if not ids and len(text) >= 3:
        ids = similar(Deal.objects.visible_to(user), F("search_text"), text)
    rows = list(Deal.objects.filter(pk__in=ids).select_related("stage", "company"))
    mark_hidden(rows, user, "company")
    best = sorted(rows, key=lambda deal: (deal.status != Deal.Status.OPEN, -deal.pk))[:limit]
    return [Hit(deal.name, _detail(deal), deal_url(deal.pk)) for deal in best]


def _detail(deal: Deal) -> str:
    amount = "" if deal.amount is None else f"{deal.amount.normalize():,f} {deal.currency}"
    where = deal.stage.name if deal.status == Deal.Status.OPEN else deal.get_status_display()
    return " · ".join(part for part in (str(deal.company or ""), amount, where) if part)
