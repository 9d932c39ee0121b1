"""The pages of cases: list, page, dialogs, opening one."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from contacts.models import Activity, Interaction
from crmcem.lib.search import search
from crmcem.workspace.models import Notification
from feedback.models import Case
from feedback.services.cases import case_create, case_resolve
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import CaseFactory, ResponseFactory

pytestmark = pytest.mark.django_db
Web = Callable[[Any], Client]
HTMX = {"HX-Request": "true"}
NOW = timezone.now()


@pytest.fixture
def case(cast: Cast) -> Case:
    contact = ContactFactory(owner=cast.rep, team=cast.north, first_name="Zoë", last_name="Quist")
    return CaseFactory(contact=contact, subject="Broken <b>door</b>")


class TestList:
    def test_opens_on_what_is_open_soonest_due_first(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        due = {name: NOW + dt.timedelta(hours=h) for name, h in (("Late", -2), ("Soon", 1), ("Calm", 50))}
        for name, at in due.items():
            CaseFactory(contact=contact, subject=f"{name} case", sla_due_at=at)
        CaseFactory(contact=contact, subject="Settled case", status="resolved", resolved_at=NOW)
        CaseFactory(subject="Hidden case", owner=cast.rep2, team=cast.south)
        client = web(cast.rep)
        assert client.get("/cases/").headers["Location"] == "/cases/?open=true"
        page = client.get("/cases/?open=true").content.decode()
        places = [page.index(f"{name} case") for name in due]
        assert places == sorted(places)
        assert "Settled case" not in page
        assert "Hidden case" not in page
        for word in ("Overdue", "Due soon", "On track"):
            assert word in page
        assert "Settled case" in client.get("/cases/?view=all").content.decode()
        overdue = client.get("/cases/?overdue=true").content.decode()
        assert ("Late case" in overdue, "Soon case" in overdue) == (True, False)
        assert client.get("/cases/?colour=red").status_code == 400

    def test_costs_the_same_for_any_number(
        self, cast: Cast, web: Web, django_assert_max_num_queries: Any
    ) -> None:
        client = web(cast.manager)
        client.get("/cases/?open=true")
        for _ in range(2):
            for _ in range(12):
                response = ResponseFactory(contact=ContactFactory(owner=cast.rep, team=cast.north), nps=1)
                CaseFactory(contact=response.contact, response=response)
            with django_assert_max_num_queries(11):
                assert client.get("/cases/?open=true").status_code == 200

    def test_bulk_assign_and_resolve(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        rows = [CaseFactory(contact=contact) for _ in range(3)]
        hidden = CaseFactory(owner=cast.rep2, team=cast.south)
        ids = [str(row.pk) for row in [*rows, hidden]]
        body: dict[str, Any] = {
            "_bulk": "assign",
            "ids": ids,
            "_confirmed": "1",
            "owner": str(cast.manager.pk),
        }
        assert web(cast.rep).post("/cases/", body).status_code == 403  # no cases:assign
        client = web(cast.manager)
        asked = client.post("/cases/", {"_bulk": "assign", "ids": ids}, headers=HTMX)
        assert asked.status_code == 200
        assert not Activity.objects.exists()
        assert client.post("/cases/", body, headers=HTMX).status_code == 204
        assert set(Case.objects.values_list("owner__username", flat=True)) == {"manager", "rep2"}
        assert {c.version for c in Case.objects.filter(owner=cast.manager)} == {2}
        assert Activity.objects.filter(kind="case.updated").count() == 3
        assert not Notification.objects.exists()  # who gives them to themselves knows it
        case_resolve(case=rows[0], resolution="Before", actor=_actor(cast.manager))
        body = {"_bulk": "resolve", "ids": ids, "_confirmed": "1", "resolution": " ", "root_cause": "Carrier"}
        assert client.post("/cases/", body, headers=HTMX).status_code == 422
        done = client.post("/cases/", body | {"resolution": "Refund"}, headers=HTMX)
        assert done.status_code == 200
        assert "This case is resolved already." in done.content.decode()
        rows[0].refresh_from_db()
        assert rows[0].resolution == "Before"
        settled = Case.objects.filter(resolution="Refund", root_cause="Carrier", status="resolved")
        assert settled.count() == 2
        assert Activity.objects.filter(kind="case.resolved").count() == 3
        hidden.refresh_from_db()
        assert hidden.status == "open"

    def test_the_new_owner_of_many_is_told_once(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        ids = [str(CaseFactory(contact=contact).pk) for _ in range(2)]
        body: dict[str, Any] = {"_bulk": "assign", "ids": ids, "_confirmed": "1", "owner": str(cast.rep2.pk)}
        web(cast.manager).post("/cases/", body, headers=HTMX)
        note = Notification.objects.get()
        assert (note.user, note.title) == (cast.rep2, "2 cases are yours")


def _actor(user: Any) -> Any:
    from crmcem.lib.actors import person

    return person(user)


class TestPage:
    def test_shows_customer_answer_clock_and_story(
        self, cast: Cast, web: Web, django_assert_max_num_queries: Any
    ) -> None:
        contact = ContactFactory(
            owner=cast.rep,
            team=cast.north,
            first_name="Zoë",
            pulse={"orders": 7, "revenue": 812, "nps": 2, "nps_at": NOW},
        )
        response = ResponseFactory(
            contact=contact, nps=2, comment="Never again <script>", sentiment_label="negative"
        )
        actor = _actor(cast.rep)
        case = case_create(contact=contact, subject="Call", response=response, priority="high", actor=actor)
        client = web(cast.rep)
        client.get(f"/cases/{case.pk}/")
        with django_assert_max_num_queries(20):
            page = client.get(f"/cases/{case.pk}/").content.decode()
        for text in (
            "Zoë",
            "812",
            "Never again &lt;script&gt;",
            "detractor",
            "negative",
            "On track",
            "High",
            "Case opened",
        ):
            assert text in page, text
        assert "<script>alert" not in page
        assert f"/contacts/{contact.pk}/" in page

    def test_a_hidden_case_is_a_missing_one_on_every_page(self, cast: Cast, web: Web, case: Case) -> None:
        client = web(cast.rep2)
        missing = client.get("/cases/999999999/").content
        assert client.get(f"/cases/{case.pk}/").content == missing
        for part in ("edit", "resolve", "reopen", "assign"):
            assert client.get(f"/cases/{case.pk}/{part}/").status_code == 404
            assert client.post(f"/cases/{case.pk}/{part}/", {"resolution": "x"}).status_code == 404
        for part in ("wait", "resume", "take", "close", "delete", "note"):
            status = client.post(f"/cases/{case.pk}/{part}/", {"body": "x", "kind": "note"}).status_code
            assert status in {403, 404}, part
        case.refresh_from_db()
        assert (case.version, Activity.objects.count(), Interaction.objects.count()) == (1, 0, 0)

    def test_of_a_hidden_customer_shows_the_case_only(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(
            owner=cast.rep2,
            team=cast.south,
            last_name="Secret",
            email="secret@x.example",
            pulse={"revenue": 999},
        )
        case = CaseFactory(contact=contact, owner=cast.rep, team=cast.north)
        from contacts.services.interactions import interaction_log

        note = {"kind": "note", "contact": contact.pk, "body": "Hidden words", "subject": "Hidden"}
        interaction_log(data=note, actor=_actor(cast.rep2))
        page = web(cast.rep).get(f"/cases/{case.pk}/").content.decode()
        for text in ("secret@x.example", "999", "Hidden words", f"/contacts/{contact.pk}/"):
            assert text not in page, text
        assert "looked after by somebody else" in page

    def test_readers_see_no_way_to_write(self, cast: Cast, web: Web, case: Case) -> None:
        client = web(cast.readonly)
        page = client.get(f"/cases/{case.pk}/").content.decode()
        assert "/resolve/" not in page
        assert "case-note" not in page
        for part in ("edit", "resolve", "reopen", "assign", "wait", "close", "delete", "note"):
            assert client.post(f"/cases/{case.pk}/{part}/", {"resolution": "x"}).status_code == 403
        assert web(cast.nobody).get(f"/cases/{case.pk}/").status_code == 403
        assert Client().get(f"/cases/{case.pk}/").status_code == 302
        case.refresh_from_db()
        assert case.version == 1


class TestSteps:
    def test_resolve_close_reopen(self, cast: Cast, web: Web, case: Case) -> None:
        client, url = web(cast.rep), f"/cases/{case.pk}/"
        CaseFactory(contact=case.contact, status="resolved", root_cause="Carrier")
        dialog = client.get(f"{url}resolve/", headers=HTMX).content.decode()
        assert "<html" not in dialog
        assert 'value="Carrier"' in dialog
        assert "<html" in client.get(f"{url}resolve/").content.decode()
        kept = client.post(f"{url}resolve/", {"resolution": "", "root_cause": "Door maker"}, headers=HTMX)
        assert (kept.status_code, "Door maker" in kept.content.decode()) == (422, True)
        done = client.post(
            f"{url}resolve/", {"resolution": "New door", "root_cause": "Door maker"}, headers=HTMX
        )
        assert (done.status_code, done.headers["HX-Redirect"]) == (204, url)
        again = client.post(f"{url}resolve/", {"resolution": "Twice"}, headers=HTMX)
        assert (again.status_code, "resolved already" in again.content.decode()) == (422, True)
        page = client.get(url).content.decode()
        assert "New door" in page
        assert "/reopen/" in page
        assert client.post(f"{url}close/").status_code == 302
        assert client.post(f"{url}reopen/", {"reason": "It creaks"}).status_code == 302
        case.refresh_from_db()
        assert (case.status, case.resolution, case.root_cause) == ("open", "New door", "Door maker")
        assert "It creaks" in client.get(url).content.decode()

    def test_wait_and_go_on(self, cast: Cast, web: Web, case: Case) -> None:
        client, url = web(cast.rep), f"/cases/{case.pk}/"
        client.post(f"{url}wait/")
        assert "Waiting for the customer" in client.get(url).content.decode()
        client.post(f"{url}resume/")
        case.refresh_from_db()
        assert (case.status, case.version) == ("open", 3)
        assert client.get(f"{url}wait/").status_code == 405
        assert client.post(f"{url}close/").status_code == 409

    def test_take_a_free_one_and_give_it_away(self, cast: Cast, web: Web) -> None:
        case = CaseFactory(contact=ContactFactory(team=cast.north), owner=None, team=cast.north)
        client, url = web(cast.manager), f"/cases/{case.pk}/"
        assert client.post(f"{url}take/").status_code == 302
        case.refresh_from_db()
        assert case.owner == cast.manager
        away = client.post(f"{url}assign/", {"owner": str(cast.rep2.pk)}, headers=HTMX)
        assert away.headers["HX-Redirect"] == "/cases/"  # out of sight now
        case.refresh_from_db()
        assert (case.owner, case.team) == (cast.rep2, cast.south)

    def test_edit_keeps_what_was_typed_and_loses_no_update(self, cast: Cast, web: Web, case: Case) -> None:
        client, url = web(cast.rep), f"/cases/{case.pk}/edit/"
        due = timezone.localtime(case.sla_due_at).strftime("%Y-%m-%dT%H:%M")
        body = {
            "subject": "New words",
            "body": "More",
            "priority": case.priority,
            "sla_due_at": due,
            "version": "1",
        }
        assert client.post(url, body, headers=HTMX).status_code == 204
        before = case.sla_due_at
        case.refresh_from_db()
        assert (case.subject, case.version, case.sla_due_at) == ("New words", 2, before)
        stale = client.post(url, body | {"subject": "Lost words"}, headers=HTMX)
        assert stale.status_code == 422
        assert "Lost words" in stale.content.decode()
        assert "Somebody else changed this case" in stale.content.decode()
        client.post(url, body | {"version": "2", "priority": "urgent"}, headers=HTMX)
        case.refresh_from_db()
        assert case.sla_due_at == case.created_at + dt.timedelta(hours=4)
        case.refresh_from_db()
        assert case.subject == "New words"

    def test_a_note_stands_here_and_on_the_customers_timeline(self, cast: Cast, web: Web, case: Case) -> None:
        client, url = web(cast.rep), f"/cases/{case.pk}/"
        empty = client.post(f"{url}note/", {"kind": "note", "body": " "})
        assert empty.status_code == 422
        assert client.post(f"{url}note/", {"kind": "call", "body": "Rang <i>twice</i>"}).status_code == 302
        note = Interaction.objects.get()
        assert (note.contact, note.kind, note.body, note.owner) == (
            case.contact,
            "call",
            "Rang <i>twice</i>",
            cast.rep,
        )
        page = client.get(url).content.decode()
        assert "Rang &lt;i&gt;twice&lt;/i&gt;" in page

    def test_delete_needs_its_scope(self, cast: Cast, web: Web, case: Case) -> None:
        assert web(cast.rep).post(f"/cases/{case.pk}/delete/").status_code == 403
        assert Case.objects.count() == 1
        assert web(cast.cx).post(f"/cases/{case.pk}/delete/").status_code == 302
        assert not Case.objects.exists()


class TestNew:
    def test_from_a_customers_page(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north, first_name="Zoë")
        client = web(cast.rep)
        page = client.get(f"/cases/new/?contact={contact.pk}").content.decode()
        assert "Zoë" in page
        assert 'name="owner"' not in page
        body = {"contact": str(contact.pk), "subject": "Broken", "priority": "urgent", "body": "It fell off"}
        made = client.post("/cases/new/", body)
        case = Case.objects.get()
        assert made.headers["Location"] == f"/cases/{case.pk}/"
        assert (case.owner, case.source, case.priority, case.body) == (
            cast.rep,
            "manual",
            "urgent",
            "It fell off",
        )
        hidden = ContactFactory(owner=cast.rep2, team=cast.south)
        assert client.get(f"/cases/new/?contact={hidden.pk}").status_code == 404
        assert client.post("/cases/new/", body | {"contact": str(hidden.pk)}).status_code == 422
        assert Case.objects.count() == 1

    def test_the_customer_can_be_typed(self, cast: Cast, web: Web) -> None:
        one = ContactFactory(owner=cast.rep, first_name="Anna", last_name="Alpha", email="anna@x.example")
        two = ContactFactory(owner=cast.rep, first_name="Anna", last_name="Beta")
        ContactFactory(owner=cast.rep2, team=cast.south, first_name="Anna", last_name="Hidden")
        client = web(cast.rep)
        body = {"customer": "", "subject": "Broken", "priority": "normal"}
        assert "Say which customer" in client.post("/cases/new/", body).content.decode()
        assert "Nobody was found" in client.post("/cases/new/", body | {"customer": "xyzzy"}).content.decode()
        several = client.post("/cases/new/", body | {"customer": "Anna"})
        page = several.content.decode()
        assert (several.status_code, "Anna Alpha" in page, "Anna Beta" in page) == (422, True, True)
        assert "Hidden" not in page
        assert 'value="Broken"' in page
        assert (
            client.post("/cases/new/", body | {"customer": "Anna", "contact": str(two.pk)}).status_code == 302
        )
        assert client.post("/cases/new/", body | {"customer": "anna@x.example"}).status_code == 302
        assert set(Case.objects.values_list("contact_id", flat=True)) == {one.pk, two.pk}

    def test_from_an_answer_and_only_once(self, cast: Cast, web: Web) -> None:
        response = ResponseFactory(
            contact=ContactFactory(owner=cast.rep, team=cast.north), nps=3, comment="Too slow"
        )
        client = web(cast.manager)
        page = client.get(f"/cases/new/?response={response.pk}").content.decode()
        assert "Rated us 3 of 10: “Too slow”" in page
        assert 'name="owner"' in page
        body = {
            "contact": str(response.contact_id),
            "response": str(response.pk),
            "subject": "Call",
            "priority": "high",
            "owner": str(cast.manager.pk),
        }
        assert client.post("/cases/new/", body).status_code == 302
        case = Case.objects.get()
        assert (case.response, case.source, case.owner) == (response, "survey", cast.manager)
        twice = client.post("/cases/new/", body)
        assert (twice.status_code, "was opened for this answer" in twice.content.decode()) == (422, True)
        assert Case.objects.count() == 1


def test_the_palette_finds_cases_by_subject_customer_and_number(cast: Cast, case: Case) -> None:
    CaseFactory(subject="Broken window", owner=cast.rep2, team=cast.south)

    def found(text: str) -> list[str]:
        groups = {provider.key: hits for provider, hits in search(text, cast.rep)}
        return [hit.url for hit in groups.get("cases", [])]

    assert found("broken") == found("quist") == found(f"#{case.pk}") == [f"/cases/{case.pk}/"]
    assert found("window") == []
