"""Values of a list's columns as SQL, so that an export is one COPY, whatever its size.

Each of the functions answers ``f(user)``, which makes an expression over the rows of the list.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    DateTimeField,
    F,
    Field,
    Func,
    JSONField,
    Q,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, NullIf

from .birthdays import UNKNOWN_YEAR
from .spreadsheets import FORMULA
from .visibility import visible_q

Maker = Callable[[Any], Any]
_SIGNS = ", ".join(str(ord(sign)) for sign in FORMULA)
#: ``spreadsheets.guarded`` as SQL over a plain column: nearly every text is told by its first sign alone
_GUARD = f"""CASE WHEN ascii({{name}}) > {max(map(ord, FORMULA))} THEN {{name}}
    WHEN ascii({{name}}) IN ({_SIGNS}) OR {{name}} ~ '^''+[{FORMULA.replace("-", "")}-]'
    THEN '''' || {{name}} ELSE {{name}} END"""


class _Moment(Func):
    """Date, time and offset in the zone of the session."""

    template = "to_char(%(expressions)s, 'YYYY-MM-DD HH24:MI:SSTZH:TZM')"
    output_field = TextField()


class _Joined(Func):
    """The values of an array in one cell, as the import takes them apart again."""

    template = "array_to_string(%(expressions)s, ', ')"
    output_field = TextField()


class _Spaced(Func):
    template = "(%(expressions)s)"
    arg_joiner = " || ' ' || "
    output_field = TextField()


def full_name(prefix: str = "") -> Maker:
    """First and last name of a contact or person; ``prefix`` leads to them (``owner__``)."""
    first, last = f"{prefix}first_name", f"{prefix}last_name"
    cases = (When(**{last: ""}, then=F(first)), When(**{first: ""}, then=F(last)))
    return lambda user: Case(*cases, default=_Spaced(first, last), output_field=TextField())


def person(name: str = "owner") -> Maker:
    """What a person is called: the full name, or the user name without one."""

    def made(user: Any) -> Any:
        called = NullIf(full_name(f"{name}__")(user), Value(""))
        return Coalesce(called, f"{name}__username", output_field=TextField())

    return made


def shown(name: str, value: str | Maker) -> Maker:
    """A value of the record behind the reference ``name``, empty where the person may not see that record."""

    def made(user: Any) -> Any:
        wanted = F(value) if isinstance(value, str) else value(user)
        seen = visible_q(user, f"{name}__")
        return Case(When(seen, then=wanted)) if seen else wanted

    return made


def birthday_text(name: str) -> Maker:
    """A birthday as the import reads it again: ``--05-17`` where its year is unknown."""

    def made(user: Any) -> Any:
        day, year = (
            Func(F(name), Value(form), function="to_char", output_field=TextField())
            for form in ("--MM-DD", "YYYY-MM-DD")
        )
        return Case(When(**{f"{name}__year": UNKNOWN_YEAR}, then=day), default=year)

    return made


def first(*values: str | Maker) -> Maker:
    """The first of these values that is not empty."""

    def made(user: Any) -> Any:
        texts = [F(each) if isinstance(each, str) else each(user) for each in values]
        return Coalesce(*(NullIf(each, Value("")) for each in texts), output_field=TextField())

    return made


def when(condition: Q, then: Maker | str, otherwise: Maker | str | None = None) -> Maker:
    """One value where the condition holds, another (or nothing) elsewhere."""

    def made(user: Any) -> Any:
        values = [F(v) if isinstance(v, str) else None if v is None else v(user) for v in (then, otherwise)]
        return Case(When(condition, then=values[0]), default=values[1])

    return made


def cell(expression: Any, field: "Field[Any, Any]") -> tuple[Any, bool]:
    """The expression as it stands in the file (exact moments, plain numbers), and whether it is free text."""
    if isinstance(field, DateTimeField):
        return _Moment(expression), False
    if isinstance(field, BooleanField):
        return Cast(expression, TextField()), False
    if isinstance(field, ArrayField):
        return _Joined(expression), True
    if isinstance(field, JSONField):
        return Cast(expression, TextField()), True
    return expression, isinstance(field, (CharField, TextField))


def guarded_rows(sql: str, names: Sequence[str], texts: Collection[str]) -> str:
    """The statement whose rows are those of ``sql``, each cell of ``texts`` as no spreadsheet takes it for a formula.

    The guard looks at a value more than once, so what makes the value is kept below it (``OFFSET 0``).
    """
    cells = (_GUARD.format(name=f'e."{name}"') if name in texts else f'e."{name}"' for name in names)
    return f"SELECT {', '.join(cells)} FROM ({sql} OFFSET 0) e"  # noqa: S608 - names of our own
