"""Custom fields over the API: read by all who may read the records, changed by those with ``fields:write``."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contacts.custom.entities import entities, readable
from contacts.custom.types import TYPES
from contacts.filters import CustomFieldFilter, FieldLayoutFilter
from contacts.models import CustomField, FieldLayout
from contacts.services.custom_fields import WRITE, custom_field_create, custom_field_update
from contacts.services.field_layouts import (
    field_layout_create,
    field_layout_delete,
    field_layout_update,
)
from crmcem.lib.api.fields import ChoiceField, Reference
from crmcem.lib.api.serializers import HouseSerializer
from crmcem.lib.api.views import (
    CreateAction,
    DestroyAction,
    HouseViewSet,
    ListAction,
    RetrieveAction,
    UpdateAction,
)
from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import Order
from crmcem.workspace.models import Team
from crmcem.workspace.policies import can

from .serializers import STAMPS


class CustomFieldSerializer(HouseSerializer):
    """``options`` by type: number ``{decimals}``, money ``{currency}``, choice and multichoice
    ``{choices: [{value, label, archived}]}``, link ``{entity}``, rollup ``{source, measure, of, only, event}``: its
    values come in ``computed`` of the records."""

    entity = ChoiceField(choices=[])
    key = serializers.CharField(required=False, max_length=60)
    type = ChoiceField(choices=[(kind.key, kind.key) for kind in TYPES.values()])
    options = serializers.DictField(required=False)
    position = serializers.IntegerField(required=False, min_value=0, max_value=10_000)

    class Meta:
        model = CustomField
        fields = (
            *("id", "entity", "key", "label", "help", "type", "options", "required", "filterable", "group"),
            *("position", "archived", *STAMPS),
        )
        read_only_fields = STAMPS
        validators: tuple[Any, ...] = ()

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        if "entity" in fields:
            fields["entity"].choices = entities.keys()
        return fields


class OfEntities(HouseViewSet):
    """Read by those who may read the records, changed with ``fields:write``."""

    area = "fields"

    @property
    def scope(self) -> str:
        """Whoever may read one of the kinds of records may know its fields."""
        if self.request.method not in {"GET", "HEAD", "OPTIONS"}:
            return WRITE
        may = [each.read_scope for each in entities if can(self.actor, each.read_scope)]
        return may[0] if may else "fields:read"

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return rows.filter(entity__in=[each.key for each in readable(lambda scope: can(self.actor, scope))])


class CustomFieldViewSet(OfEntities, ListAction, RetrieveAction, CreateAction, UpdateAction):
    """The custom fields of contacts and companies. A new one can be used at once; one that is no longer wanted is
    archived: its values stay."""

    queryset = CustomField.objects.all()
    serializer_class = CustomFieldSerializer
    filterset_class = CustomFieldFilter
    orderings = (Order("position"), Order("label"), Order("created_at"), Order("updated_at"))
    default_order = Order("position")

    def perform_create(self, data: dict[str, Any]) -> CustomField:
        return custom_field_create(data=data, actor=self.actor)

    def perform_update(self, field: CustomField, data: dict[str, Any], version: int | None) -> CustomField:
        return custom_field_update(field=field, data=data, actor=self.actor, expected_version=version)


@extend_schema_field(
    {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "label": {"type": "string"},
                "fields": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["label", "fields"],
        },
    }
)
class LayoutGroups(serializers.JSONField):
    """Headings (empty: none) and the fields under them, custom ones as ``custom.key``."""


class FieldLayoutSerializer(HouseSerializer):
    entity = serializers.CharField(max_length=20)
    team = Reference(queryset=Team.objects.all(), required=False, allow_null=True)
    groups = LayoutGroups(required=False)
    omitted = serializers.ListField(
        child=serializers.CharField(max_length=70), required=False, source="hidden"
    )

    class Meta:
        model = FieldLayout
        fields = ("id", "entity", "team", "groups", "omitted", *STAMPS)
        read_only_fields = STAMPS
        validators: tuple[Any, ...] = ()


class FieldLayoutViewSet(OfEntities, ListAction, RetrieveAction, CreateAction, UpdateAction, DestroyAction):
    """In which groups forms and record pages show the fields, for a team or (without one) for everybody. ``omitted``
    ones are left out; fields that are not named follow at the end."""

    queryset = FieldLayout.objects.all()
    serializer_class = FieldLayoutSerializer
    filterset_class = FieldLayoutFilter
    orderings = (Order("created_at"), Order("updated_at"))

    def perform_create(self, data: dict[str, Any]) -> FieldLayout:
        return field_layout_create(
            entity=data["entity"],
            team=data.get("team"),
            groups=data.get("groups", []),
            hidden=data.get("hidden", []),
            actor=self.actor,
        )

    def perform_update(self, layout: FieldLayout, data: dict[str, Any], version: int | None) -> FieldLayout:
        for name in ("entity", "team"):
            if name in data and data[name] != getattr(layout, name):
                raise DomainError.of(name, "fixed", _("A layout stays with its records and its team."))
        return field_layout_update(
            layout=layout,
            groups=data.get("groups"),
            hidden=data.get("hidden"),
            actor=self.actor,
            expected_version=version,
        )

    def perform_destroy(self, layout: FieldLayout, version: int | None) -> None:
        field_layout_delete(layout=layout, actor=self.actor, expected_version=version)
