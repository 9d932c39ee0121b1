"""Who may open which page: generated from the URL map, so that a new page without a line in the table fails.

For every page: a stranger is sent to the sign-in, somebody without a role is refused, a reader writes nothing, a record
of another team is a missing one on every verb, and a GET changes nothing.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from contacts.models import Contact, Interaction, Task
from feedback.models import Case
from sales.models import Deal
from tests.access.routes import FOR_EVERYBODY, PUBLIC, QUERY, READING_POSTS, SHARED, item_of
from tests.access.urlmap import Route, routes
from tests.access.world import World, fingerprint
from tests.conftest import Cast

pytestmark = pytest.mark.django_db
Web = Callable[..., Client]

#: what somebody of the other team owns, each of them pointing to what they may not see
POINTERS: dict[str, Any] = {
    "case": Case,
    "contact": Contact,
    "deal": Deal,
    "interaction": Interaction,
    "task": Task,
}


def some(test: Callable[[Route], bool]) -> list[Any]:
    return [pytest.param(each, id=str(each)) for each in routes() if each.name not in PUBLIC and test(each)]


def test_every_page_with_a_record_says_which_kind_it_is() -> None:
    named = [route for route in routes() if route.name not in PUBLIC]
    assert [route.name for route in named if "pk" in route.keys and not route.kind] == []
    assert [route.name for route in named if "item" in route.keys and not item_of(route.name)] == []
    assert not (PUBLIC | FOR_EVERYBODY) - {route.name for route in routes()}, "of pages that are gone"


@pytest.mark.parametrize("verb", ["get", "post"])
@pytest.mark.parametrize("route", some(lambda route: True))
def test_a_stranger_is_sent_to_the_sign_in(route: Route, verb: str, world: World) -> None:
    before = fingerprint()
    response = getattr(Client(), verb)(route.url(world.ids))
    assert response.status_code in (302, 405), response.status_code
    if response.status_code == 302:
        assert response["Location"].startswith("/accounts/login/?next=")
    assert fingerprint() == before


@pytest.mark.parametrize("verb", ["get", "post"])
@pytest.mark.parametrize("route", some(lambda route: route.name not in FOR_EVERYBODY))
def test_somebody_without_a_role_is_refused(
    route: Route, verb: str, world: World, cast: Cast, web: Web
) -> None:
    client = web(cast.nobody)
    before = fingerprint()
    assert getattr(client, verb)(route.url(world.ids)).status_code in (403, 405)
    assert fingerprint() == before


@pytest.mark.parametrize("route", some(lambda route: route.name not in FOR_EVERYBODY | READING_POSTS))
def test_a_reader_posts_in_vain(route: Route, world: World, cast: Cast, web: Web) -> None:
    client = web(cast.readonly)
    before = fingerprint()
    assert client.post(route.url(world.ids)).status_code in (403, 405)
    assert fingerprint() == before


@pytest.mark.parametrize("verb", ["get", "post"])
@pytest.mark.parametrize("route", some(lambda route: bool(route.kind) and route.kind not in SHARED))
def test_a_record_of_another_team_is_a_missing_one(
    route: Route, verb: str, world: World, cast: Cast, web: Web
) -> None:
    cast.rep2.role.scopes = ["*"]  # whatever the role allows: it is the record that is hidden
    cast.rep2.role.save()
    client = web(cast.rep2)
    before = fingerprint()
    hidden = getattr(client, verb)(route.url(world.ids))
    missing = getattr(client, verb)(route.url())
    assert hidden.status_code == missing.status_code
    assert hidden.status_code in (404, 405), hidden.status_code
    assert fingerprint() == before


@pytest.mark.parametrize("route", some(lambda route: not route.kind or route.kind in SHARED))
def test_a_page_shows_nothing_of_another_team(route: Route, world: World, cast: Cast, web: Web) -> None:
    cast.rep2.role.scopes = ["*"]
    cast.rep2.role.save()
    for query in ({}, {"q": "hidden"}, {"search": "hidden"}):
        response = web(cast.rep2).get(route.url(world.ids), query)
        assert response.status_code in (200, 302, 400, 404, 405), response.status_code
        assert b"Hidden" not in response.getvalue()


@pytest.mark.parametrize("route", some(lambda route: route.kind in POINTERS))
def test_the_page_of_my_own_record_shows_nothing_hidden(
    route: Route, world: World, cast: Cast, web: Web
) -> None:
    cast.rep2.role.scopes = ["*"]
    cast.rep2.role.save()
    mine = {
        kind: model.objects.filter(owner=cast.rep2).values_list("pk", flat=True)[0]
        for kind, model in POINTERS.items()
    }
    response = web(cast.rep2).get(route.url(mine | world.outside))
    assert response.status_code in (200, 302, 405), response.status_code
    assert b"Hidden" not in response.getvalue()


@pytest.mark.parametrize("route", some(lambda route: True))
def test_looking_changes_nothing_and_works(route: Route, world: World, cast: Cast, web: Web) -> None:
    client = web(world.owner if route.kind not in SHARED else cast.admin)
    world.owner.role.scopes = ["*"]  # type: ignore[union-attr]
    world.owner.role.save()  # type: ignore[union-attr]
    before = fingerprint()
    response = client.get(route.url(world.ids), QUERY.get(route.name, {}))
    assert response.status_code in (200, 204, 302, 405), response.status_code
    response.getvalue() if response.streaming else response.content
    assert fingerprint() == before
