"""The list of tasks: mine and open unless the URL says otherwise, grouped by when they are due."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.filters import TaskFilter
from contacts.models import Task
from contacts.services.tasks import task_update
from contacts.views import cells as own
from contacts.views.bulk import TASK_ACTIONS
from contacts.views.common import number, people
from contacts.views.listing import HouseList
from crmcem.lib.exporting import first, full_name, person, shown
from crmcem.lib.keyset import Order
from crmcem.lib.visibility import mark_hidden
from crmcem.lib.web import cells
from crmcem.lib.web.columns import Column
from crmcem.lib.web.htmx import is_fragment
from crmcem.lib.web.inline import Inline
from crmcem.lib.web.lists import Empty
from crmcem.lib.web.moments import MomentField

KINDS = dict(Task.Kind.choices)
STATUSES = dict(Task.Status.choices)
REPEATS = dict(Task.Recurrence.choices)
task_url = cells.url_maker("contacts:task")
ABOUT = first(shown("contact", full_name("contact__")), shown("company", "company__name"))
complete_url = cells.url_maker("contacts:task-complete")


def task_cell(task: Task) -> SafeString:
    """The task and, while it is open, the one click that completes it."""
    link = cells.main_link(task_url(task.pk), task.title)
    if task.status != Task.Status.OPEN:
        icon = "circle-check" if task.status == Task.Status.DONE else "circle-x"
        return mark_safe(  # noqa: S308
            f'<span class="task-cell is-closed"><i class="ti ti-{icon}" role="img" '
            f'aria-label="{escape(STATUSES[task.status])}"></i>{link}</span>'
        )
    words = escape(_("Mark as done"))
    return mark_safe(  # noqa: S308
        f'<span class="task-cell"><button type="button" class="task-done" data-complete title="{words}" '
        f'aria-label="{words}: {escape(task.title)}" hx-post="{complete_url(task.pk)}" hx-target="#modal-body" '
        f'hx-swap="innerHTML"><i class="ti ti-circle" aria-hidden="true"></i></button>{link}</span>'
    )


def about_cell(task: Task) -> Any:
    return own.reference(task, "contact" if task.contact_id else "company")


def due_cell(task: Task) -> SafeString:
    if task.due_at is None:
        return cells.NONE
    if task.status != Task.Status.OPEN:
        return cells.moment(task.due_at)
    if getattr(task, "grouped", False):
        return own.next_activity(task.due_at)  # the word stands above the group
    word, tone, icon = own.due_words()[own.due_state(task.due_at)]
    return mark_safe(f"{cells.badge(word, tone, icon)} {cells.moment(task.due_at)}")  # noqa: S308


def priority_cell(task: Task) -> Any:
    if task.priority == Task.Priority.HIGH:
        return cells.badge(_("high"), "orange", "flag")
    return cells.text(task.get_priority_display().lower())


def _editor(key: str, scope: str, field: Callable[[Task], forms.Field]) -> Inline:
    """How a field of a task is changed in the list; ``key`` is the service's name for it."""

    def value(task: Task) -> Any:
        return str(task.owner_id or "") if key == "assignee" else getattr(task, key)

    def save(*, row: Task, value: Any, version: int, actor: Any) -> None:
        given = number(value) if key == "assignee" else value
        task_update(task=row, data={key: given}, actor=actor, expected_version=version)

    return Inline(field, value, save, scope)


