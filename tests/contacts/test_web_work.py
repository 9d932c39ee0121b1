"""Timeline and quick add, tasks and interactions, and Today."""

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from contacts.models import Activity, Contact, Interaction, Task
from contacts.services.interactions import interaction_delete, interaction_log
from contacts.services.stream import NewActivity, activities_append
from contacts.services.tasks import task_create
from crmcem.lib.actors import SYSTEM, Actor
from crmcem.workspace.models import User
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, InteractionFactory, TaskFactory
from tests.factories.sales import DealFactory

Web = Callable[[User], Client]
As = Callable[[User], Actor]
HX = {"HTTP_HX_REQUEST": "true"}


def timeline_of(client: Client, contact: Contact, query: str = "") -> str:
    response = client.get(reverse("contacts:contact-timeline", args=[contact.pk]) + query, **HX)  # type: ignore[arg-type]
    assert response.status_code == 200
    return response.content.decode()


def event(contact: Contact, kind: str, **more: Any) -> None:
    activities_append(actor=SYSTEM, activities=[NewActivity(kind, contact.pk, contact.company_id, **more)])


class TestTimeline:
    def test_pages_by_key_and_filters_by_group(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep)
        for n in range(60):
            event(contact, "page.viewed", payload={"path": f"/page-{n}"})
        event(contact, "contact.created", payload={"name": "Hello"})
        client = web(cast.rep)
        first = timeline_of(client, contact)
        assert "/page-59" in first
        assert "/page-30" not in first
        seen = first
        while "Load older" in seen:
            url = seen.split('hx-get="')[-1].split('"')[0].replace("&amp;", "&")
            seen = client.get(url, **HX).content.decode()  # type: ignore[arg-type]
            first += seen
        assert all(first.count(f"<dd>/page-{n}</dd>") == 1 for n in range(60))
        assert "That is the beginning" in seen
        assert "Contact created" not in timeline_of(client, contact, "?group=events")
        assert "/page-" not in timeline_of(client, contact, "?group=system")
        assert "/page-59" in timeline_of(client, contact, "?group=nonsense")
        bad = client.get(reverse("contacts:contact-timeline", args=[contact.pk]) + "?cursor=zzz")
        assert bad.status_code == 400

    def test_hidden_deals_stay_hidden(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep)
        deal = DealFactory(name="Secret deal", owner=cast.rep2)
        event(
            contact, "deal.created", subject=("deal", deal.pk), payload={"name": "Secret deal", "amount": "9"}
        )
        page = timeline_of(web(cast.rep), contact)
        assert "Deal opened" in page
        assert "Details are hidden" in page
        assert "Secret deal" not in page
        assert "Secret deal" in timeline_of(web(cast.admin), contact)

    def test_tasks_of_others_and_deleted_interactions_stay_hidden(
        self, cast: Cast, web: Web, actor: As
    ) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        task_create(
            data={"title": "Fire him", "contact": contact.pk, "assignee": cast.manager.pk},
            actor=actor(cast.manager),
        )
        said = interaction_log(
            data={"kind": "note", "subject": "Regretted", "body": "Regretted", "contact": contact.pk},
            actor=actor(cast.rep),
        )
        interaction_delete(interaction=said, actor=actor(cast.rep))
        page = timeline_of(web(cast.rep), contact)
        assert "Task created" in page
        assert "Fire him" not in page
        assert "Regretted" not in page

    def test_a_companys_timeline_hides_hidden_people(self, cast: Cast, web: Web) -> None:
        company = CompanyFactory(owner=cast.rep)
        hidden = ContactFactory(owner=cast.rep2, company=company)
        event(hidden, "survey.answered", payload={"nps": 1, "comment": "Private words"})
        event(hidden, "page.viewed", payload={"path": "/private"})
        url = reverse("contacts:company-timeline", args=[company.pk])
        page = web(cast.rep).get(url).content.decode()
        assert "Survey answered" in page
        assert "Private words" not in page
        assert "/private" not in page
        assert "Private words" in web(cast.admin).get(url).content.decode()


