"""The OpenAPI document tells what every resource understands: the house's parameters and headers, and its errors."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from .problems import CONTENT_TYPE
from .serializers import HouseSerializer

FIELDS = OpenApiParameter("fields", str, description="Only these fields, separated by commas.")
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag the record was read with: 412 if it changed.",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Up to 255 characters of your own: the same request again gets the first answer, another one 409.",
)


def expand(names: Any) -> OpenApiParameter:
    text = f"Fields to show as records, separated by commas: {', '.join(names)}."
    return OpenApiParameter("expand", str, description=text)


class ProblemErrorSerializer(serializers.Serializer[Any]):
    """``field`` is the path in the body, or the name of a parameter."""

    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = ProblemErrorSerializer(many=True)  # type: ignore[assignment] # the name of a property


class HouseSchema(AutoSchema):
    """What no resource has to say itself."""

    def get_override_parameters(self) -> list[Any]:
        found = super().get_override_parameters()
        view: Any = self.view
        action = getattr(view, "action", "")
        if self.method == "POST":
            found.append(IDEMPOTENCY_KEY)
        if action in {"list", "retrieve"} and self._is_sparse():
            found.append(FIELDS)
            if view.expandable:
                found.append(expand(view.expandable))
        if action in {"partial_update", "destroy"} and self._has_versions():
            found.append(IF_MATCH)
        return found

    def _is_sparse(self) -> bool:
        view: Any = self.view
        return issubclass(view.get_serializer_class(), HouseSerializer)

    def _has_versions(self) -> bool:
        model = getattr(getattr(self.view, "queryset", None), "model", None)
        return model is not None and any(field.name == "version" for field in model._meta.fields)

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            shape = self.resolve_serializer(ProblemSerializer, "response").ref
            operation["responses"]["default"] = {
                "description": "What is wrong with the request, and how to mend it.",
                "content": {CONTENT_TYPE: {"schema": shape}},
            }
        return operation
