"""The layout of fields in the settings: one list, in which each field has a heading or is hidden."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from contacts.custom.definitions import active
from contacts.custom.entities import Entity, readable
from contacts.custom.layouts import arrange
from contacts.models import FieldLayout
from contacts.services.custom_fields import WRITE
from contacts.services.field_layouts import (
    field_layout_create,
    field_layout_delete,
    field_layout_update,
)
from contacts.views.common import number
from contacts.views.custom_fields import entity_of, list_url
from contacts.views.forms import CompanyForm, ContactForm
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import go
from crmcem.workspace.models import Team

FORMS: dict[str, Any] = {"contact": ContactForm, "company": CompanyForm}
MAX_TEAMS = 200


def labels_of(entity: Entity) -> dict[str, str]:
    """The name of every field that a layout can place, by how the layout calls it."""
    custom = {each.name: each.label for each in active(entity.key).values()}
    if entity.labels is not None:
        return {**entity.labels(), **custom}
    form = FORMS[entity.key]
    own = {name: str(field.label) for name, field in form.base_fields.items() if field.label}
    return own | {"owner": str(gettext_lazy("Owner"))} | custom


class FieldLayoutPage(ScopedView, View):
    """``?entity=`` and ``?team=`` (empty: everybody)."""

    scope = WRITE

    def get(self, request: HttpRequest) -> HttpResponse:
        entity, team = self.asked(request)
        labels = labels_of(entity)
        layout = FieldLayout.objects.filter(entity=entity.key, team=team).first()
        own = [name for name in labels if not name.startswith("custom.")]
        groups = arrange(entity.key, own, team.pk if team else None)
        rows = [
            {"name": name, "group": group.label, "hidden": False} for group in groups for name in group.names
        ]
        rows += [{"name": name, "group": "", "hidden": True} for name in (layout.hidden if layout else ())]
        return self.show(request, entity, team, layout, rows)

    def post(self, request: HttpRequest) -> HttpResponse:
        entity, team = self.asked(request)
        layout = FieldLayout.objects.filter(entity=entity.key, team=team).first()
        if "reset" in request.POST:
            if layout is not None:
                field_layout_delete(layout=layout, actor=self.actor)
            messages.success(request, _("The usual order is back."))
            return go(request, self.url(entity, team))
        rows = self.typed(request)
        groups: dict[str, list[str]] = {}
        for row in rows:
            if not row["hidden"]:
                groups.setdefault(row["group"], []).append(row["name"])
        sent = [{"label": label, "fields": names} for label, names in groups.items()]
        hidden = [row["name"] for row in rows if row["hidden"]]
        try:
            if layout is None:
                field_layout_create(
                    entity=entity.key, team=team, groups=sent, hidden=hidden, actor=self.actor
                )
            else:
                version = number(request.POST.get("version"))
                field_layout_update(
                    layout=layout, groups=sent, hidden=hidden, actor=self.actor, expected_version=version
                )
        except DomainError as error:
            return self.show(request, entity, team, layout, rows, [each.detail for each in error.errors])
        except StaleWrite:
            text = _(
                "Somebody else changed this layout meanwhile. Yours is kept here; saving overwrites theirs."
            )
            return self.show(request, entity, team, layout, rows, [text])
        messages.success(request, _("Forms and record pages show the fields in this order now."))
        return go(request, self.url(entity, team))

    def asked(self, request: HttpRequest) -> tuple[Entity, Team | None]:
        entity = entity_of(request, request.GET.get("entity", "contact"))
        if not request.GET.get("team"):
            return entity, None
        team = Team.objects.filter(pk=number(request.GET["team"]) or 0).first()
        if team is None:
            raise Http404
        return entity, team

    def typed(self, request: HttpRequest) -> list[dict[str, Any]]:
        names, groups = request.POST.getlist("name")[:1000], request.POST.getlist("group")
        hidden = set(request.POST.getlist("hidden"))
        return [
            {"name": name, "group": " ".join(group.split()), "hidden": name in hidden}
            for name, group in zip(names, groups, strict=False)
        ]

    def url(self, entity: Entity, team: Team | None) -> str:
        return f"{reverse('contacts:field-layout')}?entity={entity.key}&team={team.pk if team else ''}"

    def show(
        self,
        request: HttpRequest,
        entity: Entity,
        team: Team | None,
        layout: FieldLayout | None,
        rows: list[dict[str, Any]],
        errors: list[str] | None = None,
    ) -> HttpResponse:
        user: Any = request.user
        labels = labels_of(entity)
        with_own = set(
            FieldLayout.objects.filter(entity=entity.key, team__isnull=False).values_list(
                "team_id", flat=True
            )
        )
        context = {
            "entity": entity,
            "entities": readable(user.may),
            "team": team,
            "teams": [(each, each.pk in with_own) for each in Team.objects.all()[:MAX_TEAMS]],
            "layout": layout,
            "rows": [row | {"label": labels.get(row["name"], row["name"])} for row in rows],
            "group_names": sorted({row["group"] for row in rows if row["group"]}),
            "errors": errors or [],
            "list_url": list_url(entity.key),
        }
        return render(request, "contacts/field_layout.html", context, status=422 if errors else 200)
