"""The engine's reader of the stream."""

from typing import ClassVar

from django.db import transaction
from django.utils import timezone

from crmcem.lib.stream import Batch, Consumer
from journeys.definition import AbsenceTrigger, Definition, DefinitionError
from journeys.engine import matching
from journeys.engine.load import active, definition_of
from journeys.engine.starts import runs_start
from journeys.engine.timers import timers_reset
from journeys.engine.waking import runs_wake
from journeys.models import Automation


class TriggerConsumer(Consumer):
    """Starts and wakes the runs of automations.

    First the waiting runs, then the timers, then the new runs: whoever holds a row of an earlier kind never
    waits for one of a later kind, so this consumer and the workers can't deadlock.
    """

    name: ClassVar[str] = "journeys.triggers"

    def handle(self, batch: Batch) -> None:
        runs_wake(batch)
        usable = [(a, d) for a in active() if (d := _definition(a)) is not None]
        for automation, definition in usable:
            if isinstance(definition.trigger, AbsenceTrigger):
                timers_reset(automation, definition.trigger, batch)
        now = timezone.now()
        for automation, definition in usable:
            if not isinstance(definition.trigger, AbsenceTrigger):
                found = matching.candidates(automation, definition.trigger, batch, now)
                if found:
                    runs_start(automation=automation, definition=definition, candidates=found, now=now)


def _definition(automation: Automation) -> Definition | None:
    """The definition, or None with the problem noted where it can't be read any more.

    The stream must go on: an automation whose field is gone misses what happens until it is mended, and says so.
    """
    problem = ""
    definition = None
    try:
        definition = definition_of(automation)
    except DefinitionError as error:
        problem = str(error)[:2000]
    if problem != automation.problem:
        with transaction.atomic():
            Automation.objects.filter(pk=automation.pk).update(problem=problem)
    return definition
