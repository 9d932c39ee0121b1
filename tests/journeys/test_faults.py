"""The engine under faults: many at once, killed at any point, without a broker. Real processes and transactions."""

import datetime as dt
import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from contacts.models import Activity, Contact
from contacts.services.stream import NewActivity, activities_append, activity_append
from crmcem.celery import app
from crmcem.lib.actors import SYSTEM
from crmcem.lib.stream import consumers
from crmcem.lib.stream_runner import pump, step
from journeys.engine import advance as advancing
from journeys.engine.load import definition_of
from journeys.engine.marks import here
from journeys.engine.starts import Candidate, runs_start
from journeys.models import AbsenceTimer, Automation, Run, RunStep
from journeys.services.automations import automation_activate, automation_pause
from journeys.tasks import advance_runs, fire_timers
from tests.contacts.processes import Process, die, together
from tests.factories.contacts import ContactFactory
from tests.journeys.conftest import STEP, Notes
from tests.run.cli import eventually

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., Automation]
TWO = [{**STEP, "key": "a"}, {**STEP, "key": "b"}]
ALWAYS = {"policy": "always"}


@pytest.fixture(autouse=True)
def _ready(notes: Notes) -> None:
    """Every process knows the test's actions; what they did is in the stream as ``note.made``."""
    pump()


def order(contacts: list[Contact]) -> None:
    activities_append(
        actor=SYSTEM, activities=[NewActivity("order.placed", contact_id=c.pk) for c in contacts]
    )


def noted() -> Counter[str]:
    """How often each step of each run was really done."""
    return Counter(Activity.objects.filter(kind="note.made").values_list("payload__key", flat=True))


def expected() -> Counter[str]:
    """Each action of each run once."""
    return Counter(f"run:{pk}:{key}" for pk in Run.objects.values_list("pk", flat=True) for key in "ab")


def work() -> None:
    """A worker: reads the stream and takes runs onwards until there is nothing left."""
    idle = 0
    while idle < 3:
        idle = 0 if advancing.advance_due(seconds=5) + pump(seconds=5) else idle + 1


def test_eight_engines_start_one_run_per_cause(automation: Make) -> None:
    row = automation(steps=TWO, reentry=ALWAYS)
    contacts = [ContactFactory() for _ in range(15)]

    def writer() -> None:
        for _ in range(4):
            order(contacts)

    together(writer, *[work] * 8)
    work()
    causes = Run.objects.values_list("contact_id", "trigger_key")
    events = Activity.objects.filter(kind="order.placed").values_list("contact_id", "pk")
    assert sorted(causes) == sorted((contact, f"activity:{pk}") for contact, pk in events)
    assert len(events) == 60
    assert set(Run.objects.values_list("status", flat=True)) == {"done"}
    assert noted() == expected()
    assert Run.objects.filter(automation=row).count() == 60


def test_the_same_cause_found_by_eight_at_once_is_one_run(automation: Make) -> None:
    row = automation(reentry=ALWAYS)
    contacts = [ContactFactory() for _ in range(20)]

    def start() -> None:
        automation_row = Automation.objects.select_related("current_version").get(pk=row.pk)
        for contact in contacts:
            found = [Candidate(contact.pk, "activity:1", None, None, 0, here())]
            with transaction.atomic():
                runs_start(
                    automation=automation_row,
                    definition=definition_of(automation_row),
                    candidates=found,
                    now=timezone.now(),
                )

    together(*[start] * 8)
    assert Counter(Run.objects.values_list("contact_id", flat=True)) == {c.pk: 1 for c in contacts}
    started = Activity.objects.filter(kind="automation.started").values_list("subject_id", flat=True)
    assert sorted(started) == sorted(Run.objects.values_list("pk", flat=True))


def test_a_worker_killed_at_any_point_changes_nothing(automation: Make) -> None:
    """Over 200 runs, whoever works is killed again and again; the end is that of an undisturbed run."""
    automation(steps=TWO, reentry=ALWAYS)
    contacts = [ContactFactory() for _ in range(200)]
    chance = random.Random(11)
    order(contacts)
    killed = done = 0
    longer = 1.0
    while (now_done := Run.objects.filter(status="done").count()) < 200:
        # Where a life was too short for anything, the next is longer: on a slow machine nothing else would get done,
        # and a run that is met by ten deaths in a row counts as guilty of them.
        longer, done = longer if now_done > done else longer * 1.25, now_done
        assert longer < 100, "the runs were not done"
        process = Process(work)
        time.sleep(chance.uniform(0.03, 0.4) * longer)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
    work()
    assert killed >= 3, "the workers were too quick to be killed"
    assert Counter(Run.objects.values_list("contact_id", flat=True)) == {c.pk: 1 for c in contacts}
    assert noted() == expected()
    steps = RunStep.objects.values_list("run_id", "step_key", "status")
    assert sorted(steps) == sorted(
        (pk, key, "done") for pk in Run.objects.values_list("pk", flat=True) for key in "ab"
    )
    ended = Counter(Activity.objects.filter(kind="automation.done").values_list("subject_id", flat=True))
    assert set(ended.values()) == {1}
    assert len(ended) == 200


