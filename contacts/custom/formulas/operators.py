"""What the operators of formulas take and give, and their SQL: no value of any record makes them fail."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from contacts.custom.formulas.terms import Mistake, Term, constant, is_zero, join, typed

#: so many days can be added to a date at once, so that no date leaves what the database knows
MAX_DAYS = 36_525
_AMOUNTS = frozenset({"number", "money"})


def apply(sign: str, terms: list[Term], at: int) -> Term:
    """Raises Mistake where the kinds don't fit."""
    if sign in {"and", "or"}:
        left, right = (want(term, "boolean", at, sign) for term in terms)
        return join(f"(coalesce({{0}}, false) {sign} coalesce({{1}}, false))", "boolean", left, right)
    if sign == "not":
        return join("(NOT coalesce({0}, false))", "boolean", want(terms[0], "boolean", at, sign))
    if sign == "neg":
        return _negative(terms[0], at)
    if sign in {"+", "-"}:
        return _sum(sign, terms[0], terms[1], at)
    if sign == "*":
        return _product(terms[0], terms[1], at)
    if sign == "/":
        return _quotient(terms[0], terms[1], at)
    if sign == "&":
        return together(terms, at)
    return _comparison(sign, terms[0], terms[1], at)


def want(term: Term, kind: str, at: int, where: str) -> Term:
    """The term, if it is of this kind (or empty)."""
    term = typed(term, kind)
    if term.kind != kind:
        wanted = Term(kind=kind, make=term.make).words
        raise Mistake(at, _("“%(where)s” needs %(wanted)s here, not %(given)s.")
                      % {"where": where, "wanted": wanted, "given": term.words})  # fmt: skip
    return term


def alike(terms: list[Term], at: int) -> list[Term]:
    """The terms as values of one kind. Plain numbers that were typed stand for money beside money."""
    kinds = {term.kind for term in terms} - {"nothing"}
    money = next((term for term in terms if term.kind == "money"), None)
    if money is not None:
        terms = [_as_money(term, money.currency) for term in terms]
        kinds = {term.kind for term in terms} - {"nothing"}
    if len(kinds) > 1:
        names = ", ".join(sorted({term.words for term in terms if term.kind != "nothing"}))
        raise Mistake(at, _("These don't fit together: %(kinds)s.") % {"kinds": names})
    currencies = {term.currency for term in terms if term.kind == "money"}
    if len(currencies) > 1:
        raise Mistake(at, _("Money in %(names)s can't be put together.")
                      % {"names": _(" and ").join(sorted(currencies))})  # fmt: skip
    kind = kinds.pop() if kinds else "text"
    return [typed(term, kind) for term in terms]


def _as_money(term: Term, currency: str) -> Term:
    if term.kind == "number" and term.literal is not None:
        return join("{0}", "money", term, currency=currency)
    return term


def _negative(term: Term, at: int) -> Term:
    term = typed(term, "number")
    if term.kind not in _AMOUNTS:
        raise _unfit("-", at, term)
    if isinstance(term.literal, Decimal):
        return constant("number", -term.literal)
    return join("(- {0})", term.kind, term, currency=term.currency)


def _sum(sign: str, left: Term, right: Term, at: int) -> Term:
    kinds = (left.kind, right.kind)
    if kinds == ("date", "date") and sign == "-":
        return join("({0} - {1})::numeric", "number", left, right)
    if left.kind == "date" and right.kind in {"number", "nothing"}:
        days = typed(right, "number")
        text = f"(CASE WHEN {{1}} BETWEEN -{MAX_DAYS} AND {MAX_DAYS} THEN {{0}} {sign} trunc({{1}})::integer END)"
        return join(text, "date", left, days)
    if kinds == ("text", "text") and sign == "+":
        return together([left, right], at)
    if not {left.kind, right.kind} <= {*_AMOUNTS, "nothing"}:
        raise _unfit(sign, at, left, right)
    left, right = alike([typed(left, right.kind), typed(right, left.kind)], at)
    left, right = typed(left, "number"), typed(right, "number")
    return join(f"({{0}} {sign} {{1}})", left.kind, left, right, currency=left.currency)


