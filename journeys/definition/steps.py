"""The steps of a definition, those inside branches and paths included."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _

from crmcem.lib.conditions import Node, Span
from journeys.definition import actions, scalars
from journeys.definition.nodes import (
    ActionStep,
    BranchStep,
    Happening,
    Path,
    SplitStep,
    Step,
    WaitStep,
    WaitUntilStep,
)
from journeys.definition.reader import Reader, Stop, join

MAX_STEPS = 100
MAX_NESTING = 5
MAX_PATHS = 10
KEY = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)


class StepReader(Reader):
    def __init__(self, user: Any, stored: bool) -> None:
        super().__init__(user, stored)
        self.keys: dict[str, str] = {}  # key → path of its step
        self.count = 0

    def steps(self, data: Any, path: str, depth: int) -> tuple[tuple[Step, ...], list[dict[str, Any]]]:
        """The steps, and their JSON with keys written out."""
        if data is None:
            return (), []
        if not isinstance(data, list | tuple):
            self.fault(path, "not_a_list", _("Give a list of steps."))
            return (), []
        if depth > MAX_NESTING:
            self.fault(path, "too_deep", _("Branches nest at most %(max)s deep.") % {"max": MAX_NESTING})
            return (), []
        steps: list[Step] = []
        written: list[dict[str, Any]] = []
        for index, item in enumerate(data):
            self.count += 1
            here = f"{path}.{index}"
            if self.count > MAX_STEPS:
                self.fault(here, "too_many_steps", _("At most %(max)s steps.") % {"max": MAX_STEPS})
                raise Stop
            if (found := self.step(item, here, depth)) is not None:
                steps.append(found[0])
                written.append(found[1])
        return tuple(steps), written

    def step(self, data: Any, path: str, depth: int) -> tuple[Step, dict[str, Any]] | None:
        if not isinstance(data, dict):
            self.fault(path, "not_an_object", _("A step is an object with a “type”."))
            return None
        readers = {
            "action": self.action,
            "wait": self.wait,
            "wait_until": self.wait_until,
            "branch": self.branch,
            "split": self.split,
        }
        kind = data.get("type")
        if not isinstance(kind, str) or kind not in readers:
            self.fault(
                join(path, "type"), "unknown_shape", _("“type” must be one of: %s.") % ", ".join(readers)
            )
            return None
        key = self.key(data.get("key"), path, kind)
        name = self.read(join(path, "name"), scalars.name, data.get("name", ""))
        written = {**data, "key": key}
        step = readers[kind](data, path, key, name or "", depth, written)
        return None if step is None else (step, written)

    def key(self, value: Any, path: str, kind: str) -> str:
        """The step's key; a missing one is made from its type and place."""
        if value is None:
            value = f"{kind}-{self.count}"
        if not isinstance(value, str) or not KEY.fullmatch(value):
            detail = _("A key starts with a small letter; then small letters, digits, _ and -, at most 40.")
            self.fault(join(path, "key"), "invalid", detail)
            return ""
        if value in self.keys:
            detail = _("“%(key)s” is the key of %(path)s already.") % {"key": value, "path": self.keys[value]}
            self.fault(join(path, "key"), "duplicate", detail)
        self.keys[value] = path
        return value

    def action(
        self, data: Any, path: str, key: str, name: str, depth: int, written: dict[str, Any]
    ) -> Step | None:
        self.mapping(data, path, {"key", "type", "name", "action", "parameters", "ignore_quiet_hours"})
        ignore = data.get("ignore_quiet_hours", False)
        if not isinstance(ignore, bool):
            self.fault(join(path, "ignore_quiet_hours"), "not_a_boolean", _("Give true or false."))
        parameters = data.get("parameters") or {}
        for problem in actions.faults(data.get("action"), parameters, judged=not self.stored):
            self.fault(join(path, problem.path), problem.code, problem.detail)
        if not isinstance(data.get("action"), str) or not isinstance(parameters, dict):
            return None
        return ActionStep(key, data["action"], parameters, name, bool(ignore))

    def wait(
        self, data: Any, path: str, key: str, name: str, depth: int, written: dict[str, Any]
    ) -> Step | None:
        self.mapping(data, path, {"key", "type", "name", "for"})
        span: Span | None = self.read(join(path, "for"), scalars.run_time, data.get("for"))
        return WaitStep(key, span, name) if span else None

    def wait_until(
        self, data: Any, path: str, key: str, name: str, depth: int, written: dict[str, Any]
    ) -> Step | None:
        self.mapping(data, path, {"key", "type", "name", "event", "where", "conditions", "timeout"})
        until: Happening | Node | None = None
        if ("event" in data) == (data.get("conditions") is not None):
            self.fault(path, "unknown_shape", _("Say what to wait for: either “event” or “conditions”."))
        elif "event" in data:
            until = self.happening(data, path)
        else:
            until = self.conditions(data["conditions"], join(path, "conditions"))
            if "where" in data:
                self.fault(join(path, "where"), "unknown_key", _("“where” belongs to “event”."))
        timeout: Span | None = self.read(join(path, "timeout"), scalars.run_time, data.get("timeout"))
        return WaitUntilStep(key, until, timeout, name) if until is not None and timeout else None

    def branch(
        self, data: Any, path: str, key: str, name: str, depth: int, written: dict[str, Any]
    ) -> Step | None:
        self.mapping(data, path, {"key", "type", "name", "conditions", "then", "else"})
        conditions = self.conditions(data.get("conditions"), join(path, "conditions"))
        if not data.get("conditions"):
            self.fault(join(path, "conditions"), "required", _("Say which contacts take “then”."))
        then, written["then"] = self.steps(data.get("then"), join(path, "then"), depth + 1)
        otherwise, written["else"] = self.steps(data.get("else"), join(path, "else"), depth + 1)
        return BranchStep(key, conditions, then, otherwise, name) if conditions is not None else None

    def split(
        self, data: Any, path: str, key: str, name: str, depth: int, written: dict[str, Any]
    ) -> Step | None:
        self.mapping(data, path, {"key", "type", "name", "paths"})
        ways, here = data.get("paths"), join(path, "paths")
        if not isinstance(ways, list | tuple) or not 2 <= len(ways) <= MAX_PATHS:
            self.fault(here, "not_a_list", _("Give two to %(max)s paths.") % {"max": MAX_PATHS})
            return None
        paths: list[Path] = []
        written["paths"] = []
        for index, item in enumerate(ways):
            at = f"{here}.{index}"
            found = self.mapping(item, at, {"name", "percent", "steps"})
            label = self.read(join(at, "name"), scalars.name, found.get("name") or chr(ord("A") + index))
            percent = self.read(join(at, "percent"), scalars.whole_percent, found.get("percent"))
            steps, below = self.steps(found.get("steps"), join(at, "steps"), depth + 1)
            paths.append(Path(label or "", percent or 0, steps))
            written["paths"].append({"name": label, "percent": percent, "steps": below})
        if len({way.name for way in paths}) < len(paths):
            self.fault(here, "duplicate", _("Give each path a name of its own."))
        if sum(way.percent for way in paths) != 100:
            self.fault(here, "invalid", _("The percentages of the paths must add up to 100."))
        return SplitStep(key, tuple(paths), name)
