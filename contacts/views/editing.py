"""Making, changing and deleting contacts and companies."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from contacts.custom.definitions import every
from contacts.custom.links import link_names
from contacts.custom.rules import rules_for
from contacts.models import Company, Contact
from contacts.selectors.duplicates import look_alikes
from contacts.services import companies, contacts
from contacts.validation import clean_company, clean_contact
from contacts.views.bulk import COMPANIES, CONTACTS
from contacts.views.common import number, once, put_errors, seen
from contacts.views.custom_cells import shown
from contacts.views.fields import HIDEABLE
from contacts.views.forms import CompanyForm, ContactForm, RecordForm
from contacts.views.words import value_of
from crmcem.lib.actors import SYSTEM, Actor
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.normalise import normalise_domain, normalise_email, normalise_phone
from crmcem.lib.records import visible_rows
from crmcem.lib.visibility import mark_hidden, name_of
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import go, render_page
from crmcem.workspace.organisation import organisation
from crmcem.workspace.trashing import Deletion, say_with_undo


class Kind:
    """What contacts and companies differ in."""

    scope: ClassVar[str] = "contacts:write"
    write_scope: ClassVar[str] = "contacts:write"
    model: ClassVar[Any] = Contact
    form: ClassVar[type[RecordForm]] = ContactForm
    related: ClassVar[tuple[str, ...]] = ("owner", "company")
    page, list_page = "contacts:contact", "contacts:list"
    list_title: ClassVar[Any] = gettext_lazy("Contacts")
    new_title: ClassVar[Any] = gettext_lazy("New contact")
    unique: ClassVar[str] = "email"
    create: ClassVar[Callable[..., Any]] = staticmethod(contacts.contact_create)

    def update(self, record: Any, data: Any, version: int | None, actor: Actor) -> Any:
        return contacts.contact_update(contact=record, data=data, actor=actor, expected_version=version)

    def clean(self, data: Any) -> dict[str, Any]:
        own = {key: value for key, value in data.items() if key not in {"owner", "company"}}
        return clean_contact(own, rules_for("contact", SYSTEM), partial=True)[0]

    def show(self, request: HttpRequest, form: RecordForm, record: Any = None, **more: Any) -> HttpResponse:
        context = {
            "form": form,
            "record": record,
            "kind": self,
            "title": self.new_title if record is None else _("Edit %(name)s") % {"name": record},
            "back_url": reverse(self.page, args=[record.pk]) if record else reverse(self.list_page),
            "list_url": reverse(self.list_page),
        }
        status = 422 if form.is_bound else 200
        return render(request, "contacts/record_form.html", context | more, status=status)

    def failed(
        self, request: HttpRequest, form: RecordForm, error: DomainError, actor: Actor, record: Any = None
    ) -> HttpResponse:
        """The form with what was typed, and the record that is in the way, if the person may see it."""
        typed = form.cleaned_data.get(self.unique)
        put_errors(form, error)
        other = None
        if any(e.field == self.unique and e.code == "unique" for e in error.errors):
            other = duplicate(self.model, typed, actor, record)
        url = reverse(self.page, args=[other.pk]) if other is not None else ""
        return self.show(request, form, record, duplicate=other, duplicate_url=url)


class CompanyKind(Kind):
    model, form, related = Company, CompanyForm, ("owner", "parent")
    page, list_page = "contacts:company", "contacts:companies"
    list_title, new_title = gettext_lazy("Companies"), gettext_lazy("New company")
    unique = "domain"
    create = staticmethod(companies.company_create)

    def update(self, record: Any, data: Any, version: int | None, actor: Actor) -> Any:
        return companies.company_update(company=record, data=data, actor=actor, expected_version=version)

    def clean(self, data: Any) -> dict[str, Any]:
        own = {key: value for key, value in data.items() if key not in {"owner", "parent"}}
        return clean_company(own, rules_for("company", SYSTEM), partial=True)[0]


def duplicate(model: Any, typed: Any, actor: Actor, record: Any = None) -> Any:
    """Another record with this address or domain that the actor may see; None for half a text."""
    try:
        value = (normalise_email if model is Contact else normalise_domain)(str(typed or ""))
    except ValueError:
        return None
    if not value:
        return None
    lookup = (
        {"points__kind": "email", "points__value": value} if model is Contact else {"domains__domain": value}
    )
    rows = visible_rows(model, actor).filter(**lookup)
    return (rows.exclude(pk=record.pk) if record is not None else rows).first()


class New(Kind, ScopedView, View):
    """An empty form; ``?company=`` and names in the URL fill it in advance."""

    def get(self, request: HttpRequest) -> HttpResponse:
        known = self.form.base_fields.keys() - {"form_key", "version"}
        initial = {k: v[:300] for k, v in request.GET.items() if k in known and "\x00" not in v}
        return self.show(request, self.form(user=request.user, initial=initial))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form(request.POST, user=request.user)
        if not form.is_valid():
            return self.show(request, form)
        try:
            url = once(request, lambda: self.make(form))
        except DomainError as error:
            return self.failed(request, form, error, self.actor)
        messages.success(request, _("Created."))
        return go(request, url)

    def make(self, form: RecordForm) -> str:
        record = self.create(data=form.data_for_service(), actor=self.actor)
        return reverse(self.page, args=[record.pk])


class Edit(Kind, ScopedView, View):
    """The whole record in a form."""

    def record(self, request: HttpRequest, pk: int) -> Any:
        return seen(self.model.objects.select_related(*self.related).defer("search_text"), request, pk)

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        record = self.record(request, pk)
        return self.show(request, self.form(user=request.user, record=record), record)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        record = self.record(request, pk)
        form = self.form(request.POST, user=request.user, record=record)
        if not form.is_valid():
            return self.show(request, form, record)
        data = form.data_for_service()
        try:
            self.update(record, data, form.cleaned_data["version"], self.actor)
        except DomainError as error:
            return self.failed(request, form, error, self.actor, record)
        except StaleWrite:
            return self.stale(request, pk, form, data)
        messages.success(request, _("Saved."))
        return go(request, reverse(self.page, args=[pk]))

    def stale(self, request: HttpRequest, pk: int, form: RecordForm, data: dict[str, Any]) -> HttpResponse:
        """What was typed stays in the form; what is stored meanwhile stands beside it; saving again decides."""
        record = self.record(request, pk)
        mark_hidden([record], request.user, *HIDEABLE[self.model])
        copy = request.POST.copy()
        copy["version"] = str(record.version)
        again = self.form(copy, user=request.user, record=record)
        again.is_valid()
        clean = self.clean(data) | {k: data[k] for k in self.related if k in data}
        differing = self.differing_custom(record, clean.pop("custom", {}), request.user)
        for name, typed in clean.items():
            field = self.model._meta.get_field(name)
            stored = getattr(record, field.attname)
            if stored == typed:
                continue
            text = name_of(record, name) or "–" if name != field.attname else value_of(field, None, stored)
            differing.append({"label": str(again.fields[name].label), "stored": text})
        return self.show(request, again, record, stale=True, differing=differing)

    def differing_custom(self, record: Any, typed: dict[str, Any], user: Any) -> list[dict[str, Any]]:
        """The custom fields whose stored value is another one than was typed."""
        fields = [each for each in every(self.form.entity).values() if each.key in typed]
        names = link_names(fields, [record], user)
        return [
            {"label": each.label, "stored": shown(each, record.custom.get(each.key), names)}
            for each in fields
            if record.custom.get(each.key) != typed[each.key]
        ]


class Delete(Kind, ScopedView, View):
    """POST only; it can be undone for half an hour."""

    scope = write_scope = "contacts:delete"
    deletion: ClassVar[Deletion] = CONTACTS

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        record = seen(self.model.objects.defer("search_text"), request, pk)
        name = str(record)
        _count, kept = self.deletion.delete([pk], self.actor, path=reverse(self.page, args=[pk]), title=name)
        say_with_undo(request, _("“%(name)s” is deleted.") % {"name": name}, kept)
        return go(request, reverse(self.list_page))


class Check(Kind, ScopedView, View):
    """Whether what is being typed belongs to a record already, or looks like one (see ``selectors.duplicates``).

    Says nothing of those that are hidden.
    """

    scope = "contacts:read"

    def get(self, request: HttpRequest) -> HttpResponse:
        except_pk = number(request.GET.get("except"))
        typed = request.GET.get(self.unique, "").replace("\x00", "")[:400]
        other = duplicate(self.model, typed, self.actor)
        if other is not None and other.pk == except_pk:
            other = None
        url = reverse(self.page, args=[other.pk]) if other is not None else ""
        found = self.alike(request) if other is None else []
        alike = [(row, reverse(self.page, args=[row.pk])) for row in found if row.pk != except_pk]
        context = {"duplicate": other, "duplicate_url": url, "alike": alike}
        return render_page(request, "contacts/duplicate.html", context)

    def alike(self, request: HttpRequest) -> list[Any]:
        given = {k: str(v).replace("\x00", "").strip()[:400] for k, v in request.GET.items()}
        rows: Any = self.model.objects.visible_to(request.user)
        country = organisation().country
        typed: dict[str, Any] = {
            "phone": _normal(lambda text: normalise_phone(text, country), given.get("phone")),
            "company": number(given.get("company")),
        }
        if self.model is Company:
            typed |= {"name": given.get("name"), "domain": _normal(normalise_domain, given.get("domain"))}
            return look_alikes("company", typed, rows)
        typed["name"] = f"{given.get('first_name', '')} {given.get('last_name', '')}".strip()
        typed["email"] = _normal(normalise_email, given.get("email"))
        return look_alikes("contact", typed, rows)


def _normal(normalise: Callable[[str], str], text: str | None) -> str | None:
    """The normal form; None for half a text."""
    try:
        return normalise(text) if text else None
    except ValueError:
        return None


class CompanyNew(CompanyKind, New):
    pass


class CompanyEdit(CompanyKind, Edit):
    pass


class CompanyDelete(CompanyKind, Delete):
    deletion = COMPANIES


class CompanyCheck(CompanyKind, Check):
    pass
