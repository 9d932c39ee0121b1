"""Rows that look like records that are there: in the dry run and after an import, with the score and reasons that the
queue of duplicates has."""

import csv
import datetime as dt
import io
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts.importing import alike, runner
from contacts.models import Company, Contact, DuplicatePair, ImportJob
from contacts.selectors.duplicate_sql import THRESHOLD
from contacts.services.duplicates import look_again, rekey
from contacts.services.imports import import_start
from crmcem.lib.actors import person
from tests.contacts.imports import run_import
from tests.contacts.test_import_checks import checked, draft

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def test_what_looks_like_another_record_is_listed_for_those_who_see_both(cast: Any, web: Any) -> None:
    run_import("email,first_name,last_name\nada@example.org,Ada,Lovelace\n", cast.rep)
    job = run_import("email,first_name,last_name\nada@example.test,Ada,Lovelace\n", cast.rep)
    old, new = Contact.objects.order_by("pk").values_list("pk", flat=True)
    why = [{"code": "name"}, {"code": "alike", "percent": 82}]
    pair = {"entity": "contact", "left_id": old, "right_id": new, "score": 0.91, "reasons": why}
    DuplicatePair.objects.create(**pair)
    DuplicatePair.objects.filter(left_id=old).update(created_at=dt.datetime.now(dt.UTC))
    url = reverse("contacts:import-job", args=[job.pk])

    page = web(cast.rep).get(url).content.decode()

    assert "1 possible duplicate" in page
    assert '<td class="num">91 %</td><td>same name, similar name (82 %)</td>' in page
    Contact.objects.filter(pk=old).update(owner=cast.rep2, team=cast.south)
    assert "possible duplicate" not in web(cast.rep).get(url).content.decode()


def test_a_dry_run_names_new_rows_that_look_like_records_one_may_see(
    cast: Any, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "CHUNK_ROWS", 2)
    run_import("email,first_name,last_name\nada@example.org,Ada,Lovelace\n", cast.rep)
    run_import("email,first_name,last_name\nhers@example.org,Grace,Hopper\n", cast.rep2)
    ada = Contact.objects.get(email="ada@example.org")
    rekey("contact", list(Contact.objects.values_list("pk", flat=True)))
    text = (
        "email,first_name,last_name\n"
        "ada@example.org,Ada,King\n"  # is her
        "other@example.net,Lovelace,Ada\n"
        "ada+x@example.org,A,L\n"
        "hopper@example.net,Grace,Hopper\n"  # looks like one that isn't to be seen
        "new@example.net,Nobody,Else\n"
    )

    job = checked(draft(text, cast.rep), cast.rep)

    assert job.report["alike"] == {
        "rows": [
            {"row": 2, "name": "Lovelace Ada", "record": ada.pk, "score": 0.6, "reasons": [{"code": "name"}]},
            {
                "row": 3,
                "name": "A L",
                "record": ada.pk,
                "score": 0.455,
                "reasons": [{"code": "mail"}, {"code": "domain"}],
            },
        ],
        "count": 2,
    }
    url = reverse("contacts:import-job", args=[job.pk])
    page = web(cast.rep).get(url).content.decode()
    assert "Rows that look like records that are there" in page
    assert (
        f'<td class="num">2</td><td>Lovelace Ada</td><td><a href="/contacts/{ada.pk}/">Ada Lovelace</a></td>'
        '<td class="num">60 %</td><td>same name</td>' in page
    )
    Contact.objects.filter(pk=ada.pk).update(owner=cast.rep2, team=cast.south)
    assert "Rows that look like" not in web(cast.rep).get(url).content.decode()

    monkeypatch.setattr(alike, "SHOWN", 1)
    Contact.objects.filter(pk=ada.pk).update(owner=cast.rep, team=cast.north)
    report = checked(job, cast.rep).report["alike"]
    assert ([row["row"] for row in report["rows"]], report["count"]) == ([2], 2)
    monkeypatch.setattr(alike, "LOOKED_AT", 1)
    assert checked(job, cast.rep).report["alike"]["count"] == 1


PEOPLE = (
    "external_id,email,first_name,last_name,phone,company\n"
    "O-1,ada@engines.example,Ada,Lovelace,,Engines\n"
    "O-2,grace@navy.example,Grace,Hopper,+12025550100,Navy\n"
    "O-3,alan@park.example,Alan,Turing,,Park\n"
    "O-4,joan@park.example,Joan,Clarke,,Park\n"
)
MORE = (
    "external_id,email,first_name,last_name,phone,company\n"
    "N-1,a.lovelace@engines.example,Ada,Lovelase,,Engines\n"  # sounds the same, at the same company
    "N-2,,Grace,Hoper,+12025550100,\n"  # the number
    "N-3,x@else.example;alan+work@park.example,Alan,Turing,,\n"  # the mailbox of a further address
    "N-4,new@park.example,Mary,Jones,,Park\n"  # nobody
    "o1,another@mail.example,Ada,Lovelace,,\n"  # the id without its signs
)
FIRMS = (
    "external_id,name,domain,phone,website\n"
    "F-1,Analytical Engines Ltd,engines.example,,\n"
    "F-2,Navy,,+12025550100,\n"
    "F-3,Park House,parkhouse.example,,\n"
)
MORE_FIRMS = (
    "external_id,name,domain,phone,website\n"
    ",Analytical Engines Inc.,,,\n"
    ",Sea Force,,+12025550100,\n"
    ",Analitical Enginez,,,https://www.engines.example/about\n"
    ",Park,parkhouse.test,,\n"  # the same name before another ending
    ",Nothing of it,else.example,,\n"
)


