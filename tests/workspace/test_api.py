from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from crmcem.workspace.models import Notification
from crmcem.workspace.services.notifications import notify
from tests.conftest import Cast

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]


def test_me_tells_scopes_and_visibility(cast: Cast, api: Api) -> None:
    answer = api(cast.manager).get("/api/v1/users/me/")
    assert answer.status_code == 200
    body = answer.json()
    assert body["id"] == str(cast.manager.pk)
    assert (body["role"], body["visibility"], body["team"]) == ("sales_manager", "team", str(cast.north.pk))
    assert "deals:assign" in body["scopes"]


def test_colleagues_are_listed_by_the_beginning_of_their_name(cast: Cast, api: Api) -> None:
    answer = api(cast.rep).get("/api/v1/users/", {"search": "REP", "ordering": "username"})
    assert [row["username"] for row in answer.json()["results"]] == ["rep", "rep2"]


def test_without_credentials_it_is_401_as_a_problem(db: None) -> None:
    answer = APIClient().get("/api/v1/users/me/")
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"] == 'Bearer realm="crmcem"'
    assert answer.json()["status"] == 401
    bad = APIClient()
    bad.credentials(HTTP_AUTHORIZATION="Bearer crm_" + "x" * 43)
    assert bad.get("/api/v1/users/me/").status_code == 401


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "201"}, "page_size"),
        ({"page_size": "x"}, "page_size"),
        ({"ordering": "password"}, "ordering"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"team": "x"}, "team"),
        ({"fields": "id,password"}, "fields"),
        ({"expand": "password"}, "expand"),
        ({"search": "a\x00b"}, "search"),
    ],
)
def test_bad_query_parameters_are_400_and_named(
    cast: Cast, api: Api, params: dict[str, str], field: str
) -> None:
    answer = api(cast.rep).get("/api/v1/users/", params)
    assert answer.status_code == 400
    assert field in [e["field"] for e in answer.json()["errors"]]


def test_notifications_are_only_my_own(cast: Cast, api: Api) -> None:
    assert notify(user=cast.rep, kind="x", title="Mine", dedupe_key="a")
    assert not notify(user=cast.rep, kind="x", title="Again", dedupe_key="a")
    assert notify(user=cast.rep2, kind="x", title="Theirs")
    client = api(cast.rep)
    assert [n["title"] for n in client.get("/api/v1/notifications/").json()["results"]] == ["Mine"]
    theirs = Notification.objects.get(user=cast.rep2)
    answer = client.post("/api/v1/notifications/read/", {"ids": [str(theirs.pk)]}, format="json")
    assert answer.json() == {"read": 0}
    theirs.refresh_from_db()
    assert theirs.read_at is None
    assert client.post("/api/v1/notifications/read/", {}, format="json").json() == {"read": 1}


def test_the_list_costs_the_same_queries_for_many(
    cast: Cast, api: Api, django_assert_num_queries: Any
) -> None:
    client = api(cast.rep)
    client.get("/api/v1/users/")  # the token's last use is written once in five minutes
    with django_assert_num_queries(2):
        client.get("/api/v1/users/")
