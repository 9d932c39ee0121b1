"""`serve`: the whole product starts, keeps its data, survives crashes and leaves nothing behind.

One walk, because every start costs seconds: each step uses the state that the one before left.
"""

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from crmcem.run.environment import web_port
from crmcem.run.home import free_port
from tests.run.cli import ROOT, Cli, cmdline, eventually, plain_environment
from tests.run.running import Running, sql


def test_a_whole_life(cli: Cli) -> None:
    port = free_port()

    # the first start: everything is made, the address is printed, the pages answer
    first = Running(cli, port)
    first.wait_ready()
    assert first.said(f"http://localhost:{port}")
    assert (first.status("/healthz"), first.status("/readyz")) == (200, 200)
    assert first.master(b"gunicorn")
    assert first.master(b"celery", b"worker")
    assert first.master(b"celery", b"beat")
    assert sql(cli, "CREATE TABLE kept AS SELECT 42 AS answer") == ""

    # a second supervisor in the same folder is refused
    second = cli.run("serve", PORT=str(free_port()))
    assert (second.returncode, second.stderr) == (
        1,
        f"crmcem is already running in {cli.var} (process {first.process.pid}); stop it first.\n",
    )

    # a crashed program comes back
    web = first.master(b"gunicorn")
    os.kill(web, signal.SIGKILL)
    assert eventually(lambda: first.master(b"gunicorn") not in (0, web))
    assert eventually(lambda: first.status("/healthz") == 200)
    assert first.said("web was ended by signal 9; starting it again in 0.5 s")

    # and so does a crashed database, on the port that the programs know
    os.kill(first.master(b"postgres"), signal.SIGKILL)
    assert eventually(lambda: first.said("postgres was ended by signal 9"))
    assert eventually(lambda: first.status("/readyz") == 200, 30)
    assert sql(cli, "SELECT answer FROM kept") == "[(42,)]"

    # kill -9 of the supervisor leaves no process, grandchildren included
    first.process.kill()
    first.process.wait()
    assert eventually(lambda: not cli.left(), 30), [cmdline(pid) for pid in cli.left()]

    # the next start is quick, keeps the data, and SIGTERM stops it cleanly
    again = Running(cli, port)
    again.wait_ready()
    assert sql(cli, "SELECT answer FROM kept") == "[(42,)]"
    again.process.send_signal(signal.SIGTERM)
    assert again.process.wait(40) == 0
    assert again.said("Stopped.")
    assert cli.left() == []
    assert "database system is shut down" in (cli.var / "log" / "postgres.log").read_text().splitlines()[-1]

    # Ctrl-C during the start stops it as well
    third = Running(cli, port)
    assert eventually(lambda: third.said("Preparing the database"))
    third.process.send_signal(signal.SIGINT)
    assert third.process.wait(40) == 0
    assert cli.left() == []


def test_a_taken_port_is_one_sentence(cli: Cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = cli.run("serve", PORT=str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (f"Port {port} is taken by another program; choose one, such as PORT={port + 1}.\n")
    assert not cli.var.exists()


@pytest.mark.parametrize("port", ["", "eighty", "0", "65536", "-1"])
def test_a_port_that_is_none_is_one_sentence(cli: Cli, port: str) -> None:
    if port:
        done = cli.run("serve", PORT=port)
        assert (done.returncode, done.stderr) == (
            1,
            f"PORT must be a number from 1 to 65535, not {port!r}.\n",
        )
    else:
        assert web_port({"PORT": ""}) == 8000


def test_a_database_that_refuses_is_one_sentence(cli: Cli) -> None:
    """A port that answers, but does not speak PostgreSQL."""
    with socket.socket() as wrong:
        wrong.bind(("127.0.0.1", 0))
        wrong.listen()
        threading.Thread(target=hang_up, args=[wrong], daemon=True).start()
        address = f"postgres://someone@127.0.0.1:{wrong.getsockname()[1]}/x"
        done = cli.run("serve", PORT=str(free_port()), DATABASE_URL=address, DEMO="0")
    assert done.returncode == 1
    assert done.stderr.startswith("The database refuses the connection: ")
    assert done.stderr.count("\n") == 1
    assert cli.left() == []


def hang_up(server: socket.socket) -> None:
    while True:
        try:
            server.accept()[0].close()
        except OSError:
            return


def test_killing_the_parent_stops_the_supervisor_when_asked(cli: Cli) -> None:
    """`make run` passes --stop-with-parent: killing make must not leave the product running."""
    program = (
        "import subprocess, sys;"
        "subprocess.run([sys.executable, '-m', 'crmcem.run', '--var', sys.argv[1], '--stop-with-parent',"
        " 'exec', '--profile', 'test', '--', 'sleep', '60'])"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(cli.var)],
        cwd=ROOT,
        env=plain_environment(CRMCEM_TEST_MARK=cli.mark),
    )
    assert eventually(lambda: cli.runs(b"sleep"))
    parent.kill()
    parent.wait()
    assert eventually(lambda: not cli.left()), cli.left()
