"""Tasks: their rhythm on the wall clock, their effect on the next activity, and reminders that come once."""

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection, transaction
from django.http import Http404

from contacts.models import Activity, Pulse, Task
from contacts.recurrence import occurrence
from contacts.services import reminders
from contacts.services.reminders import reminders_send
from contacts.services.tasks import (
    task_cancel,
    task_complete,
    task_create,
    task_delete,
    task_reopen,
    task_update,
)
from crmcem.lib.actors import SYSTEM, Actor
from crmcem.lib.errors import Conflict, DomainError, NotAllowed
from crmcem.workspace.models import Notification, User
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory, TaskFactory

As = Callable[[User], Actor]
BERLIN = ZoneInfo("Europe/Berlin")


def berlin(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=BERLIN)  # type: ignore[misc,arg-type]


def wall(moment: dt.datetime | None) -> str:
    assert moment is not None
    return moment.astimezone(BERLIN).strftime("%Y-%m-%d %H:%M%z")


class TestOccurrence:
    """Berlin's clocks: 2026-03-29 from 2:00 to 3:00, 2026-10-25 from 3:00 back to 2:00."""

    def test_nine_stays_nine_over_both_changes(self) -> None:
        spring = [occurrence(berlin(2026, 3, 28, 9), "daily", n, BERLIN) for n in range(3)]
        assert [wall(m) for m in spring] == [
            "2026-03-28 09:00+0100",
            "2026-03-29 09:00+0200",
            "2026-03-30 09:00+0200",
        ]
        autumn = [occurrence(berlin(2026, 10, 24, 9), "daily", n, BERLIN) for n in range(3)]
        assert [wall(m) for m in autumn] == [
            "2026-10-24 09:00+0200",
            "2026-10-25 09:00+0100",
            "2026-10-26 09:00+0100",
        ]

    def test_the_missing_hour_shifts_one_day_only(self) -> None:
        found = [occurrence(berlin(2026, 3, 28, 2, 30), "daily", n, BERLIN) for n in range(3)]
        assert [wall(m) for m in found] == [
            "2026-03-28 02:30+0100",
            "2026-03-29 03:30+0200",
            "2026-03-30 02:30+0200",
        ]

    def test_the_double_hour_comes_once(self) -> None:
        found = [occurrence(berlin(2026, 10, 24, 2, 30), "daily", n, BERLIN) for n in range(3)]
        assert [wall(m) for m in found] == [
            "2026-10-24 02:30+0200",
            "2026-10-25 02:30+0200",
            "2026-10-26 02:30+0100",
        ]

    def test_month_ends(self) -> None:
        found = [occurrence(berlin(2027, 12, 31, 9), "monthly", n, BERLIN) for n in range(5)]
        assert [wall(m)[:10] for m in found] == [
            "2027-12-31",
            "2028-01-31",
            "2028-02-29",
            "2028-03-31",
            "2028-04-30",
        ]

    def test_weeks(self) -> None:
        assert wall(occurrence(berlin(2026, 3, 23, 9), "weekly", 1, BERLIN)) == "2026-03-30 09:00+0200"


