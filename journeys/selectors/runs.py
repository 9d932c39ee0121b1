"""Runs, each with its customer: only those whose customer one may see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from django.db import OperationalError, connection
from django.db.models import Prefetch
from django.urls import reverse

from crmcem.lib.bulk_edits import Told
from crmcem.lib.timeouts import statement_timeout
from journeys.models import Run, RunStep
from journeys.policies import READ

#: the clocks of a web server and of the database may differ by so much
CLOCKS = dt.timedelta(hours=1)
COUNT_MS = 1000
# One that was refused when it began (too deep, held out) ended in that moment.
_STARTED = """
SELECT a.name, count(*) FROM contacts_activity s
JOIN journeys_run r ON r.contact_id = s.contact_id AND r.trigger_activity_id = s.id
JOIN journeys_automation a ON a.id = r.automation_id
WHERE s.txid = ANY(%s::text[]::xid8[]) AND s.kind = ANY(%s) AND s.received_at BETWEEN %s AND %s
  AND r.ended_at IS DISTINCT FROM r.started_at
GROUP BY a.id, a.name ORDER BY 2 DESC, 1
"""


def runs_listed() -> Any:
    """Runs with what a row of the log needs: one query. Limit them by ``visible_to``."""
    return Run.objects.select_related("automation", "automation_version", "contact")


def run_detailed() -> Any:
    """Runs with every step, in order."""
    return runs_listed().prefetch_related(Prefetch("steps", RunStep.objects.order_by("id")))


def runs_of_contact(contact_id: int, user: Any, limit: int = 10) -> list[Run]:
    """The newest runs of a customer that ``user`` may see."""
    rows = Run.objects.visible_to(user).filter(contact_id=contact_id)
    return list(rows.select_related("automation").order_by("-id")[:limit])


def run_labels(ids: Collection[int], user: Any) -> dict[int, str]:
    """``{id: name of the automation}`` of the runs that exist and that ``user`` (None: all) may see."""
    rows: Any = Run.objects.all() if user is None else Run.objects.visible_to(user)
    return dict(rows.filter(pk__in=list(ids)).values_list("pk", "automation__name"))


def run_url(pk: int) -> str:
    return reverse("journeys:run", args=[pk])


def runs_started_by(told: Told, user: Any) -> list[tuple[str, int]]:
    """The runs that answered to an edit of many records, by automation; none where counting them takes too long."""
    if not user.may(READ):
        return []
    asked: list[Any] = [
        list(map(str, told.txids)),
        list(told.kinds),
        told.since - CLOCKS,
        told.until + CLOCKS,
    ]
    try:
        with statement_timeout(COUNT_MS), connection.cursor() as cursor:
            cursor.execute(_STARTED, asked)
            return list(cursor.fetchall())
    except OperationalError:
        return []
