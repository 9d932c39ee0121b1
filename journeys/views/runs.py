"""One run with every step, the dry run, and the panel of a customer."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from contacts.models import Contact
from contacts.selectors.search import PEOPLE, best
from crmcem.lib.api.fields import parse_id
from crmcem.lib.errors import Conflict
from crmcem.lib.web import cells
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import go, render_page
from journeys.engine.dry_run import DryRun
from journeys.explain import kind_words, step_icon, step_title
from journeys.models import Automation, Run, RunStep
from journeys.policies import READ, WRITE
from journeys.selectors.runs import run_detailed, runs_of_contact
from journeys.services.runs import automation_dry_run, run_cancel, run_retry
from journeys.views.lists import STEP_TONES, run_badge
from journeys.views.pages import read

OUTCOMES = {
    "do": ("green", "check"),
    "wait": ("blue", "hourglass"),
    "choose": ("purple", "arrows-split-2"),
    "fail": ("red", "alert-triangle"),
    "end": ("grey", "player-stop"),
}


class RunPage(ScopedView, View):
    scope = READ

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = visible_run(request, pk)
        definition, problem = read(run.automation_version)
        titles = {step.key: step_title(step) for step in definition.walk()} if definition else {}
        icons = {step.key: step_icon(step) for step in definition.walk()} if definition else {}
        event = run.context.get("event") or {}
        may_write = request.user.may(WRITE)  # type: ignore[union-attr]
        context = {
            "run": run,
            "badge": run_badge(run),
            "steps": [self.step(step, titles, icons) for step in run.steps.all()],
            "now_at": titles.get(run.step_key, run.step_key),
            "problem": problem,
            "event": kind_words(event["kind"]) if event.get("kind") else "",
            "event_at": event.get("occurred_at", ""),
            "properties": list((event.get("properties") or {}).items())[:12],
            "may_cancel": may_write and run.status == Run.Status.ACTIVE,
            "may_retry": may_write and run.status == Run.Status.FAILED and bool(run.step_key),
            "may_contact": request.user.may("contacts:read"),  # type: ignore[union-attr]
        }
        return render_page(request, "journeys/run.html", context)

    def step(self, step: RunStep, titles: dict[str, str], icons: dict[str, str]) -> dict[str, Any]:
        tone, icon = STEP_TONES[step.status]
        return {
            "row": step,
            "icon": icons.get(step.step_key, "bolt"),
            "title": titles.get(step.step_key, step.step_key),
            "badge": cells.badge(step.get_status_display(), tone, icon),
        }


def visible_run(request: HttpRequest, pk: int) -> Run:
    run: Run | None = run_detailed().visible_to(request.user).filter(pk=pk).first()
    if run is None:
        raise Http404
    return run


class RunAction(ScopedView, View):
    scope = write_scope = WRITE
    http_method_names = ["post"]
    what = ""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = visible_run(request, pk)
        try:
            if self.what == "cancel":
                run_cancel(run=run, actor=self.actor)
                messages.success(request, _("The run was ended."))
            else:
                run_retry(run=run, actor=self.actor)
                messages.success(request, _("It is tried again in a moment."))
        except Conflict as error:
            messages.error(request, error.detail)
        return go(request, reverse("journeys:run", args=[pk]))


class DryRunPage(ScopedView, View):
    """Find a customer, see what would happen. A GET, because nothing is written."""

    scope = READ

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.may("contacts:read"):  # type: ignore[union-attr]
            raise Http404
        automation = get_object_or_404(Automation.objects.select_related("current_version"), pk=pk)
        text = request.GET.get("q", "")[:200]
        visible = Contact.objects.visible_to(request.user)
        contact = found = None
        if request.GET.get("contact"):
            wanted = parse_id(request.GET["contact"])
            contact = visible.filter(pk=wanted).first() if wanted is not None else None
            if contact is None:
                raise Http404
            found = automation_dry_run(automation=automation, contact=contact, actor=self.actor)
        hits = best(PEOPLE, visible.select_related("company"), text, 10) if text and contact is None else []
        context = {
            "automation": automation,
            "contact": contact,
            "q": text,
            "hits": hits,
            **(told(found) if found is not None else {}),
        }
        return render_page(request, "journeys/dry_run.html", context, "journeys/dry_run_result.html")


def told(found: DryRun) -> dict[str, Any]:
    steps = []
    for step in found.steps:
        tone, icon = OUTCOMES[step.outcome]
        steps.append({"step": step, "tone": tone, "icon": icon})
    return {"found": found, "foreseen": steps}


class ContactPanel(ScopedView, View):
    """The automations of one customer, newest first."""

    scope = READ

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not Contact.objects.visible_to(request.user).filter(pk=pk).exists():
            raise Http404
        runs = runs_of_contact(pk, request.user, 6)
        context = {
            "contact_id": pk,
            "runs": [{"run": run, "badge": run_badge(run)} for run in runs[:5]],
            "more": len(runs) > 5,
        }
        return render_page(request, "journeys/contact_panel.html", context)
