"""Imports under faults: killed, doubled, cancelled, side by side. Every row comes in once, with each companion once."""

import random
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from contacts import tasks
from contacts.importing import commit, runner, source
from contacts.models import Activity, Contact, ContactPoint, ImportJob, ImportRowError, Pulse
from contacts.services.contacts import contact_update
from contacts.services.import_checks import import_check
from contacts.services.imports import import_cancel, import_create
from crmcem.lib.actors import person
from crmcem.workspace.models import AuditEntry
from tests.contacts.imports import counts, csv_file
from tests.contacts.processes import Process, die, together
from tests.contacts.workbooks import workbook
from tests.run.cli import eventually

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = 400
CHUNK = 40
BAD = range(7, ROWS, 50)  # rows that are refused


@pytest.fixture(autouse=True)
def _small_chunks(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(runner, "CHUNK_ROWS", CHUNK)
    lease(monkeypatch, 1)


def lease(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(runner, "LEASE_SECONDS", seconds)
    monkeypatch.setattr(commit, "LEASE_SECONDS", seconds)


def queued(user: Any, text: str | bytes = "", **options: Any) -> ImportJob:
    lines = (
        f"{n},{'broken' if n in BAD else f'p{n}@example.org'},+49301{n:06d},Person {n},Company {n % 9}\n"
        for n in range(ROWS)
    )
    text = text or "external_id,email,phone,first_name,company\n" + "".join(lines)
    return import_create(file=csv_file(text), kind="contacts", actor=person(user), **options)


def finish(job: ImportJob) -> None:
    """What the beat's tick and the workers do until nobody has to do anything."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert tasks.resume_imports() <= 1
        for job_id in runner.orphans():
            tasks.run_import(job_id)
        job.refresh_from_db()
        if job.status not in {"queued", "running"}:
            return
        time.sleep(0.05)
    raise AssertionError(f"still {job.status}")


def assert_each_once(job: ImportJob, good: int = ROWS - len(BAD)) -> None:
    job.refresh_from_db()
    assert (job.status, job.rows_total, job.rows_done) == ("done", ROWS, ROWS)
    assert counts(job) == (good, 0, 0, len(BAD))
    ids = sorted(Contact.objects.values_list("pk", flat=True))
    assert len(ids) == good
    assert sorted(Pulse.objects.values_list("contact_id", flat=True)) == ids
    for kind in ("email", "phone"):
        assert sorted(ContactPoint.objects.filter(kind=kind).values_list("contact_id", flat=True)) == ids
    created = Activity.objects.filter(kind="contact.created")
    assert sorted(created.values_list("contact_id", flat=True)) == ids
    audits = AuditEntry.objects.filter(table_name="contacts_contact")
    assert sorted(audits.values_list("row_id", flat=True)) == ids
    assert set(audits.values_list("op", "actor_kind", "actor_id")) == {("I", "import", job.pk)}
    refused = list(ImportRowError.objects.filter(job=job).order_by("id").values_list("row", flat=True))
    assert refused == [n + 1 for n in BAD]
    assert Activity.objects.filter(kind="company.created").count() == 9


# --- kill -9 -------------------------------------------------------------------------------------
def _dying(module: Any, name: str, turn: int, after: bool) -> Callable[[], None]:
    """Make the ``turn``-th call of ``module.name`` the last thing that the process does."""
    real = getattr(module, name)
    calls = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == turn and not after:
            die()
        result = real(*args, **kwargs)
        if calls == turn and after:
            die()
        return result

    def install() -> None:
        setattr(module, name, wrapped)

    return install


@pytest.mark.parametrize(
    ("module", "name", "turn", "after"),
    [
        (runner, "_count", 1, False),  # claimed, nothing done
        (runner, "_count", 1, True),
        (commit, "stage", 1, True),  # inside the first chunk: rows are staged
        (commit, "stage", 4, True),
        (commit, "_write", 1, True),  # everything of the chunk is written, nothing committed
        (commit, "_write", 5, True),
        (commit, "save_errors", 3, True),
        (commit, "_advance", 2, True),  # the place has moved, not committed
        (runner, "commit_chunk", 1, True),  # between two chunks
        (runner, "commit_chunk", 6, True),
        (runner, "commit_chunk", 10, True),  # every row is in, the end isn't marked
        (runner, "_end", 1, True),  # all is done and marked
    ],
)
def test_a_worker_killed_at_this_point_leaves_an_import_that_resumes_to_exactly_n_rows(
    cast: Any, module: Any, name: str, turn: int, after: bool
) -> None:
    job = queued(cast.rep)
    install = _dying(module, name, turn, after)

    def work() -> None:
        install()
        tasks.run_import(job.pk)

    assert Process(work).wait() == -signal.SIGKILL
    job.refresh_from_db()
    assert Contact.objects.count() == job.created
    assert job.rows_done == job.next_row
    finish(job)
    assert_each_once(job)


@pytest.mark.parametrize(
    ("module", "name", "turn", "after"),
    [
        (source, "File", 1, False),  # the spreadsheet is read, its rows are not kept
        (runner, "convert", 1, True),  # they are kept, nothing is counted
        (commit, "_write", 5, True),
        (runner, "commit_chunk", 6, True),
    ],
)
def test_a_worker_killed_over_a_spreadsheet_leaves_an_import_that_resumes_to_exactly_n_rows(
    cast: Any, module: Any, name: str, turn: int, after: bool
) -> None:
    header = ["external_id", "email", "phone", "first_name", "company"]
    rows: list[list[Any]] = [
        [
            n,
            "broken" if n in BAD else f"p{n}@example.org",
            f"+49301{n:06d}",
            f"Person {n}",
            f"Company {n % 9}",
        ]
        for n in range(ROWS)
    ]
    job = queued(cast.rep, workbook({"People": [header, *rows]}))
    install = _dying(module, name, turn, after)

    def work() -> None:
        install()
        tasks.run_import(job.pk)

    assert Process(work).wait() == -signal.SIGKILL
    finish(job)
    assert_each_once(job)


def _slow_down() -> None:
    """Widen every chunk's transaction of this process, so that kills and cancels land inside."""
    real = commit._write

    def slow(*args: Any) -> Any:
        time.sleep(0.03)
        result = real(*args)
        time.sleep(0.03)
        return result

    commit._write = slow


@pytest.mark.parametrize("seed", range(6))
def test_workers_killed_at_random_moments_again_and_again_end_in_exactly_n_rows(cast: Any, seed: int) -> None:
    chance = random.Random(seed)
    job = queued(cast.rep)
    killed = 0

    def work() -> None:
        _slow_down()
        tasks.run_import(job.pk)

    for _round in range(4):
        worker = Process(work)
        time.sleep(chance.uniform(0.01, 0.25))
        worker.kill()
        killed += worker.wait() == -signal.SIGKILL
        ImportJob.objects.filter(pk=job.pk, status="running").update(claimed_until=None)
    assert killed
    finish(job)
    assert_each_once(job)


# --- two at once ---------------------------------------------------------------------------------
def test_a_job_that_six_workers_claim_at_once_is_done_by_one(cast: Any) -> None:
    job = queued(cast.rep)
    together(*[lambda: tasks.run_import(job.pk)] * 6)
    finish(job)
    assert_each_once(job)


def test_a_worker_whose_lease_ran_out_while_it_lived_doubles_nothing(
    cast: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease(monkeypatch, 0)  # whoever asks gets the job, though others work on it
    job = queued(cast.rep)
    together(*[lambda: tasks.run_import(job.pk)] * 4)
    finish(job)
    assert_each_once(job)


def test_dry_runs_that_are_stopped_and_begun_anew_under_their_workers_never_mix(
    cast: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease(monkeypatch, 0)  # whoever asks gets the job, though others work on it
    job = queued(cast.rep, start=False)
    actor = person(cast.rep)
    mapping = {"external_id": "external_id", "first_name": "first_name"}

    def again() -> None:
        for _round in range(3):
            time.sleep(0.05)
            # what cancelling does, but for a run that has ended meanwhile: the draft would be given up
            ImportJob.objects.filter(pk=job.pk, status="checking").update(status="draft", report={})
            import_check(job=job, actor=actor, mapping=mapping)

    import_check(job=job, actor=actor)
    together(again, *[lambda: [tasks.run_import(job.pk) for _turn in range(4)]] * 4)
    job.refresh_from_db()
    while job.status == "checking":
        tasks.run_import(job.pk)
        job.refresh_from_db()
    # by the id and the name alone no row is refused; by the addresses of the first run some were
    assert job.report == {"rows": ROWS, "create": ROWS, "update": 0, "skip": 0, "failed": 0}
    assert not ImportRowError.objects.filter(job=job).exists()
    assert not Contact.objects.exists()


def test_turns_hand_the_job_from_worker_to_worker_and_lose_no_row(
    cast: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "TURN_SECONDS", 0)
    job = queued(cast.rep)
    answers = [tasks.run_import(job.pk) for _turn in range(ROWS // CHUNK)]
    assert answers == ["running"] * (ROWS // CHUNK - 1) + ["done"]
    assert_each_once(job)


def test_imports_of_the_same_people_side_by_side_make_each_once_without_a_deadlock(cast: Any) -> None:
    numbers = list(range(200))
    jobs = []
    for seed in range(4):
        random.Random(seed).shuffle(numbers)
        lines = "".join(f"p{n}@example.org,First {n},Company {n % 5}\n" for n in numbers)
        jobs.append(queued(cast.rep, "email,first_name,company\n" + lines))
    together(*[lambda job=job: tasks.run_import(job.pk) for job in jobs])  # type: ignore[misc]
    for job in jobs:
        job.refresh_from_db()
        assert (job.status, job.error, job.failed) == ("done", "", 0)
    assert sum(job.created for job in jobs) == 200
    assert sum(job.skipped for job in jobs) == 600
    emails = Contact.objects.values_list("email", flat=True)
    assert sorted(emails) == sorted(f"p{n}@example.org" for n in range(200))
    assert ContactPoint.objects.count() == Pulse.objects.count() == 200
    assert Activity.objects.filter(kind="contact.created").count() == 200


def test_people_who_change_the_same_contacts_meanwhile_lose_nothing(cast: Any) -> None:
    finish(queued(cast.rep))
    lines = "".join(f"{n},Imported {n}\n" for n in range(ROWS) if n not in BAD)
    job = queued(cast.rep, "external_id,first_name\n" + lines)
    pks = list(Contact.objects.order_by("-pk").values_list("pk", flat=True))
    actor = person(cast.rep)

    def edit() -> None:
        for pk in pks:
            contact_update(contact=Contact.objects.get(pk=pk), data={"job_title": "Edited"}, actor=actor)

    together(edit, lambda: tasks.run_import(job.pk))
    job.refresh_from_db()
    assert (job.status, job.failed, job.updated) == ("done", 0, len(pks))
    found = Contact.objects.values_list("external_id", "first_name", "job_title", "version")
    assert set(found) == {(str(n), f"Imported {n}", "Edited", 3) for n in range(ROWS) if n not in BAD}


# --- cancel --------------------------------------------------------------------------------------
def test_cancelled_in_the_middle_keeps_the_chunks_before_and_takes_none_after(cast: Any) -> None:
    job = queued(cast.rep)

    def work() -> None:
        _slow_down()
        tasks.run_import(job.pk)

    worker = Process(work)
    assert eventually(lambda: ImportJob.objects.get(pk=job.pk).rows_done > 0)
    import_cancel(job=job, actor=person(cast.rep))
    assert worker.wait() == 0
    job.refresh_from_db()
    assert job.status == "cancelled"
    assert 0 < job.rows_done < ROWS
    assert job.rows_done % CHUNK == 0
    bad = sum(n < job.rows_done for n in BAD)
    assert counts(job) == (job.rows_done - bad, 0, 0, bad)
    assert Contact.objects.count() == Pulse.objects.count() == job.created
    assert tasks.run_import(job.pk) == "busy"
    assert runner.orphans() == []


def test_cancelled_while_nobody_has_it_ends_at_once(cast: Any) -> None:
    job = queued(cast.rep)
    install = _dying(runner, "commit_chunk", 3, True)

    def work() -> None:
        install()
        tasks.run_import(job.pk)

    assert Process(work).wait() == -signal.SIGKILL
    time.sleep(1.1)  # the dead worker's lease runs out
    import_cancel(job=job, actor=person(cast.rep))
    job.refresh_from_db()
    assert (job.status, job.rows_done) == ("cancelled", 3 * CHUNK)
    assert Contact.objects.count() == job.created
    assert runner.orphans() == []


# --- around it -----------------------------------------------------------------------------------
def test_a_database_connection_that_breaks_in_a_chunk_loses_and_doubles_nothing(cast: Any) -> None:
    job = queued(cast.rep)
    real = commit._advance
    broken = []

    def breaking(cursor: Any, *args: Any) -> Any:
        if len(broken) < 2:
            broken.append(1)
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return real(cursor, *args)

    def work() -> None:
        commit._advance = breaking
        for _attempt in range(3):
            try:
                tasks.run_import(job.pk)
            except Exception:
                connection.close()
                time.sleep(1.1)

    assert Process(work).wait() == 0
    finish(job)
    assert_each_once(job)


def test_a_file_that_is_gone_ends_the_import_with_words(cast: Any) -> None:
    job = queued(cast.rep)
    job.file.storage.delete(job.file.name)
    assert tasks.run_import(job.pk) == "failed"
    job.refresh_from_db()
    assert job.error == "The file is gone. Send it again."
    assert not Contact.objects.exists()


def test_a_person_who_lost_the_right_meanwhile_brings_nothing_more_in(cast: Any) -> None:
    job = queued(cast.rep)
    cast.rep.role = cast.readonly.role
    cast.rep.save()
    assert tasks.run_import(job.pk) == "failed"
    job.refresh_from_db()
    assert "imports:write" in job.error
    assert not Contact.objects.exists()
