"""The functions of formulas: what each takes and gives, its SQL, and a line of help."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import TextField, Value
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.custom.formulas.operators import alike, chosen, together, want
from contacts.custom.formulas.terms import Mistake, Term, constant, join
from crmcem.workspace.organisation import organisation

Maker = Callable[[list[Term], int], Term]


@dataclass(frozen=True, slots=True)
class Function:
    """``least`` to ``most`` arguments; ``usage`` is how it is written."""

    name: str
    usage: str
    help: Any
    least: int
    most: int
    make: Maker


def _if(terms: list[Term], at: int) -> Term:
    condition = want(terms[0], "boolean", at, "if")
    yes, no = alike(terms[1:], at)
    return join("(CASE WHEN {0} THEN {1} ELSE {2} END)", yes.kind, condition, yes, no, currency=yes.currency)


def _first(terms: list[Term], at: int) -> Term:
    return _over("coalesce", terms, at)


def _least(terms: list[Term], at: int) -> Term:
    return _over("least", terms, at, {"number", "money", "date"})


def _greatest(terms: list[Term], at: int) -> Term:
    return _over("greatest", terms, at, {"number", "money", "date"})


def _over(sql: str, terms: list[Term], at: int, kinds: Any = None) -> Term:
    """A function of SQL over values of one kind."""
    terms = alike(terms, at)
    if kinds is not None and terms[0].kind not in kinds:
        raise Mistake(at, _("Only numbers, money and dates can be compared in size."))
    holes = ", ".join(f"{{{number}}}" for number in range(len(terms)))
    return join(f"{sql}({holes})", terms[0].kind, *terms, currency=terms[0].currency)


def _amount(sql: str, name: str) -> Maker:
    def make(terms: list[Term], at: int) -> Term:
        term = terms[0] if terms[0].kind == "money" else want(terms[0], "number", at, name)
        return join(sql, term.kind, term, currency=term.currency)

    return make


def _round(terms: list[Term], at: int) -> Term:
    digits = _whole(terms[1], at, "round", 0, 6) if len(terms) > 1 else 0
    return _amount(f"round({{0}}, {digits})", "round")(terms[:1], at)


def _whole(term: Term, at: int, name: str, low: int, high: int) -> int:
    """A whole number that was typed."""
    found = want(term, "number", at, name).literal
    if found is None or found != int(found) or not low <= found <= high:
        detail = _("The second value of %(name)s is a whole number from %(low)s to %(high)s.")
        raise Mistake(at, detail % {"name": name, "low": low, "high": high})
    return int(found)


def _of(sql: str, name: str, kind: str, gives: str) -> Maker:
    return lambda terms, at: join(sql, gives, *(want(term, kind, at, name) for term in terms))


def _cut(name: str) -> Maker:
    def make(terms: list[Term], at: int) -> Term:
        length = _whole(terms[1], at, name, 1, 500)
        return join(f"nullif({name}({{0}}, {length}), '')", "text", want(terms[0], "text", at, name))

    return make


def _today(terms: list[Term], at: int) -> Term:
    zone = Value(organisation().time_zone, TextField())
    return join(
        "(now() AT TIME ZONE {0})::date", "date", Term(kind="text", make=lambda user: zone), today=True
    )


def _date(terms: list[Term], at: int) -> Term:
    text = terms[0].literal if terms[0].kind == "text" else None
    try:
        day = dt.date.fromisoformat(text or "")
        if not 1900 <= day.year < 2200:
            raise ValueError
    except ValueError:
        raise Mistake(at, _('Write a date that exists, such as date("2026-03-31").')) from None
    return constant("date", day)


def _empty(terms: list[Term], at: int) -> Term:
    return join("({0} IS NULL)", "boolean", terms[0])


def _has(terms: list[Term], at: int) -> Term:
    several = want(terms[0], "list", at, "has")
    one = chosen(want(terms[1], "text", at, "has"), several, at)
    return join("coalesce({0} @> to_jsonb({1}), false)", "boolean", several, one)


FUNCTIONS: dict[str, Function] = {
    each.name: each
    for each in (
        Function("if", "if(condition, yes, no)", gettext_lazy("One of two values."), 3, 3, _if),
        Function(
            "coalesce", "coalesce(a, b, …)", gettext_lazy("The first value that is not empty."), 2, 20, _first
        ),
        Function("is_empty", "is_empty(a)", gettext_lazy("Whether there is no value."), 1, 1, _empty),
        Function("round", "round(a, decimals)", gettext_lazy("Rounded."), 1, 2, _round),
        Function("floor", "floor(a)", gettext_lazy("Rounded down."), 1, 1, _amount("floor({0})", "floor")),
        Function("ceil", "ceil(a)", gettext_lazy("Rounded up."), 1, 1, _amount("ceil({0})", "ceil")),
        Function("abs", "abs(a)", gettext_lazy("Without its sign."), 1, 1, _amount("abs({0})", "abs")),
        Function("min", "min(a, b, …)", gettext_lazy("The smallest value."), 2, 20, _least),
        Function("max", "max(a, b, …)", gettext_lazy("The largest value."), 2, 20, _greatest),
        Function("concat", "concat(a, b, …)", gettext_lazy("Texts in a row."), 1, 20, together),
        Function(
            "upper", "upper(text)", gettext_lazy("In capitals."), 1, 1, _of("upper({0})", "upper", "text", "text")
        ),
        Function(
            "lower", "lower(text)", gettext_lazy("In small letters."), 1, 1,
            _of("lower({0})", "lower", "text", "text"),
        ),
        Function(
            "trim", "trim(text)", gettext_lazy("Without blanks around it."), 1, 1,
            _of("nullif(btrim({0}), '')", "trim", "text", "text"),
        ),
        Function("left", "left(text, 3)", gettext_lazy("The first characters."), 2, 2, _cut("left")),
        Function("right", "right(text, 3)", gettext_lazy("The last characters."), 2, 2, _cut("right")),
        Function(
            "length", "length(text)", gettext_lazy("How many characters."), 1, 1,
            _of("length({0})::numeric", "length", "text", "number"),
        ),
        Function(
            "contains", "contains(text, part)", gettext_lazy("Whether a text holds another one."), 2, 2,
            _of("coalesce(strpos(upper({0}), upper({1})) > 0, false)", "contains", "text", "boolean"),
        ),
        Function("has", "has(choices, value)", gettext_lazy("Whether one of several choices is chosen."), 2, 2, _has),
        Function("today", "today()", gettext_lazy("The day it is now."), 0, 0, _today),
        Function("date", 'date("2026-03-31")', gettext_lazy("A certain day."), 1, 1, _date),
        Function(
            "days", "days(from, to)", gettext_lazy("Days from one date to another."), 2, 2,
            _of("({1} - {0})::numeric", "days", "date", "number"),
        ),
        Function(
            "year", "year(date)", gettext_lazy("The year of a date."), 1, 1,
            _of("extract(year from {0})::numeric", "year", "date", "number"),
        ),
        Function(
            "month", "month(date)", gettext_lazy("The month of a date."), 1, 1,
            _of("extract(month from {0})::numeric", "month", "date", "number"),
        ),
        Function(
            "day", "day(date)", gettext_lazy("The day of a date in its month."), 1, 1,
            _of("extract(day from {0})::numeric", "day", "date", "number"),
        ),
    )
}  # fmt: skip
