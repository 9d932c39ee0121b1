"""Exports of lists: exactly what is shown, nothing hidden, guarded, written down, and large ones as jobs."""

import csv
import datetime as dt
import io
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from contacts.importing.fields import bare
from contacts.models import Contact
from crmcem.lib.web import exports
from crmcem.workspace.models import AuditEntry, Export, User
from crmcem.workspace.services import exports as service
from tests.access.urlmap import routes
from tests.access.world import make_world
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, TaskFactory
from tests.factories.sales import DealFactory

Web = Callable[[User], Client]


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def table(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def export(client: Client, url: str) -> list[list[str]]:
    response = client.post(url, {"_export": "1"})
    assert response.status_code == 200, response.content.decode()[:400]
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    return table(response.content)


@pytest.mark.django_db
def test_the_file_is_the_list_with_its_columns_filter_and_order(cast: Cast, web: Web) -> None:
    own = {"owner": cast.rep, "team": cast.north}
    company = CompanyFactory(name="Ours", **own)
    at = dt.datetime(2026, 3, 1, 12, 0, 5, 77, tzinfo=dt.UTC)
    for last, nps in (("Abel", 9), ("Baker", None), ("Cole", 3)):
        ContactFactory(
            first_name="Jo", last_name=last, company=company, tags=["a", "b"], phone="+4930123456", **own,
            pulse={"nps": nps, "nps_at": at, "last_seen_at": at},
        )  # fmt: skip
    ContactFactory(last_name="Former", lifecycle_stage="former", **own)
    cast.rep.time_zone = "Europe/Berlin"
    cast.rep.save()
    url = reverse("contacts:list")
    asked = "?lifecycle_stage=lead&ordering=-pulse__nps&columns=name,nps,phone,tags,company,owner,seen"
    assert export(web(cast.rep), url + asked) == [
        ["Name", "NPS", "Phone", "Tags", "Company", "Owner", "Last seen"],
        ["Jo Abel", "9", "'+4930123456", "a, b", "Ours", "Rep", "2026-03-01 13:00:05+01:00"],
        ["Jo Cole", "3", "'+4930123456", "a, b", "Ours", "Rep", "2026-03-01 13:00:05+01:00"],
        ["Jo Baker", "", "'+4930123456", "a, b", "Ours", "Rep", "2026-03-01 13:00:05+01:00"],
    ]
    row = Export.objects.get()
    assert (row.owner, row.entity, row.status, row.rows_done) == (cast.rep, "contact", "done", 3)
    assert row.query == asked[1:].replace(",", "%2C")
    assert row.columns[0] == "Name"
    entry = AuditEntry.objects.get(table_name="workspace_export", op="I")
    assert (entry.actor_id, entry.row_id) == (cast.rep.pk, row.pk)


@pytest.mark.django_db
def test_what_a_record_has_beyond_the_usual_columns(cast: Cast, web: Web) -> None:
    own = {"owner": cast.rep, "team": cast.north}
    for last, day in (("Abel", dt.date(1980, 5, 17)), ("Baker", dt.date(1604, 5, 17)), ("Cole", None)):
        ContactFactory(
            first_name="Jo", last_name=last, birthday=day, language="de", time_zone="Europe/Berlin",
            external_id=f"x-{last}", **own,
        )  # fmt: skip
    asked = "?ordering=last_name&columns=name,birthday,language,zone,external_id"
    assert export(web(cast.rep), reverse("contacts:list") + asked) == [
        ["Name", "Birthday", "Language", "Time zone", "External id"],
        ["Jo Abel", "1980-05-17", "de", "Europe/Berlin", "x-Abel"],
        ["Jo Baker", "'--05-17", "de", "Europe/Berlin", "x-Baker"],
        ["Jo Cole", "", "de", "Europe/Berlin", "x-Cole"],
    ]
    page = web(cast.rep).get(reverse("contacts:list") + asked).content.decode()
    assert "May 17, 1980" in page
    assert "1604" not in page
    top, hidden = CompanyFactory(name="Top", **own), CompanyFactory(name="Secret", owner=cast.rep2)
    for name, parent in (("One", top), ("Two", hidden)):
        CompanyFactory(
            name=name,
            parent=parent,
            phone="+4930123456",
            website="https://a.example",
            external_id=name,
            **own,
        )
    cast.rep.role.visibility = "own"  # type: ignore[union-attr]
    cast.rep.role.save()  # type: ignore[union-attr]
    asked = "?ordering=name&columns=name,phone,website,parent,external_id"
    found = export(web(cast.rep), reverse("contacts:companies") + asked)
    assert found == [
        ["Name", "Phone", "Website", "Parent company", "External id"],
        ["One", "'+4930123456", "https://a.example", "Top", "One"],
        ["Top", found[2][1], found[2][2], "", found[2][4]],
        ["Two", "'+4930123456", "https://a.example", "", "Two"],
    ]
    assert "Secret" not in web(cast.rep).get(reverse("contacts:companies") + asked).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("n", [2, 30])
def test_the_parents_of_a_list_are_no_query_each(
    cast: Cast, web: Web, django_assert_max_num_queries: Any, n: int
) -> None:
    for _ in range(n):
        CompanyFactory(owner=cast.rep, team=cast.north, parent=CompanyFactory(owner=cast.rep2))
    url = reverse("contacts:companies") + "?columns=name,parent"
    client = web(cast.rep)
    client.get(url)
    with django_assert_max_num_queries(12):
        assert client.get(url).status_code == 200


@pytest.mark.django_db
def test_nothing_hidden_is_in_a_file(cast: Cast, web: Web) -> None:
    make_world(cast)
    cast.rep2.role.scopes = ["*"]  # type: ignore[union-attr]
    cast.rep2.role.save()  # type: ignore[union-attr]
    client = web(cast.rep2)
    names = [n for n in routes() if n.name in LISTS]
    assert len(names) == len(LISTS)
    for name in LISTS:
        page = client.get(reverse(name), {"view": "all", "_part": "columns"}, headers={"HX-Request": "true"})
        keys = [part.split('"')[0] for part in page.content.decode().split('value="')[1:]]
        response = client.post(f"{reverse(name)}?view=all&columns={','.join(keys)}", {"_export": "1"})
        assert response.status_code == 200, (name, response.content.decode()[:400])
        assert b"Hidden" not in response.content, name
        assert len(table(response.content)[0]) == len(keys)
    contacts = export(client, reverse("contacts:list") + "?columns=name,company")
    assert [row[1] for row in contacts[1:]] == ["", ""]  # one works nowhere, the other at a hidden company


LISTS = (
    "contacts:list",
    "contacts:companies",
    "contacts:tasks",
    "contacts:interactions",
    "contacts:imports",
    "sales:deals",
    "feedback:responses",
    "feedback:cases",
    "feedback:surveys",
    "journeys:automations",
    "journeys:runs",
)


@pytest.mark.django_db
@pytest.mark.parametrize("name", LISTS)
def test_every_list_can_be_exported_with_what_it_shows(cast: Cast, web: Web, name: str) -> None:
    make_world(cast)
    client = web(cast.admin)
    url = reverse(name) + "?view=all"
    assert b"data-export" in client.get(url).content
    rows = export(client, url)
    assert len(rows) > 1
    assert {len(row) for row in rows} == {len(rows[0])}
    assert "<" not in str(rows)
    with CaptureQueriesContext(connection) as captured:
        export(client, url)
    assert len(captured) <= 20


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["=1+1", "+49", "-5 pieces", "@sum", "'=x", "\tx", "''-x", "plain", "it's"])
def test_formulas_leave_guarded_and_come_back_unchanged(cast: Cast, web: Web, text: str) -> None:
    ContactFactory(first_name="A", last_name="B", job_title=text, owner=cast.rep, team=cast.north)
    ((cell,),) = export(web(cast.rep), reverse("contacts:list") + "?columns=job")[1:]
    assert cell == exports.guarded(text)
    assert bare(cell) == text


