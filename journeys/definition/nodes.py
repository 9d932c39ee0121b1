"""The parsed definition: immutable, with the steps findable by key."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from crmcem.lib.conditions import Node, Problem, Span
from crmcem.lib.conditions.moments import shift_day
from crmcem.lib.errors import DomainError, FieldError

ANYTHING = "*"


class DefinitionError(ValueError):
    """A definition that can't be used; ``problems`` holds every fault that was found."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{p.path or '(root)'}: {p.detail}" for p in problems[:5]))

    def as_domain_error(self, prefix: str = "definition") -> DomainError:
        """The same faults as every edge shows them, under ``prefix``."""
        return DomainError(
            *(FieldError(".".join(p for p in (prefix, q.path) if p), q.code, q.detail) for q in self.problems)
        )


@dataclass(frozen=True, slots=True)
class Happening:
    """An activity of the contact: its kind (``*`` any) and a filter on its payload."""

    event: str
    where: Node | None = None


@dataclass(frozen=True, slots=True)
class EventTrigger:
    """``count`` activities of one kind, the first and the last at most ``within`` apart."""

    event: str
    count: int = 1
    within: Span | None = None
    where: Node | None = None


@dataclass(frozen=True, slots=True)
class AbsenceTrigger:
    """No activity of the kind (``*``: nothing the customer does) for ``span``, after there was one."""

    event: str
    span: Span


Trigger = EventTrigger | AbsenceTrigger


@dataclass(frozen=True, slots=True)
class ActionStep:
    key: str
    action: str
    parameters: Mapping[str, Any]
    name: str = ""
    ignore_quiet_hours: bool = False


@dataclass(frozen=True, slots=True)
class WaitStep:
    key: str
    span: Span
    name: str = ""


@dataclass(frozen=True, slots=True)
class WaitUntilStep:
    """Waits for an activity or for conditions, at most ``timeout``; then the run goes on either way."""

    key: str
    until: Happening | Node
    timeout: Span
    name: str = ""


@dataclass(frozen=True, slots=True)
class BranchStep:
    key: str
    conditions: Node
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """One way of a split; ``percent`` of the contacts take it."""

    name: str
    percent: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class SplitStep:
    key: str
    paths: tuple[Path, ...]
    name: str = ""


Step = ActionStep | WaitStep | WaitUntilStep | BranchStep | SplitStep
TYPE_OF: dict[type, str] = {
    ActionStep: "action",
    WaitStep: "wait",
    WaitUntilStep: "wait_until",
    BranchStep: "branch",
    SplitStep: "split",
}


@dataclass(frozen=True, slots=True)
class Reentry:
    """May a contact run again: never (once), at every trigger (always), ``days`` after the last start."""

    policy: str = "once"
    days: int = 0


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Actions wait until ``end`` when it is between ``start`` and ``end`` where the contact lives."""

    start: dt.time
    end: dt.time


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``count`` runs of one contact started within ``within``."""

    count: int
    within: Span


@dataclass(frozen=True, slots=True)
class Definition:
    """``data`` is the JSON that parses to this, with every step's key written out."""

    trigger: Trigger
    steps: tuple[Step, ...]
    conditions: Node | None = None
    goal: Happening | Node | None = None
    exit: Node | None = None
    reentry: Reentry = Reentry()
    quiet_hours: QuietHours | None = None
    frequency_cap: Cap | None = None
    holdout_percent: float = 0
    timeout: Span | None = None
    data: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def walk(self) -> Iterator[Step]:
        """Every step, those inside branches and paths after the one that holds them."""
        yield from _walk(self.steps)

    def find(self, key: str) -> Step | None:
        """The step of that key."""
        return next((step for step in self.walk() if step.key == key), None)

    @property
    def first(self) -> str:
        """Key of the first step ('' where there is none)."""
        return self.steps[0].key if self.steps else ""

    def after(self, key: str) -> str:
        """Key of the step that follows the whole of step ``key`` ('' at the end)."""
        return _after(self.steps, key, "") or ""

    @property
    def listens_to(self) -> tuple[str, ...]:
        """The kinds whose arrival may end a run by its goal at any time."""
        if isinstance(self.goal, Happening):
            return (self.goal.event,)
        return (ANYTHING,) if self.goal is not None or self.exit is not None else ()


def _walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        for _name, below in paths_of(step):
            yield from _walk(below)


def paths_of(step: Step) -> list[tuple[str, tuple[Step, ...]]]:
    """The named ways below a step: then and else of a branch, the paths of a split."""
    if isinstance(step, BranchStep):
        return [("then", step.then), ("else", step.otherwise)]
    if isinstance(step, SplitStep):
        return [(path.name, path.steps) for path in step.paths]
    return []


def _after(steps: tuple[Step, ...], key: str, following: str) -> str | None:
    """None where the key is not below; ``following`` is what comes after the whole list."""
    for index, step in enumerate(steps):
        then = steps[index + 1].key if index + 1 < len(steps) else following
        if step.key == key:
            return then
        for _name, below in paths_of(step):
            found = _after(below, key, then)
            if found is not None:
                return found
    return None


def later(at: dt.datetime, span: Span) -> dt.datetime:
    """``at`` plus ``span``: hours and days are exact, months and years keep the day of the month."""
    if span.unit in ("months", "years"):
        return dt.datetime.combine(shift_day(at.date(), span.unit, span.amount), at.timetz())
    return at + dt.timedelta(**{span.unit: span.amount})


def interval(span: Span) -> str:
    """The span as PostgreSQL reads an interval."""
    return f"{span.amount} {span.unit}"
