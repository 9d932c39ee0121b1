"""``data-quality/``: how good the data is, over what the acting person may see, and repairs by rule."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.quality import GROUPS, checks
from contacts.selectors.quality import CAP, quality_report
from contacts.selectors.quality_trend import PERIODS, course, courses
from contacts.services.quality import quality_repair
from crmcem.lib.api.serializers import StrictMixin
from crmcem.lib.errors import DomainError


class QualityCheckSerializer(serializers.Serializer[Any]):
    """``check`` is also the value of ``quality=`` in the list of its entity, behind the dot."""

    check = serializers.CharField()
    entity = serializers.CharField(help_text="contact or company")
    group = serializers.CharField(help_text=", ".join(GROUPS))
    label = serializers.CharField()  # type: ignore[assignment] # the name of a field of Field
    count = serializers.IntegerField(allow_null=True, help_text=f"At most {CAP}; null: it took too long.")
    exact = serializers.BooleanField()
    total = serializers.IntegerField(allow_null=True)
    repair = serializers.CharField(allow_null=True)


class QualitySerializer(serializers.Serializer[Any]):
    score = serializers.IntegerField(
        allow_null=True,
        help_text="The mean over the checks of the share of records in order, 0 to 100; null without an exact count.",
    )
    checks = QualityCheckSerializer(many=True)


class RepairInput(StrictMixin, serializers.Serializer[Any]):
    check = serializers.CharField(max_length=80)
    dry_run = serializers.BooleanField(default=False)


class FailedRecord(serializers.Serializer[Any]):
    id = serializers.CharField()
    detail = serializers.CharField()


class RepairedSerializer(serializers.Serializer[Any]):
    """``more``: there are others that the same repair can mend."""

    changed = serializers.IntegerField()
    failed = FailedRecord(many=True)
    more = serializers.BooleanField()


class QualityView(APIView):
    """Missing, stale, bouncing and duplicate data in numbers."""

    scope = "contacts:write"

    @extend_schema(responses=QualitySerializer)
    def get(self, request: Request) -> Response:
        report = quality_report(request.user)
        rows = [
            {
                "check": each.check.name,
                "entity": each.check.entity,
                "group": each.check.group,
                "label": str(each.check.label),
                "count": None if each.count.n is None else each.count.shown,
                "exact": each.count.exact,
                "total": report.totals[each.check.entity].shown,
                "repair": each.check.repair or None,
            }
            for each in report.found
        ]
        assert len(rows) == len(checks.keys())
        return Response({"score": report.score, "checks": rows})


class QualityDaySerializer(serializers.Serializer[Any]):
    check = serializers.CharField(source="check_name")
    day = serializers.DateField()
    found = serializers.IntegerField()
    total = serializers.IntegerField()


class QualityTrendView(APIView):
    """What was found each day, over all records: for those who see all of them; others get none."""

    scope = "contacts:write"

    @extend_schema(
        parameters=[
            OpenApiParameter("check", str, description="Only this check."),
            OpenApiParameter("days", int, enum=PERIODS),
        ],
        responses=QualityDaySerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        name, days = request.query_params.get("check"), request.query_params.get("days", "30")
        if name is not None and name not in checks:
            raise DomainError.of("check", "invalid_choice", _("There is no such check."))
        if days not in map(str, PERIODS):
            raise DomainError.of("days", "invalid_choice", _("Choose 30, 90 or 365 days."))
        rows = courses(request.user, int(days)) if name is None else course(request.user, name, int(days))
        return Response(QualityDaySerializer(rows, many=True).data)


class QualityRepairView(APIView):
    """Mend by rule what a check found, up to 1,000 records (100 pairs of duplicates)."""

    scope = "contacts:write"

    @extend_schema(request=RepairInput, responses=RepairedSerializer)
    def post(self, request: Request) -> Response:
        body = RepairInput(data=request.data)
        body.is_valid(raise_exception=True)
        done = quality_repair(actor=request.actor, **body.validated_data)  # type: ignore[attr-defined]
        failed = [{"id": str(pk), "detail": detail} for pk, detail in done.failed]
        return Response({"changed": done.changed, "failed": failed, "more": done.more})
