"""The broker is gone: people sign in, read, write and answer; what waited is done when it comes back, once.

One walk with real processes: the product's broker stands behind a door of ours that can be shut. The same product then
shows that it sheds a burst of load and recovers, and that it finishes a request which SIGTERM finds half sent.
"""

import http.client
import http.cookiejar
import json
import os
import re
import signal
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from crmcem.run.home import free_port
from tests.run.cli import Cli, eventually
from tests.run.running import Running

PASSWORD = "a-Long-pass-word"
SET_UP = f"""
import os
from crmcem.lib.actors import person
from crmcem.workspace.models import Role, User
from contacts.services.contacts import contact_create
from crmcem.workspace.services.tokens import token_create
from feedback import links
from feedback.services.invitations import invitation_create
from feedback.services.surveys import survey_create, survey_publish

user = User(username="bot", email="bot@crm.example", role=Role.objects.get(key="admin"), is_active=True)
user.set_password("{PASSWORD}")
user.save()
me = person(user)
contact = contact_create(data={{"first_name": "Ada", "email": "ada@customer.example"}}, actor=me)
survey = survey_create(name="After the order", kind="nps", actor=me)
survey = survey_publish(survey=survey, actor=me)
invitation = invitation_create(survey=survey, contact=contact, actor=me)
words = [links.invitation_url(invitation.pk), os.environ["DATABASE_URL"]]
for name in ("one", "two"):
    words.append(token_create(user=user, name=name, scopes=["*"], expires_at=None, actor=me)[1])
print("MADE", *words)
"""
BEHIND = (
    "SELECT count(*) FROM contacts_consumeroffset o WHERE EXISTS (SELECT 1 FROM contacts_activity a"
    " WHERE (a.txid, a.id) > (o.txid::xid8, o.last_id))"
)
#: nobody waits longer than this for a page while the broker is gone
PATIENCE = 8.0


