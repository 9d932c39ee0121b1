"""How surveys, invitations, answers and cases look from outside."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contacts.models import Contact
from crmcem.lib.api.fields import ChoiceField, MomentField, Reference
from crmcem.lib.api.serializers import HouseSerializer, StrictMixin
from crmcem.lib.errors import DomainError
from crmcem.workspace.models import User
from crmcem.workspace.policies import can
from feedback.links import invitation_url, survey_url
from feedback.models import Case, Invitation, Question, Response, Survey
from feedback.policies import sla_state
from feedback.services.customers import customer_named
from feedback.services.invitations import REASONS
from feedback.services.surveys import MAX_EXPIRY_DAYS

STAMPS = ("created_at", "updated_at", "version")
_DAYS = {"type": "integer", "minimum": 0, "maximum": 3650}


@extend_schema_field({"type": "object", "properties": {"days": _DAYS}})
class ThrottleField(serializers.JSONField):
    """``{"days": n}``: nobody is asked by this survey again within n days."""


_CHOICES = {"type": "array", "items": {"type": "string"}}
_OPTIONS = {
    "type": "object",
    "properties": {
        "scale": {"type": "integer", "enum": [3, 4, 5, 6, 7, 10]},
        "low": {"type": "string"},
        "high": {"type": "string"},
        "short": {"type": "boolean"},
        "choices": _CHOICES,
    },
}


@extend_schema_field(_OPTIONS)
class OptionsField(serializers.JSONField):
    """What the type takes: ``scale`` of csat, ``low`` and ``high`` labels, ``choices``, ``short`` of text."""


@extend_schema_field({"type": "object"})
class LogicField(serializers.JSONField):
    """Kept for conditions between questions; they are asked in order."""


class QuestionSerializer(StrictMixin, serializers.Serializer[Question]):
    """``key`` names the question in answers, and matches it when the questions of a survey are replaced."""

    key = serializers.CharField(max_length=40)
    type = ChoiceField(choices=Question.Type.choices)
    text = serializers.CharField(max_length=500)
    required = serializers.BooleanField(required=False)  # type: ignore[assignment]
    options = OptionsField(required=False)
    logic = LogicField(required=False)


class SurveySerializer(HouseSerializer):
    """``status`` publishes (live), pauses or closes; ``url`` is the anonymous public page."""

    questions = QuestionSerializer(many=True, required=False)
    languages = serializers.ListField(child=serializers.CharField(max_length=12), required=False)
    throttle = ThrottleField(required=False)
    expires_after_days = serializers.IntegerField(min_value=1, max_value=MAX_EXPIRY_DAYS, required=False)
    url = serializers.SerializerMethodField()

    class Meta:
        model = Survey
        fields = (
            *("id", "name", "kind", "status", "questions", "languages", "throttle", "intro", "thanks"),
            *("email_subject", "email_body", "expires_after_days", "url", *STAMPS),
        )
        read_only_fields = STAMPS

    @extend_schema_field({"type": ["string", "null"], "format": "uri"})
    def get_url(self, row: Survey) -> str | None:
        """Only for those who may send it."""
        return survey_url(row.pk) if _may_send(self) else None


def _may_send(serializer: serializers.BaseSerializer[Any]) -> bool:
    request = serializer.context.get("request")
    return request is not None and can(request.actor, "surveys:write")


class ExpandedSurveySerializer(HouseSerializer):
    class Meta:
        model = Survey
        fields = ("id", "name", "kind", "status")


class InvitationSerializer(HouseSerializer):
    """``url`` is the customer's own page (only for those who may send); a suppressed one says why."""

    survey = Reference(queryset=Survey.objects.all())
    contact = Reference(queryset=Contact.objects.all())
    channel = ChoiceField(choices=["email", "link"], required=False)
    suppressed_detail = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    class Meta:
        model = Invitation
        fields = (
            *("id", "survey", "contact", "channel", "touchpoint", "status", "suppressed_reason"),
            *("suppressed_detail", "url", "created_at", "sent_at", "opened_at", "answered_at", "expires_at"),
        )
        read_only_fields = (
            *("status", "suppressed_reason", "created_at", "sent_at", "opened_at", "answered_at"),
            "expires_at",
        )

    def get_suppressed_detail(self, row: Invitation) -> str:
        return str(REASONS.get(row.suppressed_reason, ""))

    @extend_schema_field({"type": ["string", "null"], "format": "uri"})
    def get_url(self, row: Invitation) -> str | None:
        if row.status == Invitation.Status.SUPPRESSED or not _may_send(self):
            return None
        return invitation_url(row.pk)


_ANSWER = {"anyOf": [{"type": ["string", "integer"]}, {"type": "array", "items": {"type": "string"}}]}


@extend_schema_field({"type": "object", "additionalProperties": _ANSWER})
class AnswersField(serializers.DictField):
    """``{question key: value}``: a number of a scale, a text, a choice or a list of choices."""


