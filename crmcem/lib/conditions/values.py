"""Reading the values of conditions: from JSON to typed Python, or one clear fault."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from crmcem.lib.conditions.errors import Fault, shown
from crmcem.lib.conditions.moments import (
    MAX_AMOUNT,
    MAX_OFFSET,
    MAX_YEAR,
    MIN_YEAR,
    PERIODS,
    UNITS,
    WORDS,
    Edge,
    Fixed,
    Moment,
    Relative,
    Span,
)
from crmcem.lib.conditions.nodes import CurrentUser, Money
from crmcem.lib.conditions.operators import OPERATORS, Arity, FieldType
from crmcem.lib.conditions.registry import Field

MAX_TEXT = 1_000
MAX_LIST = 1_000
MAX_NUMBER = Decimal(10) ** 18
MAX_DECIMALS = 10

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DATETIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,10})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)

Reader = Callable[[Any], Any]


def field_value(field: Field, op: str, value: Any) -> Any:
    """The typed value of an operator on a field."""
    readers: dict[FieldType, Reader] = {
        FieldType.TEXT: lambda item: text(item, field.normalise),
        FieldType.NUMBER: number,
        FieldType.MONEY: lambda item: money(item, field),
        FieldType.DATE: day,
        FieldType.DATETIME: moment,
        FieldType.BOOLEAN: boolean,
        FieldType.CHOICE: lambda item: choice(item, field),
        FieldType.MULTI_CHOICE: lambda item: choice(item, field),
        FieldType.REFERENCE: lambda item: reference(item, field),
    }
    out = by_arity(op, value, readers[field.type])
    if field.type is FieldType.DATE and isinstance(out, Span) and not out.whole_days:
        raise Fault("invalid_value", _("A date has no time of day: use days, weeks, months or years."))
    return out


def by_arity(op: str, value: Any, read: Reader) -> Any:
    """Read as many values as the operator takes."""
    arity = OPERATORS[op].arity
    if arity is Arity.NONE:
        if value is not None:
            raise Fault("unexpected_value", _("“%(op)s” takes no value: leave it out.") % {"op": op}, "value")
        return None
    if value is None:
        raise Fault("missing_value", _("“%(op)s” needs a “value”.") % {"op": op}, "value")
    if arity is Arity.SPAN:
        return span(value)
    if arity is Arity.MANY:
        return many(value, read)
    if arity is Arity.TWO:
        return two(value, read)
    return read(value)


def many(value: Any, read: Reader) -> tuple[Any, ...]:
    """A list of 1 to 1,000 values, without repeats."""
    if not isinstance(value, list | tuple):
        raise Fault("not_a_list", _("Give a list of values, such as [“a”, “b”]."))
    if not value:
        raise Fault("empty_list", _("Give at least one value."))
    if len(value) > MAX_LIST:
        raise Fault(
            "list_too_long",
            _("At most %(max)s values; this list has %(n)s.") % {"max": MAX_LIST, "n": len(value)},
        )
    out = []
    for index, item in enumerate(value):
        try:
            out.append(read(item))
        except Fault as fault:
            raise Fault(fault.code, fault.detail, f"value.{index}") from fault
    return tuple(dict.fromkeys(out))


def two(value: Any, read: Reader) -> tuple[Any, Any]:
    """``[low, high]``; fixed ones in order."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise Fault("not_a_pair", _("“between” takes a list of two values: [lowest, highest]."))
    low, high = read(value[0]), read(value[1])
    if _reversed(low, high):
        raise Fault("reversed", _("The first value must not be larger than the second: swap them."))
    return low, high


def _given(value: Any) -> None:
    """What is not filled in yet is no wrong value."""
    if isinstance(value, str) and not value.strip():
        raise Fault("blank", _("Enter a value."))


def text(value: Any, normalise: Callable[[str], str] | None = None) -> str:
    """A text of 1 to 1,000 characters that a database can hold."""
    if not isinstance(value, str):
        raise Fault("not_text", _("Give a text, not %(value)s.") % {"value": shown(value)})
    if not value.strip():
        raise Fault("blank", _("The text is empty: use “is_not_set” to find rows without a value."))
    if len(value) > MAX_TEXT:
        raise Fault("text_too_long", _("At most %(max)s characters.") % {"max": MAX_TEXT})
    if not storable(value):
        raise Fault("bad_characters", _("The text holds characters that can't be stored: remove them."))
    if normalise is not None and not (value := normalise(value)):
        raise Fault("blank", _("Nothing is left of the text once it is normalised."))
    return value


