"""A draft: the texts of the form by field name, the definition they stand for, and where each fault belongs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from crmcem.lib.actions import actions
from crmcem.lib.errors import DomainError, FieldError
from journeys.editor import words
from journeys.editor.rows import Texts, condition_json, condition_rows, where_json, where_rows

MAX_FIELDS = 2_000
MAX_LENGTH = 60_000
MAX_ROWS = 100
#: Rules that the form has as JSON only.
RULES = ("goal", "exit")
FIRST = (
    *("trigger", "type", "key", "name", "action", "event", "field", "activity", "property", "op", "value"),
    *("parameters", "conditions", "for", "steps", "then", "else"),
)
_STEP = re.compile(r"step-(\d{1,3})-type", re.ASCII)
_ROW = re.compile(r"(cond|where)-(\d{1,3})-field", re.ASCII)


@dataclass
class Draft:
    """``values`` are the texts; ``errors`` what is wrong with each field ("": with the whole)."""

    values: Texts
    errors: dict[str, list[str]] = field(default_factory=dict)

    def get(self, name: str, fallback: str = "") -> str:
        return self.values.get(name, fallback)

    def fault(self, name: str, text: str) -> None:
        self.errors.setdefault(name, []).append(text)

    # lists of fields: their numbers in order

    def steps(self) -> list[int]:
        return sorted(int(m[1]) for name in self.values if (m := _STEP.fullmatch(name)))

    def rows(self, kind: str) -> list[int]:
        found = (m for name in self.values if (m := _ROW.fullmatch(name)))
        return sorted(int(m[2]) for m in found if m[1] == kind)

    def part(self, prefix: str) -> Texts:
        """The texts under ``prefix``, without it."""
        return {name[len(prefix) :]: v for name, v in self.values.items() if name.startswith(prefix)}

    def put(self, prefix: str, parts: list[Texts]) -> None:
        """Replace the numbered parts under ``prefix`` by these, numbered from 0."""
        head = re.compile(re.escape(prefix) + r"\d+-", re.ASCII)
        self.values = {name: v for name, v in self.values.items() if not head.match(name)}
        for n, part in enumerate(parts[:MAX_ROWS]):
            self.values |= {f"{prefix}{n}-{key}": text for key, text in part.items()}

    def step_parts(self) -> list[Texts]:
        return [self.part(f"step-{n}-") for n in self.steps()]

    def row_parts(self, kind: str) -> list[Texts]:
        return [
            {key: self.get(f"{kind}-{n}-{key}") for key in ("field", "op", "value")} for n in self.rows(kind)
        ]


def from_post(data: Mapping[str, str]) -> Draft:
    """What a browser sent. Raises DomainError where it is more than the form can hold."""
    if len(data) > MAX_FIELDS or any(len(text) > MAX_LENGTH for text in data.values()):
        raise DomainError.of("definition", "too_large", _("This is more than the form can hold."))
    draft = Draft({name: text.replace("\r\n", "\n") for name, text in data.items()})
    draft.put("step-", draft.step_parts())
    draft.put("cond-", draft.row_parts("cond"))
    draft.put("where-", draft.row_parts("where"))
    return draft


# --- from a definition ---------------------------------------------------------------------------


def from_definition(name: str, description: str, data: Mapping[str, Any]) -> Draft:
    """The form of a stored definition."""
    trigger = data.get("trigger") or {}
    values: Texts = {"name": name, "description": description, "trigger": str(trigger.get("type", "event"))}
    draft = Draft(values)
    if values["trigger"] == "absence":
        event = str(trigger.get("event", "*"))
        values |= {"away_event": "" if event == "*" else event, **_span("away", trigger.get("for"))}
    else:
        values |= {"event": str(trigger.get("event", "")), "count": str(trigger.get("count", 1))}
        values |= _span("within", trigger.get("within"))
        rows = where_rows(trigger.get("where"))
        if rows is None:
            values |= {"where_mode": "json", "where_json": pretty(trigger["where"])}
        else:
            draft.put("where-", rows)
    found = condition_rows(data.get("conditions"))
    if found is None:
        draft.values |= {"cond_mode": "json", "cond_json": pretty(data["conditions"])}
    else:
        draft.values["match"] = found[0]
        draft.put("cond-", found[1])
    draft.put("step-", [step_texts(step) for step in data.get("steps") or ()])
    draft.values |= _rules(data)
    return draft


def _rules(data: Mapping[str, Any]) -> Texts:
    reentry = data.get("reentry") or {}
    quiet = data.get("quiet_hours") or {}
    cap = data.get("frequency_cap") or {}
    out = {
        "reentry": str(reentry.get("policy", "once")),
        "reentry_days": str(reentry.get("days") or ""),
        "quiet_from": str(quiet.get("from", "")),
        "quiet_to": str(quiet.get("to", "")),
        "cap": str(cap.get("count") or ""),
        **_span("cap", cap.get("within")),
        "holdout": f"{data['holdout_percent']:g}" if data.get("holdout_percent") else "",
        **_span("timeout", data.get("timeout")),
    }
    kept = {key: data[key] for key in RULES if data.get(key)}
    return out | {"rules_json": pretty(kept) if kept else ""}


#: the parts of a branch and their fields, each JSON: conditions by the builder, steps as they are
BRANCH = {"conditions": "conditions", "then": "then_json", "else": "else_json"}
EMPTY: dict[str, Any] = {"conditions": {"all": []}, "then": [], "else": []}


def branch_texts(step: Mapping[str, Any]) -> Texts:
    return {name: pretty(step.get(part) or EMPTY[part]) for part, name in BRANCH.items()}


def step_texts(step: Mapping[str, Any]) -> Texts:
    """One step's texts; ``type`` json for what the form has no fields for."""
    kind = step.get("type")
    texts: Texts = {"key": str(step.get("key", "")), "name": str(step.get("name", ""))}
    if kind == "action":
        texts |= {"type": "action", "action": str(step.get("action", ""))}
        parameters = step.get("parameters") or {}
        if all(isinstance(v, str | int | float) for v in parameters.values()):
            texts |= {f"p-{key}": _text(v) for key, v in parameters.items()}
            if step.get("ignore_quiet_hours"):
                texts["loud"] = "1"
            return texts
    elif kind == "wait":
        return texts | {"type": "wait", **_span("", step.get("for"))}
    elif kind == "wait_until" and "event" in step and not step.get("where"):
        return texts | {"type": "wait_until", "event": str(step["event"]), **_span("", step.get("timeout"))}
    elif kind == "branch" and step.keys() <= {"key", "name", "type", *BRANCH}:
        return texts | {"type": "branch", **branch_texts(step)}
    return {"type": "json", "key": "", "json": pretty(step)}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _span(prefix: str, data: Any) -> Texts:
    head = f"{prefix}_" if prefix else ""
    if not isinstance(data, Mapping) or len(data) != 1:
        return {f"{head}n": "", f"{head}unit": "days"}
    ((unit, n),) = data.items()
    return {f"{head}n": str(n), f"{head}unit": str(unit)}


