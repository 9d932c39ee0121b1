"""The large data, in small: what it says of itself is what the consumers would have made of its stream."""

from typing import Any

import pytest
from django.db import connection

from analytics.demo.bulk import Size, seed_bulk
from analytics.models import InvitationDay, MetricDay
from analytics.services.rollups import CONSUMER
from contacts.models import Activity, Company, ConsumerOffset, Contact, ContactPoint, Message, Pulse
from crmcem.lib import stream_rebase, stream_runner
from crmcem.workspace.models import AuditEntry
from feedback.models import Case, Response
from sales.models import Deal
from tests.conftest import _first_pipeline, _roles

SIZE = Size(2_000, 20_000, 2_000, 400)
#: filled by hand from the tasks, not by a consumer
BY_SERVICE = {"next_activity_at"}


def rows(model: Any, *without: str) -> list[dict[str, Any]]:
    names = [f.attname for f in model._meta.concrete_fields if f.attname not in without]
    return list(model.objects.order_by(*names[:6]).values(*names))


def indexes() -> set[tuple[str, str]]:
    """Every index of the largest tables as (table, name); of partitions, whose names are made anew, how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename, indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename !~ '_activity_'"
            " UNION ALL SELECT tablename, count(*)::text FROM pg_indexes"
            " WHERE schemaname = 'public' AND tablename ~ '_activity_' GROUP BY 1"
        )
        return set(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_all_figures_are_those_of_the_stream() -> None:
    _roles()
    _first_pipeline()
    before = indexes()
    seed_bulk(SIZE)
    assert Contact.objects.count() == SIZE.contacts
    assert Activity.objects.count() == SIZE.activities
    assert Response.objects.count() == SIZE.responses
    assert Deal.objects.count() == SIZE.deals
    assert before <= indexes()
    for model in (Contact, Company, Response, Deal, Case):
        table = model._meta.db_table
        assert AuditEntry.objects.filter(table_name=table, op="I").count() == model._default_manager.count()
    points = Contact.objects.exclude(email=None).count() + Contact.objects.exclude(phone=None).count()
    assert ContactPoint.objects.count() == points
    months = Activity.objects.dates("received_at", "month")
    assert len(months) >= 24
    assert not Message.objects.exists()

    # consumers go on behind it, and would have come to the same figures
    assert stream_runner.pump(seconds=60) == 0
    pulses, metrics = rows(Pulse, *BY_SERVICE), rows(MetricDay, "id")
    asked = rows(InvitationDay, "id")
    assert sum(1 for row in pulses if row["orders"]) > 500
    Pulse.objects.update(
        nps=None, nps_at=None, csat=None, csat_at=None, ces=None, ces_at=None, sentiment=None, sentiment_at=None,
        open_cases=0, orders=0, revenue=0, last_seen_at=None, last_touched_at=None,
    )  # fmt: skip
    # Milestones are left out: a seed of the past tells none, and those of its last days would be told now.
    ConsumerOffset.objects.exclude(name__in=["journeys.triggers", "contacts.milestones"]).delete()
    stream_rebase.restart(names=["journeys.triggers"])
    before = Activity.objects.count()
    stream_runner.pump(seconds=120)
    assert Activity.objects.count() == before  # nobody was followed up twice
    assert rows(Pulse, *BY_SERVICE) == pulses
    assert rows(MetricDay, "id") == metrics
    assert rows(InvitationDay, "id") == asked
    assert ConsumerOffset.objects.get(name=CONSUMER).handled == SIZE.activities