class TestQuickAdd:
    def post(self, client: Client, contact: Contact, kind: str, **data: Any) -> Any:
        url = reverse("contacts:contact-log", args=[contact.pk, kind])
        return client.post(url, data, **HX)  # type: ignore[arg-type]

    def test_every_kind_is_on_the_timeline_at_once(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep)
        client = web(cast.rep)
        self.post(client, contact, "note", body="Likes tea")
        self.post(client, contact, "call", subject="Price", direction="in", minutes="5", outcome="reached")
        self.post(client, contact, "meeting", subject="Visit", minutes="90")
        self.post(client, contact, "email", subject="Offer", direction="out")
        last = self.post(
            client, contact, "task", title="Follow up", task_kind="call", due_at="2030-01-01T09:00"
        )
        assert last.status_code == 200
        assert '"timeline": true' in last["HX-Trigger"]
        assert "Follow up" not in last.content.decode()  # the form is empty again
        page = timeline_of(client, contact)
        for words in (
            "Likes tea",
            "Call, incoming",
            "Price (reached)",
            "Visit",
            "E-mail, outgoing",
            "Follow up",
        ):
            assert words in page
        call = Interaction.objects.get(kind="call")
        assert (call.duration_seconds, call.contact, call.owner) == (300, contact, cast.rep)
        assert Task.objects.get().kind == "call"

    def test_bad_input_is_kept(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep)
        client = web(cast.rep)
        assert self.post(client, contact, "note", body="").status_code == 422
        response = self.post(client, contact, "call", subject="Kept", direction="out", occurred_at="31.12.")
        assert response.status_code == 422
        assert 'value="Kept"' in response.content.decode()
        assert self.post(client, contact, "meeting").status_code == 422
        assert self.post(client, contact, "dance", body="x").status_code == 404
        assert not Interaction.objects.exists()

    def test_sent_twice_counts_once(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep)
        for _n in range(2):
            assert (
                self.post(web(cast.rep), contact, "note", body="Once", form_key="q" * 22).status_code == 200
            )
        assert Interaction.objects.count() == 1

    def test_needs_sight_and_scope(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep)
        assert self.post(web(cast.rep2), contact, "note", body="x").status_code == 404
        assert self.post(web(cast.readonly), contact, "note", body="x").status_code == 403
        assert self.post(web(cast.nobody), contact, "note", body="x").status_code == 403
        assert not Interaction.objects.exists()
        assert not Activity.objects.exists()


