"""Pipelines and deals over the API."""

from typing import Any, ClassVar

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.api.records import CustomMixin
from contacts.api.serializers import ExpandedCompanySerializer
from crmcem.lib.api.bulk import BulkMixin
from crmcem.lib.api.schema import IF_MATCH
from crmcem.lib.api.views import (
    CreateAction,
    DestroyAction,
    HouseViewSet,
    ListAction,
    RetrieveAction,
    UpdateAction,
)
from crmcem.lib.keyset import Order
from crmcem.workspace.api.edits import EditMixin
from crmcem.workspace.api.serializers import UserSerializer
from sales.filters import DealFilter
from sales.models import Deal, Pipeline, Stage
from sales.selectors.deals import deals_listed
from sales.services.deals import deal_close, deal_create, deal_delete, deal_move, deal_reopen, deal_update
from sales.services.pipelines import pipeline_create, pipeline_delete, pipeline_update

from .serializers import (
    CloseRequest,
    DealSerializer,
    MoveRequest,
    PipelineSerializer,
    StageChangeSerializer,
)


class PipelineViewSet(ListAction, RetrieveAction, CreateAction, UpdateAction, DestroyAction, HouseViewSet):
    area = "pipelines"
    queryset = Pipeline.objects.prefetch_related(Prefetch("stages", Stage.objects.order_by("position", "id")))
    serializer_class = PipelineSerializer
    orderings = (Order("name"), Order("position"))
    default_order = Order("position")

    def perform_create(self, data: dict[str, Any]) -> Pipeline:
        made = pipeline_create(
            name=data["name"],
            stages=data["stages"],
            is_default=data.get("is_default", False),
            actor=self.actor,
        )
        return self._fresh(made)

    def perform_update(self, pipeline: Pipeline, data: dict[str, Any], version: int | None) -> Pipeline:
        return self._fresh(
            pipeline_update(
                pipeline=pipeline,
                actor=self.actor,
                name=data.get("name"),
                stages=data.get("stages"),
                is_default=data.get("is_default"),
                expected_version=version,
            )
        )

    def perform_destroy(self, pipeline: Pipeline, version: int | None) -> None:
        pipeline_delete(pipeline=pipeline, actor=self.actor, expected_version=version)

    def _fresh(self, pipeline: Pipeline) -> Pipeline:
        row: Pipeline = self.get_queryset().get(pk=pipeline.pk)
        return row


class DealViewSet(
    CustomMixin,
    BulkMixin,
    EditMixin,
    ListAction,
    RetrieveAction,
    CreateAction,
    UpdateAction,
    DestroyAction,
    HouseViewSet,
):
    area, entity = "deals", "deal"
    bulk_keys = ("external_id",)
    queryset = deals_listed()
    serializer_class = DealSerializer
    filterset_class = DealFilter
    orderings = (
        Order("name"),
        Order("amount", nullable=True),
        Order("expected_close", nullable=True),
        Order("created_at"),
        Order("updated_at"),
        Order("stage_entered_at"),
    )
    expandable: ClassVar[dict[str, Any]] = {
        "company": ExpandedCompanySerializer,
        "owner": UserSerializer,
        "pipeline": PipelineSerializer,
    }

    def perform_create(self, data: dict[str, Any]) -> Deal:
        return self._fresh(deal_create(data=data, actor=self.actor))

    def perform_update(self, deal: Deal, data: dict[str, Any], version: int | None) -> Deal:
        return self._fresh(deal_update(deal=deal, data=data, actor=self.actor, expected_version=version))

    def perform_destroy(self, deal: Deal, version: int | None) -> None:
        deal_delete(deal=deal, actor=self.actor, expected_version=version)

    @extend_schema(request=MoveRequest, responses=DealSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Put an open deal into another stage, or to another place in its column."""
        deal = self.get_object()
        form = MoveRequest(data=request.data, context=self.get_serializer_context())
        form.is_valid(raise_exception=True)
        moved = deal_move(
            deal=deal,
            stage=form.validated_data["stage"],
            position=form.validated_data.get("position"),
            actor=self.actor,
            expected_version=self.expected_version(),
        )
        return self.respond(self._fresh(moved))

    @extend_schema(request=CloseRequest, responses=DealSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def win(self, request: Request, pk: str) -> Response:
        """Win the deal; ``reason`` says why."""
        return self._close(Deal.Status.WON)

    @extend_schema(request=CloseRequest, responses=DealSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def lose(self, request: Request, pk: str) -> Response:
        """Lose the deal; ``reason`` says why."""
        return self._close(Deal.Status.LOST)

    @extend_schema(request=None, responses=DealSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        """Open a closed deal again."""
        deal = deal_reopen(deal=self.get_object(), actor=self.actor, expected_version=self.expected_version())
        return self.respond(self._fresh(deal))

    @extend_schema(responses=StageChangeSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def history(self, request: Request, pk: str) -> Response:
        """The stages the deal went through, newest first (the last 200)."""
        changes = self.get_object().stage_changes.all()[:200]
        return Response(StageChangeSerializer(changes, many=True).data)

    def _close(self, status: str) -> Response:
        deal = self.get_object()
        form = CloseRequest(data=self.request.data)
        form.is_valid(raise_exception=True)
        closed = deal_close(
            deal=deal,
            status=status,
            reason=form.validated_data.get("reason", ""),
            actor=self.actor,
            expected_version=self.expected_version(),
        )
        return self.respond(self._fresh(closed))

    def _fresh(self, deal: Deal) -> Deal:
        """The deal as lists show it (its owner may have changed, so without the visibility)."""
        return deals_listed().get(pk=deal.pk)
