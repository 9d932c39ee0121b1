"""The pages for what went wrong. They need no database, no session and no context processor."""

import sys
from collections.abc import Sequence
from typing import Any

import structlog
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from crmcem.lib.api.problems import problem_response
from crmcem.lib.errors import Conflict, DomainError, FieldError, Link, NotAllowed, StaleWrite
from crmcem.lib.outages import outage

from .htmx import toast

log = structlog.get_logger(__name__)


def page(
    request: HttpRequest,
    status: int,
    detail: str = "",
    errors: Sequence[FieldError] = (),
    links: Sequence[Link] = (),
) -> HttpResponse:
    """``templates/errors/<status>.html``, a toast for htmx, a problem for an API path."""
    if request.path.startswith("/api/"):
        return problem_response(status, detail)
    context = {
        "status": status,
        "detail": detail,
        "errors": errors,
        "links": links,
        "language": get_language() or "en",
    }
    if request.headers.get("HX-Request") == "true":
        words = detail or "; ".join(error.detail for error in errors)
        response = HttpResponse(words, status=status, content_type="text/plain")
        if words:
            toast(response, words, "error")
    else:
        response = HttpResponse(loader.render_to_string(f"errors/{status}.html", context), status=status)
    if status == 503:
        response["Retry-After"] = "5"
    return response


def answer_to(request: HttpRequest, exception: Exception) -> HttpResponse | None:
    """The page for an error that a service raised and the view did not show itself."""
    if isinstance(exception, DomainError):
        return page(request, 400, errors=exception.errors)
    if isinstance(exception, NotAllowed):
        return page(request, 403, exception.detail)
    if isinstance(exception, Conflict):
        return page(request, 409, exception.detail, links=exception.links)
    if isinstance(exception, StaleWrite):
        return page(
            request, 412, _("Somebody else changed this record meanwhile. Your change was not saved.")
        )
    return None


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if isinstance(exception, DisallowedHost):
        return page(request, 400, _("This program does not answer under that host name (ALLOWED_HOSTS)."))
    return page(request, 400, _("The request can’t be read. Check its address, its headers and its body."))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return page(request, 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    api = request.path.startswith("/api/")
    return page(
        request, 404, "There is no such address; /api/v1/docs/ has those that there are." if api else ""
    )


def server_error(request: HttpRequest, *args: Any) -> HttpResponse:
    """A defect of ours; or the machine failed where no view was reached yet (session, person, upload): a 503."""
    exception = sys.exception()
    return (exception and unavailable(request, exception)) or page(request, 500)


def unavailable(request: HttpRequest, exception: BaseException) -> HttpResponse | None:
    """The 503 for a database or a disk that fails; None for any other error."""
    reason = outage(exception)
    if reason is None:
        return None
    log.error("unavailable", path=request.path, error=str(exception).split("\n")[0])
    return page(request, 503, reason)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page was open too long, or the form came from elsewhere."""
    return page(
        request,
        403,
        _("This page was open for too long. Go back, reload it and send the form again."),
    )
