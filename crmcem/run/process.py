"""Start, watch and stop child processes so that none is ever left behind.

Three nets, one below the other: the supervisor stops its children in order; where it is killed, the watchdog
does; where that is killed too, the kernel signals each child (`PR_SET_PDEATHSIG`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from crmcem.run.errors import RunError, StopRequestedError

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.05

#: what is stopped first, and last
PROGRAMS, BROKER, DATABASE = 0, 1, 2

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Signals:
    """Remembers that somebody asked to stop. The handlers only set a flag; loops poll it."""

    def __init__(self) -> None:
        self.count = 0
        self.last = 0

    def install(self) -> None:
        """Catch Ctrl-C, SIGTERM and a closed terminal."""
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, self._arrived)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        self.last = number

    def check(self) -> None:
        """Raise `StopRequestedError` when a signal has arrived."""
        if self.count:
            raise StopRequestedError


def die_with_parent(parent: int, number: signal.Signals) -> Callable[[], None]:
    """A function for the child, run before its program: the kernel signals it when the parent dies."""

    def prepare() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(number))
            if os.getppid() != parent:  # it died in between
                os._exit(1)

    return prepare


class Watchdog:
    """The connection to the helper process of `watchdog.py`."""

    def __init__(self, lock_descriptor: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("watchdog.py"))],
            stdin=subprocess.PIPE,
            text=True,
            pass_fds=[lock_descriptor] if lock_descriptor >= 0 else [],
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self._pipe: IO[str] = self._process.stdin

    def watch(self, pid: int, stage: int, number: signal.Signals) -> None:
        """Stop that process and its group if the supervisor dies."""
        self._send(f"watch {pid} {stage} {int(number)}")

    def forget(self, pid: int) -> None:
        """It has ended."""
        self._send(f"forget {pid}")

    def _send(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._pipe.write(line + "\n")
            self._pipe.flush()

    def close(self) -> None:
        """The supervisor has stopped everything itself."""
        with contextlib.suppress(BrokenPipeError):
            self._pipe.close()
        self._process.wait()


@dataclass(kw_only=True)
class Program:
    """How one child is run.

    `user` is (uid, gid) for a child that may not be root. `log` is the file that gets its output; without one
    the child shares the supervisor's terminal.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path | None = None
    stage: int = PROGRAMS
    stop_signal: signal.Signals = signal.SIGTERM
    user: tuple[int, int] | None = None


@dataclass
class Child:
    """A started program."""

    program: Program
    process: subprocess.Popen[bytes]
    watchdog: Watchdog
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def start(cls, program: Program, watchdog: Watchdog) -> Child:
        """Start it in a session of its own. Raises `RunError` where the program cannot be executed."""
        with contextlib.ExitStack() as files:
            output = files.enter_context(program.log.open("ab")) if program.log else None
            uid, gid = program.user or (None, None)
            try:
                process = subprocess.Popen(
                    program.command,
                    cwd=program.folder,
                    env=dict(program.environment),
                    stdin=subprocess.DEVNULL if output else None,
                    stdout=output,
                    stderr=subprocess.STDOUT if output else None,
                    start_new_session=True,
                    preexec_fn=die_with_parent(os.getpid(), program.stop_signal),
                    user=uid,
                    group=gid,
                    extra_groups=[] if uid is not None else None,
                )
            except OSError as problem:
                reason = problem.strerror
                raise RunError(f"{program.command[0]} could not be started: {reason}.") from problem
        watchdog.watch(process.pid, program.stage, program.stop_signal)
        return cls(program, process, watchdog)

    def ended(self) -> int | None:
        """The exit code once it has ended (negative: the signal that ended it); stragglers are swept away."""
        code = self.process.poll()
        if code is not None:
            self._sweep()
        return code

    def wait(self, signals: Signals) -> int:
        """Wait for the end, return the exit code. Raises `StopRequestedError`; the child then still runs."""
        while (code := self.ended()) is None:
            signals.check()
            time.sleep(POLL_SECONDS)
        return code

    def signal(self, number: int) -> None:
        """Pass a signal on, if it is still there to hear it."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def stop(self, seconds: float, *, impatient: Callable[[], bool] = lambda: False) -> None:
        """Ask it to end, wait at most `seconds`, then kill the whole group."""
        self.signal(self.program.stop_signal)
        until = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < until and not impatient():
            time.sleep(POLL_SECONDS)
        if self.process.poll() is None and self.program.stage == DATABASE:
            self.signal(signal.SIGQUIT)  # PostgreSQL drops everything and recovers at the next start
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        self._sweep()
        self.process.wait()

    def _sweep(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.watchdog.forget(self.process.pid)


def stop_all(children: Sequence[Child], seconds: float, signals: Signals) -> None:
    """Stop children of one stage side by side; one more signal makes it short."""
    already = signals.count
    for child in children:
        child.signal(child.program.stop_signal)
    until = time.monotonic() + seconds
    while any(child.process.poll() is None for child in children):
        if time.monotonic() > until or signals.count > already:
            break
        time.sleep(POLL_SECONDS)
    for child in children:
        child.stop(0)


def last_words(log: Path, lines: int = 1) -> str:
    """The last lines of a log that say something."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(said[-lines:])