@pytest.mark.django_db
def test_without_the_scope_there_is_no_button_and_no_file(cast: Cast, web: Web) -> None:
    DealFactory(owner=cast.rep, team=cast.north)
    client = web(cast.rep)  # may export contacts, but no deals
    url = reverse("sales:deals")
    assert b"data-export" not in client.get(url + "?view=all").content
    assert client.get(url + "?_part=export", headers={"HX-Request": "true"}).status_code == 403
    assert client.post(url, {"_export": "1"}).status_code == 403
    assert not Export.objects.exists()


@pytest.mark.django_db
def test_a_wrong_filter_is_said_and_nothing_is_written(cast: Cast, web: Web) -> None:
    response = web(cast.rep).post(reverse("contacts:list") + "?nonsense=1", {"_export": "1"})
    assert response.status_code == 400
    assert not Export.objects.exists()


@pytest.mark.django_db
def test_both_ways_of_writing_give_the_same_file(
    cast: Cast, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(7):
        due = timezone.now() if n % 3 else None
        TaskFactory(title=f"={n}", due_at=due, owner=cast.rep, team=cast.north)
    url = reverse("contacts:tasks") + "?view=all&ordering=-due_at"
    client = web(cast.rep)
    copied = export(client, url)
    monkeypatch.setattr(
        exports, "_copy", lambda page, queryset, cursor, out: exports._walk(page, queryset, out)
    )
    monkeypatch.setattr(exports, "CHUNK_ROWS", 2)
    assert export(client, url) == copied
    assert len(copied) == 8


# --- large ones ------------------------------------------------------------------------------------------
@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "count", lambda page, limit=0: None)


