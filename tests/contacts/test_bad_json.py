"""Bad bodies for every way in over JSON: a clear problem, nothing written, never a 500."""

import datetime as dt
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.models import Activity, Company, Contact, EventKey, IdentityAlias, ImportJob, Interaction, Task
from tests.factories.fields import custom_texts

pytestmark = pytest.mark.django_db
TABLES = (Contact, Company, Interaction, Task, Activity, EventKey, IdentityAlias)
PATHS = ("contacts/", "companies/", "interactions/", "tasks/", "events/", "events/batch/", "identify/")
NOW = dt.datetime.now(dt.UTC).isoformat()


@pytest.fixture(autouse=True)
def _fields(db: None) -> None:
    custom_texts("tier", "a")
    custom_texts("tier", entity="company")


GOOD: dict[str, dict[str, Any]] = {
    "contacts/": {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": "ada@example.org",
        "phone": "+442079460958",
        "external_id": "x1",
        "lifecycle_stage": "lead",
        "tags": ["vip"],
        "custom": {"tier": "gold"},
        "consent": {"email": "granted"},
        "language": "en",
        "time_zone": "Europe/London",
        "company": None,
        "owner": None,
        "job_title": "Countess",
    },
    "companies/": {
        "name": "Analytical",
        "external_id": "c1",
        "domain": "analytical.example",
        "industry": "Engines",
        "size": 3,
        "phone": "+442079460958",
        "website": "https://analytical.example",
        "custom": {"tier": "gold"},
        "owner": None,
    },
    "interactions/": {
        "kind": "call",
        "direction": "out",
        "occurred_at": NOW,
        "subject": "Hello",
        "body": "Long",
        "duration_seconds": 60,
        "outcome": "reached",
        "sentiment": 0.5,
        "contact": None,
        "company": None,
        "deal": None,
    },
    "tasks/": {
        "title": "Call back",
        "kind": "call",
        "body": "x",
        "due_at": NOW,
        "remind_at": NOW,
        "time_zone": "Europe/London",
        "priority": "high",
        "recurrence": "",
        "contact": None,
        "company": None,
        "deal": None,
        "assignee": None,
    },
    "events/": {
        "message_id": "m1",
        "event": "order.placed",
        "occurred_at": NOW,
        "contact": {"email": "ada@example.org"},
        "properties": {"total": 3},
    },
    "identify/": {
        "anonymous_id": "a1",
        "contact": {"email": "ada@example.org"},
        "traits": {"first_name": "Ada"},
    },
}


def counts() -> list[int]:
    return [model.objects.count() for model in TABLES]


@pytest.fixture
def client(cast: Any, token_for: Any) -> Client:
    return Client(HTTP_AUTHORIZATION=f"Bearer {token_for(cast.integrator)}")


def post(client: Client, path: str, body: Any) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(f"/api/v1/{path}", data, content_type="application/json")


def assert_problem(answer: Any, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in (statuses or (400,)), (answer.status_code, answer.content[:300])
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in answer.content.decode()
    return body


BODIES = {
    "nothing": b"",
    "blanks": b"  \n",
    "half": b'{"first_name": "A',
    "not JSON": b"first_name=Ada",
    "NaN": b'{"custom": {"a": NaN}}',
    "Infinity": b'{"custom": {"a": -Infinity}}',
    "single quotes": b"{'a': 1}",
    "trailing comma": b'{"a": 1,}',
    "not UTF-8": b'{"first_name": "\xff\xfe"}',
    "UTF-16": '{"first_name": "Ada"}'.encode("utf-16"),
    "NUL byte": b'{"first_name": "A\x00da"}',
    "NUL escaped": b'{"first_name": "A\\u0000da"}',
    "NUL in a key": b'{"custom": {"a\\u0000": 1}}',
    "lone surrogate": b'{"first_name": "A\\ud800"}',
    "reversed surrogates": b'{"first_name": "\\udc00\\ud800"}',
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep inside": b'{"custom": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
    "a text": b'"contact"',
    "a number": b"17",
    "null": b"null",
    "true": b"true",
    "a list": b"[1, 2]",
    "empty object": b"{}",
    "huge number": b'{"size": 1' + b"0" * 400 + b"}",
    "huge exponent": b'{"size": 1e400, "sentiment": 1e400, "name": "x", "kind": "call", "title": "x"}',
    "two documents": b'{"a": 1}{"b": 2}',
    "unknown field": b'{"is_staff": true}',
}


@pytest.mark.parametrize("name", BODIES)
def test_bad_bodies_are_problems_and_write_nothing(client: Client, name: str) -> None:
    before = counts()
    for path in PATHS:
        answer = post(client, path, BODIES[name])
        if path == "events/batch/" and answer.status_code == 200:  # each event is judged for itself
            assert answer.json()["accepted"] == 0
        else:
            assert_problem(answer)
    assert counts() == before


@pytest.mark.parametrize("path", PATHS)
def test_other_media_types_are_problems(client: Client, path: str) -> None:
    before = counts()
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "nonsense", ""):
        assert_problem(client.post(f"/api/v1/{path}", b"<a/>", content_type=kind), 400, 415)
    multipart = client.post(f"/api/v1/{path}", {"first_name": "x"})
    assert_problem(multipart, 400, 415)
    assert counts() == before


