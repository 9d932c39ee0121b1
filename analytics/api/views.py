"""``metrics/``: the figures of experience, over any period, group and part of the customers that one may see."""

import datetime as dt
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.filters import DEFAULT_PERIOD, PERIODS, Asked, FigureParameters
from analytics.selectors.counting import GROUPS, RATE, RATE_GROUPS
from analytics.selectors.figures import MAX_GROUPS, Figure, grouped
from crmcem.lib import measures

from .serializers import EffortSerializer, NpsSerializer, RateSerializer, ShareSerializer


def _parameter(name: str, text: str, kind: Any = OpenApiTypes.STR, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, kind, description=text, **more)


def _parameters(groups: tuple[str, ...]) -> list[OpenApiParameter]:
    return [
        _parameter("survey", "Ids, separated by commas; all without."),
        _parameter("from", "First day, in the organisation's time zone.", OpenApiTypes.DATE),
        _parameter("to", "Last day; today without.", OpenApiTypes.DATE),
        _parameter(
            "period",
            f"Length up to `to` without `from`; {DEFAULT_PERIOD} if not given.",
            enum=[*PERIODS],
        ),
        _parameter("segment", "Id of a segment: only answers of its contacts."),
        _parameter("conditions", "Conditions on the contact, as JSON."),
        _parameter("touchpoint", "Only this touchpoint; `none` for answers without one."),
        _parameter("owner", "Id of the owner at the time of the answer, `me` or `none`."),
        _parameter("company", "Id of the company at the time of the answer, or `none`."),
        _parameter("group_by", "One row per group; one row over all without.", enum=list(groups)),
        _parameter("compare", "Beside each figure that of the period before.", enum=["previous"]),
        _parameter("limit", f"The largest groups, at most {MAX_GROUPS}; 200 without.", OpenApiTypes.INT),
    ]


class MetricView(APIView):
    """Read-only, limited to customers whom the acting person may see. No list: one array, largest group first."""

    scope = "metrics:read"
    metric: ClassVar[str]
    groups: ClassVar[tuple[str, ...]] = GROUPS

    def answer(self, request: Request) -> Response:
        asked = FigureParameters(request.query_params, request.user, groups=self.groups).asked()
        rows = grouped(asked.scope, self.metric, asked.group, compare=asked.compare, limit=asked.limit)
        return Response([self.row(row, asked) for row in rows])

    def row(self, row: Figure, asked: Asked) -> dict[str, Any]:
        of = row.measure
        return {
            "group": row.group.isoformat() if isinstance(row.group, dt.date) else row.group or None,
            "label": row.label,
            "n": of.n,
            "value": of.value,
            "low": of.low,
            "high": of.high,
            "reliable": of.reliable,
            "previous": _previous(row, asked),
            **self.parts(row),
        }

    def parts(self, row: Figure) -> dict[str, Any]:
        of = row.counts
        return {"promoters": of.top, "passives": of.middle, "detractors": of.bottom}


def _previous(row: Figure, asked: Asked) -> dict[str, Any] | None:
    if row.previous is None:
        return None
    before = asked.scope.before()
    return {
        "first": before.first.isoformat(),
        "last": before.last.isoformat(),
        "n": row.previous.measure.n,
        "value": row.previous.measure.value,
        "delta": row.delta,
        "z": row.z,
        "significant": row.significant,
    }


class NpsView(MetricView):
    metric = "nps"

    @extend_schema(
        operation_id="metrics_nps", parameters=_parameters(GROUPS), responses=NpsSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """Net Promoter Score with its 95 % interval."""
        return self.answer(request)


class CsatView(MetricView):
    metric = "csat"

    @extend_schema(
        operation_id="metrics_csat", parameters=_parameters(GROUPS), responses=ShareSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """Customer satisfaction: the share of the top boxes of each scale."""
        return self.answer(request)

    def parts(self, row: Figure) -> dict[str, Any]:
        return super().parts(row) | {"satisfied": row.counts.top}


class CesView(CsatView):
    metric = "ces"

    @extend_schema(
        operation_id="metrics_ces", parameters=_parameters(GROUPS), responses=EffortSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """Customer effort: the share that found it easy, and the mean."""
        return self.answer(request)

    def parts(self, row: Figure) -> dict[str, Any]:
        return super().parts(row) | {"mean": row.mean}


class ResponseRateView(MetricView):
    metric = RATE
    groups = RATE_GROUPS

    @extend_schema(
        operation_id="metrics_response_rate",
        parameters=_parameters(RATE_GROUPS),
        responses=RateSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Answered of delivered invitations; owner and company are the contact's of now."""
        return self.answer(request)

    def parts(self, row: Figure) -> dict[str, Any]:
        of = row.counts
        return {
            "delivered": of.n,
            "answered": of.top,
            "partial": of.middle,
            "rr1": measures.rr1(row.outcome).value,
            "rr2": measures.rr2(row.outcome).value,
        }
