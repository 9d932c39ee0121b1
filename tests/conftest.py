"""The cast: people of every role, two of them in another team, and clients that act as them."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import connection
from django.test import Client, override_settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from rest_framework.test import APIClient

from crmcem.lib.actors import Actor, person
from crmcem.workspace import organisation
from crmcem.workspace.models import ApiToken, Role, Team, User
from crmcem.workspace.tokens import digest, new_secret

# In CI the same examples in every run; people's own runs look further each time. A slow machine is no fault of either.
PATIENT = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.register_profile("ci", PATIENT, derandomize=True)
hypothesis_settings.register_profile("own", PATIENT)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "own")

PASSWORD = "demo-password"
# Hashing once is enough: argon2 for a cast of eight would take longer than most tests.
_HASH = "md5$salt$" + __import__("hashlib").md5(f"salt{PASSWORD}".encode()).hexdigest()


#: The stream is settled only behind every open writing transaction of the whole server, also of another test's
#: database: what waits for it can't run beside other tests. CI runs these by themselves (see .ci/run).
ALONE = (
    "tests/analytics/test_concurrency.py",
    "tests/analytics/test_seed_bulk.py",
    "tests/analytics/test_seed_demo.py",
    "tests/browser/test_journeys.py",
    "tests/faults/test_pulse.py",
    "tests/faults/test_restore.py",
    "tests/faults/test_stream.py",
    "tests/feedback/test_loop_end_to_end.py",
    "tests/journeys/test_faults.py",
    "tests/path/test_cdnow.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.split("::")[0] in ALONE:
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session", autouse=True)
def _plain_static_files() -> Iterator[None]:
    """Nobody has collected the static files of a test run, so there is no manifest of hashed names."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**django_settings.STORAGES, "staticfiles": plain}):
        yield


@pytest.fixture(autouse=True)
def _isolation(settings: Any) -> Iterator[None]:
    """Every test with fast password hashes, in-memory mail, an empty cache and no broker messages."""
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        "django.contrib.auth.hashers.Argon2PasswordHasher",
    ]
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    organisation.forget()
    cache.clear()
    yield
    organisation.forget()


@pytest.fixture(autouse=True)
def _empty_stream(request: pytest.FixtureRequest) -> Iterator[None]:
    """Django's flush after a transactional test passes over the stream: its table is not managed."""
    marker = request.node.get_closest_marker("django_db")
    names = {"transactional_db", "live_server"} & set(request.fixturenames)
    if not names and not (marker and marker.kwargs.get("transaction")):
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE contacts_activity")


def _roles() -> dict[str, Role]:
    """The roles of the migration, made anew where a transactional test has flushed them."""
    if not Role.objects.exists():
        import_module("crmcem.workspace.migrations.0002_roles").make(apps, None)
    return {role.key: role for role in Role.objects.all()}


def _first_pipeline() -> None:
    """The pipeline of the migration, made anew where a transactional test has flushed it."""
    import_module("sales.migrations.0003_first_pipeline").make(apps, None)


@dataclass(frozen=True)
class Cast:
    """rep works in North, rep2 in South; manager leads North; the others belong to no team."""

    rep: User
    rep2: User
    manager: User
    cx: User
    admin: User
    integrator: User
    readonly: User
    nobody: User
    north: Team
    south: Team

    def __iter__(self) -> Iterator[User]:
        return iter(
            (
                self.rep,
                self.rep2,
                self.manager,
                self.cx,
                self.admin,
                self.integrator,
                self.readonly,
                self.nobody,
            )
        )


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def make_cast() -> Cast:
    """The people and teams of a test."""
    roles = _roles()
    teams = {}
    for name in ("North", "South"):
        team = Team.objects.create(name=name)
        team.path = [team.pk]
        team.save(update_fields=["path"])
        teams[name] = team

    def make(name: str, role: str | None, team: str | None = None) -> User:
        return User.objects.create(
            username=name,
            email=f"{name}@crm.example",
            first_name=name.title(),
            password=_HASH,
            role=roles[role] if role else None,
            team=teams[team] if team else None,
            is_staff=role == "admin",
            is_superuser=role == "admin",
        )

    return Cast(
        rep=make("rep", "rep", "North"),
        rep2=make("rep2", "rep", "South"),
        manager=make("manager", "sales_manager", "North"),
        cx=make("cx", "cx_manager"),
        admin=make("admin", "admin"),
        integrator=make("integrator", "integrator"),
        readonly=make("readonly", "read_only"),
        nobody=make("nobody", None),
        north=teams["North"],
        south=teams["South"],
    )


@pytest.fixture
def actor() -> Callable[[User], Actor]:
    """``actor(cast.rep)``: the actor for a person, as a service wants it."""
    return person


@pytest.fixture
def token_for(db: None) -> Callable[..., str]:
    """``token_for(user, scopes=["*"])``: the secret of a new API token."""

    def make(user: User, scopes: list[str] | None = None, **values: Any) -> str:
        secret = new_secret()
        ApiToken.objects.create(
            user=user,
            name="test",
            prefix=secret[:10],
            digest=digest(secret),
            scopes=["*"] if scopes is None else scopes,
            **values,
        )
        return secret

    return make


@pytest.fixture
def api(token_for: Callable[..., str]) -> Callable[..., APIClient]:
    """``api(cast.rep)``: an API client with a bearer token of that person; ``api(None)`` without."""

    def make(user: User | None, scopes: list[str] | None = None) -> APIClient:
        client = APIClient()
        if user is not None:
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_for(user, scopes)}")
        return client

    return make


@pytest.fixture
def web() -> Callable[[User], Client]:
    """``web(cast.rep)``: a browser-like client signed in as that person."""

    def make(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="crmcem.workspace.backends.PersonBackend")
        return client

    return make


@pytest.fixture
def drain(db: None) -> Callable[[], int]:
    """``drain()`` runs every registered consumer over what the test's open transaction has written."""
    from crmcem.lib.stream_runner import Reach, pump

    return lambda: pump(reach=Reach(settled=True))
