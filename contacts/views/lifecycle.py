"""The lifecycle stage of a contact with its history, and changing it with a reason."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from contacts.models import Contact, Lifecycle
from contacts.services.contacts import contact_update
from contacts.views.cells import stage
from contacts.views.common import names_of, number, put_errors, seen
from contacts.views.panels import RecordPanel
from crmcem.lib.activities import ACTORS
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.keyset import Order, keyset_page
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import close_modal, go, is_fragment, render_page, trigger

SIZE = 6


class LifecyclePanel(RecordPanel):
    """The stage of today and since when; below it each change, who made it and why."""

    template = "contacts/panel_lifecycle.html"

    def related(self) -> tuple[str, ...]:
        return ("pulse",)

    def context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        user: Any = request.user
        rows = record.lifecycle_changes.all()
        page = keyset_page(rows, Order("id", descending=True), request.GET.get("cursor"), SIZE)
        actors = names_of({(row.actor_kind, row.actor_id) for row in page.rows})
        for row in page.rows:
            row.who = actors.get((row.actor_kind, row.actor_id)) or ACTORS.get(row.actor_kind, row.actor_kind)
            row.old, row.new = stage(row.from_stage), stage(row.to_stage)
        return {
            "rows": page.rows,
            "stage": stage(record.lifecycle_stage),
            "pulse": getattr(record, "pulse", None),
            "older_url": f"{request.path}?cursor={page.next}" if page.next else "",
            "can_write": user.may("contacts:write"),
        }

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.GET.get("cursor"):
            self.template = "contacts/panel_lifecycle_rows.html"
        return super().get(request, pk)


class StageForm(forms.Form):
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    lifecycle_stage = forms.ChoiceField(label=gettext_lazy("Lifecycle stage"), choices=Lifecycle.choices)
    lifecycle_reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        required=False,
        help_text=gettext_lazy("It stands in the history of this person."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class StageChange(ScopedView, View):
    """The small form that changes the stage."""

    scope = "contacts:write"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        contact = seen(Contact.objects.defer("search_text"), request, pk)
        return self.show(request, contact, StageForm(auto_id="stage_%s", initial=vars(contact)))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        contact = seen(Contact.objects.defer("search_text"), request, pk)
        form = StageForm(request.POST, auto_id="stage_%s")
        if not form.is_valid():
            return self.show(request, contact, form)
        data = {name: form.cleaned_data[name] for name in ("lifecycle_stage", "lifecycle_reason")}
        version = number(form.cleaned_data["version"])
        try:
            contact_update(contact=contact, data=data, actor=self.actor, expected_version=version)
        except DomainError as error:
            put_errors(form, error)
            return self.show(request, contact, form)
        except StaleWrite:
            copy = request.POST.copy()
            copy["version"] = str(contact.version)
            return self.show(request, contact, StageForm(copy, auto_id="stage_%s"), stale=True)
        if not is_fragment(request):
            return go(request, reverse("contacts:contact", args=[pk]))
        response = close_modal(_("Saved."), refresh="")
        return trigger(response, timeline=True, facts=True, panel_contact_lifecycle=True)

    def show(self, request: HttpRequest, contact: Contact, form: StageForm, **more: Any) -> HttpResponse:
        context = {
            "record": contact,
            "form": form,
            "title": _("Change the stage"),
            "action": request.path,
            "save_label": _("Save"),
            "back_url": reverse("contacts:contact", args=[contact.pk]),
        }
        status = 422 if form.is_bound else 200
        return render_page(
            request, "contacts/part_page.html", context | more, "contacts/part_form.html", status=status
        )
