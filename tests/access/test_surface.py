"""What every page shows, whatever somebody has typed: no markup of theirs, the strict policy, downloads as downloads.

Generated from the URL map and the OpenAPI schema, like the tests of who may open what.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import DataError, IntegrityError, InternalError, models, transaction
from django.test import Client
from django.urls import resolve, reverse
from rest_framework.test import APIClient

from contacts.models import Activity, Segment
from crmcem.lib.web.lists import ListPage
from crmcem.workspace.models import Notification
from tests.access.routes import PUBLIC, QUERY
from tests.access.test_api import Operation, operations
from tests.access.test_web import Route, routes
from tests.access.world import MISSING, World
from tests.conftest import Cast

pytestmark = pytest.mark.django_db
Web = Callable[..., Client]

MARKUP = "\"'><img src=x onerror=a()>"
SCRIPT = "javascript:alert(1)"
#: texts that mean something to the program, or that a person can't write
MEANT = {
    "actor_kind", "color", "currency", "dedupe_key", "digest", "domain_key", "email_key", "key", "language", "object",
    "prefix", "password", "rank", "schedule", "session_key", "step_key", "subject_type", "time_zone", "trigger_key",
    "username", "entity", "sort", "accent",
}  # fmt: skip
HOUSE = ("workspace", "contacts", "sales", "feedback", "journeys")


def fill(probe: str) -> set[str]:
    """Writes the probe into every free text of every record. Returns the fields where it stands."""
    filled = set()
    for model in (m for label in HOUSE for m in apps.get_app_config(label).get_models()):
        for field in model._meta.concrete_fields:
            value = value_for(field, probe)
            if value is None or field.name in MEANT:
                continue
            try:
                with transaction.atomic():
                    changed = model._base_manager.update(**{field.name: value})  # type: ignore[attr-defined]
            except (
                IntegrityError,
                DataError,
                InternalError,
            ):  # one of several rows under a unique name, a check
                continue
            if changed:
                filled.add(f"{model._meta.label}.{field.name}")
    return filled


def value_for(field: Any, probe: str) -> Any:
    if isinstance(field, ArrayField) and not field.base_field.choices:
        return [probe] if isinstance(field.base_field, models.CharField) else None
    if field.choices or not isinstance(field, models.CharField | models.TextField):
        return None
    return probe if not field.max_length or field.max_length >= len(probe) else None


@pytest.mark.parametrize(("probe", "forbidden"), [(MARKUP, "<img src=x"), (SCRIPT, 'href="javascript:')])
def test_no_page_shows_markup_that_somebody_typed(
    probe: str, forbidden: str, world: World, cast: Cast, web: Web
) -> None:
    filled = fill(probe)
    assert {
        "contacts.Contact.first_name",
        "contacts.Company.name",
        "contacts.Task.title",
        "contacts.Interaction.subject",
        "sales.Deal.name",
        "feedback.Response.comment",
        "feedback.Case.subject",
        "journeys.Automation.name",
        "workspace.User.first_name",
    } <= filled
    payload = dict.fromkeys(("name", "title", "subject", "comment", "url", "from", "to", "event"), probe)
    contact = world.ids["contact"]
    Activity.objects.create(kind="shop.visited", contact_id=contact, payload=payload)
    cast.rep.role.scopes = ["*"]  # type: ignore[union-attr]
    cast.rep.role.save()  # type: ignore[union-attr]
    client = web(cast.rep)
    shown = 0
    for route in routes():
        if route.name in PUBLIC:
            continue
        response = client.get(route.url(world.ids), QUERY.get(route.name, {}))
        assert response.status_code in (200, 204, 302, 404, 405), (route.name, response.status_code)
        if not response.get("Content-Type", "").startswith("text/html"):
            continue
        body = response.getvalue().decode()
        assert forbidden not in body.lower(), route.name
        shown += probe.split(">")[-1][:8] in body
    assert shown > 25, "the probe must have been on many pages"


def everything(client: Client, api: APIClient, world: World) -> Iterator[tuple[str, Any]]:
    for route in routes():
        if route.name == "feedback:public":  # its own tests follow links that were given out
            continue
        yield route.name, client.get(route.url(world.ids), QUERY.get(route.name, {}))
    for each in operations():
        if each.method == "get":
            yield str(each), api.get(each.url(world.ids[each.record] if each.record else MISSING))
    for name in (
        "admin:index",
        "admin:workspace_user_changelist",
        "account_login",
        "mfa_index",
        "account_email",
    ):
        yield name, client.get(reverse(name))
    yield "missing", client.get("/no/such/page/")


def test_every_answer_carries_the_policy_and_a_download_is_one(
    world: World, cast: Cast, web: Web, api: Callable[..., APIClient]
) -> None:
    downloads = 0
    for name, response in everything(web(cast.admin), api(cast.admin), world):
        policy = response.get("Content-Security-Policy", "")
        assert "script-src 'self'" in policy, name
        assert "default-src 'none'" in policy, name
        assert "unsafe" not in policy, name
        assert response["X-Content-Type-Options"] == "nosniff", name
        framed = name == "feedback:survey-preview"  # our own editor shows it beside the questions
        assert response["X-Frame-Options"] == ("SAMEORIGIN" if framed else "DENY"), name
        kind = response.get("Content-Type", "").partition(";")[0]
        if kind in {"text/csv", "application/octet-stream", "application/zip", "application/pdf"}:
            downloads += 1
            assert response["Content-Disposition"].startswith("attachment"), name
    assert downloads >= 3


LISTS = [each for each in operations() if each.method == "get" and not each.record]
PROBES = (
    {"no_such_field": "1"},
    {"owner__password": "x"},
    {"owner__password__startswith": "a"},
    {"owner__api_tokens__digest": "0"},
    {"ordering": "owner__password"},
    {"ordering": "-digest"},
    {"expand": "owner__role"},
    {"fields": "password"},
)


@pytest.mark.parametrize("operation", [pytest.param(each, id=str(each)) for each in LISTS])
def test_an_api_list_takes_only_what_it_names(
    operation: Operation, world: World, cast: Cast, api: Callable[..., APIClient]
) -> None:
    client = api(cast.admin)
    Notification.objects.create(user=cast.admin, kind="task", title="Mine")
    Segment.objects.create(owner=cast.admin, name="Mine", kind="static")
    if client.get(operation.url()).status_code != 200 or "results" not in client.get(operation.url()).json():
        return  # no list: figures and schemas take parameters of their own, tested beside them
    for query in PROBES:
        response = client.get(operation.url(), query)
        assert response.status_code == 400, (query, response.content[:300])
        assert response.json()["errors"], query


def web_lists() -> list[Any]:
    found = []
    for route in routes():
        view = None if route.name in PUBLIC else getattr(resolve(route.url()).func, "view_class", None)
        if view is not None and issubclass(view, ListPage):
            found.append(pytest.param(route, id=route.name))
    return found


@pytest.mark.parametrize("route", web_lists())
def test_a_web_list_takes_only_what_it_names(route: Route, world: World, cast: Cast, web: Web) -> None:
    client = web(cast.rep if route.kind == "segment" else cast.admin)
    path = route.url(world.ids)
    assert client.get(path, follow=True).status_code == 200
    for query in (
        {"no_such": "1"},
        {"owner__password": "x"},
        {"ordering": "owner__password"},
        {"cursor": "x"},
    ):
        assert client.get(path, query).status_code == 400, query
