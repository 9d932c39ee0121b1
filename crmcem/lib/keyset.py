"""Paging by key: page 10,000 costs what page 1 costs.

An order is a list of keys such as ``-created_at``; the row's id is always the last one, so the order is
total. NULLs come last in both directions: rows with a value and rows without are two index-friendly
segments, read one after the other, because ``NULLS LAST`` would keep a plain index from being used.
"""

import base64
import datetime as dt
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from .errors import DomainError

#: the name of the column in which the value of an order's expression comes
SORT_KEY = "sort_key"


@dataclass(frozen=True, slots=True)
class Order:
    """The leading sort key: ``field`` is a lookup path, ``nullable`` whether it may be NULL.

    With an ``expression`` rows are sorted by that, and ``field`` is only the order's name.
    """

    field: str
    descending: bool = False
    nullable: bool = False
    expression: Any = dataclass_field(default=None, compare=False)

    @property
    def path(self) -> str:
        """The lookup path of the sort value."""
        return self.field if self.expression is None else SORT_KEY

    def reversed(self) -> "Order":
        return replace(self, descending=not self.descending)


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its rows in order, and the cursors of its neighbours (None at an end)."""

    rows: list[Any]
    next: str | None
    previous: str | None


def encode(value: Any, pk: int, backwards: bool) -> str:
    """A cursor, opaque to its users, that stands at the row with this sort value and id."""
    kind = "n"
    if isinstance(value, dt.datetime):
        kind, value = "t", value.isoformat()
    elif isinstance(value, dt.date):
        kind, value = "d", value.isoformat()
    elif isinstance(value, Decimal):
        kind, value = "m", str(value)
    elif value is not None:
        kind = "v"
    raw = json.dumps([kind, value, pk, int(backwards)], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "n": lambda value: None,
    "t": parse_datetime,
    "d": parse_date,
    "m": Decimal,
    "v": lambda value: value,
}


def decode(cursor: str) -> tuple[Any, int, bool]:
    """The sort value, id and direction of ``cursor``. Raises DomainError for anything else."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        kind, value, pk, backwards = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        decoded = _DECODERS[kind](value)
        if (kind != "n" and decoded is None) or not isinstance(pk, int) or abs(pk) >= 2**63:
            raise ValueError
        if kind == "v" and (not isinstance(value, (str, int, float)) or "\x00" in str(value)):
            raise ValueError
        if isinstance(decoded, float | Decimal) and not math.isfinite(decoded):
            raise ValueError
        return decoded, pk, bool(backwards)
    except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
        raise DomainError.of(
            "cursor", "invalid", _("This cursor is not one that a list gave out. Start again without it.")
        ) from error


def value_of(row: Any, path: str) -> Any:
    """The value behind a lookup path such as ``pulse__nps`` on a fetched row."""
    for part in path.split("__"):
        row = getattr(row, part, None)
        if row is None:
            return None
    return row


def _segment(
    queryset: QuerySet[Any], order: Order, at: tuple[Any, int] | None, nulls: bool, size: int
) -> list[Any]:
    """Up to ``size`` rows of one segment after ``at`` (sort value, id)."""
    sign, op = ("-", "lt") if order.descending else ("", "gt")
    path = order.path
    if path in {"id", "pk"}:
        queryset = queryset.filter(**{f"id__{op}": at[1]}) if at else queryset
        return list(queryset.order_by(f"{sign}id")[:size])
    if nulls:
        queryset = queryset.filter(**{f"{path}__isnull": True})
        queryset = queryset.filter(**{f"id__{op}": at[1]}) if at else queryset
        return list(queryset.order_by(f"{sign}id")[:size])
    if order.nullable:
        queryset = queryset.filter(**{f"{path}__isnull": False})
    if at:
        value, pk = at
        # The first condition is the index range; the second drops what the page before has shown.
        queryset = queryset.filter(
            Q(**{f"{path}__{op}e": value}),
            Q(**{f"{path}__{op}": value}) | Q(**{f"id__{op}": pk}),
        )
    return list(queryset.order_by(f"{sign}{path}", f"{sign}id")[:size])


