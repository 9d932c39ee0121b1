"""The data quality: what is missing, stale, bouncing or there twice, and repairs by one click."""

from typing import Any

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import View

from contacts.quality import GROUPS
from contacts.selectors.quality import CAP, Count, Found, Report, quality_report
from contacts.selectors.quality_trend import may_see, moves
from contacts.services.quality import ENTITIES, PREFIX, REPAIRS, forecast, quality_repair
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.cells import grouped
from crmcem.lib.web.htmx import go
from crmcem.workspace.models import BulkEdit
from crmcem.workspace.models.edits import KEPT
from crmcem.workspace.services.edits import OPEN
from crmcem.workspace.views.edits import edit_context

_LISTS = {"contact": "contacts:list", "company": "contacts:companies"}


def count_text(count: Count) -> str:
    if count.n is None:
        return _("too many to count at once")
    return grouped(count.shown) if count.exact else f"{grouped(CAP)}+"


class QualityPage(ScopedView, View):
    """GET: the numbers, and how far the last repair is. POST: ``check`` is repaired by its rule."""

    scope = "contacts:write"

    def get(self, request: HttpRequest) -> HttpResponse:
        user: Any = request.user
        report = quality_report(user)
        self.moves = moves(user)
        last = last_repair(user)
        context = {
            "may_see_trend": may_see(user),
            **(edit_context(last, user) if last else {}),
            "score": report.score,
            "days": settings.QUALITY_STALE_DAYS,
            "entities": [
                {
                    "label": ENTITIES[entity],
                    "total": count_text(total),
                    "rows": [self.row(each, report) for each in report.found if each.check.entity == entity],
                }
                for entity, total in report.totals.items()
            ],
        }
        return render(request, "contacts/quality.html", context)

    def row(self, each: Found, report: Report) -> dict[str, Any]:
        check, total = each.check, report.totals[each.check.entity]
        percent = None
        if each.count.exact and total.exact and total.shown:
            percent = round(100 * each.count.shown / total.shown, 1)
        return {
            "name": check.name,
            "label": check.label,
            "group": GROUPS[check.group],
            "count": count_text(each.count),
            "any": each.count.n != 0,
            "percent": percent,
            "url": f"{reverse(_LISTS[check.entity])}?quality={check.key}",
            "repair": self.repair(each),
            "move": self.move(check.name),
        }

    def move(self, name: str) -> dict[str, Any] | None:
        """How the number has moved in 30 days; None where it is not known, or not this person's to know."""
        found = self.moves.get(name)
        if found is None:
            return None
        by, since = found
        tone, icon = (
            ("grey", "minus") if not by else ("green", "arrow-down") if by < 0 else ("orange", "arrow-up")
        )
        return {"by": grouped(abs(by)), "tone": tone, "icon": icon, "since": since,
                "word": _("fewer") if by < 0 else _("more") if by else _("as many")}  # fmt: skip

    def repair(self, each: Found) -> dict[str, Any] | None:
        """What one click would do, in numbers; None where it would do nothing or is not this person's to do."""
        user: Any = self.request.user
        repair = REPAIRS.get(each.check.repair)
        if repair is None or each.count.n == 0 or not user.may(repair.scope):
            return None
        found = forecast(each.check, user)
        what = ngettext("%(n)s record will change.", "%(n)s records will change.", found.n)
        n = grouped(found.n) if found.exact else f"{grouped(found.n)}+"
        back = _("You can undo it for half an hour.")
        return {"label": repair.label, "icon": repair.icon, "n": n, "any": found.n or not found.exact,
                "confirm": f"{what % {'n': n}} {repair.explain} {back}", "shows": repair.shows}  # fmt: skip

    def post(self, request: HttpRequest) -> HttpResponse:
        quality_repair(check=request.POST.get("check", ""), actor=self.actor)
        return go(request, f"{reverse('contacts:quality')}#last-repair")


def last_repair(user: Any) -> BulkEdit | None:
    """The person's newest repair while it goes on or can be undone, and half an hour after it was."""
    recent = timezone.now() - KEPT
    going_on = Q(status__in=OPEN) | Q(finished_at__gt=recent)
    edits = BulkEdit.objects.visible_to(user).filter(going_on, model__startswith=PREFIX)
    return edits.order_by("-pk").first()