def pretty(data: Any) -> str:
    """JSON for people: the keys that say what it is come first."""
    return json.dumps(_ordered(data), indent=2, ensure_ascii=False)


def _ordered(data: Any) -> Any:
    if isinstance(data, Mapping):
        keys = [key for key in FIRST if key in data] + [key for key in data if key not in FIRST]
        return {key: _ordered(data[key]) for key in keys}
    return [_ordered(item) for item in data] if isinstance(data, list) else data


# --- to a definition -----------------------------------------------------------------------------


@dataclass
class Written:
    """A definition, and for each of its paths the field that says it."""

    data: dict[str, Any] = field(default_factory=dict)
    fields: list[tuple[str, str]] = field(default_factory=list)

    def owns(self, path: str, name: str) -> None:
        self.fields.append((path, name))

    def field_of(self, path: str) -> str:
        """The field of the longest known beginning of ``path`` (the last one said); '' where there is none."""
        fitting = [
            (len(known), n, name)
            for n, (known, name) in enumerate(self.fields)
            if path == known or path.startswith(f"{known}.")
        ]
        return max(fitting)[2] if fitting else ""


def to_definition(draft: Draft, user: Any) -> Written:
    """The definition as typed; what is no JSON is noted on the draft. The parser judges the rest."""
    out = Written()
    _write_trigger(draft, out)
    _write_conditions(draft, out, user)
    steps = []
    for index, n in enumerate(draft.steps()):
        steps.append(_step(draft, n, out, f"steps.{index}"))
    out.data["steps"] = steps
    out.owns("steps", "add")
    _write_rules(draft, out)
    return out


