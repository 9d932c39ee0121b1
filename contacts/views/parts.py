"""The parts of a record on its page: a panel for each kind, and one small form to add, change and remove them.

A kind of part is a ``Kind``: the rows it shows, the form it needs, the services behind. The views below are the same
for all of them; ``part_urls`` gives each kind its four addresses on the page of its record.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views import View

from contacts.views.common import form_key, number, once, put_errors, seen
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import close_modal, go, is_fragment, render_page, toast, trigger

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a panel. ``text`` and ``note`` are escaped unless they are safe; ``soft`` greys it out."""

    pk: int
    icon: str
    text: Any
    note: Any = ""
    tag: Any = ""
    soft: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """``name`` stands in the URL names (``contact-employments``), ``about`` is ``contact`` or ``company``.

    ``lines(record, user)`` are the rows that the person may see; ``row(record, pk)`` finds one of them; ``form`` takes
    ``(data, user=, record=, row=)``; ``add(record, data, actor)``, ``change(row, data, actor, version)`` and
    ``remove(row, actor)`` call the services.
    """

    name: str
    about: str
    model: Any
    title: Any
    empty: Any
    new: Any
    lines: Callable[[Any, Any], list[Line]]
    row: Callable[[Any, int], Any]
    form: Any
    add: Callable[[Any, Mapping[str, Any], Any], Any]
    change: Callable[[Any, Mapping[str, Any], Any, int | None], Any]
    remove: Callable[[Any, Any], Any]
    warning: Any
    #: further facts of the panel, shown below: a template and what it needs
    more: Callable[[Any, Any], Mapping[str, Any]] = field(default=lambda record, user: {})

    @property
    def page(self) -> str:
        return f"contacts:{self.about}"

    @property
    def url_name(self) -> str:
        return f"contacts:{self.about}-{self.name}"

    @property
    def events(self) -> list[str]:
        """Parts of the page that load again after a change."""
        return [f"panel_{self.about}_{name}" for name in (self.name, "details")]


class PartForm(forms.Form):
    """``start_of(row)`` are the values of a stored one; ``places`` the fields of a service's errors that differ."""

    form_key = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Any = None, *, user: Any, record: Any, row: Any = None) -> None:
        self.user, self.record, self.row = user, record, row
        start = {"form_key": form_key()} if row is None else self.start_of(row)
        super().__init__(data, auto_id="part_%s", initial=start)
        self.prepare()

    def prepare(self) -> None:
        """Choices and widgets that need the person or the record."""

    def start_of(self, row: Any) -> dict[str, Any]:
        names = [name for name in self.base_fields if name != "form_key"]
        return {name: getattr(row, name) for name in names}

    def data_for_service(self) -> dict[str, Any]:
        return {k: v for k, v in self.cleaned_data.items() if k not in {"form_key", "version"}}


class PartView(ScopedView, View):
    scope, write_scope = "contacts:read", "contacts:write"
    kind: Kind = None  # type: ignore[assignment] # given by part_urls

    def record(self, request: HttpRequest, pk: int) -> Any:
        return seen(self.kind.model.objects.defer("search_text"), request, pk)

    def part(self, record: Any, pk: int) -> Any:
        """The row, if it hangs on the record and the person may see it (a relationship may hide its other end)."""
        row = self.kind.row(record, pk) if abs(pk) < 2**63 else None
        if row is None or not type(row).objects.visible_to(self.request.user).filter(pk=row.pk).exists():
            raise Http404
        return row

    def done(self, request: HttpRequest, record: Any, text: Any) -> HttpResponse:
        """Close the form; header, timeline and this panel load again."""
        if not is_fragment(request):
            return go(request, reverse(self.kind.page, args=[record.pk]))
        response = close_modal(text, refresh="")
        return trigger(response, timeline=True, facts=True, **dict.fromkeys(self.kind.events, True))

    def show(
        self, request: HttpRequest, record: Any, form: PartForm, row: Any = None, **more: Any
    ) -> HttpResponse:
        kind = self.kind
        args = [record.pk] if row is None else [record.pk, row.pk]
        context = {
            "record": record,
            "form": form,
            "row": row,
            "title": kind.new if row is None else kind.title,
            "action": reverse(f"{kind.url_name}-{'new' if row is None else 'edit'}", args=args),
            "remove_url": reverse(f"{kind.url_name}-remove", args=args) if row is not None else "",
            "warning": kind.warning,
            "back_url": reverse(kind.page, args=[record.pk]),
        }
        status = 422 if form.is_bound else 200
        return render_page(
            request, "contacts/part_page.html", context | more, "contacts/part_form.html", status=status
        )


