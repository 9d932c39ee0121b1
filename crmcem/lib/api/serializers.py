"""The base of every serializer: strict input, sparse output, expansion one level deep."""

from collections.abc import Mapping
from typing import Any

from django.db import models
from rest_framework import serializers

from .fields import ChoiceField, IdField, MomentField


def _names(serializer: Any, parameter: str) -> list[str]:
    request = serializer.context.get("request")
    if request is None or serializer.root is not (serializer.parent or serializer):
        return []
    text = request.query_params.get(parameter, "") if hasattr(request, "query_params") else ""
    return [name.strip() for name in text.split(",") if name.strip()]


class StrictMixin:
    """Unknown and read-only fields are errors, not silently dropped; also for plain serializers."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            fields: Mapping[str, serializers.Field] = self.fields  # type: ignore[attr-defined,type-arg]
            errors: dict[str, list[serializers.ErrorDetail]] = {}
            for name in data:
                if name not in fields:
                    errors[str(name)] = [serializers.ErrorDetail(self._unknown(fields), "unknown_field")]
                elif fields[name].read_only:
                    errors[name] = [serializers.ErrorDetail("This field can't be set.", "read_only")]
            if errors:
                raise serializers.ValidationError(errors)
        return super().to_internal_value(data)  # type: ignore[misc]

    @staticmethod
    def _unknown(fields: Mapping[str, Any]) -> str:
        writable = ", ".join(name for name, field in fields.items() if not field.read_only)
        return f"There is no such field. Fields that can be set: {writable}."


class HouseSerializer(StrictMixin, serializers.ModelSerializer):  # type: ignore[type-arg]
    """``?fields=a,b`` limits the answer; ``?expand=company`` replaces ids by records.

    ``Meta.expandable`` is ``{field: serializer class or callable returning one}``; the expanded record
    is shown only where the person may see it (``visible_to``), otherwise its id stands. Views
    fetch expandable relations in bulk (see ``HouseViewSet.expansions``).
    """

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DateTimeField: MomentField,
    }
    serializer_choice_field = ChoiceField
    id = IdField()

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        wanted = _names(self, "fields")
        if wanted and not self._is_write():
            unknown = [name for name in wanted if name not in fields]
            if unknown:
                raise serializers.ValidationError(
                    {"fields": [serializers.ErrorDetail(f"Unknown: {', '.join(unknown)}.", "unknown_field")]}
                )
            fields = {name: field for name, field in fields.items() if name in wanted}
        return fields

    def _is_write(self) -> bool:
        return hasattr(self.root, "initial_data")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        data: dict[str, Any] = super().to_representation(instance)
        for name, expanded in self.context.get("expanded", {}).items():
            if name in data and data[name] is not None:
                data[name] = expanded.get(data[name], data[name])
        return data
