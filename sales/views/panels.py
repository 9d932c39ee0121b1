"""Deals on the pages of others: of a contact, of a company, and on Today."""

from typing import Any

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views import View

from contacts.models import Company, Contact, Task
from crmcem.lib.visibility import mark_hidden
from crmcem.lib.web.access import ScopedView
from crmcem.workspace.models import User
from crmcem.workspace.policies import user_of
from sales.models import Deal
from sales.selectors.deals import with_next_activity
from sales.views.cards import deal_url, is_rotting, next_mark, span
from sales.views.deals import status_badge

SHOWN = 6
_OPEN_FIRST = Case(When(status=Deal.Status.OPEN, then=0), default=1)


def _row(deal: Any) -> dict[str, Any]:
    now = timezone.now()
    return {
        "deal": deal,
        "url": deal_url(deal.pk),
        "status": status_badge(deal),
        "open": deal.status == Deal.Status.OPEN,
        "next": next_mark(deal.next_activity_at, now),
        "rotting": is_rotting(deal, now),
        "age": span(deal.stage_entered_at, now),
    }


def _listed(deals: QuerySet[Deal], user: User) -> list[dict[str, Any]]:
    found = list(with_next_activity(deals).select_related("stage", "company")[: SHOWN + 1])
    mark_hidden(found, user, "company")
    return [_row(deal) for deal in found]


class _RecordPanel(ScopedView, View):
    """The deals of one contact or company that the person may see: open ones first, the latest first."""

    scope = "deals:read"
    model: Any
    name: str

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = user_of(request)
        if not user.may("contacts:read") or not self.model.objects.visible_to(user).filter(pk=pk).exists():
            raise Http404
        deals: Any = Deal.objects.visible_to(user)
        rows = _listed(self.of(deals, pk).order_by(_OPEN_FIRST, "-id"), user)
        may_write = user.may("deals:write")
        context = {
            "rows": rows[:SHOWN],
            "all_url": f"{reverse('sales:deals')}?{self.name}={pk}" if len(rows) > SHOWN else "",
            "new_url": f"{reverse('sales:deal-new')}?{self.name}={pk}" if may_write else "",
        }
        return render(request, "sales/panel_deals.html", context)

    def of(self, deals: Any, pk: int) -> QuerySet[Deal]:
        raise NotImplementedError


class ContactPanel(_RecordPanel):
    model, name = Contact, "contact"

    def of(self, deals: Any, pk: int) -> QuerySet[Deal]:
        rows: QuerySet[Deal] = deals.filter(deal_contacts__contact_id=pk)
        return rows


class CompanyPanel(_RecordPanel):
    model, name = Company, "company"

    def of(self, deals: Any, pk: int) -> QuerySet[Deal]:
        rows: QuerySet[Deal] = deals.filter(company_id=pk)
        return rows


class TodayPanel(ScopedView, View):
    """My open deals that rot, or for which nothing is planned; the most valuable first."""

    scope = "deals:read"

    def get(self, request: HttpRequest) -> HttpResponse:
        user = user_of(request)
        planned = Task.objects.filter(deal_id=OuterRef("pk"), status=Task.Status.OPEN, due_at__isnull=False)
        mine = Deal.objects.filter(owner=user, status=Deal.Status.OPEN)
        due = mine.filter(Q(rots_at__lt=timezone.now()) | ~Exists(planned))
        rows = _listed(due.order_by("-amount", "-id"), user)
        if not rows:
            return HttpResponse("")
        context = {
            "rows": rows[:SHOWN],
            "all_url": f"{reverse('sales:board')}?owner={user.pk}" if len(rows) > SHOWN else "",
        }
        return render(request, "sales/panel_today.html", context)
