"""The lists of contacts, companies, tasks and interactions: who sees what, what it costs, bulk actions, views."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from contacts.models import Activity, Company, Contact, Interaction, Pulse, SavedView, Task
from crmcem.lib.search import search
from crmcem.workspace.models import AuditEntry, User
from tests.conftest import Cast
from tests.contacts.editing import undo
from tests.factories.contacts import CompanyFactory, ContactFactory, InteractionFactory, TaskFactory

Web = Callable[[User], Client]
LISTS = ("list", "companies", "tasks", "interactions")


def body(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, response.content.decode()[:500]
    return response.content.decode()


def count(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def populate(cast: Cast, size: int) -> None:
    now = timezone.now()
    for _n in range(size):
        company = CompanyFactory(owner=cast.rep, team=cast.north)
        contact = ContactFactory(
            owner=cast.rep, team=cast.north, company=company, tags=["vip"],
            pulse={"nps": 9, "nps_at": now, "next_activity_at": now},
        )  # fmt: skip
        TaskFactory(owner=cast.rep, team=cast.north, contact=contact, company=company, due_at=now)
        InteractionFactory(owner=cast.rep, team=cast.north, contact=contact, company=company)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_whatever_its_length(cast: Cast, web: Web, name: str) -> None:
    client = web(cast.rep)
    populate(cast, 2)
    url = reverse(f"contacts:{name}") + "?view=all"
    client.get(url)  # the organisation's settings are read once
    few = count(client, url)
    populate(cast, 12)
    assert count(client, url) == few <= 12


@pytest.mark.parametrize("name", LISTS)
def test_a_list_shows_only_what_i_may_see(cast: Cast, web: Web, name: str) -> None:
    mine = {
        "list": ContactFactory(first_name="Mineown", owner=cast.rep),
        "companies": CompanyFactory(name="Mineown", owner=cast.rep),
        "tasks": TaskFactory(title="Mineown", owner=cast.rep),
        "interactions": InteractionFactory(subject="Mineown", owner=cast.rep),
    }
    assert mine[name].pk
    url = reverse(f"contacts:{name}") + "?view=all"
    assert "Mineown" in body(web(cast.rep), url)
    assert "Mineown" not in body(web(cast.rep2), url)
    assert web(cast.nobody).get(url).status_code == 403


def test_figures_stand_with_their_age(cast: Cast, web: Web) -> None:
    at = timezone.now() - dt.timedelta(days=5)
    ContactFactory(owner=cast.rep, pulse={"nps": 2, "nps_at": at, "open_cases": 3})
    ContactFactory(owner=cast.rep, pulse={"nps": 8})
    page = body(web(cast.rep), reverse("contacts:list"))
    assert "detractor" in page
    assert "5 d ago" in page
    assert "passive" not in page  # a figure without its time was never measured


def test_conditions_are_told_in_words(cast: Cast, web: Web) -> None:
    ContactFactory(first_name="Inside", owner=cast.rep, lifecycle_stage="customer")
    ContactFactory(first_name="Outside", owner=cast.rep, lifecycle_stage="lead")
    rule = json.dumps({"all": [{"field": "lifecycle_stage", "op": "eq", "value": "customer"}]})
    page = body(web(cast.rep), reverse("contacts:list") + "?" + urlencode({"conditions": rule}))
    assert "Only where: <b>Lifecycle stage is Customer</b>" in page
    assert "Inside" in page
    assert "Outside" not in page
    wrong = web(cast.rep).get(reverse("contacts:list") + "?conditions=nonsense")
    assert wrong.status_code == 400
    assert "Send the conditions as JSON" in wrong.content.decode()


def test_filters_name_people_and_hide_hidden_companies(cast: Cast, web: Web) -> None:
    company = CompanyFactory(name="Secret AG", owner=cast.rep2)
    page = body(web(cast.rep), reverse("contacts:list") + f"?owner={cast.rep.pk}&company={company.pk}")
    assert "Owner: <b>Rep</b>" in page
    assert "Secret" not in page
    panel = body(web(cast.rep), reverse("contacts:list") + "?_part=filters")
    assert f'<option value="{cast.manager.pk}">Manager</option>' in panel
    assert "NPS at most" in panel


@pytest.mark.parametrize(
    "query", ["ordering=email", "ordering=pulse__open_cases", "nope=1", "cursor=x", "owner=zz"]
)
def test_a_wrong_url_is_a_clear_400(cast: Cast, web: Web, query: str) -> None:
    assert web(cast.rep).get(reverse("contacts:list") + f"?{query}").status_code == 400


def test_empty_lists_offer_import_and_new(cast: Cast, web: Web) -> None:
    page = body(web(cast.rep), reverse("contacts:list"))
    assert "No contacts yet" in page
    assert reverse("contacts:import") in page
    assert reverse("contacts:new") in page
    assert reverse("contacts:new") not in body(web(cast.readonly), reverse("contacts:list"))


class TestTasks:
    def test_a_bare_url_leads_to_my_open_ones(self, cast: Cast, web: Web) -> None:
        response = web(cast.manager).get(reverse("contacts:tasks"))
        assert response.status_code == 302
        assert response["Location"] == reverse("contacts:tasks") + "?status=open&assignee=me"

    def test_groups_by_due(self, cast: Cast, web: Web) -> None:
        now = timezone.now()
        TaskFactory(title="Late", owner=cast.rep, due_at=now - dt.timedelta(days=2))
        TaskFactory(title="Later", owner=cast.rep, due_at=now + dt.timedelta(days=3))
        TaskFactory(title="Someday", owner=cast.rep)
        page = body(web(cast.rep), reverse("contacts:tasks") + "?status=open&assignee=me")
        order = [
            page.index(t)
            for t in ("group-overdue", "Late", "group-upcoming", "Later", "group-none", "Someday")
        ]
        assert order == sorted(order)

    def test_the_contact_of_a_task_may_be_hidden(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(first_name="Secretive", owner=cast.rep2)
        TaskFactory(title="Help out", owner=cast.rep, contact=contact)
        page = body(web(cast.rep), reverse("contacts:tasks") + "?view=all")
        assert "Help out" in page
        assert "Secretive" not in page
        assert reverse("contacts:contact", args=[contact.pk]) not in page


class TestBulk:
    def post(self, client: Client, name: str, key: str, ids: list[int], **data: Any) -> Any:
        return client.post(
            reverse(f"contacts:{name}"),
            {"_bulk": key, "_confirmed": "1", "ids": ids, **data},
            HTTP_HX_REQUEST="true",
        )

    def test_asks_first(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        url = reverse("contacts:list")
        response = web(cast.manager).post(
            url, {"_bulk": "delete", "ids": [contact.pk]}, HTTP_HX_REQUEST="true"
        )
        assert response.status_code == 200
        assert "1 record will be changed" in response.content.decode()
        assert Contact.objects.filter(pk=contact.pk).exists()

    def test_assign(self, cast: Cast, web: Web) -> None:
        mine, hidden = ContactFactory(owner=cast.rep, team=cast.north), ContactFactory(owner=cast.rep2)
        said = InteractionFactory(contact=mine, owner=cast.rep, team=cast.north)
        response = self.post(
            web(cast.manager), "list", "assign", [mine.pk, hidden.pk], value=str(cast.manager.pk)
        )
        assert response.status_code == 204
        mine.refresh_from_db()
        hidden.refresh_from_db()
        said.refresh_from_db()
        assert (mine.owner, mine.version, said.owner) == (cast.manager, 2, cast.manager)
        assert Pulse.objects.get(pk=mine.pk).owner == cast.manager
        assert (hidden.owner, hidden.version) == (cast.rep2, 1)
        [activity] = Activity.objects.all()
        assert (activity.kind, activity.contact_id) == ("contact.updated", mine.pk)
        assert activity.payload == {"changes": {"owner": [cast.rep.pk, cast.manager.pk]}}
        entry = AuditEntry.objects.filter(table_name="contacts_contact", row_id=mine.pk, op="U").get()
        assert (entry.actor_kind, entry.actor_id) == ("user", cast.manager.pk)

    def test_needs_the_scope(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep)
        for key in ("assign", "delete"):
            assert self.post(web(cast.rep), "list", key, [contact.pk], value="").status_code == 403
        assert self.post(web(cast.readonly), "list", "tag", [contact.pk], value="x").status_code == 403
        contact.refresh_from_db()
        assert (contact.owner, contact.tags, contact.version) == (cast.rep, [], 1)

    def test_tags_and_stage(self, cast: Cast, web: Web) -> None:
        a, b = ContactFactory(owner=cast.rep, tags=["vip"]), ContactFactory(owner=cast.rep)
        client = web(cast.rep)
        assert self.post(client, "list", "tag", [a.pk, b.pk], value="VIP, new").status_code == 204
        assert self.post(client, "list", "stage", [a.pk], value="customer").status_code == 204
        assert self.post(client, "list", "untag", [b.pk], value="vip").status_code == 204
        a.refresh_from_db()
        b.refresh_from_db()
        assert (a.tags, a.lifecycle_stage) == (["new", "vip"], "customer")
        assert b.tags == ["new"]
        assert Pulse.objects.get(pk=a.pk).lifecycle_stage == "customer"
        wrong = self.post(client, "list", "tag", [a.pk], value="x" * 80)
        assert wrong.status_code == 422
        assert "60 characters" in wrong.content.decode()

    def test_delete_only_what_is_visible(self, cast: Cast, web: Web) -> None:
        mine, hidden = ContactFactory(owner=cast.rep, team=cast.north), ContactFactory(owner=cast.rep2)
        firm, other = CompanyFactory(owner=cast.rep, team=cast.north), CompanyFactory(owner=cast.rep2)
        client = web(cast.manager)
        assert (
            self.post(client, "list", "delete", [mine.pk, hidden.pk]).status_code == 200
        )  # offers to undo it
        assert self.post(client, "companies", "delete", [firm.pk, other.pk]).status_code == 200
        assert list(Contact.objects.all()) == [hidden]
        assert list(Company.objects.all()) == [other]
        assert sorted(Activity.objects.values_list("kind", flat=True)) == [
            "company.deleted",
            "contact.deleted",
        ]

    def test_cancel_tasks_moves_the_next_activity(self, cast: Cast, web: Web) -> None:
        due = timezone.now() + dt.timedelta(days=1)
        contact = ContactFactory(owner=cast.rep, pulse={"next_activity_at": due})
        task = TaskFactory(owner=cast.rep, contact=contact, due_at=due)
        done = TaskFactory(owner=cast.rep, status="done")
        client = web(cast.rep)
        assert (
            self.post(client, "tasks", "cancel", [task.pk, done.pk]).status_code == 200
        )  # names the done one
        assert Task.objects.get(pk=task.pk).status == "cancelled"
        assert Task.objects.get(pk=done.pk).status == "done"
        assert Pulse.objects.get(pk=contact.pk).next_activity_at is None
        undo(client)
        assert Task.objects.get(pk=task.pk).status == "open"
        assert Pulse.objects.get(pk=contact.pk).next_activity_at == due
        assert sorted(Activity.objects.values_list("kind", flat=True)) == ["task.cancelled", "task.reopened"]


class TestSavedViews:
    def save(self, client: Client, **data: Any) -> Any:
        values = {
            "entity": "contact",
            "query": "lifecycle_stage=lead",
            "path": "/contacts/",
            "sharing": "private",
        }
        return client.post(reverse("workspace:view-new"), values | data)

    def test_a_view_of_mine(self, cast: Cast, web: Web) -> None:
        client = web(cast.rep)
        assert self.save(client, name="Leads", is_default="on").status_code == 302
        view = SavedView.objects.get()
        assert (view.owner, view.name, view.is_default) == (cast.rep, "Leads", True)
        assert client.get("/contacts/")["Location"] == f"/contacts/?view={view.pk}&lifecycle_stage=lead"
        assert "Leads" in body(client, "/contacts/?view=all")
        assert "Leads" not in body(web(cast.manager), "/contacts/?view=all")
        assert self.save(client, name="Leads").status_code == 422

    def test_shared_ones_are_seen_and_kept_by_their_owner(self, cast: Cast, web: Web) -> None:
        self.save(web(cast.rep), name="Ours", sharing="team")
        self.save(web(cast.rep), name="Everybodys", sharing="all")
        view = SavedView.objects.get(name="Everybodys")
        assert "Ours" in body(web(cast.manager), "/contacts/?view=all")
        other = body(web(cast.rep2), "/contacts/?view=all")
        assert "Everybodys" in other
        assert "Ours" not in other
        assert web(cast.rep2).post(reverse("workspace:view-delete", args=[view.pk])).status_code == 404
        data = {"name": "Mine", "entity": "contact", "path": "/contacts/", "sharing": "private", "query": ""}
        # a reader decides how it stands in their own list, and nothing else
        assert web(cast.rep2).post(reverse("workspace:view-edit", args=[view.pk]), data).status_code == 302
        view.refresh_from_db()
        assert (view.name, view.owner) == ("Everybodys", cast.rep)

    def test_one_default_a_list(self, cast: Cast, web: Web) -> None:
        self.save(web(cast.rep), name="One", is_default="on")
        self.save(web(cast.rep), name="Two", is_default="on")
        assert list(SavedView.objects.filter(is_default=True).values_list("name", flat=True)) == ["Two"]


class TestPalette:
    def test_finds_only_what_i_may_see(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(first_name="Findable", owner=cast.rep)
        CompanyFactory(name="Findable GmbH", owner=cast.rep2)
        groups = {provider.key: hits for provider, hits in search("findable", cast.rep)}
        assert [hit.url for hit in groups["contacts"]] == [reverse("contacts:contact", args=[contact.pk])]
        assert "companies" not in groups
        assert search("findable", cast.nobody) == []
        page = body(web(cast.rep), reverse("workspace:search") + "?q=findable")
        assert "Findable" in page
        assert "GmbH" not in page

    def test_lookups_are_limited_too(self, cast: Cast, web: Web) -> None:
        CompanyFactory(name="Findable GmbH", owner=cast.rep2)
        url = reverse("contacts:company-lookup") + "?q=findable"
        assert "GmbH" not in body(web(cast.rep), url)
        assert "GmbH" in body(web(cast.rep2), url)
        assert web(cast.nobody).get(url).status_code == 403


def test_interactions_are_listed_newest_first(cast: Cast, web: Web) -> None:
    now = timezone.now()
    InteractionFactory(subject="Older", owner=cast.rep, occurred_at=now - dt.timedelta(days=1))
    InteractionFactory(subject="Newer", owner=cast.rep, occurred_at=now)
    page = body(web(cast.rep), reverse("contacts:interactions"))
    assert page.index("Newer") < page.index("Older")
    assert Interaction.objects.count() == 2