class TaskList(HouseList):
    """What is to be done."""

    entity, title, scope = "task", gettext_lazy("Tasks"), "tasks:read"
    count_label = gettext_lazy("tasks")
    template_name = "contacts/task_list.html"
    filterset_class = TaskFilter
    person_filters = ("assignee",)
    filter_fields = ("status", "assignee", "kind", "priority", "overdue", "due_at__gte", "due_at__lt")
    filter_labels = {"due_at__gte": gettext_lazy("Due since"), "due_at__lt": gettext_lazy("Due before")}
    search_hint = gettext_lazy("Title")
    orderings = (Order("due_at", nullable=True), Order("id"))
    default_order = Order("due_at", nullable=True)
    bulk_actions = TASK_ACTIONS
    editors: ClassVar[Any] = {
        "due": _editor("due_at", "tasks:write", lambda task: MomentField(required=False)),
        "kind": _editor("kind", "tasks:write", lambda task: forms.ChoiceField(choices=Task.Kind.choices)),
        "priority": _editor(
            "priority", "tasks:write", lambda task: forms.TypedChoiceField(choices=Task.Priority.choices)
        ),
        "assignee": _editor(
            "assignee",
            "tasks:assign",
            lambda task: forms.ChoiceField(
                required=False, choices=[("", _("Nobody")), *people(current=task.owner)]
            ),
        ),
    }
    create_url_name, create_label, create_scope = "contacts:task-new", gettext_lazy("New task"), "tasks:write"
    empty = Empty(
        "checkbox",
        gettext_lazy("No tasks yet"),
        gettext_lazy("A task is the next step with a customer. It reminds you when its time has come."),
        gettext_lazy("New task"),
        "contacts:task-new",
        "tasks:write",
        gettext_lazy("“Call back about the quote”, tomorrow at 9:00."),
    )
    columns = (
        Column("title", gettext_lazy("Task"), task_cell, phone=True, export="title"),
        Column("due", gettext_lazy("Due"), due_cell, sort="due_at", phone=True, export="due_at"),
        Column("about", gettext_lazy("About"), about_cell, export=ABOUT),
        Column("kind", gettext_lazy("Kind"), lambda t: cells.choice(KINDS, t.kind), export="kind"),
        Column("priority", gettext_lazy("Priority"), priority_cell, export="priority"),
        Column("assignee", gettext_lazy("Assignee"), lambda t: cells.person(t.owner), export=person()),
        Column(
            "repeats",
            gettext_lazy("Repeats"),
            lambda t: cells.choice(REPEATS, t.recurrence) if t.recurrence else cells.NONE,
            export="recurrence",
        ),
        Column(
            "reminder",
            gettext_lazy("Reminder"),
            lambda t: cells.moment(t.remind_at),
            default=False,
            export="remind_at",
        ),
        Column(
            "status",
            gettext_lazy("Status"),
            lambda t: cells.choice(STATUSES, t.status),
            default=False,
            export="status",
        ),
        Column(
            "done",
            gettext_lazy("Done"),
            lambda t: cells.moment(t.completed_at),
            default=False,
            export="completed_at",
        ),
    )

    def rows(self) -> QuerySet[Any]:
        found = Task.objects.visible_to(self.request.user).select_related("owner", "contact", "company")
        return found.defer("body", "contact__search_text", "contact__custom", "company__custom")

    def default_view_url(self) -> str:
        """A bare URL shows my open tasks."""
        chosen = super().default_view_url()
        if chosen or self.request.GET or is_fragment(self.request):
            return chosen
        return f"{reverse('contacts:tasks')}?status=open&assignee=me"

    def prepare(self, rows: list[Any]) -> None:
        mark_hidden(rows, self.request.user, "contact", "company")

    def table(self, rows: Sequence[Any]) -> SafeString:
        """Open tasks by due time stand under overdue, today, upcoming and without a date."""
        if self.order.field != "due_at" or self.request.GET.get("status") != Task.Status.OPEN:
            return super().table(rows)
        width = len(self.shown_columns) + bool(self.allowed_actions)
        words, parts = own.due_words(), []
        for row in rows:
            row.grouped = True
        for state, group in groupby(rows, key=lambda task: own.due_state(task.due_at)):
            word, tone, icon = words[state]
            parts.append(
                f'<tr class="group-row group-{state}"><th colspan="{width}" scope="rowgroup">'
                f"{cells.badge(word, tone, icon)}</th></tr>"
            )
            parts.append(super().table(list(group)))
        return mark_safe("".join(parts))  # noqa: S308
