"""Definitions in plain words, for the people who read, build and check automations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from crmcem.lib.actions import Action, actions
from crmcem.lib.activities import kinds
from crmcem.lib.conditions import Node, explain, span_words
from journeys.definition import (
    AbsenceTrigger,
    ActionStep,
    BranchStep,
    Definition,
    DefinitionError,
    Happening,
    Path,
    SplitStep,
    Step,
    Trigger,
    WaitStep,
    WaitUntilStep,
    parse,
)
from journeys.definition.actions import filled
from journeys.definition.nodes import ANYTHING, TYPE_OF

ICONS = {
    "wait": "clock-pause",
    "wait_until": "hourglass",
    "branch": "arrows-split-2",
    "split": "arrows-shuffle",
}
_ANY_STEP = [{"key": "x", "type": "wait", "for": {"days": 1}}]


def kind_words(kind: str) -> str:
    """ "Order placed" for a kind that an app registered, “order.placed” for a tracked event."""
    if kind == ANYTHING:
        return str(_("anything"))
    known = kinds.get(kind)
    return str(_("“%(quote)s”") % {"quote": known.label if known is not None else kind})


def trigger_words(trigger: Trigger) -> str:
    """What sets it off, as one sentence without a full stop."""
    if isinstance(trigger, AbsenceTrigger):
        words = {"span": span_words(trigger.span), "event": kind_words(trigger.event)}
        if trigger.event == ANYTHING:
            return _("When a customer is not seen for %(span)s") % words
        return _("When %(event)s does not happen for %(span)s") % words
    event = kind_words(trigger.event)
    if trigger.count == 1 or trigger.within is None:
        text = _("When %(event)s happens") % {"event": event}
    else:
        text = ngettext(
            "When %(event)s happens %(n)s time within %(span)s",
            "When %(event)s happens %(n)s times within %(span)s",
            trigger.count,
        ) % {"event": event, "n": trigger.count, "span": span_words(trigger.within)}
    if trigger.where is not None:
        text = _("%(text)s, where %(where)s") % {"text": text, "where": explain(trigger.where)}
    return text


def trigger_of(data: Any) -> str:
    """The words for the trigger of a stored definition; '' where it can't be read any more.

    Only the trigger is read, so nothing is looked up in the database.
    """
    trigger = data.get("trigger") if isinstance(data, Mapping) else None
    try:
        return trigger_words(parse({"trigger": trigger, "steps": _ANY_STEP}, stored=True).trigger)
    except DefinitionError:
        return ""


def happening_words(what: Happening) -> str:
    text = kind_words(what.event)
    if what.where is None:
        return text
    return _("%(text)s, where %(where)s") % {"text": text, "where": explain(what.where)}


def told(what: Happening | Node) -> str:
    return happening_words(what) if isinstance(what, Happening) else explain(what)


def rules(definition: Definition) -> list[tuple[str, str]]:
    """``[(label, words)]`` of everything beside trigger and steps."""
    out: list[tuple[str, str]] = []
    if definition.conditions is not None:
        out.append((_("Only for"), explain(definition.conditions)))
    out.append((_("Again"), reentry_words(definition)))
    if definition.goal is not None:
        out.append((_("Goal"), _("%(what)s ends it as done") % {"what": told(definition.goal)}))
    if definition.exit is not None:
        out.append((_("Leaves early"), explain(definition.exit)))
    if definition.quiet_hours is not None:
        words = {"start": _clock(definition.quiet_hours.start), "end": _clock(definition.quiet_hours.end)}
        out.append(
            (_("Quiet hours"), _("%(start)s to %(end)s in the customer’s time zone: actions wait") % words)
        )
    if definition.frequency_cap is not None:
        cap = definition.frequency_cap
        words = {"n": str(cap.count), "span": span_words(cap.within)}
        out.append((_("At most"), _("%(n)s per customer within %(span)s") % words))
    if definition.holdout_percent:
        text = _("%(n)g %% of customers, for comparison") % {"n": definition.holdout_percent}
        out.append((_("Held out"), text))
    if definition.timeout is not None:
        out.append((_("Ends after"), span_words(definition.timeout)))
    return out


def reentry_words(definition: Definition) -> str:
    if definition.reentry.policy == "once":
        return str(_("Once per customer"))
    if definition.reentry.policy == "always":
        return str(_("Each time the trigger is met"))
    n = definition.reentry.days
    return ngettext("At the earliest %(n)s day later", "At the earliest %(n)s days later", n) % {"n": n}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A step as the pages draw it. ``ways`` are the named lists of steps below it."""

    key: str
    kind: str
    icon: str
    title: str
    details: list[tuple[str, str]]
    ways: list[tuple[str, list[Drawn]]] = field(default_factory=list)


def flow(definition: Definition) -> list[Drawn]:
    """The steps in order, each with its words."""
    return [_drawn(step) for step in definition.steps]


def step_title(step: Step) -> str:
    """What a step does, in a few words."""
    if step.name:
        return step.name
    match step:
        case ActionStep():
            action = actions.get(step.action)
            return str(action.label) if action is not None else _("Unknown action “%s”") % step.action
        case WaitStep():
            return _("Wait %(span)s") % {"span": span_words(step.span)}
        case WaitUntilStep():
            words = {"what": told(step.until), "span": span_words(step.timeout)}
            return _("Wait for %(what)s, at most %(span)s") % words
        case BranchStep():
            return _("If %(what)s") % {"what": _small(explain(step.conditions))}
        case SplitStep():
            return str(_("Split at random"))


def step_icon(step: Step) -> str:
    """A Tabler icon's name."""
    if isinstance(step, ActionStep):
        action = actions.get(step.action)
        return action.icon if action is not None else "bolt"
    return ICONS[TYPE_OF[type(step)]]


def _small(text: str) -> str:
    """The sentence as the rest of another one: in English it begins small there, elsewhere (German nouns) not."""
    is_english = (get_language() or "en").startswith("en")
    return text[:1].lower() + text[1:] if is_english and text[1:2].islower() else text


def _drawn(step: Step) -> Drawn:
    kind = TYPE_OF[type(step)]
    details: list[tuple[str, str]] = []
    ways: list[tuple[str, list[Drawn]]] = []
    if isinstance(step, ActionStep):
        action = actions.get(step.action)
        if action is not None:
            details = parameter_words(action, step.parameters)
        if step.ignore_quiet_hours:
            details.append((_("Quiet hours"), _("not observed")))
    elif isinstance(step, BranchStep):
        ways = [(_("Yes"), [_drawn(s) for s in step.then]), (_("No"), [_drawn(s) for s in step.otherwise])]
    elif isinstance(step, SplitStep):
        ways = [(_way(path), [_drawn(s) for s in path.steps]) for path in step.paths]
    if step.name and not isinstance(step, ActionStep):
        details = [("", step_title(_unnamed(step)))]
    return Drawn(step.key, kind, step_icon(step), step_title(step), details, ways)


def _way(path: Path) -> str:
    return f"{path.name} · {path.percent} %"


def _unnamed(step: Any) -> Any:
    return replace(step, name="")


def parameter_words(action: Action, parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """``[(label, value)]`` of an action's settings, choices by their label; empty ones left out."""
    values = filled(action, parameters)
    out = []
    for parameter in action.parameters:
        value = values.get(parameter.key)
        if value is None or value == "":
            continue
        text = str(value)
        if parameter.choices is not None:
            labels = {str(key): str(label) for key, label in parameter.choices()}
            text = labels.get(text, text)
        out.append((str(capfirst(str(parameter.label))), text))
    return out


def _clock(time: dt.time) -> str:
    return time.strftime("%H:%M")
