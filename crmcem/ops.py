"""Probes and figures for whoever runs it: /healthz, /readyz, /metrics."""

import hmac

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django_prometheus.exports import ExportToDjangoView
from redis import Redis
from redis.exceptions import RedisError

from crmcem.lib.api.problems import problem_response
from crmcem.lib.stream_watch import stream_problem


def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process serves."""
    return HttpResponse("ok", content_type="text/plain")


def _database() -> str | None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "The database can't be reached."
    return None


def _migrations() -> str | None:
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return "The state of the migrations can't be read."
    return f"{len(plan)} migrations are not applied." if plan else None


def _broker() -> str | None:
    try:
        client = Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1)
        client.ping()
        client.close()
    except (RedisError, OSError, ValueError):
        return "The broker can't be reached."
    return None


def readyz(request: HttpRequest) -> HttpResponse:
    """200 with database, broker and migrations in order, else 503 naming what is wrong."""
    checks = {"database": _database(), "broker": _broker()}
    if checks["database"] is None:
        checks["migrations"] = _migrations()
        if checks["migrations"] is None:
            checks["stream"] = stream_problem()
    wrong = {name: text for name, text in checks.items() if text}
    return JsonResponse(
        {"ready": not wrong, "checks": {name: text or "ok" for name, text in checks.items()}},
        status=503 if wrong else 200,
    )


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus figures for the bearer of METRICS_TOKEN; 404 while no token is configured."""
    if not settings.METRICS_TOKEN:
        return problem_response(404)
    sent = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if not hmac.compare_digest(sent.encode(), settings.METRICS_TOKEN.encode()):
        return problem_response(401)
    response: HttpResponse = ExportToDjangoView(request)
    return response
