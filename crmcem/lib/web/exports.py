"""Exactly what a list shows, as a CSV file: its visible rows, filters, order and chosen columns. Or as a ``Format``.

Where every column has its value in SQL, the database writes the file (COPY); else rows are walked in chunks. Both
need the same memory for ten rows and for ten million. Small files are answered at once, large ones are a job of
the keeper (the app that keeps exports), which the lists know by this interface only.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Protocol

from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.http import HttpResponse, QueryDict
from django.utils import timezone
from django.utils.html import conditional_escape
from django.utils.text import slugify
from django.utils.translation import gettext as _

from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError
from crmcem.lib.exporting import cell, guarded_rows
from crmcem.lib.keyset import keyset_walk
from crmcem.lib.spreadsheets import guarded
from crmcem.lib.web.bulk import numbers
from crmcem.lib.web.columns import Column

#: up to so many rows a click is answered with the file itself
DIRECT_ROWS = 10_000
CHUNK_ROWS = 1000
#: what the database writes goes on in pieces of this size
BUFFER_BYTES = 256 * 1024
#: an export may take so long in the database
LIMIT_MS = 30 * 60 * 1000


class Keeper(Protocol):
    """Who remembers exports and makes the large ones. ``page`` is the open list."""

    def note(self, *, actor: Actor, page: Any, rows: int) -> None:
        """Write down that the person has got a file of so many rows."""

    def begin(self, *, actor: Actor, page: Any) -> str:
        """Start a job; answers the address of its page."""


class Out(Protocol):
    """Where a file is written to."""

    def write(self, data: bytes, /) -> int: ...


@dataclass(frozen=True, slots=True)
class Format:
    """Another kind of file that a list can be carried away in. ``write(rows, user)`` makes the text of some rows.

    ``key`` is how its name ends; ``scope`` is what it takes beside the right to export the list.
    """

    key: str
    label: Any
    content_type: str
    write: Callable[[list[Any], Any], str]
    scope: str = ""


def formats_of(page: Any) -> list[Format]:
    """The kinds of file that the person may have the list in."""
    return [each for each in page.export_formats if not each.scope or page.request.user.may(each.scope)]


def format_of(page: Any) -> Format | None:
    """The kind of file that the address asks for (``file``); None for CSV. Raises DomainError for an unknown one."""
    wanted = page.request.GET.get("file", "")
    if not wanted:
        return None
    found: Format | None = next((each for each in formats_of(page) if each.key == wanted), None)
    if found is None:
        raise DomainError.of("file", "invalid_choice", _("This list can't be had as such a file."))
    return found


class _Slot:
    keeper: Keeper | None = None


def use(keeper: Keeper) -> None:
    """Called once at start-up by the app that keeps exports."""
    _Slot.keeper = keeper


def keeper() -> Keeper:
    if _Slot.keeper is None:
        raise RuntimeError("No app keeps exports.")
    return _Slot.keeper


def scope_of(page: Any) -> str:
    """Who reads a list does not yet carry it away: the scope ``area:export``."""
    return f"{page.scope.partition(':')[0]}:export"


def ticked(sent: QueryDict) -> list[int] | None:
    """The ids of the ticked rows that a file is asked of; None for the whole list. Raises DomainError."""
    if sent.get("_all") == "1" or "ids" not in sent:
        return None
    return numbers(sent.getlist("ids"))


def count(page: Any, limit: int = DIRECT_ROWS) -> int | None:
    """How many rows, where they are at most ``limit``; None for more, or where counting takes too long."""
    from crmcem.lib.timeouts import statement_timeout

    try:
        with statement_timeout(1000):
            found = page.filtered().order_by().values("pk")[: limit + 1].count()
    except OperationalError:
        return None
    return None if found > limit else int(found)


def file_name(page: Any) -> str:
    """``contacts-2026-11-24.csv``"""
    found = format_of(page)
    ending = found.key if found else "csv"
    return f"{slugify(str(page.title)) or page.entity}-{timezone.localdate():%Y-%m-%d}.{ending}"


def answer(page: Any) -> HttpResponse:
    """The file itself, for a list that is small enough."""
    out = io.BytesIO()
    rows = write(page, out)
    keeper().note(actor=page.actor, page=page, rows=rows)
    found = format_of(page)
    kind = found.content_type if found else "text/csv"
    response = HttpResponse(out.getvalue(), content_type=f"{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file_name(page)}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


def write(page: Any, out: Out) -> int:
    """Write the list into ``out``. Answers how many rows. Raises what ``filtered`` raises, before a byte is out."""
    queryset = page.filtered()
    other = format_of(page)
    columns = page.shown_columns
    heads = io.StringIO()
    csv.writer(heads, lineterminator="\n").writerow([guarded(column.label) for column in columns])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('TimeZone', %s, true)", [timezone.get_current_timezone_name()])
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{LIMIT_MS}ms"])
        if other is not None:
            return _walk_as(other, page, queryset, out)
        out.write("\ufeff".encode() + heads.getvalue().encode())
        if all(column.export for column in columns):
            return _copy(page, queryset, cursor, out)
        return _walk(page, queryset, out)


# --- by the database ---------------------------------------------------------------------------------
def _annotated(page: Any, queryset: Any) -> tuple[Any, list[str], set[str]]:
    """The rows with each column's value under a name of its own ("" where it has none), and which are texts."""
    names, texts = [], set()
    for index, column in enumerate(page.shown_columns):
        names.append(f"exported_{index}" if column.export else "")
        if not column.export:
            continue
        made = F(column.export) if isinstance(column.export, str) else column.export(page.request.user)
        queryset = queryset.alias(**{f"raw_{index}": made})
        value, text = cell(made, queryset.query.annotations[f"raw_{index}"].output_field)
        if text:
            texts.add(names[-1])
        queryset = queryset.annotate(**{names[-1]: value})
    return queryset, names, texts


