"""Tracked events over HTTP: one, or up to 10,000 in a request."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.models import Contact
from contacts.services.event_input import MAX_EVENTS
from contacts.services.events import Taken, events_append
from contacts.services.identify import identify
from crmcem.lib.api.views import HouseViewSet
from crmcem.lib.errors import DomainError, FieldError


class EventContactSerializer(serializers.Serializer[Any]):
    """Whom it is about: one of ``external_id`` and ``email``, or an ``anonymous_id``."""

    external_id = serializers.CharField(max_length=200, required=False)
    email = serializers.EmailField(required=False)
    anonymous_id = serializers.CharField(max_length=200, required=False)


class EventSerializer(serializers.Serializer[Any]):
    """One tracked event. ``message_id`` makes it count once, however often it is sent."""

    message_id = serializers.CharField(max_length=200)
    event = serializers.RegexField(r"^[a-z][a-z0-9_]*(\.[a-z0-9][a-z0-9_]*)*$", max_length=80)
    occurred_at = serializers.DateTimeField(required=False, help_text="With zone; now when left out.")
    contact = EventContactSerializer()
    properties = serializers.JSONField(required=False, help_text="A JSON object of at most 32 KB.")


class EventBatchSerializer(serializers.Serializer[Any]):
    events = EventSerializer(many=True, max_length=MAX_EVENTS)  # type: ignore[call-arg] # of the list


class ProblemItemSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class RejectedSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    errors = ProblemItemSerializer(many=True)  # type: ignore[assignment] # the name of a property


class TakenSerializer(serializers.Serializer[Any]):
    """What became of the events: each is accepted, a duplicate, or rejected with its reasons."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = RejectedSerializer(many=True)


def _answer(taken: Taken) -> dict[str, Any]:
    return {
        "accepted": taken.accepted,
        "duplicates": taken.duplicates,
        "rejected": [
            {"index": index, "errors": [_error(e) for e in taken.rejected[index]]}
            for index in sorted(taken.rejected)
        ],
    }


def _error(error: FieldError) -> dict[str, str]:
    return {"field": error.field, "code": error.code, "detail": error.detail}


class EventViewSet(HouseViewSet):
    """Write-only: events come back on the timeline of their contact."""

    area: ClassVar[str] = "events"
    queryset = Contact.objects.none()
    serializer_class = EventSerializer

    @extend_schema(
        operation_id="events_create",
        request=EventSerializer,
        responses={200: TakenSerializer, 201: TakenSerializer},
        examples=[
            OpenApiExample(
                "An order",
                request_only=True,
                value={
                    "message_id": "order-1001",
                    "event": "order.placed",
                    "occurred_at": "2026-01-31T12:00:00Z",
                    "contact": {"external_id": "C-17"},
                    "properties": {"amount": "49.90", "items": 2},
                },
            )
        ],
    )
    def create(self, request: Request) -> Response:
        """Track one event: 201 when it is new, 200 when this message_id was there before."""
        taken = events_append(actor=self.actor, events=[request.data])
        if taken.rejected:
            raise DomainError(*taken.rejected[0])
        return Response(_answer(taken), status=201 if taken.accepted else 200)

    @extend_schema(
        operation_id="events_batch_create",
        request=PolymorphicProxySerializer(
            component_name="EventBatchRequest",
            serializers=[EventBatchSerializer, EventSerializer(many=True)],
            resource_type_field_name=None,
            many=False,
        ),
        responses={200: TakenSerializer},
    )
    @action(detail=False, methods=["post"], url_path="batch", url_name="batch")
    def batch(self, request: Request) -> Response:
        """Track up to 10,000 events: ``{"events": […]}`` or the bare list. Bad ones are answered by index."""
        data = request.data
        if isinstance(data, dict) and set(data) == {"events"}:
            data = data["events"]
        if not isinstance(data, list):
            raise DomainError.of("events", "invalid", 'Send a list of events, or {"events": [...]}.')
        return Response(_answer(events_append(actor=self.actor, events=data)))


class NamedContactSerializer(serializers.Serializer[Any]):
    external_id = serializers.CharField(max_length=200, required=False)
    email = serializers.EmailField(required=False)


class IdentifySerializer(serializers.Serializer[Any]):
    """Who a visitor is. ``traits`` are fields of the contact, your own ones under ``custom``."""

    anonymous_id = serializers.CharField(max_length=200, required=False)
    contact = NamedContactSerializer()
    traits = serializers.DictField(required=False)


class IdentifiedSerializer(serializers.Serializer[Any]):
    contact = serializers.CharField(help_text="The id of the contact.")
    created = serializers.BooleanField()
    aliased = serializers.BooleanField(help_text="Whether the anonymous_id is newly theirs.")


class IdentifyViewSet(HouseViewSet):
    """Names a visitor; what they did before moves to their contact."""

    area: ClassVar[str] = "events"
    queryset = Contact.objects.none()
    serializer_class = IdentifySerializer

    @extend_schema(
        operation_id="identify",
        request=IdentifySerializer,
        responses={200: IdentifiedSerializer, 201: IdentifiedSerializer},
    )
    def create(self, request: Request) -> Response:
        """Find or make the customer, set traits, attribute the visitor's events: 201 when the customer is new."""
        body = request.data
        if not isinstance(body, dict):
            raise DomainError.of("non_field_errors", "invalid", "Send a JSON object.")
        known = {"anonymous_id", "contact", "traits"}
        if unknown := sorted(set(body) - known):
            raise DomainError.of(
                unknown[0][:80], "unknown_field", "Known fields: anonymous_id, contact, traits."
            )
        traits = body.get("traits")
        if traits is not None and not isinstance(traits, dict):
            raise DomainError.of("traits", "invalid", "Send the traits as a JSON object.")
        done = identify(
            actor=self.actor,
            contact=body.get("contact") or {},
            anonymous_id=body.get("anonymous_id"),
            traits=traits,
        )
        answer = {"contact": str(done.contact.pk), "created": done.created, "aliased": done.aliased}
        return Response(answer, status=201 if done.created else 200)
