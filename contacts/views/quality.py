"""The data quality: what is missing, stale, bouncing or there twice, and repairs by one click."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import View

from contacts.quality import GROUPS
from contacts.selectors.quality import CAP, Count, Found, Report, quality_report
from contacts.selectors.quality_trend import may_see, moves
from contacts.services.quality import REPAIRS, quality_repair, repairable
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.cells import grouped
from crmcem.lib.web.htmx import go

_LISTS = {"contact": "contacts:list", "company": "contacts:companies"}


def count_text(count: Count) -> str:
    if count.n is None:
        return _("too many to count at once")
    return grouped(count.shown) if count.exact else f"{grouped(CAP)}+"


def labels() -> dict[str, str]:
    return {"contact": _("Contacts"), "company": _("Companies")}


class QualityPage(ScopedView, View):
    """GET: the numbers. POST: ``check`` is repaired by its rule."""

    scope = "contacts:write"

    def get(self, request: HttpRequest) -> HttpResponse:
        user: Any = request.user
        report = quality_report(user)
        self.moves = moves(user)
        context = {
            "may_see_trend": may_see(user),
            "score": report.score,
            "days": settings.QUALITY_STALE_DAYS,
            "entities": [
                {
                    "label": labels()[entity],
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
        n = repairable(each.check, repair, user)
        what = ngettext("%(n)s record will change.", "%(n)s records will change.", n) % {"n": grouped(n)}
        return {"label": repair.label, "icon": repair.icon, "n": n, "confirm": f"{what} {repair.explain}",
                "shows": repair.shows}  # fmt: skip

    def post(self, request: HttpRequest) -> HttpResponse:
        done = quality_repair(check=request.POST.get("check", ""), actor=self.actor)
        text = ngettext("%(n)s record repaired.", "%(n)s records repaired.", done.changed)
        words = [text % {"n": grouped(done.changed)}]
        if done.failed:
            kept = ngettext(
                "%(n)s stays as it is: %(why)s", "%(n)s stay as they are: %(why)s", len(done.failed)
            )
            words.append(kept % {"n": grouped(len(done.failed)), "why": done.failed[0][1]})
        if done.more:
            words.append(_("There are more: repair once more."))
        messages.success(request, " ".join(words))
        return go(request, reverse("contacts:quality"))
