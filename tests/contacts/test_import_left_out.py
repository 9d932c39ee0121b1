"""A record holds so many parts of a kind and no more: what a row brings beyond that is left out, and said."""

import signal
from typing import Any

import pytest
from django.urls import reverse

from contacts import tasks
from contacts.importing import commit, runner
from contacts.models import Address, Contact, ContactPoint, ImportJob, SocialProfile
from contacts.services.import_checks import import_mend
from contacts.services.imports import import_create, import_undo
from contacts.services.parts import MOST
from crmcem.lib.actors import person
from crmcem.lib.errors import DomainError
from tests.contacts.imports import counts, csv_file, run_import
from tests.contacts.processes import Process
from tests.contacts.test_import_checks import checked, draft
from tests.contacts.test_import_faults import _dying, finish, lease
from tests.factories.contacts import ContactFactory

HEAD = "external_id,email,phone,street,city,address_kind,more_addresses,profiles,linkedin,note\n"
ROW = (
    'C-1,c1@example.org;a@example.org;b@example.org,,1 Road,Rome,home,"other; 2 Road",'
    "https://a.example|https://b.example,ada,Said\n"
)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def full(user: Any, number: int = 1, room: int = 1) -> Contact:
    """A contact that has room for ``room`` more of each kind."""
    contact: Contact = ContactFactory(
        owner=user, team=user.team, external_id=f"C-{number}", email=f"c{number}@example.org", phone=None
    )
    held = range(MOST - room)
    SocialProfile.objects.bulk_create(
        SocialProfile(contact=contact, network="other", url=f"https://x.example/{n}") for n in held
    )
    Address.objects.bulk_create(
        Address(contact=contact, kind="main", lines=f"{n} Lane", is_primary=not n) for n in held
    )
    ContactPoint.objects.create(contact=contact, kind="email", value=contact.email, is_primary=True)
    ContactPoint.objects.bulk_create(
        ContactPoint(contact=contact, kind="phone", value=f"+4930{100_000 + n}") for n in held[1:]
    )
    return contact


def lines(job: ImportJob) -> list[tuple[int, str, str, str]]:
    """(row, field, code, what is named) of what was left out."""
    found = job.row_errors.filter(left_out=True).order_by("id")
    return [(e.row, e.field, e.code, e.detail.split("”")[0].removeprefix("“")) for e in found]


def sizes(contact: Contact) -> tuple[int, int, int]:
    """How many points, addresses and profiles it has."""
    return contact.points.count(), contact.address_set.count(), contact.socialprofile_set.count()


LEFT = [
    (1, "email", "no_room", "b@example.org"),
    (1, "linkedin", "no_room", "https://www.linkedin.com/in/ada"),
    (1, "more_addresses", "no_room", "2 Road"),
    (1, "profiles", "no_room", "https://b.example"),
]


def _expected(mapping: dict[str, str]) -> list[tuple[int, str, str, str]]:
    return sorted((row, mapping.get(field, field), code, value) for row, field, code, value in LEFT)


def test_a_part_without_room_is_a_line_of_the_report_and_the_rest_of_its_row_comes_in(cast: Any) -> None:
    contact = full(cast.rep)
    job = run_import(HEAD + ROW, cast.rep)
    assert (counts(job), job.left_out, job.status) == ((0, 1, 0, 0), 4, "done")
    assert sorted(lines(job)) == _expected(job.mapping)
    assert sizes(contact) == (MOST, MOST, MOST)
    assert contact.points.filter(value="a@example.org").exists()
    assert contact.interactions.get().body == "Said"  # of notes there is no end
    error = job.row_errors.filter(field="email").get()
    assert error.raw[:2] == ["C-1", "c1@example.org;a@example.org;b@example.org"]
    assert error.detail == (
        "“b@example.org” is left out, the rest of the row is not: the record holds 200 of these, and no more fit. "
        "Take some away there and send this row again."
    )

    again = run_import(HEAD + ROW, cast.rep)  # says it again, and changes nothing
    assert (counts(again), again.left_out) == ((0, 0, 1, 0), 4)
    assert sizes(contact) == (MOST, MOST, MOST)

    contact.points.filter(kind="phone").first().delete()  # type: ignore[union-attr]
    contact.socialprofile_set.all().delete()
    last = run_import(HEAD + ROW, cast.rep)
    assert (counts(last), lines(last)) == ((0, 1, 0, 0), [(1, "more_addresses", "no_room", "2 Road")])
    assert sizes(contact) == (MOST, MOST, 3)


def test_a_dry_run_says_the_same_and_writes_nothing(cast: Any) -> None:
    contact = full(cast.rep)
    before = sizes(contact)
    job = checked(draft(HEAD + ROW, cast.rep), cast.rep)
    assert job.report == {"rows": 1, "create": 0, "update": 1, "skip": 0, "failed": 0, "left_out": 4}
    assert (sorted(lines(job)), sizes(contact)) == (_expected(job.mapping), before)
    assert checked(job, cast.rep).row_errors.count() == 4  # of the newest dry run only
    with pytest.raises(DomainError, match="Only cells of rows that were refused"):
        import_mend(job=job, cells={(1, 1): "c1@example.org"}, actor=person(cast.rep))