def test_a_body_larger_than_memory_allows_is_refused_unread(client: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000
    before = counts()
    for path in PATHS:
        body = {"first_name": "x" * 20_000, "name": "x", "title": "x"}
        assert "10 KB" in assert_problem(post(client, path, body), 413)["detail"]
    assert counts() == before


def test_a_file_larger_than_the_limit_is_refused_before_it_is_read(
    cast: Any, client: Client, web: Any, settings: Any
) -> None:
    settings.IMPORT_MAX_BYTES = 1_000_000
    large = SimpleUploadedFile("large.csv", b"email\n" + b"x" * 3_000_000)
    answer = client.post("/api/v1/imports/", {"file": large, "object": "contacts"})
    assert "3 MB" in assert_problem(answer, 413)["detail"]
    large.seek(0)
    page = web(cast.rep).post("/imports/new/", {"file": large, "object": "contacts"})
    assert page.status_code == 413
    assert "at most 3 MB" in page.content.decode()
    assert not ImportJob.objects.exists()


# --- every field with every kind of value -----------------------------------------------------------
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**30), max_value=10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30),
    st.sampled_from(
        [
            "",
            " ",
            "\ud800",
            "\x00",
            "\u202e",
            "x" * 5000,
            "=1+1",
            "a@b.example\r\nBcc: c@d.example",
            "2026-02-30T00:00:00Z",
            "0000-00-00",
            "9999-12-31T23:59:59-14:00",
            "0001-01-01T00:00:00+14:00",
            "2026-01-01",
            "1e999",
            "-1",
            "١٢٣",
            "<script>alert(1)</script>",
            "' OR 1=1 --",
            "%s",
            "{{ 7 * 7 }}",
            "9" * 50,
            "../../etc/passwd",
        ]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("path", [path for path in PATHS if path in GOOD])
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_wrong_types_in_every_field_are_never_a_defect(
    client: Client, path: str, data: st.DataObject
) -> None:
    body = dict(GOOD[path])
    for name in data.draw(st.lists(st.sampled_from(sorted(body)), min_size=1, max_size=3, unique=True)):
        body[name] = data.draw(values)
    before = counts()
    answer = post(client, path, body)
    if answer.status_code in {200, 201, 202}:
        return
    assert_problem(answer, 400, 409)
    assert counts() == before


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_batch_with_bad_events_takes_the_good_ones(client: Client, data: st.DataObject) -> None:
    bad = data.draw(st.lists(values, max_size=4))
    mixed = []
    for value in bad:
        event = dict(GOOD["events/"], message_id=f"bad-{len(mixed)}")
        name = data.draw(st.sampled_from(sorted(event)))
        event[name] = value
        mixed.append(data.draw(st.sampled_from([value, event])))
    unique = str(data.draw(st.uuids()))
    good = dict(GOOD["events/"], message_id=unique)
    mixed.insert(data.draw(st.integers(0, len(mixed))), good)
    answer = post(client, "events/batch/", {"events": mixed})
    text = json.dumps(mixed, ensure_ascii=False)  # half a pair stays half here, and U+10000 one character
    if "\ud800" in text or "\\u0000" in text or answer.status_code == 400:
        assert_problem(answer)  # the body itself can't be read
        return
    assert answer.status_code == 200, answer.content[:300]
    taken = answer.json()
    assert taken["accepted"] + taken["duplicates"] + len(taken["rejected"]) == len(mixed)
    assert mixed.index(good) not in {rejected["index"] for rejected in taken["rejected"]}
    assert all(e["field"] and e["code"] and e["detail"] for r in taken["rejected"] for e in r["errors"])


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("contacts/", "email", "a@b.example\r\nBcc: c@d.example"),
        ("contacts/", "email", "a@b.example\nSubject: x"),
        ("contacts/", "email", "a b@c.example"),
        ("contacts/", "email", "a@b"),
        ("contacts/", "email", ["a@b.example"]),
        ("contacts/", "email", "x" * 300 + "@b.example"),
        ("contacts/", "email", 'A <a@b.example>, "<c@d.example>"'),
        ("contacts/", "phone", "call me"),
        ("contacts/", "phone", "9" * 60),
        ("contacts/", "lifecycle_stage", "prospect"),
        ("contacts/", "tags", "x" * 70),
        ("contacts/", "tags", [["x"]]),
        ("contacts/", "custom", {"Bad Key": 1}),
        ("contacts/", "custom", {"a": {"b": {"c": 1}}}),
        ("contacts/", "time_zone", "Mars/Olympus"),
        ("contacts/", "company", "999999999999999999999999"),
        ("contacts/", "company", "1 OR 1=1"),
        ("contacts/", "owner", {"id": 1}),
        ("companies/", "size", -1),
        ("companies/", "size", 2**40),
        ("companies/", "size", 1.5),
        ("companies/", "website", "javascript:alert(1)"),
        ("companies/", "domain", "not a domain"),
        ("interactions/", "occurred_at", "2026-02-30T10:00:00Z"),
        ("interactions/", "occurred_at", "2026-01-01T10:00:00"),
        ("interactions/", "occurred_at", "10000-01-01T00:00:00Z"),
        ("interactions/", "duration_seconds", 10**12),
        ("interactions/", "sentiment", 2),
        ("tasks/", "due_at", "yesterday"),
        ("tasks/", "due_at", 1700000000),
        ("tasks/", "remind_at", "2026-01-01"),
        ("tasks/", "recurrence", "hourly"),
        ("events/", "occurred_at", "2026-13-01T00:00:00Z"),
        ("events/", "occurred_at", "9999-12-31T23:59:59-23:59"),
        ("events/", "event", "Order Placed"),
        ("events/", "event", "contact.created"),
        ("events/", "message_id", ""),
        ("events/", "message_id", 17),
        ("events/", "contact", {"email": "a@b.example\r\nBcc: x@y.example"}),
        ("events/", "contact", {}),
        ("events/", "properties", [1]),
        ("events/", "properties", {"x": "y" * 40_000}),
        ("identify/", "contact", {"email": "a@b.example\nx: y"}),
        ("identify/", "anonymous_id", "x" * 300),
        ("identify/", "traits", {"email": 17}),
    ],
)
def test_each_bad_value_is_named_and_writes_nothing(
    client: Client, path: str, field: str, value: Any
) -> None:
    contact = {"contact": str(Contact.objects.create(first_name="A").pk)} if path == "interactions/" else {}
    before = counts()
    problem = assert_problem(post(client, path, GOOD[path] | contact | {field: value}))
    fields = {error["field"].split(".")[0] for error in problem["errors"]}
    assert {name.split(".")[0] for name in fields} <= {field, "traits", "email"}
    assert fields
    assert counts() == before


@pytest.mark.parametrize("path", [path for path in PATHS if path in GOOD])
def test_the_good_bodies_of_these_tests_are_good(client: Client, path: str, cast: Any) -> None:
    body = dict(GOOD[path])
    if path in {"interactions/"}:
        contact = Contact.objects.create(first_name="A")
        body["contact"] = str(contact.pk)
    assert post(client, path, body).status_code in {200, 201, 202}
