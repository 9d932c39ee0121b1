"""Behind the numbers of the data quality: their course over days, and what a repair would write."""

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _
from django.views import View

from contacts.models import QualityDay
from contacts.quality import GROUPS, Check, checks
from contacts.selectors.quality_trend import PERIODS, course, courses, may_see
from contacts.services.quality import ENTITIES, LOOKED_AT, REPAIRS
from contacts.services.quality_values import changes
from crmcem.lib.spreadsheets import csv_lines
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.cells import grouped

SHOWN = 100


def _check(request: HttpRequest) -> Check:
    """The check that the URL names (the first one where it names none); 404 for one that there isn't."""
    name = request.GET.get("check") or checks.keys()[0]
    found = checks.get(name)
    if found is None:
        raise Http404
    return found


class QualityTrend(ScopedView, View):
    """One check over 30, 90 or 365 days: a chart with its table; as CSV, or all checks as CSV."""

    scope = "contacts:write"

    def get(self, request: HttpRequest) -> HttpResponse:
        check, days = _check(request), self.days(request)
        if request.GET.get("format") == "csv":
            named = "check" in request.GET
            return self.csv(course(request.user, check.name, days) if named else courses(request.user, days))
        rows = course(request.user, check.name, days)
        title = f"{ENTITIES[check.entity]}: {check.label}"
        context = {
            "title": title,
            "check": check,
            "days": days,
            "periods": PERIODS,
            "checks": [(each.name, f"{ENTITIES[each.entity]}: {each.label}") for each in checks],
            "rows": [
                {
                    "day": row.day,
                    "found": grouped(row.found),
                    "total": grouped(row.total),
                    "share": _share(row),
                }
                for row in reversed(rows)
            ],
            "may_see": may_see(request.user),
            "chart_json": json.dumps(_spec(rows)),
        }
        return render(request, "contacts/quality_trend.html", context)

    def days(self, request: HttpRequest) -> int:
        text = request.GET.get("days", "")
        return int(text) if text in map(str, PERIODS) else PERIODS[0]

    def csv(self, rows: list[QualityDay]) -> HttpResponse:
        head = [_("Check"), _("Day"), _("Records found"), _("Of all records")]
        lines = ([row.check_name, row.day.isoformat(), row.found, row.total] for row in rows)
        response = HttpResponse(csv_lines(head, iter(lines)), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="data-quality.csv"'
        return response


def _share(row: QualityDay) -> str:
    return f"{formats.number_format(100 * row.found / row.total, 1)} %" if row.total else "–"


def _spec(rows: list[QualityDay]) -> dict[str, Any]:
    """What ``static/js/charts.js`` draws."""
    return {
        "type": "line",
        "labels": [formats.date_format(row.day, "SHORT_DATE_FORMAT") for row in rows],
        "values": [row.found for row in rows],
        "n": [row.total for row in rows],
        "words": {"value": _("Records found"), "n": _("Of all records")},
    }


class RepairPreview(ScopedView, View):
    """What each value would become by the repair of a check. Writes nothing."""

    scope = "contacts:write"

    def get(self, request: HttpRequest) -> HttpResponse:
        check = _check(request)
        repair = REPAIRS.get(check.repair)
        if repair is None or not repair.shows:
            raise Http404
        found = changes(check, request.user, LOOKED_AT)
        faulty = check.rows(request.user).order_by("pk").values_list("pk", flat=True)
        whole = len(faulty[: LOOKED_AT + 1]) <= LOOKED_AT
        page = "contacts:company" if check.entity == "company" else "contacts:contact"
        context = {
            "title": f"{ENTITIES[check.entity]}: {check.label}",
            "group": GROUPS[check.group],
            "check": check,
            "repair": repair,
            "count": grouped(len(found)) if whole else f"{grouped(len(found))}+",
            "more": max(0, len(found) - SHOWN),
            "rows": [
                {
                    "name": str(each.record),
                    "url": reverse(page, args=[each.record.pk]),
                    "old": each.old,
                    "new": each.new,
                }
                for each in found[:SHOWN]
            ],
        }
        return render(request, "contacts/quality_preview.html", context)
