"""The language as data: JSON Schema for the API, and a description of the fields for the builder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from crmcem.lib.conditions import values
from crmcem.lib.conditions.moments import MAX_AMOUNT, MAX_OFFSET, PERIODS, WORDS
from crmcem.lib.conditions.operators import (
    LAST_OPERATORS,
    MEASURE_OPERATORS,
    OPERATORS,
    PROPERTY_OPERATORS,
    Arity,
    FieldType,
)
from crmcem.lib.conditions.parse_related import MAX_BEYOND, MAX_LEAST
from crmcem.lib.conditions.parser import MAX_NAME, MAX_NODES
from crmcem.lib.conditions.registry import Field, FieldRegistry
from crmcem.lib.conditions.relations import Relation

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def describe(registry: FieldRegistry, user: Any = None, *, shared: bool = False) -> Json:
    """What the builder offers to a person, in an answer that is theirs or everybody's (``shared``).

    ``{"record": model, "records": {model: {"fields": [{name, label, group, type, currency, operators: [{name, label,
    arity}], choices: [{value, label}] | null}], "activities": [{kind, label}] | null, "segments": bool, "related":
    [{name, label, single, record: model}]}}, "measures": {count|sum|last: [{name, label, arity}]}}``. ``currency``:
    amounts need one. ``records`` holds every kind of record that the conditions can speak of.
    """
    return {
        "record": registry.model_label,
        "records": {
            each.model_label: _record(each, user, shared) for each in _reachable(registry, user, shared)
        },
        "measures": {
            "count": [_operator(op) for op in MEASURE_OPERATORS],
            "sum": [_operator(op) for op in MEASURE_OPERATORS],
            "last": [_operator(op) for op in LAST_OPERATORS],
        },
    }


def _record(registry: FieldRegistry, user: Any, shared: bool) -> Json:
    source = registry.activities
    kinds = (
        [{"kind": kind, "label": label} for kind, label in source.labels(user).items()] if source else None
    )
    return {
        "fields": [_described(field) for field in registry.fields(user, shared=shared)],
        "activities": kinds,
        "segments": registry.segments is not None,
        "related": [
            {
                "name": each.name,
                "label": str(each.label),
                "single": each.single,
                "record": each.registry.model_label,
            }
            for each in registry.related(user, shared=shared)
        ],
    }


def _reachable(registry: FieldRegistry, user: Any, shared: bool) -> list[FieldRegistry]:
    """The registry, and those of related records, as far as relations may follow on each other."""
    found = level = [registry]
    for _step in range(MAX_BEYOND):
        level = [each.registry for one in level for each in one.related(user, shared=shared)]
        found = list(dict.fromkeys([*found, *level]))
    return found


def schema(
    registry: FieldRegistry, user: Any = None, *, refs: str = "#/$defs/", shared: bool = False
) -> Json:
    """JSON Schema 2020-12 of the conditions this person may write (``shared``: whose answer is everybody's).

    ``refs`` is where the definitions will live (``#/components/schemas/`` in OpenAPI). What a schema can't
    say (depth, number of parts, order of a pair, real dates) the parser still checks.
    """
    definitions = _moments(refs)
    reachable = _reachable(registry, user, shared)
    names = {
        each: "ConditionNode" if each is registry else f"ConditionNode{each.model.__name__}"
        for each in reachable
    }
    for each in reachable:
        definitions[names[each]] = {"anyOf": _nodes(each, user, refs, names, shared)}
    if any(each.activities is not None for each in reachable):
        definitions["ConditionEvent"] = {"anyOf": _event_nodes(refs)}
    return {"$schema": DIALECT, "$ref": f"{refs}ConditionNode", "$defs": definitions}


def _nodes(
    registry: FieldRegistry, user: Any, refs: str, names: dict[FieldRegistry, str], shared: bool
) -> list[Json]:
    """What a node about a record of the registry can be."""
    node: Json = {"$ref": refs + names[registry]}
    out: list[Json] = [
        _object({"all": _array(node)}),
        _object({"any": _array(node)}),
        _object({"not": node}),
        *_field_leaves(registry.fields(user, shared=shared), refs),
        *_example_leaves(registry.examples(user), refs),
    ]
    if registry.activities is not None:
        out += _activity_leaves(refs)
    if registry.segments is not None:
        out.append(_object({"segment": {"type": ["string", "integer"]}}))
    for each in registry.related(user, shared=shared):
        if each.registry in names:  # the others lie too far away
            out.append(_related_leaf(each, {"$ref": refs + names[each.registry]}))
    return out


def _related_leaf(relation: Relation, node: Json) -> Json:
    least: Json = {"type": "integer", "minimum": 1, "maximum": MAX_LEAST}
    has: list[Json] = [
        {"enum": ["any", "none"]},
        *([] if relation.single else [_object({"at_least": least})]),
    ]
    where: Json = {"anyOf": [_array(node), node, {"type": "null"}]}
    head: Json = {"related": {"const": relation.name}, "has": {"anyOf": has}}
    return _object({**head, "where": where}, optional=("where",))


def _described(field: Field) -> Json:
    options = field.options()
    return {
        "name": field.name,
        "label": str(field.label),
        "group": str(field.group),
        "type": field.type.value,
        "currency": bool(field.currency),
        "operators": [_operator(op) for op in field.ops],
        "choices": None if options is None else [{"value": k, "label": v} for k, v in options.items()],
    }


def _operator(name: str) -> Json:
    op = OPERATORS[name]
    return {"name": name, "label": str(op.label), "arity": op.arity.value}


def _field_leaves(fields: list[Field], refs: str) -> list[Json]:
    """One object per (value schema, operators) shared by fields of a type; fields with choices have their
    own.
    """
    shapes: dict[str, tuple[Json, tuple[str, ...], list[str]]] = {}
    for field in fields:
        value = _field_value(field, refs)
        key = repr((value, field.ops))
        shapes.setdefault(key, (value, field.ops, []))[2].append(field.name)
    out = []
    for value, ops, names in shapes.values():
        out += _by_arity({"field": {"enum": names}}, ops, value, refs)
    return out


def _example_leaves(examples: list[tuple[str, Field]], refs: str) -> list[Json]:
    out = []
    for prefix, field in examples:
        head = {"field": {"type": "string", "pattern": f"^{re.escape(prefix)}", "maxLength": MAX_NAME}}
        out += _by_arity(head, field.ops, _field_value(field, refs), refs)
    return out


def _by_arity(
    head: Json, ops: tuple[str, ...], value: Json, refs: str, name: str = "value", rest: Json | None = None
) -> list[Json]:
    """One object per number of values that the operators take."""
    days_only = value == {"$ref": f"{refs}ConditionDay"}
    shapes: dict[Arity, Json] = {
        Arity.ONE: value,
        Arity.TWO: _array(value, 2, 2),
        Arity.MANY: _array(value, 1, values.MAX_LIST),
        Arity.SPAN: {"$ref": f"{refs}{'ConditionDaySpan' if days_only else 'ConditionSpan'}"},
    }
    out = []
    for arity in Arity:
        names = [op for op in ops if OPERATORS[op].arity is arity]
        if names:
            taken = {name: shapes[arity]} if arity in shapes else {}
            out.append(
                _object(
                    {**head, "op": {"enum": names}, **taken, **(rest or {})}, optional=("where", "together")
                )
            )
    return out


def _field_value(field: Field, refs: str) -> Json:
    options = field.options()
    if options is not None and field.normalise is None:
        return {"enum": list(options)}
    number: Json = {"$ref": f"{refs}ConditionNumber"}
    match field.type:
        case FieldType.NUMBER:
            return number
        case FieldType.MONEY:
            if not field.currency:
                return number
            return _object({"amount": number, "currency": {"type": "string", "pattern": "^[A-Z]{3}$"}})
        case FieldType.DATE:
            return {"$ref": f"{refs}ConditionDay"}
        case FieldType.DATETIME:
            return {"$ref": f"{refs}ConditionMoment"}
        case FieldType.BOOLEAN:
            return {"type": "boolean"}
        case FieldType.REFERENCE:
            return {"type": ["string", "integer"]}
        case _:
            return {"$ref": f"{refs}ConditionText"}


def _activity_leaves(refs: str) -> list[Json]:
    name: Json = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}
    where: Json = {
        "where": {
            "anyOf": [
                _array({"$ref": f"{refs}ConditionEvent"}),
                {"$ref": f"{refs}ConditionEvent"},
                {"type": "null"},
            ]
        }
    }
    rest: Json = {"within": {"$ref": f"{refs}ConditionSpan"}, **where}
    count: Json = {
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "number", "minimum": 0, "multipleOf": 1},
            {"type": "string", "pattern": r"^[0-9]{1,18}(\.0{1,10})?$"},
        ]
    }
    together: Json = {"anyOf": _spans(1, ("minutes", "hours", "days", "weeks"))}
    number: Json = {"$ref": f"{refs}ConditionNumber"}
    moment: Json = {"$ref": f"{refs}ConditionMoment"}
    return [
        *_by_arity({"activity": name}, MEASURE_OPERATORS, count, refs, "count", rest),
        *_by_arity({"activity": name}, ("gte",), count, refs, "count", {**rest, "together": together}),
        *_by_arity({"activity": name, "of": name}, MEASURE_OPERATORS, number, refs, "sum", rest),
        *_by_arity({"activity": name}, LAST_OPERATORS, moment, refs, "last", rest),
    ]


def _event_nodes(refs: str) -> list[Json]:
    event: Json = {"$ref": f"{refs}ConditionEvent"}
    value: Json = {
        "anyOf": [
            {"type": "boolean"},
            {"$ref": f"{refs}ConditionNumber"},
            {"$ref": f"{refs}ConditionText"},
            {"$ref": f"{refs}ConditionDay"},
        ]
    }
    head: Json = {"property": {"type": "string", "minLength": 1, "maxLength": MAX_NAME}}
    return [
        _object({"all": _array(event)}),
        _object({"any": _array(event)}),
        _object({"not": event}),
        *_by_arity(head, PROPERTY_OPERATORS, value, refs),
    ]


def _spans(least: int, units: Iterable[str]) -> list[Json]:
    return [_object({u: {"type": "integer", "minimum": least, "maximum": MAX_AMOUNT[u]}}) for u in units]


def _moments(refs: str) -> Json:
    def relative(units: list[str], words: list[str]) -> list[Json]:
        length = {"anyOf": _spans(0, units)}
        edges = [
            _object(
                {
                    edge: {"const": period},
                    "offset": {
                        "type": "integer",
                        "minimum": -MAX_OFFSET[period],
                        "maximum": MAX_OFFSET[period],
                    },
                },
                optional=("offset",),
            )
            for edge in ("start_of", "end_of")
            for period in PERIODS
        ]
        return [{"enum": words}, _object({"ago": length}), _object({"from_now": length}), *edges]

    units = list(MAX_AMOUNT)
    days = [unit for unit in units if unit not in ("minutes", "hours")]
    fixed_day: Json = {"type": "string", "format": "date", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
    return {
        "ConditionText": {"type": "string", "minLength": 1, "maxLength": values.MAX_TEXT},
        "ConditionNumber": {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": -1e18, "exclusiveMaximum": 1e18},
                {"type": "string", "pattern": r"^-?[0-9]{1,18}(\.[0-9]{1,10})?$"},
            ]
        },
        "ConditionSpan": {"anyOf": _spans(1, units)},
        "ConditionDaySpan": {"anyOf": _spans(1, days)},
        "ConditionDay": {"anyOf": [fixed_day, *relative(days, [word for word in WORDS if word != "now"])]},
        "ConditionMoment": {
            "anyOf": [fixed_day, {"type": "string", "format": "date-time"}, *relative(units, list(WORDS))]
        },
    }


def _object(properties: Json, *, optional: tuple[str, ...] = ()) -> Json:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _array(items: Json, least: int | None = None, most: int = MAX_NODES) -> Json:
    out: Json = {"type": "array", "items": items, "maxItems": most}
    return out if least is None else {**out, "minItems": least}