def add_faults(draft: Draft, written: Written, error: DomainError) -> None:
    """Each fault at the field that caused it; a field that could not be read at all has its fault already."""
    before = set(draft.errors)
    for each in error.errors:
        place = _place(each, written)
        if place not in before:
            draft.fault(place, each.detail)


def _place(error: FieldError, written: Written) -> str:
    if error.field in {"name", "description"}:
        return error.field
    path = error.field.removeprefix("definition").removeprefix(".")
    return written.field_of(path)


def _span_json(draft: Draft, prefix: str) -> Any:
    n = draft.get(f"{prefix}n").strip()
    return {draft.get(f"{prefix}unit", "days"): words.number(n)} if n else None


def _write_trigger(draft: Draft, out: Written) -> None:
    if draft.get("trigger") == "absence":
        event = draft.get("away_event").strip() or "*"
        out.data["trigger"] = {"type": "absence", "event": event, "for": _span_json(draft, "away_")}
        out.owns("trigger", "trigger")
        out.owns("trigger.event", "away_event")
        out.owns("trigger.for", "away_n")
        return
    kind = draft.get("trigger") or "event"
    trigger: dict[str, Any] = {"type": kind, "event": draft.get("event").strip()}
    count = words.number(draft.get("count", "1") or "1")
    within = _span_json(draft, "within_")
    if count != 1:
        trigger["count"] = count
        if within is not None:
            trigger["within"] = within
    if draft.get("where_mode") == "json":
        where = _json(draft, "where_json")
    else:
        where = where_json(draft.row_parts("where"))
        for index, n in enumerate(draft.rows("where")):
            out.owns(f"trigger.where.{index}", f"where-{n}-value")
            out.owns(f"trigger.where.{index}.property", f"where-{n}-field")
    if where:
        trigger["where"] = where
    out.data["trigger"] = trigger
    for path, name in (("", "event"), (".event", "event"), (".count", "count"), (".within", "within_n")):
        out.owns(f"trigger{path}", name)
    out.owns("trigger.where", "where_json" if draft.get("where_mode") == "json" else "where_add")


def _write_conditions(draft: Draft, out: Written, user: Any) -> None:
    if draft.get("cond_mode") == "json":
        data = _json(draft, "cond_json")
        out.owns("conditions", "cond_json")
    else:
        data, paths = condition_json(draft.get("match", "all"), draft.row_parts("cond"), user)
        out.owns("conditions", "cond_add")
        for n, path in zip(draft.rows("cond"), paths, strict=True):
            head = f"conditions.{path}" if path else "conditions"
            out.owns(head, f"cond-{n}-value")
            out.owns(f"{head}.field", f"cond-{n}-field")
            out.owns(f"{head}.op", f"cond-{n}-op")
    if data:
        out.data["conditions"] = data


