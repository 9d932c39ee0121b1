"""Automations as lists and pages show them."""

from __future__ import annotations

from typing import Any

from django.db import OperationalError, connection
from django.db.models import IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.utils import timezone

from contacts.models import Contact
from crmcem.lib.conditions import to_q
from crmcem.lib.timeouts import statement_timeout
from crmcem.lib.web.cells import grouped
from journeys.definition import AbsenceTrigger, Definition
from journeys.definition.nodes import ANYTHING, interval
from journeys.engine import sql
from journeys.models import Automation, Run

#: Counts go no further: "1,000+".
CAP = 1_000
#: Customers who are away already are counted up to here when an absence is about to be activated.
AWAY_CAP = 10_000


class CappedCount(Subquery):
    """How many rows of a (cut off) queryset there are."""

    template = "(SELECT count(*) FROM (%(subquery)s) AS capped)"
    output_field = IntegerField()


def automations_listed(user: Any) -> QuerySet[Automation]:
    """With ``active_runs``, ``done_runs``, ``failed_runs`` (up to CAP + 1) and ``last_run_at``.

    Only runs with customers that ``user`` may see are counted.
    """
    mine = Run.objects.visible_to(user).filter(automation=OuterRef("pk")).order_by()

    def count(status: str) -> CappedCount:
        return CappedCount(mine.filter(status=status).values("pk")[: CAP + 1])

    return Automation.objects.select_related("current_version").annotate(
        active_runs=count(Run.Status.ACTIVE),
        done_runs=count(Run.Status.DONE),
        failed_runs=count(Run.Status.FAILED),
        last_run_at=Subquery(mine.order_by("-id").values("started_at")[:1]),
    )


def capped_words(n: int | None) -> str:
    """ "12" or "1,000+"."""
    if n is None:
        return "0"
    return f"{grouped(CAP)}+" if n > CAP else grouped(n)


def away_already(definition: Definition) -> int | None:
    """How many customers an absence would start for at once (at most AWAY_CAP + 1).

    None where that can't be told quickly: only absences of anything are counted, by Pulse.
    """
    trigger = definition.trigger
    if not isinstance(trigger, AbsenceTrigger) or trigger.event != ANYTHING:
        return None
    since = RawSQL("clock_timestamp() - %s::interval", [interval(trigger.span)])
    rows = Contact._base_manager.filter(pulse__last_seen_at__lte=since)
    if definition.conditions is not None:
        rows = rows.filter(to_q(definition.conditions, now=timezone.now(), tz=sql.zone()))
    try:
        with statement_timeout(400):
            return rows.order_by().values("pk")[: AWAY_CAP + 1].count()
    except OperationalError:
        return None


def held_runs(automation: Automation) -> int:
    """Runs that a pause holds, or that are under way (up to CAP + 1)."""
    rows = Run.objects.filter(automation=automation, status=Run.Status.ACTIVE).order_by()
    return rows.values("pk")[: CAP + 1].count()


_STEPS = """
SELECT s.step_key, s.status, count(*) FROM (
    {runs}
) r JOIN journeys_runstep s ON s.run_id = r.id GROUP BY 1, 2
"""
#: The flow's counts are those of so many newest runs.
COUNTED_RUNS = 1_000


def step_counts(automation: Automation, user: Any, version_id: int | None) -> dict[str, dict[str, int]]:
    """``{step key: {status: n}}`` over the newest runs of a version that ``user`` may see."""
    runs = Run.objects.visible_to(user).filter(automation=automation, automation_version=version_id)
    query = runs.order_by("-id").values("id")[:COUNTED_RUNS].query
    statement, params = query.get_compiler(connection=connection).as_sql()
    out: dict[str, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_STEPS.format(runs=statement), params)
        for key, status, n in cursor.fetchall():
            out.setdefault(key, {})[status] = n
    return out