class Door:
    """A TCP door in front of the real broker: shut, every connection is cut and new ones are refused."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.behind = (parts.hostname or "127.0.0.1", parts.port or 6379)
        self.port = free_port()
        login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        self.url = f"{parts.scheme}://{login}127.0.0.1:{self.port}/9"
        self._lines: list[socket.socket] = []
        self.open()

    def open(self) -> None:
        self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=[self._server], daemon=True).start()

    def shut(self) -> None:
        for line in [self._server, *self._lines]:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        self._lines.clear()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                near, _address = server.accept()
                far = socket.create_connection(self.behind)
            except OSError:
                return
            self._lines += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=[one, other], daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for line in (source, target):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


class Person:
    """A browser without a face: cookies, forms, redirects."""

    def __init__(self, base: str) -> None:
        self.base = base
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar)

    def open(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Status, final address and text."""
        data = None if form is None else urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self.base + path, data, {"Referer": self.base + path})
        begin = time.monotonic()
        try:
            with self.opener.open(request, timeout=30) as answer:
                found = (answer.status, answer.geturl(), answer.read().decode())
        except urllib.error.HTTPError as error:
            found = (error.code, error.url or "", error.read().decode())
        assert time.monotonic() - begin < PATIENCE, f"{path} took too long"
        return found

    def submit(self, path: str, **fields: str) -> tuple[int, str, str]:
        _status, _url, page = self.open(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token, page[:500]
        return self.open(path, {"csrfmiddlewaretoken": token[1], **fields})


@pytest.fixture
def door() -> Iterator[Door]:
    one = Door(os.environ["REDIS_URL"])
    yield one
    one.shut()


def rows(database: str, statement: str) -> Any:
    connection = psycopg2.connect(database)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.close()


def call(running: Running, token: str, method: str, path: str, body: Any = None) -> tuple[int, Any, Any]:
    line = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    headers = {"Host": f"localhost:{running.port}", "Authorization": f"Bearer {token}"}
    try:
        line.request(
            method,
            path,
            None if body is None else json.dumps(body),
            headers | {"Content-Type": "application/json"},
        )
        answer = line.getresponse()
        text = answer.read()
        return answer.status, answer.headers, json.loads(text) if text else None
    finally:
        line.close()


def test_life_goes_on_without_the_broker_and_after_a_burst(cli: Cli, door: Door) -> None:
    running = Running(cli, free_port(), REDIS_URL=door.url, API_RATE="60/min")
    running.wait_ready()
    made = cli.run("exec", "--", "python", "manage.py", "shell", "-v", "0", "-c", SET_UP, REDIS_URL=door.url)
    assert "MADE" in made.stdout, made.stderr
    link, database, token, other = made.stdout.split("MADE", 1)[1].split()
    link = urlsplit(link).path
    base = f"http://localhost:{running.port}"

    door.shut()
    without_the_broker(running, base, link, token)
    assert rows(database, "SELECT count(*) FROM feedback_response") == [(1,)]
    door.open()
    assert eventually(lambda: running.status("/readyz") == 200, 30)
    assert eventually(lambda: rows(database, BEHIND) == [(0,)], 60), "the backlog must drain"
    assert eventually(
        lambda: rows(database, "SELECT nps FROM contacts_pulse WHERE nps IS NOT NULL") == [(3,)], 30
    )
    assert eventually(lambda: rows(database, "SELECT count(*) FROM feedback_case") == [(1,)], 30)
    assert rows(database, "SELECT count(*) FROM contacts_contact WHERE first_name = 'Grace'") == [(1,)]
    assert rows(database, "SELECT count(*) FROM contacts_activity WHERE kind = 'survey.answered'") == [(1,)]

    a_burst_is_shed(running, token)
    sigterm_finishes_a_request(cli, running, other)


def without_the_broker(running: Running, base: str, link: str, token: str) -> None:
    assert eventually(lambda: running.status("/readyz") == 503)
    assert running.status("/healthz") == 200
    status, _headers, said = call(running, token, "GET", "/readyz")
    assert (status, said["ready"], said["checks"]["broker"]) == (503, False, "The broker can't be reached.")
    assert said["checks"]["database"] == "ok"
    person = Person(base)
    status, url, _page = person.submit("/accounts/login/", login="bot", password=PASSWORD)
    assert (status, urlsplit(url).path) == (200, "/")
    status, _url, page = person.open("/contacts/")
    assert status == 200
    assert "Ada" in page
    assert call(running, token, "POST", "/api/v1/contacts/", {"first_name": "Grace"})[0] == 201
    status, _url, page = person.submit("/contacts/new/", first_name="Edsger", lifecycle_stage="lead")
    assert status == 200
    assert "Edsger" in page
    customer = Person(base)
    status, _url, _page = customer.submit(link, nps="3", comment="It came late.")
    assert status == 200


def a_burst_is_shed(running: Running, token: str) -> None:
    """Ten times what one caller may send: refused with a time to come back, and nobody else waits."""

    def one(_number: int) -> int:
        status, headers, _body = call(running, token, "GET", "/api/v1/contacts/")
        assert status in (200, 429, 503)
        if status != 200:
            assert int(headers["Retry-After"]) > 0
        return status

    with ThreadPoolExecutor(40) as pool:
        counted = Counter(pool.map(one, range(200)))
    assert counted[200] > 0
    assert counted[429] + counted[503] > 0
    begin = time.monotonic()
    assert (running.status("/healthz"), running.status("/readyz")) == (200, 200)
    assert time.monotonic() - begin < 5


def sigterm_finishes_a_request(cli: Cli, running: Running, token: str) -> None:
    """Half of the body is sent, then the product is told to stop: the rest is still taken and answered."""
    body = json.dumps(
        {"message_id": "last", "event": "order.placed", "contact": {"external_id": "L"}}
    ).encode()
    line = socket.create_connection(("127.0.0.1", running.port), timeout=30)
    head = (
        f"POST /api/v1/events/ HTTP/1.1\r\nHost: localhost:{running.port}\r\nConnection: close\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    line.sendall(head.encode() + body[:10])
    time.sleep(0.5)
    running.process.send_signal(signal.SIGTERM)
    time.sleep(1)
    line.sendall(body[10:])
    answer = line.recv(65536)
    line.close()
    assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201", b"HTTP/1.1 202")), answer[:200]
    assert running.process.wait(60) == 0
    assert cli.left() == []
