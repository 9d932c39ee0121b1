"""responses/: answers in, answers out."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response as Answer

from contacts.api.serializers import ExpandedContactSerializer
from crmcem.lib.api.views import HouseViewSet, ListAction, RetrieveAction
from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import Order
from feedback.filters import ResponseFilter
from feedback.selectors.responses import responses_complete
from feedback.services.responses import response_correct_sentiment, response_submit

from .serializers import (
    ExpandedSurveySerializer,
    ResponseCorrection,
    ResponseRequest,
    ResponseSerializer,
)


class ResponseViewSet(ListAction, RetrieveAction, HouseViewSet):
    """What customers answered. Sheets that are only begun are not here."""

    area = "responses"
    queryset = responses_complete()
    serializer_class = ResponseSerializer
    filterset_class = ResponseFilter
    orderings = (Order("submitted_at"), Order("nps", nullable=True))
    default_order = Order("submitted_at", descending=True)
    expandable: ClassVar[dict[str, Any]] = {
        "contact": ExpandedContactSerializer,
        "survey": ExpandedSurveySerializer,
    }

    @extend_schema(request=ResponseRequest, responses={200: ResponseSerializer, 201: ResponseSerializer})
    def create(self, request: Request) -> Answer:
        """Take in one complete answer: 201 when it is new, 200 when its message_id was there before."""
        data = self._checked(ResponseRequest)
        submitted = response_submit(actor=self.actor, **data)
        return self.respond(submitted.response, 201 if submitted.created else 200)

    @extend_schema(request=ResponseCorrection, responses=ResponseSerializer)
    def partial_update(self, request: Request, pk: str) -> Answer:
        """Correct how the comment sounds. Answers themselves never change."""
        row = self.get_object()
        label = self._checked(ResponseCorrection)["sentiment"]["label"]
        return self.respond(response_correct_sentiment(response=row, label=label, actor=self.actor))

    def _checked(self, serializer_class: type[Any]) -> dict[str, Any]:
        if not isinstance(self.request.data, dict):
            raise DomainError.of("non_field_errors", "invalid", "Send a JSON object.")
        form = serializer_class(data=self.request.data, context=self.get_serializer_context())
        form.is_valid(raise_exception=True)
        data: dict[str, Any] = form.validated_data
        return data
