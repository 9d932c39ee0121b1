"""Before an import: mappings that are remembered, a dry run over all rows, cells mended in the browser."""

from typing import Any

import pytest
from django.urls import reverse

from contacts import tasks
from contacts.importing import runner
from contacts.importing.checking import check_chunk
from contacts.importing.commit import LeaseLost
from contacts.models import (
    Activity,
    Company,
    Contact,
    ContactPoint,
    CustomField,
    ImportFix,
    ImportJob,
    ImportMapping,
    ImportRowError,
)
from contacts.services.import_checks import import_check, import_mend
from contacts.services.imports import import_cancel, import_create, import_sheet, import_start
from crmcem.lib.actors import person
from crmcem.lib.errors import Conflict, DomainError, NotAllowed
from crmcem.workspace.models import AuditEntry
from tests.contacts.imports import counts, csv_file, errors, run_import
from tests.contacts.workbooks import workbook

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def draft(text: str | bytes, user: Any, **options: Any) -> ImportJob:
    options = {"kind": "contacts"} | options
    return import_create(file=csv_file(text), actor=person(user), start=False, **options)


def checked(job: ImportJob, user: Any, **chosen: Any) -> ImportJob:
    import_check(job=job, actor=person(user), **chosen)
    assert tasks.run_import(job.pk) == "draft"
    job.refresh_from_db()
    return job


# --- remembered mappings -----------------------------------------------------------------------------
def test_a_header_is_mapped_as_the_last_time_whatever_its_order(cast: Any) -> None:
    text = "Code,Who,Shade\nC1,Ada,x\n"
    mapping = {"Code": "external_id", "Who": "first_name", "Shade": ""}
    first = draft(text, cast.rep)
    assert (first.mapping, first.mapped_like) == (dict.fromkeys(mapping, ""), "")
    import_start(job=first, actor=person(cast.rep), mapping=mapping, mode="update", separator="/")

    again = draft("SHADE,who,Code\nx,Ada,C1\n", cast.rep)
    assert again.mapping == {"SHADE": "", "who": "first_name", "Code": "external_id"}
    assert (again.mapped_like, again.mode, again.separator) == ("people.csv", "update", "/")
    assert draft("Code,Who\nC1,Ada\n", cast.rep).mapped_like == ""  # another header


def test_the_team_shares_what_its_members_may_use_and_others_learn_nothing(cast: Any) -> None:
    cast.manager.team = cast.north
    cast.manager.save()
    text = "Code,Boss\nC1,rep\n"
    mapping = {"Code": "external_id", "Boss": "owner"}
    import_create(file=csv_file(text), kind="contacts", actor=person(cast.manager), mapping=mapping)

    mine, theirs = draft(text, cast.rep), draft(text, cast.rep2)

    # what they may not use is there to be told: the page doesn't offer it, and nothing starts with it
    assert (mine.mapping, mine.mapped_like) == ({"Code": "external_id", "Boss": "owner"}, "people.csv")
    with pytest.raises(NotAllowed, match="The column “Boss” is mapped to “Owner"):
        import_start(job=mine, actor=person(cast.rep))
    assert (theirs.mapping, theirs.mapped_like) == ({"Code": "", "Boss": ""}, "")
    import_start(job=mine, actor=person(cast.rep), mapping={"Code": "last_name"})
    assert draft(text, cast.rep).mapping == {"Code": "last_name", "Boss": ""}  # one's own comes first
    assert ImportMapping.objects.count() == 2


def test_the_report_of_refused_rows_is_known_again_when_it_is_sent_back(cast: Any, web: Any) -> None:
    job = run_import(
        "Code,Post\n1,broken\n2,b@example.org\n", cast.rep, mapping={"Code": "external_id", "Post": "email"}
    )
    report = b"".join(
        web(cast.rep).get(reverse("contacts:import-errors", args=[job.pk])).streaming_content
    ).decode()

    again = run_import(report.replace("broken", "a@example.org", 1), cast.rep)

    assert (again.mapping, counts(again)) == (
        {"Code": "external_id", "Post": "email", "import_error": ""},
        (1, 0, 0, 0),
    )
    assert Contact.objects.get(external_id="1").email == "a@example.org"


def test_the_page_says_whose_mapping_it_is_and_guesses_anew(cast: Any, web: Any) -> None:
    run_import(
        "E-mail,Code\na@example.org,Ada\n", cast.rep, mapping={"E-mail": "email", "Code": "first_name"}
    )
    client = web(cast.rep)
    url = client.post("/imports/new/", {"file": csv_file("E-mail,Code\n"), "object": "contacts"}).url
    page = client.get(url).content.decode()
    assert "Mapped as “people.csv” was" in page
    assert '<option value="first_name" selected>' in page
    anew = client.post(url, {"_action": "guess"}).content.decode()
    assert '<option value="first_name" selected>' not in anew
    assert '<option value="email" selected>' in anew