def _product(left: Term, right: Term, at: int) -> Term:
    left, right = typed(left, "number"), typed(right, "number")
    if not {left.kind, right.kind} <= _AMOUNTS:
        raise _unfit("*", at, left, right)
    if left.kind == right.kind == "money":
        raise Mistake(at, _("Money can be multiplied by a number, not by money."))
    kind = "money" if "money" in (left.kind, right.kind) else "number"
    return join("({0} * {1})", kind, left, right, currency=left.currency or right.currency)


def _quotient(left: Term, right: Term, at: int) -> Term:
    """Divided by nothing or by zero it is empty."""
    left, right = typed(left, "number"), typed(right, "number")
    if not {left.kind, right.kind} <= _AMOUNTS:
        raise _unfit("/", at, left, right)
    if is_zero(right):
        raise Mistake(at, _("This divides by zero."))
    if (left.kind, right.kind) == ("number", "money"):
        raise Mistake(at, _("A number can't be divided by money."))
    if right.kind == "money":
        left, right = alike([left, right], at)
        return join("({0} / nullif({1}, 0))", "number", left, right)
    return join("({0} / nullif({1}, 0))", left.kind, left, right, currency=left.currency)


def _comparison(sign: str, left: Term, right: Term, at: int) -> Term:
    """Two empty values are equal; nothing is smaller or larger than an empty one."""
    left, right = _chosen(left, right, at), _chosen(right, left, at)
    left, right = alike([left, right], at)
    if left.kind == "list":
        raise Mistake(at, _("Ask with has(field, value) whether several choices hold one."))
    if sign in {"=", "!="}:
        how = "IS NOT DISTINCT FROM" if sign == "=" else "IS DISTINCT FROM"
        if left.kind == "text":
            return join(f"(upper({{0}}) {how} upper({{1}}))", "boolean", left, right)
        return join(f"({{0}} {how} {{1}})", "boolean", left, right)
    if left.kind in {"text", "boolean"}:
        raise _unfit(sign, at, left)
    return join(f"coalesce({{0}} {sign} {{1}}, false)", "boolean", left, right)


def _chosen(literal: Term, field: Term, at: int) -> Term:
    """A choice that was typed by its value or its name, as its value."""
    if field.choices is None or not isinstance(literal.literal, str):
        return literal
    word = literal.literal.casefold()
    for value, label in field.choices.items():
        if word in (value.casefold(), label.casefold()):
            return constant("text", value)
    names = ", ".join(list(field.choices)[:30])
    raise Mistake(at, _("“%(word)s” is none of the values of this field: %(names)s.")
                  % {"word": literal.literal, "names": names})  # fmt: skip


def chosen(literal: Term, field: Term, at: int) -> Term:
    return _chosen(literal, field, at)


def as_text(term: Term, at: int) -> Term:
    """Any single value as people read it; nothing where it is empty."""
    match term.kind:
        case "text":
            return term
        case "number":
            return join("trim_scale({0})::text", "text", term)
        case "money":
            return join("round({0}, 2)::text", "text", term)
        case "date":
            return join("({0})::text", "text", term)
        case "nothing":
            return typed(term, "text")
    raise _unfit("&", at, term)


def together(terms: list[Term], at: int) -> Term:
    """Texts in a row; empty parts are left out, and without any part it is empty."""
    texts = [as_text(term, at) for term in terms]
    holes = ", ".join(f"{{{number}}}" for number in range(len(texts)))
    return join(f"nullif(concat({holes}), '')", "text", *texts)


def _unfit(sign: str, at: int, *terms: Any) -> Mistake:
    names = _(" and ").join(term.words for term in terms)
    return Mistake(at, _("“%(sign)s” can't be used with %(kinds)s.") % {"sign": sign, "kinds": names})
