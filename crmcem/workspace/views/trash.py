"""What one has deleted lately, and how it comes back."""

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import View

from crmcem.lib.actors import person
from crmcem.lib.web.htmx import close_modal, is_fragment, render_page
from crmcem.workspace.models import BulkEdit, Trash
from crmcem.workspace.policies import user_of
from crmcem.workspace.services.trash import trash_restore

SHOWN = 100


class TrashList(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        rows = Trash.objects.visible_to(user_of(request)).defer("data")[:SHOWN]
        edits = BulkEdit.objects.visible_to(user_of(request)).filter(
            expires_at__gt=timezone.now(), changed__gt=0
        )
        edits = edits.exclude(model__startswith="send:")  # what is sent can't be brought back
        context = {
            "rows": rows,
            "edits": edits.defer("ids", "value", "failures")[:SHOWN],
            "title": _("Deleted and changed lately"),
        }
        return render_page(request, "workspace/trash.html", context)


class TrashRestore(LoginRequiredMixin, View):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        kept = trash_restore(pk=pk, actor=person(user_of(request)))
        text = ngettext("%(count)d record is back.", "%(count)d records are back.", kept.count) % {
            "count": kept.count
        }
        if is_fragment(request):
            return close_modal(text, refresh="list")
        messages.success(request, text)
        return redirect(kept.path)
