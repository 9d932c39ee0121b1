"""The palette: records, pages and commands that match what is typed."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views import View

from crmcem.lib import nav
from crmcem.lib.search import search
from crmcem.lib.web.htmx import render_page
from crmcem.workspace.policies import user_of
from crmcem.workspace.services.marks import favourites, recents

MAX_LENGTH = 200


class Search(LoginRequiredMixin, View):
    """``?q=``: a fragment for the palette, a page of its own without JavaScript."""

    def get(self, request: HttpRequest) -> HttpResponse:
        text = request.GET.get("q", "").replace("\x00", "").strip()[:MAX_LENGTH]
        user = user_of(request)
        context: dict[str, Any] = {"text": text, "pages": self.pages(text), "groups": search(text, user)}
        if not text:
            mine = [(_("Favourites"), favourites(user, 6)), (_("Recently opened"), recents(user, 8))]
            context["mine"] = [(label, rows) for label, rows in mine if rows]
        return render_page(request, "workspace/search.html", context, "workspace/search_results.html")

    def pages(self, text: str) -> list[dict[str, Any]]:
        """Pages and create commands whose every typed word begins one of their words."""
        words = text.casefold().split()
        found = []
        for item in nav.navigation(user_of(self.request).may, ""):
            entry = item["entry"]
            if item["create_url"]:
                found.append({"label": entry.create_label, "icon": "plus", "url": item["create_url"]})
            hint = f"g {entry.shortcut}" if entry.shortcut else ""
            found.append({"label": entry.label, "icon": entry.icon, "url": item["url"], "hint": hint})
        found = [page for page in found if _matches(words, str(page["label"]))]
        found.sort(key=lambda page: page["icon"] == "plus")
        return found if words else found[:12]


def _matches(words: list[str], label: str) -> bool:
    own = label.casefold().split()
    return all(any(part.startswith(word) for part in own) for word in words)
