"""Imports on the web: the list, a new file, and the page of one import from its draft to its end."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from contacts.filters import ImportFilter
from contacts.importing.report import error_lines
from contacts.models import ImportJob, ImportKept, ImportRowError
from contacts.selectors.import_alike import alike_of
from contacts.services.imports import ENDED, import_cancel, import_create, import_undo
from contacts.views.duplicates import reasons
from contacts.views.import_mapping import MappingPage
from contacts.views.import_report import left_out_of, lines_of
from contacts.views.import_words import MODES, kept_rows, progress, sentences, status_tag, undo_words
from crmcem.lib.errors import Conflict, DomainError
from crmcem.lib.keyset import Order, keyset_page
from crmcem.lib.web import cells
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.columns import Column
from crmcem.lib.web.htmx import go, is_fragment, render_page
from crmcem.lib.web.lists import Empty, ListPage

job_url = cells.url_maker("contacts:import-job")
OPEN = {
    ImportJob.Status.CHECKING,
    ImportJob.Status.QUEUED,
    ImportJob.Status.RUNNING,
    ImportJob.Status.UNDOING,
}
ERRORS_SHOWN = 50


def _badge(job: ImportJob) -> str:
    return cells.badge(*status_tag(job))


def _rows(job: ImportJob) -> str:
    if job.rows_total is None:
        return cells.NONE
    if job.rows_done == job.rows_total:
        return cells.number(job.rows_total)
    return _("%(done)s of %(total)s") % {
        "done": cells.grouped(job.rows_done),
        "total": cells.grouped(job.rows_total),
    }


class ImportList(ListPage):
    entity, title, scope = "import", gettext_lazy("Imports"), "imports:read"
    count_label = gettext_lazy("imports")
    filterset_class = ImportFilter
    filter_fields = ["object", "status"]
    search_param = ""
    orderings = [Order("id")]
    columns = [
        Column(
            "file", gettext_lazy("File"), lambda j: cells.main_link(job_url(j.pk), j.file_name), phone=True
        ),
        Column("status", gettext_lazy("Status"), _badge, phone=True),
        Column("object", gettext_lazy("Records"), lambda j: j.get_object_display()),
        Column("rows", gettext_lazy("Rows"), _rows, css="num"),
        Column("created", gettext_lazy("Created"), lambda j: cells.number(j.created), css="num"),
        Column("updated", gettext_lazy("Updated"), lambda j: cells.number(j.updated), css="num"),
        Column("failed", gettext_lazy("Refused"), lambda j: cells.number(j.failed), css="num"),
        Column("owner", gettext_lazy("By"), lambda j: cells.person(j.owner)),
        Column("at", gettext_lazy("Started"), lambda j: cells.moment(j.created_at), sort="id"),
        Column("mode", gettext_lazy("Mode"), lambda j: j.get_mode_display(), default=False),
    ]
    create_url_name, create_label, create_scope = (
        "contacts:import",
        gettext_lazy("New import"),
        "imports:write",
    )
    empty = Empty(
        "file-import",
        gettext_lazy("No imports yet"),
        gettext_lazy(
            "Bring contacts and companies in from a spreadsheet. You see what will happen before anything is written."
        ),
        gettext_lazy("Choose a file"),
        "contacts:import",
        "imports:write",
        gettext_lazy(
            "Example: a CSV with the columns E-mail, First name, Last name, Company. Names of columns are guessed."
        ),
    )

    def rows(self) -> QuerySet[Any]:
        return ImportJob.objects.visible_to(self.request.user).select_related("owner").defer("error")


class NewImportForm(forms.Form):
    file = forms.FileField(label=gettext_lazy("File"), allow_empty_file=True, max_length=1000)
    object = forms.ChoiceField(
        label=gettext_lazy("What is in it?"),
        choices=[("contacts", gettext_lazy("Contacts")), ("companies", gettext_lazy("Companies"))],
        initial="contacts",
    )


class NewImport(ScopedView, View):
    """Choose a file; it becomes a draft whose columns are mapped next."""

    scope = write_scope = "imports:write"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(NewImportForm(initial={"object": request.GET.get("object", "contacts")}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = NewImportForm(request.POST, request.FILES)
        if form.is_valid():
            data = form.cleaned_data
            try:
                job = import_create(file=data["file"], kind=data["object"], actor=self.actor, start=False)
            except DomainError as error:
                for each in error.errors:
                    form.add_error(each.field if each.field in form.fields else None, each.detail)
            else:
                return redirect("contacts:import-job", job.pk)
        return self.page(form, 422)

    def page(self, form: NewImportForm, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "limit": settings.IMPORT_MAX_BYTES,
            "limit_mb": settings.IMPORT_MAX_BYTES // 1_000_000,
        }
        return render_page(self.request, "contacts/import_new.html", context, status=status)


class JobView(ScopedView, View):
    """What the pages of one import share: the import, if I may see it."""

    scope, write_scope = "imports:read", "imports:write"

    def job(self, pk: int) -> ImportJob:
        rows = ImportJob.objects.visible_to(self.request.user).select_related("owner")
        job: ImportJob = get_object_or_404(rows, pk=pk)
        return job


class ImportJobPage(JobView):
    """A draft shows its mapping and a preview; a started import its progress, its end and its refused rows."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self.job(pk)
        if job.status == ImportJob.Status.DRAFT and is_fragment(
            request
        ):  # a dry run has ended while it was watched
            return go(request, reverse("contacts:import-job", args=[job.pk]))
        if job.status == ImportJob.Status.DRAFT:
            return MappingPage(request, job, self.actor).show()
        return self.show(job)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        """``check`` shows the preview for the chosen mapping, ``check-all`` is a dry run, ``start`` starts it."""
        job = self.job(pk)
        if job.status != ImportJob.Status.DRAFT:
            return go(request, reverse("contacts:import-job", args=[job.pk]))
        page = MappingPage(request, job, self.actor)
        actions = {
            "start": page.start,
            "sheet": page.choose_sheet,
            "check-all": page.check_all,
            "mend": page.mend,
            "guess": page.guess,
        }
        return actions.get(request.POST.get("_action", ""), page.show)()

    def show(self, job: ImportJob) -> HttpResponse:
        context: dict[str, Any] = {
            "job": job,
            "open": job.status in OPEN,
            "tag": status_tag(job),
            "mode": MODES[job.mode],
            "progress": progress(job),
            "sentences": sentences(job),
            "may_write": self.request.user.may("imports:write"),  # type: ignore[union-attr]
            "mapped": [(column, job.mapping[column]) for column in job.columns if job.mapping.get(column)],
            "unmapped": [column for column in job.columns if not job.mapping.get(column)],
        }
        if (job.created or job.updated) and job.status != ImportJob.Status.UNDONE:
            listed = "contacts:companies" if job.object == "companies" else "contacts:list"
            context["records_url"] = reverse(listed)
        if job.status in ENDED and (job.created or job.updated):
            context["undo_words"] = undo_words(job)
        if job.status == ImportJob.Status.DONE and job.created:
            context["alike"] = alike_of(job, self.request.user)
            for pair in context["alike"]["pairs"]:
                pair["why"] = reasons(pair["reasons"])
        if job.kept:
            context |= self.kept(job)
        elif job.failed:
            context |= self.refused(job)
        if job.status != ImportJob.Status.UNDONE:
            context |= left_out_of(job, job.left_out)
        response = render_page(
            self.request, "contacts/import_job.html", context, "contacts/import_job_body.html"
        )
        response["Cache-Control"] = "no-store"
        return response

    def kept(self, job: ImportJob) -> dict[str, Any]:
        """A page of the records that undoing has left as they are; a name only where I may see the record."""
        page = keyset_page(
            ImportKept.objects.filter(job=job), Order("id"), self.request.GET.get("cursor"), ERRORS_SHOWN
        )
        return {"kept_rows": kept_rows(page.rows, self.request.user), "page": page}

    def refused(self, job: ImportJob) -> dict[str, Any]:
        """A page of the refused rows; the cell that is to blame stands beside its reason."""
        rows = ImportRowError.objects.filter(job=job, left_out=False)
        page = keyset_page(rows, Order("id"), self.request.GET.get("cursor"), ERRORS_SHOWN)
        return {"errors": lines_of(job, page.rows), "page": page}


class CancelImport(JobView):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = import_cancel(job=self.job(pk), actor=self.actor)
        if is_fragment(request):
            page = ImportJobPage()
            page.setup(request, pk=pk)
            return page.show(self.job(job.pk))
        return redirect("contacts:import-job", job.pk)


class UndoImport(JobView):
    """Take an ended import back; its page shows how far that has come."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self.job(pk)
        try:
            import_undo(job=job, actor=self.actor)
        except Conflict as error:
            messages.error(request, error.detail)
        return redirect("contacts:import-job", job.pk)


class ImportErrors(JobView):
    """The refused rows as CSV: mend them in a spreadsheet and send the file again."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        job = self.job(pk)
        response = StreamingHttpResponse(error_lines(job), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="import-{job.pk}-errors.csv"'
        response["X-Content-Type-Options"] = "nosniff"
        return response
