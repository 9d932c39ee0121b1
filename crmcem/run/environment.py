"""What the programs find in their environment: the settings' variables, completed by what runs embedded."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from crmcem.run.errors import RunError

CONNECT_SECONDS = 5.0


def given(name: str, environment: Mapping[str, str]) -> str:
    """The value of NAME, or the content of the file that NAME_FILE points to; empty where neither is set."""
    value = environment.get(name, "")
    path = environment.get(f"{name}_FILE", "")
    if value or not path:
        return value
    try:
        return Path(path).read_text().strip()
    except OSError as problem:
        raise RunError(f"{name}_FILE names {path}, which cannot be read: {problem.strerror}.") from problem


def base(root: Path) -> dict[str, str]:
    """The caller's environment, with the virtual environment's programs first and the project importable."""
    environment = dict(os.environ)
    programs = str(Path(sys.executable).parent)
    environment["PATH"] = f"{programs}{os.pathsep}{environment.get('PATH', os.defpath)}"
    environment.setdefault("DJANGO_SETTINGS_MODULE", "crmcem.settings")
    environment.setdefault("PYTHONUNBUFFERED", "1")
    path = environment.get("PYTHONPATH", "")
    if str(root) not in path.split(os.pathsep):
        environment["PYTHONPATH"] = f"{root}{os.pathsep}{path}" if path else str(root)
    return environment


def require_answer(name: str, url: str, default_port: int) -> None:
    """Fail with one sentence where nothing takes connections at the address. `name` is the variable's."""
    what = {"DATABASE_URL": "database", "REDIS_URL": "broker"}[name]
    try:
        parts = urlsplit(url)
        host, port = unquote(parts.hostname or ""), parts.port or default_port
    except ValueError as problem:
        raise RunError(f"{name} is not an address: {problem}.") from problem
    if not parts.scheme or (not host and not parts.path):
        raise RunError(f"{name} is not an address such as scheme://user:password@host:port/name.")
    if not host or host.startswith("/"):  # a socket file: the programs will see
        return
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise RunError(f"The {what} at {host}:{port} does not answer ({reason}); check {name}.") from problem


def web_port(environment: Mapping[str, str]) -> int:
    """The port of the web server, from PORT."""
    text = environment.get("PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise RunError(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return int(text)
