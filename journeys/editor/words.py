"""Values of conditions as people type them, and back: "12 days ago", "vip, gold", "true"."""

from __future__ import annotations

import re
from typing import Any

from crmcem.lib.conditions import FieldType
from crmcem.lib.conditions.moments import UNITS, WORDS
from crmcem.lib.conditions.operators import OPERATORS, Arity

_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,10})?", re.ASCII)
_SPAN = re.compile(r"(\d{1,9})\s*([a-z]*)", re.ASCII)
_AGO = re.compile(r"(\d{1,9})\s*([a-z]+)\s+ago", re.ASCII)
_FROM_NOW = re.compile(r"in\s+(\d{1,9})\s*([a-z]+)", re.ASCII)
_LISTS = {Arity.MANY, Arity.TWO}
_NUMERIC = {FieldType.NUMBER, FieldType.MONEY}
_TEMPORAL = {FieldType.DATE, FieldType.DATETIME}


def number(text: str) -> Any:
    """The number that a text says; the text itself where it says none (the parser then tells what is wrong)."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


def span(text: str) -> Any:
    """ "12 days" or "12" as ``{"days": 12}``; the text itself where it is none."""
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None:
        return text
    unit = _unit(match[2] or "days")
    return {unit: int(match[1])} if unit else text


def _unit(text: str) -> str:
    return next((unit for unit in UNITS if text in {unit, unit.removesuffix("s")}), "")


def value(kind: FieldType, op: str, text: str) -> Any:
    """What a typed text means for an operator on a field of that type."""
    arity = OPERATORS[op].arity if op in OPERATORS else Arity.ONE
    text = text.strip()
    if arity is Arity.NONE:
        return None
    if arity is Arity.SPAN:
        return span(text)
    if arity in _LISTS:
        return [_one(kind, part.strip()) for part in text.split(",") if part.strip()]
    return _one(kind, text)


def _one(kind: FieldType, text: str) -> Any:
    if kind in _NUMERIC:
        return number(text)
    if kind is FieldType.BOOLEAN:
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)
    if kind in _TEMPORAL:
        return _moment(text)
    return text


def _moment(text: str) -> Any:
    low = text.lower()
    if low in WORDS:
        return low
    for pattern, word in ((_AGO, "ago"), (_FROM_NOW, "from_now")):
        match = pattern.fullmatch(low)
        if match and (unit := _unit(match[2])):
            return {word: {unit: int(match[1])}}
    return text


def guessed(op: str, text: str) -> Any:
    """A property's value: its type is told by how it looks."""
    arity = OPERATORS[op].arity if op in OPERATORS else Arity.ONE
    if arity is Arity.NONE:
        return None
    if op in {"contains", "not_contains", "starts_with", "ends_with"}:
        return text
    if op in {"before", "after", "on"}:
        return _moment(text)
    parts = [_guess(part.strip()) for part in text.split(",")] if arity in _LISTS else []
    return parts if arity in _LISTS else _guess(text.strip())


def _guess(text: str) -> Any:
    found = number(text)
    if found != text:
        return found
    return {"true": True, "false": False}.get(text.lower(), text)


def written(op: str, data: Any) -> str | None:
    """A value as it would be typed; None where it can't be."""
    arity = OPERATORS[op].arity if op in OPERATORS else Arity.ONE
    if arity is Arity.NONE:
        return "" if data is None else None
    if arity is Arity.SPAN:
        return span_text(data)
    if arity in _LISTS:
        parts = [_written(part) for part in data] if isinstance(data, list) else [None]
        return None if any(p is None or "," in p for p in parts) else ", ".join(str(p) for p in parts)
    return _written(data)


def span_text(data: Any) -> str | None:
    if not isinstance(data, dict) or len(data) != 1:
        return None
    ((unit, n),) = data.items()
    return f"{n} {unit}"


def _written(data: Any) -> str | None:
    if isinstance(data, bool):
        return "true" if data else "false"
    if isinstance(data, int | float | str):
        return str(data)
    if isinstance(data, dict) and set(data) == {"ago"} and (text := span_text(data["ago"])):
        return f"{text} ago"
    if isinstance(data, dict) and set(data) == {"from_now"} and (text := span_text(data["from_now"])):
        return f"in {text}"
    return None
