"""``data-quality/``: how good the data is, over what the acting person may see, and repairs by rule."""

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.quality import GROUPS, checks
from contacts.selectors.quality import CAP, quality_report
from contacts.selectors.quality_trend import PERIODS, course, courses
from contacts.services.quality import PREFIX, forecast, quality_repair, repair_of
from crmcem.lib.actors import Actor
from crmcem.lib.api.serializers import StrictMixin
from crmcem.lib.api.views import HouseViewSet, ListAction, RetrieveAction, known_only
from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import Order
from crmcem.workspace.api.edits import EditActions, EditStateSerializer
from crmcem.workspace.models import BulkEdit
from crmcem.workspace.policies import require


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


class RepairSerializer(EditStateSerializer):
    """A repair: ``status`` ends in done, failed, cancelled or undone; then ``kept`` are records that stayed as they
    are because somebody changed them since. ``more``: it goes on in the background. A dry run has no ``id``, and
    ``more`` says that ``changed`` is only what was found in the time there was.
    """

    id = serializers.SerializerMethodField(allow_null=True)  # type: ignore[assignment]
    check = serializers.SerializerMethodField()
    status = serializers.CharField(allow_null=True)
    rows_total = serializers.IntegerField(allow_null=True)
    failed = serializers.SerializerMethodField(help_text="The first of those that could not be changed.")

    class Meta:
        model = BulkEdit
        fields = ["id", "check", *EditStateSerializer.STATE]
        read_only_fields = fields

    def get_id(self, edit: BulkEdit) -> str | None:
        return None if edit.pk is None else str(edit.pk)

    def get_check(self, edit: BulkEdit) -> str:
        return edit.model.removeprefix(PREFIX)

    @extend_schema_field(FailedRecord(many=True))
    def get_failed(self, edit: BulkEdit) -> list[dict[str, str]]:
        return [{"id": str(each[-1]), "detail": each[1]} for each in edit.failures]


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
        known_only(request, "check", "days")
        name, days = request.query_params.get("check"), request.query_params.get("days", "30")
        if name is not None and name not in checks:
            raise DomainError.of("check", "invalid_choice", _("There is no such check."))
        if days not in map(str, PERIODS):
            raise DomainError.of("days", "invalid_choice", _("Choose 30, 90 or 365 days."))
        rows = courses(request.user, int(days)) if name is None else course(request.user, name, int(days))
        return Response(QualityDaySerializer(rows, many=True).data)


class QualityRepairView(APIView):
    """Mend by rule what a check found: few records at once, many in the background (see ``data-repairs/``)."""

    scope = "contacts:write"

    @extend_schema(request=RepairInput, responses=RepairSerializer)
    def post(self, request: Request) -> Response:
        body = RepairInput(data=request.data)
        body.is_valid(raise_exception=True)
        actor: Actor = request.actor  # type: ignore[attr-defined]
        name = body.validated_data["check"]
        if body.validated_data["dry_run"]:
            return Response(self.dry_run(name, actor))
        edit = quality_repair(check=name, actor=actor)
        return Response(RepairSerializer(edit).data)

    def dry_run(self, name: str, actor: Actor) -> Any:
        check, repair = repair_of(name)
        require(actor, repair.scope)
        found = forecast(check, actor.user)
        edit = BulkEdit(model=f"{PREFIX}{name}", changed=found.n, status=BulkEdit.Status.DONE)
        answer = RepairSerializer(edit).data
        return {**answer, "status": None, "rows_total": None, "more": not found.exact}


class RepairViewSet(EditActions, ListAction, RetrieveAction, HouseViewSet):
    """One's own repairs of the last days: how far they are, what failed, and the way back for half an hour."""

    area = "contacts"
    scope_actions: ClassVar[dict[str, str]] = {"list": "write", "retrieve": "write"}
    queryset = BulkEdit.objects.filter(model__startswith=PREFIX)
    serializer_class = RepairSerializer
    orderings = (Order("id"),)
