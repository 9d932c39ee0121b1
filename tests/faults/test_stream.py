"""The stream under writers that commit, roll back and stall, and under readers that are killed.

Every effect lies in a table without a unique key, so that a doubled one would show.
"""

import contextlib
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from django.db import connection, connections, transaction

from contacts.models import ConsumerOffset
from contacts.services.stream import NewActivity, activities_append
from crmcem.lib.actors import SYSTEM
from crmcem.lib.stream import Batch, Consumer
from crmcem.lib.stream_runner import ensure, run

pytestmark = pytest.mark.django_db(transaction=True)


class Probe(Consumer):
    """Notes every activity that it is handed."""

    name = "test.probe"
    batch_size = 7

    def handle(self, batch: Batch) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"{batch.cte} INSERT INTO probe SELECT id FROM batch", batch.params)


class SlowProbe(Probe):
    """Dwells between the effect and its commit, where a kill does the most harm."""

    def handle(self, batch: Batch) -> None:
        super().handle(batch)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.005)")


@pytest.fixture(autouse=True)
def probe_table(transactional_db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE probe (id bigint)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE probe")
    ConsumerOffset.objects.filter(name=Probe.name).delete()


def column(query: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [value for (value,) in cursor.fetchall()]


def written() -> list[int]:
    return column("SELECT id FROM contacts_activity ORDER BY id")


def noted() -> list[int]:
    return column("SELECT id FROM probe ORDER BY id")


def append(number: int = 1) -> None:
    activities_append(actor=SYSTEM, activities=[NewActivity("test.tick")] * number)


class Abandoned(Exception):
    """The writer changed its mind."""


def test_an_earlier_id_that_commits_later_is_not_missed_as_a_naive_reader_misses_it() -> None:
    """The negative control: ``id > last`` passes over the row of a writer that is slower than the next."""
    naive: list[int] = []

    def read_naively() -> None:
        last = max(naive, default=0)
        naive.extend(column(f"SELECT id FROM contacts_activity WHERE id > {last} ORDER BY id"))

    has_written, may_commit = threading.Event(), threading.Event()

    def slow_writer() -> None:
        try:
            with transaction.atomic():
                append()
                has_written.set()
                may_commit.wait(10)
        finally:
            connection.close()

    writer = threading.Thread(target=slow_writer)
    writer.start()
    assert has_written.wait(10)
    append()  # a later id, committed first
    read_naively()
    assert run(Probe()) == 0, "what is behind an open writer is not settled"
    may_commit.set()
    writer.join()
    read_naively()
    run(Probe())
    assert len(written()) == 2
    assert noted() == written()
    assert naive == written()[1:], "the control must fail, or this test proves nothing"


def test_a_long_writer_only_delays() -> None:
    append(3)
    assert run(Probe()) == 3
    with transaction.atomic():
        append()
        other = threading.Thread(target=lambda: (append(5), connection.close()))
        other.start()
        other.join()
        results: list[int] = []
        reader = threading.Thread(target=lambda: (results.append(run(Probe())), connection.close()))
        reader.start()
        reader.join()
        assert results == [0]
    assert run(Probe()) == 6
    assert noted() == written()


def write_in_fits(luck: random.Random) -> None:
    """One transaction that may stall between its rows, and may be given up."""
    with transaction.atomic():
        append(luck.randint(1, 4))
        if luck.random() < 0.2:
            time.sleep(luck.uniform(0.001, 0.02))
        append(luck.randint(0, 2))
        if luck.random() < 0.3:
            raise Abandoned


def test_among_many_writers_and_readers_nothing_is_missed_or_doubled() -> None:
    """Six writers commit, roll back and stall while three readers compete for the offset."""
    ensure(Probe())
    done = threading.Event()
    failures: list[BaseException] = []

    def write(seed: int) -> None:
        luck = random.Random(seed)
        try:
            for _ in range(50):
                with contextlib.suppress(Abandoned):
                    write_in_fits(luck)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    def read() -> None:
        try:
            while not done.is_set():
                run(Probe(), 5)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(6)]
    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    run(Probe())
    assert failures == []
    assert len(written()) > 300
    assert noted() == written()
    assert ConsumerOffset.objects.get(pk=Probe.name).failures == 0


def test_readers_killed_at_any_point_change_nothing_in_the_end() -> None:
    """Worker processes end by ``kill -9`` in the middle of their batches, one after the other."""
    luck = random.Random(20)
    for _ in range(40):
        append(10)
    expected = written()
    # A copy of this process has no connection of its own yet, and ends without tidying up.
    forks = multiprocessing.get_context("fork")
    kills = 0
    while len(noted()) < len(expected):
        connections.close_all()
        child = forks.Process(target=_read_and_exit, daemon=True)
        child.start()
        assert child.pid is not None
        child.join(luck.uniform(0.02, 0.15))
        if child.is_alive():
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        child.join()
    run(Probe())
    assert kills >= 3, "the readers were too quick to be killed"
    assert noted() == expected


def _read_and_exit() -> None:
    run(SlowProbe())
    os._exit(0)