# --- a dry run -----------------------------------------------------------------------------------------
PEOPLE = (
    "external_id,email,first_name,company,tags\n"
    "1,a@example.org,Ada,Old,\n"  # nothing new
    "2,b@example.org,Bob,Old,vip\n"  # a tag
    "3,c@example.org,Cy,Newer,\n"  # another company, which is made
    "4,d@example.org;d2@example.org,Di,Old,\n"  # a further address
    "5,e@example.org,Eve,,\n"  # new
    "6,broken,Fay,,\n"
    "7,hers@example.org,Gus,,\n"
    "1,z@example.org,,,\n"
)


def before_the_check(cast: Any) -> None:
    run_import(
        "external_id,email,first_name,company\n"
        + "".join(
            f"{n + 1},{c}@example.org,{name},Old\n"
            for n, (c, name) in enumerate([("a", "Ada"), ("b", "Bob"), ("c", "Cy"), ("d", "Di")])
        ),
        cast.rep,
    )
    run_import("email\nhers@example.org\n", cast.rep2)


def test_a_dry_run_counts_what_the_import_then_does_and_writes_nothing(
    cast: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "CHUNK_ROWS", 3)
    before_the_check(cast)
    world = [list(model.objects.order_by("pk").values()) for model in (Contact, Company, ContactPoint)]
    said = Activity.objects.count(), AuditEntry.objects.exclude(table_name="contacts_importjob").count()

    job = checked(draft(PEOPLE, cast.rep), cast.rep)

    assert job.report == {"rows": 8, "create": 1, "update": 3, "skip": 1, "failed": 3}
    assert (job.status, job.rows_done, job.created) == ("draft", 0, 0)
    assert errors(job) == [
        (6, "email", "invalid"),
        (7, "email", "email_taken"),
        (8, "external_id", "duplicate_in_file"),
    ]
    assert [
        list(model.objects.order_by("pk").values()) for model in (Contact, Company, ContactPoint)
    ] == world
    assert (
        Activity.objects.count(),
        AuditEntry.objects.exclude(table_name="contacts_importjob").count(),
    ) == said

    import_start(job=job, actor=person(cast.rep))
    runner.run(job.pk)
    job.refresh_from_db()
    assert counts(job) == (1, 3, 1, 3)
    assert len(errors(job)) == 3


def test_a_dry_run_of_companies_and_of_a_spreadsheet(cast: Any) -> None:
    run_import("name,domain,size\nOne,one.example,1\nTwo,two.example,2\n", cast.rep, kind="companies")
    rows = [
        ["name", "domain", "size"],
        ["One", "one.example", 1],
        ["Two", "two.example", 3],
        ["New", "", "x"],
        ["Newer"],
    ]

    job = checked(draft(workbook({"S": rows}), cast.rep, kind="companies"), cast.rep)

    assert job.report == {"rows": 4, "create": 1, "update": 1, "skip": 1, "failed": 1}
    assert Company.objects.count() == 2
    import_start(job=job, actor=person(cast.rep))
    runner.run(job.pk)
    job.refresh_from_db()
    assert counts(job) == (1, 1, 1, 1)