def _step(draft: Draft, n: int, out: Written, path: str) -> Any:
    texts = draft.part(f"step-{n}-")
    field_name = f"step-{n}-"
    kind = texts.get("type")
    if kind == "json":
        out.owns(path, f"{field_name}json")
        return _json(draft, f"{field_name}json")
    step: dict[str, Any] = {"type": kind or ""}
    if texts.get("key"):
        step = {"key": texts["key"], **step}
    if texts.get("name", "").strip():
        step["name"] = texts["name"].strip()
    out.owns(path, f"{field_name}type")
    out.owns(f"{path}.name", f"{field_name}name")
    if kind == "action":
        step["action"] = texts.get("action", "")
        step["parameters"] = _parameters(step["action"], texts)
        for key in texts:
            if key.startswith("p-"):
                out.owns(f"{path}.parameters.{key[2:]}", f"{field_name}{key}")
        action = actions.get(step["action"])
        for parameter in action.parameters if action is not None else ():
            out.owns(f"{path}.parameters.{parameter.key}", f"{field_name}p-{parameter.key}")
        if texts.get("loud"):
            step["ignore_quiet_hours"] = True
        return step
    if kind == "branch":
        for part, own in BRANCH.items():
            name = f"{field_name}{own}"
            out.owns(f"{path}.{part}", name)
            step[part] = _json(draft, name) if draft.get(name).strip() else EMPTY[part]
        return step
    length = _span_json(draft, field_name)
    if kind == "wait_until":
        step |= {"event": texts.get("event", "").strip(), "timeout": length}
        out.owns(f"{path}.event", f"{field_name}event")
        out.owns(f"{path}.timeout", f"{field_name}n")
    else:
        step["for"] = length
        out.owns(f"{path}.for", f"{field_name}n")
    return step


def _parameters(key: str, texts: Texts) -> dict[str, Any]:
    action = actions.get(key)
    types = {p.key: p.type for p in action.parameters} if action is not None else {}
    out: dict[str, Any] = {}
    for name, text in texts.items():
        if not name.startswith("p-"):
            continue
        kind = types.get(name[2:], "text")
        if kind == "boolean":
            out[name[2:]] = text in {"1", "true", "on"}
        elif text.strip():
            out[name[2:]] = words.number(text) if kind == "number" else text
    return out


def _write_rules(draft: Draft, out: Written) -> None:
    reentry: dict[str, Any] = {"policy": draft.get("reentry", "once")}
    if reentry["policy"] == "after":
        reentry["days"] = words.number(draft.get("reentry_days"))
    out.data["reentry"] = reentry
    out.owns("reentry", "reentry")
    out.owns("reentry.days", "reentry_days")
    if draft.get("quiet_from") or draft.get("quiet_to"):
        out.data["quiet_hours"] = {"from": draft.get("quiet_from"), "to": draft.get("quiet_to")}
    if draft.get("cap").strip():
        out.data["frequency_cap"] = {
            "count": words.number(draft.get("cap")),
            "within": _span_json(draft, "cap_"),
        }
    if draft.get("holdout").strip():
        out.data["holdout_percent"] = words.number(draft.get("holdout"))
    if (timeout := _span_json(draft, "timeout_")) is not None:
        out.data["timeout"] = timeout
    for path, name in (
        ("quiet_hours.from", "quiet_from"),
        ("quiet_hours.to", "quiet_to"),
        ("frequency_cap.count", "cap"),
        ("frequency_cap.within", "cap_n"),
        ("holdout_percent", "holdout"),
        ("timeout", "timeout_n"),
        *((rule, "rules_json") for rule in RULES),
    ):
        out.owns(path, name)
    rules = _json(draft, "rules_json") if draft.get("rules_json").strip() else {}
    if not isinstance(rules, dict) or not set(rules) <= set(RULES):
        draft.fault("rules_json", _("Give an object with “goal”, “exit” or both."))
    else:
        out.data |= rules


def _json(draft: Draft, name: str) -> Any:
    try:
        return json.loads(draft.get(name), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        where = f" ({error})" if isinstance(error, json.JSONDecodeError) else ""
        draft.fault(name, _("This is not JSON%(where)s.") % {"where": where})
        return None


def _refuse(name: str) -> Any:
    raise ValueError(name)
