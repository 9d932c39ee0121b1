"""``edits/``: one field of many records set to one value, how far that is, and the way back for half an hour."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import QueryDict
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crmcem.lib.api.fields import parse_id
from crmcem.lib.api.serializers import HouseSerializer, StrictMixin
from crmcem.lib.api.views import HouseViewSet, ListAction, RetrieveAction
from crmcem.lib.bulk_edits import editors, pages
from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import Order
from crmcem.workspace.models import BulkEdit
from crmcem.workspace.policies import can, require, user_of
from crmcem.workspace.services.edits import edit_begin, edit_cancel, edit_undo
from crmcem.workspace.services.lists import list_behind

MAX_IDS = 10_000


class EditInput(StrictMixin, serializers.Serializer[Any]):
    """Which field gets which value, and on which records: ``ids``, or ``filters`` as the list takes them."""

    field = serializers.CharField(max_length=80)
    value = serializers.JSONField(allow_null=True, default=None)
    reason = serializers.CharField(max_length=300, allow_blank=True, default="")
    ids = serializers.ListField(
        child=serializers.CharField(), min_length=1, max_length=MAX_IDS, required=False
    )
    filters = serializers.DictField(
        required=False, help_text="Filter → text (or several); {} is every record that you see."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("filters" in attrs):
            raise DomainError.of("ids", "required", "Send either ids or filters.")
        return attrs


class KeptRecord(serializers.Serializer[Any]):
    record = serializers.CharField(help_text="What it is called.")
    detail = serializers.CharField()


class EditStateSerializer(HouseSerializer):
    """How far an edit of many records is. ``status`` ends in done, failed, cancelled or undone; then ``kept`` are
    records that an undo left as they are because somebody changed them since. ``more``: it goes on in the background.
    """

    kept = serializers.SerializerMethodField(help_text="The first of those that an undo left as they are.")
    more = serializers.BooleanField(source="is_open")
    expires_at = serializers.DateTimeField(allow_null=True, help_text="It can be undone until then.")

    STATE: ClassVar[list[str]] = [
        "status",
        "rows_total",
        "rows_done",
        "changed",
        "restored",
        "failed",
        "kept",
        "more",
        "error",
        "expires_at",
    ]

    @extend_schema_field(KeptRecord(many=True))
    def get_kept(self, edit: BulkEdit) -> list[dict[str, str]]:
        return [{"record": each[0], "detail": each[1]} for each in edit.skipped]


class EditSerializer(EditStateSerializer):
    """An edit of many records."""

    object = serializers.SerializerMethodField()
    field = serializers.CharField(source="key")
    failed = serializers.SerializerMethodField(help_text="The first of those that could not be changed.")

    class Meta:
        model = BulkEdit
        fields = ["id", "object", "field", "value", "reason", *EditStateSerializer.STATE, "created_at"]
        read_only_fields = fields

    def get_object(self, edit: BulkEdit) -> str:
        return pages[edit.model].name

    @extend_schema_field(KeptRecord(many=True))
    def get_failed(self, edit: BulkEdit) -> list[dict[str, str]]:
        return [{"record": each[0], "detail": each[1]} for each in edit.failures]


class EditActions:
    """Going no further and going back, for a HouseViewSet over edits."""

    def answer(self: Any, edit: BulkEdit) -> Response:
        return Response(self.get_serializer(edit).data)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def cancel(self: Any, request: Request, pk: str) -> Response:
        """Go no further. What is changed already stays and can be undone."""
        answer: Response = self.answer(edit_cancel(edit=self.get_object(), actor=self.actor))
        return answer

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def undo(self: Any, request: Request, pk: str) -> Response:
        """Put everything back that nobody changed since; ``kept`` names the others."""
        answer: Response = self.answer(edit_undo(edit=self.get_object(), actor=self.actor))
        return answer


class EditViewSet(EditActions, ListAction, RetrieveAction, HouseViewSet):
    """One's own edits of the last days: how far they are, what failed, and the way back for half an hour."""

    queryset = BulkEdit.objects.all()
    serializer_class = EditSerializer
    orderings = (Order("id"),)

    @property
    def scope(self) -> str:
        """Of any records that the person may change."""
        scopes = [editors[label].scope for label in pages]
        return next((scope for scope in scopes if can(self.actor, scope)), scopes[0])

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        mine = [label for label in pages if can(self.actor, editors[label].scope)]
        return rows.filter(model__in=mine)


_EXAMPLE = OpenApiExample(
    "A tag for all that match",
    request_only=True,
    value={"field": "tags-add", "value": ["vip"], "filters": {"lifecycle_stage": "customer"}},
)


class EditMixin:
    """``<resource>/edit/`` for a HouseViewSet over a model that has an editor and a list."""

    @extend_schema(request=EditInput, responses={200: EditSerializer}, examples=[_EXAMPLE], filters=False)
    @action(detail=False, methods=["post"], filterset_class=None, pagination_class=None)
    def edit(self: Any, request: Request) -> Response:
        """Set one field of many records to one value, as the list does: at once or in the background, with undo.

        ``field`` is a field that can be set for many (also ``tags-add``, ``tags-remove``, ``custom-<key>``). Records
        that you may not see are left out. Follow it, stop it and take it back at ``edits/{id}/``.
        """
        body = EditInput(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        found = pages[self.queryset.model._meta.label]
        page = list_behind(user_of(request), reverse(found.url_name), _query(given.get("filters", {})))
        require(self.actor, page.scope)
        _known(page, given.get("filters", {}))
        edit = edit_begin(
            actor=self.actor,
            page=page,
            key=given["field"],
            raw=given["value"],
            label=given["field"].replace("_", " ").replace("-", " ").capitalize(),
            ids=_ids(given["ids"]) if "ids" in given else None,
            reason=given["reason"],
        )
        return Response(EditSerializer(edit).data)


def _query(filters: Mapping[str, Any]) -> str:
    """The filters as the list's URL has them. Raises DomainError for what is no text."""
    params = QueryDict(mutable=True)
    for name, value in filters.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(each, str) and each for each in values):
            raise DomainError.of(
                str(name)[:80], "invalid", "Send the filter's value as text that is not empty."
            )
        params.setlist(name, values)
    return str(params.urlencode())


def _known(page: Any, filters: Mapping[str, Any]) -> None:
    """What is no filter would be left out of a list's URL, and mean every record. Raises DomainError."""
    for name in filters:
        if name not in page.filterset_type.base_filters:
            raise DomainError.of(name[:80] or "filters", "unknown_parameter", "This list has no such filter.")


def _ids(texts: list[str]) -> list[int]:
    ids = [parse_id(text) for text in texts]
    if None in ids:
        raise DomainError.of("ids", "invalid", "Send the ids of records.")
    return sorted({pk for pk in ids if pk is not None})
