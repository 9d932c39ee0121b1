"""Imports over the API: a file in, a job back, its progress, its errors."""

from typing import Any

import orjson
from django.http import StreamingHttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.filters import ImportFilter
from contacts.importing.report import error_lines
from contacts.models import ImportJob, ImportKept, ImportRowError
from contacts.services.import_checks import import_check, import_mend
from contacts.services.imports import import_cancel, import_create, import_start, import_undo
from crmcem.lib.api.fields import ChoiceField, IdField
from crmcem.lib.api.parsers import StrictJSONParser
from crmcem.lib.api.serializers import HouseSerializer, StrictMixin
from crmcem.lib.api.views import HouseViewSet, ListAction, RetrieveAction, known_only
from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import Order

OBJECTS = ["contacts", "companies"]
PAGING = ("cursor", "page_size", "ordering", "fields")


class ReportField(serializers.DictField):
    """What a dry run found: how many rows (``rows``) would ``create``, ``update``, change nothing (``skip``), fail.

    ``left_out``, where there are any: parts (addresses, profiles, e-mail addresses, numbers) for which their record has
    no room; ``row-errors`` names them.

    ``alike``, where there are any: rows that would make a record though one that looks like it is there, their
    ``count`` and the surest of them as ``rows`` of ``{row, name, record, score, reasons}``, with score and reasons as
    in ``duplicates/``.
    """

    child = serializers.JSONField()


class ImportSerializer(HouseSerializer):
    """A job: ``status`` ends in done, failed, cancelled or undone; after a dry run it is draft, with a ``report``."""

    owner = IdField(source="owner_id")
    sheets = serializers.ListField(child=serializers.CharField(), read_only=True)
    report = ReportField(read_only=True)
    new_fields = serializers.DictField(child=serializers.CharField(), read_only=True)
    errors_url = serializers.SerializerMethodField()

    class Meta:
        model = ImportJob
        fields = [
            "id",
            "object",
            "file_name",
            "mode",
            "separator",
            "make_companies",
            "new_fields",
            "mapped_like",
            "status",
            "columns",
            "mapping",
            "encoding",
            "delimiter",
            "sheet",
            "sheets",
            "rows_total",
            "rows_done",
            "created",
            "updated",
            "skipped",
            "failed",
            "left_out",
            "error",
            "errors_url",
            "report",
            "undone_created",
            "undone_updated",
            "kept",
            "owner",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.URI)
    def get_errors_url(self, job: ImportJob) -> str:
        path = reverse("import-errors", args=[job.pk])
        request = self.context.get("request")
        return request.build_absolute_uri(path) if request is not None else path


