"""The embedded Valkey: broker of the background jobs, and cache."""

from __future__ import annotations

import signal
import socket
import time

from crmcem.run import binaries
from crmcem.run.errors import RunError
from crmcem.run.home import Home, write_private
from crmcem.run.process import BROKER, Child, Program, Signals, Watchdog, last_words
from crmcem.run.profiles import Profile

START_SECONDS = 60.0


class Valkey:
    """One server below a `Home`."""

    def __init__(self, home: Home, profile: Profile) -> None:
        self._home = home
        self._profile = profile
        self._log = home.log / "valkey.log"
        self.port = 0

    @property
    def url(self) -> str:
        """What goes into REDIS_URL."""
        return f"redis://:{self._home.secret('valkey')}@127.0.0.1:{self.port}/0"

    def program(self) -> Program:
        """How the server is run, on the port that is free now. The password stays out of the process list."""
        data = self._home.path / "valkey"
        data.mkdir(mode=0o700, exist_ok=True)
        self.port = self.port or self._home.port("valkey")
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self._home.secret("valkey"),
            "dir": f'"{data}"',
            "save": '""',
            # only keys with a time to live may be dropped: the queues have none
            "maxmemory": "512mb",
            "maxmemory-policy": "volatile-lru",
            "daemonize": "no",
            **self._profile.valkey,
        }
        file = self._home.path / "valkey.conf"
        write_private(file, "".join(f"{name} {value}\n" for name, value in settings.items()))
        return Program(
            name="valkey",
            command=[str(binaries.valkey_server()), str(file)],
            environment={"LC_ALL": "C"},
            folder=data,
            log=self._log,
            stage=BROKER,
            stop_signal=signal.SIGTERM,
        )

    def start(self, watchdog: Watchdog, signals: Signals) -> Child:
        """Start the server and wait until it answers."""
        child = Child.start(self.program(), watchdog)
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if child.ended() is not None or time.monotonic() > until:
                child.stop(5)
                raise RunError(
                    f"Valkey did not start: {last_words(self._log) or 'no message'} (see {self._log})"
                )
            signals.check()
            time.sleep(0.02)
        return child

    def _answers(self) -> bool:
        """Whether it has loaded its data: a PING with the password is answered by PONG."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                line.sendall(f"AUTH {self._home.secret('valkey')}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:
                    part = line.recv(256)
                    if not part:
                        return False
                    answer += part
        except OSError:
            return False
        return answer.endswith(b"+PONG\r\n")