def storable(value: str) -> bool:
    """No NUL and no half of a surrogate pair: PostgreSQL holds neither."""
    return "\x00" not in value and not any("\ud800" <= c <= "\udfff" for c in value)


def number(value: Any) -> Decimal:
    """A number, or its decimal digits in a text; up to 18 digits before the point and 10 after."""
    _given(value)
    fault = Fault("not_a_number", _("Give a number, not %(value)s.") % {"value": shown(value)})
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise fault
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise fault
    if isinstance(value, float) and not math.isfinite(value):
        raise fault
    if isinstance(value, int) and value.bit_length() > 64:
        raise Fault("number_too_large", _("The number is too large."))
    try:
        out = Decimal(str(value))
    except InvalidOperation:
        raise fault from None
    if not out.is_finite():
        raise fault
    if abs(out) >= MAX_NUMBER:
        raise Fault("number_too_large", _("The number is too large."))
    return _trimmed(out)


def whole(value: Any) -> Decimal:
    """A whole number, not negative: a count."""
    out = number(value)
    if out < 0 or out != out.to_integral_value():
        raise Fault("not_a_count", _("Give a whole number that is not negative."))
    return out


def money(value: Any, field: Field) -> Money:
    """A plain number, or ``{"amount": "12.50", "currency": "EUR"}`` where each row has its own currency."""
    if not field.currency:
        if isinstance(value, dict):
            raise Fault(
                "unexpected_currency",
                _("All amounts of this field are in one currency: give just the number."),
            )
        return Money(number(value))
    if not isinstance(value, dict) or set(value) != {"amount", "currency"}:
        raise Fault(
            "currency_missing", _("Give amount and currency, such as {“amount”: “12.50”, “currency”: “EUR”}.")
        )
    currency = value["currency"]
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise Fault("unknown_currency", _("A currency is three capital letters, such as EUR."))
    return Money(number(value["amount"]), currency)


