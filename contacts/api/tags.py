"""Tags over the API: known to those who read contacts, changed by those who manage fields and see every contact."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.api.serializers import STAMPS
from contacts.models import Tag
from contacts.selectors.tags import give_counts
from contacts.services import tags as services
from contacts.tag_filters import TagFilter
from crmcem.lib.api.fields import parse_id
from crmcem.lib.api.schema import IF_MATCH
from crmcem.lib.api.serializers import HouseSerializer, StrictMixin
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


class TagSerializer(HouseSerializer):
    """``count`` is over the contacts that the asking person may see; where ``count_is_exact`` is false there are more.
    It follows changes within seconds."""

    count = serializers.IntegerField(source="shown_count", read_only=True)
    count_is_exact = serializers.BooleanField(source="is_exact", read_only=True)

    class Meta:
        model = Tag
        fields = ("id", "name", "colour", "is_kept", "count", "count_is_exact", *STAMPS)
        read_only_fields = ("is_kept", *STAMPS)
        extra_kwargs: ClassVar[dict[str, Any]] = {"name": {"validators": []}}


class TagMergeInput(StrictMixin, serializers.Serializer[Any]):
    """The id of the tag that it becomes part of."""

    into = serializers.CharField(max_length=40)


class TagViewSet(ListAction, RetrieveAction, CreateAction, UpdateAction, DestroyAction, HouseViewSet):
    """The words on contacts. A new name, a merge and a deletion reach all contacts within moments; the old name of a
    tag goes on meaning it, in requests, files and conditions."""

    area = "contacts"
    queryset = Tag.objects.all()
    serializer_class = TagSerializer
    filterset_class = TagFilter
    orderings = (Order("name"), Order("created_at"), Order("updated_at"))
    default_order = Order("name")

    @property
    def scope(self) -> str:
        return "contacts:read" if self.request.method in {"GET", "HEAD", "OPTIONS"} else services.WRITE

    def paginate_queryset(self, queryset: Any) -> Any:
        rows = super().paginate_queryset(queryset)
        give_counts(rows or [], self.request.user)
        return rows

    def get_object(self) -> Any:
        tag = super().get_object()
        give_counts([tag], self.request.user)
        return tag

    def shown(self, tag: Tag) -> Tag:
        tag.refresh_from_db()
        give_counts([tag], self.request.user)
        return tag

    def perform_create(self, data: dict[str, Any]) -> Tag:
        return self.shown(services.tag_create(data=data, actor=self.actor))

    def perform_update(self, tag: Tag, data: dict[str, Any], version: int | None) -> Tag:
        return self.shown(services.tag_update(tag=tag, data=data, actor=self.actor, expected_version=version))

    def perform_destroy(self, tag: Tag, version: int | None) -> None:
        services.tag_delete(tag=tag, actor=self.actor, expected_version=version)

    @extend_schema(request=TagMergeInput, responses=TagSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: str) -> Response:
        """Have this tag become another one on every contact; answers that one."""
        tag = self.get_object()
        body = TagMergeInput(data=request.data)
        body.is_valid(raise_exception=True)
        other = parse_id(body.validated_data["into"])
        into = self.get_queryset().filter(pk=other).first() if other is not None else None
        if into is None:
            raise DomainError.of("into", "does_not_exist", "There is no such tag.")
        return self.respond(
            self.shown(
                services.tag_merge(
                    tag=tag, into=into, actor=self.actor, expected_version=self.expected_version()
                )
            )
        )
