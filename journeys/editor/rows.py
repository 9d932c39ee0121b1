"""Rows of conditions: "Lifecycle stage is customer". What rows can't say is written as JSON."""

from __future__ import annotations

from typing import Any

from contacts.conditions import contact_fields
from crmcem.lib.conditions import FieldType
from journeys.editor import words

Texts = dict[str, str]


def condition_rows(data: Any) -> tuple[str, list[Texts]] | None:
    """``(all or any, rows)`` of a condition; None where it needs JSON."""
    if data in (None, {}):
        return "all", []
    if not isinstance(data, dict):
        return None
    for match in ("all", "any"):
        if set(data) == {match} and isinstance(data[match], list):
            rows = [_row(leaf) for leaf in data[match]]
            return None if None in rows or not rows else (match, [row for row in rows if row is not None])
    row = _row(data)
    return ("all", [row]) if row is not None else None


def _row(leaf: Any) -> Texts | None:
    if not isinstance(leaf, dict) or not set(leaf) <= {"field", "op", "value"}:
        return None
    name, op = leaf.get("field"), leaf.get("op")
    field = contact_fields.get(name) if isinstance(name, str) else None
    if field is None or not isinstance(name, str) or not isinstance(op, str):
        return None
    text = words.written(op, leaf.get("value"))
    if text is None or words.value(field.type, op, text) != leaf.get("value"):
        return None
    return {"field": name, "op": op, "value": text}


def condition_json(match: str, rows: list[Texts], user: Any) -> tuple[Any, list[str]]:
    """The condition that the rows say, and the path of each row in it."""
    leaves = [_leaf(row, user) for row in rows]
    if not leaves:
        return None, []
    if len(leaves) == 1:
        return leaves[0], [""]
    match = match if match in {"all", "any"} else "all"
    return {match: leaves}, [f"{match}.{n}" for n in range(len(leaves))]


def _leaf(row: Texts, user: Any) -> dict[str, Any]:
    field = contact_fields.get(row["field"], user)
    kind = field.type if field is not None else FieldType.TEXT
    leaf = {"field": row["field"], "op": row["op"], "value": words.value(kind, row["op"], row["value"])}
    if leaf["value"] is None:
        del leaf["value"]
    return leaf


def where_rows(data: Any) -> list[Texts] | None:
    """Rows of a filter on an event's properties; None where it needs JSON."""
    if data in (None, []):
        return []
    if not isinstance(data, list):
        return None
    rows = []
    for leaf in data:
        if not isinstance(leaf, dict) or not set(leaf) <= {"property", "op", "value"}:
            return None
        name, op = leaf.get("property"), leaf.get("op")
        if not isinstance(name, str) or not isinstance(op, str):
            return None
        text = words.written(op, leaf.get("value"))
        if text is None or words.guessed(op, text) != leaf.get("value"):
            return None
        rows.append({"field": name, "op": op, "value": text})
    return rows


def where_json(rows: list[Texts]) -> list[dict[str, Any]]:
    out = []
    for row in rows:
        leaf = {
            "property": row["field"],
            "op": row["op"],
            "value": words.guessed(row["op"], row["value"]),
        }
        if leaf["value"] is None:
            del leaf["value"]
        out.append(leaf)
    return out
