"""What the engine asks of large tables goes by index: the planner's own choice, on tables of a real size."""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from crmcem.lib.stream import consumers
from crmcem.lib.stream_runner import Reach, run
from journeys.engine import advance, timers
from journeys.models import AbsenceTimer, Automation, Run
from journeys.selectors.automations import automations_listed, step_counts
from tests.factories.contacts import ContactFactory

pytestmark = pytest.mark.django_db
Make = Callable[..., Automation]
LARGE = {
    "contacts_contact",
    "contacts_pulse",
    "journeys_absencetimer",
    "journeys_run",
    "journeys_runstep",
}
ROWS = 20_000


@pytest.fixture
def large(automation: Make) -> Automation:
    """20,000 customers that were seen a day ago, each with a timer of an absence and a run that is done."""
    row = automation({"type": "absence", "event": "*", "for": {"days": 12}}, reentry={"policy": "always"})
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL session_replication_role = replica"
        )  # without audit rows, which nobody reads
        cursor.execute(
            "INSERT INTO contacts_contact (first_name, last_name, lifecycle_stage, tags, custom, consent, created_at,"
            " updated_at, version, phone, job_title, language, time_zone)"
            " SELECT 'F' || n, 'L' || n, 'customer', '{}', '{}', '{}', now(), now(), 1, '', '', '', ''"
            " FROM generate_series(1, %s) n",
            [ROWS],
        )
        cursor.execute(
            "INSERT INTO contacts_pulse (contact_id, lifecycle_stage, open_cases, orders, revenue, last_seen_at)"
            " SELECT id, 'customer', 0, 0, 0, now() - interval '1 day' FROM contacts_contact"
        )
        cursor.execute(
            "INSERT INTO journeys_absencetimer (automation_id, contact_id, last_at, due_at)"
            " SELECT %s, id, now() - interval '1 day', now() + interval '11 days' FROM contacts_contact",
            [row.pk],
        )
        cursor.execute(
            "INSERT INTO journeys_run (automation_id, automation_version_id, contact_id, trigger_key, status,"
            " step_key, context, depth, attempts, started_at, ended_at, error)"
            " SELECT %s, %s, id, 'old', 'done', '', '{}', 0, 0, now(), now(), '' FROM contacts_contact",
            [row.pk, row.current_version_id],
        )
        cursor.execute(
            "INSERT INTO journeys_runstep (run_id, step_key, visit, kind, status, reason, result, started_at, txid)"
            " SELECT id, 'n', 1, 'action', 'done', '', '{}', now(), id::text::xid8 FROM journeys_run"
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
        for table in (*LARGE, "contacts_activity"):
            cursor.execute(f"ANALYZE {table}")
    Automation.objects.filter(pk=row.pk).update(armed_contact=None)
    return row


@contextmanager
def planned() -> Iterator[list[str]]:
    """Collects the large tables that a statement of the block would read from end to end."""
    found: list[str] = []

    def wrapper(execute: Any, statement: Any, params: Any, many: Any, context: Any) -> Any:
        if not many and re.match(r"\s*(WITH|SELECT|INSERT|UPDATE|DELETE)\b", str(statement)):
            with context["connection"].connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", params)
                plan = cursor.fetchone()[0]
            walk((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"], str(statement))
        return execute(statement, params, many, context)

    def walk(node: dict[str, Any], statement: str) -> None:
        if node["Node Type"] == "Seq Scan" and node.get("Relation Name") in LARGE:
            found.append(f"{node['Relation Name']}: {' '.join(statement.split())[:300]}")
        for below in node.get("Plans", ()):
            if (
                node["Node Type"] != "Limit" or below["Node Type"] != "Seq Scan"
            ):  # it stops when it has enough
                walk(below, statement)

    with connection.execute_wrapper(wrapper):
        yield found


def test_a_timer_costs_its_own_rows(large: Automation, happen: Callable[..., int]) -> None:
    """One customer is away, another one is seen: nobody reads the other 20,000."""
    contacts = list(Run.objects.order_by("id").values_list("contact_id", flat=True)[100:102])
    long_ago = timezone.now() - dt.timedelta(days=20)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE contacts_pulse SET last_seen_at = %s WHERE contact_id = %s", [long_ago, contacts[0]]
        )
    AbsenceTimer.objects.filter(contact_id=contacts[0]).update(
        last_at=long_ago, due_at=long_ago + dt.timedelta(days=12)
    )
    with planned() as found:
        assert timers.fire_part(timezone.now()) == 1
    assert found == []
    assert Run.objects.filter(contact_id=contacts[0]).count() == 2

    class Seen:
        pk = contacts[1]

    before = AbsenceTimer.objects.get(contact_id=contacts[1]).last_at
    happen(Seen, "page.viewed")
    with planned() as found:
        run(consumers["journeys.triggers"], 1, reach=Reach(settled=True))
    assert found == []
    assert AbsenceTimer.objects.get(contact_id=contacts[1]).last_at > before


def test_starting_waking_and_going_on_cost_their_own_rows(
    large: Automation, automation: Make, happen: Callable[..., int]
) -> None:
    until = {"key": "u", "type": "wait_until", "event": "survey.answered", "timeout": {"days": 14}}
    automation({"type": "event", "event": "order.placed", "count": 2, "within": {"days": 90}}, [until])
    contact = ContactFactory()
    happen(contact)
    happen(contact)
    with planned() as found:
        run(consumers["journeys.triggers"], 1, reach=Reach(settled=True))
        assert advance.advance_due() == 1
        happen(contact, "survey.answered")
        run(consumers["journeys.triggers"], 1, reach=Reach(settled=True))
        assert advance.advance_due() == 1
    assert found == []
    assert Run.objects.get(contact=contact).status == "done"


def test_the_pages_read_no_table_from_end_to_end(large: Automation, cast: Any) -> None:
    with planned() as found:
        (row,) = automations_listed(cast.cx).filter(pk=large.pk)
        list(Run.objects.filter(automation=large, status="failed").order_by("-id")[:51])
        list(Run.objects.filter(automation=large).order_by("-id")[:51])
    assert found == []
    assert (row.active_runs, row.done_runs, row.failed_runs) == (0, 1001, 0)  # type: ignore[attr-defined]
    assert step_counts(large, cast.cx, large.current_version_id) == {"n": {"done": 1000}}
