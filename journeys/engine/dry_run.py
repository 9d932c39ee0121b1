"""What an automation would do with one customer, now: every step with why, and nothing written.

The steps are followed as if the trigger were met this moment. Conditions are judged on the customer as they are;
after a wait the clock goes on, but nobody knows what the customer will be like then, so that is said.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contacts.conditions import contact_fields
from contacts.models import Activity, Contact, Pulse
from crmcem.lib.actions import actions
from crmcem.lib.actors import Actor
from crmcem.lib.conditions import Node, explain, matches, reasons, span_words
from journeys.definition import (
    AbsenceTrigger,
    ActionStep,
    BranchStep,
    Definition,
    EventTrigger,
    Happening,
    SplitStep,
    Step,
    WaitStep,
    WaitUntilStep,
)
from journeys.definition.actions import filled
from journeys.definition.nodes import ANYTHING, later
from journeys.engine import chance, quiet, sql
from journeys.engine.starts import limits, trigger_key
from journeys.engine.walk import RunContext, chosen_path, kind_of, moment_words, told_error
from journeys.explain import kind_words, step_title, told
from journeys.models import Automation, Run


@dataclass(frozen=True, slots=True)
class Check:
    """Something that decides whether a run would begin. ``needed``: without it none begins."""

    key: str
    holds: bool
    text: str
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A step as it would go: ``outcome`` do, wait, choose, fail or end; ``at`` when."""

    key: str
    type: str
    name: str
    outcome: str
    reason: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class DryRun:
    """``starts``: a trigger at this moment would begin a run. ``steps`` is its way in any case."""

    starts: bool
    checks: list[Check]
    steps: list[Foreseen]


