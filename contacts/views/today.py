"""Today: the panels that contacts puts on the first page."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views import View

from contacts.models import Contact
from contacts.selectors.today import meetings, newest_of_my_customers, tasks_due
from contacts.views.panels import with_due
from contacts.views.timeline import entries
from crmcem.lib.visibility import mark_hidden, name_of
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import is_fragment, render_page

SHOWN = 8


class TodayPanel(ScopedView, View):
    """A fragment about the signed-in person's day."""

    template = ""

    def get(self, request: HttpRequest) -> HttpResponse:
        context = {"panel_template": self.template, **self.context(request)}
        response = render_page(request, "contacts/panel_page.html", context, self.template)
        response.content = response.content.strip()  # an empty answer hides the panel
        return response

    def context(self, request: HttpRequest) -> dict[str, Any]:
        raise NotImplementedError


class TodayTasks(TodayPanel):
    scope = "tasks:read"
    template = "contacts/today_tasks.html"

    def context(self, request: HttpRequest) -> dict[str, Any]:
        user: Any = request.user
        rows = tasks_due(user, SHOWN)
        tasks = with_due(rows[:SHOWN])
        mark_hidden(tasks, user, "contact")
        for task in tasks:
            task.contact_name = name_of(task, "contact")  # type: ignore[attr-defined]
        return {
            "tasks": tasks,
            "with_subject": True,
            "more_url": f"{reverse('contacts:tasks')}?status=open&assignee=me" if len(rows) > SHOWN else "",
            "can_write": user.may("tasks:write"),
        }


class TodayMeetings(TodayPanel):
    scope = "interactions:read"
    template = "contacts/today_meetings.html"

    def context(self, request: HttpRequest) -> dict[str, Any]:
        user: Any = request.user
        planned, held = meetings(user, 5)
        mark_hidden(planned, user, "contact")
        mark_hidden(held, user, "contact", "company")
        rows: list[Any] = [*planned, *held]
        for row in rows:
            row.contact_name = name_of(row, "contact")
        return {"planned": with_due(planned), "held": held}


class TodayCustomers(TodayPanel):
    scope = "contacts:read"
    template = "contacts/today_customers.html"

    def context(self, request: HttpRequest) -> dict[str, Any]:
        pairs = newest_of_my_customers(request.user, SHOWN)
        shown = entries([activity for _contact, activity in pairs], request.user)
        people = [contact for contact, _activity in pairs]
        return {"pairs": list(zip(people, shown, strict=True))}


class TodayStart(TodayPanel):
    """Shown only while the person has no customers: how to begin."""

    scope = "imports:write"
    template = "contacts/today_start.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        if Contact.objects.visible_to(request.user).exists():
            return (
                HttpResponse("")
                if is_fragment(request)
                else render_page(
                    request, "contacts/panel_page.html", {"panel_template": "contacts/today_begun.html"}
                )
            )
        return super().get(request)

    def context(self, request: HttpRequest) -> dict[str, Any]:
        return {}