def boolean(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise Fault("not_a_boolean", _("Give true or false, not %(value)s.") % {"value": shown(value)})
    return value


def choice(value: Any, field: Field) -> str:
    """One of the field's choices; any text where it has none (free tags)."""
    out = text(value, field.normalise)
    options = field.options()
    if options is not None and out not in options:
        known = ", ".join(list(options)[:20])
        raise Fault(
            "unknown_choice",
            _("“%(value)s” is not a choice; use one of: %(known)s.") % {"value": shown(out), "known": known},
        )
    return out


def reference(value: Any, field: Field) -> Any:
    """The id of a record, or ``"me"``."""
    if field.is_user and value == "me":
        return CurrentUser()
    _given(value)
    try:
        return field.key(value)
    except (ValueError, TypeError, OverflowError):
        raise Fault("bad_reference", _("%(value)s is not an id.") % {"value": shown(value)}) from None


def span(value: Any, least: int = 1) -> Span:
    """``{"days": 90}``: one unit and a whole number of it."""
    if not isinstance(value, dict) or len(value) != 1 or not set(value) <= set(UNITS):
        raise Fault(
            "not_a_span",
            _("Give one length of time, such as {“days”: 90}; units are %(units)s.")
            % {"units": ", ".join(UNITS)},
        )
    ((unit, amount),) = value.items()
    amount = _integer(amount)
    if amount is None or not least <= amount <= MAX_AMOUNT[unit]:
        raise Fault(
            "span_out_of_range",
            _("%(unit)s must be a whole number from %(least)s to %(most)s.")
            % {"unit": unit, "least": least, "most": MAX_AMOUNT[unit]},
        )
    return Span(unit, amount)


def day(value: Any) -> Moment:
    """A moment that is a whole day."""
    out = moment(value)
    if not out.whole_days:
        raise Fault("invalid_value", _("A date has no time of day: use a date, “today”, or a span of days."))
    return out


def moment(value: Any) -> Moment:
    """A date, an instant with its offset, a word, ``ago``, ``from_now``, ``start_of`` or ``end_of``."""
    _given(value)
    if isinstance(value, str):
        return Relative(value) if value in WORDS else _fixed(value)
    if isinstance(value, dict):
        keys = set(value)
        if keys == {"ago"} or keys == {"from_now"}:
            ((word, length),) = value.items()
            return Relative(word, span(length, least=0))
        for edge in ("start_of", "end_of"):
            if edge in keys and keys <= {edge, "offset"}:
                return _edge(edge, value[edge], value.get("offset", 0))
    raise Fault(
        "not_a_date",
        _(
            "Give a date (“2026-03-31”), “today”, {“ago”: {“days”: 12}}, {“from_now”: …} "
            "or {“start_of”: “month”}, not %(value)s."
        )
        % {"value": shown(value)},
    )


def _edge(edge: str, period: Any, offset: Any) -> Edge:
    if not isinstance(period, str) or period not in PERIODS:
        raise Fault("unknown_period", _("A period is one of: %(known)s.") % {"known": ", ".join(PERIODS)})
    most = MAX_OFFSET[period]
    offset = _integer(offset)
    if offset is None or abs(offset) > most:
        raise Fault(
            "offset_out_of_range",
            _("offset must be a whole number from -%(most)s to %(most)s.") % {"most": most},
        )
    return Edge(edge, period, offset)


def _integer(value: Any) -> int | None:
    """A whole number of JSON, which 90.0 is too; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _fixed(value: str) -> Fixed:
    is_day = bool(_DATE.fullmatch(value))
    match = None if is_day else _DATETIME.fullmatch(value)
    if not is_day and match is None:
        raise Fault(
            "not_a_date",
            _("“%(value)s” is not a date: write 2026-03-31 or 2026-03-31T09:00:00Z.")
            % {"value": shown(value)},
        )
    if match is not None and not match[3]:
        raise Fault("offset_missing", _("A time needs its offset from UTC: add Z or +02:00 at the end."))
    try:
        at = date.fromisoformat(value) if is_day else datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Fault(
            "impossible_date", _("There is no such day or time: %(value)s.") % {"value": shown(value)}
        ) from None
    if not MIN_YEAR <= at.year <= MAX_YEAR:
        raise Fault(
            "date_out_of_range",
            _("The year must be from %(low)s to %(high)s.") % {"low": MIN_YEAR, "high": MAX_YEAR},
        )
    return Fixed(at)


def property_value(op: str, value: Any) -> tuple[FieldType, Any]:
    """The type and the value of a comparison with a property of an event; the value tells the type."""
    if op in ("contains", "not_contains", "starts_with", "ends_with"):
        return FieldType.TEXT, by_arity(op, value, text)
    if OPERATORS[op].arity is Arity.NONE:
        return FieldType.TEXT, by_arity(op, value, text)
    sample = value[0] if isinstance(value, list | tuple) and value else value
    if op in ("before", "after", "on"):
        return FieldType.DATE, by_arity(op, value, day)
    if isinstance(sample, bool):
        if op not in ("eq", "ne"):
            raise Fault(
                "operator_not_allowed", _("true and false can only be compared with eq and ne."), "op"
            )
        return FieldType.BOOLEAN, by_arity(op, value, boolean)
    if isinstance(sample, int | float):
        return FieldType.NUMBER, by_arity(op, value, number)
    if isinstance(sample, dict) or op in ("gt", "gte", "lt", "lte", "between"):
        return FieldType.DATE, by_arity(op, value, day)
    return FieldType.TEXT, by_arity(op, value, text)


def _trimmed(value: Decimal) -> Decimal:
    """Without trailing noise: at most ten decimals, so that it compares as the database keeps it."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > MAX_DECIMALS:
        value = round(value, MAX_DECIMALS)
    return value


def _reversed(low: Any, high: Any) -> bool:
    match low, high:
        case Money(), Money():
            return low.amount > high.amount or low.currency != high.currency
        case Decimal(), Decimal():
            return low > high
        case Fixed(at=datetime() as first), Fixed(at=datetime() as last):
            return first > last
        case Fixed(whole_days=True, at=first), Fixed(whole_days=True, at=last):
            return bool(first > last)
    return False
