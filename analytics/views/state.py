"""The state of the dashboard: its URL, and nothing else."""

from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analytics.filters import DEFAULT_PERIOD, PERIODS, WHO, Asked, FigureParameters
from analytics.models import MetricDay
from analytics.selectors.counting import TIME_GROUPS, Scope
from contacts.selectors.segments import named
from crmcem.lib.errors import DomainError
from crmcem.lib.web.querystring import ListQuery
from crmcem.workspace.models import User
from feedback.models import Response, Survey

from .shown import NAMES, period_text

#: metrics whose course, spread and groups the page can show
METRICS = ("nps", "csat", "ces")
ORDERS = {"newest": gettext_lazy("Newest"), "detractors": gettext_lazy("Detractors first")}
OWN = ("metric", "by", "order")
PERIOD_NAMES = {
    "7d": gettext_lazy("7 days"),
    "30d": gettext_lazy("30 days"),
    "90d": gettext_lazy("90 days"),
    "365d": gettext_lazy("12 months"),
}
MAX_OPTIONS = 200


class State:
    """What the query string asks for. Raises DomainError for a wrong parameter, as the API does."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.user: Any = request.user
        self.query = ListQuery(request.GET)
        if "from" in self.query.params:
            self.query.params.pop("period", None)
        params = self.query.params.copy()
        self.metric = self._choice(params, "metric", METRICS)
        self.by = self._choice(params, "by", TIME_GROUPS)
        self.order = self._choice(params, "order", tuple(ORDERS)) or "newest"
        names = (*WHO, "from", "to", "period")
        self.asked: Asked = FigureParameters(params, self.user, names=names).asked()
        self.scope: Scope = self.asked.scope
        if not self.metric:
            self.metric = self._usual_metric()
        if not self.by:
            self.by = "day" if self.scope.days <= 45 else "week" if self.scope.days <= 200 else "month"

    def _choice(self, params: Any, name: str, allowed: tuple[str, ...]) -> str:
        value = params.get(name, "")
        params.pop(name, None)
        if value and value not in allowed:
            raise DomainError.of(
                name, "invalid_choice", _("Choose one of: %(known)s.") % {"known": ", ".join(allowed)}
            )
        return str(value)

    def _usual_metric(self) -> str:
        """What the one chosen survey asks for; NPS otherwise."""
        if len(self.scope.surveys) == 1:
            kind = Survey.objects.values_list("kind", flat=True).get(pk=self.scope.surveys[0])
            return kind if kind in METRICS else "nps"
        return "nps"

    @property
    def period(self) -> str:
        """The chosen preset; empty for days of one's own."""
        params = self.query.params
        if params.get("from") or params.get("to"):
            return ""
        return str(params.get("period") or DEFAULT_PERIOD)

    @property
    def period_text(self) -> str:
        return period_text(self.scope.first, self.scope.last)

    def url(self, **changes: str | None) -> str:
        return self.query.url(**changes)

    @cached_property
    def has_answers(self) -> bool:
        """Whether there ever was an answer that the person may see."""
        return bool(Response.objects.visible_to(self.user).filter(status="complete").exists())

    # --- what can be chosen ----------------------------------------------------------------------------
    def periods(self) -> list[dict[str, Any]]:
        return [
            {
                "key": key,
                "label": PERIOD_NAMES[key],
                "url": self.query.url(period=key, **{"from": None, "to": None}),
                "active": self.period == key,
            }
            for key in PERIODS
        ]

    def metrics(self) -> list[dict[str, Any]]:
        return [
            {"key": m, "label": NAMES[m], "url": self.url(metric=m), "active": m == self.metric}
            for m in METRICS
        ]

    def steps(self) -> list[dict[str, Any]]:
        words = {"day": _("Days"), "week": _("Weeks"), "month": _("Months")}
        return [
            {"key": g, "label": words[g], "url": self.url(by=g), "active": g == self.by}
            for g in TIME_GROUPS
            if g != "day" or self.scope.days <= 400
        ]

    def orders(self) -> list[dict[str, Any]]:
        return [
            {"key": o, "label": ORDERS[o], "url": self.url(order=o), "active": o == self.order}
            for o in ORDERS
        ]

    def surveys(self) -> list[tuple[str, str]]:
        rows = Survey.objects.exclude(status="draft").values_list("pk", "name")[:MAX_OPTIONS]
        return [(str(pk), name) for pk, name in rows]

    def touchpoints(self) -> list[str]:
        """Those that occur in answers the person may see."""
        if self.user.access.visibility == "all":
            rows = MetricDay.objects.filter(metric__in=METRICS, dimension="touchpoint").exclude(value="")
            return sorted(rows.values_list("value", flat=True).distinct()[:MAX_OPTIONS])
        seen = Response.objects.visible_to(self.user).filter(status="complete").exclude(touchpoint="")
        return sorted(seen.values_list("touchpoint", flat=True).order_by().distinct()[:MAX_OPTIONS])

    def owners(self) -> list[tuple[str, str]]:
        """Whose figures can be asked for; nobody to choose where a person sees only their own."""
        access = self.user.access
        people = User.objects.filter(is_active=True)
        if access.visibility == "team":
            people = people.filter(team__in=access.team_ids)
        elif access.visibility != "all":
            return []
        return [(str(u.pk), str(u)) for u in people[:MAX_OPTIONS]]

    def segments(self) -> list[tuple[str, str]]:
        """Those that the person may see: figures of their members, as far as they may see those."""
        return named(self.user, MAX_OPTIONS)

    def chosen(self, name: str) -> str:
        return str(self.query.params.get(name, ""))


def address(url_name: str, *args: Any) -> str:
    """Where a page of another app lies; empty where there is none."""
    try:
        return reverse(url_name, args=args)
    except NoReverseMatch:
        return ""
