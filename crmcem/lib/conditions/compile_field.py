"""One comparison of a field, or of a property of a payload, as a Q that is never NULL."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import models
from django.db.models import ExpressionWrapper, F, Q, Value
from django.db.models.fields.json import DataContains, HasAnyKeys
from django.db.models.functions import Upper
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    IContains,
    IEndsWith,
    IExact,
    In,
    IsNull,
    IStartsWith,
    LessThan,
    LessThanOrEqual,
)

from crmcem.lib.conditions.expressions import (
    HasElements,
    JsonDay,
    JsonKey,
    JsonKeyText,
    JsonNumber,
    payload_day,
    payload_number,
    payload_text,
)
from crmcem.lib.conditions.moments import Clock, Range, resolve_range
from crmcem.lib.conditions.nodes import Compare, CurrentUser, Money, Property
from crmcem.lib.conditions.operators import COMPLEMENTS, FieldType
from crmcem.lib.conditions.registry import Field

NOTHING = Q(pk__in=[])
MAX_CONTAINMENTS = 20

_NUMERIC: models.DecimalField[Any, Any] = models.DecimalField(max_digits=40, decimal_places=10)
_OUTPUT: dict[FieldType, models.Field[Any, Any]] = {
    FieldType.TEXT: models.TextField(),
    FieldType.CHOICE: models.TextField(),
    FieldType.NUMBER: _NUMERIC,
    FieldType.MONEY: _NUMERIC,
    FieldType.DATE: models.DateField(),
    FieldType.DATETIME: models.DateTimeField(),
    FieldType.BOOLEAN: models.BooleanField(),
}
_ORDER = {"eq": Exact, "gt": GreaterThan, "gte": GreaterThanOrEqual, "lt": LessThan, "lte": LessThanOrEqual}
_PATTERNS = {"contains": IContains, "starts_with": IStartsWith, "ends_with": IEndsWith}


def compare(node: Compare, clock: Clock, user: Any, negated: bool) -> Q:
    """A field against its value; ``negated`` gives the exact complement."""
    op, negated = _positive(node.op, negated)
    field, value = node.spec, node.value
    operand = field_operand(field, user)
    if field.type is FieldType.MULTI_CHOICE:
        return signed(_tags(field, operand, op, value), negated, operand)
    if op == "is_set":
        return signed(
            _present(operand, blank=field.type in (FieldType.TEXT, FieldType.CHOICE)), negated, operand
        )
    match field.type:
        case FieldType.TEXT:
            return signed(text_q(operand, op, value, exact=field.normalise is not None), negated, operand)
        case FieldType.CHOICE:
            return signed(_choice(field, operand, op, value), negated, operand)
        case FieldType.REFERENCE:
            return signed(_reference(operand, op, value, user), negated, operand)
        case FieldType.BOOLEAN if field.json:
            return signed(_contains(field, value), negated, operand)
        case FieldType.BOOLEAN:
            return signed(Q(Exact(operand, value)), negated, operand)
        case FieldType.NUMBER:
            return signed(number_q(operand, op, value), negated, operand)
        case FieldType.MONEY:
            return _money(field, operand, op, value, negated)
        case _:
            span = resolve_range(op, value, clock, days=field.type is FieldType.DATE)
            return signed(range_q(operand, _as_text(span) if field.json else span), negated, operand)


def compare_property(node: Property, column: str, clock: Clock, negated: bool) -> Q:
    """A property of the payload in ``column`` against its value.

    Text compares the text form of strings, numbers and booleans without regard to case; numbers also read
    decimal digits in a string; dates compare the day as written in an ISO string. What has another type
    counts as empty.
    """
    op, negated = _positive(node.op, negated)
    match node.type:
        case FieldType.NUMBER:
            operand = payload_number(column, node.name)
            positive = number_q(operand, op, node.value)
        case FieldType.DATE:
            operand = payload_day(column, node.name)
            positive = range_q(operand, _as_text(resolve_range(op, node.value, clock, days=True)))
        case FieldType.BOOLEAN:
            operand = payload_text(column, node.name)
            positive = Q(Exact(operand, "true" if node.value else "false"))
        case _:
            operand = payload_text(column, node.name)
            positive = (
                _present(operand, blank=True)
                if op == "is_set"
                else text_q(operand, op, node.value, exact=False)
            )
    return signed(positive, negated, operand)


def signed(positive: Q, negated: bool, *operands: Any) -> Q:
    """The predicate, or its complement, which holds where an operand is NULL."""
    if not negated:
        return positive
    out = ~positive
    for operand in operands:
        out |= Q(IsNull(operand, True))
    return out


def text_q(operand: Any, op: str, value: Any, *, exact: bool) -> Q:
    """Text without regard to case (``UPPER`` on both sides), or as stored where ``exact``."""
    if op == "eq":
        return Q(Exact(operand, value) if exact else IExact(operand, value))
    if op == "in":
        return Q(
            In(operand, list(value)) if exact else In(Upper(operand), [Upper(Value(item)) for item in value])
        )
    return Q(_PATTERNS[op](operand, value))


def number_q(operand: Any, op: str, value: Any) -> Q:
    if op == "between":
        return Q(GreaterThanOrEqual(operand, value[0])) & Q(LessThanOrEqual(operand, value[1]))
    if op == "in":
        return Q(In(operand, list(value)))
    return Q(_ORDER[op](operand, value))


def range_q(operand: Any, span: Range) -> Q:
    out = Q()
    if span.low is not None:
        out &= Q(GreaterThanOrEqual(operand, span.low))
    if span.high is not None:
        out &= Q(LessThan(operand, span.high))
    return out


def _positive(op: str, negated: bool) -> tuple[str, bool]:
    return (COMPLEMENTS[op], not negated) if op in COMPLEMENTS else (op, negated)


def field_operand(field: Field, user: Any = None) -> Any:
    """The value of the field, as this person sees it, as an expression of a known type."""
    if field.json is not None:
        column, key = field.json
        match field.type:
            case FieldType.NUMBER | FieldType.MONEY:
                return JsonNumber(JsonKey(column, key))
            case FieldType.DATE | FieldType.DATETIME:
                return JsonDay(JsonKey(column, key))
            case FieldType.MULTI_CHOICE:
                return JsonKey(column, key)
            case _:
                return JsonKeyText(column, key)
    expression = field.seen_by(user) if field.seen_by is not None else field.expression or field.name
    inner = F(expression) if isinstance(expression, str) else expression
    output = _OUTPUT.get(field.type)
    return ExpressionWrapper(inner, output) if output is not None else inner


def _present(operand: Any, *, blank: bool) -> Q:
    present = Q(IsNull(operand, False))
    return present & ~Q(Exact(operand, "")) if blank else present


def _choice(field: Field, operand: Any, op: str, value: Any) -> Q:
    if op == "in":
        return Q(In(operand, list(value)))
    return _contains(field, value) if field.json else Q(Exact(operand, value))


def _contains(field: Field, value: Any) -> Q:
    """``custom @> {"key": value}``: what a GIN index on the column answers."""
    assert field.json is not None
    column, key = field.json
    return Q(DataContains(ExpressionWrapper(F(column), models.JSONField()), {key: value}))


def _tags(field: Field, operand: Any, op: str, value: Any) -> Q:
    if field.json is not None:
        if op == "is_set":
            return Q(HasElements(operand))
        if op == "has_all":
            return Q(DataContains(operand, list(value)))
        if len(value) > MAX_CONTAINMENTS:
            return Q(HasAnyKeys(operand, list(value)))
        out = Q()
        for item in value:
            out |= Q(DataContains(operand, [item]))
        return out
    path = field.expression if isinstance(field.expression, str) else field.name
    if op == "is_set":
        return Q(**{f"{path}__len__gt": 0})
    if field.spellings is not None:
        return _spelled(path, op, [list(each) for each in field.spellings(value).values()])
    return Q(**{f"{path}__{'overlap' if op == 'has_any' else 'contains'}": list(value)})


def _spelled(path: str, op: str, groups: list[list[str]]) -> Q:
    """Any (or all) of the texts, each in any of the ways in which it may stand there."""
    if op == "has_any":
        return Q(**{f"{path}__overlap": [text for group in groups for text in group]})
    out = Q(**{f"{path}__contains": [group[0] for group in groups if len(group) == 1]})
    for group in groups:
        if len(group) > 1:
            out &= Q(**{f"{path}__overlap": group})
    return out


def _reference(operand: Any, op: str, value: Any, user: Any) -> Q:
    keys = list(value) if op == "in" else [value]
    me = getattr(user, "pk", None)
    ids = [me if isinstance(key, CurrentUser) else key for key in keys]
    ids = [key for key in ids if key is not None]  # without a user, "me" is nobody
    return Q(In(operand, ids)) if ids else NOTHING


def _money(field: Field, operand: Any, op: str, value: Any, negated: bool) -> Q:
    sample: Money = value[0] if isinstance(value, tuple) else value
    amounts = tuple(item.amount for item in value) if isinstance(value, tuple) else value.amount
    positive = number_q(operand, op, amounts)
    if not field.currency:
        return signed(positive, negated, operand)
    currency = ExpressionWrapper(F(field.currency), models.TextField())
    return signed(positive & Q(Exact(currency, sample.currency)), negated, operand, currency)


def _as_text(span: Range) -> Range:
    """The same range for days kept as ISO text, which sorts as the days do."""

    def text(at: Any) -> Any:
        return at.isoformat() if isinstance(at, date) else None

    return Range(text(span.low), text(span.high))
