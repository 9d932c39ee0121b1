"""Health checks of the containers: `python -m crmcem.run.probe web|worker|beat`. Exit code 0 where healthy."""

from __future__ import annotations

import os
import socket
import sys
from datetime import timedelta
from urllib.parse import urlsplit

#: beat writes to the database when each task last ran every three minutes
BEAT_SILENCE = timedelta(minutes=10)
WORKER_SECONDS = 10.0


def web() -> bool:
    """Whether the web server of this container says that it is ready."""
    from crmcem.run.serve import answers

    host = urlsplit(os.environ.get("BASE_URL", "")).netloc or "localhost"
    return answers(int(os.environ.get("PORT") or 8000), host)


def worker() -> bool:
    """Whether the worker of this container answers a ping through the broker."""
    from crmcem.celery import app

    name = f"celery@{socket.gethostname()}"
    return bool(app.control.inspect(destination=[name], timeout=WORKER_SECONDS).ping())


def beat() -> bool:
    """Whether beat has sent any task lately."""
    import django

    django.setup()
    from django.utils import timezone
    from django_celery_beat.models import PeriodicTask

    return bool(PeriodicTask.objects.filter(last_run_at__gt=timezone.now() - BEAT_SILENCE).exists())


CHECKS = {"web": web, "worker": worker, "beat": beat}


def main(arguments: list[str]) -> int:
    """Run one check."""
    if len(arguments) != 1 or arguments[0] not in CHECKS:
        sys.stderr.write("Usage: python -m crmcem.run.probe web|worker|beat\n")
        return 2
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crmcem.settings")
    try:
        healthy = CHECKS[arguments[0]]()
    except Exception as error:  # whatever it is, the container is not healthy
        sys.stderr.write(f"{error}\n")
        return 1
    return 0 if healthy else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