@pytest.mark.django_db
class TestTasks:
    def test_create_and_next_activity(self, cast: Cast, actor: As) -> None:
        contact = ContactFactory(owner=cast.rep)
        rep = actor(cast.rep)
        late = task_create(
            data={"title": "Later", "due_at": "2026-05-02T10:00:00Z", "contact": contact.pk}, actor=rep
        )
        early = task_create(
            data={"title": "Sooner", "due_at": "2026-05-01T10:00:00+02:00", "contact": contact}, actor=rep
        )
        assert (early.owner, early.team, early.time_zone) == (cast.rep, cast.north, "UTC")

        def next_at() -> dt.datetime | None:
            return Pulse.objects.get(pk=contact.pk).next_activity_at

        assert next_at() == early.due_at
        task_complete(task=early, actor=rep)
        assert next_at() == late.due_at
        task_reopen(task=early, actor=rep)
        assert next_at() == early.due_at
        task_cancel(task=early, actor=rep)
        assert next_at() == late.due_at
        with pytest.raises(Conflict):
            task_complete(task=early, actor=rep)
        other = ContactFactory(owner=cast.rep)
        task_update(task=late, data={"contact": other.pk}, actor=rep)
        assert next_at() is None
        assert Pulse.objects.get(pk=other.pk).next_activity_at == late.due_at
        task_delete(task=late, actor=rep)
        assert Pulse.objects.get(pk=other.pk).next_activity_at is None
        assert list(
            Activity.objects.filter(subject_type="task", subject_id=early.pk)
            .order_by("id")
            .values_list("kind", flat=True)
        ) == ["task.created", "task.completed", "task.reopened", "task.cancelled"]

    def test_faults(self, cast: Cast, actor: As) -> None:
        hidden = ContactFactory(owner=cast.rep2)
        rep = actor(cast.rep)
        for data, expected in [
            ({"title": ""}, ("title", "required")),
            ({"title": "x", "contact": hidden.pk}, ("contact", "does_not_exist")),
            ({"title": "x", "deal": 123456789}, ("deal", "does_not_exist")),
            ({"title": "x", "assignee": 123456789}, ("assignee", "does_not_exist")),
            ({"title": "x", "recurrence": "daily"}, ("due_at", "required")),
            ({"title": "x", "due_at": "2026-02-30T10:00:00Z"}, ("due_at", "invalid")),
            ({"title": "x", "due_at": "2026-02-01T10:00:00"}, ("due_at", "zone")),
        ]:
            with pytest.raises(DomainError) as caught:
                task_create(data=data, actor=rep)
            assert [(e.field, e.code) for e in caught.value.errors] == [expected]
        with pytest.raises(NotAllowed):
            task_create(data={"title": "x"}, actor=actor(cast.readonly))
        assert not Task.objects.exists()
        mine = TaskFactory(owner=cast.rep)
        with pytest.raises(Http404):
            task_complete(task=mine, actor=actor(cast.rep2))
        assert Task.objects.get().status == "open"

    def test_completing_a_repeating_task_makes_one_next(self, cast: Cast, actor: As) -> None:
        cast.rep.time_zone = "Europe/Berlin"
        cast.rep.save()
        rep = actor(cast.rep)
        task = task_create(
            data={
                "title": "Report",
                "due_at": berlin(2026, 3, 28, 9),
                "remind_at": berlin(2026, 3, 27, 18),
                "recurrence": "daily",
            },
            actor=rep,
        )
        with time_machine.travel(berlin(2026, 3, 28, 8), tick=False):
            task_complete(task=task, actor=rep)
            task_complete(task=task, actor=rep)
        following = Task.objects.get(status="open")
        assert (wall(following.due_at), wall(following.remind_at)) == (
            "2026-03-29 09:00+0200",
            "2026-03-28 18:00+0100",
        )
        with time_machine.travel(berlin(2026, 4, 2, 12), tick=False):
            task_update(task=following, data={"status": "done"}, actor=rep)
        assert wall(Task.objects.get(status="open").due_at) == "2026-04-03 09:00+0200"
        assert Task.objects.count() == 3

    def test_reopening_takes_the_next_back(self, cast: Cast, actor: As) -> None:
        rep = actor(cast.rep)
        task = task_create(
            data={"title": "R", "due_at": "2026-01-31T09:00:00Z", "recurrence": "monthly"}, actor=rep
        )
        with time_machine.travel("2026-01-31T08:00:00Z", tick=False):
            task_complete(task=task, actor=rep)
            assert wall(Task.objects.get(status="open").due_at)[:10] == "2026-02-28"
            task_reopen(task=task, actor=rep)
            assert Task.objects.get().pk == task.pk
            task_complete(task=task, actor=rep)
        assert Task.objects.count() == 2

    def test_an_automation_makes_it_once(self, db: None) -> None:
        first = task_create(data={"title": "A"}, actor=SYSTEM, automation_key="run:1:step:2")
        again = task_create(data={"title": "A"}, actor=SYSTEM, automation_key="run:1:step:2")
        assert first == again
        assert Task.objects.count() == 1


