"""Messages under faults: at most one per idempotency key, none lost, and what is perhaps sent waits for a person."""

import datetime as dt
import random
import signal
import smtplib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from contacts import tasks
from contacts.models import Activity, Message
from contacts.services import outbox
from contacts.services.messages import message_queue
from contacts.services.outbox import OUTBOX, message_id, messages_send_again, send_messages
from crmcem.lib.actors import SYSTEM
from crmcem.lib.mail import Post
from tests.contacts.mailserver import MailServer
from tests.contacts.processes import Process, die, together
from tests.factories.contacts import ContactFactory
from tests.run.cli import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    made = MailServer()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", made.port, 1
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    yield made
    made.stop()


def queue(count: int = 1, start: int = 0) -> list[str]:
    """Queue messages to one contact; answers their keys."""
    contact = ContactFactory()
    keys = [f"key-{n}" for n in range(start, start + count)]
    for key in keys:
        message_queue(
            actor=SYSTEM, contact=contact, purpose="survey", subject="Hello", text="How?", idempotency_key=key
        )
    return keys


def states() -> dict[str, tuple[str, int]]:
    return {m.idempotency_key: (m.status, m.attempts) for m in Message.objects.all()}


def lease_ends() -> None:
    """The claims of dead workers run out."""
    Message.objects.filter(status="sending").update(next_attempt_at=timezone.now() - dt.timedelta(seconds=1))


def due_now() -> None:
    Message.objects.filter(status="queued").update(next_attempt_at=timezone.now())


# --- the server ----------------------------------------------------------------------------------
def test_a_server_that_is_down_costs_no_attempt_and_all_leave_when_it_is_back(server: MailServer) -> None:
    keys = queue(3)
    server.stop()
    assert (send_messages(), send_messages()) == (0, 0)
    assert states() == dict.fromkeys(keys, ("queued", 0))
    server.start()
    assert send_messages() == 3
    assert states() == dict.fromkeys(keys, ("sent", 1))
    assert server.handler.counted() == {message_id(key): 1 for key in keys}


