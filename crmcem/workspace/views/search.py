"""The palette: records, pages and commands that match what is typed."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from crmcem.lib import nav
from crmcem.lib.search import search
from crmcem.lib.typos import plain
from crmcem.lib.web.htmx import render_page
from crmcem.workspace.policies import user_of
from crmcem.workspace.services.marks import favourites, recents

MAX_LENGTH = 200
#: pages that stand in the menu of the person, not in the navigation
OWN = (
    (gettext_lazy("Profile and settings"), "user-circle", "workspace:profile"),
    (gettext_lazy("My exports"), "file-export", "workspace:exports"),
    (gettext_lazy("Deleted and changed lately"), "trash", "workspace:trash"),
    (gettext_lazy("Notifications"), "bell", "workspace:notifications"),
)


class Search(LoginRequiredMixin, View):
    """``?q=``: a fragment for the palette, a page of its own without JavaScript."""

    def get(self, request: HttpRequest) -> HttpResponse:
        text = request.GET.get("q", "").replace("\x00", "").strip()[:MAX_LENGTH]
        user = user_of(request)
        context: dict[str, Any] = {"text": text, "pages": self.pages(text), "groups": search(text, user)}
        # Records that are only similar to what is typed come after the pages whose names begin so.
        found = context["groups"]
        context["pages_first"] = bool(text and context["pages"]) and not (found and found[0][1][0].score >= 1)
        if not text:
            mine = [(_("Favourites"), favourites(user, 6)), (_("Recently opened"), recents(user, 8))]
            context["mine"] = [(label, rows) for label, rows in mine if rows]
        return render_page(request, "workspace/search.html", context, "workspace/search_results.html")

    def pages(self, text: str) -> list[dict[str, Any]]:
        """Pages and create commands whose every typed word begins one of their words."""
        words = plain(text).split()
        found = []
        for item in nav.navigation(user_of(self.request).may, ""):
            entry = item["entry"]
            if item["create_url"]:
                label = _("Create: %(what)s") % {"what": entry.create_label}
                found.append(
                    {"label": label, "icon": "plus", "url": item["create_url"], "also": _("new add")}
                )
            hint = f"g {entry.shortcut}" if entry.shortcut else ""
            found.append({"label": entry.label, "icon": entry.icon, "url": item["url"], "hint": hint})
        found += [{"label": str(label), "icon": icon, "url": reverse(name)} for label, icon, name in OWN]
        found = [page for page in found if _matches(words, f"{page['label']} {page.get('also', '')}")]
        found.sort(key=lambda page: page["icon"] == "plus")
        return found if words else found[:12]


def _matches(words: list[str], label: str) -> bool:
    own = plain(label).split()
    return all(any(part.startswith(word) for part in own) for word in words)
