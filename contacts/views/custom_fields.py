"""The custom fields in the settings: listed, made, changed, put in order, archived."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from contacts.custom.computed import explain
from contacts.custom.definitions import COMPUTED, definition_of, every
from contacts.custom.entities import Entity, entities, readable
from contacts.custom.formulas.fields import names
from contacts.custom.formulas.functions import FUNCTIONS
from contacts.custom.sources import sources_of
from contacts.custom.types import TYPES, FieldKind
from contacts.models import CustomField
from contacts.services.custom_fields import (
    WRITE,
    custom_field_create,
    custom_field_update,
    custom_fields_order,
)
from contacts.views.common import put_errors
from contacts.views.field_forms import DefinitionForm
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import go


def entity_of(request: HttpRequest, key: str) -> Entity:
    """The entity of this key whose records the person may read; 404 otherwise."""
    user: Any = request.user
    found = next((each for each in readable(user.may) if each.key == key), None)
    if found is None:
        raise Http404
    return found


def kinds_of(entity: Entity) -> list[FieldKind]:
    """The types that a field of these records can have."""
    return [kind for kind in TYPES.values() if kind.key != "rollup" or sources_of(entity.key)]


def list_url(entity: str) -> str:
    return f"{reverse('contacts:custom-fields')}?entity={entity}"


class CustomFields(ScopedView, View):
    """Every field of one kind of records, with what it is and where it is asked for."""

    scope, write_scope = "contacts:read", WRITE

    def get(self, request: HttpRequest) -> HttpResponse:
        user: Any = request.user
        entity = entity_of(request, request.GET.get("entity", "contact"))
        rows = list(CustomField.objects.filter(entity=entity.key).order_by("position", "id"))
        context = {
            "entity": entity,
            "entities": readable(user.may),
            "fields": [_shown(row) for row in rows if not row.archived],
            "archived": [_shown(row) for row in rows if row.archived],
            "may_write": user.may(WRITE),
        }
        return render(request, "contacts/custom_fields.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """``move`` (``up`` or ``down``) one ``field`` among the others of its entity."""
        row = get_object_or_404(CustomField, pk=_number(request.POST.get("field")), archived=False)
        rows = CustomField.objects.filter(entity=row.entity, archived=False).order_by("position", "id")
        ids = list(rows.values_list("pk", flat=True))
        place = ids.index(row.pk)
        other = place - 1 if request.POST.get("move") == "up" else place + 1
        if 0 <= other < len(ids):
            ids[place], ids[other] = ids[other], ids[place]
            custom_fields_order(entity=row.entity, ids=ids, actor=self.actor)
        return go(request, list_url(row.entity))


class CustomFieldNew(ScopedView, View):
    """First the type is chosen (``?type=``), then what this type needs is asked for."""

    scope = WRITE

    def get(self, request: HttpRequest) -> HttpResponse:
        entity = entity_of(request, request.GET.get("entity", "contact"))
        kind = TYPES.get(request.GET.get("type", ""))
        if kind is None:
            context = {"entity": entity, "kinds": kinds_of(entity), "list_url": list_url(entity.key)}
            return render(request, "contacts/custom_field_types.html", context)
        return show(request, DefinitionForm(kind=kind, entity=entity), entity)

    def post(self, request: HttpRequest) -> HttpResponse:
        entity = entity_of(request, request.GET.get("entity", "contact"))
        kind = TYPES.get(request.GET.get("type", ""))
        if kind is None:
            raise Http404
        form = DefinitionForm(request.POST, kind=kind, entity=entity)
        if not form.is_valid():
            return show(request, form, entity)
        try:
            made = custom_field_create(
                data=form.data_for_service() | {"entity": entity.key, "type": kind.key}, actor=self.actor
            )
        except DomainError as error:
            put_errors(form, error, options=form.options_field)
            return show(request, form, entity)
        messages.success(request, _("The field “%(name)s” can be used at once.") % {"name": made.label})
        return go(request, list_url(entity.key))


class CustomFieldEdit(ScopedView, View):
    scope = WRITE

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        row, entity = self.record(request, pk)
        return show(request, DefinitionForm(kind=TYPES[row.type], entity=entity, record=row), entity, row)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        row, entity = self.record(request, pk)
        form = DefinitionForm(request.POST, kind=TYPES[row.type], entity=entity, record=row)
        if not form.is_valid():
            return show(request, form, entity, row)
        try:
            custom_field_update(
                field=row,
                data=form.data_for_service(),
                actor=self.actor,
                expected_version=form.cleaned_data["version"],
            )
        except DomainError as error:
            put_errors(form, error, options=form.options_field)
            return show(request, form, entity, row)
        except StaleWrite:
            return self.stale(request, pk)
        messages.success(request, _("Saved."))
        return go(request, list_url(entity.key))

    def record(self, request: HttpRequest, pk: int) -> tuple[CustomField, Entity]:
        row = get_object_or_404(CustomField, pk=pk)
        return row, entity_of(request, row.entity)

    def stale(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What was typed stays; saving again decides."""
        row, entity = self.record(request, pk)
        typed = request.POST.copy()
        typed["version"] = str(row.version)
        form = DefinitionForm(typed, kind=TYPES[row.type], entity=entity, record=row)
        form.is_valid()
        form.add_error(
            None,
            _(
                "Somebody else changed this field meanwhile. What you typed is kept; saving overwrites theirs."
            ),
        )
        return show(request, form, entity, row)