def test_a_run_that_takes_its_workers_life_ends_and_harms_no_other(
    automation: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were claimed with it are done by the next worker, and not counted as guilty."""
    automation(steps=TWO, reentry=ALWAYS)
    contacts = [ContactFactory() for _ in range(6)]
    guilty = contacts[2]
    order(contacts)
    step_all()
    go = advancing.Walk.go

    def deadly(walk: advancing.Walk) -> None:
        if walk.run.contact_id == guilty.pk:
            die()
        go(walk)

    monkeypatch.setattr(advancing.Walk, "go", deadly)
    deaths = 0
    while Process(lambda: advancing.advance_due(seconds=5)).wait() == -signal.SIGKILL:
        deaths += 1
        assert deaths <= advancing.DEATHS
    assert deaths == advancing.DEATHS
    ends = dict(Run.objects.values_list("contact_id", "status"))
    assert ends == {c.pk: "failed" if c == guilty else "done" for c in contacts}
    failed = Run.objects.get(contact=guilty)
    assert failed.reason == "The worker died 10 times in this step."
    assert set(Run.objects.values_list("claims", flat=True)) == {0}
    good = Run.objects.exclude(pk=failed.pk).values_list("pk", flat=True)
    assert noted() == Counter(f"run:{pk}:{key}" for pk in good for key in "ab")


def dies_at(n: int) -> Callable[..., Any]:
    """Makes the n-th statement of a forked worker its last."""
    seen = itertools.count(1)

    def wrapper(execute: Any, statement: Any, params: Any, many: Any, context: Any) -> Any:
        if next(seen) == n:
            die()
        return execute(statement, params, many, context)

    return wrapper


def finish() -> None:
    """The next worker; the server may need a moment to see that the last one is gone."""
    until = time.monotonic() + 20
    while Run.objects.filter(status="active").exists():
        advancing.advance_due(seconds=5)
        assert time.monotonic() < until, "a run was left behind"


def test_every_statement_of_a_turn_may_be_the_last(automation: Make) -> None:
    """A worker that dies before its first, second, … statement leaves a run that the next one ends rightly."""
    automation(steps=TWO, reentry=ALWAYS)
    contact = ContactFactory()
    deaths = 0
    for n in itertools.count(1):
        order([contact])
        step_all()

        def dying(n: int = n) -> None:
            with connection.execute_wrapper(dies_at(n)):
                advancing.advance_due(seconds=5)

        code = Process(dying).wait()
        finish()
        if code == 0:
            break
        assert code == -signal.SIGKILL
        deaths += 1
    assert deaths >= 15
    assert set(Run.objects.values_list("status", flat=True)) == {"done"}
    assert Run.objects.count() == deaths + 1
    assert noted() == expected()


def test_what_the_broker_forgets_the_beat_finds(automation: Make, settings: Any) -> None:
    """No message reaches a worker (flushed, or lost): the beat's own ticks do all the work."""
    app.loader.import_default_modules()
    automation(steps=TWO)
    away = automation({"type": "absence", "event": "*", "for": {"days": 12}}, steps=TWO)
    contacts = [ContactFactory() for _ in range(5)]
    gone = ContactFactory(pulse={"last_seen_at": timezone.now() - dt.timedelta(days=20)})
    order(contacts)  # there is no broker at all here: the wake-up is lost, as by FLUSHALL
    assert not Run.objects.exists()
    for _ in range(3):
        for entry in settings.CELERY_BEAT_SCHEDULE.values():
            name = str(entry["task"])
            if name.startswith("journeys.") or name == "contacts.tasks.pump_stream":
                app.tasks[name].apply(throw=True)
    assert sorted(Run.objects.values_list("contact_id", flat=True)) == sorted(
        [*(c.pk for c in contacts), gone.pk]
    )
    assert set(Run.objects.values_list("status", flat=True)) == {"done"}
    assert Run.objects.filter(automation=away).count() == 1
    assert noted() == expected()


def test_the_beat_ticks_what_lies_in_rows() -> None:
    named = {
        str(entry["task"]): float(str(entry["schedule"])) for entry in settings.CELERY_BEAT_SCHEDULE.values()
    }
    assert named["journeys.tasks.advance_runs"] <= 5
    assert named["journeys.tasks.fire_timers"] <= 60
    assert named["contacts.tasks.pump_stream"] <= 5


def test_the_place_of_activation_is_exact(automation: Make) -> None:
    """Writers never stop while it is activated: exactly what lies behind its place in the stream starts a run."""
    row = automation(reentry=ALWAYS, activate=False)
    contact = ContactFactory()

    def writer() -> None:
        for n in range(60):
            with transaction.atomic():
                activity_append(actor=SYSTEM, activity=NewActivity("order.placed", contact_id=contact.pk))
                if n % 3 == 0:
                    time.sleep(0.004)
                if n % 7 == 0:
                    transaction.set_rollback(True)

    writers = [Process(writer) for _ in range(4)]
    assert eventually(lambda: Activity.objects.filter(kind="order.placed").count() >= 40)
    automation_activate(automation=row, actor=SYSTEM)
    assert [process.wait() for process in writers] == [0] * 4
    work()
    row.refresh_from_db()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM contacts_activity WHERE kind = 'order.placed' AND (txid > %s::xid8"
            " OR (txid = %s::xid8 AND id > %s)) ORDER BY id",
            [row.activated_txid, row.activated_txid, row.activated_after],
        )
        behind = [pk for (pk,) in cursor.fetchall()]
    before = Activity.objects.filter(kind="order.placed").count() - len(behind)
    assert before >= 20
    assert len(behind) >= 20
    assert sorted(Run.objects.values_list("trigger_activity_id", flat=True)) == behind


def test_a_pause_holds_at_once_and_what_comes_meanwhile_starts_nothing(automation: Make) -> None:
    row = automation(steps=TWO, reentry=ALWAYS)
    first, second, third = ([ContactFactory() for _ in range(10)] for _ in range(3))
    order(first)
    step_all()
    automation_pause(automation=row, actor=SYSTEM)
    order(second)
    together(*[work] * 4)
    assert noted() == Counter()
    assert set(Run.objects.values_list("status", "due_at")) == {("active", None)}
    automation_activate(automation=row, actor=SYSTEM)
    order(third)
    together(*[work] * 4)
    assert sorted(Run.objects.values_list("contact_id", flat=True)) == sorted(c.pk for c in [*first, *third])
    assert noted() == expected()


def step_all() -> None:
    """Only the stream is read; no run goes on."""
    with transaction.atomic():
        while step(consumers["journeys.triggers"]):
            pass


def test_a_run_activated_while_workers_hold_it_goes_on(automation: Make) -> None:
    """Pausing and activating over and over while eight workers look: no run is left behind without a time."""
    row = automation(steps=TWO, reentry=ALWAYS)
    contacts = [ContactFactory() for _ in range(60)]
    order(contacts)

    def switch() -> None:
        for _ in range(12):
            automation_pause(automation=row, actor=SYSTEM)
            time.sleep(0.01)
            automation_activate(automation=row, actor=SYSTEM)
            time.sleep(0.01)

    step_all()
    together(switch, *[work] * 4)
    work()
    assert set(Run.objects.values_list("status", flat=True)) == {"done"}
    assert (Run.objects.count(), noted()) == (60, expected())


def test_eight_workers_fire_an_absence_once(automation: Make) -> None:
    seen = timezone.now() - dt.timedelta(days=20)
    contacts = [ContactFactory(pulse={"last_seen_at": seen}) for _ in range(60)]
    automation({"type": "absence", "event": "*", "for": {"days": 12}}, steps=TWO, reentry=ALWAYS)

    def fire() -> None:
        for _ in range(3):
            fire_timers()
            advance_runs()

    together(*[fire] * 8)
    fire()
    assert Counter(Run.objects.values_list("contact_id", flat=True)) == {c.pk: 1 for c in contacts}
    assert AbsenceTimer.objects.filter(fired_at__isnull=False).count() == 60
    assert noted() == expected()


def test_a_statement_that_hangs_is_cut_off_and_told(
    automation: Make, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An action that would wait for ever fails its turn, is tried again, and in the end fails the run."""
    monkeypatch.setattr(advancing, "LONGEST_STATEMENT", "100ms")

    def hang(run: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")

    notes.fail = hang
    automation()
    order([ContactFactory()])
    pump()
    for _ in range(len(advancing.RETRIES)):
        began = time.monotonic()
        assert advance_runs() == 1
        assert time.monotonic() - began < 10
        run = Run.objects.get()
        assert (run.status, "timeout" in run.error) == ("active", True)
        assert run.due_at is not None
        assert run.due_at > timezone.now()
        Run.objects.update(due_at=timezone.now())
    advance_runs()
    run = Run.objects.get()
    assert (run.status, run.due_at) == ("failed", None)
    assert noted() == Counter()


def test_no_run_under_way_is_without_a_time(automation: Make) -> None:
    """Whatever a run waits for, it has a time at which it is looked at again: nothing hangs silently."""
    vip = {"field": "tags", "op": "has_any", "value": ["vip"]}
    for steps in (
        [{"key": "w", "type": "wait", "for": {"days": 3}}],
        [{"key": "u", "type": "wait_until", "event": "survey.answered", "timeout": {"days": 14}}],
        [{"key": "c", "type": "wait_until", "conditions": vip, "timeout": {"days": 14}}],
    ):
        automation(steps=steps)
        automation(steps=steps, goal={"event": "deal.won"}, exit=vip)
    order([ContactFactory() for _ in range(3)])
    work()
    rows = Run.objects.filter(status="active")
    assert rows.count() == 18
    assert not rows.filter(due_at=None).exists()
    assert not rows.filter(due_at__gt=F("started_at") + dt.timedelta(days=14, minutes=1)).exists()
