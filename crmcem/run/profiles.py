"""How hard the embedded servers try to keep data, and how much memory they take."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A set of settings and the folder below `var/` that goes with it.

    A profile that is not durable loses its data when it is not stopped cleanly, and starts afresh then.
    """

    folder: str
    durable: bool
    postgres: dict[str, str]
    valkey: Mapping[str, str]


def memory() -> int:
    """The machine's memory in bytes."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 2048 * MEGABYTE


def _megabytes(share: float, low: int, high: int) -> str:
    return f"{max(low, min(high, int(memory() * share / MEGABYTE)))}MB"


def _dynamic_memory() -> str:
    """Containers often come with 64 MB of /dev/shm, too little for a parallel query."""
    try:
        room = os.statvfs(Path("/dev/shm"))  # noqa: S108 - only asked for its size
    except OSError:
        return "mmap"
    return "posix" if room.f_bavail * room.f_frsize > 512 * MEGABYTE else "mmap"


def _common() -> dict[str, str]:
    return {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "100",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "shared_buffers": _megabytes(0.10, 64, 1024),
        "effective_cache_size": _megabytes(0.50, 256, 16384),
        "work_mem": "16MB",
        "maintenance_work_mem": _megabytes(0.05, 64, 512),
        "dynamic_shared_memory_type": _dynamic_memory(),
        "random_page_cost": "1.1",
        "jit": "off",
        "gin_pending_list_limit": "16MB",
        "min_wal_size": "256MB",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        # an open writing transaction holds every consumer of the stream back
        "idle_in_transaction_session_timeout": "60s",
        "tcp_keepalives_idle": "60",
        "log_checkpoints": "off",
    }


def run_profile() -> Profile:
    """The data of `make run`: durable."""
    return Profile(
        folder="",
        durable=True,
        postgres=_common() | {"statement_timeout": "30min", "log_min_duration_statement": "2s"},
        valkey={"appendonly": "yes", "appendfsync": "everysec"},
    )


def test_profile() -> Profile:
    """Fast and forgetful, for the test suite."""
    fast = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
    return Profile(folder="test", durable=False, postgres=_common() | fast, valkey={"appendonly": "no"})


def bench_profile() -> Profile:
    """Durable settings in a folder of its own, with the memory of a machine that does nothing else."""
    large = {"shared_buffers": _megabytes(0.25, 128, 8192), "max_wal_size": "16GB"}
    return Profile(
        folder="bench",
        durable=True,
        postgres=_common() | large,
        valkey={"appendonly": "yes", "appendfsync": "everysec"},
    )


PROFILES = {"run": run_profile, "test": test_profile, "bench": bench_profile}
