"""Files of a record: a panel to look at and add them, the download, and taking one away."""

from django import forms
from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from contacts.models import Attachment, Follower
from contacts.services.attachments import about_of, attachment_add, attachments_remove
from contacts.services.following import follow, unfollow
from contacts.services.on_records import On, record_on, scope_of
from contacts.services.parts import MOST
from contacts.views.common import put_errors, seen
from crmcem.lib.errors import DomainError
from crmcem.lib.references import references
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import go, is_fragment, render_page, toast, trigger
from crmcem.workspace.policies import can, user_of
from crmcem.workspace.trashing import Deletion, say_with_undo, with_undo

_ICONS = {"application/pdf": "file-type-pdf", "text/plain": "file-text"}
_PAGES = {"contact": "contacts:contact", "company": "contacts:company"}


def page_of(about: str, pk: int) -> str:
    """The page of a record that carries files."""
    return reverse(_PAGES[about], args=[pk]) if about in _PAGES else references[about].url(pk)


def _icon(kind: str) -> str:
    return "photo" if kind.startswith("image/") else _ICONS.get(kind, "file")


class UploadForm(forms.Form):
    file = forms.FileField(label=gettext_lazy("File"), max_length=1000, allow_empty_file=True)
    note = forms.CharField(label=gettext_lazy("Note"), max_length=300, required=False)


class Files(ScopedView, View):
    """GET the panel, POST a file. What either needs depends on the kind of record: ``record_on`` asks for it."""

    def get(self, request: HttpRequest, about: str, pk: int) -> HttpResponse:
        return self.show(request, record_on(about, pk, self.actor), UploadForm())

    def post(self, request: HttpRequest, about: str, pk: int) -> HttpResponse:
        on = record_on(about, pk, self.actor, write=True)
        form = UploadForm(request.POST, request.FILES)
        if form.is_valid():
            data = form.cleaned_data
            try:
                attachment_add(file=data["file"], on=on, actor=self.actor, note=data["note"])
            except DomainError as error:
                put_errors(form, error)
            else:
                if not is_fragment(request):
                    return go(request, page_of(about, pk))
                response = self.show(request, on, UploadForm())
                toast(response, _("Added."))
                return trigger(response, timeline=True)
        return self.show(request, on, form)

    def show(self, request: HttpRequest, on: On, form: UploadForm) -> HttpResponse:
        rows = list(Attachment.objects.filter(**on.columns).select_related("uploaded_by")[:MOST])
        context = {
            "record": on.label,
            "panel_template": "contacts/panel_files.html",
            "files": [(row, _icon(row.content_type), filesizeformat(row.size)) for row in rows],
            "form": form,
            "upload_url": reverse("contacts:files", args=[on.about, on.pk]),
            "limit": f"{settings.ATTACHMENT_MAX_BYTES // 1_000_000} MB",
            "can_write": can(self.actor, scope_of(on.about, write=True)),
        }
        status = 422 if form.is_bound else 200
        return render_page(
            request, "contacts/panel_page.html", context, "contacts/panel_files.html", status=status
        )


def answer(row: Attachment) -> FileResponse:
    """The file as a download, of the kind that its bytes are; a browser shows or runs none of it."""
    try:
        stream = row.file.open("rb")
    except FileNotFoundError:
        raise Http404 from None
    response = FileResponse(stream, as_attachment=True, filename=row.name, content_type=row.content_type)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


class _OfFile(ScopedView, View):
    def file(self, request: HttpRequest, pk: int) -> Attachment:
        row: Attachment = seen(Attachment.objects.all(), request, pk)
        return row


class Download(_OfFile):
    """For those who may see the record."""

    scope = "contacts:read"

    def get(self, request: HttpRequest, pk: int) -> FileResponse:
        return answer(self.file(request, pk))


class Remove(_OfFile):
    """POST only; it can be undone for half an hour."""

    scope = "contacts:read"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self.file(request, pk)
        about, record = about_of(row), row.contact_id or row.company_id or row.subject_id or 0
        path, words = page_of(about, record), _("“%(name)s” is removed.") % {"name": row.name}
        deletion = Deletion(
            Attachment, "attachment", "", scope_of(about, write=True), "", service=attachments_remove
        )
        _count, kept = deletion.delete([row.pk], self.actor, path=path, title=row.name)
        if not is_fragment(request):
            say_with_undo(request, words, kept)
            return go(request, path)
        response = trigger(HttpResponse(status=204), timeline=True, **{f"panel_{about}_files": True})
        return with_undo(response, words, kept)


class Follow(ScopedView, View):
    """GET the button, POST to follow or to stop: whoever may see a record may follow it."""

    def get(self, request: HttpRequest, about: str, pk: int) -> HttpResponse:
        return self.show(request, record_on(about, pk, self.actor))

    def post(self, request: HttpRequest, about: str, pk: int) -> HttpResponse:
        on = record_on(about, pk, self.actor)
        if not unfollow(on=on, actor=self.actor):
            follow(on=on, actor=self.actor)
        if not is_fragment(request):
            return go(request, page_of(about, pk))
        return self.show(request, on)

    def show(self, request: HttpRequest, on: On) -> HttpResponse:
        people = list(Follower.objects.filter(**on.columns).select_related("user").order_by("id")[:50])
        context = {
            "record": on.label,
            "panel_template": "contacts/follow.html",
            "follow_url": reverse("contacts:follow", args=[on.about, on.pk]),
            "mine": any(row.user_id == user_of(request).pk for row in people),
            "people": people,
        }
        return render_page(request, "contacts/panel_page.html", context, "contacts/follow.html")
