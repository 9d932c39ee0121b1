"""Many writes in one request: each operation stands in a savepoint of its own and harms no other."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crmcem.lib.errors import DomainError

from .fields import parse_id
from .problems import problem_of

MAX_OPERATIONS = 1000
OPERATIONS = ("create", "upsert", "update", "delete")
_KEYS = frozenset({"op", "match", "data", "version"})


class BulkOperationSerializer(serializers.Serializer[Any]):
    """One write. ``match`` names the record by one key; ``version`` refuses a record that changed since."""

    op = serializers.ChoiceField(choices=OPERATIONS)
    match = serializers.DictField(child=serializers.CharField(), required=False)
    data = serializers.DictField(required=False, help_text="The fields of the record.")  # type: ignore[assignment]
    version = serializers.IntegerField(required=False)


class BulkRequestSerializer(serializers.Serializer[Any]):
    operations = serializers.ListField(child=BulkOperationSerializer(), max_length=MAX_OPERATIONS)


class BulkErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class BulkResultSerializer(serializers.Serializer[Any]):
    """What became of the operation at ``index``: the status and errors that it would have had alone."""

    index = serializers.IntegerField()
    op = serializers.CharField()
    status = serializers.IntegerField()
    id = serializers.CharField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)
    errors = BulkErrorSerializer(many=True)  # type: ignore[assignment]


class BulkAnswerSerializer(serializers.Serializer[Any]):
    results = BulkResultSerializer(many=True)


_EXAMPLE = OpenApiExample(
    "Three operations",
    request_only=True,
    value={
        "operations": [
            {"op": "create", "data": {"external_id": "A-1"}},
            {"op": "update", "match": {"id": "17"}, "data": {"external_id": "A-2"}},
            {"op": "delete", "match": {"id": "18"}},
        ]
    },
)


class BulkMixin:
    """``<resource>/bulk/`` for a HouseViewSet with ``perform_create``, ``perform_update`` and ``perform_destroy``.

    The services behind them check the scope of each operation. ``bulk_keys`` are the client's own keys by which
    a record can be matched (and upserted); the ``id`` always works for update and delete.
    """

    bulk_keys: ClassVar[Sequence[str]] = ()

    @extend_schema(
        request=BulkRequestSerializer,
        responses={200: BulkAnswerSerializer},
        examples=[_EXAMPLE],
        filters=False,
    )
    @action(detail=False, methods=["post"], filterset_class=None, pagination_class=None)
    def bulk(self: Any, request: Request) -> Response:
        """Up to 1,000 writes at once, answered in order; a bad one harms no other.

        ``op`` is create, upsert, update or delete; ``match`` names a record by ``id`` or by a key of yours.
        """
        operations = _operations(request.data)
        with transaction.atomic():
            results = [self.bulk_one(index, operation) for index, operation in enumerate(operations)]
        return Response({"results": results})

    def bulk_one(self: Any, index: int, operation: Any) -> dict[str, Any]:
        """The answer to one operation; whatever it wrote is gone where it failed."""
        op = str(operation.get("op", ""))[:20] if isinstance(operation, Mapping) else ""
        try:
            with transaction.atomic():
                status, row = self.bulk_write(operation)
        except Exception as error:
            body = problem_of(error)
            if body is None or body["status"] == 503:
                raise
            found = body["errors"] or [
                {
                    "field": "non_field_errors",
                    "code": body["type"].rpartition(":")[2],
                    "detail": body["detail"],
                }
            ]
            return _result(index, op, body["status"], None, found)
        return _result(index, op, status, row, [])

    def bulk_write(self: Any, operation: Any) -> tuple[int, Any]:
        """Do one operation: status and record. Raises what the same single request would raise."""
        op, match, data, version = _read(operation, self.bulk_keys)
        if op == "create":
            return 201, self.perform_create(self.validated(body=data))
        row = self.bulk_find(match)
        if row is None and op == "upsert":
            try:
                with transaction.atomic():
                    return 201, self.perform_create(self.validated(body={**match, **data}))
            except DomainError as error:
                row = self.bulk_find(match)  # somebody else made it meanwhile
                if row is None or all(e.code != "unique" for e in error.errors):
                    raise
        if row is None:
            raise Http404
        if op == "delete":
            self.perform_destroy(row, version)
            return 204, row
        return 200, self.perform_update(row, self.validated(row, partial=True, body=data), version)

    def bulk_find(self: Any, match: Mapping[str, str]) -> Any:
        """The record that the person may see with this key, or None."""
        [(key, value)] = match.items()
        rows: QuerySet[Any] = self.get_queryset()
        if key == "id":
            pk = parse_id(value)
            return rows.filter(pk=pk).first() if pk is not None else None
        return self.bulk_match(rows, key, value)

    def bulk_match(self: Any, rows: QuerySet[Any], key: str, value: str) -> Any:
        """The row of ``rows`` with one of the ``bulk_keys``."""
        return rows.filter(**{key: value}).first()


def _operations(body: Any) -> list[Any]:
    operations = body.get("operations") if isinstance(body, Mapping) and set(body) == {"operations"} else None
    if not isinstance(operations, list):
        raise DomainError.of("operations", "invalid", 'Send {"operations": [{"op": …, "data": {…}}]}.')
    if len(operations) > MAX_OPERATIONS:
        raise DomainError.of(
            "operations", "too_many", f"Send at most {MAX_OPERATIONS:,} operations in one request."
        )
    return operations


def _read(operation: Any, keys: Sequence[str]) -> tuple[str, dict[str, str], dict[str, Any], int | None]:
    """An operation's parts. Raises DomainError that names the wrong one."""
    if not isinstance(operation, Mapping):
        raise DomainError.of("non_field_errors", "invalid", "An operation is a JSON object.")
    unknown = sorted(set(operation) - _KEYS)
    if unknown:
        raise DomainError.of(str(unknown[0])[:80], "unknown_field", "Known: op, match, data, version.")
    op, version = operation.get("op"), operation.get("version")
    if op not in OPERATIONS:
        raise DomainError.of("op", "invalid_choice", f"Choose among: {', '.join(OPERATIONS)}.")
    data = operation.get("data", {})
    if not isinstance(data, dict):
        raise DomainError.of("data", "invalid", "Send the fields of the record as a JSON object.")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise DomainError.of("version", "invalid", "The version is a whole number.")
    if op == "create":
        if "match" in operation:
            raise DomainError.of("match", "unknown_field", "A create matches nothing; use upsert.")
        return op, {}, data, None
    if op == "delete" and data:
        raise DomainError.of("data", "unknown_field", "A delete takes no data.")
    return op, _match(operation.get("match"), keys, op), data, version


def _match(match: Any, keys: Sequence[str], op: str) -> dict[str, str]:
    allowed = [*keys] if op == "upsert" else ["id", *keys]
    if not allowed:
        raise DomainError.of("op", "invalid_choice", "These records have no key of yours: create or update.")
    text = isinstance(match, dict) and len(match) == 1 and next(iter(match.values()))
    if not isinstance(text, str) or not text.strip() or len(text) > 254 or next(iter(match)) not in allowed:
        shape = " or ".join(f'{{"{key}": "…"}}' for key in allowed)
        raise DomainError.of("match", "invalid", f"Name the record by one key: {shape}.")
    return {key: value.strip() for key, value in match.items()}


def _result(index: int, op: str, status: int, row: Any, errors: list[dict[str, str]]) -> dict[str, Any]:
    gone = row is None or row.pk is None
    version = None if gone or status == 204 else getattr(row, "version", None)
    pk = None if gone else str(row.pk)
    return {"index": index, "op": op, "status": status, "id": pk, "version": version, "errors": errors}
