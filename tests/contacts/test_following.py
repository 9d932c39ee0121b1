"""Following records: told of what others do, as long as one may see it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from contacts.models import Follower
from contacts.services.following import follow, unfollow
from contacts.services.interactions import interaction_log
from contacts.services.on_records import record_on
from contacts.services.stream import NewActivity, activity_append
from crmcem.lib.actors import SYSTEM, Actor
from crmcem.workspace.models import Notification, User
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.sales import DealFactory

As = Callable[[User], Actor]
pytestmark = pytest.mark.django_db


def told(user: User) -> list[tuple[str, str]]:
    rows = Notification.objects.filter(user=user, kind="follow").order_by("id")
    return list(rows.values_list("title", "url"))


def test_told_once_of_what_others_do(cast: Cast, actor: As, drain: Any) -> None:
    acme = CompanyFactory(name="Acme", owner=cast.rep, team=cast.north)
    ada = ContactFactory(first_name="Ada", last_name="L", company=acme, owner=cast.rep, team=cast.north)
    drain()
    boss = actor(cast.manager)
    for about, pk in (("contact", ada.pk), ("company", acme.pk)):
        follow(on=record_on(about, pk, boss), actor=boss)
        follow(on=record_on(about, pk, boss), actor=boss)
    assert Follower.objects.count() == 2
    interaction_log(data={"kind": "call", "contact": ada.pk, "subject": "Hello"}, actor=actor(cast.rep))
    interaction_log(data={"kind": "call", "contact": ada.pk, "subject": "Mine"}, actor=boss)
    drain()
    drain()
    assert told(cast.manager) == [("Interaction: Ada L", f"/contacts/{ada.pk}/")]
    assert told(cast.rep) == []
    assert unfollow(on=record_on("contact", ada.pk, boss), actor=boss) is True
    unfollow(on=record_on("company", acme.pk, boss), actor=boss)
    interaction_log(data={"kind": "call", "contact": ada.pk, "subject": "Again"}, actor=actor(cast.rep))
    drain()
    assert len(told(cast.manager)) == 1


def test_who_can_not_see_it_any_more_is_not_told(cast: Cast, actor: As, drain: Any) -> None:
    ada = ContactFactory(owner=cast.rep2, team=cast.south)
    deal = DealFactory(owner=cast.rep2, team=cast.south)
    drain()
    theirs = actor(cast.rep2)
    follow(on=record_on("contact", ada.pk, theirs), actor=theirs)
    follow(on=record_on("deal", deal.pk, theirs), actor=theirs)
    activity_append(
        actor=SYSTEM, activity=NewActivity("deal.won", contact_id=ada.pk, subject=("deal", deal.pk))
    )
    drain()
    assert [title for title, _url in told(cast.rep2)] == [f"Deal won: {ada}"]
    type(ada).objects.filter(pk=ada.pk).update(owner=cast.rep, team=cast.north)
    type(deal).objects.filter(pk=deal.pk).update(owner=cast.rep, team=cast.north)
    activity_append(
        actor=SYSTEM, activity=NewActivity("deal.won", contact_id=ada.pk, subject=("deal", deal.pk))
    )
    drain()
    assert len(told(cast.rep2)) == 1


def test_what_it_is_about_must_be_seen_too(cast: Cast, actor: As, drain: Any) -> None:
    ada = ContactFactory(owner=cast.rep2, team=cast.south)
    deal = DealFactory(owner=cast.rep, team=cast.north)
    drain()
    follow(on=record_on("contact", ada.pk, actor(cast.rep2)), actor=actor(cast.rep2))
    activity_append(
        actor=SYSTEM, activity=NewActivity("deal.won", contact_id=ada.pk, subject=("deal", deal.pk))
    )
    drain()
    assert told(cast.rep2) == []


def test_the_button_the_filter_and_the_api(
    cast: Cast, web: Callable[..., Client], api: Callable[..., APIClient]
) -> None:
    ada, bob = (
        ContactFactory(first_name="Ada", owner=cast.rep),
        ContactFactory(first_name="Bob", owner=cast.rep),
    )
    deal = DealFactory(name="Big", owner=cast.rep)
    DealFactory(name="Small", pipeline=deal.pipeline, owner=cast.rep)
    acme = CompanyFactory(name="Acme", owner=cast.rep)
    client = web(cast.rep)
    for about, pk in (("contact", ada.pk), ("deal", deal.pk), ("company", acme.pk)):
        url = f"/follow/{about}/{pk}/"
        assert 'aria-pressed="false"' in client.get(url).content.decode()
        followed = client.post(url, headers={"HX-Request": "true"}).content.decode()
        assert 'aria-pressed="true"' in followed
        assert 'aria-label="1 follower"' in followed
        assert f"<li>{cast.rep}</li>" in followed
    page = client.get("/contacts/", {"followed": "true"}).content.decode()
    assert ("Ada" in page, "Bob" in page) == (True, False)
    page = client.get("/deals/", {"followed": "true"}).content.decode()
    assert ("Big" in page, "Small" in page) == (True, False)
    assert "Acme" in client.get("/companies/", {"followed": "true"}).content.decode()
    assert "Acme" not in client.get("/companies/", {"followed": "false"}).content.decode()
    rest = api(cast.rep)
    made = rest.post("/api/v1/followers/", {"contact": str(bob.pk)}, format="json")
    assert made.status_code == 201, made.content
    found = rest.get("/api/v1/contacts/", {"followed": "true"}).json()["results"]
    assert {row["id"] for row in found} == {str(ada.pk), str(bob.pk)}
    url = f"/api/v1/followers/{made.json()['id']}/"
    assert api(cast.manager).delete(url).status_code in (403, 404)
    assert rest.delete(url).status_code == 204
    assert client.post(f"/follow/contact/{ada.pk}/").status_code == 302
    assert Follower.objects.filter(user=cast.rep).count() == 2
    hidden = ContactFactory(owner=cast.rep2, team=cast.south)
    assert client.post(f"/follow/contact/{hidden.pk}/").status_code == 404
    assert rest.post("/api/v1/followers/", {"contact": str(hidden.pk)}, format="json").status_code == 400
