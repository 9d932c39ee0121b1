"""The form of a task: due and reminder on the wall clock of the person."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from contacts.models import Company, Contact, Task
from contacts.views.common import form_key, number, people
from contacts.views.lookup import LookupInput
from crmcem.lib.web.moments import MomentField, tomorrow

MAX_ID = 2**63 - 1


class TaskForm(forms.Form):
    """``task`` is the one that is changed; ``initial`` may name contact, company and deal of a new one."""

    form_key = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    deal = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=1, max_value=MAX_ID)
    title = forms.CharField(
        label=_("What is to be done"), max_length=300, widget=forms.TextInput(attrs={"autofocus": True})
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=Task.Kind.choices)
    priority = forms.ChoiceField(label=_("Priority"), choices=Task.Priority.choices)
    due_at = MomentField(label=_("Due"), required=False)
    remind_at = MomentField(label=_("Reminder"), required=False)
    recurrence = forms.ChoiceField(label=_("Repeats"), choices=Task.Recurrence.choices, required=False)
    contact = forms.IntegerField(label=_("Contact"), required=False, min_value=1, max_value=MAX_ID)
    company = forms.IntegerField(label=_("Company"), required=False, min_value=1, max_value=MAX_ID)
    body = forms.CharField(
        label=_("Notes"), max_length=100_000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, data: Any = None, *, user: Any, task: Task | None = None, initial: Any = None) -> None:
        start = start_of(task) if task is not None else new_task()
        super().__init__(data, auto_id="task_%s", initial={**start, **(initial or {})})
        if user.may("tasks:assign"):
            field: Any = forms.ChoiceField(label=_("Assignee"), required=False)
            field.choices = [("", _("Nobody")), *people(current=task.owner if task else None)]
            self.fields["assignee"] = field
            if task is None:
                self.initial.setdefault("assignee", str(user.pk))
        self.order_fields([*(n for n in self.fields if n != "body"), "body"])
        for name, model, url_name in (
            ("contact", Contact, "contacts:contact-lookup"),
            ("company", Company, "contacts:company-lookup"),
        ):
            pk = number(self[name].value())
            rows: Any = model
            row = rows.objects.visible_to(user).filter(pk=pk).first() if pk else None
            kept = task is not None and pk is not None and pk == getattr(task, f"{name}_id")
            text = str(row) if row is not None else str(_("hidden")) if kept else ""
            self.fields[name].widget = LookupInput(url_name, text=text)

    def data_for_service(self, task: Task | None = None) -> dict[str, Any]:
        """What the services take. A contact or company that was not touched stays as it is."""
        data = {k: v for k, v in self.cleaned_data.items() if k not in {"form_key", "version"}}
        if "assignee" in data:
            data["assignee"] = number(data["assignee"])
            if "assignee" not in self.data:  # not asked for: it stays, or is the acting person
                del data["assignee"]
        if task is None:
            return data
        data.pop("deal")
        return data


def new_task() -> dict[str, Any]:
    return {
        "form_key": form_key(),
        "kind": Task.Kind.TODO,
        "priority": Task.Priority.NORMAL,
        "due_at": tomorrow(),
    }


def start_of(task: Task) -> dict[str, Any]:
    names = ("version", "title", "kind", "priority", "due_at", "remind_at", "recurrence", "body")
    start = {name: getattr(task, name) for name in names}
    more = {"contact": task.contact_id, "company": task.company_id, "deal": task.deal_id}
    return start | more | {"assignee": str(task.owner_id or "")}
