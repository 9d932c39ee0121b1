"""What a write may carry: a CSRF token, only the fields it names, and only records that the writer may see."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from rest_framework.test import APIClient

from contacts.models import Contact
from crmcem.workspace.api.throttling import ActorThrottle
from crmcem.workspace.models import User
from feedback import links
from tests.access.routes import PUBLIC
from tests.access.test_api import LEAST, Operation, make_own, operations, schema
from tests.access.test_web import routes
from tests.access.world import MISSING, World, fingerprint
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.factories.sales import DealFactory

pytestmark = pytest.mark.django_db
Web = Callable[..., Client]
Api = Callable[..., APIClient]


def plain_paths(prefix: str) -> list[str]:
    """The addresses below a prefix that need no argument."""
    top = next(item for item in get_resolver().url_patterns if str(item.pattern) == prefix)
    found: list[str] = []

    def walk(items: Any, path: str) -> None:
        for item in items:
            if isinstance(item, URLResolver):
                walk(item.url_patterns, path + str(item.pattern))
            elif (
                isinstance(item, URLPattern) and not item.pattern.converters and "<" not in str(item.pattern)
            ):
                found.append("/" + path + str(item.pattern))

    walk(top.url_patterns, prefix)  # type: ignore[union-attr]
    return [path for path in found if not set(path) & set("^$()?<\\")]


def test_no_session_write_without_its_csrf_token(world: World, cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.admin, backend="crmcem.workspace.backends.PersonBackend")
    pages = [route.url(world.ids) for route in routes() if route.name not in PUBLIC]
    paths = pages + plain_paths("accounts/") + plain_paths("admin/")
    assert len(paths) > 150
    before = fingerprint()
    for path in paths:
        assert client.post(path).status_code == 403, path
    assert fingerprint() == before


def test_no_session_write_over_the_api_without_its_csrf_token(world: World, cast: Cast) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(cast.admin, backend="crmcem.workspace.backends.PersonBackend")
    before = fingerprint()
    for each in operations():
        if each.method == "get":
            continue
        path = each.url(world.ids[each.record] if each.record else MISSING)
        answer = getattr(client, each.method)(path, {}, format="json")
        assert answer.status_code == 403, str(each)
        assert "CSRF" in answer.json()["detail"], str(each)
    assert fingerprint() == before


#: what nobody may set from outside
#: what only its owner sees, unless it is shared
OWN = {"segments"}
STAMPS = ("id", "created_at", "updated_at", "version", "owner_id", "team", "is_staff", "search_text", "pulse")


@pytest.mark.parametrize(
    "operation",
    [pytest.param(each, id=str(each)) for each in operations() if each.method == "patch" and each.record],
)
def test_fields_that_are_not_ones_own_to_set_are_errors(
    operation: Operation, world: World, cast: Cast, api: Api
) -> None:
    client = api(cast.rep if operation.resource in OWN else cast.admin)
    pk = world.ids[operation.record or ""]
    answer = schema()["paths"][operation.path][operation.method]["responses"]["200"]["content"]
    name = answer["application/json"]["schema"]["$ref"].rpartition("/")[2]
    fields = schema()["components"]["schemas"][name]["properties"]
    closed = {field for field, about in fields.items() if about.get("readOnly")} | set(STAMPS) - set(fields)
    closed -= {"sentiment"} if operation.resource == "responses" else set()  # people may correct it
    assert closed
    before = fingerprint()
    for field in sorted(closed):
        refused = client.patch(operation.url(pk), {field: "1"}, format="json")
        assert refused.status_code == 400, (field, refused.content)
        assert [error["field"] for error in refused.json()["errors"]] == [field]
    assert fingerprint() == before


def test_nobody_promotes_themselves_through_a_form(cast: Cast, web: Web) -> None:
    before = User.objects.filter(pk=cast.rep.pk).values().get()
    client = web(cast.rep)
    values = {"first_name": "Rita", "theme": "dark", "density": "normal"}
    more = {
        "role": cast.admin.role_id, "role_id": cast.admin.role_id, "is_staff": "on", "is_superuser": "on",
        "team": cast.south.pk, "username": "root", "email": "root@x.example", "password": "x", "is_active": "",
    }  # fmt: skip
    assert client.post(reverse("workspace:profile"), values | more).status_code == 302
    after = User.objects.filter(pk=cast.rep.pk).values().get()
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"first_name", "theme", "density", "email_notifications", "last_login"}
    assert after["first_name"] == "Rita"


def test_a_form_gives_nothing_away_that_it_did_not_ask_for(cast: Cast, web: Web) -> None:
    """The owner's field is for those who may assign; who may not can't send it either."""
    cast.rep.role.scopes = ["contacts:read", "contacts:write", "deals:read", "deals:write"]  # type: ignore[union-attr]
    cast.rep.role.save()  # type: ignore[union-attr]
    mine = ContactFactory(owner=cast.rep, team=cast.north, first_name="Mine")
    deal = DealFactory(owner=cast.rep, team=cast.north)
    client = web(cast.rep)
    forged = {"owner": cast.rep2.pk, "owner_id": cast.rep2.pk, "team": cast.south.pk, "created_at": "2001-01-01",
              "health": "99", "search_text": "x"}  # fmt: skip
    edit = {"first_name": "New", "lifecycle_stage": "lead", "version": mine.version}
    assert client.post(reverse("contacts:edit", args=[mine.pk]), edit | forged).status_code in (200, 204, 302)
    created = mine.created_at
    mine.refresh_from_db()
    assert (mine.first_name, mine.owner, mine.team, mine.created_at) == ("New", cast.rep, cast.north, created)
    client.post(
        reverse("sales:deal-edit", args=[deal.pk]),
        {"name": "Renamed", "currency": deal.currency, "stage": deal.stage_id, "version": deal.version}
        | forged,
    )
    deal.refresh_from_db()
    assert (deal.name, deal.owner, deal.team) == ("Renamed", cast.rep, cast.north)


#: page → the least that makes its form otherwise right, and the fields that name a record
FORMS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "contacts:new": ({"first_name": "A", "lifecycle_stage": "lead"}, ("company",)),
    "contacts:task-new": (
        {"title": "A", "kind": "todo", "priority": "normal"},
        ("contact", "company", "deal"),
    ),
    "sales:deal-new": ({"name": "A", "currency": "EUR"}, ("company", "contact")),
    "feedback:case-new": ({"subject": "A", "priority": "normal"}, ("contact", "response")),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_hidden_record_in_a_form_is_a_missing_one(name: str, world: World, cast: Cast, web: Web) -> None:
    cast.rep2.role.scopes = ["*"]  # type: ignore[union-attr]
    cast.rep2.role.save()  # type: ignore[union-attr]
    client = web(cast.rep2)
    values, pointers = FORMS[name]
    if name == "sales:deal-new":
        values = values | {"stage": world.ids["stage"]}
    before = fingerprint()
    for pointer in pointers:
        hidden = client.post(reverse(name), values | {pointer: world.ids[pointer]})
        missing = client.post(reverse(name), values | {pointer: MISSING})
        assert hidden.status_code == missing.status_code, pointer
        assert hidden.status_code in (400, 404, 422), (pointer, hidden.status_code)
        assert b"Hidden" not in hidden.content
    assert fingerprint() == before


@pytest.mark.parametrize("resource", ["contacts", "tasks", "interactions", "deals", "companies"])
def test_a_bulk_step_checks_every_record_it_names(resource: str, world: World, cast: Cast, api: Api) -> None:
    cast.rep2.role.scopes = ["*"]  # type: ignore[union-attr]
    cast.rep2.role.save()  # type: ignore[union-attr]
    path = f"/api/v1/{resource}/bulk/"
    if not any(each.path == path for each in operations()):
        return
    client = api(cast.rep2)
    kind = {"companies": "company"}.get(resource, resource[:-1])
    own = make_own(kind, {"owner": cast.rep2, "team": cast.rep2.team})
    least = LEAST.get(resource, {})
    steps: list[dict[str, Any]] = [
        {"op": "update", "match": {"id": str(world.ids[kind])}, "data": {}},
        {"op": "delete", "match": {"id": str(world.ids[kind])}},
    ]
    for pointer in ("company", "contact", "deal"):
        if pointer in _writable(resource):
            value = {pointer: str(world.ids[pointer])}
            steps.append({"op": "create", "data": least | value})
            steps.append({"op": "update", "match": {"id": str(own)}, "data": value})
    before = fingerprint()
    answer = client.post(path, {"operations": steps}, format="json")
    assert answer.status_code == 200, answer.content
    assert [result["status"] for result in answer.json()["results"]] == [404, 404] + [400] * (len(steps) - 2)
    assert b"Hidden" not in answer.content
    assert fingerprint() == before


def _writable(resource: str) -> set[str]:
    body = schema()["paths"][f"/api/v1/{resource}/"]["post"]["requestBody"]["content"]["application/json"]
    fields = schema()["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]["properties"]
    return {name for name, about in fields.items() if not about.get("readOnly")}


def test_a_bulk_action_of_a_web_list_reaches_no_hidden_row(world: World, cast: Cast, web: Web) -> None:
    cast.rep2.role.scopes = ["*"]  # type: ignore[union-attr]
    cast.rep2.role.save()  # type: ignore[union-attr]
    before = Contact.objects.filter(pk=world.ids["contact"]).values().get()
    values = {
        "tag": "stolen",
        "untag": "secret",
        "stage": "customer",
        "assign": cast.rep2.pk,
        "edit": "x",
        "delete": "",
    }
    for key, value in values.items():
        sent = {
            "_bulk": key,
            "ids": world.ids["contact"],
            "_confirmed": "1",
            "value": value,
            "field": "job_title",
        }
        assert web(cast.rep2).post(reverse("contacts:list"), sent).status_code < 300, key
    assert Contact.objects.filter(pk=world.ids["contact"]).values().get() == before


def test_too_many_requests_are_429_and_say_when_to_come_back(
    cast: Cast, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ActorThrottle, "get_rate", lambda self: "3/min")
    monkeypatch.setattr(ActorThrottle, "timer", lambda self: 60 * 1000 + 40.0)
    client, other = api(cast.rep), api(cast.rep2)
    codes = [client.get("/api/v1/users/me/").status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    refused = client.post("/api/v1/tasks/", {"title": "A"}, format="json")
    assert refused.status_code == 429
    assert refused["Retry-After"] == "21"
    assert refused["Content-Type"] == "application/problem+json"
    assert refused.json()["status"] == 429
    assert other.get("/api/v1/users/me/").status_code == 200, "everybody has a measure of their own"
    monkeypatch.setattr(ActorThrottle, "timer", lambda self: 60 * 1001 + 1.0)
    assert client.get("/api/v1/users/me/").status_code == 200


def test_the_first_requests_of_a_window_at_once_are_all_counted() -> None:
    throttle = ActorThrottle()
    key = f"throttle-{secrets.token_hex(8)}"
    with ThreadPoolExecutor(10) as pool:
        counts = list(pool.map(lambda _n: throttle._count(key), range(40)))
    assert sorted(counts) == list(range(1, 41))


def test_a_token_of_one_purpose_opens_nothing_else(
    world: World, cast: Cast, token_for: Callable[..., str]
) -> None:
    invitation = links.invitation_url(world.ids["invitation"]).rstrip("/").rpartition("/")[2]
    survey = links.survey_url(world.ids["survey"]).rstrip("/").rpartition("/")[2]
    assert Client().get(f"/s/{invitation}/").status_code == 200
    bearer = token_for(cast.rep)
    before = fingerprint()
    for word in (invitation, survey, Client().session.session_key or "x" * 32):
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {word}")
        assert client.get("/api/v1/users/me/").status_code == 401
    swapped = "s" + invitation if not invitation.startswith("s") else invitation[1:]
    other = invitation.replace(str(world.ids["invitation"]), str(world.ids["invitation"] + 1), 1)
    for word in (bearer, swapped, other, survey[1:], invitation[:-1], invitation + "A"):
        assert Client().get(f"/s/{word}/").status_code == 404, word
        assert Client().post(f"/s/{word}/", {"nps": "1"}).status_code == 404, word
    assert fingerprint() == before
