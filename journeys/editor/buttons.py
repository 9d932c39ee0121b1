"""What the buttons of the form do to a draft: add, remove and move steps and conditions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from crmcem.lib.actions import Parameter, actions
from journeys.editor.draft import Draft, branch_texts, pretty
from journeys.editor.rows import condition_json

_FIRST_BRANCH: dict[str, Any] = {
    "conditions": {"field": "tags", "op": "has_any", "value": ["vip"]},
    "then": [{"type": "action", "action": "notify_owner", "parameters": {"text": "A good customer is back"}}],
    "else": [],
}
_FIRST_JSON = {"type": "branch", **_FIRST_BRANCH}
_NUMBERED = re.compile(r"(remove|up|down|cond-remove|where-remove):(\d{1,3})", re.ASCII)


def act(draft: Draft, do: str) -> str:
    """Do what a button of the form says; answers the input that the person goes on with."""
    if do == "add":
        return _add(draft, draft.get("add"))
    if do == "cond-add":
        return _add_row(draft, "cond", {"field": "lifecycle_stage", "op": "eq", "value": ""})
    if do == "cond-build":
        return _build(draft)
    if do == "where-add":
        return _add_row(draft, "where", {"field": "", "op": "gte", "value": ""})
    match = _NUMBERED.fullmatch(do)
    if match is not None:
        _move(draft, match[1], int(match[2]))
    return ""


def _add_row(draft: Draft, kind: str, row: dict[str, str]) -> str:
    rows = draft.row_parts(kind)
    draft.put(f"{kind}-", [*rows, row])
    return f"{kind}-{len(rows)}-field"


def _build(draft: Draft) -> str:
    """The rows become what the builder begins with: it knows groups, activities and segments too."""
    data, _paths = condition_json(draft.get("match", "all"), draft.row_parts("cond"), None)
    draft.values |= {"cond_mode": "json", "cond_json": pretty(data or {"all": []})}
    draft.put("cond-", [])
    return "cond_json"


def _add(draft: Draft, what: str) -> str:
    kind, _sep, key = what.partition(":")
    texts = {"type": kind, "key": "", "name": ""}
    last = ""
    if kind == "action":
        action = actions.get(key)
        if action is None:
            return "add"
        texts["action"] = key
        defaults: Iterable[Parameter] = action.parameters
        texts |= {f"p-{p.key}": "" if p.default is None else str(p.default) for p in defaults}
        last = f"p-{action.parameters[0].key}" if action.parameters else ""
    elif kind in {"wait", "wait_until"}:
        texts |= {"n": "3" if kind == "wait" else "14", "unit": "days"}
        last = "n" if kind == "wait" else "event"
        if kind == "wait_until":
            texts["event"] = ""
    elif kind == "branch":
        texts |= branch_texts(_FIRST_BRANCH)
        last = "conditions"
    elif kind == "json":
        texts |= {"json": pretty(_FIRST_JSON)}
        last = "json"
    else:
        return "add"
    parts = draft.step_parts()
    draft.put("step-", [*parts, texts])
    return f"step-{len(parts)}-{last}"


def _move(draft: Draft, what: str, n: int) -> None:
    kind, _sep, verb = what.rpartition("-")
    parts = draft.row_parts(kind) if kind else draft.step_parts()
    if not 0 <= n < len(parts):
        return
    if verb == "remove":
        del parts[n]
    else:
        to = n - 1 if verb == "up" else n + 1
        if 0 <= to < len(parts):
            parts[n], parts[to] = parts[to], parts[n]
    draft.put(f"{kind or 'step'}-", parts)