def _copy(page: Any, queryset: Any, cursor: Any, out: Out) -> int:
    queryset, names, texts = _annotated(page, queryset)
    order = page.order
    if order.expression is not None:
        queryset = queryset.alias(**{order.path: order.expression})
    key = F(order.path)
    if order.nullable:
        ordered = key.desc(nulls_last=True) if order.descending else key.asc(nulls_last=True)
    else:
        ordered = key.desc() if order.descending else key.asc()
    if order.field in {"id", "pk"}:
        queryset = queryset.order_by(ordered)
    else:
        queryset = queryset.order_by(ordered, "-id" if order.descending else "id")
    sql, params = queryset.values_list(*names).query.sql_with_params()
    # COPY takes no parameters: they are quoted by the driver.
    statement = f"COPY ({guarded_rows(sql, names, texts)}) TO STDOUT WITH (FORMAT csv)"
    statement = cursor.cursor.mogrify(statement, params)
    sink = io.BufferedWriter(_Sink(out), BUFFER_BYTES)
    cursor.copy_expert(statement.decode() if isinstance(statement, bytes) else statement, sink)
    sink.flush()
    return int(cursor.rowcount)


class _Sink(io.RawIOBase):
    """Takes many rows at once from the buffer in front of it. Lines stand for rows where it is told how far it is."""

    def __init__(self, out: Out) -> None:
        self.out = out

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        block = bytes(data)
        _hand_on(self.out, block, block.count(b"\n"))
        return len(block)


def _hand_on(out: Out, data: bytes, rows: int) -> None:
    """Write so many rows at once, and tell whoever counts them."""
    out.write(data)
    tick = getattr(out, "tick", None)
    if tick is not None:
        tick(rows)


# --- as another kind of file ---------------------------------------------------------------------------
def _walk_as(other: Format, page: Any, queryset: Any, out: Out) -> int:
    total = 0
    for rows in keyset_walk(queryset, page.order, CHUNK_ROWS):
        _hand_on(out, other.write(rows, page.request.user).encode(), len(rows))
        total += len(rows)
    return total


# --- row by row ----------------------------------------------------------------------------------------
def _walk(page: Any, queryset: Any, out: Out) -> int:
    queryset, names, texts = _annotated(page, queryset)
    total = 0
    for rows in keyset_walk(queryset, page.order, CHUNK_ROWS):
        page.prepare(rows)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(_cells(rows, page.shown_columns, names, texts))
        _hand_on(out, text.getvalue().encode(), len(rows))
        total += len(rows)
    return total


def _cells(rows: list[Any], columns: list[Column], names: list[str], texts: set[str]) -> Iterator[list[Any]]:
    for row in rows:
        cells = [
            getattr(row, name) if name else _value(row, column)
            for column, name in zip(columns, names, strict=True)
        ]
        yield [guarded(each) if name in texts else each for each, name in zip(cells, names, strict=True)]


def _value(row: Any, column: Column) -> Any:
    if column.plain is not None:
        value = column.plain(row)
        return guarded(value) if isinstance(value, str) else value
    return guarded(plain(conditional_escape(column.cell(row))))


class _Text(HTMLParser):
    """The words of a cell: exact times, nothing that only decorates."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "time" and not self.silent:
            self.parts.append(given.get("datetime") or "")
        unseen = given.get("aria-hidden") == "true" or "visually-hidden" in (given.get("class") or "")
        if self.silent or tag == "time" or unseen:
            self.silent.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.silent and self.silent[-1] == tag:
            self.silent.pop()

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(data)


def plain(html: str) -> str:
    """The text of a cell without its HTML."""
    if "<" not in html and "&" not in html:
        return html
    reader = _Text()
    reader.feed(html)
    reader.close()
    return " ".join(" ".join(reader.parts).split())
