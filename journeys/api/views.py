"""Automations and their runs over the API."""

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from contacts.conditions import contact_fields
from crmcem.lib.actions import actions as known_actions
from crmcem.lib.api.views import (
    CreateAction,
    DestroyAction,
    HouseViewSet,
    ListAction,
    RetrieveAction,
    UpdateAction,
)
from crmcem.lib.conditions import schema as conditions_schema
from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import Order
from journeys.definition import schema as definition_schema
from journeys.filters import AutomationFilter, RunFilter
from journeys.models import Automation
from journeys.selectors.runs import run_detailed, runs_listed
from journeys.services.automations import automation_create, automation_delete, automation_update
from journeys.services.runs import automation_dry_run, run_cancel, run_retry

from .serializers import (
    AutomationSerializer,
    DryRunRequest,
    DryRunSerializer,
    RunDetailSerializer,
    RunSerializer,
    VersionSerializer,
)

_ACTIONS_SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["key", "label", "parameters"],
        "properties": {
            "key": {"type": "string"},
            "label": {"type": "string"},
            "parameters": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["key", "label", "type", "required", "default", "choices"],
                    "properties": {
                        "key": {"type": "string"},
                        "label": {"type": "string"},
                        "type": {"type": "string"},
                        "required": {"type": "boolean"},
                        "default": {},
                        "choices": {
                            "type": ["array", "null"],
                            "items": {
                                "type": "object",
                                "properties": {"value": {"type": "string"}, "label": {"type": "string"}},
                            },
                        },
                    },
                },
            },
        },
    },
}
_SCHEMA_SCHEMA = {"type": "object", "description": "JSON Schema 2020-12.", "additionalProperties": True}


class AutomationViewSet(ListAction, RetrieveAction, CreateAction, UpdateAction, DestroyAction, HouseViewSet):
    area = "automations"
    # A dry run writes nothing; the actions' choices name surveys and the like, for those who build.
    scope_actions: ClassVar[dict[str, str]] = {
        "destroy": "delete",
        "dry_run": "read",
        "known_actions": "write",
    }
    queryset = Automation.objects.select_related("current_version")
    serializer_class = AutomationSerializer
    filterset_class = AutomationFilter
    orderings = (Order("name"), Order("created_at"), Order("updated_at"))
    default_order = Order("name")

    def perform_create(self, data: dict[str, Any]) -> Automation:
        status = data.get("status", Automation.Status.DRAFT)
        if status == Automation.Status.PAUSED:
            raise DomainError.of("status", "invalid", _("A new automation is a draft or active."))
        return automation_create(
            name=data["name"],
            description=data.get("description", ""),
            definition=data["definition"],
            activate=status == Automation.Status.ACTIVE,
            actor=self.actor,
        )

    def perform_update(self, automation: Automation, data: dict[str, Any], version: int | None) -> Automation:
        return automation_update(
            automation=automation, values=data, actor=self.actor, expected_version=version
        )

    def perform_destroy(self, automation: Automation, version: int | None) -> None:
        automation_delete(automation=automation, actor=self.actor, expected_version=version)

    @extend_schema(request=DryRunRequest, responses=DryRunSerializer)
    @action(detail=True, methods=["post"], url_path="dry-run")
    def dry_run(self, request: Request, pk: str) -> Response:
        """What it would do with a customer now, step by step and why. Nothing is written."""
        automation = self.get_object()
        form = DryRunRequest(data=request.data, context=self.get_serializer_context())
        form.is_valid(raise_exception=True)
        found = automation_dry_run(
            automation=automation, contact=form.validated_data["contact"], actor=self.actor
        )
        return Response(DryRunSerializer(found).data)

    @extend_schema(responses=VersionSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def versions(self, request: Request, pk: str) -> Response:
        """Its definitions, the newest first (the last 100)."""
        rows = self.get_object().versions.order_by("-number")[:100]
        return Response(VersionSerializer(rows, many=True, context=self.get_serializer_context()).data)

    @extend_schema(responses={200: _SCHEMA_SCHEMA})
    @action(
        detail=False, methods=["get"], url_path="definition-schema", pagination_class=None, filter_backends=[]
    )
    def definition_schema(self, request: Request) -> Response:
        """JSON Schema of a definition, with the conditions that you may write."""
        conditions = conditions_schema(contact_fields, request.user, shared=True)
        return Response(
            {
                "$schema": conditions["$schema"],
                "$defs": conditions["$defs"],
                **definition_schema(conditions={"$ref": conditions["$ref"]}),
            }
        )

    @extend_schema(responses={200: _ACTIONS_SCHEMA})
    @action(detail=False, methods=["get"], url_path="actions", pagination_class=None, filter_backends=[])
    def known_actions(self, request: Request) -> Response:
        """What a step may do, with the parameters that each action takes."""
        return Response(
            [
                {
                    "key": item.key,
                    "label": str(item.label),
                    "parameters": [_parameter(parameter) for parameter in item.parameters],
                }
                for item in known_actions
            ]
        )


def _parameter(parameter: Any) -> dict[str, Any]:
    choices = None
    if parameter.choices is not None:
        choices = [{"value": str(value), "label": str(label)} for value, label in parameter.choices()]
    return {
        "key": parameter.key,
        "label": str(parameter.label),
        "type": parameter.type,
        "required": parameter.required,
        "default": parameter.default,
        "choices": choices,
    }


class RunViewSet(ListAction, RetrieveAction, HouseViewSet):
    area = "automations"
    queryset = runs_listed()
    serializer_class = RunSerializer
    filterset_class = RunFilter

    def get_queryset(self) -> Any:
        self.queryset = runs_listed() if self.action == "list" else run_detailed()
        return super().get_queryset()

    def get_serializer_class(self) -> type[Serializer[Any]]:
        return RunSerializer if self.action == "list" else RunDetailSerializer

    @extend_schema(request=None, responses=RunDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End a run under way where it stands; 409 where it has ended."""
        run_cancel(run=self.get_object(), actor=self.actor)
        return self.respond(self.get_object())

    @extend_schema(request=None, responses=RunDetailSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Let a run that failed at a step try it again; 409 for any other."""
        run_retry(run=self.get_object(), actor=self.actor)
        return self.respond(self.get_object())
