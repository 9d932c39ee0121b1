"""Every error of the API as RFC 9457 ``application/problem+json``."""

from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import DataError, IntegrityError
from django.http import Http404, HttpResponse
from django.urls import reverse
from rest_framework import exceptions, status
from rest_framework.response import Response

from crmcem.lib.errors import NON_FIELD, Conflict, DomainError, NotAllowed, StaleWrite
from crmcem.lib.outages import outage
from crmcem.lib.references import Moved

log = structlog.get_logger(__name__)
CONTENT_TYPE = "application/problem+json"
TITLES = {
    307: "Moved",
    400: "The request has errors",
    401: "Sign in or send a valid token",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    412: "The record has changed since you read it",
    413: "Too large",
    415: "Unsupported media type",
    428: "A condition is required",
    429: "Too many requests",
    503: "Not available right now",
}
_SLUGS = {
    307: "merged",
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
}
_SLUGS |= {406: "not-acceptable", 409: "conflict", 412: "stale", 413: "too-large", 415: "media-type"}
_SLUGS |= {428: "condition-required", 429: "throttled", 503: "unavailable"}


def problem(
    code: int, detail: str = "", errors: list[dict[str, str]] | None = None, **extra: Any
) -> dict[str, Any]:
    """The body of a problem response."""
    title = TITLES.get(code, "Error")
    body: dict[str, Any] = {
        "type": f"urn:crmcem:problem:{_SLUGS.get(code, 'error')}",
        "title": title,
        "status": code,
        "detail": detail or title,
        "errors": errors or [],
    }
    return body | extra


def _flatten(detail: Any, path: str = "") -> list[dict[str, str]]:
    """DRF's nested error details as ``[{field, code, detail}]`` with dotted paths."""
    if isinstance(detail, dict):
        return [
            e for key, value in detail.items() for e in _flatten(value, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(detail, list):
        if all(isinstance(item, str) for item in detail):
            return [e for item in detail for e in _flatten(item, path)]
        return [
            e
            for i, item in enumerate(detail)
            if item
            for e in _flatten(item, f"{path}.{i}" if path else str(i))
        ]
    code = getattr(detail, "code", None) or "invalid"
    return [{"field": path or NON_FIELD, "code": str(code), "detail": str(detail)}]


def field_errors(error: DomainError) -> list[dict[str, str]]:
    return [{"field": e.field, "code": e.code, "detail": e.detail} for e in error.errors]


def problem_of(exc: Exception) -> dict[str, Any] | None:
    """The problem that ``exc`` is to the client; None for a defect of ours."""
    match exc:
        case DomainError():
            return problem(exc.status, errors=field_errors(exc))
        case exceptions.ValidationError():
            return problem(400, errors=_flatten(exc.detail))
        case NotAllowed():
            return problem(403, str(exc), scope=exc.scope)
        case Conflict():
            links = [{"label": each.label, "url": each.url} for each in exc.links]
            errors = [{"field": NON_FIELD, "code": exc.code, "detail": exc.detail}]
            return problem(409, exc.detail, errors, **({"links": links} if links else {}))
        case StaleWrite():
            return problem(412, "Read the record again, apply your change to it and send its new ETag.")
        case Http404():
            return problem(404, "There is no such record, or it is not yours to see.")
        case PermissionDenied():
            return problem(403)
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return problem(401, str(exc.detail))
        case exceptions.APIException():
            return problem(exc.status_code, str(exc.detail))
        case DataError():
            return problem(400, "A value is out of the range that can be stored.")
        case IntegrityError():
            return problem(409, "Another record already holds one of these unique values.")
    reason = outage(exc)
    return problem(503, reason) if reason else None


def _moved(exc: Moved, request: Any) -> Response:
    """The answer to the id of a merged record.

    Reading goes on at the new place: 307, because an undo may bring the old one back. A write is refused: who means
    to delete or change the merged record doesn't mean the other one.
    """
    match = request.resolver_match
    place = reverse(match.view_name, kwargs={**match.kwargs, "pk": exc.pk})
    query = request.META.get("QUERY_STRING", "")
    location = request.build_absolute_uri(f"{place}?{query}" if query else place)
    if request.method in {"GET", "HEAD"}:
        return Response(
            problem(307, f"This record was merged into {exc.pk}.", merged_into=str(exc.pk)),
            status=307,
            headers={"Location": location},
            content_type=CONTENT_TYPE,
        )
    detail = (
        f"This record was merged into {exc.pk}. Nothing was changed; send the change there if it is meant so."
    )
    errors = [{"field": NON_FIELD, "code": "merged", "detail": detail}]
    return Response(
        problem(409, detail, errors, merged_into=str(exc.pk)), status=409, content_type=CONTENT_TYPE
    )


def problem_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler; None lets a real defect surface as a 500 (also a problem, see the guard)."""
    if isinstance(exc, Moved):
        return _moved(exc, context["request"])
    body = problem_of(exc)
    if body is None:
        return None
    if body["status"] in {status.HTTP_409_CONFLICT, status.HTTP_503_SERVICE_UNAVAILABLE}:
        log.warning("api_problem", status=body["status"], error=type(exc).__name__)
    headers: dict[str, str] = {}
    if isinstance(exc, exceptions.APIException):
        if getattr(exc, "auth_header", None):
            headers["WWW-Authenticate"] = exc.auth_header  # type: ignore[attr-defined]
        if getattr(exc, "wait", None):
            headers["Retry-After"] = str(int(exc.wait) + 1)  # type: ignore[attr-defined]
    if body["status"] == status.HTTP_503_SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    return Response(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)


def problem_response(code: int, detail: str = "", **extra: Any) -> HttpResponse:
    """A problem outside DRF (middleware, error views)."""
    import orjson

    response = HttpResponse(
        orjson.dumps(problem(code, detail, **extra)), status=code, content_type=CONTENT_TYPE
    )
    if code in {429, 503}:
        response["Retry-After"] = "5"
    return response
