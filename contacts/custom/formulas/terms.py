"""What formulas are made of: mistakes with their place, and terms with their kind and SQL."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import BooleanField, DateField, DecimalField, Func, JSONField, TextField, Value
from django.utils.translation import gettext_lazy

#: kinds of values; ``nothing`` is the word ``empty``, which fits every kind
NAMES: dict[str, Any] = {
    "number": gettext_lazy("a number"),
    "money": gettext_lazy("money"),
    "date": gettext_lazy("a date"),
    "text": gettext_lazy("text"),
    "boolean": gettext_lazy("yes or no"),
    "list": gettext_lazy("several choices"),
    "nothing": gettext_lazy("nothing"),
}
_AMOUNT: Any = DecimalField(max_digits=40, decimal_places=10)
OUTPUT: dict[str, Any] = {
    "number": _AMOUNT,
    "money": _AMOUNT,
    "date": DateField(),
    "text": TextField(),
    "boolean": BooleanField(),
    "list": JSONField(),
    "nothing": TextField(),
}
#: a term may be so large; what stands twice in the SQL counts twice
MAX_WEIGHT = 300

Make = Callable[[Any], Any]
"""``user`` → the expression over the record's row; without a user that of the system."""


class Mistake(ValueError):
    """What is wrong with a formula, and at which character (from 0)."""

    def __init__(self, at: int, detail: str) -> None:
        self.at = at
        super().__init__(detail)


class Piece(Func):
    """SQL whose ``{0}``, ``{1}`` … are expressions, each as often as it stands there."""

    def __init__(self, text: str, *expressions: Any, output_field: Any) -> None:
        super().__init__(*expressions, output_field=output_field)
        self.text = text

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        made = [compiler.compile(each) for each in self.source_expressions]
        sql, params = "", []
        for number, part in enumerate(self.text.split("{")):
            if number == 0:
                sql += part
                continue
            hole, rest = part.split("}", 1)
            inner, given = made[int(hole)]
            sql += inner + rest
            params += given
        return sql, tuple(params)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A part of a formula: its kind, how it is made in SQL, how large that is, and what it is made of.

    ``literal`` is the value of one that was typed. ``choices`` are value → label of a choice. ``uses`` names fields,
    ``reads`` what moves them (as in ``Field.reads``), ``sources`` the related records that are added up in them;
    ``today`` says that the clock moves it too.
    """

    kind: str
    make: Make
    weight: int = 1
    currency: str = ""
    literal: Any = None
    choices: Mapping[str, str] | None = None
    uses: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    today: bool = False

    @property
    def words(self) -> str:
        name = str(NAMES[self.kind])
        return f"{name} ({self.currency})" if self.currency else name


def constant(kind: str, value: Any) -> Term:
    casts = {
        "number": "({0})::numeric",
        "text": "({0})::text",
        "date": "({0})::date",
        "boolean": "({0})::boolean",
    }
    made = Value(value, OUTPUT[kind])
    if kind == "nothing":
        return Term(kind=kind, make=lambda user: Value(None, OUTPUT[kind]))
    return Term(
        kind=kind, literal=value, make=lambda user: Piece(casts[kind], made, output_field=OUTPUT[kind])
    )


def join(text: str, kind: str, *terms: Term, currency: str = "", today: bool = False) -> Term:
    """A term made of others; ``text`` is the SQL (see ``Piece``)."""
    output = OUTPUT[kind]
    weight = 1 + sum(term.weight * max(1, text.count(f"{{{n}}}")) for n, term in enumerate(terms))
    return Term(
        kind=kind,
        currency=currency,
        weight=weight,
        make=lambda user: Piece(text, *(term.make(user) for term in terms), output_field=output),
        uses=_united(term.uses for term in terms),
        reads=_united(term.reads for term in terms),
        sources=_united(term.sources for term in terms),
        today=today or any(term.today for term in terms),
    )


def _united(lists: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in lists for name in each))


def typed(term: Term, kind: str) -> Term:
    """``empty`` as an empty value of a kind."""
    if term.kind != "nothing":
        return term
    cast = {"number": "numeric", "money": "numeric", "list": "jsonb"}.get(kind, kind)
    return join(f"({{0}})::{cast}", kind, term)


def is_zero(term: Term) -> bool:
    return isinstance(term.literal, Decimal) and term.literal == 0