_MOOD = {
    "type": "object",
    "properties": {
        "score": {"type": ["number", "null"], "description": "-1 to 1"},
        "label": {"type": "string", "enum": ["positive", "neutral", "negative", ""]},
        "by": {"type": "string", "description": "The engine and its version, or person."},
    },
    "required": ["score", "label", "by"],
}


class ResponseSerializer(HouseSerializer):
    """One answer sheet. ``owner`` and ``company`` are the customer's at the time of the answer."""

    survey = Reference(read_only=True)
    contact = Reference(read_only=True)
    invitation = Reference(read_only=True)
    owner = Reference(read_only=True)
    company = Reference(read_only=True)
    answers = AnswersField(read_only=True)
    sentiment = serializers.SerializerMethodField()
    emotions = serializers.DictField(child=serializers.FloatField(), read_only=True)

    class Meta:
        model = Response
        fields = (
            *("id", "survey", "contact", "invitation", "touchpoint", "answers", "nps", "csat", "csat_scale"),
            *("ces", "comment", "language", "sentiment", "emotions", "topics", "owner", "company"),
            *("message_id", "started_at", "submitted_at"),
        )
        read_only_fields = fields

    @extend_schema_field(_MOOD)
    def get_sentiment(self, row: Response) -> dict[str, Any]:
        return {"score": row.sentiment_score, "label": row.sentiment_label, "by": row.sentiment_by}


@extend_schema_field(
    {
        "anyOf": [
            {"type": ["string", "null"], "description": "The id of the contact."},
            {
                "type": "object",
                "properties": {"external_id": {"type": "string"}},
                "required": ["external_id"],
            },
            {"type": "object", "properties": {"email": {"type": "string"}}, "required": ["email"]},
        ]
    }
)
class CustomerField(serializers.Field):  # type: ignore[type-arg]
    """A customer by their id or by ``{external_id}`` or ``{email}``; the service finds them."""

    def to_internal_value(self, data: Any) -> Contact:
        named = data if isinstance(data, Mapping) else {"id": data}
        try:
            return customer_named(named=named, actor=self.context["request"].actor)
        except DomainError as error:
            raise serializers.ValidationError(error.errors[0].detail, error.errors[0].code) from error

    def to_representation(self, value: Any) -> Any:
        return value


class ResponseRequest(StrictMixin, serializers.Serializer[None]):
    """``message_id`` makes the answer count once, however often it is sent."""

    survey = Reference(queryset=Survey.objects.all())
    answers = AnswersField()
    contact = CustomerField(required=False, allow_null=True)
    touchpoint = serializers.CharField(max_length=80, required=False, allow_blank=True)
    message_id = serializers.CharField(max_length=200, required=False)
    submitted_at = MomentField(required=False)
    language = serializers.CharField(max_length=12, required=False)


class _Mood(StrictMixin, serializers.Serializer[None]):
    label = ChoiceField(choices=["positive", "neutral", "negative"])  # type: ignore[assignment]


class ResponseCorrection(StrictMixin, serializers.Serializer[None]):
    """What a person may correct: how the comment sounds."""

    sentiment = _Mood()


class ExpandedResponseSerializer(HouseSerializer):
    """An answer inside another record."""

    survey = Reference(read_only=True)

    class Meta:
        model = Response
        fields = ("id", "survey", "nps", "csat", "ces", "comment", "submitted_at")


class CaseSerializer(HouseSerializer):
    """``status`` resolved needs a ``resolution``; ``sla`` says how the case stands against ``sla_due_at``."""

    contact = Reference(queryset=Contact.objects.all())
    owner = Reference(queryset=User.objects.filter(is_active=True), required=False, allow_null=True)
    response = Reference(queryset=Response.objects.all(), required=False, allow_null=True)
    sla = serializers.SerializerMethodField()

    class Meta:
        model = Case
        fields = (
            *("id", "contact", "subject", "body", "status", "priority", "owner", "source", "response"),
            *("sla_due_at", "sla", "root_cause", "resolution", "resolved_at", *STAMPS),
        )
        read_only_fields: tuple[str, ...] = ("resolved_at", *STAMPS)
        extra_kwargs: Mapping[str, Any] = {"response": {"validators": []}}

    @extend_schema_field(
        {"type": "string", "enum": ["none", "on_track", "due_soon", "overdue", "met", "missed"]}
    )
    def get_sla(self, row: Case) -> str:
        return sla_state(row, timezone.now())


class CasePatchSerializer(CaseSerializer):
    """A case stays with its customer, answer and origin."""

    contact = Reference(read_only=True)
    response = Reference(read_only=True)

    class Meta(CaseSerializer.Meta):
        read_only_fields = ("source", *CaseSerializer.Meta.read_only_fields)


class ResolveRequest(StrictMixin, serializers.Serializer[None]):
    resolution = serializers.CharField(max_length=20_000)
    root_cause = serializers.CharField(max_length=200, required=False, allow_blank=True)


class ReopenRequest(StrictMixin, serializers.Serializer[None]):
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)
