"""What whoever runs it can ask: is it alive, is it ready, and if not, what is wrong; how much it does."""

from typing import Any

import pytest
import sentry_sdk
from django.conf import settings as django_settings
from django.db import OperationalError, connection
from django.test import Client

from crmcem import ops

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _broker_of_the_test_run(settings: Any) -> None:
    assert settings.REDIS_URL


def test_ready_names_every_part() -> None:
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "checks": {"database": "ok", "broker": "ok", "migrations": "ok", "stream": "ok"},
    }


def test_without_the_broker_it_is_not_ready_but_alive(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert (answer.json()["ready"], checks["broker"], checks["database"]) == (
        False,
        "The broker can't be reached.",
        "ok",
    )
    assert Client().get("/healthz").content == b"ok"


def test_a_migration_that_is_missing_is_told() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE app = 'workspace' AND name ="
            " (SELECT max(name) FROM django_migrations WHERE app = 'workspace')"
        )
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"] == "1 migrations are not applied."


def test_without_the_database_it_says_so_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def cursor(self) -> Any:
            raise OperationalError("could not connect to server at 10.0.0.7 as crm with password x")

    monkeypatch.setattr(ops, "connection", Gone())
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "checks": {"database": "The database can't be reached.", "broker": "ok"},
    }
    assert Client().get("/healthz").status_code == 200


def test_figures_are_for_the_bearer_of_the_token_alone(settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    assert Client().get("/metrics").status_code == 404
    settings.METRICS_TOKEN = "m" * 40
    for sent in ("", "Bearer wrong", "Bearer ", "Bearer " + "m" * 39, "Basic " + "m" * 40):
        assert Client().get("/metrics", HTTP_AUTHORIZATION=sent).status_code == 401, sent
    Client().get("/healthz")
    answer = Client().get("/metrics", HTTP_AUTHORIZATION="Bearer " + "m" * 40)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    assert b"django_http_requests_total_by_view_transport_method_total" in answer.content


def test_nothing_is_reported_to_anybody_unless_asked() -> None:
    assert django_settings.SENTRY_DSN == ""
    assert not sentry_sdk.get_client().is_active()
