from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contacts.api.serializers import ComputedValues, CustomValues
from contacts.models import Company
from crmcem.lib.api.fields import ChoiceField, IdField, MoneyField, Reference
from crmcem.lib.api.serializers import HouseSerializer, StrictMixin
from crmcem.workspace.models import User
from sales.models import Deal, DealContact, Pipeline, Stage, StageChange


class StageSerializer(StrictMixin, serializers.ModelSerializer):  # type: ignore[type-arg]
    """``id`` names a stage that stays when the stages of a pipeline are replaced."""

    id = serializers.CharField(required=False)
    probability = serializers.IntegerField(min_value=0, max_value=100, required=False)
    rot_days = serializers.IntegerField(min_value=1, max_value=3650, required=False, allow_null=True)

    class Meta:
        model = Stage
        fields = ["id", "name", "probability", "rot_days"]
        validators: list[Any] = []


class PipelineSerializer(HouseSerializer):
    stages = StageSerializer(many=True, allow_empty=False)

    class Meta:
        model = Pipeline
        fields = ["id", "name", "is_default", "stages", "created_at", "updated_at", "version"]
        read_only_fields = ["created_at", "updated_at", "version"]
        extra_kwargs: dict[str, Any] = {"name": {"validators": []}}


class MemberSerializer(StrictMixin, serializers.ModelSerializer):  # type: ignore[type-arg]
    contact = serializers.CharField(source="contact_id")
    role = ChoiceField(choices=DealContact.Role.choices, required=False)

    class Meta:
        model = DealContact
        fields = ["contact", "role"]

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        return {"contact": values["contact_id"], "role": values.get("role")}


class DealSerializer(HouseSerializer):
    """``contacts`` is the buying committee; ``probability`` overrides the stage's (percent)."""

    pipeline = Reference(queryset=Pipeline.objects.all(), required=False)
    stage = Reference(queryset=Stage.objects.all(), required=False)
    amount = MoneyField(allow_null=True, required=False)
    company = Reference(queryset=Company.objects.all(), required=False, allow_null=True)
    owner = Reference(queryset=User.objects.all(), required=False, allow_null=True)
    custom = CustomValues(required=False)
    computed = ComputedValues()
    contacts = MemberSerializer(source="deal_contacts", many=True, required=False)
    next_activity_at = serializers.DateTimeField(read_only=True, allow_null=True, default=None)

    class Meta:
        model = Deal
        fields = [
            "id", "external_id", "name", "pipeline", "stage", "status", "amount", "expected_close", "probability",
            "company", "contacts", "owner", "competitors", "lost_reason", "won_reason", "custom", "computed",
            "stage_entered_at", "rots_at", "closed_at", "next_activity_at", "created_at", "updated_at", "version",
        ]  # fmt: skip
        read_only_fields = ["stage_entered_at", "rots_at", "closed_at", "created_at", "updated_at", "version"]
        extra_kwargs = {
            "external_id": {"validators": []},
            "status": {"required": False},
        }

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        if "deal_contacts" in values:
            values["contacts"] = values.pop("deal_contacts")
        return values


class MoveRequest(StrictMixin, serializers.Serializer[None]):
    """``position`` counts from 0 at the top of the column, among the deals that one sees."""

    stage = Reference(queryset=Stage.objects.all())
    position = serializers.IntegerField(min_value=0, max_value=10_000, required=False, allow_null=True)


class CloseRequest(StrictMixin, serializers.Serializer[None]):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=300)


class StageChangeSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    """An entry into a stage; ``seconds_in_previous`` is the time spent in the one before."""

    id = IdField()
    from_stage = IdField(source="from_stage_id", allow_null=True)
    to_stage = IdField(source="to_stage_id", allow_null=True)
    actor = serializers.SerializerMethodField()

    class Meta:
        model = StageChange
        fields = ["id", "from_stage", "to_stage", "status", "at", "seconds_in_previous", "actor"]
        read_only_fields = fields

    @extend_schema_field(
        {"type": "object", "properties": {"kind": {"type": "string"}, "id": {"type": ["string", "null"]}}}
    )
    def get_actor(self, row: StageChange) -> dict[str, str | None]:
        return {"kind": row.actor_kind, "id": None if row.actor_id is None else str(row.actor_id)}
