"""One automation: its flow with counts, what activating it will do, its versions; and the two usual ones."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views import View

from crmcem.lib.errors import DomainError
from crmcem.lib.web import cells
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import go, render_page
from feedback.models import Survey
from journeys.definition import AbsenceTrigger, Definition, DefinitionError
from journeys.engine.load import parsed
from journeys.explain import Drawn, flow, rules, trigger_of, trigger_words
from journeys.models import Automation, AutomationVersion
from journeys.policies import DELETE, READ, WRITE
from journeys.selectors.automations import (
    AWAY_CAP,
    COUNTED_RUNS,
    automations_listed,
    away_already,
    capped_words,
    held_runs,
    step_counts,
)
from journeys.selectors.runs import runs_listed
from journeys.services.automations import automation_activate, automation_delete, automation_pause
from journeys.services.defaults import install_defaults
from journeys.views.lists import STEP_TONES, run_badge, status_badge


def read(version: AutomationVersion | None) -> tuple[Definition | None, str]:
    """The definition, or why it can't be read."""
    if version is None:
        return None, _("It has no definition yet.")
    try:
        return parsed(version), ""
    except DefinitionError as error:
        return None, str(error)


def drawn(steps: list[Drawn], counts: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    """The flow as the template walks it: each step with its counts and the ways below it."""
    words = {
        "done": _("passed"),
        "waiting": _("waiting"),
        "skipped": _("skipped"),
        "failed": _("failed"),
    }
    return [
        {
            "step": step,
            "counts": [
                {"n": cells.grouped(n), "word": words[status], "tone": tone, "icon": icon}
                for status, (tone, icon) in STEP_TONES.items()
                if (n := counts.get(step.key, {}).get(status))
            ],
            "ways": [(name, drawn(below, counts)) for name, below in step.ways],
        }
        for step in steps
    ]


def activation_words(automation: Automation, definition: Definition | None) -> str:
    """What the button to activate will do, in numbers where they can be told quickly."""
    if definition is None:
        return ""
    parts = [_("From now on: %(trigger)s.") % {"trigger": trigger_words(definition.trigger)}]
    if isinstance(definition.trigger, AbsenceTrigger):
        away = away_already(definition)
        if away is None:
            parts.append(_("Customers who are away long enough already start at once."))
        elif away:
            n = f"{cells.grouped(AWAY_CAP)}+" if away > AWAY_CAP else cells.grouped(away)
            text = ngettext(
                "%(n)s customer is away long enough already and starts at once.",
                "%(n)s customers are away long enough already and start at once.",
                away,
            )
            parts.append(text % {"n": n})
    elif definition.trigger.count > 1:
        parts.append(_("What happened before starts nothing, but counts towards the number of times."))
    else:
        parts.append(_("What happened before starts nothing."))
    held = held_runs(automation)
    if held and automation.status == Automation.Status.PAUSED:
        text = ngettext("%(n)s held run goes on.", "%(n)s held runs go on.", held)
        parts.append(text % {"n": capped_words(held)})
    return " ".join(parts)


def pause_words(automation: Automation) -> str:
    held = held_runs(automation)
    if not held:
        return str(_("Nothing begins any more. What happens in between starts nothing, also not later."))
    text = ngettext(
        "%(n)s run under way stays where it is until it is activated again. What happens in between starts nothing.",
        "%(n)s runs under way stay where they are until it is activated again. What happens in between starts nothing.",
        held,
    )
    return text % {"n": capped_words(held)}


class AutomationPage(ScopedView, View):
    scope = READ

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        automation = automations_listed(request.user).select_related("created_by").filter(pk=pk).first()
        if automation is None:
            raise Http404
        definition, problem = read(automation.current_version)
        may_write = request.user.may(WRITE)  # type: ignore[union-attr]
        active = automation.status == Automation.Status.ACTIVE
        runs = runs_listed().visible_to(request.user).filter(automation=automation).defer("context")
        newest = list(runs.order_by("-id")[:8])
        counts = step_counts(automation, request.user, automation.current_version_id)
        words = ""
        if may_write:
            words = pause_words(automation) if active else activation_words(automation, definition)
        context = {
            "automation": automation,
            "status": status_badge(automation),
            "definition": definition,
            "problem": problem or automation.problem,
            "trigger": trigger_words(definition.trigger) if definition else "",
            "rules": rules(definition) if definition else [],
            "flow": drawn(flow(definition), counts) if definition else [],
            "counted": cells.grouped(COUNTED_RUNS),
            "counts": {
                name: capped_words(getattr(automation, f"{name}_runs"))
                for name in ("active", "done", "failed")
            },
            "runs": [{"run": run, "badge": run_badge(run)} for run in newest],
            "versions": list(
                automation.versions.select_related("created_by").defer("definition").order_by("-number")[:10]
            ),
            "active": active,
            "may_write": may_write,
            "may_delete": request.user.may(DELETE) and not newest,  # type: ignore[union-attr]
            "switch_words": words,
            "may_try": request.user.may("contacts:read"),  # type: ignore[union-attr]
        }
        return render_page(request, "journeys/automation.html", context)


class VersionPage(ScopedView, View):
    """An older (or the current) definition as a flow, and as JSON."""

    scope = READ

    def get(self, request: HttpRequest, pk: int, number: int) -> HttpResponse:
        version = get_object_or_404(
            AutomationVersion.objects.select_related("automation", "created_by"),
            automation_id=pk,
            number=number,
        )
        from journeys.editor.draft import pretty

        definition, problem = read(version)
        counts = step_counts(version.automation, request.user, version.pk)
        context = {
            "automation": version.automation,
            "version": version,
            "current": version.automation.current_version_id == version.pk,
            "definition": definition,
            "problem": problem,
            "trigger": trigger_words(definition.trigger) if definition else trigger_of(version.definition),
            "rules": rules(definition) if definition else [],
            "flow": drawn(flow(definition), counts) if definition else [],
            "json": pretty(version.definition),
        }
        return render_page(request, "journeys/version.html", context)


class Switch(ScopedView, View):
    """Activate, pause or delete; the page has said before what that does."""

    scope = write_scope = WRITE
    http_method_names = ["post"]
    what = ""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        automation = get_object_or_404(Automation, pk=pk)
        words = {"name": automation.name}
        if self.what == "activate":
            try:
                automation_activate(automation=automation, actor=self.actor)
            except DomainError as error:
                for each in error.errors:
                    messages.error(request, f"{each.field}: {each.detail}")
                return go(request, reverse("journeys:automation", args=[pk]))
            messages.success(request, _("“%(name)s” is active.") % words)
        elif self.what == "pause":
            automation_pause(automation=automation, actor=self.actor)
            messages.success(request, _("“%(name)s” is paused.") % words)
        else:
            automation_delete(automation=automation, actor=self.actor)
            messages.success(request, _("“%(name)s” was deleted.") % words)
            return go(request, reverse("journeys:automations"))
        return go(request, reverse("journeys:automation", args=[pk]))


class DefaultsForm(forms.Form):
    survey = forms.ModelChoiceField(
        queryset=Survey.objects.none(),
        required=False,
        label=gettext_lazy("Survey to send"),
        empty_label=gettext_lazy("None: only the follow-up"),
        help_text=gettext_lazy("A live NPS survey fits best."),
    )
    activate = forms.BooleanField(required=False, label=gettext_lazy("Activate them at once"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["survey"]
        field.queryset = Survey.objects.exclude(status=Survey.Status.CLOSED).order_by("name", "pk")


class Defaults(ScopedView, View):
    """Start with the two usual automations."""

    scope = write_scope = WRITE

    def get(self, request: HttpRequest) -> HttpResponse:
        best = Survey.objects.filter(status=Survey.Status.LIVE, kind=Survey.Kind.NPS).order_by("pk").first()
        return self.show(request, DefaultsForm(initial={"survey": best}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = DefaultsForm(request.POST)
        if not form.is_valid():
            return self.show(request, form, 422)
        try:
            made = install_defaults(
                survey=form.cleaned_data["survey"], actor=self.actor, activate=form.cleaned_data["activate"]
            )
        except DomainError as error:
            form.add_error(None, "; ".join(each.detail for each in error.errors))
            return self.show(request, form, 422)
        messages.success(request, _("Ready: %(names)s.") % {"names": ", ".join(a.name for a in made)})
        return redirect("journeys:automations")

    def show(self, request: HttpRequest, form: DefaultsForm, status: int = 200) -> HttpResponse:
        return render_page(request, "journeys/defaults.html", {"form": form}, status=status)
