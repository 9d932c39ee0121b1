"""Making, changing, completing, cancelling, reopening and deleting a task."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from contacts.models import Task
from contacts.services.tasks import (
    task_cancel,
    task_complete,
    task_create,
    task_reopen,
    task_update,
)
from contacts.views.bulk import TASKS
from contacts.views.common import number, once, put_errors, seen
from contacts.views.task_forms import TaskForm
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.references import references
from crmcem.lib.visibility import mark_hidden
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import close_modal, go, is_fragment, render_page, toast, trigger
from crmcem.lib.web.moments import tomorrow
from crmcem.workspace.trashing import say_with_undo, with_undo

RELATED = ("owner", "contact", "company")
#: parts of a page that show tasks
EVENTS = (
    "list",
    "timeline",
    "panel_contact_tasks",
    "panel_company_tasks",
    "panel_deal_tasks",
    "panel_today_tasks",
)


def refreshed(response: HttpResponse) -> HttpResponse:
    """Everything on the page that shows tasks loads again."""
    return trigger(response, **dict.fromkeys((*EVENTS, "panel_today_meetings"), True))


def find(request: HttpRequest, pk: int) -> Task:
    task: Task = seen(Task.objects.select_related(*RELATED), request, pk)
    return task


class TaskForms(ScopedView, View):
    """What the forms of a new and of a stored task share."""

    scope = write_scope = "tasks:write"

    def show(
        self, request: HttpRequest, form: TaskForm, task: Task | None = None, **more: Any
    ) -> HttpResponse:
        user: Any = request.user
        if task is not None:
            mark_hidden([task], user, "contact")
        title = _("Task") if task is not None else _("New task")
        context = {
            "form": form,
            "task": task,
            "title": title,
            "deal": deal_of(task, user),
            "action": reverse("contacts:task", args=[task.pk]) if task else reverse("contacts:task-new"),
            "can_write": user.may("tasks:write"),
            "can_delete": user.may("tasks:delete"),
            "target": "drawer",
        }
        status = 422 if form.is_bound else 200
        return render_page(
            request, "contacts/task_page.html", context | more, "contacts/task_form.html", status=status
        )


def deal_of(task: Task | None, user: Any) -> dict[str, str] | None:
    """Name and page of the task's deal, if there is one that the person may see."""
    kind = references.get("deal")
    if task is None or task.deal_id is None or kind is None:
        return None
    name = kind.visible([task.deal_id], user).get(task.deal_id)
    return {"name": name, "url": kind.url(task.deal_id)} if name else None


class TaskNew(TaskForms):
    """An empty form; ``?contact=``, ``?company=`` and ``?deal=`` say what it is about."""

    def get(self, request: HttpRequest) -> HttpResponse:
        initial: dict[str, Any] = {
            name: number(request.GET.get(name))
            for name in ("contact", "company", "deal")
            if number(request.GET.get(name))
        }
        return self.show(request, TaskForm(user=request.user, initial=initial))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TaskForm(request.POST, user=request.user)
        if not form.is_valid():
            return self.show(request, form)
        try:
            url = once(request, lambda: self.make(form))
        except DomainError as error:
            put_errors(form, error)
            return self.show(request, form)
        if is_fragment(request):
            return refreshed(close_modal(_("Task created."), refresh=""))
        messages.success(request, _("Task created."))
        return go(request, url)

    def make(self, form: TaskForm) -> str:
        task = task_create(data=form.data_for_service(), actor=self.actor)
        return reverse("contacts:task", args=[task.pk])


class TaskPage(TaskForms):
    """One task: for those who may write, a form."""

    scope = "tasks:read"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        task = find(request, pk)
        return self.show(request, TaskForm(user=request.user, task=task), task)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        task = find(request, pk)
        form = TaskForm(request.POST, user=request.user, task=task)
        if not form.is_valid():
            return self.show(request, form, task)
        try:
            task_update(
                task=task,
                data=form.data_for_service(task),
                actor=self.actor,
                expected_version=form.cleaned_data["version"],
            )
        except DomainError as error:
            put_errors(form, error)
            return self.show(request, form, task)
        except StaleWrite:
            return self.stale(request, pk)
        if is_fragment(request):
            return refreshed(close_modal(_("Saved."), refresh=""))
        messages.success(request, _("Saved."))
        return go(request, reverse("contacts:tasks"))

    def stale(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What was typed stays; saving again stores it over what somebody else saved."""
        task = find(request, pk)
        copy = request.POST.copy()
        copy["version"] = str(task.version)
        form = TaskForm(copy, user=request.user, task=task)
        form.is_valid()
        return self.show(request, form, task, stale=True)


class TaskAct(ScopedView, View):
    """POST only: one thing that is done with a task."""

    scope = write_scope = "tasks:write"
    act: ClassVar[Callable[..., Any]] = staticmethod(task_cancel)
    said: ClassVar[Any] = ""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        task = find(request, pk)
        done = type(self).act(task=task, actor=self.actor)
        return self.answer(request, done or task)

    def answer(self, request: HttpRequest, task: Task) -> HttpResponse:
        words = self.words(task)
        if is_fragment(request):
            return refreshed(close_modal(words, refresh=""))
        messages.success(request, words)
        return go(request, reverse("contacts:tasks"))

    def words(self, task: Task) -> str:
        return _("The task is cancelled.")


class Cancel(TaskAct):
    act = staticmethod(task_cancel)


class Reopen(TaskAct):
    act = staticmethod(task_reopen)

    def words(self, task: Task) -> str:
        return _("The task is open again.")


class Delete(TaskAct):
    """It can be undone for half an hour."""

    scope = write_scope = "tasks:delete"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        task = find(request, pk)
        _count, kept = TASKS.delete([task.pk], self.actor)
        words = _("The task is deleted.")
        if is_fragment(request):
            return with_undo(refreshed(close_modal(refresh="")), words, kept)
        say_with_undo(request, words, kept)
        return go(request, reverse("contacts:tasks"))


class Complete(TaskAct):
    """Done in one click; then it asks for the next step with the same customer."""

    act = staticmethod(task_complete)

    def answer(self, request: HttpRequest, task: Task) -> HttpResponse:
        if not is_fragment(request):
            messages.success(request, _("Done: %(title)s") % {"title": task.title})
            about = f"?contact={task.contact_id}" if task.contact_id else ""
            return go(request, f"{reverse('contacts:task-new')}{about}")
        initial = {
            "kind": Task.Kind.FOLLOW_UP,
            "contact": task.contact_id,
            "company": task.company_id,
            "deal": task.deal_id,
            "due_at": tomorrow(),
        }
        form = TaskForm(user=request.user, initial=initial)
        context = {
            "form": form,
            "done": task,
            "title": _("What comes next?"),
            "action": reverse("contacts:task-new"),
            "target": "modal",
            "can_write": True,
        }
        response = render_page(request, "contacts/task_page.html", context, "contacts/task_form.html")
        toast(response, _("Done: %(title)s") % {"title": task.title})
        return refreshed(response)
