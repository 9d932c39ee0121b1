"""`serve`: the whole product on one machine, until somebody stops it."""

from __future__ import annotations

import contextlib
import http.client
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from crmcem.run import environment
from crmcem.run.assets import say
from crmcem.run.errors import RunError, StopRequestedError
from crmcem.run.home import port_is_free
from crmcem.run.process import Child, Program, Signals, last_words, stop_all
from crmcem.run.profiles import run_profile
from crmcem.run.servers import Servers
from crmcem.workspace.demo import PASSWORD, PEOPLE

ADDRESS = "127.0.0.1"
LOOP_SECONDS = 0.2
READY_SECONDS = 90.0
STOP_SECONDS = 25.0
LONGEST_BACKOFF = 30.0
HEALTHY_SECONDS = 60.0
LOG_BYTES = 20 * 1024 * 1024


@dataclass
class Place:
    """One program that must be running, and when it may be started again."""

    program: Program
    child: Child | None = None
    failures: int = 0
    not_before: float = 0.0


class Supervisor:
    """Starts everything in order, restarts what crashes, stops everything in order."""

    def __init__(self, root: Path, var: Path) -> None:
        self.root = root
        self.var = var
        self.signals = Signals()
        self.variables = environment.base(root)
        self.port = environment.web_port(self.variables)
        self.servers = Servers(var, run_profile(), self.signals)
        self.places: list[Place] = []
        self._backoff: dict[str, Place] = {}

    def run(self) -> int:
        """Run until a signal arrives. Raises `RunError` where it cannot start."""
        self.signals.install()
        if not port_is_free(self.port):
            raise RunError(
                f"Port {self.port} is taken by another program; choose one, such as PORT={self.port + 1}."
            )
        clean = False
        try:
            self.servers.open(self.variables)
            self._defaults()
            demo = self._prepare()
            self.places = [
                Place(program)
                for program in programs(self.root, self.servers.home.log, self.variables, self.port)
            ]
            self._tend()
            self._wait_until_ready()
            self._announce(demo=demo)
            while True:
                self.signals.check()
                self._tend()
                time.sleep(LOOP_SECONDS)
        except StopRequestedError:
            say("Stopping …")
            clean = True
        finally:
            self._stop(clean=clean)
        say("Stopped.")
        return 0

    def _defaults(self) -> None:
        """What the settings need beside the addresses, unless the person has said otherwise."""
        chosen = {
            "BASE_URL": f"http://localhost:{self.port}",
            "STATIC_ROOT": str(self.var / "static"),
            "MEDIA_ROOT": str(self.var / "media"),
            "EMAIL_URL": f"file://{self.var / 'mail'}",
            "DEMO": "1",
            "PORT": str(self.port),
        }
        for name, value in chosen.items():
            if not environment.given(name, self.variables):
                self.variables[name] = value

    def _prepare(self) -> bool:
        """Migrate and load the demo data; returns whether demo data is there."""
        log = self.servers.home.log / "prepare.log"
        log.unlink(missing_ok=True)
        wanted = self.variables["DEMO"].lower() not in ("0", "no", "false", "off")
        command = [sys.executable, "-m", "crmcem.run.prepare", *(["--demo"] if wanted else [])]
        say(
            "Preparing the database (the first time with demo data: a minute or two) …"
            if wanted
            else "Preparing the database …"
        )
        program = Program(
            name="prepare", command=command, environment=self.variables, folder=self.root, log=log
        )
        child = Child.start(program, self.servers.watchdog)
        try:
            code = child.wait(self.signals)
        except StopRequestedError:
            child.stop(5)
            raise
        if code:
            raise RunError(last_words(log) or f"The preparation ended with code {code}.")
        return last_words(log).endswith("demo")

    def _tend(self) -> None:
        """Start what should run and does not; keep the logs short."""
        for server in list(self.servers.children):
            self._tend_server(server)
        for place in self.places:
            self._tend_program(place)

    def _tend_server(self, child: Child) -> None:
        code = child.ended()
        if code is None:
            return
        place = self._backoff.setdefault(child.program.name, Place(child.program))
        if place.not_before == 0.0:
            self._note_end(place, code, child.started)
        if time.monotonic() < place.not_before:
            return
        try:
            self.servers.restart(child)
            place.not_before = 0.0
        except RunError as problem:
            say(str(problem))
            self.servers.children.append(child)
            self._note_end(place, code, time.monotonic())

    def _tend_program(self, place: Place) -> None:
        if place.child is not None:
            code = place.child.ended()
            if code is None:
                if place.program.log is not None:
                    trim(place.program.log)
                return
            self._note_end(place, code, place.child.started)
            place.child = None
        if time.monotonic() >= place.not_before:
            place.child = Child.start(place.program, self.servers.watchdog)

    def _note_end(self, place: Place, code: int, started: float) -> None:
        """Say what has ended and put its next start off, longer each time."""
        place.failures = 1 if time.monotonic() - started > HEALTHY_SECONDS else place.failures + 1
        delay = min(LONGEST_BACKOFF, 0.5 * 2 ** (place.failures - 1))
        place.not_before = time.monotonic() + delay
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        say(f"{place.program.name} {how}; starting it again in {delay:g} s (see {place.program.log}).")

    def _wait_until_ready(self) -> None:
        """Wait for the web server to say that it can serve."""
        until = time.monotonic() + READY_SECONDS
        host = urlsplit(self.variables["BASE_URL"]).netloc
        while time.monotonic() < until:
            self.signals.check()
            self._tend()
            if answers(self.port, host):
                return
            time.sleep(0.1)
        web = self.places[0].program
        raise RunError(f"The web server does not become ready: {last_words(web.log) if web.log else ''}")

    def _announce(self, *, demo: bool) -> None:
        say(f"\ncrmcem is ready: {self.variables['BASE_URL']}")
        if demo:
            say(f"Sign in as {', '.join(PEOPLE)} with the password {PASSWORD}.")
        say(f"Data and logs are in {self.servers.home.path}. Stop with Ctrl-C.\n")

    def _stop(self, *, clean: bool) -> None:
        """Programs first, so that they can finish what they began; then broker and database."""
        children = [place.child for place in self.places if place.child is not None]
        stop_all(children, STOP_SECONDS, self.signals)
        self.servers.close(clean=clean)


