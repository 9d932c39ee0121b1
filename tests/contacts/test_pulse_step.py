"""A step of Pulse is one statement: its range, its effects and its offset stand or fall together."""

import datetime as dt
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
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


@pytest.fixture
def offsets(transactional_db: None) -> Iterator[None]:
    yield
    ConsumerOffset.objects.filter(name=Small.name).delete()


def test_a_step_is_one_statement_and_one_transaction(offsets: None) -> None:
    pk = ContactFactory().pk
    consumer = Small()
    run(consumer)
    write(*[("order.placed", pk)] * 4)
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert run(consumer) == 4
    steps = [query["sql"] for query in found if "contacts_pulse_step" in query["sql"]]
    assert len(steps) == 3, "three, one, none"
    assert len(found) == 4, "and the look whether the offset is there"
    assert figures(pk)[0] == 4


def test_an_open_writer_only_delays_and_nothing_is_counted_twice(offsets: None) -> None:
    pk = ContactFactory().pk
    consumer = Small()
    run(consumer)
    with transaction.atomic():
        write(("order.placed", pk))
        results: list[int] = []

        def elsewhere() -> None:
            write(*[("order.placed", pk)] * 5)
            results.append(run(Small()))
            connection.close()

        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()
        assert results == [0], "what is behind an open writer is not settled"
    assert figures(pk)[0] == 0
    workers = [threading.Thread(target=lambda: (run(Small()), connection.close())) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    run(consumer)
    assert figures(pk)[0] == 6
    assert ConsumerOffset.objects.get(pk=Small.name).handled >= 6