def pairs(entity: str) -> dict[tuple[int, int], tuple[float, list[Any]]]:
    found = DuplicatePair.objects.filter(entity=entity)
    return {(pair.left_id, pair.right_id): (pair.score, pair.reasons) for pair in found}


@pytest.mark.parametrize(
    ("kind", "entity", "model", "old", "new", "key", "rows"),
    [
        ("contacts", "contact", Contact, PEOPLE, MORE, "external_id", [1, 2, 3, 5]),
        ("companies", "company", Company, FIRMS, MORE_FIRMS, "name", [1, 2, 3, 4]),
    ],
)
def test_a_dry_run_gives_the_scores_and_reasons_that_the_queue_gives_after_it(
    cast: Any, kind: str, entity: str, model: Any, old: str, new: str, key: str, rows: list[int]
) -> None:
    run_import(old, cast.rep, kind=kind)
    known = set(model.objects.values_list("pk", flat=True))
    rekey(entity, sorted(known))
    job = checked(draft(new, cast.rep, kind=kind), cast.rep)
    report = job.report["alike"]
    assert (sorted(row["row"] for row in report["rows"]), report["count"]) == (rows, len(rows))
    scores = [row["score"] for row in report["rows"]]
    assert scores == sorted(scores, reverse=True)

    import_start(job=job, actor=person(cast.rep))
    runner.run(job.pk)
    ids = dict(model.objects.exclude(pk__in=known).values_list(key, "pk"))
    made = [ids.pop(row[key]) for row in csv.DictReader(io.StringIO(new))]
    assert (len(made), ids) == (5, {})
    look_again(entity, made)
    queue = {pair: found for pair, found in pairs(entity).items() if pair[0] in known}
    sure = [row for row in report["rows"] if row["score"] >= THRESHOLD]
    assert {(row["record"], made[row["row"] - 1]): (row["score"], row["reasons"]) for row in sure} == queue


def test_the_report_of_companies_names_pairs_with_their_reasons(cast: Any, web: Any) -> None:
    run_import("name,domain\nAnalytical Engines Ltd,engines.example\n", cast.rep, kind="companies")
    job = run_import("name\nAnalytical Engines Inc.\n", cast.rep, kind="companies")
    look_again("company", list(Company.objects.values_list("pk", flat=True)))
    page = web(cast.rep).get(reverse("contacts:import-job", args=[job.pk])).content.decode()
    assert "1 possible duplicate" in page
    assert '<td class="num">70 %</td><td>same name</td>' in page


def test_a_dry_run_of_companies_names_look_alikes_too(cast: Any) -> None:
    run_import("name,domain\nAnalytical Engines Ltd,engines.example\n", cast.rep, kind="companies")
    rekey("company", list(Company.objects.values_list("pk", flat=True)))
    job = checked(draft("name\nAnalytical Engines Inc.\nOther\n", cast.rep, kind="companies"), cast.rep)
    assert job.report["alike"] == {
        "rows": [
            {
                "row": 1,
                "name": "Analytical Engines Inc.",
                "record": Company.objects.get().pk,
                "score": 0.7,
                "reasons": [{"code": "name"}],
            }
        ],
        "count": 1,
    }


def test_a_row_is_named_with_what_it_is_most_like_and_many_rows_cost_as_few(cast: Any, web: Any) -> None:
    run_import(
        "external_id,first_name,last_name,phone\n1,Ada,Lovelace,\n2,Ada,Lovelace,+12025550100\n", cast.rep
    )
    one, two = Contact.objects.order_by("external_id")
    rekey("contact", [one.pk, two.pk])

    def cost(count: int) -> tuple[int, ImportJob]:
        text = "external_id,first_name,last_name,phone\n" + "".join(
            f"N{n},Ada,Lovelace,+12025550100\n" for n in range(count)
        )
        with CaptureQueriesContext(connection) as caught:
            job = checked(draft(text, cast.rep), cast.rep)
        return len(caught), job

    few, many = cost(1), cost(60)
    assert few[0] == many[0]
    assert few[1].report["alike"]["rows"] == [
        {
            "row": 1,
            "name": "Ada Lovelace",
            "record": two.pk,
            "score": 0.8,
            "reasons": [{"code": "phone"}, {"code": "name"}],
        }
    ]
    assert (len(many[1].report["alike"]["rows"]), many[1].report["alike"]["count"]) == (20, 60)


def test_a_report_of_before_scores_were_kept_is_still_shown(cast: Any, web: Any) -> None:
    run_import("external_id,first_name,last_name\n1,Ada,Lovelace\n", cast.rep)
    job = checked(draft("email\na@example.org\n", cast.rep), cast.rep)
    old = {"rows": [{"row": 1, "name": "A", "record": Contact.objects.get().pk}], "count": 1}
    ImportJob.objects.filter(pk=job.pk).update(report=job.report | {"alike": old})
    page = web(cast.rep).get(reverse("contacts:import-job", args=[job.pk])).content.decode()
    assert '<td class="num">–</td><td>–</td>' in page
