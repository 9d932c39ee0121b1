"""A machine that fails (database gone, busy or full, disk full) is one plain sentence and a 503, wherever it fails."""

import errno
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.db import DatabaseError, OperationalError, connection, transaction
from django.test import Client
from rest_framework.test import APIClient

from contacts.models import Contact, ImportJob
from crmcem.lib.outages import outage, sqlstate, was_cut_off
from tests.conftest import Cast

FULL = "The database has no room left on its disk. Nothing was saved; tell an administrator."
GONE = "The database can't be reached right now. Try again in a moment."


def raised(code: str) -> DatabaseError:
    """What Django raises when PostgreSQL answers with this code."""
    with (
        pytest.raises(DatabaseError) as caught,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$")
    return caught.value


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("53100", FULL),
        ("53300", "The database is too busy right now. Nothing was saved; try again in a moment."),
        ("40P01", "Others are changing the same records right now. Nothing was saved; try again."),
        ("55P03", "Others are changing the same records right now. Nothing was saved; try again."),
        ("25006", "The database takes no changes right now. Nothing was saved; try again in a moment."),
        ("57014", "This took too long and was cut off. Narrow the filter or the search."),
        ("57P03", GONE),
    ],
)
@pytest.mark.django_db
def test_each_code_of_the_database_says_what_to_do(code: str, words: str) -> None:
    error = raised(code)
    assert sqlstate(error) == code
    assert outage(error) == words
    assert was_cut_off(error) is (code == "57014")


@pytest.mark.django_db
def test_a_defect_of_ours_is_no_outage() -> None:
    assert outage(raised("42703")) is None  # no such column
    assert outage(raised("XX000")) is None  # an internal error
    assert outage(OSError(errno.EACCES, "Permission denied")) is None
    assert outage(ValueError("no")) is None
    assert outage(OperationalError("could not connect")) == GONE


@pytest.fixture
def full_disk(db: None) -> None:
    """PostgreSQL can't add a contact: its disk is full."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION pg_temp.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
            CREATE TRIGGER full_disk BEFORE INSERT ON contacts_contact EXECUTE FUNCTION pg_temp.full_disk()
            """
        )


@pytest.mark.parametrize("headers", [{}, {"HTTP_IDEMPOTENCY_KEY": "once"}])
@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_a_503_of_the_api_and_nothing_is_kept(
    cast: Cast, api: Callable[..., APIClient], headers: dict[str, Any]
) -> None:
    answer = api(cast.rep).post("/api/v1/contacts/", {"last_name": "Berg"}, **headers)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json()["detail"] == FULL
    assert Contact.objects.count() == 0


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_a_page_that_says_so(cast: Cast, web: Callable[..., Client]) -> None:
    answer = web(cast.rep).post("/contacts/new/", {"last_name": "Berg", "lifecycle_stage": "lead"})
    assert answer.status_code == 503
    assert FULL in answer.content.decode()
    assert Contact.objects.count() == 0


def test_a_database_that_goes_before_the_view_is_a_503_too(
    cast: Cast, web: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person is read in a middleware, where no view's guard stands."""

    def gone(user: Any) -> Any:
        raise OperationalError("server closed the connection unexpectedly")

    client = web(cast.rep)
    client.raise_request_exception = False
    monkeypatch.setattr("crmcem.workspace.middleware.person", gone)
    answer = client.get("/contacts/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "can&#x27;t be reached" in answer.content.decode()


def test_a_defect_in_a_middleware_stays_a_500(
    cast: Cast, web: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(user: Any) -> Any:
        raise ValueError("a defect")

    client = web(cast.rep)
    client.raise_request_exception = False
    monkeypatch.setattr("crmcem.workspace.middleware.person", broken)
    answer = client.get("/contacts/")
    assert answer.status_code == 500
    assert "a defect" not in answer.content.decode()


def test_no_room_for_an_upload_is_a_503(
    cast: Cast, api: Callable[..., APIClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Any, raw_data: bytes, start: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(TemporaryFileUploadHandler, "receive_data_chunk", full)
    file = SimpleUploadedFile("people.csv", b"e-mail\n" + b"x" * 3_000_000, "text/csv")
    answer = api(cast.admin).post(
        "/api/v1/imports/", {"file": file, "object": "contacts"}, format="multipart"
    )
    assert answer.status_code == 503
    assert answer.json()["detail"] == (
        "The server has no room left on its disk. Nothing was saved; tell an administrator."
    )
    assert ImportJob.objects.count() == 0
