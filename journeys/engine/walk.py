"""One run on its way: steps are taken until one waits, fails or was the last."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.utils import formats
from django.utils.translation import gettext as _

from contacts.conditions import contact_fields
from crmcem.lib.actions import actions
from crmcem.lib.actors import Actor
from crmcem.lib.conditions import Node, explain, matches, span_words
from crmcem.lib.errors import Conflict, DomainError, NotAllowed
from crmcem.lib.sqlfields import CurrentXid
from journeys.definition import (
    ActionStep,
    BranchStep,
    Definition,
    Happening,
    SplitStep,
    Step,
    WaitStep,
    WaitUntilStep,
)
from journeys.definition.actions import filled
from journeys.definition.nodes import ANYTHING, TYPE_OF, later
from journeys.engine import chance, marks, quiet, sql
from journeys.engine.ending import run_end
from journeys.models import Run, RunStep

#: Pauses after the first, second, … failed try of an action; after the last one the run fails.
RETRIES = (
    dt.timedelta(minutes=1),
    dt.timedelta(minutes=5),
    dt.timedelta(minutes=30),
    dt.timedelta(hours=2),
    dt.timedelta(hours=12),
)
#: Pauses between looks at conditions that a waiting run depends on. What happens to the contact makes it look at
#: once; the first two catch figures that follow an activity a moment later, the last what only time changes.
LOOKS = (dt.timedelta(seconds=30), dt.timedelta(minutes=10), dt.timedelta(hours=1))
#: How long a run may take where its definition doesn't say.
LONGEST_RUN = dt.timedelta(days=400)


@dataclass(frozen=True, slots=True)
class RunContext:
    """What an action gets to know (see ``crmcem.lib.actions.Run``). ``context["event"]`` set the run off."""

    contact_id: int
    actor: Actor
    key: str
    depth: int
    context: Mapping[str, Any]


class Walk:
    """Takes a locked run onwards inside the caller's transaction."""

    def __init__(self, run: Run, definition: Definition, now: dt.datetime) -> None:
        self.run = run
        self.definition = definition
        self.now = now
        self.actor = Actor("automation", run.automation_id)
        self.rows = {row.step_key: row for row in run.steps.all()}

    def go(self) -> None:
        """On to the next wait, or the end."""
        if self.now >= self.deadline():
            self.end(Run.Status.FAILED, _("It took longer than an automation's run may take."))
            return
        while not self.left_early():
            step = self.definition.find(self.run.step_key) if self.run.step_key else None
            if step is None:
                self.end(Run.Status.DONE, _("All steps are done."))
                return
            following = self.take(step)
            if following is None:
                return
            self.run.step_key = following
            self.run.attempts = 0
            self.run.error = ""

    def deadline(self) -> dt.datetime:
        if self.definition.timeout is not None:
            return later(self.run.started_at, self.definition.timeout)
        waits = sum(
            (
                later(self.now, s.span if isinstance(s, WaitStep) else s.timeout) - self.now
                for s in self.definition.walk()
                if isinstance(s, WaitStep | WaitUntilStep)
            ),
            dt.timedelta(),
        )
        return self.run.started_at + LONGEST_RUN + waits

    def end(self, status: str, reason: str) -> None:
        run_end(run=self.run, status=status, reason=reason, now=self.now, actor=self.actor)

    # goal and exit

    def left_early(self) -> bool:
        """End the run where its goal is reached or its exit conditions hold."""
        goal, leave = self.definition.goal, self.definition.exit
        if isinstance(goal, Happening):
            if self.happened(goal, "start"):
                self.end(Run.Status.DONE, _("Goal reached: %(event)s.") % {"event": goal.event})
                return True
        elif goal is not None and self.holds(goal):
            self.end(Run.Status.DONE, _("Goal reached: %(what)s.") % {"what": explain(goal)})
            return True
        if leave is not None and self.holds(leave):
            self.end(Run.Status.EXITED, _("Left early: %(what)s.") % {"what": explain(leave)})
            return True
        return False

    def holds(self, node: Node) -> bool:
        return matches(node, contact_fields, self.run.contact_id, now=self.now, tz=sql.zone())

    def happened(self, what: Happening, since: str) -> bool:
        context = self.run.context
        mark = marks.read(context.get(since) or context.get("start"), self.run.started_at)
        return marks.happened(what, self.run.contact_id, mark, self.now) is not None

    # steps: each answers the key of the next one, or None where the run stays here or has ended

    def take(self, step: Step) -> str | None:
        match step:
            case ActionStep():
                return self.act(step)
            case WaitStep():
                return self.wait(step)
            case WaitUntilStep():
                return self.wait_until(step)
            case BranchStep():
                return self.branch(step)
            case SplitStep():
                return self.split(step)

    def wait(self, step: WaitStep) -> str | None:
        row = self.rows.get(step.key)
        until = _until(row) or later(self.now, step.span)
        if self.now >= until:
            self.record(step, "done", _("Waited %(span)s.") % {"span": span_words(step.span)})
            self.run.context["since"] = marks.here().as_json()
            return self.definition.after(step.key)
        if row is None:
            reason = _("Waits %(span)s, until %(until)s.") % {
                "span": span_words(step.span),
                "until": moment_words(until),
            }
            self.record(step, "waiting", reason, {"until": until.isoformat()})
        self.sleep(until)
        return None

    def wait_until(self, step: WaitUntilStep) -> str | None:
        row = self.rows.get(step.key)
        until = _until(row) or later(self.now, step.timeout)
        if isinstance(step.until, Happening):
            met, what = self.happened(step.until, "since"), step.until.event
        else:
            met, what = self.holds(step.until), explain(step.until)
        if met or self.now >= until:
            if met:
                self.record(step, "done", _("It came true: %(what)s.") % {"what": what})
            else:
                reason = _("Nothing within %(span)s (%(what)s), so it went on.") % {
                    "span": span_words(step.timeout),
                    "what": what,
                }
                self.record(step, "skipped", reason)
            self.run.context["since"] = marks.here().as_json()
            return self.definition.after(step.key)
        if row is None:
            reason = _("Waits for: %(what)s, until %(until)s at the latest.") % {
                "what": what,
                "until": moment_words(until),
            }
            self.record(step, "waiting", reason, {"until": until.isoformat()})
        if isinstance(step.until, Happening):
            self.sleep(until, kinds=(step.until.event,))
            return None
        self.sleep(until, kinds=(ANYTHING,), looks=True)
        return None

    def branch(self, step: BranchStep) -> str:
        holds = self.holds(step.conditions)
        pattern = _("Yes: %(what)s.") if holds else _("No, it is not so that: %(what)s.")
        self.record(
            step,
            "done",
            pattern % {"what": explain(step.conditions)},
            {"path": "then" if holds else "else"},
        )
        below = step.then if holds else step.otherwise
        return below[0].key if below else self.definition.after(step.key)

    def split(self, step: SplitStep) -> str:
        path = chosen_path(step, self.run.automation_id, self.run.contact_id)
        reason = _("Path “%(name)s”, which %(percent)s %% of the customers take.") % {
            "name": path.name,
            "percent": path.percent,
        }
        self.record(step, "done", reason, {"path": path.name})
        return path.steps[0].key if path.steps else self.definition.after(step.key)

    def act(self, step: ActionStep) -> str | None:
        if not step.ignore_quiet_hours:
            zone = quiet.zone_of(self.run.contact.time_zone)
            until = quiet.until(self.definition.quiet_hours, self.now, zone)
            if until is not None:
                reason = _("Quiet hours (%(zone)s): waits until %(until)s.") % {
                    "zone": zone.key,
                    "until": moment_words(until),
                }
                self.record(step, "waiting", reason)
                self.sleep(until)
                return None
        action = actions.get(step.action)
        if action is None:
            self.failed(step, _("There is no action “%(name)s” any more.") % {"name": step.action})
            return None
        context = RunContext(
            contact_id=self.run.contact_id,
            actor=self.actor,
            key=f"run:{self.run.pk}:{step.key}",
            depth=self.run.depth,
            context=self.run.context,
        )
        try:
            with transaction.atomic():
                outcome = action.perform(context, filled(action, step.parameters))
        except (OperationalError, InterfaceError):
            raise  # the whole transaction is lost; ``advance`` tries it again
        except Exception as error:  # whatever an action raises is this step's failure, and is shown there
            self.failed(step, told_error(error))
            return None
        status = "skipped" if outcome.status == "skipped" else "done"
        self.record(step, status, outcome.reason or str(action.label), dict(outcome.result))
        return self.definition.after(step.key)

    def failed(self, step: Step, message: str) -> None:
        """Try again later, or give up where it was tried often enough."""
        self.run.attempts += 1
        self.run.error = message
        if self.run.attempts > len(RETRIES):
            reason = _("Failed %(n)s times: %(why)s") % {"n": self.run.attempts, "why": message}
            self.record(step, "failed", reason)
            self.end(Run.Status.FAILED, reason)
            return
        at = self.now + RETRIES[self.run.attempts - 1]
        reason = _("Try %(n)s failed: %(why)s Tries again at %(at)s.") % {
            "n": self.run.attempts,
            "why": message,
            "at": moment_words(at),
        }
        self.record(step, "waiting", reason)
        self.sleep(at)

    # rows

    def record(self, step: Step, status: str, reason: str, result: Mapping[str, Any] | None = None) -> None:
        """The step's row in the run log: one per step, whatever happens on the way."""
        ended = None if status == "waiting" else self.now
        row = self.rows.get(step.key)
        if row is None:
            row = RunStep(run=self.run, step_key=step.key, kind=kind_of(step), result={})
            self.rows[step.key] = row
        row.status, row.reason, row.ended_at = status, reason, ended
        if result is not None:
            row.result = dict(result)
        if row.pk is None:
            row.save(force_insert=True)
        else:
            # Also takes this transaction's id: what the action just wrote is this run's doing.
            RunStep.objects.filter(pk=row.pk).update(
                status=status, reason=reason, ended_at=ended, result=row.result, txid=CurrentXid()
            )

    def sleep(self, until: dt.datetime, kinds: tuple[str, ...] = (), looks: bool = False) -> None:
        """Stay at this step until then, or until something happens that this run listens to."""
        run, definition = self.run, self.definition
        conditional = definition.exit is not None or not (
            definition.goal is None or isinstance(definition.goal, Happening)
        )
        run.due_at = min(until, self.deadline())
        if looks or conditional:
            planned = run.context.get("look_at")
            early = planned is None or self.now < dt.datetime.fromisoformat(planned)
            turn = 0 if early else min(run.context.get("looks", 0) + 1, len(LOOKS) - 1)
            at = self.now + LOOKS[turn]
            run.context |= {"look_at": at.isoformat(), "looks": turn}
            run.due_at = min(run.due_at, at)
        run.wake_on = sorted({*definition.listens_to, *kinds})
        run.save()


def chosen_path(step: SplitStep, automation_id: int, contact_id: int) -> Any:
    """The path of a split that a contact takes: always the same one."""
    at = chance.share(chance.split_salt(automation_id, step.key), contact_id)
    bound = 0
    for path in step.paths:
        bound += path.percent * chance.PARTS // 100
        if at < bound:
            return path
    return step.paths[-1]


def kind_of(step: Step) -> str:
    return TYPE_OF[type(step)]


def told_error(error: Exception) -> str:
    """An error as the run log shows it: our own in words, others with their type."""
    text = str(error).strip().replace("\x00", "")[:1000]
    if isinstance(error, DomainError):
        return " ".join(e.detail for e in error.errors)[:1000]
    if isinstance(error, Conflict | NotAllowed):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _until(row: RunStep | None) -> dt.datetime | None:
    text = row.result.get("until") if row is not None else None
    return dt.datetime.fromisoformat(text) if text else None


def moment_words(at: dt.datetime) -> str:
    """A moment in the organisation's time zone."""
    local = at.astimezone(sql.zone())
    return f"{formats.date_format(local, 'DATE_FORMAT')} {local:%H:%M}"
