"""Who may do what over the API: generated from the OpenAPI schema, so that no endpoint can be forgotten.

For every operation: no credentials 401, no role 403, a token without the scope 403, a reader can't write, a row of
another team is a missing row, and after every denial nothing has changed.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from tests.access.world import MISSING, World, fingerprint, parts_of
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, InteractionFactory, TaskFactory
from tests.factories.feedback import CaseFactory
from tests.factories.sales import DealFactory

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]

WRITES = ("post", "put", "patch", "delete")
#: what everybody who is signed in may ask for: their own things, and who their colleagues are
FOR_EVERYBODY = ("/me/", "/notifications/", "/users/", "/teams/")
#: resource → the record of the world whose id stands in its path
RECORDS = {
    "addresses": "address",
    "attachments": "attachment",
    "automation-runs": "run",
    "automations": "automation",
    "cases": "case",
    "companies": "company",
    "company-domains": "company_domain",
    "contact-points": "point",
    "contacts": "contact",
    "custom-fields": "field",
    "data-repairs": "repair",
    "field-layouts": "layout",
    "deals": "deal",
    "employments": "employment",
    "followers": "follower",
    "imports": "import",
    "duplicates": "duplicate",
    "edits": "edit",
    "interactions": "interaction",
    "merges": "merge",
    "invitations": "invitation",
    "lifecycle-changes": "stage_change",
    "notifications": "notification",
    "pipelines": "pipeline",
    "relationships": "relationship",
    "responses": "response",
    "segments": "segment",
    "social-profiles": "profile",
    "surveys": "survey",
    "tags": "tag",
    "tasks": "task",
    "teams": "team",
    "users": "user",
}
#: of the whole organisation: whoever has the scope sees all of them
SHARED = {"pipeline", "survey", "automation", "user", "team", "field", "layout", "tag"}
PERSONAL = set(RECORDS.values()) - SHARED - {"import", "notification", "run"}
#: the least that makes a body of this resource otherwise right
LEAST: dict[str, dict[str, Any]] = {"interactions": {"kind": "note"}, "tasks": {"title": "A"}}
#: no personal record is behind them, so the reading role may use them as it likes
READING_POSTS = ("/followers/", "/dry-run/", "/preview/")


@dataclass(frozen=True)
class Operation:
    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def resource(self) -> str:
        return self.path.split("/")[3]

    @property
    def record(self) -> str | None:
        """The kind of record whose id the path needs."""
        return RECORDS[self.resource] if "{" in self.path else None

    @property
    def writes(self) -> bool:
        return self.method in WRITES and not self.path.endswith(READING_POSTS)

    @property
    def open_to_all(self) -> bool:
        return any(part in self.path for part in FOR_EVERYBODY)

    def url(self, pk: int = MISSING) -> str:
        return re.sub(r"\{[^}]+\}", str(pk), self.path)


@functools.cache
def schema() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)


def expandable(operation: Operation) -> list[str]:
    """The values that ``?expand=`` takes there, as the 400 for a wrong one names them."""
    match = resolve(operation.url())
    return list(getattr(match.func.cls, "expandable", ())) if operation.method == "get" else []  # type: ignore[attr-defined]


def pointers(operation: Operation) -> list[str]:
    """The fields of the body that name a record which may be hidden."""
    body = schema()["paths"][operation.path][operation.method].get("requestBody", {}).get("content", {})
    reference = body.get("application/json", {}).get("schema", {}).get("$ref", "")
    properties = schema()["components"]["schemas"].get(reference.rpartition("/")[2], {}).get("properties", {})
    return [n for n, p in properties.items() if n in PERSONAL and not p.get("readOnly") and "$ref" not in p]


def make_own(record: str, own: dict[str, Any]) -> int:
    """A record of this kind that is one's own."""
    contact = ContactFactory(**own)
    makers: dict[str, Callable[[], Any]] = {
        "company": lambda: CompanyFactory(**own),
        "contact": lambda: contact,
        "task": lambda: TaskFactory(contact=contact, **own),
        "interaction": lambda: InteractionFactory(contact=contact, **own),
        "deal": lambda: DealFactory(**own),
        "case": lambda: CaseFactory(contact=contact, **own),
    }
    if record not in makers:
        return int(parts_of(contact, CompanyFactory(**own))[record].pk)
    row = makers[record]()
    return int(row.pk)


@functools.cache
def operations() -> tuple[Operation, ...]:
    paths = schema()["paths"]
    return tuple(Operation(method, path) for path, methods in sorted(paths.items()) for method in methods)


def some(test: Callable[[Operation], bool]) -> list[Any]:
    return [pytest.param(each, id=str(each)) for each in operations() if test(each)]


def send(client: APIClient, operation: Operation, url: str, body: Any = None) -> Any:
    extra = {} if operation.method == "get" else {"data": {} if body is None else body, "format": "json"}
    return getattr(client, operation.method)(url, **extra)


def test_every_resource_of_the_contract_is_there() -> None:
    assert {op.resource for op in operations()} >= {*RECORDS, "events", "identify", "metrics"}


