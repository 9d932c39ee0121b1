"""surveys/ and invitations/."""

from typing import Any, ClassVar

from django.db.models import Prefetch
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response as Answer

from contacts.api.serializers import ExpandedContactSerializer
from crmcem.lib.actors import acting
from crmcem.lib.api.views import (
    CreateAction,
    DestroyAction,
    HouseViewSet,
    ListAction,
    RetrieveAction,
    UpdateAction,
)
from crmcem.lib.errors import Conflict, DomainError, FieldError
from crmcem.lib.keyset import Order
from crmcem.workspace.policies import require
from feedback.filters import InvitationFilter, ResponseFilter, SurveyFilter
from feedback.models import Invitation, Question, Response, Survey
from feedback.selectors.invitations import outcome
from feedback.selectors.results import survey_results
from feedback.services.invitations import invitation_create
from feedback.services.surveys import (
    survey_close,
    survey_create,
    survey_delete,
    survey_pause,
    survey_publish,
    survey_update,
)

from .results import ResultsSerializer, results_body
from .serializers import ExpandedSurveySerializer, InvitationSerializer, SurveySerializer

#: filters of answers that also narrow a survey's results
NARROWING = ("touchpoint", "owner", "company", "contact", "group", "submitted_at__gte", "submitted_at__lte")
_MOVES = {
    Survey.Status.LIVE: survey_publish,
    Survey.Status.PAUSED: survey_pause,
    Survey.Status.CLOSED: survey_close,
}


class SurveyViewSet(ListAction, RetrieveAction, CreateAction, UpdateAction, DestroyAction, HouseViewSet):
    """Questionnaires. ``status`` publishes, pauses and closes; ``questions`` replaces them by key."""

    area = "surveys"
    queryset = Survey.objects.prefetch_related(
        Prefetch("questions", Question.objects.order_by("position", "id"))
    )
    serializer_class = SurveySerializer
    filterset_class = SurveyFilter
    orderings = (Order("name"), Order("created_at"), Order("updated_at"))

    def perform_create(self, data: dict[str, Any]) -> Survey:
        status = data.pop("status", Survey.Status.DRAFT)
        if status not in {Survey.Status.DRAFT, Survey.Status.LIVE}:
            raise DomainError.of("status", "invalid_choice", "A new survey is draft or live.")
        with acting(self.actor):
            survey = survey_create(actor=self.actor, **data)
            if status == Survey.Status.LIVE:
                survey_publish(survey=survey, actor=self.actor)
        return self._fresh(survey)

    def perform_update(self, survey: Survey, data: dict[str, Any], version: int | None) -> Survey:
        status = data.pop("status", None)
        with acting(self.actor):
            if data or status is None:
                survey = survey_update(survey=survey, actor=self.actor, expected_version=version, **data)
                version = None
            if status in _MOVES:
                _MOVES[status](survey=survey, actor=self.actor, expected_version=version)
            elif status == Survey.Status.DRAFT and survey.status != status:
                raise Conflict("status", "A survey that was published can't become a draft again. Pause it.")
        return self._fresh(survey)

    def perform_destroy(self, survey: Survey, version: int | None) -> None:
        survey_delete(survey=survey, actor=self.actor, expected_version=version)

    def _fresh(self, survey: Survey) -> Survey:
        row: Survey = self.get_queryset().get(pk=survey.pk)
        return row

    @extend_schema(
        responses=ResultsSerializer,
        parameters=[OpenApiParameter(name, str) for name in NARROWING],
        filters=False,
    )
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def results(self, request: Request, pk: str) -> Answer:
        """What the answers say: per question how many and how they are spread, with NPS, CSAT or CES.

        Over the answers of customers whom you may see. Parameters narrow them down.
        """
        require(self.actor, "responses:read")
        survey = self.get_object()
        params = request.query_params
        unknown = sorted(set(params) - {*NARROWING, "format"})
        if unknown:
            known = ", ".join(NARROWING)
            errors = (FieldError(n[:80], "unknown_parameter", f"Known: {known}.") for n in unknown)
            raise DomainError(*errors)
        if any("\x00" in value for value in params.values()):
            raise DomainError.of("non_field_errors", "invalid", "A parameter holds a NUL character.")
        rows = Response.objects.visible_to(request.user)
        narrowed = ResponseFilter(data=params, queryset=rows, request=request)
        if not narrowed.is_valid():
            found = narrowed.errors.as_data().items()
            raise DomainError(
                *(FieldError(f, e.code or "invalid", " ".join(e.messages)) for f, es in found for e in es)
            )
        asked = Invitation.objects.visible_to(request.user).filter(survey=survey)
        for name in ("touchpoint", "contact"):
            if params.get(name):
                asked = InvitationFilter(data={name: params[name]}, queryset=asked, request=request).qs
        results = survey_results(survey, narrowed.qs)
        return Answer(results_body(results, *outcome(asked)))


class InvitationViewSet(ListAction, RetrieveAction, CreateAction, HouseViewSet):
    """Customers who were asked. A POST asks one; refused e-mail or too many surveys suppress it, with a reason."""

    area = "surveys"
    queryset = Invitation.objects.all()
    serializer_class = InvitationSerializer
    filterset_class = InvitationFilter
    orderings = (Order("created_at"),)
    expandable: ClassVar[dict[str, Any]] = {
        "contact": ExpandedContactSerializer,
        "survey": ExpandedSurveySerializer,
    }

    def perform_create(self, data: dict[str, Any]) -> Invitation:
        return invitation_create(actor=self.actor, **data)
