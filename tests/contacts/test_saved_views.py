"""Saved views: who sees them, which one opens first for whom, and what each reader decides for themselves."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts.models import SavedView, SavedViewChoice
from contacts.services.views import SavedViews
from crmcem.workspace.models import Role, Team, User
from tests.conftest import Cast

pytestmark = pytest.mark.django_db
Web = Callable[[User], Client]
LIST = "/contacts/"


def save(client: Client, **data: Any) -> Any:
    values = {"entity": "contact", "query": "lifecycle_stage=lead", "path": LIST, "sharing": "private"}
    return client.post(reverse("workspace:view-new"), values | data)


def edit(client: Client, view: SavedView, **data: Any) -> Any:
    values = {
        "entity": "contact",
        "path": LIST,
        "query": view.query,
        "name": view.name,
        "sharing": view.sharing,
    }
    return client.post(reverse("workspace:view-edit", args=[view.pk]), values | data)


def opens(client: Client) -> str:
    """Which view a bare list leads to."""
    response = client.get(LIST)
    if response.status_code == 200:
        return ""
    return SavedView.objects.get(pk=response["Location"].partition("view=")[2].partition("&")[0]).name


def names(user: User) -> list[str]:
    fresh = User.objects.get(pk=user.pk)
    return [view.name for view in SavedViews().views(fresh, "contact")]


def test_a_teams_view_is_seen_in_the_teams_below_and_by_who_leads_from_above(cast: Cast, web: Web) -> None:
    below = Team.objects.create(name="Below", parent=cast.north)
    Team.objects.filter(pk=below.pk).update(path=[cast.north.pk, below.pk])
    reader = User.objects.create(username="low", email="low@x.example", role=cast.rep.role, team=below)
    of_north = SavedView.objects.create(
        entity="contact", name="Of north", owner=cast.rep, team=cast.north, sharing="team"
    )
    SavedView.objects.create(entity="contact", name="Of below", owner=reader, team=below, sharing="team")
    assert of_north.name in names(reader)
    assert "Of below" in names(cast.manager), "leads the team above"
    assert "Of below" not in names(cast.rep), "a member of the team above sees own records only"
    assert names(cast.rep2) == []


def test_what_opens_first(cast: Cast, web: Web) -> None:
    lead, rep, other = web(cast.manager), web(cast.rep), web(cast.rep2)
    assert save(lead, name="Team", sharing="team", opens_for="all").status_code == 302
    assert (opens(rep), opens(other)) == ("Team", "")
    assert save(web(cast.admin), name="All", sharing="all", opens_for="all").status_code == 302
    assert (opens(rep), opens(other)) == ("Team", "All"), "the nearer one wins"
    role = f"role:{cast.rep2.role_id}"
    assert save(web(cast.admin), name="Role", sharing="all", opens_for=role).status_code == 302
    assert (opens(rep), opens(other), opens(lead)) == ("Role", "Role", "Team")
    save(rep, name="Mine", is_default="on")
    assert opens(rep) == "Mine", "one's own choice wins over all"
    assert rep.get(f"{LIST}?view=all").status_code == 200


def test_a_reader_pins_and_opens_for_themselves_alone(cast: Cast, web: Web) -> None:
    save(web(cast.manager), name="Shared", sharing="all", query="tag=vip")
    view = SavedView.objects.get()
    rep = web(cast.rep)
    form = rep.get(reverse("workspace:view-edit", args=[view.pk]) + "?entity=contact").content.decode()
    assert 'name="is_pinned"' in form
    assert 'name="name"' not in form
    response = edit(rep, view, is_pinned="on", is_default="on", name="Stolen", sharing="private", query="x=y")
    assert response.status_code == 302
    view.refresh_from_db()
    assert (view.name, view.sharing, view.query, view.is_pinned, view.is_default) == (
        "Shared", "all", "tag=vip", False, False,
    )  # fmt: skip
    assert (opens(rep), opens(web(cast.rep2))) == ("Shared", "")
    assert [each.is_pinned for each in SavedViews().views(cast.rep, "contact")] == [True]
    assert [each.is_pinned for each in SavedViews().views(cast.rep2, "contact")] == [False]
    save(rep, name="Own", is_default="on")
    assert opens(rep) == "Own"
    assert SavedViewChoice.objects.get().is_default is None


def test_a_reader_may_leave_what_opens_for_all(cast: Cast, web: Web) -> None:
    save(web(cast.admin), name="All", sharing="all", opens_for="all", is_pinned="on")
    view = SavedView.objects.get()
    rep = web(cast.rep)
    assert opens(rep) == "All"
    edit(rep, view)
    assert opens(rep) == ""
    assert [each.is_pinned for each in SavedViews().views(cast.rep, "contact")] == [False]
    assert opens(web(cast.rep2)) == "All"


def test_who_may_decide_what_others_see_first(cast: Cast, web: Web) -> None:
    rep = web(cast.rep)
    save(rep, name="Shared", sharing="all")
    view = SavedView.objects.get()
    for wanted in ("all", f"role:{cast.rep.role_id}"):
        assert edit(rep, view, opens_for=wanted).status_code == 422
    lead = web(cast.manager)
    save(lead, name="Leads", sharing="all")
    leads = SavedView.objects.get(name="Leads")
    assert edit(lead, leads, opens_for="all").status_code == 422, "for all it is the administrators'"
    assert edit(lead, leads, opens_for="role:999999").status_code == 422
    assert edit(lead, leads, sharing="team", opens_for="all").status_code == 302
    assert not SavedView.objects.filter(pk=view.pk).exclude(opens_for="").exists()
    assert edit(lead, leads, sharing="private", opens_for="all").status_code == 302
    leads.refresh_from_db()
    assert (leads.opens_for, leads.opens_for_role) == ("", None)


def test_a_hidden_view_can_neither_be_chosen_nor_changed(cast: Cast, web: Web) -> None:
    save(web(cast.rep), name="Private")
    view = SavedView.objects.get()
    assert edit(web(cast.rep2), view, is_pinned="on").status_code == 404
    assert SavedViewChoice.objects.count() == 0


def test_pinned_ones_are_tabs_and_the_others_a_menu(cast: Cast, web: Web) -> None:
    rep = web(cast.rep)
    save(rep, name="Pinned one", is_pinned="on")
    save(rep, name="Loose one")
    page = rep.get(f"{LIST}?view=all").content.decode()
    tabs, _sep, menu = page.partition('<div class="dropdown view-more">')
    assert "Pinned one" in tabs
    assert "Loose one" not in tabs
    assert "Loose one" in menu
    loose = SavedView.objects.get(name="Loose one")
    page = rep.get(f"{LIST}?view={loose.pk}&{loose.query}").content.decode()
    assert "Loose one" in page.partition('<div class="list-state">')[0]
    assert '<div class="dropdown view-more">' not in page


def test_views_cost_one_statement_however_many(cast: Cast) -> None:
    def cost() -> int:
        user = User.objects.select_related("role", "team").get(pk=cast.rep.pk)
        assert user.access
        with CaptureQueriesContext(connection) as captured:
            SavedViews().views(user, "contact")
        return len(captured)

    SavedView.objects.create(entity="contact", name="First", owner=cast.rep)
    assert cost() == 1
    for n in range(20):
        SavedView.objects.create(entity="contact", name=f"View {n}", owner=cast.admin, sharing="all")
    assert cost() == 1
    assert Role.objects.exists()
