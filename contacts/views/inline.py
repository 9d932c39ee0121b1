"""Changing one field of a record in place. The version is that of when the input was opened."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from contacts.custom.definitions import active
from contacts.models import Company, Contact
from contacts.views.common import number, seen
from contacts.views.fields import HIDEABLE, EditField, entity_of, fields_of, item, update, with_links
from contacts.views.lookup import name_chosen
from crmcem.lib.errors import DomainError, NotAllowed, StaleWrite
from crmcem.lib.visibility import mark_hidden
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import go, is_fragment, render_page, toast, trigger

#: panels that show the same as a field, or its history
TOUCHED = {
    "email": ("panel_contact_points",),
    "phone": ("panel_contact_points", "panel_company_details"),
    "company": ("panel_contact_employments",),
    "job_title": ("panel_contact_employments",),
    "lifecycle_stage": ("panel_contact_lifecycle",),
    "domain": ("panel_company_domains",),
    "parent": ("panel_company_tree",),
}


class FieldEdit(ScopedView, View):
    """GET: the field's input (``?cancel`` gives the value back). POST: save it, or say why not."""

    scope, write_scope = "contacts:read", "contacts:write"
    model: Any = Contact
    page = "contacts:contact"

    def get(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        row, field = self.record(request, pk, name)
        if "cancel" in request.GET:
            return self.value(request, row, field)
        self.allowed(request, field)
        return self.editor(request, row, field, self.form(row, field), row.version)

    def post(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        row, field = self.record(request, pk, name)
        self.allowed(request, field)
        form = self.form(row, field, request.POST)
        version = number(request.POST.get("version"))
        if not form.is_valid():
            return self.editor(request, row, field, form, version)
        try:
            row = update(row, name, form.cleaned_data["value"], version, self.actor)
        except DomainError as error:
            for each in error.errors:
                form.add_error("value", each.detail)
            return self.editor(request, row, field, form, version)
        except StaleWrite:
            return self.stale(request, pk, field, form)
        row = (
            self.record(request, pk, name)[0]
            if name in HIDEABLE[self.model]
            else with_links(row, request.user)
        )
        response = self.value(request, row, field)
        reached = dict.fromkeys(TOUCHED.get(name, ()), True)
        if any(each.computed for each in active(entity_of(self.model)).values()):
            reached[f"panel_{entity_of(self.model)}_details"] = True  # formulas may have changed with it
        return trigger(response, timeline=True, **reached)

    def record(self, request: HttpRequest, pk: int, name: str) -> tuple[Any, EditField]:
        field = fields_of(self.model).get(name)
        if field is None:
            raise Http404
        hideable = HIDEABLE[self.model]
        row = seen(self.model.objects.select_related("owner", *hideable).defer("search_text"), request, pk)
        if name in hideable:
            mark_hidden([row], request.user, *hideable)
        return with_links(row, request.user), field

    def allowed(self, request: HttpRequest, field: EditField) -> None:
        user: Any = request.user
        if field.computed:
            raise Http404
        for scope in ("contacts:write", field.scope):
            if not user.may(scope):
                raise NotAllowed(scope)

    def form(self, row: Any, field: EditField, data: Any = None) -> forms.Form:
        form = forms.Form(data, auto_id=f"field_{field.key}_%s", initial={"value": field.value(row)})
        form.fields["value"] = field.input(row)
        form.fields["value"].label = field.label
        widget: Any = form.fields["value"].widget
        css = (
            "form-select form-select-sm"
            if isinstance(widget, forms.Select)
            else "form-control form-control-sm"
        )
        widget.attrs |= {"class": css, "autofocus": True, "aria-label": str(field.label)}
        if data is not None:
            name_chosen(form, self.request.user)
        return form

    def stale(self, request: HttpRequest, pk: int, field: EditField, form: forms.Form) -> HttpResponse:
        """Somebody was faster: what they saved is shown, what was typed stays, saving again is a decision."""
        row = self.record(request, pk, field.key)[0]
        form.add_error(
            "value",
            _("Somebody else changed this record meanwhile. What you typed is kept; save again to store it."),
        )
        response = self.editor(request, row, field, form, row.version, now=field.show(row))
        return toast(response, _("Not saved: the record changed meanwhile."), "warning")

    def editor(
        self,
        request: HttpRequest,
        row: Any,
        field: EditField,
        form: forms.Form,
        version: Any,
        now: Any = None,
    ) -> HttpResponse:
        context = {"record": row, "field": field, "form": form, "version": version, "now": now}
        status = 422 if form.is_bound else 200
        return render_page(
            request, "contacts/field_page.html", context, "contacts/field_edit.html", status=status
        )

    def value(self, request: HttpRequest, row: Any, field: EditField) -> HttpResponse:
        if not is_fragment(request):
            return go(request, reverse(self.page, args=[row.pk]))
        context = {"record": row, "item": item(row, field, request.user), "focus": True}
        response = render_page(request, "contacts/field.html", context)
        response["ETag"] = f'"{row.version}"'
        return response


class CompanyFieldEdit(FieldEdit):
    model, page = Company, "contacts:company"
