"""What a log line says, and what it never says: read from the handler that production writes with."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from django.conf import settings
from django.test import Client
from rest_framework.test import APIClient

from crmcem.lib.logs import RedactSecrets, redact
from tests.conftest import PASSWORD, Cast


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer crm_abcdefgh", "Authorization: Bearer ***"),
        ("password=hunter2&x=1", "password=***&x=1"),
        ('{"token": "abc"}', '{"token": "***"}'),
        ('{\\"token\\": \\"abc\\"}', '{\\"token\\": \\"***\\"}'),
        ("Cookie: sessionid=abc123; csrftoken=def", "Cookie: ***; csrftoken=***"),
        ("GET /s/MTox:abcdefghijklmnopqrstuvwxyz/", "GET /s/***/"),
        (
            "GET /accounts/password/reset/key/5-abcdef-0123456789abcdef/",
            "GET /accounts/password/reset/key/***/",
        ),
        ("GET /surveys/12/", "GET /surveys/12/"),
    ],
)
def test_secrets_are_masked(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_log_records_of_both_kinds_are_masked() -> None:
    plain = logging.LogRecord("x", 20, "f", 1, "token=%s", ("abc",), None)
    assert RedactSecrets().filter(plain)
    assert plain.getMessage() == "token=***"
    record = logging.LogRecord("x", 20, "f", 1, {"event": "e", "q": "token=abc"}, None, None)  # type: ignore[arg-type]
    assert RedactSecrets().filter(record)
    assert record.msg == {"event": "e", "q": "token=***"}


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What production's own handler writes, parsed."""
    import logging.config

    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    configured = logging.config.DictConfigurator(settings.LOGGING)  # type: ignore[attr-defined]
    handler.setFormatter(configured.configure_formatter(dict(settings.LOGGING["formatters"]["house"])))
    handler.addFilter(RedactSecrets())
    root = logging.getLogger()
    root.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)


@pytest.mark.django_db
def test_no_secret_of_a_real_request_reaches_a_line(
    cast: Cast, token_for: Callable[..., str], lines: Callable[[], list[dict[str, Any]]]
) -> None:
    secret = token_for(cast.rep)
    client = Client()
    client.post("/accounts/login/", {"login": "rep", "password": "wrong-pass-word"})
    client.post(f"/accounts/login/?password={PASSWORD}", {"login": "rep", "password": PASSWORD})
    session = client.session.session_key
    client.get("/contacts/")
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    api.get("/api/v1/contacts/", {"token": secret})
    api.get("/s/abcdefghijklmnopqrstuvwxyz012345/")
    written = json.dumps(lines())
    assert "request_finished" in written
    for word in (PASSWORD, "wrong-pass-word", secret, str(session), "abcdefghijklmnopqrstuvwxyz012345"):
        assert word not in written


def test_a_traceback_carries_no_secret_and_no_local_variable(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    def broken(password: str) -> None:
        raise ValueError(f"bad token={password} in Authorization: Bearer {password}")

    try:
        broken("hunter2-hunter2")
    except ValueError:
        logging.getLogger("any.library").exception("failed with password=%s", "hunter2-hunter2")
        structlog.get_logger("ours").exception("it_failed", headers={"Authorization": "hunter2-hunter2"})
    written = lines()
    assert [line["event"] for line in written] == ["failed with password=***", "it_failed"]
    assert written[1]["headers"] == {"Authorization": "***"}
    for line in written:
        assert line["exception"][0]["exc_type"] == "ValueError"
        assert line["exception"][0]["exc_value"] == "bad token=*** in Authorization: Bearer ***"
    assert "hunter2" not in json.dumps(written)


@pytest.mark.django_db
def test_a_request_has_one_id_in_every_line_and_in_the_answer(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    answer = Client().get("/healthz", HTTP_X_REQUEST_ID="edge-42.a", HTTP_X_FORWARDED_FOR="203.0.113.9")
    assert answer["X-Request-ID"] == "edge-42.a"
    mine = [line for line in lines() if line.get("request_id") == "edge-42.a"]
    assert {line["event"] for line in mine} >= {"request_started", "request_finished"}
    assert {line["ip"] for line in mine} == {"127.0.0.1"}, "whoever calls does not choose what is logged"
    assert mine[-1]["code"] == 200
    assert {"timestamp", "level", "logger"} <= set(mine[-1])


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"b', "ä", "a\r\nSet-Cookie: x=1"])
def test_an_id_that_is_no_plain_word_is_replaced(given: str) -> None:
    answer = Client().get("/healthz", HTTP_X_REQUEST_ID=given)
    assert len(answer["X-Request-ID"]) == 36
    assert "Set-Cookie" not in answer.headers


@pytest.mark.django_db
def test_every_kind_of_answer_has_an_id(cast: Cast) -> None:
    for path, status in (("/no/such/", 404), ("/api/v1/contacts/", 401), ("/contacts/", 302)):
        answer = Client().get(path)
        assert (answer.status_code, len(answer["X-Request-ID"])) == (status, 36)
