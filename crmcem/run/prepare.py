"""Bring database and static files up to date; a program of its own, started by `serve`.

Usage: `python -m crmcem.run.prepare [--demo]`. Its last line of output is `demo` where demo data is there,
else `empty`. What a person can mend is one sentence on stderr and exit code 1.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

OLDEST_SERVER = 150000


def main() -> int:
    """Check the servers, migrate, collect static files, load the demo data into an empty database."""
    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        return 1
    from django.contrib.auth import get_user_model
    from django.core.management import CommandError, call_command
    from django.db import Error

    try:
        problem = server_problem()
        if problem:
            sys.stderr.write(f"{problem}\n")
            return 1
        call_command("migrate", interactive=False, verbosity=0)
        collect()
        people = get_user_model().objects
        if "--demo" in sys.argv and not people.exists():
            sys.stdout.write("Loading the demo data …\n")
            sys.stdout.flush()
            call_command("seed_demo", size="small", verbosity=0)
        sys.stdout.write("demo\n" if people.filter(username="rep2").exists() else "empty\n")
    except CommandError as error:
        sys.stderr.write(f"The database cannot be prepared: {error}\n")
        return 1
    except Error as error:
        sys.stderr.write(f"The database cannot be prepared: {' '.join(str(error).split())}\n")
        return 1
    return 0


def server_problem() -> str:
    """Why database or broker cannot be used; empty where they can."""
    import redis
    from django.conf import settings
    from django.db import OperationalError, connection

    try:
        connection.ensure_connection()
    except OperationalError as error:
        return f"The database refuses the connection: {' '.join(str(error).split())}"
    version = connection.connection.server_version
    if version < OLDEST_SERVER:
        return f"The database is PostgreSQL {version // 10000}; crmcem needs 15 or newer."
    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5).ping()
    except (redis.RedisError, ValueError) as error:
        return f"The broker at REDIS_URL refuses the connection: {error}"
    return ""


def collect() -> None:
    """Collect the static files where they or the packages changed since the last time."""
    from django.conf import settings
    from django.core.management import call_command

    if settings.DEBUG:
        return
    stamp = Path(settings.STATIC_ROOT) / ".stamp"
    wanted = fingerprint(Path(settings.BASE_DIR))
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(wanted)


def fingerprint(root: Path) -> str:
    """A digest of what decides about the collected files: static/ by name, size and time, and the lock."""
    digest = hashlib.sha256((root / "requirements.lock").read_bytes())
    for path in sorted((root / "static").rglob("*")):
        status = path.stat()
        digest.update(f"{path.relative_to(root)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
