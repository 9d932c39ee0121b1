"""Merging over the API: two records become one, what was done, and the way back."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.filters import MergeFilter
from contacts.models import Company, Contact, MergeRecord
from contacts.services.merge import merge_undo
from crmcem.lib.api.fields import IdField, Reference
from crmcem.lib.api.serializers import HouseSerializer, StrictMixin
from crmcem.lib.api.views import HouseViewSet, ListAction, RetrieveAction

from .serializers import CompanySerializer, ContactSerializer


@extend_schema_field(
    {"type": "object", "additionalProperties": {"type": "string", "enum": ["winner", "loser", "both"]}}
)
class FieldChoices(serializers.DictField):
    """``{field: "winner" | "loser" | "both"}``; ``custom.KEY`` chooses one custom field."""

    child = serializers.CharField(max_length=10)


class LoserReference(Reference):
    """A record under its own id: one that is merged already is no loser any more."""

    def to_internal_value(self, data: Any) -> Any:
        row = super().to_internal_value(data)
        if str(row.pk) != str(data).strip():
            self.fail("does_not_exist")
        return row


class MergeInput(StrictMixin, serializers.Serializer[Any]):
    """``fields`` says whose value a field takes; without it the winner's, and the loser's where that is empty."""

    loser = LoserReference(queryset=Contact.objects.all())
    dry_run = serializers.BooleanField(required=False, default=False)
    fields = FieldChoices(required=False, default=dict)  # type: ignore[assignment]


class CompanyMergeInput(MergeInput):
    loser = LoserReference(queryset=Company.objects.all())


@extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
class CountsField(serializers.JSONField):
    """How many rows followed, by the name of their kind; only those that the person could see."""


@extend_schema_field(
    {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "what": {"type": "string"},
                "table": {"type": "string"},
                "row": {"type": ["integer", "string"]},
                "why": {"type": "string", "enum": ["changed", "gone", "taken"]},
            },
        },
    }
)
class KeptField(serializers.JSONField):
    """What an undo left as it was."""


class MergeSerializer(HouseSerializer):
    """A merge: ``winner`` is the record that stays, ``loser`` the id that redirects to it until it is undone."""

    id = serializers.SerializerMethodField()  # type: ignore[assignment]
    winner = IdField(source="winner_id")
    loser = IdField(source="loser_id")
    fields_chosen = serializers.JSONField(source="fields", read_only=True)
    moved = CountsField(read_only=True)
    kept = KeptField(read_only=True)

    class Meta:
        model = MergeRecord
        fields = (
            *("id", "entity", "winner", "loser", "winner_name", "loser_name", "fields_chosen", "moved"),
            *("kept", "created_at", "undone_at"),
        )
        read_only_fields = fields

    def get_id(self, row: MergeRecord) -> str | None:
        """Null for a dry run."""
        return None if row.pk is None else str(row.pk)


class ContactMerged(serializers.Serializer[Any]):
    merge = MergeSerializer()
    contact = ContactSerializer()


class CompanyMerged(serializers.Serializer[Any]):
    merge = MergeSerializer()
    company = CompanySerializer()


IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of the winner as it was read: 412 if it changed.",
)


class MergeMixin:
    """``<record>/merge/``. The view says by ``merge_input`` and ``perform_merge`` what it merges."""

    merge_input: type[MergeInput]
    merge_key: str

    def merged(self: Any, request: Request) -> Response:
        winner = self.get_object()
        body = self.merge_input(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        given = body.validated_data
        merge, record = self.perform_merge(
            winner, given["loser"], given["fields"], given["dry_run"], self.expected_version()
        )
        shown = self.respond(record)  # ``fields`` is about the record
        shown.data = {"merge": MergeSerializer(merge).data, self.merge_key: shown.data}
        return shown  # type: ignore[no-any-return]


class MergeViewSet(ListAction, RetrieveAction, HouseViewSet):
    """What was merged into what, and the way back."""

    area = "contacts"
    queryset = MergeRecord.objects.all()
    serializer_class = MergeSerializer
    filterset_class = MergeFilter

    @extend_schema(request=None, responses=MergeSerializer)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Part the records again. What was changed since stays as it is and is listed in ``kept``."""
        merge, _winner, _loser = merge_undo(merge=self.get_object(), actor=self.actor)
        return self.respond(merge)