class TestTasks:
    def data(self, **more: Any) -> dict[str, Any]:
        return {"title": "Call", "kind": "call", "priority": "normal", "form_key": "t" * 22} | more

    def test_times_are_those_of_my_clock(self, cast: Cast, web: Web) -> None:
        cast.rep.time_zone = "Europe/Berlin"
        cast.rep.save()
        client = web(cast.rep)
        client.post(
            reverse("contacts:task-new"),
            self.data(due_at="2026-07-01T09:00", remind_at="2026-07-01T08:30", recurrence="weekly"),
        )
        task = Task.objects.get()
        assert task.due_at == dt.datetime(2026, 7, 1, 9, tzinfo=ZoneInfo("Europe/Berlin"))
        assert task.remind_at == dt.datetime(2026, 7, 1, 6, 30, tzinfo=dt.UTC)
        assert (task.time_zone, task.recurrence, task.owner) == ("Europe/Berlin", "weekly", cast.rep)
        page = client.get(reverse("contacts:task", args=[task.pk])).content.decode()
        assert 'value="2026-07-01T09:00"' in page

    def test_an_hour_that_is_missing_or_doubled_is_taken(self, cast: Cast, web: Web) -> None:
        cast.rep.time_zone = "Europe/Berlin"
        cast.rep.save()
        for n, typed in enumerate(("2026-03-29T02:30", "2026-10-25T02:30")):
            data = self.data(due_at=typed, form_key=f"{n}" * 22)
            assert web(cast.rep).post(reverse("contacts:task-new"), data).status_code == 302
        spring, autumn = Task.objects.order_by("due_at").values_list("due_at", flat=True)
        assert spring == dt.datetime(2026, 3, 29, 1, 30, tzinfo=dt.UTC)
        assert autumn == dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)

    def test_done_asks_for_the_next_step(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep)
        task = TaskFactory(title="First", owner=cast.rep, contact=contact)
        url = reverse("contacts:task-complete", args=[task.pk])
        response = web(cast.rep).post(url, **HX)  # type: ignore[arg-type]
        page = response.content.decode()
        assert response.status_code == 200
        assert "What comes next?" in page
        assert f'name="contact" value="{contact.pk}"' in page
        assert '"list": true' in response["HX-Trigger"]
        task.refresh_from_db()
        assert task.status == "done"
        assert web(cast.rep).post(url, **HX).status_code == 200  # type: ignore[arg-type]
        assert Activity.objects.filter(kind="task.completed").count() == 1

    def test_cancel_reopen_delete(self, cast: Cast, web: Web) -> None:
        task = TaskFactory(owner=cast.rep)
        client = web(cast.rep)
        for name, status in (("cancel", "cancelled"), ("reopen", "open")):
            assert client.post(reverse(f"contacts:task-{name}", args=[task.pk])).status_code == 302
            task.refresh_from_db()
            assert task.status == status
        assert client.post(reverse("contacts:task-delete", args=[task.pk])).status_code == 302
        assert not Task.objects.exists()

    def test_a_conflict_keeps_what_was_typed(self, cast: Cast, web: Web) -> None:
        task = TaskFactory(owner=cast.rep, version=3)
        url = reverse("contacts:task", args=[task.pk])
        response = web(cast.rep).post(url, self.data(title="Mine", version="2"))
        assert response.status_code == 422
        assert 'value="Mine"' in response.content.decode()
        assert "Somebody else changed this task" in response.content.decode()
        assert web(cast.rep).post(url, self.data(title="Mine", version="3")).status_code == 302
        task.refresh_from_db()
        assert task.title == "Mine"

    def test_others_tasks_are_404(self, cast: Cast, web: Web) -> None:
        task = TaskFactory(title="Kept", owner=cast.rep)
        client = web(cast.rep2)
        assert client.get(reverse("contacts:task", args=[task.pk])).status_code == 404
        assert client.post(reverse("contacts:task", args=[task.pk]), self.data()).status_code == 404
        for name in ("complete", "cancel", "reopen", "delete"):
            url = reverse(f"contacts:task-{name}", args=[task.pk])
            assert client.post(url).status_code == 404
            assert web(cast.readonly).post(url).status_code == 403
        task.refresh_from_db()
        assert (task.title, task.status, task.version) == ("Kept", "open", 1)

    def test_assignee_needs_the_right(self, cast: Cast, web: Web) -> None:
        cast.rep.role.scopes = ["tasks:read", "tasks:write"]  # type: ignore[union-attr]
        cast.rep.role.save()  # type: ignore[union-attr]
        assert 'name="assignee"' not in web(cast.rep).get(reverse("contacts:task-new")).content.decode()
        web(cast.rep).post(reverse("contacts:task-new"), self.data(assignee=cast.rep2.pk))
        assert Task.objects.get().owner == cast.rep
        web(cast.manager).post(reverse("contacts:task-new"), self.data(assignee=cast.rep.pk))
        assert Task.objects.filter(owner=cast.rep).count() == 2

    def test_bad_input_is_explained(self, cast: Cast, web: Web) -> None:
        response = web(cast.rep).post(reverse("contacts:task-new"), self.data(recurrence="daily", due_at=""))
        assert response.status_code == 422
        assert "A task that repeats needs a due time" in response.content.decode()
        hidden = ContactFactory(owner=cast.rep2)
        for wrong in ({"contact": hidden.pk}, {"deal": "9" * 30}, {"company": "-1"}, {"title": "a\x00b"}):
            response = web(cast.rep).post(reverse("contacts:task-new"), self.data(**wrong))
            assert response.status_code == 422, wrong
        assert not Task.objects.exists()


