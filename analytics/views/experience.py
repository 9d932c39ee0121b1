"""The experience dashboard: a frame whose parts come by htmx, each fast by itself."""

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views import View

from analytics.filters import WHO
from analytics.selectors.counting import RATE, answers
from analytics.selectors.figures import totals
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import render_page
from feedback.policies import DETRACTOR

from .charts import CHARTS, distribution, gauge, trend
from .shown import Shown, number_text, parts
from .state import State, address

COMMENTS = 8
#: parts of the page → the template that draws it
WALL = ("headline", "trend", "comments")
PARTS = ("headline", "trend", "distribution", "comments", "touchpoint", "owner")


class ExperiencePage(ScopedView, View):
    scope = "metrics:read"
    template, fragment = "analytics/experience.html", "analytics/experience_body.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        state = State(request)
        context = {
            "state": state,
            "parts": self.parts(state),
            "survey_url": address("feedback:surveys") if state.user.may("surveys:read") else "",
            "wallboard_url": reverse("analytics:wallboard") + state.url(),
            "page_url": reverse("analytics:experience") + state.url(),
            **self.choices(state),
        }
        response = render_page(request, self.template, context, self.fragment)
        if response.status_code == 200 and request.headers.get("HX-Request"):
            response["HX-Push-Url"] = request.path + (state.url() if state.url() != "?" else "")
        return response

    def choices(self, state: State) -> dict[str, Any]:
        """What the filters need to show."""
        chosen = {
            f"{name}_chosen": state.chosen(name) for name in ("survey", "touchpoint", "segment", "owner")
        }
        if chosen["owner_chosen"] == "me":
            chosen["owner_chosen"] = str(state.user.pk)
        cleared: dict[str, str | None] = dict.fromkeys(WHO)
        filtered = any(state.chosen(name) for name in WHO)
        segments = state.segments()
        return {
            **chosen,
            "owners": state.owners(),
            "segments": segments,
            "filtered": filtered,
            "clear_url": state.url(**cleared),
        }

    def parts(self, state: State) -> dict[str, str]:
        """``{part: address}`` of those that the person may see."""
        shown = [p for p in PARTS if p != "comments" or state.user.may("responses:read")]
        return {part: reverse("analytics:part", args=[part]) + state.url() for part in shown}


class Wallboard(ExperiencePage):
    """The same figures in large for a screen on a wall; it names no customer."""

    template = fragment = "analytics/wallboard.html"

    def choices(self, state: State) -> dict[str, Any]:
        return {}

    def parts(self, state: State) -> dict[str, str]:
        state.query.params["wall"] = "1"
        return {part: url for part, url in super().parts(state).items() if part in WALL}


class ExperiencePart(ScopedView, View):
    scope = "metrics:read"

    def get(self, request: HttpRequest, part: str) -> HttpResponse:
        if part not in PARTS:
            raise Http404
        wall = request.GET.get("wall") == "1"
        params = request.GET.copy()
        params.pop("wall", None)
        request.GET = params  # type: ignore[assignment]
        state = State(request)
        context: dict[str, Any] = {"state": state, "part": part, "wall": wall, "now": timezone.now()}
        context |= getattr(self, part)(state)
        if "chart" in context:
            context["chart_json"] = json.dumps(context["chart"].spec)
            context["widen_url"] = state.url(period="365d", **{"from": None, "to": None})
        response = render(request, f"analytics/parts/{part}.html", context)
        patch_cache_control(response, private=True, no_store=True)
        return response

    def headline(self, state: State) -> dict[str, Any]:
        found = totals(state.scope, ["nps", "csat", "ces", "mood", RATE], compare=True)
        shown = {name: Shown(one, state.scope) for name, one in found.items()}
        nps, mood = found["nps"].counts, found["mood"].counts
        groups = [
            ("good", _("Promoters"), "mood-happy", nps.top),
            ("middle", _("Passives"), "mood-neutral", nps.middle),
            ("bad", _("Detractors"), "mood-sad", nps.bottom),
        ]
        moods = [
            ("good", _("Positive"), "mood-smile", mood.top),
            ("middle", _("Neutral"), "mood-neutral", mood.middle),
            ("bad", _("Negative"), "mood-sad", mood.bottom),
        ]
        mean = found["ces"].mean
        return {
            "nps": shown["nps"],
            "tiles": [shown["csat"], shown["ces"], shown[RATE]],
            "mood": shown["mood"],
            "moods": parts(moods),
            "groups": parts(groups),
            "ces_mean": None if mean is None else number_text(mean, 1),
            "begun": found[RATE].counts.middle,
            "partial": number_text(found[RATE].counts.middle),
            "gauge_json": json.dumps(gauge(found["nps"])),
        }

    def trend(self, state: State) -> dict[str, Any]:
        return {"chart": trend(state)}

    def distribution(self, state: State) -> dict[str, Any]:
        return {"chart": distribution(state)}

    def touchpoint(self, state: State) -> dict[str, Any]:
        return self._groups(state, "touchpoint")

    def owner(self, state: State) -> dict[str, Any]:
        return self._groups(state, "owner")

    def _groups(self, state: State, group: str) -> dict[str, Any]:
        chart = CHARTS[group](state)
        base = reverse("analytics:experience")
        rows = [
            {
                "shown": Shown(found, state.scope),
                "url": base + state.url(**{group: found.group or "none"}),
                "active": state.chosen(group) == (found.group or "none"),
            }
            for found in chart.words["figures"]
        ]
        return {
            "chart": chart,
            "rows": rows[:25],
            "more": max(0, len(rows) - 25),
            "all_url": base + state.url(**{group: None}),
        }

    def comments(self, state: State) -> dict[str, Any]:
        if not state.user.may("responses:read"):
            raise Http404
        rows = answers(state.scope).exclude(comment="").select_related("contact", "survey")
        rows = rows.only(
            "pk", "nps", "csat", "ces", "comment", "touchpoint", "sentiment_label", "submitted_at",
            "contact__first_name", "contact__last_name", "contact__email", "contact__external_id", "survey__name",
        ).order_by("-submitted_at", "-id")  # fmt: skip
        if state.order == "detractors":
            found = list(rows.filter(nps__lte=DETRACTOR)[:COMMENTS])
            if len(found) < COMMENTS:
                found += rows.exclude(nps__lte=DETRACTOR, nps__isnull=False)[: COMMENTS - len(found)]
        else:
            found = list(rows[:COMMENTS])
        by_name = state.user.may("contacts:read")
        shown = [
            {
                "row": row,
                "contact_url": address("contacts:contact", row.contact_id)
                if by_name and row.contact_id
                else "",
                "url": address("feedback:response", row.pk),
            }
            for row in found
        ]
        return {"comments": shown}


class ExperienceData(ScopedView, View):
    """The table behind a chart as a CSV file."""

    scope = "metrics:read"

    def get(self, request: HttpRequest, chart: str) -> HttpResponse:
        if chart not in CHARTS:
            raise Http404
        state = State(request)
        made = CHARTS[chart](state)
        response = HttpResponse(made.csv(), content_type="text/csv; charset=utf-8")
        name = f"{state.metric}-{chart}-{state.scope.first}-{state.scope.last}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
