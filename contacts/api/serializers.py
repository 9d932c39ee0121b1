"""How customers and the work with them look from outside."""

from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contacts.custom.links import drop_hidden_links
from contacts.models import Activity, Company, Contact, Interaction, Task
from crmcem.lib.activities import kinds
from crmcem.lib.api.fields import IdField, Reference, SoftReference
from crmcem.lib.api.serializers import HouseSerializer
from crmcem.lib.birthdays import written
from crmcem.workspace.models import User

from .pulses import CompanyPulseField, PulseField

#: The service checks these against the database, where two requests at the same time can't both win.
UNCHECKED: Mapping[str, Any] = {"validators": []}
STAMPS = ("created_at", "updated_at", "version")


def people() -> Any:
    return User.objects.filter(is_active=True)


def owner_field(**kwargs: Any) -> Reference:
    return Reference(queryset=people(), required=False, allow_null=True, **kwargs)


VALUES = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [
            {"type": ["string", "number", "boolean", "null"]},
            {"type": "array", "items": {"type": "string"}},
            {
                "type": "object",
                "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}},
                "required": ["amount", "currency"],
            },
        ]
    },
}


@extend_schema_field(VALUES)
class CustomValues(serializers.JSONField):
    """Custom fields by key, each in its type (``custom-fields/``); a PATCH merges them, a null removes one."""


@extend_schema_field(VALUES)
class ComputedValues(serializers.ReadOnlyField):
    """Formula and rollup fields by key, over what the reader may see. Left out by ``fields`` they cost nothing."""

    def get_attribute(self, instance: Any) -> Any:
        return getattr(instance, "computed", {})


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {
            "type": ["object", "null"],
            "properties": {
                "status": {"type": "string", "enum": ["granted", "denied"]},
                "at": {"type": "string", "format": "date-time"},
                "source": {"type": "string"},
            },
            "required": ["status"],
        },
    }
)
class ConsentField(serializers.JSONField):
    """Consent by channel (email, sms, phone, push, post); a PATCH merges the channels."""


class CompanySerializer(HouseSerializer):
    owner = owner_field()
    parent = Reference(  # type: ignore[assignment] # the name of a field of Field
        queryset=Company.objects.all(), required=False, allow_null=True
    )
    custom = CustomValues(required=False)
    computed = ComputedValues()
    pulse = CompanyPulseField(source="figures")

    class Meta:
        model = Company
        fields = (
            *(
                "id",
                "external_id",
                "name",
                "domain",
                "industry",
                "size",
                "phone",
                "website",
                "parent",
                "owner",
                "custom",
                "computed",
            ),
            *("pulse", *STAMPS),
        )
        read_only_fields = STAMPS
        extra_kwargs = {
            "external_id": UNCHECKED,
            "domain": UNCHECKED,
            "phone": {"max_length": 60},
        }


class ExpandedCompanySerializer(HouseSerializer):
    """A company inside another record: without the figures of its people."""

    owner = owner_field()

    @staticmethod
    def prepare(rows: Sequence[Any], user: Any) -> None:
        drop_hidden_links("company", rows, user)

    class Meta:
        model = Company
        fields = ("id", "external_id", "name", "domain", "industry", "size", "owner", "custom")


