"""The servers of one home: the embedded ones, or those that the environment names."""

from __future__ import annotations

import shutil
from collections.abc import MutableMapping
from pathlib import Path

from crmcem.run.environment import given, require_answer
from crmcem.run.home import Home
from crmcem.run.postgres import Postgres
from crmcem.run.process import Child, Signals, Watchdog, stop_all
from crmcem.run.profiles import Profile
from crmcem.run.valkey import Valkey

SERVER_SECONDS = 30.0


class Servers:
    """Starts what `DATABASE_URL` and `REDIS_URL` leave open, and stops it again."""

    def __init__(self, var: Path, profile: Profile, signals: Signals) -> None:
        self.home = Home(var / profile.folder)
        self.profile = profile
        self.signals = signals
        self.postgres: Postgres | None = None
        self.valkey: Valkey | None = None
        self.children: list[Child] = []
        self._watchdog: Watchdog | None = None

    @property
    def watchdog(self) -> Watchdog:
        """The helper that outlives us; there once `open` has run."""
        assert self._watchdog is not None
        return self._watchdog

    def open(self, environment: MutableMapping[str, str], *, alone: bool = True) -> None:
        """Lock the home, start the missing servers and put every address into `environment`.

        With `alone=False` the lock is only taken where a server is to be started.
        """
        if alone or not (given("DATABASE_URL", environment) and given("REDIS_URL", environment)):
            self.home.open()
        self._watchdog = Watchdog(self.home.lock_descriptor)
        try:
            self._start(environment)
        except BaseException:
            self.close(clean=False)
            raise

    def _start(self, environment: MutableMapping[str, str]) -> None:
        database, broker = given("DATABASE_URL", environment), given("REDIS_URL", environment)
        if database:
            require_answer("DATABASE_URL", database, 5432)
        if broker:
            require_answer("REDIS_URL", broker, 6379)
        if not self.profile.durable:
            self._forget_unless_clean()
        if not database:
            self.postgres = Postgres(self.home, self.profile)
            self.children.append(self.postgres.start(self.watchdog, self.signals))
            environment["DATABASE_URL"] = self.postgres.url
        if not broker:
            self.valkey = Valkey(self.home, self.profile)
            self.children.append(self.valkey.start(self.watchdog, self.signals))
            environment["REDIS_URL"] = self.valkey.url
        if not given("SECRET_KEY", environment):
            self.home.path.mkdir(parents=True, exist_ok=True)
            environment["SECRET_KEY"] = self.home.secret("secret_key")

    def restart(self, child: Child) -> Child:
        """Start a server again that has ended by itself, on the same port."""
        self.children.remove(child)
        server = self.postgres if child.program.name == "postgres" else self.valkey
        assert server is not None
        fresh = server.start(self.watchdog, self.signals)
        self.children.append(fresh)
        return fresh

    def close(self, *, clean: bool = True) -> None:
        """Stop the servers, the broker first, and give the folder back."""
        for child in sorted(self.children, key=lambda one: one.program.stage):
            stop_all([child], SERVER_SECONDS, Signals())
        self.children.clear()
        if clean and not self.profile.durable and self.home.lock_descriptor >= 0:
            self._clean_mark.touch()
        self.home.close()
        if self._watchdog is not None:
            self._watchdog.close()
            self._watchdog = None

    @property
    def _clean_mark(self) -> Path:
        return self.home.path / "stopped-cleanly"

    def _forget_unless_clean(self) -> None:
        """Without fsync a killed server leaves data that nobody can trust: begin anew."""
        if self._clean_mark.is_file():
            self._clean_mark.unlink()
            return
        for name in ("pg", "valkey"):
            shutil.rmtree(self.home.path / name, ignore_errors=True)


def address_of_running(var: Path, environment: MutableMapping[str, str], profile: Profile) -> bool:
    """Where `serve` runs in this folder, put its servers' addresses into `environment`, and say so."""
    home = Home(var / profile.folder)
    if not home.running():
        return False
    if not given("DATABASE_URL", environment):
        password, port = home.secret("postgres"), home.known_port("postgres")
        environment["DATABASE_URL"] = f"postgres://crmcem:{password}@127.0.0.1:{port}/crmcem"
    if not given("REDIS_URL", environment):
        password, port = home.secret("valkey"), home.known_port("valkey")
        environment["REDIS_URL"] = f"redis://:{password}@127.0.0.1:{port}/0"
    if not given("SECRET_KEY", environment):
        environment["SECRET_KEY"] = home.secret("secret_key")
    return True
