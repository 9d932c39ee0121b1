"""The figures of the experience dashboard from the rollups against the same from the raw answers."""

import datetime as dt
import io
import statistics
import time
from typing import Any

from django.db import connection, transaction

from analytics.selectors.counting import RATE, Scope, counts, today
from analytics.services.rollups import CONSUMER
from crmcem.lib.stream import consumers
from crmcem.lib.stream_runner import run
from crmcem.workspace.models import User

from .stream import forget, newest, skip
from .timing import Line, interleaved

SIZES = ("10k", "100k", "1M")
METRICS = ("nps", "csat", "ces", "mood", RATE)
GROUPS = ("", "week", "touchpoint", "owner")
DAYS = 365
ANSWERS = 20_000
ROUNDS = 3


def measure() -> dict[str, Any]:
    scope = Scope(User.objects.get(username="cx"), today() - dt.timedelta(days=DAYS), today())

    def figures(raw: bool) -> dict[str, Any]:
        answers = METRICS[:-1]
        return {group: counts(scope, answers, group, raw=raw) for group in GROUPS} | {
            RATE: counts(scope, (RATE,), "", raw=raw)
        }

    equal = figures(False) == figures(True)
    taken = interleaved({"rollups": lambda: figures(False), "raw": lambda: figures(True)}, rounds=5, warm=1)
    return taken | {"equal": equal} | _upkeep()


def _upkeep() -> dict[str, float]:
    """Answers go in by COPY as the product keeps them (indexes, references, audit), then the rollups follow."""
    skip()
    start = newest()
    taken: dict[str, list[float]] = {"insert": [], "upkeep": []}
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM feedback_response")
        last = cursor.fetchone()[0]
        cursor.execute("SELECT coalesce(max(id), 0) FROM workspace_auditentry")
        audit = cursor.fetchone()[0]
        text = io.StringIO()
        cursor.copy_expert(
            "COPY (SELECT survey_id, contact_id, 'complete', touchpoint, answers, nps, csat, csat_scale, ces, comment,"
            " language, sentiment_score, sentiment_label, '{}'::jsonb, '{}'::text[], owner_id, company_id, now(), now()"
            f" FROM feedback_response ORDER BY id DESC LIMIT {ANSWERS}) TO STDOUT",
            text,
        )
    rows = text.getvalue().count("\n")
    consumer = consumers[CONSUMER]
    try:
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.copy_expert(
                    "COPY feedback_response (survey_id, contact_id, status, touchpoint, answers, nps, csat, csat_scale,"
                    " ces, comment, language, sentiment_score, sentiment_label, emotions, topics, owner_id, company_id,"
                    " started_at, submitted_at) FROM STDIN",
                    io.StringIO(text.getvalue()),
                )
            taken["insert"].append((time.perf_counter() - begin) / rows)
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO contacts_activity (kind, contact_id, company_id, subject_type, subject_id, actor_kind)"
                    " SELECT 'survey.answered', contact_id, company_id, 'response', id, 'customer'"
                    " FROM feedback_response WHERE id > %s",
                    [last],
                )
            begin = time.perf_counter()
            handled = run(consumer)
            taken["upkeep"].append((time.perf_counter() - begin) / handled)
            _forget(start, last, audit)
    finally:
        _forget(start, last, audit)
    return {name: statistics.median(values) for name, values in taken.items()}


def _forget(start: int, last: int, audit: int) -> None:
    """Take the answers out again; the consumer takes them out of the rollups."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM feedback_response WHERE id > %s", [last])
        cursor.execute("DELETE FROM workspace_auditentry WHERE id > %s", [audit])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts_activity (kind, subject_type, subject_id, actor_kind)"
            " SELECT 'survey.answered', 'response', response_id, 'system' FROM analytics_countedresponse"
            " WHERE response_id > %s",
            [last],
        )
    run(consumers[CONSUMER])
    forget(start)
    skip()


def lines(found: dict[str, dict[str, Any]]) -> list[Line]:
    figures = list(found.values())[-1]
    growth = ", ".join(
        f"{size} {1000 * f['rollups']:.0f} ms against {1000 * f['raw']:.0f} ms" for size, f in found.items()
    )
    pair = f"{1e6 * figures['upkeep']:.0f} µs against {1e6 * figures['insert']:.0f} µs an answer"
    return [
        Line(
            "dashboard from rollups ÷ from raw answers",
            figures["rollups"] / figures["raw"],
            "≤ 0.0667",
            growth,
        ),
        Line("figures of rollups that differ from raw", sum(not f["equal"] for f in found.values()), "≤ 0"),
        Line("rollup upkeep ÷ insert of the answers", figures["upkeep"] / figures["insert"], "≤ 1", pair),
    ]