def dry_run(automation: Automation, definition: Definition, contact: Contact, now: dt.datetime) -> DryRun:
    """Foresee a run, in a transaction that the database itself keeps from writing."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL transaction_read_only = on")
        foresight = _Foresight(automation, definition, contact, now)
        checks = foresight.checks()
        steps = foresight.steps()
        transaction.set_rollback(True)
    starts = all(check.holds for check in checks if check.needed)
    return DryRun(starts, checks, steps)


class _Foresight:
    def __init__(
        self, automation: Automation, definition: Definition, contact: Contact, now: dt.datetime
    ) -> None:
        self.automation = automation
        self.definition = definition
        self.contact = contact
        self.now = now
        self.at = now  # goes on at waits
        self.found: list[Foreseen] = []

    # would a run begin

    def checks(self) -> list[Check]:
        active = self.automation.status == Automation.Status.ACTIVE
        status = _("It is active.") if active else _("It is not active: nothing begins until it is.")
        out = [Check("status", active, status, needed=False), self.trigger()]
        if self.definition.conditions is not None:
            out += self.conditions(self.definition.conditions)
        out += self.reentry()
        held = self.definition.holdout_percent and (
            chance.share(chance.holdout_salt(self.automation.pk), self.contact.pk)
            < round(self.definition.holdout_percent * 100)
        )
        if self.definition.holdout_percent:
            text = _("In the hold-out group.") if held else _("Not in the hold-out group.")
            out.append(Check("holdout", not held, text))
        return out

    def trigger(self) -> Check:
        trigger = self.definition.trigger
        if isinstance(trigger, AbsenceTrigger):
            return self.absence(trigger)
        assert isinstance(trigger, EventTrigger)
        rows = self.activities(trigger.event, trigger.where)[: trigger.count]
        times = list(rows.values_list("occurred_at", flat=True))
        met = len(times) == trigger.count
        if met and trigger.within is not None:
            met = self.comparable(times[-1]) >= self.comparable(times[0]) - (
                self.now - _earlier(self.now, trigger.within)
            )
        words = {"event": kind_words(trigger.event), "n": len(times)}
        if not times:
            text = _("%(event)s has not happened yet.") % words
        elif met:
            words["at"] = moment_words(times[0])
            text = _("The customer has met the trigger, last at %(at)s.") % words
        else:
            text = _("%(event)s has not happened often enough within the time.") % words
        return Check("trigger", met, text, needed=False)

    def comparable(self, at: dt.datetime) -> dt.datetime:
        trigger = self.definition.trigger
        if isinstance(trigger, EventTrigger) and trigger.within is not None and trigger.within.whole_days:
            return dt.datetime.combine(at.astimezone(sql.zone()).date(), dt.time(), tzinfo=dt.UTC)
        return at

    def activities(self, kind: str, where: Node | None) -> Any:
        rows = Activity.objects.filter(contact_id=self.contact.pk, occurred_at__lte=self.now, kind=kind)
        return rows.filter(sql.payload_q(where, self.now)).order_by("-occurred_at", "-id")

    def absence(self, trigger: AbsenceTrigger) -> Check:
        if trigger.event == ANYTHING:
            last = Pulse.objects.filter(pk=self.contact.pk).values_list("last_seen_at", flat=True).first()
        else:
            last = self.activities(trigger.event, None).values_list("occurred_at", flat=True).first()
        if last is None:
            return Check("trigger", False, _("Never seen, so never missed."), needed=False)
        due = later(last, trigger.span)
        met = due <= self.now
        words = {"last": moment_words(last), "due": moment_words(due)}
        pattern = (
            _("Last seen %(last)s: away long enough since %(due)s.")
            if met
            else _("Last seen %(last)s: away long enough on %(due)s.")
        )
        return Check("trigger", met, pattern % words, needed=False)

    def conditions(self, node: Node) -> list[Check]:
        holds = self.holds(node)
        out = [Check("conditions", holds, explain(node))]
        leaves = reasons(node, contact_fields, self.contact.pk, now=self.now, tz=sql.zone())
        if len(leaves) > 1:
            out += [Check(f"conditions.{r.path}", r.holds != r.negated, r.text, needed=False) for r in leaves]
        return out

    def reentry(self) -> list[Check]:
        runs = Run.objects.filter(automation=self.automation, contact=self.contact)
        last = runs.order_by("-id").values_list("started_at", flat=True).first()
        policy = self.definition.reentry.policy
        if last is None:
            return [Check("reentry", True, _("It has not run for this customer yet."))]
        words = {"at": moment_words(last)}
        out = []
        if policy == "once":
            spent = runs.filter(trigger_key=trigger_key(self.definition, "")).exists()
            text = _("It has run for this customer (%(at)s), and runs only once.") % words
            out.append(Check("reentry", not spent, text))
        elif policy == "always":
            out.append(Check("reentry", True, _("It ran last at %(at)s, and may run again.") % words))
        for count, within in limits(self.definition):
            with connection.cursor() as cursor:
                cursor.execute("SELECT %s::timestamptz - %s::interval", [self.now, within])
                since = cursor.fetchone()[0]
            ran = runs.filter(started_at__gt=since).count()
            text = ngettext(
                "It ran %(n)s time for this customer since %(since)s; at most %(most)s.",
                "It ran %(n)s times for this customer since %(since)s; at most %(most)s.",
                ran,
            ) % {"n": ran, "since": moment_words(since), "most": count}
            out.append(Check("frequency_cap", ran < count, text))
        return out

    def holds(self, node: Node) -> bool:
        return matches(node, contact_fields, self.contact.pk, now=self.now, tz=sql.zone())

    # its way

    def steps(self) -> list[Foreseen]:
        if not self.ends_at_once():
            key = self.definition.first
            while key:
                step = self.definition.find(key)
                assert step is not None
                key = self.take(step)
        return self.found

    def ends_at_once(self) -> bool:
        goal, leave = self.definition.goal, self.definition.exit
        if goal is not None and not isinstance(goal, Happening) and self.holds(goal):
            reason = _("The goal is reached already: %(what)s.") % {"what": explain(goal)}
        elif leave is not None and self.holds(leave):
            reason = _("It would leave at once: %(what)s.") % {"what": explain(leave)}
        else:
            return False
        self.found.append(Foreseen("", "end", str(_("End")), "end", reason, self.at))
        return True

    def say(self, step: Step, outcome: str, reason: str, at: dt.datetime | None = None) -> None:
        self.found.append(Foreseen(step.key, kind_of(step), step_title(step), outcome, reason, at or self.at))

    def take(self, step: Step) -> str:
        following = self.definition.after(step.key)
        match step:
            case ActionStep():
                self.act(step)
            case WaitStep():
                until = later(self.at, step.span)
                self.say(step, "wait", _("Waits until %(at)s.") % {"at": moment_words(until)})
                self.at = until
            case WaitUntilStep():
                self.wait_until(step)
            case BranchStep():
                holds = self.holds(step.conditions)
                pattern = _("Yes: %(what)s.") if holds else _("No, it is not so that: %(what)s.")
                self.say(step, "choose", self.today(pattern % {"what": explain(step.conditions)}))
                below = step.then if holds else step.otherwise
                return below[0].key if below else following
            case SplitStep():
                path = chosen_path(step, self.automation.pk, self.contact.pk)
                self.say(step, "choose", _("Always path “%(name)s” for this customer.") % {"name": path.name})
                return path.steps[0].key if path.steps else following
        return following

    def today(self, text: str) -> str:
        if self.at == self.now:
            return text
        return _("%(text)s So it is today; it is judged again then.") % {"text": text}

    def wait_until(self, step: WaitUntilStep) -> None:
        if not isinstance(step.until, Happening) and self.holds(step.until):
            text = _("It is so already: %(what)s.") % {"what": told(step.until)}
            self.say(step, "wait", self.today(text))
            return
        until = later(self.at, step.timeout)
        self.say(
            step,
            "wait",
            _("Goes on as soon as it comes true: %(what)s; without it at %(at)s, %(span)s later.")
            % {"what": told(step.until), "at": moment_words(until), "span": span_words(step.timeout)},
        )
        self.at = until

    def act(self, step: ActionStep) -> None:
        held = ""
        if not step.ignore_quiet_hours:
            zone = quiet.zone_of(self.contact.time_zone)
            until = quiet.until(self.definition.quiet_hours, self.at, zone)
            if until is not None:
                self.at, held = until, " " + _("It waits for the end of the quiet hours.")
        action = actions.get(step.action)
        if action is None:
            self.say(step, "fail", _("There is no action “%(name)s” any more.") % {"name": step.action})
            return
        context = RunContext(
            contact_id=self.contact.pk,
            actor=Actor("automation", self.automation.pk),
            key=f"dry-run:{self.automation.pk}:{step.key}",
            depth=0,
            context={},
        )
        try:
            with transaction.atomic():
                text = action.preview(context, filled(action, step.parameters))
        except Exception as error:  # a preview that fails tells what the step would run into
            self.say(step, "fail", told_error(error))
            return
        self.say(step, "do", f"{text}{held}")


def _earlier(at: dt.datetime, span: Any) -> dt.datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz - %s::interval", [at, f"{span.amount} {span.unit}"])
        found: dt.datetime = cursor.fetchone()[0]
        return found
