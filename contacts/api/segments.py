"""Segments over the API: their conditions, their members and a preview."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.api.records import with_custom
from contacts.api.serializers import STAMPS, ContactSerializer, ExpandedUserSerializer
from contacts.conditions import contact_fields
from contacts.filters import SegmentFilter
from contacts.models import Segment
from contacts.selectors import segments as selectors
from contacts.services import segments as services
from crmcem.lib.api.fields import MomentField, Reference, parse_id
from crmcem.lib.api.paging import KeysetPagination
from crmcem.lib.api.schema import FIELDS
from crmcem.lib.api.serializers import HouseSerializer, StrictMixin
from crmcem.lib.api.views import (
    CreateAction,
    DestroyAction,
    HouseViewSet,
    ListAction,
    RetrieveAction,
    UpdateAction,
    known_only,
)
from crmcem.lib.conditions import schema
from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import Order

_SCHEMA = {"type": "object", "description": "JSON Schema 2020-12.", "additionalProperties": True}


@extend_schema_field(
    {
        "type": ["object", "null"],
        "additionalProperties": True,
        "description": "A condition as `segments/schema/` describes it; null for a list kept by hand, and where it "
        "names what the asking person may not know.",
    }
)
class ConditionsField(serializers.JSONField):
    """The condition language; every fault is told by its path (``conditions.all.0.value``)."""


class SegmentSerializer(HouseSerializer):
    """``size`` counts the members that the asking person may see; where ``size_is_exact`` is false there are at least
    so many, or the segment is still being filled (``is_filling``). ``problem`` says why conditions can't be used any
    more.
    """

    conditions = ConditionsField(required=False, allow_null=True)
    size = serializers.IntegerField(source="shown_size", read_only=True)
    size_is_exact = serializers.BooleanField(read_only=True)
    is_filling = serializers.SerializerMethodField()
    owner = Reference(read_only=True)

    class Meta:
        model = Segment
        fields = (
            *("id", "name", "kind", "conditions", "sharing", "owner", "is_filling", "problem"),
            *("size", "size_is_exact", "sized_at", *STAMPS),
        )
        read_only_fields = ("problem", "sized_at", *STAMPS)
        extra_kwargs: ClassVar[dict[str, Any]] = {"name": {"validators": []}}
        validators: ClassVar[list[Any]] = []

    def get_is_filling(self, row: Segment) -> bool:
        return row.filled_at is None and not row.problem

    def to_representation(self, instance: Segment) -> dict[str, Any]:
        data = super().to_representation(instance)
        if "conditions" in data and not instance.is_readable:  # type: ignore[attr-defined]
            data["conditions"] = None
        return data


class ExplainedSegmentSerializer(SegmentSerializer):
    """One segment by itself: with its conditions in words."""

    explanation = serializers.SerializerMethodField(help_text="The conditions in words.")

    class Meta(SegmentSerializer.Meta):
        fields: tuple[str, ...] = (*SegmentSerializer.Meta.fields, "explanation")  # type: ignore[assignment]

    @extend_schema_field({"type": "string"})
    def get_explanation(self, row: Segment) -> str:
        return selectors.explained(row, self.context["request"].user)


class SegmentMemberSerializer(ContactSerializer):
    """A contact, and since when it belongs to the segment."""

    since = MomentField(read_only=True)

    class Meta(ContactSerializer.Meta):
        fields: tuple[str, ...] = (*ContactSerializer.Meta.fields, "since")  # type: ignore[assignment]


class MembersChange(StrictMixin, serializers.Serializer[Any]):
    """Contacts to put into a static segment, and to take out of it."""

    add = serializers.ListField(child=serializers.CharField(max_length=40), required=False, default=list)
    remove = serializers.ListField(child=serializers.CharField(max_length=40), required=False, default=list)


class MembersChanged(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    removed = serializers.IntegerField()


class PreviewRequest(StrictMixin, serializers.Serializer[Any]):
    conditions = ConditionsField()


class PreviewSerializer(serializers.Serializer[Any]):
    """``sample`` holds up to ten of the contacts, the newest; null where finding them took too long."""

    size = serializers.IntegerField()
    size_is_exact = serializers.BooleanField(source="exact")
    explanation = serializers.CharField()
    sample = ContactSerializer(many=True, allow_null=True)


class SegmentViewSet(ListAction, RetrieveAction, CreateAction, UpdateAction, DestroyAction, HouseViewSet):
    """Named groups of contacts: live ones follow their conditions, static ones are kept by hand."""

    area = "contacts"
    scope_actions: ClassVar[dict[str, str]] = {"destroy": "write", "preview": "read"}
    queryset = Segment.objects.select_related("owner")
    serializer_class = ExplainedSegmentSerializer
    filterset_class = SegmentFilter
    orderings = (Order("name"), Order("created_at"), Order("updated_at"), Order("size"))
    expandable: ClassVar[Mapping[str, Any]] = {"owner": ExpandedUserSerializer}  # type: ignore[assignment]

    def get_serializer_class(self) -> Any:
        return SegmentSerializer if self.action == "list" else super().get_serializer_class()

    def paginate_queryset(self, queryset: Any) -> Any:
        rows = super().paginate_queryset(queryset) or []
        if self.action == "list":
            selectors.give_sizes(rows, self.request.user)
            selectors.mark_readable(rows, self.request.user)
        return rows

    def respond(self, row: Any, status: int = 200) -> Response:
        selectors.give_sizes([row], self.request.user)
        selectors.mark_readable([row], self.request.user)
        return super().respond(row, status)

    def perform_create(self, data: dict[str, Any]) -> Segment:
        return services.segment_create(data=data, actor=self.actor)

    def perform_update(self, row: Segment, data: dict[str, Any], version: int | None) -> Segment:
        return services.segment_update(segment=row, data=data, actor=self.actor, expected_version=version)

    def perform_destroy(self, row: Segment, version: int | None) -> None:
        services.segment_delete(segment=row, actor=self.actor, expected_version=version)

    @extend_schema(responses=SegmentMemberSerializer(many=True), parameters=[FIELDS], filters=False)
    @action(
        detail=True,
        filterset_class=None,
        serializer_class=SegmentMemberSerializer,
        pagination_class=KeysetPagination,
        orderings=(),
        expandable={},
    )
    def members(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The contacts of the segment that you may see."""
        known_only(request, "cursor", "page_size", "ordering", "fields")
        rows = selectors.members(self.get_object(), request.user)
        page = self.paginate_queryset(rows.select_related("pulse").defer("search_text"))
        page = with_custom("contact", page, request, self.actor)
        context = self.get_serializer_context()
        return self.get_paginated_response(SegmentMemberSerializer(page, many=True, context=context).data)

    @extend_schema(request=MembersChange, responses=MembersChanged)
    @members.mapping.post
    def members_change(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Put contacts into a static segment, or take them out: at most 10,000 at once, all of them or none."""
        segment = self.get_object()
        body = MembersChange(data=request.data)
        body.is_valid(raise_exception=True)
        given = {name: _ids(body.validated_data[name], name) for name in ("add", "remove")}
        added, removed = services.segment_members_change(segment=segment, actor=self.actor, **given)
        return Response(MembersChanged({"added": added, "removed": removed}).data)

    @extend_schema(request=PreviewRequest, responses=PreviewSerializer, filters=False)
    @action(detail=False, methods=["post"], pagination_class=None, filterset_class=None)
    def preview(self, request: Request) -> Response:
        """Who would be in it now: size (counted up to 10,000), explanation, ten examples. Saves nothing."""
        body = PreviewRequest(data=request.data)
        body.is_valid(raise_exception=True)
        found = selectors.preview(body.validated_data["conditions"], request.user)
        with_custom("contact", found.sample or [], request, self.actor)
        return Response(PreviewSerializer(found, context=self.get_serializer_context()).data)

    @extend_schema(responses={200: _SCHEMA}, filters=False)
    @action(detail=False, url_path="schema", pagination_class=None, filterset_class=None)
    def conditions_schema(self, request: Request) -> Response:
        """JSON Schema of the conditions that you may write."""
        return Response(schema(contact_fields, request.user, shared=True))


def _ids(texts: Sequence[str], name: str) -> list[int]:
    found = [parse_id(text) for text in texts]
    for n, pk in enumerate(found):
        if pk is None:
            raise DomainError.of(f"{name}.{n}", "invalid", "This is not the id of a contact.")
    return [pk for pk in dict.fromkeys(found) if pk is not None]
