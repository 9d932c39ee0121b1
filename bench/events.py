"""Tracked events over HTTP, two processes of the web server, against COPY into the indexed stream."""

import http.client
import os
import statistics
import subprocess
import sys
import threading
import time
from queue import Empty, Queue
from typing import Any

import orjson
from django.db import connection

from crmcem.run.home import free_port

from .browser import token
from .stream import contact_ids, copy_orders, forget, newest, skip
from .timing import Line, seconds

SIZES = ("100k", "1M")
EVENTS = 60_000
BATCH = 1000
CLIENTS = 4
ROUNDS = 3


def measure() -> dict[str, Any]:
    skip()
    start, ids, secret = newest(), contact_ids(EVENTS), token()
    names = _external_ids(ids)
    port = free_port()
    server = _serve(port)
    taken: dict[str, list[float]] = {"copy": [], "http": []}
    try:
        _wait(port)
        _send(port, secret, _bodies("warm", ids[: 8 * BATCH], names))
        for turn in range(ROUNDS):
            taken["copy"].append(seconds(lambda: copy_orders(ids)))
            bodies = _bodies(f"r{turn}", ids, names)
            before = newest()
            taken["http"].append(seconds(lambda bodies=bodies: _send(port, secret, bodies)))
            if newest() - before < EVENTS:
                raise RuntimeError("Some of the events are not in the stream.")
            forget(start)
    finally:
        server.terminate()
        server.wait(20)
        forget(start)
        skip()
    return {name: EVENTS / statistics.median(values) for name, values in taken.items()}


def _external_ids(ids: list[int]) -> dict[int, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, external_id FROM contacts_contact WHERE id = ANY(%s)", [ids])
        return dict(cursor.fetchall())


def _bodies(turn: str, ids: list[int], names: dict[int, str]) -> list[bytes]:
    events = [
        {
            "message_id": f"bench-{turn}-{number}",
            "event": "order.placed",
            "contact": {"external_id": names[pk]},
            "properties": {"order": "1", "amount": "12.50", "currency": "USD", "bench": True},
        }
        for number, pk in enumerate(ids)
    ]
    return [orjson.dumps({"events": events[at : at + BATCH]}) for at in range(0, len(events), BATCH)]


def _serve(port: int) -> "subprocess.Popen[bytes]":
    command = ["-m", "gunicorn", "crmcem.wsgi", f"--bind=127.0.0.1:{port}", "--workers=2", "--threads=2"]
    hosts = os.environ | {"ALLOWED_HOSTS": "127.0.0.1"}
    return subprocess.Popen([sys.executable, *command, "--log-level=error"], env=hosts)


def _wait(port: int) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            link.request("GET", "/healthz")
            if link.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.3)
    raise RuntimeError("The web server does not answer.")


def _send(port: int, secret: str, bodies: list[bytes]) -> None:
    """All bodies by several clients at once, each over one connection."""
    waiting: Queue[bytes] = Queue()
    for body in bodies:
        waiting.put(body)
    wrong: list[str] = []

    def client() -> None:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        while not wrong:
            try:
                body = waiting.get_nowait()
            except Empty:
                return
            link.request("POST", "/api/v1/events/batch/", body, headers)
            answer = link.getresponse()
            said = answer.read()
            if answer.status != 200 or orjson.loads(said)["accepted"] != BATCH:
                wrong.append(f"{answer.status}: {said[:300]!r}")

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise RuntimeError(wrong[0])


def lines(found: dict[str, dict[str, Any]]) -> list[Line]:
    largest = list(found)[-1]
    figures = found[largest]
    note = f"{figures['http']:,.0f}/s against {figures['copy']:,.0f}/s"
    result = [
        Line(
            "events over HTTP ÷ COPY into the indexed stream",
            figures["http"] / figures["copy"],
            "≥ 0.25",
            note,
        )
    ]
    if len(found) > 1:
        first = next(iter(found))
        text = f"events over HTTP at {largest} contacts ÷ at {first}"
        pair = ", ".join(f"{size} {f['http']:,.0f}/s" for size, f in found.items())
        result.append(Line(text, figures["http"] / found[first]["http"], "≥ 0.8", pair))
    return result
