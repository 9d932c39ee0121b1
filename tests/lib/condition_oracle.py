"""A registry on the real models, and a plain reading of conditions that shares nothing with the compiler."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from contacts.models import Activity
from crmcem.lib.conditions import ActivitySource, Field, FieldRegistry, FieldType
from crmcem.lib.conditions.moments import shift_day

TZ = ZoneInfo("America/New_York")
NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
TODAY = NOW.astimezone(TZ).date()
TAGS = ["vip", "new", "eu"]
NAMES = ["", "Ann", "ann", "Bob_", "100%", "Zoë", "O'Hara", "back\\slash"]
STAGES = ["lead", "customer", "former"]
KINDS = ["order.placed", "page.viewed"]
CUSTOM = {"text": ["x", "X", "", None], "number": [1, 2.5, "3", "x", None, True], "2024": ["in", "out"]}

REGISTRY = FieldRegistry("contacts.Contact")
REGISTRY.register(
    Field(name="name", label="Name", type=FieldType.TEXT, expression="first_name"),
    Field(name="email", label="E-mail", type=FieldType.TEXT, normalise=str.lower),
    Field(
        name="stage",
        label="Stage",
        type=FieldType.CHOICE,
        expression="lifecycle_stage",
        choices=[(s, s) for s in STAGES],
    ),
    Field(name="tags", label="Tags", type=FieldType.MULTI_CHOICE),
    Field(name="nps", label="NPS", type=FieldType.NUMBER, expression="pulse__nps"),
    Field(name="clv", label="Value", type=FieldType.MONEY, expression="pulse__clv"),
    Field(name="price", label="Price", type=FieldType.MONEY, expression="pulse__clv", currency="first_name"),
    Field(name="seen", label="Last seen", type=FieldType.DATETIME, expression="pulse__last_seen_at"),
    Field(name="company", label="Company", type=FieldType.REFERENCE, expression="company_id"),
    Field(name="company.name", label="Company name", type=FieldType.TEXT, expression="company__name"),
    Field(name="c.text", label="Text", type=FieldType.TEXT, json=("custom", "text")),
    Field(name="c.number", label="Number", type=FieldType.NUMBER, json=("custom", "number")),
    Field(name="c.date", label="Day", type=FieldType.DATE, json=("custom", "date")),
    Field(name="c.flag", label="Flag", type=FieldType.BOOLEAN, json=("custom", "flag")),
    Field(
        name="2024",
        label="Choice",
        type=FieldType.CHOICE,
        json=("custom", "2024"),
        choices=[("in", "In"), ("out", "Out")],
    ),
    Field(name="c.many", label="Many", type=FieldType.MULTI_CHOICE, json=("custom", "many")),
)
REGISTRY.activities = ActivitySource(model="contacts.Activity", subject_model="contacts.Contact")


# A plain reading of the JSON, which shares nothing with the package


def local(value: Any) -> Any:
    return value.astimezone(TZ).date() if isinstance(value, datetime) else value


def moment(raw: Any) -> date | datetime:
    if isinstance(raw, str):
        words = {
            "now": NOW,
            "today": TODAY,
            "yesterday": TODAY - timedelta(1),
            "tomorrow": TODAY + timedelta(1),
        }
        if raw in words:
            return words[raw]
        return datetime.fromisoformat(raw) if "T" in raw else date.fromisoformat(raw)
    ((word, span),) = raw.items()
    return span_from(span, -1 if word == "ago" else 1)


def span_from(span: dict[str, int], sign: int) -> date | datetime:
    ((unit, n),) = span.items()
    if unit in ("hours", "minutes"):
        return NOW + sign * timedelta(**{unit: n})
    return shift_day(TODAY, unit, sign * n)


def order(value: Any, at: date | datetime) -> int:
    """-1, 0 or 1: on whole days where the moment is a day."""
    left = value if isinstance(at, datetime) else local(value)
    return (left > at) - (left < at)


def temporal(op: str, value: Any, raw: Any) -> bool:
    if op == "in_last":
        return (
            order(value, span_from(raw, -1)) >= 0
            and order(value, NOW if isinstance(value, datetime) else TODAY) <= 0
        )
    if op == "in_next":
        return (
            order(value, NOW if isinstance(value, datetime) else TODAY) >= 0
            and order(value, span_from(raw, 1)) <= 0
        )
    if op == "between":
        return order(value, moment(raw[0])) >= 0 and order(value, moment(raw[1])) <= 0
    way = order(value, moment(raw))
    return {
        "on": way == 0,
        "eq": way == 0,
        "before": way < 0,
        "lt": way < 0,
        "after": way > 0,
        "gt": way > 0,
        "gte": way >= 0,
        "lte": way <= 0,
    }[op]


def numeric(op: str, value: Any, raw: Any) -> bool:
    if op == "between":
        return Decimal(str(raw[0])) <= value <= Decimal(str(raw[1]))
    if op == "in":
        return value in [Decimal(str(item)) for item in raw]
    limit = Decimal(str(raw))
    return {
        "eq": value == limit,
        "gt": value > limit,
        "gte": value >= limit,
        "lt": value < limit,
        "lte": value <= limit,
    }[op]


def textual(op: str, value: str, raw: Any) -> bool:
    left = value.upper()
    if op == "in":
        return left in [item.upper() for item in raw]
    right = raw.upper()
    return {
        "eq": left == right,
        "contains": right in left,
        "starts_with": left.startswith(right),
        "ends_with": left.endswith(right),
    }[op]


NEGATIVE = {
    "ne": "eq",
    "not_contains": "contains",
    "not_in": "in",
    "has_none": "has_any",
    "not_in_last": "in_last",
    "is_not_set": "is_set",
}


def to_number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str) and not re.fullmatch(r"-?\d{1,18}(\.\d{1,10})?", value):
        return None
    return Decimal(str(value)) if isinstance(value, int | float | str | Decimal) else None


def to_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def compare(kind: str, op: str, value: Any, raw: Any) -> bool:
    if op in NEGATIVE:
        return not compare(kind, NEGATIVE[op], value, raw)
    if value in (None, "", []):
        return False
    if op == "is_set":
        return True
    match kind:
        case "text":
            return textual(op, value, raw)
        case "number":
            return numeric(op, value, raw)
        case "date":
            return temporal(op, value, raw)
        case "tags":
            return set(raw) <= set(value) if op == "has_all" else bool(set(raw) & set(value))
        case _:
            return value in raw if op == "in" else value == raw


def field_of(row: dict[str, Any], name: str) -> tuple[str, Any]:
    if "types" in row:
        return row["types"][name], row[name]
    custom = row["custom"]
    match name:
        case "name" | "email" | "company.name":
            return "text", row[name]
        case "tags":
            return "tags", row[name]
        case "nps" | "clv":
            return "number", row[name]
        case "seen":
            return "date", row[name]
        case "c.text":
            return "text", to_text(custom.get("text"))
        case "c.number":
            return "number", to_number(custom.get("number"))
        case "c.date":
            return "date", to_day(custom.get("date"))
        case "c.many":
            many = custom.get("many")
            return "tags", many if isinstance(many, list) else None
        case "c.flag":
            return "same", custom.get("flag")
        case "2024":
            return "same", custom.get("2024")
        case _:
            return "same", row[name]


def to_day(value: Any) -> date | None:
    found = isinstance(value, str) and re.fullmatch(r"(\d{4}-\d{2}-\d{2})(T.*)?", value)
    return date.fromisoformat(found[1]) if found else None


def evaluate(data: Any, row: dict[str, Any]) -> bool:
    if "all" in data:
        return all(evaluate(item, row) for item in data["all"])
    if "any" in data:
        return any(evaluate(item, row) for item in data["any"])
    if "not" in data:
        return not evaluate(data["not"], row)
    if "property" in data:
        return evaluate_property(data, row)
    if "activity" in data:
        return evaluate_activity(data, row["activities"])
    if "related" in data:
        return evaluate_related(data, row["related"][data["related"]])
    return compare(*_swap(field_of(row, data["field"]), data["op"]), data.get("value"))


def evaluate_related(data: Any, rows: list[dict[str, Any]]) -> bool:
    where = data.get("where") or {"all": []}
    fit = sum(evaluate({"all": where} if isinstance(where, list) else where, row) for row in rows)
    if data["has"] == "none":
        return fit == 0
    return fit >= (1 if data["has"] == "any" else data["has"]["at_least"])


def _swap(found: tuple[str, Any], op: str) -> tuple[str, str, Any]:
    return found[0], op, found[1]


def evaluate_property(data: Any, payload: Any) -> bool:
    value: Any = payload
    for key in data["property"].split("."):
        value = value.get(key) if isinstance(value, dict) else None
    raw, op = data.get("value"), data["op"]
    sample = raw[0] if isinstance(raw, list) else raw
    if op in ("before", "after", "on") or isinstance(sample, dict):
        return compare("date", op, to_day(value), raw)
    if isinstance(sample, bool):
        return compare("same", op, to_text(value), to_text(raw))
    if isinstance(sample, int | float):
        return compare("number", op, to_number(value), raw)
    return compare("text", op, to_text(value), raw)


def evaluate_activity(data: Any, activities: list[Activity]) -> bool:
    where = data.get("where") or []
    rows = [
        a
        for a in activities
        if a.kind == data["activity"]
        and order(a.occurred_at, span_from(data["within"], -1)) >= 0
        and a.occurred_at <= NOW
        and all(evaluate(item, a.payload) for item in where)
    ]
    if "last" in data:
        newest = max((a.occurred_at for a in rows), default=None)
        return compare("date", data["op"], newest, data["last"])
    if "together" in data:
        times = sorted(a.occurred_at for a in rows)
        pairs = zip(times, times[data["count"] - 1 :], strict=False)
        return any(close(first, last, data["together"]) for first, last in pairs)
    if "sum" in data:
        total = sum((to_number(a.payload.get(data["of"])) or Decimal(0) for a in rows), Decimal(0))
        return numeric_or_not(data["op"], total, data["sum"])
    return numeric_or_not(data["op"], Decimal(len(rows)), data["count"])


def close(first: datetime, last: datetime, span: dict[str, int]) -> bool:
    ((unit, n),) = span.items()
    length = timedelta(**{unit: n})
    return last - first <= length if unit in ("hours", "minutes") else local(last) - local(first) <= length


def numeric_or_not(op: str, value: Decimal, raw: Any) -> bool:
    return not numeric("eq", value, raw) if op == "ne" else numeric(op, value, raw)
