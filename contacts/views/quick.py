"""Quick add above a timeline: a note, call, meeting, e-mail or task in one small form."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from contacts.models import Company, Contact, Interaction, Task
from contacts.services.interactions import interaction_log
from contacts.services.tasks import task_create
from contacts.views.common import form_key, once, put_errors, seen
from crmcem.lib.errors import DomainError
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import is_fragment, render_page, toast, trigger
from crmcem.lib.web.moments import MomentField, tomorrow
from crmcem.workspace.policies import user_of

SAID = {
    "note": (gettext_lazy("Note"), "note", gettext_lazy("Save note")),
    "call": (gettext_lazy("Call"), "phone", gettext_lazy("Log call")),
    "meeting": (gettext_lazy("Meeting"), "users", gettext_lazy("Log meeting")),
    "email": (gettext_lazy("E-mail"), "mail", gettext_lazy("Log e-mail")),
    "task": (gettext_lazy("Task"), "checkbox", gettext_lazy("Create task")),
}
OUTCOMES = [
    ("", gettext_lazy("No outcome")),
    ("reached", gettext_lazy("Reached")),
    ("no answer", gettext_lazy("No answer")),
    ("left a message", gettext_lazy("Left a message")),
    ("call back", gettext_lazy("Wants a call back")),
]
DIRECTIONS = [("out", gettext_lazy("Outgoing")), ("in", gettext_lazy("Incoming"))]


class QuickForm(forms.Form):
    """What every entry has: a line, a text, and a key that makes a second submit harmless."""

    kind = ""
    form_key = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)

    def __init__(self, data: Any = None) -> None:
        initial = {"form_key": form_key(), **self.start()}
        super().__init__(data, auto_id=f"quick_{self.kind}_%s", initial=initial)
        self.label, self.icon, self.verb = SAID[self.kind]
        for field in self.fields.values():
            if not field.widget.is_hidden:
                css = "form-select" if isinstance(field.widget, forms.Select) else "form-control"
                field.widget.attrs["class"] = css

    def start(self) -> dict[str, Any]:
        return {}

    def data_for_service(self) -> dict[str, Any]:
        data = {key: value for key, value in self.cleaned_data.items() if key != "form_key"}
        if "minutes" in data:
            minutes = data.pop("minutes")
            data["duration_seconds"] = minutes * 60 if minutes is not None else None
        return data


def _line(label: Any, *, required: bool = False) -> forms.CharField:
    return forms.CharField(label=label, max_length=300, required=required)


def _body(label: Any, *, required: bool = False) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 3})
    return forms.CharField(label=label, max_length=100_000, required=required, widget=widget)


class NoteForm(QuickForm):
    kind = "note"
    body = _body(gettext_lazy("Note"), required=True)


class SpokenForm(QuickForm):
    subject = _line(gettext_lazy("About"))
    body = _body(gettext_lazy("What was said"))
    occurred_at = MomentField(label=gettext_lazy("When (now, if left empty)"), required=False)

    def start(self) -> dict[str, Any]:
        return {"direction": "out"}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("subject") and not cleaned.get("body") and not self.errors:
            self.add_error("subject", _("Say what it was about, or what was said."))
        return cleaned


class CallForm(SpokenForm):
    kind = "call"
    direction = forms.ChoiceField(label=gettext_lazy("Direction"), choices=DIRECTIONS)
    outcome = forms.ChoiceField(label=gettext_lazy("Outcome"), choices=OUTCOMES, required=False)
    minutes = forms.IntegerField(label=gettext_lazy("Minutes"), required=False, min_value=0, max_value=1440)


class MeetingForm(SpokenForm):
    kind = "meeting"
    minutes = forms.IntegerField(label=gettext_lazy("Minutes"), required=False, min_value=0, max_value=1440)


class EmailForm(SpokenForm):
    kind = "email"
    direction = forms.ChoiceField(label=gettext_lazy("Direction"), choices=DIRECTIONS)


class QuickTaskForm(QuickForm):
    kind = "task"
    title = _line(gettext_lazy("What is to be done"), required=True)
    task_kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=Task.Kind.choices)
    due_at = MomentField(label=gettext_lazy("Due"), required=False)
    remind_at = MomentField(label=gettext_lazy("Reminder"), required=False)

    def start(self) -> dict[str, Any]:
        return {"due_at": tomorrow(), "task_kind": Task.Kind.TODO}

    def data_for_service(self) -> dict[str, Any]:
        data = super().data_for_service()
        data["kind"] = data.pop("task_kind")
        return data


FORMS: dict[str, type[QuickForm]] = {
    form.kind: form for form in (NoteForm, CallForm, MeetingForm, EmailForm, QuickTaskForm)
}


def quick_forms(user: Any) -> list[QuickForm]:
    """Those that the person's role allows."""
    return [form() for kind, form in FORMS.items() if user.may(_scope(kind))]


def _scope(kind: str) -> str:
    return "tasks:write" if kind == "task" else "interactions:write"


class QuickAdd(ScopedView, View):
    """POST one entry; htmx gets the emptied form, and the timeline and panels load again."""

    scope = "contacts:read"
    model: Any = Contact
    page = "contacts:contact"

    def post(self, request: HttpRequest, pk: int, kind: str) -> HttpResponse:
        if kind not in FORMS:
            raise Http404
        if not user_of(request).may(_scope(kind)):
            raise PermissionDenied
        record = seen(self.model.objects.defer("search_text"), request, pk)
        form = FORMS[kind](request.POST)
        if form.is_valid():
            try:
                once(request, lambda: self.make(record, kind, form))
            except DomainError as error:
                put_errors(form, error, duration_seconds="minutes", kind="task_kind")
            else:
                return self.done(request, record, FORMS[kind]())
        context = {"record": record, "form": form, "log_url": request.path}
        return render_page(
            request, "contacts/quick_page.html", context, "contacts/quick_form.html", status=422
        )

    def make(self, record: Any, kind: str, form: QuickForm) -> str:
        about = "company" if isinstance(record, Company) else "contact"
        data = form.data_for_service() | {about: record.pk}
        if kind == "task":
            task_create(data=data, actor=self.actor)
        else:
            interaction_log(data=data | {"kind": Interaction.Kind(kind)}, actor=self.actor)
        return reverse(self.page, args=[record.pk])

    def done(self, request: HttpRequest, record: Any, form: QuickForm) -> HttpResponse:
        if not is_fragment(request):
            return redirect(self.page, record.pk)
        context = {"record": record, "form": form, "log_url": request.path}
        response = render_page(request, "contacts/quick_form.html", context)
        toast(response, _("Saved."))
        return trigger(response, timeline=True, **{f"panel_{self.page.split(':')[1]}_tasks": True})


class CompanyQuickAdd(QuickAdd):
    model, page = Company, "contacts:company"