class MappingField(serializers.JSONField):
    """``{"column of the file": "field"}``, as JSON; in a multipart form as its text."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            try:
                data = orjson.loads(str(data))
            except orjson.JSONDecodeError:
                raise serializers.ValidationError(
                    'Send the mapping as JSON, such as {"E-mail": "email"}.', code="invalid"
                ) from None
        return data


class NewFieldsField(MappingField):
    """``{"custom.key": "text|number|date|boolean"}`` for custom fields that are made on the way."""


class ImportRequest(StrictMixin, serializers.Serializer[Any]):
    """A file (CSV, TSV, XLSX, vCards) and what is in it. Without ``mapping`` it is guessed; ``start=false``: a draft.

    ``sheet`` names the sheet of a spreadsheet; without it the first one with rows is read. ``separator`` parts several
    values in a cell (addresses, numbers, tags). ``make_companies=false`` refuses rows that name an unknown company.
    ``dry_run=true`` judges every row without writing anything, and leaves a draft with a ``report``.

    Fields are those of the record, ``custom.key``, and parts of a contact or company: an address (``street``,
    ``postal_code``, ``city``, ``region``, ``country`` by code or name, ``address_kind``), ``more_addresses`` (one on
    each line: kind; street; postal code; city; region; country), ``profiles`` (web addresses and ``network: name``,
    between them a bar or a line break), a network in its own column (``profile_linkedin`` …), and ``note``
    (``interactions:write``). A part that the record has is left alone; an address of the same kind takes what the row
    says. Further e-mail addresses and numbers of a contact, and further domains of a company, stand in the cell of the
    first.

    A column that is mapped, or guessed to be, a field that needs a permission which you lack (``note``,
    ``owner``) is a 403 that names it: nothing is left out unsaid. Map it to an empty text to leave it out.
    """

    file = serializers.FileField(allow_empty_file=True, max_length=1000)
    object = ChoiceField(choices=OBJECTS, default="contacts")
    mapping = MappingField(required=False)
    mode = ChoiceField(choices=ImportJob.Mode.choices, default=ImportJob.Mode.UPSERT)
    start = serializers.BooleanField(default=True)
    sheet = serializers.CharField(required=False, default="", allow_blank=True, max_length=100)
    separator = ChoiceField(choices=ImportJob.Separator.choices, required=False, default="", allow_blank=True)
    make_companies = serializers.BooleanField(default=True)
    new_fields = NewFieldsField(required=False)
    dry_run = serializers.BooleanField(default=False)


class ImportStartRequest(StrictMixin, serializers.Serializer[Any]):
    mapping = MappingField(required=False)
    mode = ChoiceField(choices=ImportJob.Mode.choices, required=False)
    separator = ChoiceField(choices=ImportJob.Separator.choices, required=False, allow_blank=True)
    make_companies = serializers.BooleanField(required=False)
    new_fields = NewFieldsField(required=False)


class MendedCell(StrictMixin, serializers.Serializer[Any]):
    """``column`` is the name of a column of the file."""

    row = serializers.IntegerField(min_value=1, max_value=100_000_000)
    column = serializers.CharField(max_length=200)
    value = serializers.CharField(allow_blank=True, max_length=10_000)


class MendRequest(StrictMixin, serializers.Serializer[Any]):
    cells = MendedCell(many=True)


class MendedAnswer(serializers.Serializer[Any]):
    mended = serializers.IntegerField()


class RowErrorSerializer(HouseSerializer):
    """Why a row failed; with ``left_out`` it came in without a part that has no room on its record."""

    class Meta:
        model = ImportRowError
        fields = ["id", "row", "field", "code", "detail", "raw", "left_out"]
        read_only_fields = fields


class KeptSerializer(HouseSerializer):
    """A record that undoing the import left as it is; ``fields_changed`` are those that the import had changed."""

    record = IdField(source="record_id")
    fields_changed = serializers.ListField(source="fields", child=serializers.CharField())

    class Meta:
        model = ImportKept
        fields = ["id", "entity", "record", "reason", "fields_changed"]
        read_only_fields = fields


class ImportViewSet(ListAction, RetrieveAction, HouseViewSet):
    area = "imports"
    queryset = ImportJob.objects.all()
    serializer_class = ImportSerializer
    filterset_class = ImportFilter
    orderings = (Order("created_at"),)
    parser_classes = (MultiPartParser, StrictJSONParser)

    @extend_schema(request={"multipart/form-data": ImportRequest}, responses={201: ImportSerializer})
    def create(self, request: Request) -> Response:
        """Send a file of contacts or companies; the job that is made runs in the background."""
        if not hasattr(request.data, "keys"):
            raise DomainError.of("file", "required", "Send the file as multipart/form-data.")
        form = ImportRequest(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        job = import_create(
            file=data["file"],
            kind=data["object"],
            mapping=data.get("mapping"),
            mode=data["mode"],
            start=data["start"] and not data["dry_run"],
            sheet=data["sheet"],
            separator=data["separator"],
            make_companies=data["make_companies"],
            new_fields=data.get("new_fields"),
            ready=data["dry_run"],
            actor=self.actor,
        )
        if data["dry_run"]:
            job = import_check(job=job, actor=self.actor)
        return self.respond(job, status=201)

    @extend_schema(request=ImportStartRequest, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """Start a draft, with a mapping and mode of your own if you like."""
        form = ImportStartRequest(data=request.data)
        form.is_valid(raise_exception=True)
        job = import_start(job=self.get_object(), actor=self.actor, **form.validated_data)
        return self.respond(job)

    @extend_schema(request=ImportStartRequest, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def check(self, request: Request, pk: str) -> Response:
        """A dry run of a draft: every row is judged and nothing written; ``report`` says what would happen."""
        job = self.get_object()
        form = ImportStartRequest(data=request.data)
        form.is_valid(raise_exception=True)
        return self.respond(import_check(job=job, actor=self.actor, **form.validated_data))

    @extend_schema(request=MendRequest, responses=MendedAnswer)
    @action(detail=True, methods=["post"])
    def mend(self, request: Request, pk: str) -> Response:
        """Mend cells of rows that a dry run refused; the import takes these instead of what stands in the file."""
        job = self.get_object()
        form = MendRequest(data=request.data)
        form.is_valid(raise_exception=True)
        places = {column: index for index, column in enumerate(job.columns)}
        cells = {
            (each["row"], places.get(each["column"], -1)): each["value"]
            for each in form.validated_data["cells"]
        }
        return Response({"mended": import_mend(job=job, cells=cells, actor=self.actor)})

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop after the chunk in work. What is in stays in."""
        return self.respond(import_cancel(job=self.get_object(), actor=self.actor))

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        """Take an ended import back: created records go, updated ones are as before, unless they changed since."""
        return self.respond(import_undo(job=self.get_object(), actor=self.actor))

    @extend_schema(responses=KeptSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], filterset_class=None)
    def kept(self, request: Request, pk: str) -> Response:
        """The records that undoing this import left as they are, with the reason, a page at a time."""
        job = self.get_object()
        known_only(request, *PAGING)
        self.orderings = (Order("id"),)  # type: ignore[misc] # of this list only
        self.default_order = Order("id")  # type: ignore[misc]
        rows = self.paginate_queryset(ImportKept.objects.filter(job=job))
        return self.get_paginated_response(
            KeptSerializer(rows, many=True, context=self.get_serializer_context()).data
        )

    @extend_schema(
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.BINARY, "The failed rows with their reasons.")
        }
    )
    @action(detail=True, methods=["get"])
    def errors(self, request: Request, pk: str) -> StreamingHttpResponse:
        """The failed rows, and those with a part that was left out, as CSV, to be mended and sent again."""
        return errors_answer(self.get_object())

    @extend_schema(responses=RowErrorSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], url_path="row-errors", filterset_class=None)
    def row_errors(self, request: Request, pk: str) -> Response:
        """The failed rows and the parts that were left out (``left_out``) as records, a page at a time."""
        job = self.get_object()
        known_only(request, *PAGING)
        self.orderings = (Order("row"),)  # type: ignore[misc] # of this list only
        self.default_order = Order("id")  # type: ignore[misc]
        rows = self.paginate_queryset(ImportRowError.objects.filter(job=job))
        return self.get_paginated_response(
            RowErrorSerializer(rows, many=True, context=self.get_serializer_context()).data
        )


def errors_answer(job: ImportJob) -> StreamingHttpResponse:
    """The error report as a download."""
    response = StreamingHttpResponse(error_lines(job), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="import-{job.pk}-errors.csv"'
    return response