class TestInteractions:
    def data(self, **more: Any) -> dict[str, Any]:
        return {"kind": "call", "direction": "in", "occurred_at": "2026-01-02T10:00", "subject": "New"} | more

    def test_change_and_delete(self, cast: Cast, web: Web) -> None:
        row = InteractionFactory(owner=cast.rep, contact=ContactFactory(owner=cast.rep), duration_seconds=95)
        url = reverse("contacts:interaction", args=[row.pk])
        assert web(cast.rep).post(url, self.data(minutes="2", version="1")).status_code == 302
        row.refresh_from_db()
        assert (row.subject, row.direction) == ("New", "in")
        assert row.duration_seconds == 95  # shown as 2 minutes, not touched
        assert web(cast.rep).post(url, self.data(version="1")).status_code == 422
        assert web(cast.rep).post(reverse("contacts:interaction-delete", args=[row.pk])).status_code == 302
        assert not Interaction.objects.exists()

    def test_hidden_ones_are_404(self, cast: Cast, web: Web) -> None:
        row = InteractionFactory(owner=cast.rep, subject="Kept", contact=ContactFactory(owner=cast.rep))
        for name in ("interaction", "interaction-delete"):
            url = reverse(f"contacts:{name}", args=[row.pk])
            assert web(cast.rep2).post(url, self.data()).status_code == 404
            assert web(cast.readonly).post(url, self.data()).status_code == 403
        assert web(cast.rep2).get(reverse("contacts:interaction", args=[row.pk])).status_code == 404
        row.refresh_from_db()
        assert (row.subject, row.version) == ("Kept", 1)


class TestToday:
    def panel(self, client: Client, name: str) -> str:
        with CaptureQueriesContext(connection) as captured:
            response = client.get(reverse(f"contacts:today-{name}"), **HX)  # type: ignore[arg-type]
        assert len(captured) <= 12
        assert response.status_code == 200
        return response.content.decode()

    @time_machine.travel(dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC), tick=False)
    def test_overdue_and_due_on_my_day(self, cast: Cast, web: Web) -> None:
        cast.rep.time_zone = "America/Los_Angeles"  # five in the morning
        cast.rep.save()
        now = timezone.now()
        contact = ContactFactory(first_name="Hiddenname", owner=cast.rep2)
        TaskFactory(title="Late", owner=cast.rep, due_at=now - dt.timedelta(hours=1), contact=contact)
        TaskFactory(title="Tonight", owner=cast.rep, due_at=now + dt.timedelta(hours=18))
        TaskFactory(title="Tomorrow", owner=cast.rep, due_at=now + dt.timedelta(hours=20))
        TaskFactory(title="Colleague", owner=cast.rep2, due_at=now)
        TaskFactory(title="Finished", owner=cast.rep, due_at=now, status="done")
        page = self.panel(web(cast.rep), "tasks")
        assert page.index("Late") < page.index("Tonight")
        assert "Overdue" in page
        link = reverse("contacts:contact", args=[contact.pk])
        for absent in ("Tomorrow", "Colleague", "Finished", "Hiddenname", link):
            assert absent not in page

    def test_meetings_and_customers(self, cast: Cast, web: Web) -> None:
        now = timezone.now()
        contact = ContactFactory(first_name="Lately", owner=cast.rep, pulse={"last_seen_at": now})
        ContactFactory(first_name="Elsewhere", owner=cast.rep2, pulse={"last_seen_at": now})
        event(contact, "order.placed", payload={"amount": "12.50"})
        TaskFactory(title="Demo call", kind="meeting", owner=cast.rep, due_at=now + dt.timedelta(days=1))
        InteractionFactory(subject="Kick-off", kind="meeting", owner=cast.rep, contact=contact)
        client = web(cast.rep)
        meetings = self.panel(client, "meetings")
        assert "Demo call" in meetings
        assert "Kick-off" in meetings
        customers = self.panel(client, "customers")
        assert "Lately" in customers
        assert "Order placed" in customers
        assert "12.50" in customers
        assert "Elsewhere" not in customers

    def test_an_empty_system_offers_the_import(self, cast: Cast, web: Web) -> None:
        client = web(cast.rep)
        assert reverse("contacts:import") in self.panel(client, "start")
        ContactFactory(owner=cast.rep)
        assert self.panel(client, "start") == ""
        assert client.get("/").status_code == 200
        assert web(cast.readonly).get(reverse("contacts:today-start")).status_code == 403
