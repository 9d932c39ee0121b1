"""The star on record pages, and the favourites in the navigation."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View

from crmcem.lib.web.htmx import trigger
from crmcem.workspace.policies import user_of
from crmcem.workspace.services.marks import favourites, mark_seen, mark_star


def _record(request: HttpRequest) -> dict[str, Any]:
    text = request.POST.get("id", "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Http404
    return {"kind": request.POST.get("kind", "")[:20], "record_id": int(text)}


class Seen(LoginRequiredMixin, View):
    """The page of a record is open: note it, and answer its star."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        row = mark_seen(user=user_of(request), **_record(request))
        return render(request, "workspace/star.html", {"mark": row})


class Star(LoginRequiredMixin, View):
    """Star a record or take the star away (``on`` is ``1`` or empty)."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        on = request.POST.get("on") == "1"
        row = mark_star(user=user_of(request), on=on, **_record(request))
        return trigger(render(request, "workspace/star.html", {"mark": row}), marks=True)


class Favourites(LoginRequiredMixin, View):
    """The starred records, for the navigation."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "workspace/favourites.html", {"rows": favourites(user_of(request))})
