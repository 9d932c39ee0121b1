"""A step of Pulse is one statement: its range, its effects and its offset stand or fall together."""

import datetime as dt
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from django.db import connection
from django.utils import timezone

from contacts.consumers.pulse import PulseConsumer
from contacts.models import Activity, ConsumerOffset, Pulse
from contacts.services.stream import NewActivity, activities_append
from crmcem.lib.actors import SYSTEM
from crmcem.lib.stream import FunctionConsumer
from crmcem.lib.stream_runner import Reach, run
from tests.factories.contacts import ContactFactory

DAY = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
HERE = Reach(settled=True)


class Small(PulseConsumer):
    name = "test.pulse"
    batch_size: ClassVar[int] = 3


class Broken(FunctionConsumer):
    name = "test.broken"
    function = "no_such_function"


def write(*kinds: tuple[str, int], payload: dict[str, Any] | None = None) -> None:
    """(kind, contact) one hour after the other."""
    activities = [
        NewActivity(kind, contact_id=pk, payload=payload or {}, occurred_at=DAY + dt.timedelta(hours=number))
        for number, (kind, pk) in enumerate(kinds)
    ]
    activities_append(actor=SYSTEM, activities=activities)


def figures(pk: int) -> tuple[int, Decimal, dt.datetime | None, dt.datetime | None]:
    found: tuple[int, Decimal, dt.datetime | None, dt.datetime | None] = Pulse.objects.values_list(
        "orders", "revenue", "last_seen_at", "last_touched_at"
    ).get(pk=pk)
    return found


def hours(number: int) -> dt.datetime:
    return DAY + dt.timedelta(hours=number)


@pytest.mark.django_db
def test_kinds_are_judged_once_a_range_and_every_batch_adds_up() -> None:
    one, two = ContactFactory().pk, ContactFactory().pk
    Activity.objects.all().delete()
    consumer = Small()
    write(("order.placed", one), ("page.viewed", one), ("contact.updated", one), payload={"amount": "10.50"})
    write(("interaction.logged", two), ("contact.made_up", two), ("order.placed", two), payload={"amount": 2})
    write(("order.placed", one), payload={"amount": {"amount": "1.25", "currency": "EUR"}})
    assert run(consumer, reach=HERE) == 7
    # a tracked event that nobody registered is the customer's doing; a made-up one with the house's first word isn't
    assert figures(one) == (2, Decimal("11.75"), hours(1), None)
    assert figures(two) == (1, Decimal("2.00"), hours(2), hours(0))
    offset = ConsumerOffset.objects.get(pk=Small.name)
    assert (offset.handled, offset.failures) == (7, 0)
    assert offset.last_id == Activity.objects.latest("id").pk
    assert run(consumer, reach=HERE) == 0
    assert figures(one)[:2] == (2, Decimal("11.75"))


@pytest.mark.django_db
def test_a_step_leaves_the_settings_as_they_were() -> None:
    write(("order.placed", ContactFactory().pk))
    names = ("enable_hashjoin", "enable_seqscan", "enable_sort", "jit", "plan_cache_mode")
    with connection.cursor() as cursor:
        ask = "SELECT " + " || ',' || ".join(f"current_setting('{name}')" for name in names)
        cursor.execute(ask)
        before = cursor.fetchone()
        assert run(Small(), reach=HERE) > 0
        cursor.execute(ask)
        assert cursor.fetchone() == before


@pytest.mark.django_db
def test_a_function_that_fails_is_noted_and_fails_alone() -> None:
    contact = ContactFactory()
    assert run(Broken(), reach=HERE) == 0
    offset = ConsumerOffset.objects.get(pk=Broken.name)
    assert (offset.failures, offset.handled) == (1, 0)
    assert "no_such_function" in offset.last_error
    assert offset.retry_at is not None
    assert offset.retry_at > timezone.now()
    assert Pulse.objects.filter(pk=contact.pk).exists(), "the transaction around it goes on"
