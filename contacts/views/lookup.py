"""Choosing a contact or company by typing a part of its name: a short list, an input that keeps the id."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views import View

from contacts.custom.entities import entities
from contacts.models import Contact
from contacts.selectors.search import COMPANIES, PEOPLE, best
from contacts.views.common import number
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import render_page

LIMIT = 8


class LookupInput(forms.Widget):
    """A hidden id and the text that finds it; ``static/js/lookup.js`` joins the two."""

    template_name = "contacts/lookup_input.html"

    def __init__(self, url_name: str, text: str = "", attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.url_name, self.text = url_name, text

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        return context | {"lookup_url": reverse(self.url_name), "text": self.text if value else ""}

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        from django.template.loader import render_to_string

        return render_to_string(self.template_name, self.get_context(name, value, attrs))


def name_chosen(form: forms.Form, user: Any) -> None:
    """A form that comes back with its faults shows the name of what was chosen, not of what is stored.

    A record that the person may not see has no name here.
    """
    for name, field in form.fields.items():
        widget = field.widget
        if not isinstance(widget, LookupInput):
            continue
        chosen, stored = str(form[name].value() or ""), str(form.initial.get(name) or "")
        if chosen != stored:
            widget.text = _name_of(widget.url_name, chosen, user)


def _name_of(url_name: str, chosen: str, user: Any) -> str:
    pk = number(chosen)
    entity = next((each for each in entities if each.lookup_url_name == url_name), None)
    if pk is None or entity is None:
        return ""
    row = entity.model.objects.visible_to(user).filter(pk=pk).first()
    return "" if row is None else str(row)


class Lookup(ScopedView, View):
    """``?q=``: the best matches that the person may see, as options."""

    scope = "contacts:read"
    model: Any = Contact

    def get(self, request: HttpRequest) -> HttpResponse:
        text = request.GET.get("q", "").replace("\x00", "").strip()[:200]
        searched = PEOPLE if self.model is Contact else COMPANIES
        rows = self.model.objects.visible_to(request.user)
        found = best(searched, rows, text, LIMIT) if text else []
        return render_page(request, "contacts/lookup_options.html", {"rows": found, "text": text})
