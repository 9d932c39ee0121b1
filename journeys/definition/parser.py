"""From JSON to a Definition, with every fault found on the way."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.utils.translation import gettext as _

from crmcem.lib.conditions import Node, values
from journeys.definition import scalars
from journeys.definition.nodes import (
    ANYTHING,
    AbsenceTrigger,
    Cap,
    Definition,
    DefinitionError,
    EventTrigger,
    Happening,
    QuietHours,
    Reentry,
    Trigger,
)
from journeys.definition.reader import Stop
from journeys.definition.steps import StepReader

POLICIES = ("once", "always", "after")
TOP = {
    *("trigger", "conditions", "steps", "goal", "exit", "reentry"),
    *("quiet_hours", "frequency_cap", "holdout_percent", "timeout"),
}


def parse(data: Any, *, user: Any = None, stored: bool = False) -> Definition:
    """Read a definition.

    ``user``: only fields, segments and activities that this person knows may be used (None: the system). A
    ``stored`` one was accepted before, so its actions' parameters are not judged again: what they point
    to may have gone since, which the run log then tells. Raises DefinitionError with every fault found.
    """
    return _Parser(user, stored).run(data)


class _Parser(StepReader):
    def run(self, data: Any) -> Definition:
        out: Definition | None = None
        with suppress(Stop):
            out = self.definition(data)
        if self.problems or out is None:
            raise DefinitionError(self.problems)
        return out

    def definition(self, data: Any) -> Definition | None:
        whole = self.mapping(data, "", TOP)
        if self.problems and not whole:
            return None
        trigger = self.trigger(whole.get("trigger"))
        conditions = self.conditions(whole.get("conditions"), "conditions")
        steps, written = self.steps(whole.get("steps"), "steps", 1)
        if not steps and not self.problems:
            self.fault("steps", "required", _("Give at least one step."))
        goal = self.goal(whole.get("goal"))
        leave = self.conditions(whole.get("exit"), "exit")
        reentry = self.reentry(whole.get("reentry"))
        quiet = self.quiet_hours(whole.get("quiet_hours"))
        cap = self.frequency_cap(whole.get("frequency_cap"))
        holdout = self.read("holdout_percent", scalars.percent, whole.get("holdout_percent", 0))
        timeout = self.read("timeout", scalars.run_time, whole["timeout"]) if whole.get("timeout") else None
        if self.problems or trigger is None:
            return None
        return Definition(
            trigger=trigger,
            steps=steps,
            conditions=conditions,
            goal=goal,
            exit=leave,
            reentry=reentry,
            quiet_hours=quiet,
            frequency_cap=cap,
            holdout_percent=holdout,
            timeout=timeout,
            data={**whole, "steps": written},
        )

    def trigger(self, data: Any) -> Trigger | None:
        kind = data.get("type") if isinstance(data, dict) else None
        if kind == "event":
            return self.event_trigger(data)
        if kind == "absence":
            self.mapping(data, "trigger", {"type", "event", "for"})
            event = data.get("event", ANYTHING)
            event = ANYTHING if event == ANYTHING else self.kind(event, "trigger.event")
            span = self.read("trigger.for", values.span, data.get("for"))
            return AbsenceTrigger(event, span) if event and span else None
        path = "trigger.type" if isinstance(data, dict) else "trigger"
        self.fault(path, "unknown_shape", _("A trigger is an object whose “type” is event or absence."))
        return None

    def event_trigger(self, data: dict[str, Any]) -> EventTrigger | None:
        self.mapping(data, "trigger", {"type", "event", "count", "within", "where"})
        event = self.kind(data.get("event"), "trigger.event")
        count = self.read("trigger.count", scalars.count, data.get("count", 1))
        within = None
        if data.get("within") is not None:
            within = self.read("trigger.within", values.span, data["within"])
        elif count is not None and count > 1:
            detail = _("Say within what time the %(n)s must happen, such as {“days”: 90}.") % {"n": count}
            self.fault("trigger.within", "missing_window", detail)
        where = self.where(data.get("where"), "trigger.where")
        if not event or count is None:
            return None
        return EventTrigger(event, count, within if count > 1 else None, where)

    def goal(self, data: Any) -> Happening | Node | None:
        if data is None or data == {}:
            return None
        if isinstance(data, dict) and "event" in data:
            return self.happening(self.mapping(data, "goal", {"event", "where"}), "goal")
        if isinstance(data, dict) and "conditions" in data:
            self.mapping(data, "goal", {"conditions"})
            return self.conditions(data["conditions"], "goal.conditions")
        return self.conditions(data, "goal")

    def reentry(self, data: Any) -> Reentry:
        if data is None:
            return Reentry()
        found = self.mapping(data, "reentry", {"policy", "days"})
        policy = found.get("policy")
        if policy not in POLICIES:
            self.fault("reentry.policy", "unknown_choice", _("Use one of: %s.") % ", ".join(POLICIES))
            return Reentry()
        if policy != "after":
            if found.get("days") is not None:
                self.fault("reentry.days", "unexpected_value", _("Only the policy “after” takes days."))
            return Reentry(policy)
        return Reentry(policy, self.read("reentry.days", scalars.days, found.get("days")) or 0)

    def quiet_hours(self, data: Any) -> QuietHours | None:
        if data is None or data == {}:
            return None
        found = self.mapping(data, "quiet_hours", {"from", "to"})
        start = self.read("quiet_hours.from", scalars.time, found.get("from"))
        end = self.read("quiet_hours.to", scalars.time, found.get("to"))
        if start is None or end is None:
            return None
        if start == end:
            self.fault("quiet_hours.to", "invalid", _("Quiet hours must leave some time: change one end."))
        return QuietHours(start, end)

    def frequency_cap(self, data: Any) -> Cap | None:
        if data is None or data == {}:
            return None
        found = self.mapping(data, "frequency_cap", {"count", "within"})
        count = self.read("frequency_cap.count", scalars.count, found.get("count"))
        within = self.read("frequency_cap.within", values.span, found.get("within"))
        return Cap(count, within) if count and within else None
