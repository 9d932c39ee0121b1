"""The page of one deal: facts, stage path, people, history, timeline and what is logged on it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views import View

from contacts.models import Company
from contacts.services.interactions import interaction_log
from contacts.services.tasks import task_complete, task_create
from crmcem.lib.errors import DomainError
from crmcem.lib.panels import panels_for
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import render_page
from crmcem.workspace.policies import user_of
from sales.models import Deal, DealContact
from sales.selectors.board import chance
from sales.selectors.deals import with_next_activity
from sales.selectors.page import history, members, open_tasks, people_of, timeline
from sales.views.cards import cases_mark, is_rotting, next_mark, nps_mark, pulse_of, sentiment_mark, span
from sales.views.common import add_errors, changed, deal_for
from sales.views.custom import custom_groups
from sales.views.entries import entries
from sales.views.forms import LogForm, TaskForm


class DealView(ScopedView, View):
    """One deal that the person may see."""

    scope = "deals:read"

    def shown(self, pk: int) -> Deal:
        return deal_for(self.request, pk, "pipeline", "company", "owner")

    def head(self, deal: Deal) -> dict[str, Any]:
        """The facts and the path of stages."""
        user = user_of(self.request)
        now = timezone.now()
        timed: Any = with_next_activity(Deal.objects.filter(pk=deal.pk)).first()
        due = timed.next_activity_at if timed else None
        stages = list(deal.pipeline.stages.order_by("position", "id"))
        at = next((i for i, s in enumerate(stages) if s.pk == deal.stage_id), 0)
        path = [{"stage": stage, "done": i < at, "here": i == at} for i, stage in enumerate(stages)]
        return {
            "deal": deal,
            "path": path,
            "open": deal.status == Deal.Status.OPEN,
            "age": span(deal.stage_entered_at, now),
            "rotting": is_rotting(deal, now),
            "late": deal.status == "open"
            and deal.expected_close
            and deal.expected_close < timezone.localdate(),
            "next": next_mark(due, now),
            "chance": chance(deal),
            "may_write": user.may("deals:write"),
            "may_assign": user.may("deals:assign") and user.may("deals:write"),
            "may_delete": user.may("deals:delete"),
        }

    def side(self, deal: Deal) -> dict[str, Any]:
        """Buying committee, company, history."""
        user = user_of(self.request)
        people, hidden = members(deal, user)
        changes = history(deal)
        names = people_of(changes)
        company = None
        if deal.company_id and user.may("contacts:read"):
            company = Company.objects.visible_to(user).filter(pk=deal.company_id).first()
        return {
            "deal": deal,
            "people": [_member(member) for member in people] if user.may("contacts:read") else [],
            "hidden": hidden,
            "company_visible": company is not None,
            "history": [
                {
                    "change": change,
                    "by": str(names.get(change.actor_id or 0) or ""),
                    "spent": _spent(change.seconds_in_previous),
                }
                for change in changes
            ],
            "may_write": user.may("deals:write"),
            "custom": custom_groups(deal, user),
        }

    def story(self, deal: Deal, cursor: str | None = None) -> dict[str, Any]:
        user = user_of(self.request)
        page = timeline(deal, user, cursor)
        older = f"{reverse('sales:deal-timeline', args=[deal.pk])}?cursor={page.next}" if page.next else ""
        return {"deal": deal, "entries": entries(page), "older_url": older}


def _member(member: DealContact) -> dict[str, Any]:
    pulse = pulse_of(member.contact)
    mood = sentiment_mark(pulse)
    return {
        "member": member,
        "mood": mood,
        "tone": mood.tone if mood else "none",
        "marks": [m for m in (mood, nps_mark(pulse), cases_mark(pulse)) if m],
    }


def _spent(seconds: int | None) -> str:
    if seconds is None:
        return ""
    if seconds < 3600:
        return _("under an hour")
    if seconds < 86_400:
        return _("%(n)d h") % {"n": seconds // 3600}
    return _("%(n)d d") % {"n": seconds // 86_400}


class DealPage(DealView):
    PARTS = ("head", "side", "tasks", "timeline")

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = self.shown(pk)
        part = request.GET.get("_part", "")
        if part in self.PARTS:
            return render(request, f"sales/deal_{part}.html", getattr(self, f"part_{part}")(deal))
        user = user_of(request)
        people, _hidden = members(deal, user)
        context = self.head(deal) | self.side(deal) | self.story(deal) | self.part_tasks(deal)
        context |= {"panels": panels_for("deal", user.may, deal.pk)}
        context |= {"log_form": LogForm(people=people), "task_form": TaskForm(people=people)}
        context |= {"may_log": user.may("interactions:write"), "may_task": user.may("tasks:write")}
        return render_page(request, "sales/deal.html", context)

    def part_head(self, deal: Deal) -> dict[str, Any]:
        return self.head(deal)

    def part_side(self, deal: Deal) -> dict[str, Any]:
        return self.side(deal)

    def part_timeline(self, deal: Deal) -> dict[str, Any]:
        return self.story(deal)

    def part_tasks(self, deal: Deal) -> dict[str, Any]:
        user = user_of(self.request)
        tasks = open_tasks(deal, user) if user.may("tasks:read") else []
        return {
            "deal": deal,
            "tasks": [{"task": t, "next": next_mark(t.due_at) if t.due_at else None} for t in tasks],
            "may_task": user.may("tasks:write"),
        }


class DealTimeline(DealView):
    """Older activities."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = self.shown(pk)
        return render(request, "contacts/timeline_entries.html", self.story(deal, request.GET.get("cursor")))


class DealLog(DealView):
    """Log an interaction on the deal."""

    write_scope = "interactions:write"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = self.shown(pk)
        people, _hidden = members(deal, request.user)
        form = LogForm(request.POST, people=people)
        if form.is_valid():
            try:
                interaction_log(data=_about(deal, form.cleaned_data, user_of(request)), actor=self.actor)
            except DomainError as error:
                add_errors(form, error)
            else:
                return changed(_("Logged"))
        return render(request, "sales/log_form.html", {"deal": deal, "log_form": form}, status=422)


class DealTask(DealView):
    """Plan a task for the deal."""

    write_scope = "tasks:write"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = self.shown(pk)
        people, _hidden = members(deal, request.user)
        form = TaskForm(request.POST, people=people)
        if form.is_valid():
            try:
                task_create(data=_about(deal, form.cleaned_data, user_of(request)), actor=self.actor)
            except DomainError as error:
                add_errors(form, error)
            else:
                return changed(_("Task planned"))
        return render(request, "sales/task_form.html", {"deal": deal, "task_form": form}, status=422)


class DealTaskDone(DealView):
    """Complete one of the deal's tasks."""

    write_scope = "tasks:write"

    def post(self, request: HttpRequest, pk: int, task: int) -> HttpResponse:
        deal = self.shown(pk)
        found = next((t for t in open_tasks(deal, request.user) if t.pk == task), None)
        if found is None:
            return changed(_("This task is no longer open."), "info")
        task_complete(task=found, actor=self.actor)
        return changed(_("Done. What is the next step?"))


def _about(deal: Deal, data: dict[str, Any], user: Any) -> dict[str, Any]:
    """The form's data with the deal and, where the person may see it, its company."""
    values = {key: value for key, value in data.items() if value not in (None, "")}
    values["deal"] = deal.pk
    company = deal.company if deal.company_id else None
    if company is not None and Company.objects.visible_to(user).filter(pk=company.pk).exists():
        values["company"] = company
    return values
