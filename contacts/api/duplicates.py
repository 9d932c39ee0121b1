"""Pairs of records that are perhaps the same, over the API."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.filters import DuplicateFilter
from contacts.models import DuplicatePair, MergeRecord
from contacts.selectors.duplicates import name_both
from contacts.services.duplicates import pair_dismiss, pair_reopen, pairs_merge_exact
from crmcem.lib.api.fields import ChoiceField
from crmcem.lib.api.serializers import HouseSerializer, StrictMixin
from crmcem.lib.api.views import HouseViewSet, ListAction, RetrieveAction
from crmcem.lib.keyset import Order

from .merging import MergeSerializer


@extend_schema_field(
    {
        "type": "object",
        "properties": {"id": {"type": "string"}, "name": {"type": ["string", "null"]}},
        "required": ["id", "name"],
    }
)
class EndField(serializers.Field):  # type: ignore[type-arg]
    """One of the two records; the name is null once it is merged into the other."""

    def __init__(self, end: str) -> None:
        self.end = end
        super().__init__(read_only=True, source="*")

    def to_representation(self, value: Any) -> dict[str, Any]:
        row = getattr(value, self.end)
        return {"id": str(getattr(value, f"{self.end}_id")), "name": None if row is None else str(row)}


@extend_schema_field(
    {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "code": {
                    "type": "string",
                    "enum": ["mail", "id", "phone", "name", "alike", "company", "domain", "host", "brand"],
                },
                "percent": {"type": "integer"},
            },
            "required": ["code"],
        },
    }
)
class ReasonsField(serializers.JSONField):
    """What the two have in common."""


class DuplicateSerializer(HouseSerializer):
    """``score`` is 0 to 1; ``exact`` pairs share the name and an address, a number or an id."""

    left = EndField("left")
    right = EndField("right")
    reasons = ReasonsField(read_only=True)

    class Meta:
        model = DuplicatePair
        fields = ("id", "entity", "left", "right", "score", "reasons", "exact", "state", "created_at")
        read_only_fields = fields


class ExactInput(StrictMixin, serializers.Serializer[Any]):
    entity = ChoiceField(choices=MergeRecord.Entity.choices)


class FailedPair(serializers.Serializer[Any]):
    pair = serializers.CharField()
    detail = serializers.CharField()


class ExactMerged(serializers.Serializer[Any]):
    merged = MergeSerializer(many=True)
    failed = FailedPair(many=True)
    more = serializers.BooleanField()


class DuplicateViewSet(ListAction, RetrieveAction, HouseViewSet):
    """Pairs of records that are perhaps the same; merging is ``contacts/{id}/merge/``."""

    area = "contacts"
    queryset = DuplicatePair.objects.all()
    serializer_class = DuplicateSerializer
    filterset_class = DuplicateFilter
    orderings = (Order("score"), Order("created_at"))

    def paginate_queryset(self, queryset: Any) -> Any:
        return self._named(super().paginate_queryset(queryset) or [])

    def respond(self, row: Any, status: int = 200) -> Response:
        return super().respond(self._named([row])[0], status)

    def _named(self, rows: Sequence[Any]) -> Sequence[Any]:
        name_both(rows, self.request.user)
        return rows

    @extend_schema(request=None, responses=DuplicateSerializer)
    @action(detail=True, methods=["post"])
    def dismiss(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The two are not the same: no search brings them up again."""
        return self.respond(pair_dismiss(pair=self.get_object(), actor=self.actor))

    @extend_schema(request=None, responses=DuplicateSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Back into the queue."""
        return self.respond(pair_reopen(pair=self.get_object(), actor=self.actor))

    @extend_schema(request=ExactInput, responses=ExactMerged)
    @action(
        detail=False, methods=["post"], url_path="merge-exact", filterset_class=None, pagination_class=None
    )
    def merge_exact(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Merge up to 100 exact pairs, the newer record into the older one; ``more`` says that there are others."""
        body = ExactInput(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        done = pairs_merge_exact(entity=body.validated_data["entity"], actor=self.actor)
        return Response(
            {
                "merged": MergeSerializer(done["merged"], many=True).data,
                "failed": [{"pair": str(each["pair"]), "detail": each["detail"]} for each in done["failed"]],
                "more": done["more"],
            }
        )
