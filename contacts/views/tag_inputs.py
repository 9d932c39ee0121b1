"""The input of several tags: while one is typed, those that begin like it are proposed."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views import View

from contacts.selectors.tags import give_counts, proposals
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import render_page


class TagsInput(forms.TextInput):
    """A text with commas between the tags; ``static/js/lookup.js`` completes the one that is being typed."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        from django.template.loader import render_to_string

        context = self.get_context(name, value, attrs)
        widget = context["widget"]
        list_id = f"{widget['attrs'].get('id') or name}_list"
        widget["attrs"] |= {
            "role": "combobox",
            "aria-expanded": "false",
            "aria-autocomplete": "list",
            "aria-controls": list_id,
            "autocomplete": "off",
        }
        more = {"tags_url": reverse("contacts:tag-proposals"), "list_id": list_id}
        return render_to_string("contacts/tags_input.html", context | more)


class TagProposals(ScopedView, View):
    """``?q=``: tags that begin like it, the most used first."""

    scope = "contacts:read"

    def get(self, request: HttpRequest) -> HttpResponse:
        text = request.GET.get("q", "").replace("\x00", "").strip()[:60]
        rows = proposals(text, request.user)
        give_counts(rows, request.user)
        return render_page(request, "contacts/tag_options.html", {"rows": rows})