def programs(root: Path, logs: Path, variables: Mapping[str, str], port: int) -> list[Program]:
    """Web server, worker and beat: the same commands as in docker-compose.yml, on loopback."""
    python = [sys.executable, "-m"]
    commands = {
        "web": [
            *python,
            "gunicorn",
            "crmcem.wsgi",
            f"--bind={ADDRESS}:{port}",
            "--workers=2",
            "--threads=4",
            "--timeout=60",
            "--limit-request-line=8190",
            "--graceful-timeout=20",
        ],
        "worker": [
            *python,
            "celery",
            "--app=crmcem.celery:app",
            "worker",
            "--concurrency=2",
            "--loglevel=INFO",
        ],
        "beat": [
            *python,
            "celery",
            "--app=crmcem.celery:app",
            "beat",
            "--scheduler=django_celery_beat.schedulers:DatabaseScheduler",
            "--pidfile=",
            "--loglevel=INFO",
        ],
    }
    return [
        Program(
            name=name,
            command=command,
            environment=variables,
            folder=root,
            log=logs / f"{name}.log",
        )
        for name, command in commands.items()
    ]


def answers(port: int, host: str) -> bool:
    """Whether /readyz on the loopback port says 200; `host` is the name that the settings allow."""
    line = http.client.HTTPConnection(ADDRESS, port, timeout=5)
    with contextlib.closing(line):
        try:
            line.request("GET", "/readyz", headers={"Host": host})
            return line.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def trim(log: Path) -> None:
    """Move what a long log holds to `NAME.log.1` and begin anew; its writer appends, so it follows."""
    try:
        if log.stat().st_size < LOG_BYTES:
            return
        log.with_name(log.name + ".1").write_bytes(log.read_bytes())
        with log.open("r+b") as file:
            file.truncate(0)
    except OSError:
        return