def begun(client: Client, url: str) -> Export:
    response = client.post(url, {"_export": "1"})
    assert response.status_code == 302
    row = Export.objects.latest("id")
    assert response["Location"] == reverse("workspace:export", args=[row.pk])
    return row


@pytest.mark.django_db
def test_a_large_list_becomes_a_file_that_only_its_owner_gets(
    cast: Cast, web: Web, large: None, settings: Any
) -> None:
    for n in range(3):
        ContactFactory(last_name=f"N{n}", owner=cast.rep, team=cast.north)
    ContactFactory(last_name="Foreign", owner=cast.rep2, team=cast.south)
    client = web(cast.rep)
    row = begun(client, reverse("contacts:list") + "?columns=name&ordering=last_name")
    assert row.status == "queued"
    page = client.get(reverse("workspace:export", args=[row.pk])).content.decode()
    assert 'hx-trigger="every 1s"' in page
    assert "<progress" in page
    assert service.export_run(row.pk) == "done"
    assert service.export_run(row.pk) == "busy"  # a second message finds nothing to do
    row.refresh_from_db()
    assert (row.rows_done, row.status) == (3, "done")
    url = reverse("workspace:export-file", args=[row.pk])
    response = client.get(url)
    names = [c.full_name for c in Contact.objects.filter(owner=cast.rep).order_by("last_name")]
    assert table(response.getvalue()) == [["Name"], *([name] for name in names)]
    assert "attachment" in response["Content-Disposition"]
    for other in (cast.rep2, cast.manager, cast.admin):
        assert web(other).get(url).status_code == 404
    cast.rep.role.scopes = ["contacts:read"]  # type: ignore[union-attr]
    cast.rep.role.save()  # type: ignore[union-attr]
    assert client.get(url).status_code == 403


@pytest.mark.django_db
def test_a_file_goes_after_its_day_and_the_record_stays(cast: Cast, web: Web, large: None) -> None:
    client = web(cast.rep)
    row = begun(client, reverse("contacts:list"))
    service.export_run(row.pk)
    row.refresh_from_db()
    path = row.file.path
    assert service.exports_expire() == 0
    Export.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    gone = client.get(reverse("workspace:export-file", args=[row.pk]))
    assert (gone.status_code, gone["Location"]) == (302, reverse("workspace:export", args=[row.pk]))
    assert service.exports_expire() == 1
    assert not __import__("os").path.exists(path)
    assert Export.objects.get().status == "done"
    assert "no longer kept" in client.get(reverse("workspace:export", args=[row.pk])).content.decode()


@pytest.mark.django_db
def test_a_job_asks_again_what_its_owner_may(cast: Cast, web: Web, large: None) -> None:
    row = begun(web(cast.rep), reverse("contacts:list"))
    cast.rep.role.scopes = ["contacts:read"]  # type: ignore[union-attr]
    cast.rep.role.save()  # type: ignore[union-attr]
    assert service.export_run(row.pk) == "failed"
    row.refresh_from_db()
    assert row.error
    assert not row.file


@pytest.mark.django_db
def test_a_stopped_export_is_not_made(cast: Cast, web: Web, large: None) -> None:
    client = web(cast.rep)
    row = begun(client, reverse("contacts:list"))
    assert client.post(reverse("workspace:export-cancel", args=[row.pk])).status_code == 302
    assert service.export_run(row.pk) == "busy"
    row.refresh_from_db()
    assert (row.status, row.file.name) == ("cancelled", "")


