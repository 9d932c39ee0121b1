"""Steps of Pulse outside any transaction, as a worker takes them: one statement, and nothing is counted twice."""

import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts.consumers.pulse import PulseConsumer
from contacts.models import ConsumerOffset, Pulse
from contacts.services.stream import NewActivity, activities_append
from crmcem.lib.actors import SYSTEM
from crmcem.lib.stream_runner import run
from tests.factories.contacts import ContactFactory


class Small(PulseConsumer):
    name = "test.pulse"
    batch_size: ClassVar[int] = 3


def order(pk: int, number: int = 1) -> None:
    activities_append(actor=SYSTEM, activities=[NewActivity("order.placed", contact_id=pk)] * number)


def orders(pk: int) -> int:
    return Pulse.objects.get(pk=pk).orders


@pytest.fixture
def offsets(transactional_db: None) -> Iterator[None]:
    yield
    ConsumerOffset.objects.filter(name=Small.name).delete()


def test_a_step_is_one_statement_and_one_transaction(offsets: None) -> None:
    pk = ContactFactory().pk
    consumer = Small()
    run(consumer)
    order(pk, 4)
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert run(consumer) == 4
    steps = [query["sql"] for query in found if "contacts_pulse_step" in query["sql"]]
    assert len(steps) == 3, "three, one, none"
    assert len(found) == 4, "and the look whether the offset is there"
    assert orders(pk) == 4


def test_an_open_writer_only_delays_and_nothing_is_counted_twice(offsets: None) -> None:
    pk = ContactFactory().pk
    consumer = Small()
    run(consumer)
    with transaction.atomic():
        order(pk)
        results: list[int] = []

        def elsewhere() -> None:
            order(pk, 5)
            results.append(run(Small()))
            connection.close()

        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()
        assert results == [0], "what is behind an open writer is not settled"
    assert orders(pk) == 0
    workers = [threading.Thread(target=lambda: (run(Small()), connection.close())) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    run(consumer)
    assert orders(pk) == 6
    assert ConsumerOffset.objects.get(pk=Small.name).handled >= 6
