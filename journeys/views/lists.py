"""The lists: automations, and the log of their runs."""

from typing import Any

from django.db.models import QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crmcem.lib.exporting import first, full_name
from crmcem.lib.keyset import Order
from crmcem.lib.web import cells
from crmcem.lib.web.columns import Column
from crmcem.lib.web.lists import Empty, ListPage
from journeys.explain import trigger_of
from journeys.filters import AutomationFilter, RunFilter
from journeys.models import Automation, Run
from journeys.policies import READ, WRITE
from journeys.selectors.automations import automations_listed, capped_words
from journeys.selectors.runs import runs_listed

automation_url = cells.url_maker("journeys:automation")
run_url = cells.url_maker("journeys:run")

TONES = {
    "draft": ("grey", "pencil"),
    "active": ("green", "player-play"),
    "paused": ("yellow", "player-pause"),
}
RUN_TONES = {
    "active": ("blue", "player-play"),
    "done": ("green", "check"),
    "exited": ("grey", "door-exit"),
    "failed": ("red", "alert-triangle"),
    "cancelled": ("grey", "ban"),
}
STEP_TONES = {
    "waiting": ("blue", "hourglass"),
    "done": ("green", "check"),
    "skipped": ("grey", "player-skip-forward"),
    "failed": ("red", "alert-triangle"),
}


def status_badge(automation: Automation) -> SafeString:
    if automation.problem and automation.status == Automation.Status.ACTIVE:
        return cells.badge(_("Can’t run"), "red", "alert-triangle")
    tone, icon = TONES[automation.status]
    return cells.badge(automation.get_status_display(), tone, icon)


def run_badge(run: Run) -> SafeString:
    tone, icon = RUN_TONES[run.status]
    label = run.get_status_display() if run.status != Run.Status.ACTIVE else _("Under way")
    return cells.badge(label, tone, icon)


def _count(name: str) -> Any:
    return lambda row: capped_words(getattr(row, name))


def _trigger(row: Automation) -> str:
    return trigger_of(row.current_version.definition) if row.current_version else ""


class AutomationList(ListPage):
    entity, title, scope = "automation", gettext_lazy("Automations"), READ
    count_label = gettext_lazy("automations")
    filterset_class = AutomationFilter
    filter_fields = ("status",)
    orderings = (Order("name"), Order("updated_at"))
    default_order = Order("name")
    create_url_name, create_scope = "journeys:new", WRITE
    create_label = gettext_lazy("New automation")
    template_name = "journeys/automation_list.html"
    columns = (
        Column(
            "name",
            gettext_lazy("Name"),
            lambda a: cells.main_link(automation_url(a.pk), a.name),
            sort="name",
            phone=True,
        ),
        Column("status", gettext_lazy("Status"), status_badge, phone=True),
        Column("trigger", gettext_lazy("Begins"), _trigger),
        Column("active", gettext_lazy("Under way"), _count("active_runs"), css="num"),
        Column("done", gettext_lazy("Done"), _count("done_runs"), css="num"),
        Column("failed", gettext_lazy("Failed"), _count("failed_runs"), css="num"),
        Column("last_run", gettext_lazy("Last run"), lambda a: cells.moment(a.last_run_at)),
        Column(
            "updated",
            gettext_lazy("Changed"),
            lambda a: cells.moment(a.updated_at),
            sort="updated_at",
            default=False,
        ),
    )
    empty = Empty(
        "route",
        gettext_lazy("No automations yet"),
        gettext_lazy(
            "An automation waits for something a customer does, or stops doing, and takes the next step."
        ),
        gettext_lazy("Start with two useful ones"),
        "journeys:defaults",
        WRITE,
        gettext_lazy(
            "For example: after the second order within 90 days, ask how likely they are to recommend you."
        ),
    )

    def rows(self) -> QuerySet[Any]:
        return automations_listed(self.request.user)


def why(run: Run) -> str:
    return run.error or run.reason


class RunLog(ListPage):
    entity, title, scope = "automation-run", gettext_lazy("Run log"), READ
    count_label = gettext_lazy("runs")
    filterset_class = RunFilter
    search_param = ""
    filter_fields = ("automation", "status", "started_at__gte", "started_at__lte")
    template_name = "journeys/run_list.html"
    columns = (
        Column(
            "contact",
            gettext_lazy("Customer"),
            lambda r: cells.main_link(run_url(r.pk), r.contact),
            phone=True,
            export=first(full_name("contact__"), "contact__email", "contact__external_id"),
        ),
        Column("status", gettext_lazy("Status"), run_badge, phone=True, export="status"),
        Column(
            "automation",
            gettext_lazy("Automation"),
            lambda r: cells.link(automation_url(r.automation_id), r.automation.name),
            export="automation__name",
        ),
        Column("started", gettext_lazy("Began"), lambda r: cells.moment(r.started_at), export="started_at"),
        Column("due", gettext_lazy("Goes on"), lambda r: cells.moment(r.due_at), export="due_at"),
        Column("ended", gettext_lazy("Ended"), lambda r: cells.moment(r.ended_at), export="ended_at"),
        Column("why", gettext_lazy("Why"), why, export=first("error", "reason")),
    )
    empty = Empty(
        "route",
        gettext_lazy("Nothing has run yet"),
        gettext_lazy(
            "As soon as a customer sets off an active automation, each of its steps is written down here."
        ),
        gettext_lazy("Automations"),
        "journeys:automations",
    )

    def rows(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = runs_listed().visible_to(self.request.user).defer("context")
        return rows
