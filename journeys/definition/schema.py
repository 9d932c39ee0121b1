"""JSON Schema of a definition, for the OpenAPI document."""

from typing import Any

from crmcem.lib.conditions.moments import MAX_AMOUNT

Json = dict[str, Any]


def schema(conditions: Json | None = None) -> Json:
    """What ``parse`` reads, as far as a schema without recursion can say it.

    ``conditions`` is the schema of a condition (default: any object); steps inside branches and paths have the
    shape of those at the top.
    """
    found = _schema()
    if conditions is not None:
        _fill(found, conditions)
    return found


def _fill(part: Any, conditions: Json) -> None:
    """Put the schema of conditions where the marked objects stand."""
    if isinstance(part, dict):
        if part.pop("x-conditions", False):
            part.pop("additionalProperties", None)
            part.pop("type", None)
            part |= conditions
            return
        for value in part.values():
            _fill(value, conditions)
    elif isinstance(part, list):
        for value in part:
            _fill(value, conditions)


def _schema() -> Json:
    steps: Json = {"type": "array", "minItems": 1, "maxItems": 100, "items": _step(_INNER)}
    return _object(
        {
            "trigger": {"oneOf": [_event_trigger(), _absence_trigger()]},
            "conditions": _conditions("Which contacts may enter; everyone where it is left out."),
            "steps": steps,
            "goal": {
                "description": "Ends a run as done: an event that comes, or conditions that hold.",
                "oneOf": [
                    _object({"event": _KIND, "where": _WHERE}, required=("event",)),
                    _object({"conditions": _conditions("")}),
                ],
            },
            "exit": _conditions("Ends a run early as soon as they hold."),
            "reentry": _object(
                {
                    "policy": {"type": "string", "enum": ["once", "always", "after"]},
                    "days": {"type": "integer", "minimum": 1},
                },
                required=("policy",),
            ),
            "quiet_hours": _object({"from": _TIME, "to": _TIME}),
            "frequency_cap": _object({"count": {"type": "integer", "minimum": 1}, "within": _SPAN}),
            "holdout_percent": {"type": "number", "minimum": 0, "maximum": 90},
            "timeout": _SPAN,
        },
        required=("trigger", "steps"),
    )


_KIND: Json = {"type": "string", "minLength": 1, "maxLength": 100, "example": "order.placed"}
_TIME: Json = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "example": "21:00"}
_WHERE: Json = {
    "type": "array",
    "description": "A filter on the event's properties; all must hold.",
    "items": {"type": "object", "additionalProperties": True},
}
_SPAN: Json = {
    "type": "object",
    "description": "One unit and how many, such as {“days”: 90}.",
    "properties": {
        unit: {"type": "integer", "minimum": 1, "maximum": most} for unit, most in MAX_AMOUNT.items()
    },
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
    "example": {"days": 90},
}
_INNER: Json = {
    "type": "array",
    "description": "Steps of the same shape.",
    "items": {"type": "object", "additionalProperties": True},
}


def _object(properties: Json, required: tuple[str, ...] | None = None) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }


def _conditions(description: str) -> Json:
    text = "A condition of the condition language, such as {“field”: “email”, “op”: “is_set”}."
    return {
        "type": "object",
        "description": f"{description} {text}".strip(),
        "additionalProperties": True,
        "x-conditions": True,
    }


def _event_trigger() -> Json:
    return _object(
        {
            "type": {"type": "string", "enum": ["event"]},
            "event": _KIND,
            "count": {"type": "integer", "minimum": 1, "maximum": 100},
            "within": _SPAN,
            "where": _WHERE,
        },
        required=("type", "event"),
    )


def _absence_trigger() -> Json:
    return _object(
        {
            "type": {"type": "string", "enum": ["absence"]},
            "event": {**_KIND, "description": "* is anything the customer does."},
            "for": _SPAN,
        },
        required=("type", "for"),
    )


def _step(inner: Json) -> Json:
    key: Json = {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,39}$"}
    name: Json = {"type": "string", "maxLength": 120}

    def one(kind: str, properties: Json, required: tuple[str, ...]) -> Json:
        head = {"key": key, "type": {"type": "string", "enum": [kind]}, "name": name}
        return _object(head | properties, required=("type", *required))

    path = _object(
        {"name": name, "percent": {"type": "integer", "minimum": 1, "maximum": 99}, "steps": inner},
        required=("percent",),
    )
    return {
        "oneOf": [
            one(
                "action",
                {
                    "action": {"type": "string"},
                    "parameters": {"type": "object", "additionalProperties": True},
                    "ignore_quiet_hours": {"type": "boolean"},
                },
                ("action",),
            ),
            one("wait", {"for": _SPAN}, ("for",)),
            one(
                "wait_until",
                {"event": _KIND, "where": _WHERE, "conditions": _conditions(""), "timeout": _SPAN},
                ("timeout",),
            ),
            one("branch", {"conditions": _conditions(""), "then": inner, "else": inner}, ("conditions",)),
            one(
                "split",
                {"paths": {"type": "array", "minItems": 2, "maxItems": 10, "items": path}},
                ("paths",),
            ),
        ]
    }
