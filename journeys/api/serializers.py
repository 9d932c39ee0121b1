"""Automations and their runs as integrators see them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contacts.models import Contact
from crmcem.lib.api.fields import ChoiceField, IdField, Reference
from crmcem.lib.api.serializers import HouseSerializer, StrictMixin
from journeys.definition import schema
from journeys.explain import trigger_of
from journeys.models import Automation, AutomationVersion, Run, RunStep


@extend_schema_field(schema())
class DefinitionField(serializers.JSONField):
    """Trigger, conditions and steps; every fault is told by its path (``definition.steps.0.for``)."""


class AutomationSerializer(HouseSerializer):
    """``definition`` is the current one; writing another makes a new version. ``status`` is set to ``active`` or
    ``paused``. ``problem`` says why the engine can't use the definition any more."""

    definition = DefinitionField()
    definition_version = serializers.SerializerMethodField()
    trigger = serializers.SerializerMethodField(help_text="What sets it off, in words.")
    created_by = IdField(source="created_by_id", allow_null=True)
    status = ChoiceField(choices=Automation.Status.choices, required=False)

    class Meta:
        model = Automation
        fields = [
            "id", "name", "description", "status", "definition", "definition_version", "trigger", "problem",
            "activated_at", "created_by", "created_at", "updated_at", "version",
        ]  # fmt: skip
        read_only_fields = ["problem", "activated_at", "created_at", "updated_at", "version"]
        extra_kwargs: dict[str, Any] = {"name": {"validators": []}}

    @extend_schema_field({"type": ["integer", "null"]})
    def get_definition_version(self, row: Automation) -> int | None:
        return row.current_version.number if row.current_version else None

    @extend_schema_field({"type": "string"})
    def get_trigger(self, row: Automation) -> str:
        return trigger_of(row.current_version.definition) if row.current_version else ""

    def to_representation(self, instance: Automation) -> dict[str, Any]:
        version = instance.current_version
        instance.definition = version.definition if version else None  # type: ignore[attr-defined]
        return super().to_representation(instance)


class VersionSerializer(HouseSerializer):
    definition = DefinitionField()
    created_by = IdField(source="created_by_id", allow_null=True)

    class Meta:
        model = AutomationVersion
        fields = ["id", "number", "definition", "created_by", "created_at"]
        read_only_fields = fields


class StepSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    """What a step did and why. ``kind`` is its type: action, wait, wait_until, branch or split."""

    id = IdField()

    class Meta:
        model = RunStep
        fields = ["id", "step_key", "kind", "status", "reason", "result", "started_at", "ended_at"]
        read_only_fields = fields


class RunSerializer(HouseSerializer):
    """One customer on the way through one version. ``due_at`` is when it goes on, ``reason`` why it ended."""

    automation = IdField(source="automation_id")
    definition_version = serializers.IntegerField(source="automation_version.number", read_only=True)
    contact = IdField(source="contact_id")
    trigger_activity = IdField(source="trigger_activity_id", allow_null=True)

    class Meta:
        model = Run
        fields = [
            "id", "automation", "definition_version", "contact", "status", "step_key", "trigger_activity",
            "depth", "attempts", "started_at", "due_at", "ended_at", "reason", "error",
        ]  # fmt: skip
        read_only_fields = fields


class RunDetailSerializer(RunSerializer):
    steps = StepSerializer(many=True, read_only=True)

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "steps"]
        read_only_fields = fields


class DryRunRequest(StrictMixin, serializers.Serializer[None]):
    contact = Reference(queryset=Contact.objects.all())


class CheckSerializer(serializers.Serializer[Any]):
    """``needed``: without it no run begins."""

    key = serializers.CharField()
    holds = serializers.BooleanField()
    needed = serializers.BooleanField()
    text = serializers.CharField()


class ForeseenSerializer(serializers.Serializer[Any]):
    """A step as it would go; ``at`` is when, at the latest."""

    key = serializers.CharField()
    type = serializers.CharField()
    name = serializers.CharField()
    outcome = ChoiceField(choices=["do", "wait", "choose", "fail", "end"])
    reason = serializers.CharField()
    at = serializers.DateTimeField()


class DryRunSerializer(serializers.Serializer[Any]):
    """``starts``: the trigger, met at this moment, would begin a run. ``steps`` is its way in any case."""

    starts = serializers.BooleanField()
    checks = CheckSerializer(many=True)
    steps = ForeseenSerializer(many=True)
