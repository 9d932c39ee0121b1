"""``/api/v1/imports/``: who may, what comes back, what is refused."""

import json
from typing import Any

import pytest

from contacts.importing import runner
from contacts.models import Contact, ImportJob
from tests.contacts.imports import csv_file

pytestmark = pytest.mark.django_db
URL = "/api/v1/imports/"


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def send(client: Any, text: str | bytes = "email\na@example.org\n", **fields: Any) -> Any:
    return client.post(URL, {"file": csv_file(text), "object": "contacts"} | fields, format="multipart")


def test_a_file_is_taken_in_and_run(cast: Any, api: Any) -> None:
    client = api(cast.integrator)
    response = send(client, "Mail,Name\na@example.org,Ada Lovelace\nnonsense,x\n")

    assert response.status_code == 201, response.content
    job = response.json()
    assert (job["status"], job["rows_done"], job["mapping"]) == (
        "queued",
        0,
        {"Mail": "email", "Name": "full_name"},
    )
    runner.run(int(job["id"]))
    job = client.get(f"{URL}{job['id']}/").json()
    done = {
        name: job[name]
        for name in ("status", "rows_total", "rows_done", "created", "updated", "skipped", "failed")
    }
    assert done == {
        "status": "done",
        "rows_total": 2,
        "rows_done": 2,
        "created": 1,
        "updated": 0,
        "skipped": 0,
        "failed": 1,
    }
    answer = client.get(job["errors_url"])
    assert answer["Content-Type"].startswith("text/csv")
    assert "attachment" in answer["Content-Disposition"]
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[0] == "Mail,Name,import_error"
    assert lines[1].startswith("nonsense,x,")
    errors = client.get(f"{URL}{job['id']}/row-errors/").json()["results"]
    assert [(e["row"], e["field"], e["raw"]) for e in errors] == [(2, "email", ["nonsense", "x"])]
    assert [row["id"] for row in client.get(URL).json()["results"]] == [job["id"]]


def test_the_error_report_can_be_mended_and_sent_again(cast: Any, api: Any) -> None:
    client = api(cast.integrator)
    job = send(client, "external_id,first_name,email\n1,=cmd(),broken\n2,Bob,bob@example.org\n").json()
    runner.run(int(job["id"]))
    report = b"".join(client.get(job["errors_url"]).streaming_content).decode("utf-8-sig")
    assert "'=cmd()" in report

    again = send(client, report.replace("broken", "fixed@example.org", 1)).json()
    runner.run(int(again["id"]))

    assert client.get(f"{URL}{again['id']}/").json()["created"] == 1
    assert Contact.objects.get(external_id="1").first_name == "=cmd()"


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"mapping": "{"}, "mapping", "invalid"),
        ({"mapping": "[1]"}, "mapping", "invalid"),
        ({"mapping": json.dumps({"email": "owner_id"})}, "mapping", "unknown_field"),
        ({"mapping": json.dumps({"nope": "email"})}, "mapping", "unknown_column"),
        ({"mapping": json.dumps({"email": ["x"]})}, "mapping", "unknown_field"),
        ({"mapping": json.dumps({"email": "tags"})}, "mapping", "no_key"),
        ({"mode": "replace"}, "mode", "invalid_choice"),
        ({"object": "deals"}, "object", "invalid_choice"),
        ({"status": "done"}, "status", "unknown_field"),
    ],
)
def test_bad_requests_keep_nothing(
    cast: Any, api: Any, fields: dict[str, str], field: str, code: str
) -> None:
    response = send(api(cast.integrator), **fields)

    assert response.status_code == 400
    assert [(e["field"], e["code"]) for e in response.json()["errors"]] == [(field, code)]
    assert not ImportJob.objects.exists()


@pytest.mark.parametrize("text", [b"", b"\x00\x01\x02", b"email,email\n1,2\n", b"\xff\xfe", b"PK\x03\x04xx"])
def test_bad_files_are_400(cast: Any, api: Any, text: bytes) -> None:
    response = send(api(cast.integrator), text)

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert not ImportJob.objects.exists()


def test_a_file_over_the_cap_is_refused(cast: Any, api: Any, settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = 100
    response = send(api(cast.integrator), "email\n" + "a@example.org\n" * 100)

    assert [e["code"] for e in response.json()["errors"]] == ["too_large"]


def test_json_and_missing_files_are_400(cast: Any, api: Any) -> None:
    client = api(cast.integrator)
    assert client.post(URL, {"object": "contacts"}, format="json").status_code == 400
    assert client.post(URL, [], format="json").status_code == 400
    assert client.post(URL, {"object": "contacts"}, format="multipart").status_code == 400


def test_who_may(cast: Any, api: Any) -> None:
    assert send(api(None)).status_code == 401
    assert send(api(cast.readonly)).status_code == 403
    assert send(api(cast.nobody)).status_code == 403
    assert send(api(cast.integrator, ["imports:write"])).status_code == 403
    assert send(api(cast.integrator, ["contacts:write"])).status_code == 403
    assert not ImportJob.objects.exists()
    assert send(api(cast.rep)).status_code == 201


def test_jobs_of_others_are_not_there(cast: Any, api: Any) -> None:
    job = send(api(cast.rep)).json()
    other = api(cast.rep2)

    for path in ("", "errors/", "row-errors/"):
        assert other.get(f"{URL}{job['id']}/{path}").status_code == 404
    assert other.post(f"{URL}{job['id']}/cancel/").status_code == 404
    assert other.get(URL).json()["results"] == []
    assert ImportJob.objects.get().status == "queued"


def test_a_draft_waits_for_its_mapping(cast: Any, api: Any) -> None:
    client = api(cast.rep)
    job = send(client, "x,y\nAda,Lovelace\n", start="false").json()
    assert (job["status"], job["mapping"]) == ("draft", {"x": "", "y": ""})
    assert runner.run(int(job["id"])) == "busy"

    assert client.post(f"{URL}{job['id']}/start/", {}, format="json").status_code == 400
    started = client.post(f"{URL}{job['id']}/start/", {"mapping": {"x": "first_name"}}, format="json")
    assert (started.status_code, started.json()["mapping"]) == (200, {"x": "first_name", "y": ""})
    assert client.post(f"{URL}{job['id']}/start/", {}, format="json").status_code == 409
    runner.run(int(job["id"]))
    assert Contact.objects.get().first_name == "Ada"


def test_cancel(cast: Any, api: Any) -> None:
    client = api(cast.rep)
    job = send(client).json()

    assert client.post(f"{URL}{job['id']}/cancel/").json()["status"] == "cancelled"
    assert runner.run(int(job["id"])) == "busy"
    assert client.post(f"{URL}{job['id']}/cancel/").json()["status"] == "cancelled"
    assert not Contact.objects.exists()
