"""Real processes over the test's database: started together, waited for, killed."""

import os
import signal
import time
import traceback
from collections.abc import Callable
from typing import Any

from django.db import connections


class Process:
    """``work`` in a forked process with connections of its own. ``wait`` answers its exit code or ``-signal``."""

    def __init__(self, work: Callable[[], Any]) -> None:
        connections.close_all()  # a shared socket would mix two conversations
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                work()
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)

    def kill(self) -> None:
        """``kill -9``."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds: float = 60) -> int:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        self.kill()
        os.waitpid(self.pid, 0)
        raise AssertionError(f"The process was not done after {seconds} seconds.")


def together(*works: Callable[[], Any]) -> None:
    """All of them at once; every one must end well."""
    processes = [Process(work) for work in works]
    codes = [process.wait() for process in processes]
    assert codes == [0] * len(works)


def die() -> None:
    """This process is gone at once, as by ``kill -9``."""
    os.kill(os.getpid(), signal.SIGKILL)
