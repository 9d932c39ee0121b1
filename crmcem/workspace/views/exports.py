"""A person's exports: the list, the page of one while its file is made, and the file."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views import View

from crmcem.lib.actors import person
from crmcem.lib.keyset import Order, keyset_page
from crmcem.lib.web.htmx import is_fragment, render_page
from crmcem.workspace.models import Export
from crmcem.workspace.policies import user_of
from crmcem.workspace.services.exports import export_cancel

SHOWN = 50
TONES = {
    "queued": ("blue", "hourglass"),
    "running": ("blue", "loader"),
    "done": ("green", "check"),
    "failed": ("red", "alert-triangle"),
    "cancelled": ("grey", "ban"),
}


class ExportView(LoginRequiredMixin, View):
    def export(self, pk: int) -> Export:
        row: Export = get_object_or_404(Export.objects.visible_to(user_of(self.request)), pk=pk)
        return row

    def page(self, export: Export) -> HttpResponse:
        total = max(export.rows_estimated or 0, export.rows_done, 1)
        context: dict[str, Any] = {
            "export": export,
            "tone": TONES[export.status],
            "percent": min(99, 100 * export.rows_done // total),
        }
        response = render_page(self.request, "workspace/export.html", context, "workspace/export_body.html")
        response["Cache-Control"] = "no-store"
        return response


class ExportList(LoginRequiredMixin, View):
    """One's own exports, newest first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        rows = Export.objects.visible_to(user_of(request))
        page = keyset_page(rows, Order("id", descending=True), request.GET.get("cursor"), SHOWN)
        for row in page.rows:
            row.tone = TONES[row.status]
        return render_page(request, "workspace/exports.html", {"page": page})


class ExportPage(ExportView):
    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.page(self.export(pk))


class ExportCancel(ExportView):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        export = export_cancel(export=self.export(pk), actor=person(user_of(request)))
        return self.page(export) if is_fragment(request) else redirect("workspace:export", pk)


class ExportFile(ExportView):
    """The file, for its owner alone and only while the role still allows exports."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        export = self.export(pk)
        if not user_of(request).may(export.scope):
            raise PermissionDenied
        name = export.file.name or ""
        if not export.has_file or not export.file.storage.exists(name):
            return redirect("workspace:export", pk)  # it says why there is none
        kind = "text/vcard" if name.endswith(".vcf") else "text/csv"
        response = FileResponse(
            export.file.open("rb"), as_attachment=True, filename=export.file_name, content_type=kind
        )
        response["X-Content-Type-Options"] = "nosniff"
        response["Cache-Control"] = "no-store"
        return response
