"""What the workers do for automations: every task only wakes work that lies in rows."""

import time

from celery import shared_task
from django.utils import timezone

from crmcem.lib.jobs import soon, started
from journeys.engine import timers
from journeys.engine.advance import advance_due

ADVANCE = "journeys.tasks.advance_runs"
FIRE = "journeys.tasks.fire_timers"
SECONDS = 20.0


@shared_task(name=ADVANCE)
def advance_runs() -> int:
    """Take the due runs onwards, or hand the rest to another turn. Returns how many were taken."""
    started(ADVANCE)
    begin = time.monotonic()
    taken = advance_due(seconds=SECONDS)
    if time.monotonic() - begin >= SECONDS:
        soon(ADVANCE)
    return taken


@shared_task(name=FIRE)
def fire_timers() -> int:
    """Make missing timers, then fire those that are due. Returns how many were looked at."""
    started(FIRE)
    timers.arm_all()
    deadline = time.monotonic() + SECONDS
    handled = 0
    while time.monotonic() < deadline:
        found = timers.fire_part(timezone.now())
        handled += found
        if found < timers.FIRE_SIZE:
            break
    return handled