_NODE = {
    "type": "object",
    "properties": {
        "id": {"type": ["string", "null"], "description": "Null: a company that is not yours to see."},
        "name": {"type": ["string", "null"]},
        "people": {"type": "integer", "description": "In it and in all companies below it."},
        "companies": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["id", "name", "people", "companies"],
}


def _node(node: Any) -> dict[str, Any]:
    return {
        "id": str(node.pk) if node.company else None,
        "name": node.company.name if node.company else None,
        "people": node.people,
        "companies": [_node(each) for each in node.nodes],
    }


class CompanyTreeSerializer(serializers.Serializer[Any]):
    """``exact``: all people were counted; ``whole``: all companies below are here."""

    above = serializers.SerializerMethodField()
    company = serializers.SerializerMethodField()
    exact = serializers.BooleanField()
    whole = serializers.BooleanField()

    @extend_schema_field({"type": "array", "items": _NODE})
    def get_above(self, tree: Any) -> list[dict[str, Any]]:
        return [_node(node) for node in tree.above]

    @extend_schema_field(_NODE)
    def get_company(self, tree: Any) -> dict[str, Any]:
        return _node(tree.root)


class ExpandedUserSerializer(HouseSerializer):
    name = serializers.CharField(source="__str__", read_only=True)

    class Meta:
        model = User
        fields = ("id", "username", "name", "email")


@extend_schema_field({"type": ["string", "null"], "examples": ["1980-05-17", "--05-17"]})
class BirthdayField(serializers.Field):  # type: ignore[type-arg]
    """A day of birth; ``--05-17`` where the year is unknown. What is wrong with one is for the service to say."""

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> str | None:
        return written(value)


class ContactSerializer(HouseSerializer):
    birthday = BirthdayField(required=False, allow_null=True)
    company = Reference(queryset=Company.objects.all(), required=False, allow_null=True)
    owner = owner_field()
    custom = CustomValues(required=False)
    computed = ComputedValues()
    consent = ConsentField(required=False)
    pulse = PulseField()
    lifecycle_reason = serializers.CharField(
        write_only=True,
        required=False,
        allow_blank=True,
        max_length=300,
        help_text="Why the stage changes: it stands in the history (lifecycle-changes).",
    )

    class Meta:
        model = Contact
        fields = (
            *("id", "external_id", "first_name", "last_name", "email", "phone", "job_title", "birthday"),
            *(
                "company",
                "owner",
                "lifecycle_stage",
                "lifecycle_reason",
                "tags",
                "custom",
                "computed",
                "consent",
            ),
            *("language", "time_zone", "pulse"),
            *STAMPS,
        )
        read_only_fields = STAMPS
        extra_kwargs = {
            "external_id": UNCHECKED,
            "email": UNCHECKED,
            "phone": {"max_length": 60},
        }


class ExpandedContactSerializer(HouseSerializer):
    """A contact inside another record: without its figures."""

    company = Reference(read_only=True)
    owner = Reference(read_only=True)

    class Meta:
        model = Contact
        fields = (
            *("id", "external_id", "first_name", "last_name", "email", "phone", "company", "owner"),
            *("lifecycle_stage", "tags"),
        )


class _AboutSerializer(HouseSerializer):
    contact = Reference(queryset=Contact.objects.all(), required=False, allow_null=True)
    company = Reference(queryset=Company.objects.all(), required=False, allow_null=True)
    deal = SoftReference(source="deal_id")


class InteractionSerializer(_AboutSerializer):
    class Meta:
        model = Interaction
        fields = (
            *("id", "contact", "company", "deal", "kind", "direction", "occurred_at", "subject", "body"),
            *("duration_seconds", "outcome", "sentiment", *STAMPS),
        )
        read_only_fields = STAMPS
        extra_kwargs = {"occurred_at": {"required": False}}


class TaskSerializer(_AboutSerializer):
    assignee = owner_field(source="owner")

    class Meta:
        model = Task
        fields = (
            *("id", "title", "kind", "body", "due_at", "remind_at", "time_zone", "assignee", "contact"),
            *("company", "deal", "status", "priority", "recurrence", "completed_at", *STAMPS),
        )
        read_only_fields = ("completed_at", *STAMPS)


SUBJECT = {
    "type": ["object", "null"],
    "properties": {"type": {"type": "string"}, "id": {"type": "string"}},
    "required": ["type", "id"],
}
ACTOR = {
    "type": "object",
    "properties": {"kind": {"type": "string"}, "id": {"type": ["string", "null"]}},
    "required": ["kind", "id"],
}


class ActivitySerializer(HouseSerializer):
    """One entry of a timeline. ``label`` and ``summary`` are words for people, ``payload`` is for programs."""

    label = serializers.SerializerMethodField()  # type: ignore[assignment] # the name of a field of Field
    group = serializers.SerializerMethodField()
    summary = serializers.SerializerMethodField()
    contact = IdField(source="contact_id", allow_null=True)
    company = IdField(source="company_id", allow_null=True)
    subject = serializers.SerializerMethodField()
    actor = serializers.SerializerMethodField()
    payload = serializers.DictField(read_only=True)

    class Meta:
        model = Activity
        fields = (
            *("id", "kind", "label", "group", "summary", "occurred_at", "received_at", "contact", "company"),
            *("subject", "actor", "payload"),
        )
        read_only_fields = fields

    def get_label(self, row: Activity) -> str:
        kind = kinds.get(row.kind)
        return str(kind.label) if kind else row.kind

    def get_group(self, row: Activity) -> str:
        kind = kinds.get(row.kind)
        return kind.group if kind else "events"

    def get_summary(self, row: Activity) -> str:
        kind = kinds.get(row.kind)
        return kind.summary(row.payload) if kind else ""

    @extend_schema_field(SUBJECT)
    def get_subject(self, row: Activity) -> dict[str, str] | None:
        return {"type": row.subject_type, "id": str(row.subject_id)} if row.subject_id else None

    @extend_schema_field(ACTOR)
    def get_actor(self, row: Activity) -> dict[str, str | None]:
        return {"kind": row.actor_kind, "id": None if row.actor_id is None else str(row.actor_id)}
