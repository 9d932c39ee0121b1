"""The demo data: all of it, once, the same every time, and true."""

import datetime as dt
import io
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import Count, Sum
from django.utils import timezone

from analytics.demo.cdnow import LAST_DAY, by_customer, purchases
from analytics.demo.small import story
from analytics.models import MetricDay
from analytics.selectors.counting import RATE, Scope, counts
from contacts.models import (
    Activity,
    Company,
    ConsumerOffset,
    Contact,
    Message,
    Pulse,
    QualityDay,
    Segment,
    Task,
)
from contacts.quality import checks
from crmcem.workspace.demo import PASSWORD, PEOPLE
from crmcem.workspace.models import Notification, User
from feedback.models import Case, Invitation, Response
from journeys.models import Automation, Run
from sales.models import Deal, StageChange
from tests.conftest import _first_pipeline, _roles

TODAY = timezone.localdate() - dt.timedelta(days=3)


def test_the_file_is_the_real_one() -> None:
    rows = list(purchases())
    assert len(rows) == 6919
    assert len({row.customer for row in rows}) == 2357
    assert rows[0].day == dt.date(1997, 1, 1)
    assert max(row.day for row in rows) == LAST_DAY
    assert sum(row.amount for row in rows) == Decimal("244091.94")
    assert max(row.day for row in purchases(TODAY)) == TODAY


@pytest.mark.django_db(transaction=True)
def test_small_is_true_and_comes_once() -> None:
    _roles()
    _first_pipeline()
    out = io.StringIO()
    call_command("seed_demo", size="small", stdout=out)
    assert PASSWORD in out.getvalue()
    assert sorted(User.objects.values_list("username", flat=True)) == sorted(PEOPLE)

    assert QualityDay.objects.count() == len(list(checks)), "the page of the quality by day has a first day"

    # the real customers with their real purchases, as the consumers have read them
    expected = {
        f"CDNOW-{customer}": (len(rows), sum(row.amount for row in rows))
        for customer, rows in by_customer().items()
    }
    pulses = Pulse.objects.filter(orders__gt=0).values_list("contact__external_id", "orders", "revenue")
    assert {key: (orders, revenue) for key, orders, revenue in pulses} == expected
    assert Activity.objects.filter(kind="order.placed").count() == 6919
    assert Activity.objects.latest("occurred_at").occurred_at <= timezone.now()
    generated = Contact.objects.filter(tags__contains=["generated-name"])
    assert generated.count() == Contact.objects.count() == 2500
    assert not Contact.objects.exclude(email__endswith=".example").exists()
    assert Company.objects.count() == 180

    # everything was read, nothing failed, nothing is to be sent
    offsets = ConsumerOffset.objects.values_list("handled", "failures", "last_error")
    assert {(handled, failures, error) for handled, failures, error in offsets} == {
        (Activity.objects.count(), 0, "")
    }
    assert not Message.objects.exists()
    assert not Notification.objects.exclude(email_status="none").exists()
    assert not Invitation.objects.filter(status="queued").exists()

    _experience_is_consistent()
    _rollups_equal_the_raw_answers()
    _sales_are_consistent()
    sizes = dict(Segment.objects.filter(kind="live").values_list("name", "size"))
    assert len(sizes) == 4
    assert all(0 < size < 1_000 for size in sizes.values()), sizes
    assert set(Automation.objects.values_list("status", flat=True)) == {"active"}
    assert Run.objects.exclude(status="done").count() == 0
    made = Task.objects.filter(automation_key__isnull=False).count()
    assert 0 < made == Run.objects.count() < 60

    before = (Activity.objects.count(), Contact.objects.count(), User.objects.count())
    with pytest.raises(CommandError, match="empty database"):
        call_command("seed_demo", size="small")
    assert (Activity.objects.count(), Contact.objects.count(), User.objects.count()) == before


def _experience_is_consistent() -> None:
    complete = Response.objects.filter(status="complete")
    assert complete.count() == Activity.objects.filter(kind="survey.answered").count() > 600
    assert complete.count() == Invitation.objects.filter(status="answered").count()
    for name in ("nps", "csat", "ces"):
        rows = complete.filter(**{f"{name}__isnull": False}).order_by("submitted_at", "id")
        latest = dict(rows.values_list("contact_id", name))
        pulses = Pulse.objects.filter(**{f"{name}__isnull": False}).values_list("contact_id", name)
        assert dict(pulses) == latest
    opened = (
        Case.objects.filter(status__in=["open", "pending"]).values_list("contact_id").annotate(n=Count("id"))
    )
    cases = Pulse.objects.filter(open_cases__gt=0).values_list("contact_id", "open_cases")
    assert dict(cases) == dict(opened)
    assert not Case.objects.filter(status__in=["resolved", "closed"], resolution="").exists()
    # the engine read the English comments, and they sound like their scores
    english = complete.filter(language="en").exclude(comment="")
    assert not english.filter(sentiment_score__isnull=True).exists()
    bad = english.filter(nps__lte=6)
    assert bad.filter(sentiment_label="negative").count() > 0.9 * bad.count()
    good = english.filter(nps__gte=9)
    assert good.filter(sentiment_label="positive").count() > 0.9 * good.count()


def _rollups_equal_the_raw_answers() -> None:
    scope = Scope(
        User.objects.get(username="cx"), TODAY - dt.timedelta(days=500), TODAY + dt.timedelta(days=4)
    )
    for group in ("", "month", "touchpoint", "owner", "company"):
        metrics = ("nps", "csat", "ces", "mood")
        assert counts(scope, metrics, group) == counts(scope, metrics, group, raw=True)
    assert counts(scope, (RATE,), "touchpoint") == counts(scope, (RATE,), "touchpoint", raw=True)
    assert MetricDay.objects.filter(metric="nps", dimension="all").aggregate(n=Sum("n"))["n"] > 500


def _sales_are_consistent() -> None:
    by_status = Counter(Deal.objects.values_list("status", flat=True))
    assert by_status.total() == 140
    assert min(by_status["open"], by_status["won"], by_status["lost"]) >= 15
    closed = StageChange.objects.filter(status__in=["won", "lost"])
    assert closed.count() == by_status["won"] + by_status["lost"]
    for deal in Deal.objects.prefetch_related("stage_changes"):
        changes = sorted(deal.stage_changes.all(), key=lambda change: change.at)
        assert changes[0].at == deal.created_at
        assert changes[-1].to_stage_id == deal.stage_id
        assert changes[-1].status == deal.status


@pytest.mark.django_db
def test_the_same_seed_makes_the_same_data() -> None:
    first, second = _digest(), _digest()
    assert first == second
    assert first["contacts"] == 2500


def _digest() -> dict[str, Any]:
    with transaction.atomic():
        story(TODAY)
        people = Contact.objects.order_by("id").values_list(
            "email", "phone", "owner__username", "lifecycle_stage"
        )
        found = {
            "contacts": Contact.objects.count(),
            "people": list(people),
            "answers": list(Response.objects.order_by("id").values_list("nps", "csat", "ces", "comment")),
            "deals": list(Deal.objects.order_by("id").values_list("name", "amount", "status", "stage__name")),
            "tasks": list(Task.objects.order_by("id").values_list("title", "due_at", "status")),
            "cases": list(Case.objects.order_by("id").values_list("subject", "status", "root_cause")),
            "kinds": Counter(Activity.objects.values_list("kind", flat=True)),
        }
        transaction.set_rollback(True)
    return found
