"""The whole product under load while its parts are killed: what was accepted counts once, nothing else counts.

One walk with real processes (web, worker, beat, PostgreSQL, broker), because every start costs seconds. Clients send
orders, and send again what was not accepted, as the contract tells them to; meanwhile the workers, the broker and the
database are killed and the broker forgets everything.
"""

import ast
import http.client
import itertools
import json
import os
import signal
import threading
import time
from collections import Counter
from typing import Any

import pytest

from crmcem.run.home import free_port
from tests.run.cli import Cli, eventually
from tests.run.running import Running, sql

CLIENTS = 3
CUSTOMERS = 120

SET_UP = """
from crmcem.lib.actors import SYSTEM
from crmcem.workspace.models import Role, User
from crmcem.workspace.services.tokens import token_create
from crmcem.lib.actors import person
from journeys.services.automations import automation_create

user = User.objects.create(
    username="bot", email="bot@crm.example", role=Role.objects.get(key="integrator"), is_active=True
)
definition = {
    "trigger": {"type": "event", "event": "order.placed", "count": 2, "within": {"days": 90}},
    "steps": [{"key": "tag", "type": "action", "action": "add_tag", "parameters": {"tag": "second"}}],
    "reentry": {"policy": "once"},
}
automation_create(name="Second order", definition=definition, actor=SYSTEM, activate=True)
"""


class Load:
    """Clients that send every order until it is accepted, some of them twice."""

    def __init__(self, running: Running, token: str) -> None:
        self.running = running
        self.token = token
        self.refused = 0
        self.failures: list[str] = []
        #: customer → how many orders were accepted
        self.accepted: dict[str, int] = {}
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in self._threads)

    def _send(self, number: int) -> None:
        mine = range(number, CUSTOMERS, CLIENTS)
        for order in itertools.count():
            for customer in mine:
                if self._over.is_set():
                    return
                # every third customer orders only once, and says so again
                self._until_accepted(customer, 0 if customer % 3 == 0 else order)

    def _until_accepted(self, customer: int, order: int) -> None:
        body = event(customer, order)
        until = time.monotonic() + 60
        while not self._post(body):
            self.refused += 1
            if time.monotonic() > until:
                self.failures.append(f"{body['message_id']} was never accepted")
                return
            time.sleep(0.05)
        self.accepted[f"C{customer}"] = order + 1

    def _post(self, body: dict[str, Any]) -> bool:
        line = http.client.HTTPConnection("127.0.0.1", self.running.port, timeout=15)
        headers = {
            "Host": f"localhost:{self.running.port}",
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
        }
        try:
            line.request("POST", "/api/v1/events/", json.dumps(body), headers)
            answer = line.getresponse()
            answer.read()
        except OSError:
            return False
        except http.client.HTTPException:
            return False
        finally:
            line.close()
        if answer.status >= 400 and answer.status not in (429, 500, 502, 503):
            self.failures.append(f"{body['message_id']}: {answer.status}")
            return True
        return answer.status < 300


def event(customer: int, order: int) -> dict[str, Any]:
    return {
        "message_id": f"order-{customer}-{order}",
        "event": "order.placed",
        "contact": {"external_id": f"C{customer}"},
        "properties": {"amount": "10.00"},
    }


def rows(cli: Cli, statement: str) -> Any:
    return ast.literal_eval(sql(cli, statement).replace("Decimal(", "(").replace("\n", ""))


@pytest.fixture
def running(cli: Cli) -> Running:
    one = Running(cli, free_port())
    one.wait_ready()
    return one


def test_what_was_accepted_counts_once_whatever_dies(cli: Cli, running: Running) -> None:
    made = cli.run("exec", "--", "python", "manage.py", "shell", "-v", "0", "-c", SET_UP)
    assert made.returncode == 0, made.stderr
    token = cli.run("exec", "--", "python", "manage.py", "create_api_token", "bot").stdout.split()[-1]
    load = Load(running, token)
    load.start()
    for blow in ("worker", "flush", "postgres", "valkey", "worker", "beat"):
        time.sleep(1.0)  # the clients go on meanwhile
        strike(cli, running, blow)
    # a slow machine takes longer to hear half of the customers
    enough = eventually(lambda: len(load.accepted) > CUSTOMERS / 2, 120)
    load.end()
    assert enough, "there was hardly any load"
    assert load.failures == []
    assert load.refused > 0, "the blows must have hit something"
    assert eventually(lambda: running.status("/readyz") == 200, 30)

    expected = load.accepted
    total = sum(expected.values())
    count = "SELECT count(*) FROM contacts_activity WHERE kind = 'order.placed'"
    assert rows(cli, count) == [(total,)]
    behind = (
        "SELECT count(*) FROM contacts_consumeroffset o WHERE EXISTS (SELECT 1 FROM contacts_activity a"
        " WHERE (a.txid, a.id) > (o.txid::xid8, o.last_id))"
    )
    assert eventually(lambda: rows(cli, behind) == [(0,)], 60), rows(cli, "TABLE contacts_consumeroffset")
    active = "SELECT count(*) FROM journeys_run WHERE status = 'active'"
    assert eventually(lambda: rows(cli, active) == [(0,)], 60)

    pulses = rows(
        cli,
        "SELECT c.external_id, p.orders, p.revenue::text, 'second' = ANY(c.tags) FROM contacts_contact c"
        " JOIN contacts_pulse p ON p.contact_id = c.id",
    )
    assert {name: n for name, n, _revenue, _tag in pulses} == expected
    assert {name: revenue for name, _n, revenue, _tag in pulses} == {
        name: f"{n * 10}.00" for name, n in expected.items()
    }
    assert {name for name, _n, _revenue, tag in pulses if tag} == {n for n, c in expected.items() if c > 1}
    runs = rows(
        cli,
        "SELECT c.external_id, r.status FROM journeys_run r JOIN contacts_contact c ON c.id = r.contact_id",
    )
    assert Counter(runs) == Counter((name, "done") for name, n in expected.items() if n > 1)


def strike(cli: Cli, running: Running, blow: str) -> None:
    """End one part without a warning, or let the broker forget all that it was told."""
    if blow == "flush":
        said = cli.run(
            "exec",
            "--",
            "python",
            "-c",
            "import os, redis; redis.Redis.from_url(os.environ['REDIS_URL']).flushall()",
        )
        assert said.returncode == 0, said.stderr
        return
    module, word = {
        "worker": (b"celery", b"worker"),
        "beat": (b"celery", b"beat"),
        "valkey": (b"valkey", b""),
        "postgres": (b"postgres", b""),
    }[blow]
    assert eventually(lambda: running.master(module, word) != 0, 30), f"{blow} did not come back"
    os.kill(running.master(module, word), signal.SIGKILL)
