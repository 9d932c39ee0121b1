"""What an automation is: trigger → conditions → steps → goal, as JSON ::

    {"trigger": {"type": "event", "event": "order.placed", "count": 2, "within": {"days": 90},
                 "where": [{"property": "amount", "op": "gt", "value": 10}]},
     "conditions": {"field": "lifecycle_stage", "op": "eq", "value": "customer"},
     "steps": [
        {"key": "ask", "type": "action", "action": "send_survey", "parameters": {"survey": "1"}},
        {"key": "pause", "type": "wait", "for": {"days": 3}},
        {"key": "answer", "type": "wait_until", "event": "survey.answered", "timeout": {"days": 14}},
        {"key": "happy", "type": "branch", "conditions": {…}, "then": [steps], "else": [steps]},
        {"key": "test", "type": "split", "paths": [{"name": "A", "percent": 50, "steps": [steps]}, …]}],
     "goal": {"event": "deal.won"} or {"conditions": {…}},
     "exit": {condition}, "reentry": {"policy": "once" | "always" | "after", "days": 30},
     "quiet_hours": {"from": "21:00", "to": "08:00"}, "frequency_cap": {"count": 1, "within": {"days": 7}},
     "holdout_percent": 5, "timeout": {"days": 365}}

An absence is ``{"type": "absence", "event": "*" (anything the customer does) or a kind, "for": {"days": 12}}``.
Only ``trigger`` and ``steps`` are required. ``parse`` finds every fault; what it accepts works.
"""

from journeys.definition.nodes import (
    AbsenceTrigger,
    ActionStep,
    BranchStep,
    Cap,
    Definition,
    DefinitionError,
    EventTrigger,
    Happening,
    Path,
    QuietHours,
    Reentry,
    SplitStep,
    Step,
    Trigger,
    WaitStep,
    WaitUntilStep,
)
from journeys.definition.parser import parse
from journeys.definition.schema import schema

__all__ = [
    "AbsenceTrigger",
    "ActionStep",
    "BranchStep",
    "Cap",
    "Definition",
    "DefinitionError",
    "EventTrigger",
    "Happening",
    "Path",
    "QuietHours",
    "Reentry",
    "SplitStep",
    "Step",
    "Trigger",
    "WaitStep",
    "WaitUntilStep",
    "parse",
    "schema",
]
