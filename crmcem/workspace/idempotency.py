"""``Idempotency-Key`` on any POST of the API: the first answer is replayed to every repetition.

Key, effects and stored answer commit in one transaction. A repetition that arrives while the first is at
work waits on the unique key and then replays; a first request that fails or dies takes its key with it,
so nothing is half-done and the repetition runs.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse

from crmcem.lib.api.problems import problem_response

from .models import IdempotencyKey
from .tokens import find

HEADER = "Idempotency-Key"
REPLAYED_HEADERS = ("Content-Type", "ETag", "Location")
WAIT_SECONDS = 10


class IdempotencyMiddleware:
    """Scopes a key to the token or person that sends it, and to method, path and body."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key = request.headers.get(HEADER)
        if key is None or request.method != "POST" or not request.path.startswith("/api/"):
            return self.get_response(request)
        if not 1 <= len(key) <= 255 or not key.isprintable():
            return problem_response(400, f"{HEADER} must have 1 to 255 printable characters.")
        actor = _actor(request)
        if actor is None:
            return self.get_response(request)  # the view answers 401
        return self._once(request, actor, key)

    def _once(self, request: HttpRequest, actor: tuple[str, int], key: str) -> HttpResponse:
        fingerprint = _fingerprint(request)
        try:
            with transaction.atomic():
                if not _claim(actor, key, fingerprint):
                    return _replay(actor, key, fingerprint)
                response = self.get_response(request)
                if response.status_code >= 400 or response.streaming:
                    transaction.set_rollback(True)
                else:
                    _store(actor, key, response)
                return response
        except OperationalError as error:
            if "lock timeout" not in str(error):
                raise
            response = problem_response(409, "The first request with this key is still at work. Try again.")
            response["Retry-After"] = "5"
            return response


def _actor(request: HttpRequest) -> tuple[str, int] | None:
    scheme, _sep, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        token = find(secret.strip())
        return ("token", token.pk) if token else None
    return ("user", request.user.pk) if request.user.is_authenticated else None


def _fingerprint(request: HttpRequest) -> str:
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    if (request.content_type or "").startswith("multipart/"):
        for name in sorted(request.POST):
            digest.update(repr((name, request.POST.getlist(name))).encode())
        for name in sorted(request.FILES):
            for file in request.FILES.getlist(name):
                digest.update(repr((name, file.name, file.size)).encode())
                for chunk in file.chunks():
                    digest.update(chunk)
                file.seek(0)
    else:
        digest.update(request.body)
    return digest.hexdigest()


def _claim(actor: tuple[str, int], key: str, fingerprint: str) -> bool:
    """Whether the key is ours; waits for a transaction that holds the same key."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{WAIT_SECONDS}s"])
        cursor.execute(
            """
            INSERT INTO workspace_idempotencykey
                (actor_kind, actor_id, key, fingerprint, headers, body, created_at)
            VALUES (%s, %s, %s, %s, '{}', '', now())
            ON CONFLICT (actor_kind, actor_id, key) DO NOTHING
            """,
            [*actor, key, fingerprint],
        )
        claimed: bool = cursor.rowcount == 1
        cursor.execute("SELECT set_config('lock_timeout', '0', true)")
    return claimed


def _store(actor: tuple[str, int], key: str, response: HttpResponse) -> None:
    headers: dict[str, Any] = {h: response[h] for h in REPLAYED_HEADERS if h in response}
    render = getattr(response, "render", None)
    if render is not None and not getattr(response, "is_rendered", True):
        render()
    IdempotencyKey.objects.filter(actor_kind=actor[0], actor_id=actor[1], key=key).update(
        status=response.status_code, headers=headers, body=response.content
    )


def _replay(actor: tuple[str, int], key: str, fingerprint: str) -> HttpResponse:
    row = IdempotencyKey.objects.get(actor_kind=actor[0], actor_id=actor[1], key=key)
    if row.fingerprint != fingerprint:
        return problem_response(409, f"This {HEADER} was used for another request. Send a new key.")
    response = HttpResponse(bytes(row.body), status=row.status)
    for name, value in row.headers.items():
        response[name] = value
    response["Idempotent-Replayed"] = "true"
    return response