class PartPanel(PartView):
    """The rows as a panel of the record's page."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        user: Any = request.user
        record, kind = self.record(request, pk), self.kind
        context = {
            "record": record,
            "panel_template": "contacts/panel_parts.html",
            "title": kind.title,
            "empty": kind.empty,
            "new": kind.new,
            "lines": [
                (line, reverse(f"{kind.url_name}-edit", args=[pk, line.pk]))
                for line in kind.lines(record, user)
            ],
            "new_url": reverse(f"{kind.url_name}-new", args=[pk]),
            "can_write": user.may("contacts:write"),
            **kind.more(record, user),
        }
        return render_page(request, "contacts/panel_page.html", context, context["panel_template"])


class PartNew(PartView):
    scope = "contacts:write"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        record = self.record(request, pk)
        return self.show(request, record, self.kind.form(user=request.user, record=record))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        record = self.record(request, pk)
        form = self.kind.form(request.POST, user=request.user, record=record)
        if form.is_valid():
            try:
                once(request, lambda: self.make(record, form))
            except DomainError as error:
                put_errors(form, error)
            else:
                return self.done(request, record, _("Added."))
        return self.show(request, record, form)

    def make(self, record: Any, form: PartForm) -> str:
        self.kind.add(record, form.data_for_service(), self.actor)
        return reverse(self.kind.page, args=[record.pk])


class PartEdit(PartView):
    scope = "contacts:write"

    def get(self, request: HttpRequest, pk: int, item: int) -> HttpResponse:
        record = self.record(request, pk)
        row = self.part(record, item)
        return self.show(request, record, self.kind.form(user=request.user, record=record, row=row), row)

    def post(self, request: HttpRequest, pk: int, item: int) -> HttpResponse:
        record = self.record(request, pk)
        row = self.part(record, item)
        form = self.kind.form(request.POST, user=request.user, record=record, row=row)
        if form.is_valid():
            try:
                version = number(form.cleaned_data["version"])
                self.kind.change(row, form.data_for_service(), self.actor, version)
            except DomainError as error:
                put_errors(form, error)
            except StaleWrite:
                return self.stale(request, record, item)
            else:
                return self.done(request, record, _("Saved."))
        return self.show(request, record, form, row)

    def stale(self, request: HttpRequest, record: Any, item: int) -> HttpResponse:
        """What was typed stays; saving again is a decision."""
        row = self.part(record, item)
        copy = request.POST.copy()
        copy["version"] = str(row.version)
        form = self.kind.form(copy, user=request.user, record=record, row=row)
        form.is_valid()
        return self.show(request, record, form, row, stale=True)


class PartRemove(PartView):
    """POST only."""

    scope = "contacts:write"

    def post(self, request: HttpRequest, pk: int, item: int) -> HttpResponse:
        record = self.record(request, pk)
        row = self.part(record, item)
        try:
            self.kind.remove(row, self.actor)
        except DomainError as error:
            response = HttpResponse(status=204)
            return toast(response, " ".join(each.detail for each in error.errors), "error")
        return self.done(request, record, _("Removed."))


def part_urls(kind: Kind) -> list[URLPattern]:
    """The panel, the empty form, the form of one and its removal, below the record's own address."""
    base = f"{'contacts' if kind.about == 'contact' else 'companies'}/<int:pk>/{kind.name}/"
    name = f"{kind.about}-{kind.name}"
    return [
        path(base, PartPanel.as_view(kind=kind), name=name),
        path(f"{base}new/", PartNew.as_view(kind=kind), name=f"{name}-new"),
        path(f"{base}<int:item>/", PartEdit.as_view(kind=kind), name=f"{name}-edit"),
        path(f"{base}<int:item>/remove/", PartRemove.as_view(kind=kind), name=f"{name}-remove"),
    ]


def of(model: Any, name: str = "contact", *related: str) -> Callable[[Any, int], Any]:
    """Finds a row of ``model`` by its id among those of a record."""

    def find(record: Any, pk: int) -> Any:
        return model.objects.select_related(*related).filter(**{name: record, "pk": pk}).first()

    return find