@pytest.mark.django_db
class TestReminders:
    def test_due_ones_once_and_again_after_a_change(self, cast: Cast, actor: As) -> None:
        contact = ContactFactory(owner=cast.rep, first_name="Ada", last_name="L")
        cast.rep.time_zone = "Europe/Berlin"
        cast.rep.save()
        task = task_create(
            data={
                "title": "Call Ada",
                "contact": contact,
                "due_at": "2026-10-25T08:00:00Z",
                "remind_at": "2026-10-25T07:00:00Z",
            },
            actor=actor(cast.rep),
        )
        TaskFactory(owner=cast.rep, remind_at=berlin(2026, 10, 26, 9))
        TaskFactory(owner=cast.rep, remind_at=berlin(2026, 10, 24, 9), status="done")
        TaskFactory(owner=None, remind_at=berlin(2026, 10, 24, 9))
        before, at = berlin(2026, 10, 25, 7, 59), berlin(2026, 10, 25, 8)
        assert reminders_send(now=before) == 0
        assert reminders_send(now=at) == 1
        assert reminders_send(now=at) == 0
        told = Notification.objects.get()
        assert (told.user, told.kind, told.title) == (cast.rep, "task.reminder", "Reminder: Call Ada")
        assert told.dedupe_key == f"reminder:{task.pk}:2026-10-25T07:00:00+00:00"
        assert told.body == "Due 10/25/2026 9 a.m. · Ada L"
        task_update(task=task, data={"remind_at": "2026-10-25T07:30:00Z"}, actor=actor(cast.rep))
        assert reminders_send(now=at) == 0
        assert reminders_send(now=berlin(2026, 10, 25, 8, 30)) == 1
        assert Notification.objects.count() == 2

    def test_a_worker_that_dies_has_reminded_nobody(
        self, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = berlin(2026, 5, 1, 9)
        TaskFactory.create_batch(5, owner=cast.rep, remind_at=now)
        calls = 0
        real = reminders._remind

        def dies_at_the_third(task: Task) -> bool:
            nonlocal calls
            calls += 1
            if calls == 3:
                raise KeyboardInterrupt
            return real(task)

        monkeypatch.setattr(reminders, "_remind", dies_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            reminders_send(now=now)
        assert not Notification.objects.exists()
        assert Task.objects.filter(reminded_at__isnull=True).count() == 5
        assert reminders_send(now=now, batch=2) == 5
        assert Notification.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_workers_at_the_same_time_remind_once(cast: Cast) -> None:
    now = berlin(2026, 5, 1, 9)
    TaskFactory.create_batch(40, owner=cast.rep, remind_at=now)
    start = threading.Barrier(2)

    def work(_number: int) -> int:
        try:
            start.wait()
            return reminders_send(now=now, batch=7)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(work, range(2)))
    # A worker that finds only rows of the other ends early: the rest is the other's, or the next tick's.
    made.append(reminders_send(now=now))
    assert sum(made) == 40
    assert Notification.objects.count() == 40
    assert not Task.objects.filter(reminded_at__isnull=True).exists()


@pytest.mark.django_db(transaction=True)
def test_rows_of_a_slow_worker_are_left_to_it(cast: Cast) -> None:
    now = berlin(2026, 5, 1, 9)
    held, free = TaskFactory.create_batch(2, owner=cast.rep, remind_at=now)

    def other() -> int:
        try:
            return reminders_send(now=now)
        finally:
            connection.close()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        Task.objects.select_for_update().get(pk=held.pk)
        assert pool.submit(other).result(timeout=10) == 1
    assert Notification.objects.get().dedupe_key.startswith(f"reminder:{free.pk}:")
    assert reminders_send(now=now) == 1


@pytest.mark.django_db(transaction=True)
def test_parallel_tasks_agree_on_the_next_activity(cast: Cast) -> None:
    contact = ContactFactory(owner=cast.rep)
    begin = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)

    def make(number: int) -> None:
        data = {"title": "T", "contact": contact.pk, "due_at": begin + dt.timedelta(days=(number * 7) % 20)}
        task_create(data=data, actor=SYSTEM)
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(20)))
    assert Pulse.objects.get().next_activity_at == begin


@pytest.mark.django_db(transaction=True)
def test_completed_by_many_at_once_makes_one_next(cast: Cast) -> None:
    task = task_create(
        data={"title": "R", "due_at": "2026-01-31T09:00:00Z", "recurrence": "daily"}, actor=SYSTEM
    )

    def complete(_number: int) -> None:
        task_complete(task=task, actor=SYSTEM)
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(complete, range(16)))
    assert sorted(Task.objects.values_list("status", flat=True)) == ["done", "open"]
