"""A helper process that outlives the supervisor and stops what it left behind.

It reads commands on its standard input, one a line: `watch PID STAGE SIGNAL` and `forget PID`. End of input
means that the supervisor is gone, be it by `kill -9`: then it stops stage after stage, so that programs
end before the servers they use. It inherits the lock of the folder, so a new supervisor waits until it is
done.

Started by path, with nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import NamedTuple

GRACE_SECONDS = 6.0
DATABASE_SECONDS = 20.0


class Watched(NamedTuple):
    """A process (and its group) that must not outlive the supervisor."""

    pid: int
    stage: int
    stop_signal: int
    born: str


def born(pid: int) -> str:
    """The start time of a process, to tell it from a later one of the same id; empty where unknown."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def running(member: Watched) -> bool:
    """Whether the process itself (not some later one) still works."""
    try:
        os.kill(member.pid, 0)
        with open(f"/proc/{member.pid}/stat") as file:
            words = file.read().rpartition(")")[2].split()
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OSError:  # no /proc: the signal was heard, so it is there
        return not member.born
    return words[0] != "Z" and words[19] == member.born


def stop_stage(members: list[Watched], seconds: float) -> None:
    """Ask politely, wait, then kill the groups that are still there."""
    for member in members:
        if running(member):
            with contextlib.suppress(OSError):
                os.kill(member.pid, member.stop_signal)
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(running(member) for member in members):
        time.sleep(0.05)
    for member in members:
        with contextlib.suppress(OSError):
            os.killpg(member.pid, signal.SIGKILL)


def main() -> None:
    """Follow the supervisor's commands until it is gone, then clean up."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    watched: dict[int, Watched] = {}
    for line in sys.stdin:
        words = line.split()
        if words[0] == "watch":
            pid = int(words[1])
            watched[pid] = Watched(pid, int(words[2]), int(words[3]), born(pid))
        elif words[0] == "forget":
            watched.pop(int(words[1]), None)
    for stage in sorted({member.stage for member in watched.values()}):
        seconds = GRACE_SECONDS if stage == 0 else DATABASE_SECONDS
        stop_stage([member for member in watched.values() if member.stage == stage], seconds)


if __name__ == "__main__":
    main()
