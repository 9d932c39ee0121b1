"""Telling the workers that there is work (after commit, seldom, never in the way of a request), and leases on it.

The work itself lies in rows. A message that is lost costs until the next beat tick, nothing else.
A row that is worked on has ``status`` and ``claimed_until``: whoever works renews the claim; where it has run out,
the worker is taken for dead and the next one goes on.
"""

import datetime as dt
from collections.abc import Collection
from typing import Any

import structlog
from celery import current_app
from django.core.cache import cache
from django.db import models, transaction
from django.db.models import Case, F, Q, Value, When

from .sqlfields import ClockTimestamp

log = structlog.get_logger(__name__)


#: A wake-up that no worker took up within these seconds no longer holds back the next.
FORGOTTEN = 10


def soon(task: str, *args: object, debounce: float | None = None) -> None:
    """Enqueue the task of this name (``app.tasks.name``) once the transaction has committed.

    A broker that is down is only logged.

    With ``debounce`` the task starts that many seconds later, and further calls are dropped until it says
    ``started`` (it sees their rows), so a thousand writes wake the workers once.
    """

    def send() -> None:
        if debounce and not cache.add(_key(task, args), 1, timeout=FORGOTTEN):
            return
        try:
            current_app.send_task(task, args, retry=False, countdown=debounce or 0)
        except Exception as error:  # whatever the transport raises: beat picks the work up
            log.warning("enqueue_failed", task=task, error=type(error).__name__)

    transaction.on_commit(send, robust=True)


def started(task: str, *args: object) -> None:
    """Called by a debounced task before it looks for work: what comes from now on wakes it again."""
    cache.delete(_key(task, args))


def _key(task: str, args: tuple[object, ...]) -> str:
    return f"soon:{task}:{args}".replace(" ", "")


def orphans(model: type[models.Model], open_states: Collection[str]) -> list[int]:
    """Rows that nobody works on: never begun, or left by a worker that died. At most 100, the oldest first."""
    return list(_free(model, open_states).order_by("pk").values_list("pk", flat=True)[:100])


def claim(
    model: type[models.Model], pk: int, open_states: Collection[str], seconds: float, **values: Any
) -> bool:
    """Take the row for so many seconds, with ``values``; False where another has it. ``queued`` becomes ``running``."""
    status = Case(When(status="queued", then=Value("running")), default=F("status"))
    until = ClockTimestamp() + Value(dt.timedelta(seconds=seconds))
    row = _free(model, open_states).filter(pk=pk)
    return bool(row.update(status=status, claimed_until=until, **values))


def _free(model: type[models.Model], open_states: Collection[str]) -> models.QuerySet[Any]:
    nobody = Q(claimed_until=None) | Q(claimed_until__lt=ClockTimestamp())
    return model._default_manager.filter(nobody, status__in=open_states)
