"""The folder that holds one set of servers: data, secrets, ports, logs and the lock.

`var/` belongs to `serve`, `var/test/` and `var/bench/` to the profiles of `exec`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import shutil
import socket
import time
from pathlib import Path
from typing import Any

from crmcem.run.errors import RunError

NEEDED_BYTES = 300 * 1024 * 1024
HANDOVER_SECONDS = 40.0


class Home:
    """One folder below `var/`, locked by the one supervisor that works in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock_descriptor = -1

    @property
    def log(self) -> Path:
        """Where the children write what they say."""
        return self.path / "log"

    def open(self) -> None:
        """Create the folder, check that the disk has room, and take the lock. Raises `RunError`."""
        try:
            self.log.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o755)
            free = shutil.disk_usage(self.path).free
        except OSError as problem:
            raise RunError(f"The folder {self.path} cannot be written: {problem.strerror}.") from problem
        if free < NEEDED_BYTES:
            raise RunError(
                f"The disk of {self.path} is full: {free // 1024**2} MB are free, "
                f"{NEEDED_BYTES // 1024**2} MB are needed."
            )
        self._lock()

    def _lock(self) -> None:
        """Take `lock`; wait for a predecessor that was killed and whose servers are still stopping."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        until = time.monotonic() + HANDOVER_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
                if (holder.isdigit() and alive(int(holder))) or time.monotonic() > until:
                    os.close(descriptor)
                    raise RunError(
                        f"crmcem is already running in {self.path} (process {holder}); stop it first."
                    ) from None
                time.sleep(0.1)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self.lock_descriptor = descriptor

    def close(self) -> None:
        """Give the lock back."""
        if self.lock_descriptor >= 0:
            os.close(self.lock_descriptor)
            self.lock_descriptor = -1

    def running(self) -> bool:
        """Whether another supervisor works in this folder right now."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def secret(self, name: str) -> str:
        """The secret of that name: made at random on first use, kept in `secrets.json` (0600)."""
        path = self.path / "secrets.json"
        kept: dict[str, str] = read_json(path)
        if name not in kept:
            kept[name] = secrets.token_urlsafe(48)
            write_private(path, json.dumps(kept, indent=1))
        return kept[name]

    def known_port(self, name: str) -> int:
        """The loopback port that the server had last, 0 where it never ran."""
        kept: dict[str, int] = read_json(self.path / "ports.json")
        return kept.get(name, 0)

    def port(self, name: str) -> int:
        """The loopback port of that server: the one of last time where it is still free, else a new one."""
        path = self.path / "ports.json"
        kept: dict[str, int] = read_json(path)
        port = kept.get(name, 0)
        if not port or not port_is_free(port):
            port = free_port()
            kept[name] = port
            write_private(path, json.dumps(kept, indent=1))
        return port


def alive(pid: int) -> bool:
    """Whether a process of that id exists (and is no zombie)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state != "Z"


def free_port() -> int:
    """A loopback TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int) -> bool:
    """Whether this process could listen on the loopback port. Raises `RunError` where it may not."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as problem:
            if problem.errno == errno.EACCES:
                raise RunError(f"Port {port} is reserved for root; choose one above 1023.") from problem
            return False
    return True


def read_json(path: Path) -> Any:
    """The object in a small JSON file, empty where the file is missing or was cut short by a crash."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