class CustomFieldArchive(ScopedView, View):
    """POST: take the field out of use (its values stay), or with ``restore`` back into it."""

    scope = WRITE

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = get_object_or_404(CustomField, pk=pk)
        restore = "restore" in request.POST
        try:
            custom_field_update(field=row, data={"archived": not restore}, actor=self.actor)
        except DomainError as error:  # formulas use it, or it can't be computed any more
            messages.error(request, " ".join(each.detail for each in error.errors))
            return go(request, list_url(row.entity))
        text = (
            _("“%(name)s” is in use again.") if restore else _("“%(name)s” is archived. Its values are kept.")
        )
        messages.success(request, text % {"name": row.label})
        return go(request, list_url(row.entity))


def show(request: HttpRequest, form: DefinitionForm, entity: Entity, row: Any = None) -> HttpResponse:
    context = {
        "form": form,
        "entity": entity,
        "record": row,
        "kind": form.kind,
        "choices": form.choice_rows,
        "archived_choices": form.archived_choices,
        "list_url": list_url(entity.key),
        "explained": explained(row) if row is not None else [],
    }
    if form.kind.key == "formula":
        context |= {"names": names(entity.key, every(entity.key)), "functions": FUNCTIONS.values()}
    return render(request, "contacts/custom_field_form.html", context, status=422 if form.is_bound else 200)


def explained(row: CustomField) -> list[str]:
    """What a computed field shows, in sentences."""
    return explain(definition_of(row)) if row.type in COMPUTED else []


def _shown(row: CustomField) -> dict[str, Any]:
    kind = TYPES.get(row.type)
    return {"row": row, "kind": kind.label if kind else row.type, "icon": kind.icon if kind else "forms",
            "detail": _detail(row)}  # fmt: skip


def _detail(row: CustomField) -> str:
    """What the options say, in a few words."""
    kind, options = row.type, row.options
    if kind in COMPUTED:
        return next(iter(explained(row)), "")
    if kind == "money":
        return str(options.get("currency", ""))
    if kind == "link":
        target = entities.get(options.get("entity", ""))
        return str(target.label) if target else ""
    choices: Sequence[Any] = [
        each["label"] for each in options.get("choices", ()) if not each.get("archived")
    ]
    return ", ".join(choices[:5]) + (" …" if len(choices) > 5 else "")


def _number(text: Any) -> int:
    word = str(text or "")
    if not word.isascii() or not word.isdigit() or len(word) > 18:
        raise Http404
    return int(word)