def test_a_server_that_takes_connections_and_never_speaks_costs_no_attempt(
    server: MailServer, settings: Any
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings.EMAIL_PORT = silent.getsockname()[1]
        queue()
        began = time.monotonic()
        assert send_messages() == 0
        assert time.monotonic() - began < 5
    assert states() == {"key-0": ("queued", 0)}


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
def test_a_temporary_refusal_is_tried_again_later_and_sent_once(server: MailServer, stage: str) -> None:
    server.handler.answers[stage] = ["451 4.3.0 try later"]
    queue()
    assert send_messages() == 1
    message = Message.objects.get()
    assert (message.status, message.attempts) == ("queued", 1)
    assert "try later" in message.error
    wait = message.next_attempt_at - timezone.now()
    assert dt.timedelta(seconds=20) < wait <= dt.timedelta(seconds=OUTBOX.pauses[0])
    assert send_messages() == 0  # not yet
    due_now()
    assert send_messages() == 1
    assert states() == {"key-0": ("sent", 2)}
    assert server.handler.counted() == {message_id("key-0"): 1}
    assert list(Activity.objects.values_list("kind", flat=True)) == ["message.sent"]


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
def test_a_refusal_for_good_is_a_dead_letter_and_harms_no_other(server: MailServer, stage: str) -> None:
    server.handler.answers[stage] = ["550 5.1.1 no such mailbox"]
    queue(3)
    assert send_messages() == 3
    assert sorted(status for status, _attempts in states().values()) == ["failed", "sent", "sent"]
    failed = Message.objects.get(status="failed")
    assert "no such mailbox" in failed.error
    assert max(server.handler.counted().values()) == 1
    assert Activity.objects.filter(kind="message.failed", subject_id=failed.pk).count() == 1


def test_after_the_last_attempt_it_is_a_dead_letter_that_a_person_can_send_again(server: MailServer) -> None:
    queue()
    tries = len(OUTBOX.pauses) + 1
    server.handler.answers["rcpt"] = ["451 busy"] * tries
    for _attempt in range(tries):
        due_now()
        assert send_messages() == 1
    assert states() == {"key-0": ("failed", tries)}
    due_now()
    assert send_messages() == 0
    assert messages_send_again(ids=[Message.objects.get().pk]) == 1
    assert send_messages() == 1
    assert states() == {"key-0": ("sent", tries + 1)}
    assert server.handler.counted() == {message_id("key-0"): 1}


def test_a_connection_that_breaks_before_the_text_left_is_tried_again(server: MailServer) -> None:
    server.handler.answers["mail"] = ["hang up"]
    queue(2)
    send_messages()
    assert sorted(status for status, _attempts in states().values()) == ["queued", "queued"]
    due_now()
    assert send_messages() == 2
    assert {status for status, _attempts in states().values()} == {"sent"}
    assert set(server.handler.counted().values()) == {1}


def test_a_connection_that_breaks_after_the_text_left_is_perhaps_sent_and_never_repeated(
    server: MailServer,
) -> None:
    server.handler.hang_up_after_data = True
    queue(2)
    assert send_messages() == 2
    assert sorted(status for status, _attempts in states().values()) == ["sent", "uncertain"]
    due_now()
    assert send_messages() == 0
    assert set(server.handler.counted().values()) == {1}
    unsure = Message.objects.get(status="uncertain")
    activity = Activity.objects.get(kind="message.failed")
    assert (activity.subject_id, activity.payload["status"]) == (unsure.pk, "uncertain")


def test_a_server_too_slow_to_confirm_is_perhaps_sent_and_never_repeated(server: MailServer) -> None:
    server.handler.pause = 2.0  # longer than EMAIL_TIMEOUT
    queue()
    assert send_messages() == 1
    assert states() == {"key-0": ("uncertain", 1)}
    server.handler.pause = 0
    due_now()
    assert send_messages() == 0
    assert server.handler.counted() == {message_id("key-0"): 1}


def test_a_connection_that_the_server_closed_while_idle_is_opened_anew(server: MailServer) -> None:
    queue(2)
    with Post() as post:
        OUTBOX.work(lambda message: post.send(outbox.compose(message)), limit=1)
        server.stop()
        server.start()
        OUTBOX.work(lambda message: post.send(outbox.compose(message)), limit=1)
    assert {status for status, _attempts in states().values()} == {"sent"}


# --- the workers ---------------------------------------------------------------------------------
def dying(module: Any, name: str, after: bool) -> Callable[[], None]:
    """A worker that is gone at ``module.name``, as by ``kill -9``."""

    def work() -> None:
        real = getattr(module, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if not after:
                die()
            real(*args, **kwargs)
            die()

        setattr(module, name, wrapped)
        tasks.send_messages()

    return work


@pytest.mark.parametrize(
    ("module", "name", "after", "sent"),
    [
        (outbox, "compose", False, 0),  # claimed, nothing composed
        (Post, "_alive", True, 0),
        (smtplib.SMTP, "mail", True, 0),  # in the middle of the conversation
        (smtplib.SMTP, "rcpt", True, 0),
        (smtplib.SMTP, "data", True, 1),  # the server has it, nothing is recorded
        (outbox.Outbox, "finish", False, 1),
        (outbox, "_record", False, 1),  # marked, not committed
        (outbox, "_record", True, 1),
    ],
)
def test_a_worker_killed_while_it_sends_leaves_one_uncertain_message_and_loses_none(
    server: MailServer, module: Any, name: str, after: bool, sent: int
) -> None:
    keys = queue(4)
    assert Process(dying(module, name, after)).wait() == -signal.SIGKILL
    time.sleep(0.05)
    assert len(server.handler.taken) == sent
    assert sorted(status for status, _attempts in states().values()) == [
        "queued",
        "queued",
        "queued",
        "sending",
    ]
    claimed = Message.objects.get(status="sending").idempotency_key

    assert send_messages() == 3  # the others don't wait for the lease
    lease_ends()
    assert send_messages() == 0
    assert states() == {key: ("uncertain" if key == claimed else "sent", 1) for key in keys}
    assert Message.objects.get(status="uncertain").error.startswith("The worker ended while it was sending.")
    expected = {message_id(key): 1 for key in keys if key != claimed or sent}
    assert server.handler.counted() == expected
    assert Activity.objects.filter(kind="message.sent").count() == 3


def test_workers_killed_at_random_over_many_messages_send_none_twice_and_lose_none(
    server: MailServer,
) -> None:
    chance = random.Random(7)
    keys = queue(1000)
    kills = 0
    for _round in range(12):
        workers = [Process(lambda: tasks.send_messages()) for _n in range(2)]
        time.sleep(chance.uniform(0.02, 0.25))
        for worker in workers:
            worker.kill()
            kills += worker.wait() == -signal.SIGKILL
    assert kills >= 8
    lease_ends()
    while send_messages():
        pass
    taken = server.handler.counted()
    assert set(states()) == set(keys)
    for key, (status, attempts) in states().items():
        assert attempts == 1
        assert status in {"sent", "uncertain"}
        assert taken[message_id(key)] <= 1
        assert taken[message_id(key)] == 1 or status == "uncertain"
    unsure = sum(status == "uncertain" for status, _attempts in states().values())
    assert unsure <= kills  # a death leaves one at most
    assert set(taken) <= {message_id(key) for key in keys}
    assert Activity.objects.filter(kind="message.sent").count() == len(keys) - unsure


def test_many_workers_at_once_send_each_message_once(server: MailServer) -> None:
    keys = queue(80)
    together(*[lambda: tasks.send_messages()] * 4)
    assert states() == dict.fromkeys(keys, ("sent", 1))
    assert server.handler.counted() == {message_id(key): 1 for key in keys}


def test_a_worker_that_outlives_its_claim_records_the_truth_and_sends_no_second_time(
    server: MailServer, settings: Any
) -> None:
    settings.EMAIL_TIMEOUT = 10
    server.handler.pause = 0.8
    queue()
    slow = threading.Thread(target=_in_own_connection(send_messages))
    slow.start()
    assert eventually(lambda: bool(server.handler.taken))
    lease_ends()
    assert send_messages() == 0  # it is perhaps sent, so nobody sends it again
    assert states() == {"key-0": ("uncertain", 1)}
    slow.join()
    assert states() == {"key-0": ("sent", 1)}  # the worker came back and knew
    assert server.handler.counted() == {message_id("key-0"): 1}


def _in_own_connection(work: Callable[[], Any]) -> Callable[[], None]:
    from django.db import connection

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    return run


# --- queueing ------------------------------------------------------------------------------------
def test_the_same_key_from_many_processes_is_one_message(server: MailServer) -> None:
    contact = ContactFactory()

    def work() -> None:
        message_queue(
            actor=SYSTEM, contact=contact, purpose="survey", subject="S", text="T", idempotency_key="same"
        )

    together(*[work] * 8)
    assert Message.objects.count() == 1
    assert send_messages() == 1
    assert len(server.handler.taken) == 1


def test_a_rolled_back_transaction_queues_nothing(server: MailServer) -> None:
    with transaction.atomic():
        queue(2)
        transaction.set_rollback(True)
    assert not Message.objects.exists()
    assert send_messages() == 0
    assert server.handler.taken == []


def test_nothing_is_sent_inside_a_transaction(server: MailServer) -> None:
    queue()
    with transaction.atomic(), pytest.raises(RuntimeError):
        send_messages()
    assert states() == {"key-0": ("queued", 0)}
    assert server.handler.taken == []
