"""The page of one edit of many records: its progress, what could not be changed, and taking it back."""

import datetime as dt
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views import View

from crmcem.lib.actors import person
from crmcem.lib.errors import DomainError
from crmcem.lib.web.htmx import is_fragment, render_page, toast, trigger
from crmcem.workspace.editing import automations_said, undone_toast
from crmcem.workspace.models import BulkEdit
from crmcem.workspace.policies import user_of
from crmcem.workspace.services.edits import edit_cancel, edit_undo

#: runs of automations begin a moment after what they answer to: so long their number is looked at again
WATCHED = dt.timedelta(minutes=1)
TONES = {
    "queued": ("blue", "hourglass"),
    "running": ("blue", "loader"),
    "done": ("green", "check"),
    "failed": ("red", "alert-triangle"),
    "cancelled": ("grey", "ban"),
    "undoing": ("blue", "arrow-back-up"),
    "undone": ("grey", "arrow-back-up"),
}


def edit_context(edit: BulkEdit, user: Any) -> dict[str, Any]:
    """What ``workspace/edit_body.html`` shows, here and in pages that start edits of their own."""
    undoing = edit.status == BulkEdit.Status.UNDOING
    done, total = (edit.restored, edit.changed) if undoing else (edit.rows_done, edit.rows_total)
    return {
        "edit": edit,
        "tone": TONES[edit.status],
        "percent": min(99, 100 * done // max(total, done, 1)),
        "same": edit.rows_done - edit.changed - edit.failed,
        "kept": edit.changed - edit.restored,
        **automations_context(edit, user),
    }


def automations_context(edit: BulkEdit, user: Any) -> dict[str, Any]:
    """What an undo does not reach, and whether more of it may come."""
    said = automations_said(edit, user)
    fresh = edit.finished_at is not None and edit.finished_at > timezone.now() - WATCHED
    return {"edit": edit, "automations": said, "watched": bool(said and fresh)}


class EditView(LoginRequiredMixin, View):
    def edit(self, pk: int) -> BulkEdit:
        row: BulkEdit = get_object_or_404(BulkEdit.objects.visible_to(user_of(self.request)), pk=pk)
        return row

    def page(self, edit: BulkEdit, error: str = "") -> HttpResponse:
        context = {**edit_context(edit, user_of(self.request)), "error": error}
        response = render_page(self.request, "workspace/edit.html", context, "workspace/edit_body.html")
        response["Cache-Control"] = "no-store"
        return response if edit.is_open else trigger(response, list=True)


class EditPage(EditView):
    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        edit = self.edit(pk)
        if request.GET.get("_part") == "automations":
            context = automations_context(edit, user_of(request))
            response = render(request, "workspace/edit_automations.html", context)
            response["Cache-Control"] = "no-store"
            return response
        return self.page(edit)


class EditCancel(EditView):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        edit = edit_cancel(edit=self.edit(pk), actor=person(user_of(request)))
        return self.page(edit) if is_fragment(request) else redirect("workspace:edit", pk)


class EditUndo(EditView):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        found, error = self.edit(pk), ""
        try:
            found = edit_undo(edit=found, actor=person(user_of(request)))
        except DomainError as refused:
            error = refused.errors[0].detail
        if request.GET.get("toast") == "1" and is_fragment(request):
            return self.told(found, error)
        if not is_fragment(request) and not error:
            return redirect("workspace:edit", pk)
        return self.page(found, error)

    def told(self, edit: BulkEdit, error: str) -> HttpResponse:
        """The answer to a click in a message is a message."""
        response = HttpResponse(status=204)
        if error:
            return toast(response, error, "error")
        return trigger(response, toast=undone_toast(edit, user_of(self.request)), list=True)