def _forward(
    queryset: QuerySet[Any], order: Order, at: tuple[Any, int] | None, size: int, nulls_first: bool
) -> list[Any]:
    """Rows after ``at`` across both segments, values first (or last when walking backwards)."""
    if not order.nullable:
        return _segment(queryset, order, at, False, size)
    segments = [True, False] if nulls_first else [False, True]
    if at is not None and (at[0] is None) == segments[1]:
        segments = segments[1:]
    rows: list[Any] = []
    for nulls in segments:
        inside = at if at is not None and (at[0] is None) == nulls else None
        rows += _segment(queryset, order, inside, nulls, size - len(rows))
        if len(rows) >= size:
            break
    return rows


def sorted_by(queryset: QuerySet[Any], order: Order) -> QuerySet[Any]:
    """The rows with the sort value of an order that is made by an expression."""
    return queryset if order.expression is None else queryset.annotate(**{SORT_KEY: order.expression})


def keyset_page(queryset: QuerySet[Any], order: Order, cursor: str | None, size: int) -> Page:
    """The page of ``size`` rows that ``cursor`` points to (the first one without a cursor).

    Costs one query, or two where the page spans rows with and without the sort value.
    Raises DomainError for a malformed cursor.
    """
    at: tuple[Any, int] | None = None
    backwards = False
    if cursor:
        value, pk, backwards = decode(cursor)
        at = (value, pk)
    walk = order.reversed() if backwards else order
    queryset = sorted_by(queryset, order)
    try:
        rows = _forward(queryset, walk, at, size + 1, nulls_first=backwards)
    except (ValueError, TypeError, ArithmeticError, ValidationError) as error:
        raise DomainError.of(
            "cursor", "invalid", _("This cursor belongs to another list. Start again without it.")
        ) from error
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()
    has_next = bool(rows) and (more or backwards)
    has_previous = bool(rows) and (more if backwards else cursor is not None)

    def stand(row: Model, direction: bool) -> str:
        value = None if order.field in {"id", "pk"} else value_of(row, order.path)
        return encode(value, row.pk, direction)

    return Page(
        rows,
        stand(rows[-1], False) if has_next else None,
        stand(rows[0], True) if has_previous else None,
    )


def keyset_walk(queryset: QuerySet[Any], order: Order, size: int) -> Iterator[list[Any]]:
    """Every row in order, ``size`` at a time, each chunk a query of its own: memory stays what one chunk needs."""
    at: tuple[Any, int] | None = None
    queryset = sorted_by(queryset, order)
    while rows := _forward(queryset, order, at, size, nulls_first=False):
        at = (value_of(rows[-1], order.path), rows[-1].pk)
        yield rows
        if len(rows) < size:
            return


def capped_count(queryset: QuerySet[Any], cap: int = 10_000, timeout_ms: int = 130) -> tuple[int, bool]:
    """How many rows, up to ``cap``, and whether that is exact.

    A cap bounds the rows returned, not the rows scanned; so the statement is cut off after
    ``timeout_ms`` and the planner's estimate answers instead (never exact).
    """
    from django.db import OperationalError, transaction

    limited = queryset.order_by().values("pk")[: cap + 1]
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            before = cursor.fetchone()[0]
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{timeout_ms}ms"])
            count = limited.count()
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
    except OperationalError:
        return min(estimated_count(queryset), cap), False
    return min(count, cap), count <= cap


def estimated_count(queryset: QuerySet[Any]) -> int:
    """The planner's estimate of the number of rows, without reading any."""
    plan = json.loads(queryset.order_by().values("pk").explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])


def order_from(text: str, allowed: Sequence[Order], default: Order) -> Order:
    """The order that ``-field`` asks for, among ``allowed`` (by field). Raises DomainError with the list."""
    if not text:
        return default
    name, descending = text.removeprefix("-"), text.startswith("-")
    for order in allowed:
        if order.field == name:
            return replace(order, descending=descending)
    names = ", ".join(order.field for order in allowed)
    raise DomainError.of(
        "ordering",
        "invalid",
        _("Can't sort by %(name)s. Choose one of: %(names)s.") % {"name": name, "names": names},
    )