def test_a_dry_run_goes_from_worker_to_worker_and_can_be_stopped(
    cast: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_the_check(cast)
    monkeypatch.setattr(runner, "CHUNK_ROWS", 3)
    monkeypatch.setattr(runner, "TURN_SECONDS", 0)
    job = draft(PEOPLE, cast.rep)
    import_check(job=job, actor=person(cast.rep))
    assert runner.orphans() == [job.pk]
    assert [tasks.run_import(job.pk) for _turn in range(3)] == ["checking", "checking", "draft"]
    job.refresh_from_db()
    assert job.report["rows"] == 8
    assert len(errors(job)) == 3
    import_check(job=job, actor=person(cast.rep))
    tasks.run_import(job.pk)
    import_cancel(job=job, actor=person(cast.rep))
    job.refresh_from_db()
    assert (job.status, job.report) == ("draft", {})
    assert tasks.run_import(job.pk) == "busy"


def test_a_worker_of_a_stopped_dry_run_counts_nothing_into_the_next_one(
    cast: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "CHUNK_ROWS", 3)
    job = draft("email,first_name\nbroken,A\nb@example.org,B\nc@example.org,C\nd@example.org,D\n", cast.rep)
    actor = person(cast.rep)
    import_check(job=job, actor=actor)
    late = runner.claim(job.pk)
    assert late is not None
    [chunk, *_rest] = runner._chunks(late, 0)
    import_cancel(job=job, actor=actor)
    import_check(job=job, actor=actor, mapping={"email": "", "first_name": "first_name"})

    with pytest.raises(LeaseLost):
        check_chunk(late, chunk)
    assert runner._check(late) == "busy"
    assert runner._hand_on(late) == "checking"
    job.refresh_from_db()
    assert (job.status, job.report["rows"], errors(job)) == ("checking", 0, [])

    now = runner.claim(job.pk)
    assert now is not None
    runner._hand_on(late)  # gives nothing back that isn't its own
    assert runner.claim(job.pk) is None
    assert runner._check(now) == "draft"
    job.refresh_from_db()
    assert job.report == {"rows": 4, "create": 4, "update": 0, "skip": 0, "failed": 0}
    assert errors(job) == []


def test_a_sheet_that_is_not_read_any_more_leaves_no_rows(cast: Any) -> None:
    job = draft(
        workbook({"A": [["email"], ["a@example.org"]], "B": [["email"], ["b@example.org"]]}), cast.rep
    )
    actor = person(cast.rep)
    import_check(job=job, actor=actor)
    late = runner.claim(job.pk)
    assert late is not None
    import_cancel(job=job, actor=actor)
    import_sheet(job=job, sheet="B", actor=actor)
    assert runner._check(late) == "busy"
    job.refresh_from_db()
    assert (job.rows.name, job.rows_total) == ("", None)
    import_start(job=job, actor=actor)
    runner.run(job.pk)
    assert Contact.objects.get().email == "b@example.org"


def test_over_the_api_a_dry_run_is_a_wish_with_the_file_or_an_action(cast: Any, api: Any) -> None:
    client = api(cast.rep)
    url = "/api/v1/imports/"
    send = {"file": csv_file("email\na@example.org\nbroken\n"), "object": "contacts", "dry_run": "true"}
    made = client.post(url, send, format="multipart").json()
    assert made["status"] == "checking"
    assert client.post(f"{url}{made['id']}/start/", {}, format="json").status_code == 409
    runner.run(int(made["id"]))
    job = client.get(f"{url}{made['id']}/").json()
    assert (job["status"], job["report"]) == (
        "draft",
        {"rows": 2, "create": 1, "update": 0, "skip": 0, "failed": 1},
    )
    wrong = client.post(
        f"{url}{made['id']}/mend/", {"cells": [{"row": 2, "column": "email", "value": "x"}]}, format="json"
    )
    assert [(e["field"], e["code"]) for e in wrong.json()["errors"]] == [("cell-2-0", "invalid")]
    nowhere = {
        "cells": [
            {"row": 1, "column": "email", "value": "x@example.org"},
            {"row": 2, "column": "no", "value": "x"},
        ]
    }
    assert [
        e["code"] for e in client.post(f"{url}{made['id']}/mend/", nowhere, format="json").json()["errors"]
    ] == [
        "unknown_cell",
        "unknown_cell",
    ]
    good = {"cells": [{"row": 2, "column": "email", "value": "b@example.org"}]}
    assert client.post(f"{url}{made['id']}/mend/", good, format="json").json() == {"mended": 1}
    again = client.post(f"{url}{made['id']}/check/", {"mode": "create"}, format="json").json()
    assert (again["status"], again["mode"]) == ("checking", "create")
    runner.run(int(made["id"]))
    assert client.get(f"{url}{made['id']}/").json()["report"]["create"] == 2
    assert not Contact.objects.exists()
    for action in ("check", "mend"):
        assert api(cast.rep2).post(
            f"{url}{made['id']}/{action}/", {"cells": []}, format="json"
        ).status_code in (400, 404)
        assert api(cast.readonly).post(f"{url}{made['id']}/{action}/", {}, format="json").status_code == 403


def test_who_may_check_and_mend(cast: Any) -> None:
    job = draft("email\nbroken\n", cast.rep)
    for user in (cast.readonly, cast.rep2):
        with pytest.raises(Exception):  # noqa: B017 - one lacks the right, one the record
            import_check(job=job, actor=person(user))
        with pytest.raises(Exception):  # noqa: B017
            import_mend(job=job, cells={(1, 0): "a@example.org"}, actor=person(user))
    job.refresh_from_db()
    assert (job.status, ImportFix.objects.count()) == ("draft", 0)


# --- mended cells ------------------------------------------------------------------------------------
def test_bad_cells_are_mended_on_the_page_and_come_in(cast: Any, web: Any) -> None:
    client = web(cast.rep)
    text = "E-mail,Vorname,Telefon\nbroken,Ada,12\nb@example.org,Bob,\nc@example.org,Cy,x,ragged\nworse,Di,\n"
    url = client.post("/imports/new/", {"file": csv_file(text), "object": "contacts"}).url
    assert client.post(url, {"_action": "check-all", "mode": "upsert"}).url == url
    job = ImportJob.objects.get()
    assert "Being checked" in client.get(url).content.decode()
    runner.run(job.pk)
    watched = client.get(url, HTTP_HX_REQUEST="true")
    assert watched.headers["HX-Redirect"] == url

    page = client.get(url).content.decode()
    assert "1 would be created" in page
    assert "3 would be refused" in page
    assert 'name="cell-1-0" value="broken"' in page
    assert 'name="cell-1-2" value="12"' in page
    assert "To be mended in the file" in page

    typed = {"_action": "mend", "cell-1-0": "a@example.org", "cell-1-2": "still <wrong>", "cell-4-0": "worse"}
    answer = client.post(url, typed)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert 'name="cell-1-2" value="still &lt;wrong&gt;"' in page
    assert 'name="cell-1-0" value="a@example.org"' in page
    assert list(job.fixes.values_list("row", "column", "value")) == [(1, 0, "a@example.org")]
    assert client.post(url, {"_action": "mend", "cell-1-2": ""}).status_code == 302
    assert client.post(url, {"_action": "mend", "cell-2-0": "x@example.org"}).status_code == 422
    assert "2 cells mended" in client.get(url).content.decode()

    client.post(url, {"_action": "start", "mode": "upsert"})
    runner.run(job.pk)
    job.refresh_from_db()
    assert (counts(job), {row for row, _f, _c in errors(job)}) == ((2, 0, 0, 2), {3, 4})
    assert Contact.objects.get(first_name="Ada").email == "a@example.org"
    with pytest.raises(Conflict):
        import_mend(job=job, cells={(4, 0): "d@example.org"}, actor=person(cast.rep))


def test_many_bad_cells_are_paged_and_cost_the_same(
    cast: Any, web: Any, django_assert_max_num_queries: Any
) -> None:
    job = checked(draft("email\n" + "".join(f"bad{n}\n" for n in range(70)), cast.rep), cast.rep)
    client = web(cast.rep)
    url = reverse("contacts:import-job", args=[job.pk])
    with django_assert_max_num_queries(24):
        first = client.get(url)
    assert [row["number"] for row in first.context["report_rows"]] == list(range(1, 51))
    second = client.get(url, {"cursor": first.context["report_page"].next})
    assert [row["number"] for row in second.context["report_rows"]] == list(range(51, 71))
    with pytest.raises(DomainError, match="at most 500"):
        import_mend(job=job, cells={(n, 0): "x" for n in range(501)}, actor=person(cast.rep))
    assert ImportRowError.objects.filter(job=job).count() == 70


# --- custom fields on the way --------------------------------------------------------------------------
def test_a_new_field_has_the_type_that_its_values_have(cast: Any, web: Any) -> None:
    client = web(cast.admin)
    text = "E-mail,Punkte,Seit,Aktiv,Notiz\na@example.org,12.5,2024-02-29,ja,x\nb@example.org,7,2024-03-01,nein,7\n"
    url = client.post("/imports/new/", {"file": csv_file(text), "object": "contacts"}).url
    page = client.get(url)
    assert [c["type"] for c in page.context["columns"]] == ["text", "number", "date", "boolean", "text"]
    chosen = {"mode": "upsert"} | {
        f"field-{n}": key
        for n, key in enumerate(["email", "custom.punkte", "custom.seit", "custom.aktiv", ""])
    }
    types = {"type-1": "number", "type-2": "date", "type-3": "boolean", "type-4": "number"}
    client.post(url, chosen | types | {"_action": "check-all"})
    job = ImportJob.objects.get()
    runner.run(job.pk)
    job.refresh_from_db()
    assert (job.report["create"], errors(job)) == (2, [])
    assert not CustomField.objects.exists()
    client.post(url, chosen | types | {"_action": "start"})
    runner.run(job.pk)
    assert dict(CustomField.objects.values_list("key", "type")) == {
        "punkte": "number",
        "seit": "date",
        "aktiv": "boolean",
    }
    assert Contact.objects.get(email="a@example.org").custom == {
        "punkte": 12.5,
        "seit": "2024-02-29",
        "aktiv": True,
    }
    with pytest.raises(DomainError, match="There is no field"):
        import_create(
            file=csv_file(text),
            kind="contacts",
            actor=person(cast.rep),
            new_fields={"custom.neu": "number"},
            mapping={"E-mail": "email", "Punkte": "custom.neu"},
        )
    with pytest.raises(DomainError, match="Choose one of"):
        draft(text, cast.admin, mapping={"E-mail": "email"}, new_fields={"custom.x": "formula"})
