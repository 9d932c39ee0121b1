"""cases/: support tickets and follow-ups of bad answers."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response as Answer

from contacts.api.serializers import ExpandedContactSerializer, ExpandedUserSerializer
from crmcem.lib.actors import acting
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
from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import Order
from feedback.filters import CaseFilter
from feedback.models import Case
from feedback.services.case_changes import case_change
from feedback.services.cases import case_close, case_create, case_delete, case_reopen, case_resolve

from .serializers import (
    CasePatchSerializer,
    CaseSerializer,
    ExpandedResponseSerializer,
    ReopenRequest,
    ResolveRequest,
)

#: of a new case; the rest of the body is a first change of it
_FOR_CREATE = ("contact", "subject", "body", "priority", "owner", "response", "sla_due_at")


class CaseViewSet(
    BulkMixin, ListAction, RetrieveAction, CreateAction, UpdateAction, DestroyAction, HouseViewSet
):
    area = "cases"
    queryset = Case.objects.select_related("contact", "owner").defer("contact__search_text")
    serializer_class = CaseSerializer
    filterset_class = CaseFilter
    orderings = (
        Order("sla_due_at", nullable=True),
        Order("created_at"),
        Order("updated_at"),
        Order("resolved_at", nullable=True),
    )
    expandable: ClassVar[dict[str, Any]] = {
        "contact": ExpandedContactSerializer,
        "owner": ExpandedUserSerializer,
        "response": ExpandedResponseSerializer,
    }

    def validated(self, instance: Any = None, partial: bool = False, body: Any = None) -> dict[str, Any]:
        """The body; of a PATCH without what a case keeps for good."""
        if instance is None:
            return super().validated(instance, partial, body)
        given = self.request.data if body is None else body
        if not isinstance(given, dict):
            raise DomainError.of("non_field_errors", "invalid", "Send a JSON object.")
        form = CasePatchSerializer(instance, data=given, partial=True, context=self.get_serializer_context())
        form.is_valid(raise_exception=True)
        data: dict[str, Any] = form.validated_data
        return data

    def perform_create(self, data: dict[str, Any]) -> Case:
        first = {name: data[name] for name in _FOR_CREATE if name in data}
        source = data.get("source") or (Case.Source.SURVEY if first.get("response") else Case.Source.API)
        later = {k: v for k, v in data.items() if k not in {*_FOR_CREATE, "source"}}
        with acting(self.actor):
            case = case_create(actor=self.actor, source=source, **first)
            return case_change(case=case, changes=later, actor=self.actor) if later else case

    @extend_schema(request=CasePatchSerializer, responses=CaseSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Answer:
        """Change texts, priority, owner or due time; ``status`` resolves, closes or reopens."""
        return super().partial_update(request, *args, **kwargs)

    def perform_update(self, case: Case, data: dict[str, Any], version: int | None) -> Case:
        return case_change(case=case, changes=data, actor=self.actor, expected_version=version)

    def perform_destroy(self, case: Case, version: int | None) -> None:
        case_delete(case=case, actor=self.actor, expected_version=version)

    @extend_schema(request=ResolveRequest, responses=CaseSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: str) -> Answer:
        """Settle the case: what was done, and why it had happened."""
        case = self.get_object()
        form = ResolveRequest(data=request.data)
        form.is_valid(raise_exception=True)
        done = case_resolve(
            case=case, actor=self.actor, expected_version=self.expected_version(), **form.validated_data
        )
        return self.respond(done)

    @extend_schema(request=None, responses=CaseSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Answer:
        """File a resolved case."""
        version = self.expected_version()
        return self.respond(case_close(case=self.get_object(), actor=self.actor, expected_version=version))

    @extend_schema(request=ReopenRequest, responses=CaseSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Answer:
        """The customer is not content: open again, due anew."""
        case = self.get_object()
        form = ReopenRequest(data=request.data)
        form.is_valid(raise_exception=True)
        version = self.expected_version()
        again = case_reopen(case=case, actor=self.actor, expected_version=version, **form.validated_data)
        return self.respond(again)
