"""The draft as fields to draw: label, kind of input, choices, text, what is wrong."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from contacts.builder import contact_builder
from contacts.conditions import contact_fields
from contacts.merge_fields import FIELDS
from crmcem.lib.actions import Parameter, actions
from crmcem.lib.conditions.operators import OPERATORS, PROPERTY_OPERATORS, Arity
from crmcem.lib.errors import DomainError
from crmcem.lib.web.condition_builder import Asked
from journeys.definition import DefinitionError, parse
from journeys.editor.draft import Draft, Written
from journeys.explain import step_title, trigger_words
from journeys.models import Automation

Choices = list[tuple[str, str]]
Grouped = list[tuple[str, Choices]]
_LONG = {"longtext", "body"}
_AREAS = {"body", "text", "message", "description"}


@dataclass(frozen=True, slots=True)
class Input:
    """One input. ``kind`` is text, number, time, area, select or check."""

    name: str
    label: str
    value: str = ""
    kind: str = "text"
    choices: Choices = field(default_factory=list)
    grouped: Grouped = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    help: str = ""
    placeholder: str = ""
    required: bool = False
    options: str = ""  # id of a datalist
    refresh: bool = False  # a change redraws the form
    focus: bool = False
    tags: str = ""  # how many tags are typed (``one`` or ``many``), which are completed

    @property
    def id(self) -> str:
        return f"id_{self.name}"


@dataclass(frozen=True, slots=True)
class Line:
    """A row of conditions, or a step: its number, its inputs, what can be done with it."""

    n: int
    kind: str
    inputs: list[Input]
    title: str = ""
    icon: str = ""
    errors: list[str] = field(default_factory=list)
    first: bool = False
    last: bool = False
    hidden: list[tuple[str, str]] = field(default_factory=list)
    builder: dict[str, Any] | None = None


def units() -> Choices:
    return [
        ("minutes", _("minutes")),
        ("hours", _("hours")),
        ("days", _("days")),
        ("weeks", _("weeks")),
        ("months", _("months")),
    ]


class Form:
    """Draws a draft for a person."""

    def __init__(self, draft: Draft, user: Any, focus: str = "") -> None:
        self.draft = draft
        self.user = user
        self.focus = focus

    def input(self, name: str, label: Any, kind: str = "text", **rest: Any) -> Input:
        return Input(
            name,
            str(label),
            self.draft.get(name),
            kind,
            errors=self.draft.errors.get(name, []),
            focus=name == self.focus,
            **rest,
        )

    def span(self, prefix: str, label: Any, required: bool = False, hint: str = "") -> list[Input]:
        n = self.input(f"{prefix}n", label, "number", required=required, help=hint)
        unit = self.draft.get(f"{prefix}unit", "days")
        choices = units()
        if unit not in dict(choices):
            choices.append((unit, unit))
        return [n, Input(f"{prefix}unit", _("Unit"), unit, "select", choices)]

    def context(self) -> dict[str, Any]:
        known = contact_fields.activities.labels(self.user) if contact_fields.activities else {}
        whole = self.draft.errors.get("", [])
        return {
            "draft": self.draft,
            "errors": whole,
            "fault_count": sum(len(found) for found in self.draft.errors.values()),
            "name": self.input("name", _("Name"), required=True),
            "description": self.input("description", _("What it is for"), "area"),
            "trigger": self.draft.get("trigger", "event"),
            "event": self.event(),
            "away": self.away(),
            "where": self.lines("where"),
            "where_mode": self.draft.get("where_mode"),
            "where_json": self.input("where_json", _("Filter as JSON"), "area"),
            "where_errors": self.draft.errors.get("where_add", []),
            "conditions": self.lines("cond"),
            "cond_mode": self.draft.get("cond_mode"),
            "cond_builder": self.builder("cond_json") if self.draft.get("cond_mode") == "json" else None,
            "cond_errors": self.draft.errors.get("cond_add", []),
            "match": self.draft.get("match", "all"),
            "steps": self.steps(),
            "step_errors": self.draft.errors.get("add", []),
            "kinds": sorted(known.items()),
            "step_kinds": step_kinds(),
            "rules": self.rules(),
            "rules_open": self.rules_open(),
            "reentry": self.draft.get("reentry", "once"),
            "reentry_errors": self.draft.errors.get("reentry", []),
            "reentry_days": self.input("reentry_days", _("Days"), "number"),
            "merge_fields": sorted(FIELDS),
        }

    @cached_property
    def asked(self) -> Asked:
        return Asked(self.user)

    def builder(self, name: str) -> dict[str, Any]:
        """The condition builder over the JSON of a field, with what is wrong with it."""
        value: Any = self.draft.get(name)
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
        found = contact_builder(self.user, value, name=name, shared=True, asked=self.asked)
        return found | {"errors": self.draft.errors.get(name, [])}

    def event(self) -> list[Input]:
        return [
            self.input(
                "event",
                _("What happens"),
                options="kinds",
                required=True,
                placeholder="order.placed",
                help=_("A kind of activity, or the name of a tracked event."),
            ),
            self.input("count", _("How often"), "number", required=True),
            *self.span("within_", _("Within"), hint=_("Only where it must happen more than once.")),
        ]

    def away(self) -> list[Input]:
        return [
            self.input(
                "away_event",
                _("What is missing"),
                options="kinds",
                placeholder=_("anything the customer does"),
                help=_("Empty: the customer is not seen at all."),
            ),
            *self.span("away_", _("For how long"), required=True),
        ]

    def rules(self) -> list[list[Input]]:
        return [
            [
                self.input("quiet_from", _("Quiet hours from"), "time", placeholder="21:00"),
                self.input("quiet_to", _("to"), "time", placeholder="08:00"),
            ],
            [
                self.input("cap", _("At most so many runs per customer"), "number"),
                *self.span("cap_", _("within")),
            ],
            [
                self.input(
                    "holdout",
                    _("Hold out (per cent)"),
                    "number",
                    help=_("These customers get nothing, so that the effect can be measured."),
                ),
                *self.span("timeout_", _("Ends after")),
            ],
            [
                self.input(
                    "rules_json",
                    _("Goal and exit, as JSON"),
                    "area",
                    placeholder='{"goal": {"event": "deal.won"}}',
                    help=_("A goal ends a run as done, an exit condition ends it early."),
                )
            ],
        ]

    def rules_open(self) -> bool:
        names = ("quiet_from", "quiet_to", "cap", "cap_n", "holdout", "timeout_n", "rules_json")
        return any(self.draft.get(name) or name in self.draft.errors for name in names)

    # rows of conditions

    def lines(self, kind: str) -> list[Line]:
        make = self.condition if kind == "cond" else self.property
        return [make(n) for n in self.draft.rows(kind)]

    def condition(self, n: int) -> Line:
        head = f"cond-{n}-"
        name = self.draft.get(f"{head}field")
        spec = contact_fields.get(name, self.user)
        ops = spec.ops if spec is not None else tuple(OPERATORS)
        op = self.draft.get(f"{head}op")
        choices = [(key, str(OPERATORS[key].label)) for key in ops]
        if op and op not in ops:
            choices.append((op, str(OPERATORS[op].label) if op in OPERATORS else op))
        grouped = self.fields()
        if not any(name == key for _group, pairs in grouped for key, _label in pairs):
            grouped.append((_("Other"), [(name, name)]))
        inputs = [
            self.input(f"{head}field", _("Field"), "select", grouped=grouped, refresh=True),
            self.input(f"{head}op", _("Comparison"), "select", choices=choices, refresh=True),
            self.value(f"{head}value", spec, op if op in OPERATORS else ops[0]),
        ]
        return Line(n, "cond", inputs)

    def value(self, name: str, spec: Any, op: str) -> Input:
        arity = OPERATORS[op].arity
        if arity is Arity.NONE:
            return Input(name, _("Value"), "", "none", errors=self.draft.errors.get(name, []))
        options = spec.options() if spec is not None else None
        if options and arity is Arity.ONE:
            now = self.draft.get(name)
            choices = list(options.items()) if now in options or not now else [(now, now), *options.items()]
            return self.input(name, _("Value"), "select", choices=choices)
        if spec is not None and spec.type.value == "boolean" and arity is Arity.ONE:
            return self.input(name, _("Value"), "select", choices=[("true", _("yes")), ("false", _("no"))])
        tags = "many" if spec is not None and spec.name == "tags" and arity is Arity.MANY else ""
        return self.input(name, _("Value"), placeholder=_placeholder(spec, arity), tags=tags)

    def property(self, n: int) -> Line:
        head = f"where-{n}-"
        ops = [(key, str(OPERATORS[key].label)) for key in PROPERTY_OPERATORS]
        return Line(
            n,
            "where",
            [
                self.input(f"{head}field", _("Property"), placeholder="amount"),
                self.input(f"{head}op", _("Comparison"), "select", choices=ops),
                self.input(f"{head}value", _("Value"), placeholder="100"),
            ],
        )

    def fields(self) -> Grouped:
        groups: dict[str, Choices] = {}
        for item in contact_fields.fields(self.user, shared=True):
            groups.setdefault(str(item.group) or _("Contact"), []).append((item.name, str(item.label)))
        return list(groups.items())

    # steps

    def steps(self) -> list[Line]:
        numbers = self.draft.steps()
        return [self.step(n, at == 0, at == len(numbers) - 1) for at, n in enumerate(numbers)]

    def step(self, n: int, first: bool, last: bool) -> Line:
        head = f"step-{n}-"
        kind = self.draft.get(f"{head}type")
        hidden = [(f"{head}{key}", self.draft.get(f"{head}{key}")) for key in ("type", "key")]
        title, icon, inputs = "", "code", []
        builder: dict[str, Any] | None = None
        if kind == "action":
            key = self.draft.get(f"{head}action")
            hidden.append((f"{head}action", key))
            action = actions.get(key)
            title = str(action.label) if action is not None else _("Unknown action “%s”") % key
            icon = action.icon if action is not None else "alert-triangle"
            inputs = [self.parameter(head, p) for p in action.parameters] if action is not None else []
            inputs.append(
                self.input(f"{head}loud", _("Also in quiet hours"), "check")
                if self.draft.get("quiet_from")
                else Input(f"{head}loud", "", self.draft.get(f"{head}loud"), "hidden")
            )
        elif kind == "wait":
            title, icon, inputs = _("Wait"), "clock-pause", self.span(head, _("How long"), required=True)
        elif kind == "wait_until":
            title, icon = _("Wait for an event"), "hourglass"
            inputs = [
                self.input(f"{head}event", _("What happens"), options="kinds", required=True),
                *self.span(head, _("At most"), required=True),
            ]
        elif kind == "branch":
            title, icon, builder = _("Branch"), "arrows-split-2", self.builder(f"{head}conditions")
            hint = _("Steps as JSON, in the order in which they are done.")
            inputs = [
                self.input(f"{head}then_json", _("Then, where the conditions hold"), "area", help=hint),
                self.input(f"{head}else_json", _("Else"), "area"),
            ]
        else:
            title = self.json_title(head)
            inputs = [
                self.input(
                    f"{head}json",
                    _("Step as JSON"),
                    "area",
                    help=_("For branches, splits and conditions: see the examples in the API documentation."),
                )
            ]
        errors = self.draft.errors.get(f"{head}type", [])
        return Line(n, kind, inputs, title, icon, errors, first, last, hidden, builder)

    def json_title(self, head: str) -> str:
        """The step in words, where its JSON can be read."""
        try:
            data = json.loads(self.draft.get(f"{head}json"))
            found = parse({"trigger": {"type": "event", "event": "x.y"}, "steps": [data]}, stored=True)
        except (ValueError, RecursionError, DefinitionError):
            return str(_("Another step"))
        return step_title(found.steps[0])

    def parameter(self, head: str, parameter: Parameter) -> Input:
        name = f"{head}p-{parameter.key}"
        label = str(capfirst(str(parameter.label)))
        required = parameter.required and parameter.default is None
        if parameter.choices is not None:
            choices = [(str(value), str(text)) for value, text in parameter.choices()]
            now = self.draft.get(name)
            if now and now not in dict(choices):
                choices.append((now, _("%(value)s (can’t be chosen any more)") % {"value": now}))
            if not now or not required:
                choices = [("", _("Choose…")), *choices]
            return self.input(name, label, "select", choices=choices, required=required)
        if parameter.type == "boolean":
            return self.input(name, label, "check")
        kind = "number" if parameter.type == "number" else "text"
        text = _("Merge fields such as {{ contact.first_name }} are filled in.")
        if parameter.type in _LONG or (parameter.type == "template" and parameter.key in _AREAS):
            kind = "area"
        hint = text if parameter.type == "template" else ""
        tags = "one" if parameter.type == "tag" else ""
        return self.input(name, label, kind, required=required, help=hint, tags=tags)


def _placeholder(spec: Any, arity: Arity) -> str:
    if arity is Arity.SPAN:
        return _("12 days")
    if arity is Arity.MANY:
        return _("vip, gold")
    kind = spec.type.value if spec is not None else "text"
    if kind in {"date", "datetime"}:
        return _("2026-03-31 or 12 days ago")
    return _("from, to") if arity is Arity.TWO else ""


def step_kinds() -> Grouped:
    """What can be added: actions first."""
    doing = sorted(((f"action:{a.key}", str(a.label)) for a in actions), key=lambda pair: pair[1])
    return [
        (_("Do something"), doing),
        (_("Wait"), [("wait", _("Wait a while")), ("wait_until", _("Wait for an event"))]),
        (_("More"), [("branch", _("Branch")), ("json", _("Split or other step (JSON)"))]),
    ]


def shown_words(written: Written, user: Any) -> str:
    """The trigger as typed, in words; '' while it is not finished."""
    data = {"trigger": written.data.get("trigger"), "steps": [{"type": "wait", "for": {"days": 1}}]}
    try:
        return trigger_words(parse(data, user=user, stored=True).trigger)
    except (DefinitionError, DomainError):
        return ""


def blank() -> Draft:
    """The form of a new automation."""
    return Draft(
        {
            "trigger": "event",
            "count": "1",
            "within_n": "",
            "within_unit": "days",
            "away_n": "12",
            "away_unit": "days",
            "reentry": "once",
            "match": "all",
        }
    )


def of(automation: Automation) -> Draft:
    """The form of an automation as it is now."""
    from journeys.editor.draft import from_definition

    data = automation.current_version.definition if automation.current_version else {}
    return from_definition(automation.name, automation.description, data)
