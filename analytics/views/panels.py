"""The figures of experience on other pages: Today, and a company's page."""

import datetime as dt
from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views import View

from analytics.selectors.counting import Scope, today
from analytics.selectors.figures import Figure, grouped, grouped_many, totals
from contacts.models import Company
from crmcem.lib.web.access import ScopedView

from .shown import Shown, period_text, sparkline

HOME_DAYS = 30
COMPANY_DAYS = 365


def _line(rows: list[Figure]) -> dict[str, Any]:
    values = [row.measure.value for row in rows]
    return {
        "points": sparkline(values),
        "steps": len([v for v in values if v is not None]),
    }


class HomePanel(ScopedView, View):
    """NPS of the last thirty days of all customers the person may see, with its course by week."""

    scope = "metrics:read"

    def get(self, request: HttpRequest) -> HttpResponse:
        last = today()
        scope = Scope(request.user, last - dt.timedelta(days=HOME_DAYS - 1), last)
        nps = totals(scope, ["nps"], compare=True)["nps"]
        if not nps.measure.n and not (nps.previous and nps.previous.measure.n):
            return HttpResponse("")
        course = Scope(request.user, last - dt.timedelta(days=12 * 7 - 1), last)
        context = {
            "nps": Shown(nps, scope),
            "line": _line(grouped(course, "nps", "week")),
            "period": period_text(scope.first, scope.last),
            "url": reverse("analytics:experience"),
        }
        return render(request, "analytics/panel_home.html", context)


class CompanyPanel(ScopedView, View):
    """What the people of a company said within a year, as far as the person may see them."""

    scope = "metrics:read"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not Company.objects.visible_to(request.user).filter(pk=pk).exists():
            raise Http404
        last = today()
        people = Q(company_id=pk)
        scope = Scope(request.user, last - dt.timedelta(days=COMPANY_DAYS - 1), last, people=people)
        found = totals(scope, ["nps", "csat", "ces"], compare=True)
        if not any(one.measure.n for one in found.values()):
            return HttpResponse("")
        months = grouped_many(scope, ["nps"], "month")["nps"]
        context = {
            "figures": [Shown(one, scope) for one in found.values() if one.measure.n],
            "line": _line(months),
            "period": period_text(scope.first, scope.last),
        }
        return render(request, "analytics/panel_company.html", context)