def test_an_address_that_becomes_the_own_one_takes_the_place_of_the_old_one(cast: Any) -> None:
    """Before the import is written and after it the same is left out, whatever becomes the primary one."""
    contact = full(cast.rep, room=0)
    text = "external_id,email,phone\nC-1,new@example.org;c1@example.org,+4930100001;+4930999999\n"
    dry = checked(draft(text, cast.rep), cast.rep)
    job = run_import(text, cast.rep)
    assert (
        lines(dry)
        == lines(job)
        == [
            (1, "email", "no_room", "c1@example.org"),
            (1, "phone", "no_room", "+4930999999"),
        ]
    )
    assert contact.points.count() == MOST
    assert set(contact.points.filter(is_primary=True).values_list("value", flat=True)) == {
        "new@example.org",
        "+4930100001",
    }


def test_undo_takes_away_what_came_in_and_says_nothing_of_the_rest(cast: Any, web: Any) -> None:
    contact = full(cast.rep)
    before = sizes(contact)
    job = run_import(HEAD + ROW, cast.rep)
    import_undo(job=job, actor=person(cast.rep))
    assert runner.run(job.pk) == "undone"
    job.refresh_from_db()
    assert (sizes(contact), job.undone_updated, job.kept) == (before, 1, 0)
    page = web(cast.rep).get(reverse("contacts:import-job", args=[job.pk])).content.decode()
    assert "Left out of rows" not in page


def test_the_pages_the_file_and_the_api_show_it_to_those_who_see_the_import(
    cast: Any, web: Any, api: Any, django_assert_max_num_queries: Any
) -> None:
    full(cast.rep)
    text = HEAD + ROW + "C-2,broken,,,,,,,,\n"
    dry = checked(draft(text, cast.rep), cast.rep)
    url = reverse("contacts:import-job", args=[dry.pk])
    page = web(cast.rep).get(url).content.decode()
    assert "4 parts would be left out" in page
    assert "“b@example.org” is left out" in page
    assert 'name="cell-2-1" value="broken"' in page
    assert 'name="cell-1-1"' not in page  # its row comes in: there is nothing to mend

    job = run_import(text, cast.rep)
    url = reverse("contacts:import-job", args=[job.pk])
    with django_assert_max_num_queries(24):
        answer = web(cast.rep).get(url)
    page = answer.content.decode()
    assert [line["row"] for line in answer.context["left_out_rows"]] == [1, 1, 1, 1]
    assert [error["row"] for error in answer.context["errors"]] == [2]
    assert "4 parts of rows had no room on their records and were left out." in page
    assert "Done, some rows refused" in page

    client = api(cast.rep)
    told = client.get(f"/api/v1/imports/{job.pk}/").json()
    assert (told["failed"], told["left_out"]) == (1, 4)
    found = client.get(f"/api/v1/imports/{job.pk}/row-errors/").json()["results"]
    assert sorted((e["row"], e["left_out"]) for e in found) == [(1, True)] * 4 + [(2, False)]
    report = b"".join(client.get(told["errors_url"]).streaming_content).decode("utf-8-sig").splitlines()
    assert len(report) == 3
    assert report[1].startswith(
        "C-1,c1@example.org;a@example.org;b@example.org,,1 Road,Rome,home,other; 2 Road,"
    )
    for action in ("", "row-errors/", "errors/"):
        assert api(cast.rep2).get(f"/api/v1/imports/{job.pk}/{action}").status_code == 404
    assert web(cast.rep2).get(url).status_code == 404

    only = run_import(HEAD + ROW, cast.rep)
    page = web(cast.rep).get(reverse("contacts:import-job", args=[only.pk])).content.decode()
    assert "Done, some parts left out" in page
    assert reverse("contacts:import-errors", args=[only.pk]) in page


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("module", "name", "turn", "after"),
    [
        (commit, "_write", 2, True),  # written, nothing committed
        (commit, "save_errors", 2, True),
        (runner, "commit_chunk", 2, True),  # between two chunks
    ],
)
def test_a_worker_killed_at_this_point_leaves_each_part_out_once(
    cast: Any, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, turn: int, after: bool
) -> None:
    monkeypatch.setattr(runner, "CHUNK_ROWS", 1)
    lease(monkeypatch, 1)
    for number in (1, 2, 3):
        full(cast.rep, number)
    text = "external_id,email,profiles\n" + "".join(
        f"C-{n},c{n}@example.org;a{n}@example.org;b{n}@example.org,https://a.example|https://b.example\n"
        for n in (1, 2, 3)
    )
    job = import_create(file=csv_file(text), kind="contacts", actor=person(cast.rep))
    install = _dying(module, name, turn, after)

    def work() -> None:
        install()
        tasks.run_import(job.pk)

    assert Process(work).wait() == -signal.SIGKILL
    job.refresh_from_db()
    assert job.left_out == job.row_errors.count() == 2 * job.next_row
    finish(job)
    assert (counts(job), job.left_out) == ((0, 3, 0, 0), 6)
    assert lines(job) == [
        line
        for n in (1, 2, 3)
        for line in (
            (n, "email", "no_room", f"b{n}@example.org"),
            (n, "profiles", "no_room", "https://b.example"),
        )
    ]
    assert {sizes(contact) for contact in Contact.objects.all()} == {(MOST, MOST - 1, MOST)}