@pytest.mark.django_db
def test_three_at_once_are_enough(cast: Cast, web: Web, large: None) -> None:
    client = web(cast.rep)
    for _n in range(3):
        begun(client, reverse("contacts:list"))
    assert client.post(reverse("contacts:list"), {"_export": "1"}).status_code == 400
    assert Export.objects.count() == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["contacts:list", "contacts:companies"])
def test_an_export_can_be_stopped_under_way(
    cast: Cast, web: Web, large: None, monkeypatch: pytest.MonkeyPatch, name: str, settings: Any
) -> None:
    """Also where the database is in the middle of its one long statement."""
    for n in range(20):
        ContactFactory(last_name=f"N{n}", owner=cast.rep, team=cast.north)
        CompanyFactory(owner=cast.rep, team=cast.north)
    row = begun(web(cast.rep), reverse(name))
    monkeypatch.setattr(service, "TICK_SECONDS", -1.0)
    monkeypatch.setattr(exports, "CHUNK_ROWS", 5)
    monkeypatch.setattr(exports, "BUFFER_BYTES", 500)
    tick = service._Watched.tick

    def watched(self: Any, rows: int) -> None:
        tick(self, rows)
        if self.rows >= 5:
            other = connection.copy()
            with other.cursor() as cursor:
                cursor.execute("SELECT rows_done FROM workspace_export WHERE id = %s", [row.pk])
                assert cursor.fetchone()[0] >= 5
                cursor.execute("UPDATE workspace_export SET status = 'cancelled' WHERE id = %s", [row.pk])
            other.close()

    monkeypatch.setattr(service._Watched, "tick", watched)
    begin = time.monotonic()
    assert service.export_run(row.pk) == "cancelled"
    assert time.monotonic() - begin < 30
    row.refresh_from_db()
    assert (row.status, row.file.name) == ("cancelled", "")
    assert list(settings.MEDIA_ROOT.rglob("*.csv")) == []
    assert Contact.objects.count() == 20  # the connection goes on


@pytest.mark.django_db
def test_a_dead_workers_export_is_found_again(cast: Cast, web: Web, large: None) -> None:
    row = begun(web(cast.rep), reverse("contacts:list"))
    assert service.orphans() == [row.pk]
    Export.objects.update(status="running", claimed_until=timezone.now() + dt.timedelta(seconds=30))
    assert service.orphans() == []
    assert service.export_run(row.pk) == "busy"
    Export.objects.update(claimed_until=timezone.now() - dt.timedelta(seconds=1))
    assert service.orphans() == [row.pk]
    assert service.export_run(row.pk) == "done"


@pytest.mark.django_db
def test_ticked_rows_alone_are_carried_away(cast: Cast, web: Web) -> None:
    own = {"owner": cast.manager, "team": cast.north}
    a, b, c = (DealFactory(name=name, currency="USD", competitors=["Acme", "Bolt"], **own) for name in "abc")
    hidden = DealFactory(name="hidden", owner=cast.rep2, team=cast.south)
    url = reverse("sales:deals") + "?view=all&columns=name,currency,competitors&ordering=name"
    client = web(cast.manager)
    ids = [a.pk, c.pk, hidden.pk]
    asked = client.post(url, {"_export": "ask", "ids": ids}, headers={"HX-Request": "true"}).content.decode()
    assert "2 rows." in asked
    assert f'name="ids" value="{c.pk}"' in asked
    file = table(client.post(url, {"_export": "1", "ids": ids}).content)
    assert file == [
        ["Name", "Currency", "Competitors"],
        ["a", "USD", "Acme, Bolt"],
        ["c", "USD", "Acme, Bolt"],
    ]
    everything = table(client.post(url, {"_export": "1", "ids": [a.pk], "_all": "1"}).content)
    assert [row[0] for row in everything] == ["Name", "a", "b", "c"]
    narrowed = table(client.post(f"{url}&search={b.name}", {"_export": "1", "ids": ids}).content)
    assert narrowed == [["Name", "Currency", "Competitors"]], (
        "a ticked row that the filters leave out stays out"
    )
    for bad in (["x"], ["9" * 30]):
        assert client.post(url, {"_export": "1", "ids": bad}).status_code == 400
    for verb in ("ask", "1"):
        assert web(cast.rep).post(url, {"_export": verb, "ids": [a.pk]}).status_code == 403