@pytest.mark.parametrize("operation", some(lambda op: True))
def test_without_credentials_it_is_401(operation: Operation, world: World, api: Api) -> None:
    before = fingerprint()
    pk = world.ids[operation.record] if operation.record else MISSING
    response = send(api(None), operation, operation.url(pk))
    assert response.status_code == 401, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert fingerprint() == before


@pytest.mark.parametrize("operation", some(lambda op: not op.open_to_all))
def test_without_a_role_it_is_403(operation: Operation, world: World, cast: Cast, api: Api) -> None:
    client = api(cast.nobody)
    before = fingerprint()
    pk = world.ids[operation.record] if operation.record else MISSING
    assert send(client, operation, operation.url(pk)).status_code == 403
    assert fingerprint() == before


@pytest.mark.parametrize("operation", some(lambda op: not op.open_to_all))
def test_without_the_scope_the_token_of_the_owner_is_403(
    operation: Operation, world: World, api: Api
) -> None:
    client = api(world.owner, ["settings:read"])
    before = fingerprint()
    pk = world.ids[operation.record] if operation.record else MISSING
    assert send(client, operation, operation.url(pk)).status_code == 403
    assert fingerprint() == before


@pytest.mark.parametrize("operation", some(lambda op: op.writes and not op.open_to_all))
def test_a_reader_writes_nothing(operation: Operation, world: World, cast: Cast, api: Api) -> None:
    client = api(cast.readonly)
    before = fingerprint()
    pk = world.ids[operation.record] if operation.record else MISSING
    assert send(client, operation, operation.url(pk)).status_code == 403
    assert fingerprint() == before


@pytest.mark.parametrize("operation", some(lambda op: op.record is not None and op.record not in SHARED))
def test_a_row_of_another_team_is_a_missing_row(
    operation: Operation, world: World, cast: Cast, api: Api
) -> None:
    cast.rep2.role.scopes = ["*"]  # whatever the role allows: it is the row that is hidden
    cast.rep2.role.save()
    client = api(cast.rep2)
    before = fingerprint()
    hidden = send(client, operation, operation.url(world.ids[operation.record or ""]))
    missing = send(client, operation, operation.url(MISSING))
    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert hidden.json() == missing.json()
    assert fingerprint() == before


@pytest.mark.parametrize("operation", some(lambda op: op.method == "get" and op.record is None))
def test_a_list_shows_nothing_of_another_team(
    operation: Operation, world: World, cast: Cast, api: Api
) -> None:
    cast.rep2.role.scopes = ["*"]
    cast.rep2.role.save()
    client = api(cast.rep2)
    response = client.get(operation.url())
    assert response.status_code in (200, 400), response.content
    assert b"idden" not in response.content
    for name in expandable(operation):
        expanded = client.get(operation.url(), {"expand": name})
        assert expanded.status_code == 200, expanded.content
        assert b"idden" not in expanded.content, f"?expand={name}"


@pytest.mark.parametrize("operation", some(lambda op: op.method in ("post", "patch") and bool(pointers(op))))
def test_a_hidden_row_in_a_body_is_a_missing_row(
    operation: Operation, world: World, cast: Cast, api: Api
) -> None:
    cast.rep2.role.scopes = ["*"]
    cast.rep2.role.save()
    client = api(cast.rep2)
    own = {"owner": cast.rep2, "team": cast.rep2.team}
    mine = MISSING
    if operation.record:
        mine = world.ids[operation.record] if operation.record in SHARED else make_own(operation.record, own)
    body = LEAST.get(operation.resource, {}) if operation.method == "post" else {}
    before = fingerprint()
    for name in pointers(operation):
        hidden = send(client, operation, operation.url(mine), body | {name: str(world.ids[name])})
        missing = send(client, operation, operation.url(mine), body | {name: str(MISSING)})
        assert hidden.status_code == missing.status_code == 400, (name, hidden.content, missing.content)
        assert hidden.json()["errors"] == missing.json()["errors"], name
        assert name in {error["field"] for error in hidden.json()["errors"]}
    assert fingerprint() == before


@pytest.mark.parametrize("operation", some(lambda op: op.method == "get"))
def test_reading_changes_nothing(operation: Operation, world: World, cast: Cast, api: Api) -> None:
    client = api(cast.admin)
    before = fingerprint()
    pk = world.ids[operation.record] if operation.record else MISSING
    assert send(client, operation, operation.url(pk)).status_code in (200, 400, 404, 409)
    assert fingerprint() == before


@pytest.mark.parametrize("operation", some(lambda op: op.method in ("post", "patch")))
@pytest.mark.parametrize("body", [["a list"], "text", {"no_such_field": 1}, {"\x00": "\x00"}], ids=repr)
def test_a_body_of_a_wrong_shape_is_an_error_and_changes_nothing(
    operation: Operation, body: Any, world: World, cast: Cast, api: Api
) -> None:
    client = api(cast.admin)
    before = fingerprint()
    pk = world.ids[operation.record] if operation.record else MISSING
    response = send(client, operation, operation.url(pk), body)
    assert response.status_code < 500
    if response.status_code >= 400:
        assert fingerprint() == before
