"""An import of companies with their parts under kill -9: each part comes in once, and goes once when it is undone."""

import signal
from typing import Any

import pytest

from contacts import tasks
from contacts.importing import commit, runner
from contacts.models import Address, Company, ImportJob, Interaction, SocialProfile
from contacts.services.imports import import_create, import_undo
from crmcem.lib.actors import person
from tests.contacts.imports import counts, csv_file
from tests.contacts.processes import Process
from tests.contacts.test_import_company_parts import bring, domains, pages, places, said, state
from tests.contacts.test_import_faults import _dying, finish, lease


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("module", "name", "turn", "after"),
    [
        (commit, "_write", 2, True),  # written, nothing committed
        (commit, "write_points", 2, False),  # addresses are in, domains are not
        (runner, "commit_chunk", 2, True),  # between two chunks
    ],
)
def test_a_worker_killed_at_this_point_leaves_an_import_that_resumes_to_each_part_once(
    cast: Any, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, turn: int, after: bool
) -> None:
    monkeypatch.setattr(runner, "CHUNK_ROWS", 2)
    lease(monkeypatch, 1)
    bring("external_id,name\nF-1,Old\nF-4,Old too\n", cast.rep)
    before = state()
    text = "external_id,name,domain,city,note,linkedin\n" + "".join(
        f"F-{n},Firm {n},f{n}.example;f{n}.test,Rome,Note {n},p{n}\n" for n in range(6)
    )
    job = import_create(file=csv_file(text), kind="companies", actor=person(cast.rep))
    install = _dying(module, name, turn, after)

    def work() -> None:
        install()
        tasks.run_import(job.pk)

    assert Process(work).wait() == -signal.SIGKILL
    job.refresh_from_db()
    assert (
        Address.objects.count()
        == Interaction.objects.count()
        == SocialProfile.objects.count()
        == job.next_row
    )
    finish(job)
    assert counts(job) == (4, 2, 0, 0)
    for n, company in enumerate(Company.objects.order_by("external_id")):
        assert domains(company) == {f"f{n}.example": True, f"f{n}.test": False}
        assert [len(places(company)), len(pages(company)), said(company)] == [1, 1, [f"Note {n}"]]

    import_undo(job=job, actor=person(cast.rep))
    install = _dying(runner, "undo_batch", 2, True)

    def back() -> None:
        install()
        tasks.run_import(job.pk)

    assert Process(back).wait() == -signal.SIGKILL
    until_undone(job)
    assert (job.undone_created, job.undone_updated, job.kept, state()) == (4, 2, 0, before)
    assert not Interaction.objects.exists()


def until_undone(job: ImportJob) -> None:
    """What the next workers do when the lease of the killed one has run out."""
    ImportJob.objects.filter(pk=job.pk).update(claimed_until=None)
    while runner.run(job.pk) == "undoing":
        pass
    job.refresh_from_db()
