"""The last guard: whatever goes wrong below the API still answers as a problem, and never leaks."""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.utils.translation import gettext as _

from crmcem.lib.api.problems import problem_response
from crmcem.lib.web.errors import answer_to, page, unavailable

#: what the other fields of a form and its frame may take beside a file
FRAME = 2_000_000


def _limit(request: HttpRequest) -> str | None:
    """The limit that a body exceeds, in words; None for one that may be read. Nothing is read to find out."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return None
    multipart = request.META.get("CONTENT_TYPE", "").startswith("multipart/")
    limit = settings.IMPORT_MAX_BYTES + FRAME if multipart else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if limit is None or length <= limit:
        return None
    return f"{limit // 1_000_000} MB" if limit >= 1_000_000 else f"{limit // 1000} KB"


class Slashes(CommonMiddleware):
    """Leads to the address with the slash; a write with its method and body (308), which a 301 would lose."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        found = super().process_response(request, response)
        if found.status_code == HTTPStatus.MOVED_PERMANENTLY and request.method not in {"GET", "HEAD"}:
            found.status_code = HTTPStatus.PERMANENT_REDIRECT
        return found


class ProblemGuard:
    """The first and last guard of every request.

    A body that is too large is a 413 at once; a database that is gone or a full disk is a clean 503; what a
    service raised and nobody caught is a page that says it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        limit = _limit(request)
        if limit is not None:
            text = _("This is too large: at most %s can be sent at once. Send it in parts.") % limit
            return (
                problem_response(413, text) if request.path.startswith("/api/") else page(request, 413, text)
            )
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return unavailable(request, exception) or answer_to(request, exception)
