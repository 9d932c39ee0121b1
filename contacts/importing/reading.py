"""Files of rows of any origin: encoding, delimiter or sheet found out, rows read with bounded memory."""

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any, NamedTuple

import charset_normalizer
from django.utils.translation import gettext as _

from crmcem.lib.errors import DomainError
from crmcem.lib.web.cells import grouped

from .fields import bare
from .limits import MAX_CELL, MAX_COLUMNS, MAX_HEADER_CELL, MAX_LINE
from .vcards import is_vcard, vcard_rows
from .xlsx import Book

#: what stands for an encoding where the file is a spreadsheet, or holds vCards
XLSX, VCARD = "xlsx", "vcard"
#: files that are turned into CSV before they are imported
MADE = (XLSX, VCARD)
SAMPLE_BYTES = 256 * 1024
_TOO_LONG = "\ue000row too long\ue000"
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ARCHIVE = b"PK\x03\x04"
_BINARY = (_ARCHIVE, b"%PDF", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"\x89PNG", b"\xff\xd8\xff", b"SQLite")
#: what spreadsheets and old systems of the languages we meet really write
_LEGACY = ["cp1252", "iso8859_15", "cp1250", "cp1251", "cp1253", "cp1254", "mac_roman", "cp850"]
_LEGACY += ["cp932", "gb18030", "big5", "euc_kr"]
_DELIMITERS = ",;\t|"

csv.field_size_limit(MAX_CELL)


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file is written, its header and its first rows. A spreadsheet has ``sheets``, of which one is read."""

    encoding: str
    delimiter: str
    columns: list[str]
    sample: list[list[str]]
    sheet: str = ""
    sheets: tuple[str, ...] = ()


class Row(NamedTuple):
    """One record below the header, counted from 1; ``problem`` says why its cells can't be used."""

    number: int
    cells: list[str]
    problem: tuple[str, str] | None = None


#: the cells of a record, and why they can't be used
_Record = tuple[list[str], tuple[str, str] | None]


def _bad(code: str, detail: str) -> DomainError:
    return DomainError.of("file", code, detail)


# --- encoding ------------------------------------------------------------------------------------
def detect_encoding(stream: IO[bytes]) -> str:
    """The encoding of the whole file. Raises DomainError where it is no text."""
    stream.seek(0)
    head = stream.read(SAMPLE_BYTES)
    if not head.strip(b" \t\r\n\xef\xbb\xbf"):
        raise _bad("empty", _("The file is empty. Send a text file with a header and at least one row."))
    if head.startswith(_BINARY):
        raise _bad(
            "not_text", _("This is not a text file. In a spreadsheet, save it as CSV (UTF-8) and send that.")
        )
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    wide = _utf16_without_bom(head)
    if wide:
        return wide
    failed_at = _first_bad_utf8(stream)
    if failed_at is None:
        return "utf-8"
    stream.seek(max(0, failed_at - SAMPLE_BYTES // 2))
    return _legacy(stream.read(SAMPLE_BYTES))


def _utf16_without_bom(head: bytes) -> str | None:
    pairs = len(head) // 2
    if pairs < 8:
        return None
    if head[1::2].count(0) > 0.6 * pairs and head[0::2].count(0) < 0.05 * pairs:
        return "utf-16-le"
    if head[0::2].count(0) > 0.6 * pairs and head[1::2].count(0) < 0.05 * pairs:
        return "utf-16-be"
    return None


def _first_bad_utf8(stream: IO[bytes]) -> int | None:
    """Where the file stops being UTF-8; None where it is UTF-8 to its end."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    stream.seek(0)
    position = 0
    while block := stream.read(1024 * 1024):
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            return max(0, position + error.start)
        position += len(block)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return position
    return None


def _legacy(sample: bytes) -> str:
    # Whole lines only, and only those that carry the unknown bytes: they alone tell encodings apart.
    lines = [line for line in sample.splitlines() if not line.isascii()][:400]
    # A few torn lines must not hide the encoding of all the others
    western = [line for line in lines if _decodes(line, "cp1252")]
    if len(western) >= 0.9 * len(lines):
        lines = western
    found = charset_normalizer.from_bytes(b"\n".join(lines) or sample, cp_isolation=_LEGACY)
    best = found.best()
    if best is None:
        return "cp1252"
    likely = [match for match in found if match.chaos <= best.chaos + 0.05]
    return "cp1252" if any("cp1252" in m.could_be_from_charset for m in likely) else best.encoding


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


# --- lines and rows ------------------------------------------------------------------------------
class _Lines:
    """Lines of text, none longer than ``MAX_LINE``, aware of open quotes so that reading goes on after trouble."""

    def __init__(self, text: IO[str]) -> None:
        self.text = text
        self.quoted = False

    def __iter__(self) -> Iterator[str]:
        readline = self.text.readline
        while line := readline(MAX_LINE):
            if len(line) >= MAX_LINE and not line.endswith("\n"):
                line = self._drain(line)
            elif '"' in line and line.count('"') % 2:
                self.quoted = not self.quoted
            yield line

    def _drain(self, line: str) -> str:
        """Read an over-long line away and leave a mark in its place that keeps quotes balanced."""
        was_quoted, odd = self.quoted, line.count('"') % 2
        while line and not line.endswith("\n"):
            line = self.text.readline(MAX_LINE)
            odd ^= line.count('"') % 2
        if odd:
            self.quoted = not was_quoted
        mark = _TOO_LONG if was_quoted == self.quoted else f'"{_TOO_LONG}' if self.quoted else f'{_TOO_LONG}"'
        return mark + "\n"

    def close_quote(self) -> bool:
        """Skip to behind the line that closes the open quote; False where none does."""
        while self.quoted:
            if not (line := self.text.readline(MAX_LINE)):
                return False
            if line.count('"') % 2:
                self.quoted = False
                while line and not line.endswith("\n"):
                    line = self.text.readline(MAX_LINE)
        return True


def _records(text: IO[str], delimiter: str) -> Iterator[_Record]:
    """``(cells, problem)`` of every record that is not blank."""
    lines = _Lines(text)
    reader = csv.reader(iter(lines), delimiter=delimiter)
    while True:
        try:
            for cells in reader:
                if not any(cells):
                    continue
                if _TOO_LONG in cells[0] or (len(cells) < 3 and any(_TOO_LONG in c for c in cells)):
                    yield [], _row_too_large()
                else:
                    yield cells, None
            return
        except csv.Error:
            closed = lines.close_quote()
            yield [], _cell_too_large() if closed else _open_quote()
            if not closed:
                return
            reader = csv.reader(iter(lines), delimiter=delimiter)


def _row_too_large() -> tuple[str, str]:
    return "row_too_large", _("This row is longer than 1 MB. Shorten its texts.")


def _cell_too_large() -> tuple[str, str]:
    return "cell_too_large", _("A cell of this row is longer than 256 KB. Shorten it, or close its quote.")


def _open_quote() -> tuple[str, str]:
    return "open_quote", _('A quote (") is opened in this row and never closed. Close it or remove it.')


def _text(stream: IO[bytes], encoding: str) -> io.TextIOWrapper:
    # The file itself: Django's files around it would be asked for every line whether they are closed
    inner: Any = stream
    while hasattr(inner, "read"):
        stream, inner = inner, getattr(inner, "file", None)
    stream.seek(0)
    # newline="" leaves line ends inside quoted cells to the csv reader
    return io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")


@contextmanager
def _opened(stream: IO[bytes], encoding: str, delimiter: str, sheet: str) -> Iterator[Iterator[_Record]]:
    """The records of the file, the header first."""
    if encoding == XLSX:
        book = Book(stream)
        try:
            yield _sheet_records(book, sheet)
        finally:
            book.close()
    else:
        cards = encoding == VCARD
        text = _text(stream, detect_encoding(stream) if cards else encoding)
        try:
            yield _card_records(text) if cards else _records(text, delimiter)
        finally:
            text.detach()


def _sheet_records(book: Book, sheet: str) -> Iterator[_Record]:
    for row in book.rows(sheet):
        yield ([], _row_too_large()) if row is None else (row, None)


def _card_records(text: IO[str]) -> Iterator[_Record]:
    return ((cells, None) for cells in vcard_rows(iter(lambda: text.readline(MAX_LINE), "")))


# --- shape ---------------------------------------------------------------------------------------
def detect_shape(stream: IO[bytes], sample_rows: int = 25, sheet: str = "") -> Shape:
    """Encoding and delimiter or sheet, header and first rows. Raises DomainError that says what to mend in the file.

    Of a spreadsheet the first sheet that holds anything is taken, or the one that is asked for.
    """
    stream.seek(0)
    if stream.read(len(_ARCHIVE)) == _ARCHIVE:
        return _sheet_shape(stream, sample_rows, sheet)
    encoding = detect_encoding(stream)
    text = _text(stream, encoding)
    try:
        head = text.read(64 * 1024)
        text.seek(0)
        if is_vcard(head):
            return _shape(_card_records(text), sample_rows, VCARD, "")
        delimiter = _delimiter(head)
        return _shape(_records(text, delimiter), sample_rows, encoding, delimiter)
    except UnicodeError:
        raise _bad("encoding", _("The file can't be read as text. Save it as CSV in UTF-8.")) from None
    finally:
        text.detach()


def _shape(records: Iterator[_Record], sample_rows: int, encoding: str, delimiter: str) -> Shape:
    header = next(records, None)
    if header is None:
        raise _bad("empty", _("The file is empty. Send a text file with a header and at least one row."))
    columns = _columns(*header)
    sample = [cells[: len(columns)] for cells, _problem in _first(records, sample_rows) if cells]
    return Shape(encoding, delimiter, columns, sample)


def _sheet_shape(stream: IO[bytes], sample_rows: int, wanted: str) -> Shape:
    book = Book(stream)
    try:
        if wanted and wanted not in book.sheets:
            raise DomainError.of(
                "sheet", "invalid_choice", _("Choose one of: %s.") % ", ".join(book.sheets)[:500]
            )
        for sheet in [wanted] if wanted else book.sheets:
            if wanted or next(book.rows(sheet), ()) != ():
                shape = _shape(_sheet_records(book, sheet), sample_rows, XLSX, "")
                return replace(shape, sheet=sheet, sheets=tuple(book.sheets))
    finally:
        book.close()
    raise _bad("empty", _("No sheet of this file has rows. Send one with a header and at least one row."))


def _first(records: Iterator[_Record], count: int) -> Iterator[_Record]:
    for _index, record in zip(range(count), records, strict=False):
        yield record


def _delimiter(text: str) -> str:
    """The sign that splits the first lines into the same number of cells, and most of them."""
    lines = text.splitlines()[:40]
    best, best_score = ",", (0.0, 0)
    for sign in _DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=sign) if row]
        except csv.Error:
            continue
        if not widths or widths[0] < 2:
            continue
        alike = sum(width == widths[0] for width in widths) / len(widths)
        if (alike, widths[0]) > best_score:
            best, best_score = sign, (alike, widths[0])
    return best


def _columns(cells: list[str], problem: tuple[str, str] | None) -> list[str]:
    if problem:
        raise _bad(f"header_{problem[0]}", _("The header can't be read. %s") % problem[1])
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) > MAX_COLUMNS:
        raise _bad(
            "too_many_columns",
            _("The file has %(count)s columns. At most %(most)s can be read: remove those you don't need.")
            % {"count": grouped(len(cells)), "most": MAX_COLUMNS},
        )
    names = [" ".join(bare(cell).split()) or _("Column %d") % (index + 1) for index, cell in enumerate(cells)]
    for name in names:
        if len(name) > MAX_HEADER_CELL or "\x00" in name or "\ufffd" in name or _TOO_LONG in name:
            raise _bad(
                "header", _("The header has a name that is too long or not text: %s") % repr(name[:40])
            )
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise _bad(
                "duplicate_header",
                _("Two columns are called “%s”. Give each column a name of its own.") % name,
            )
        seen.add(name.casefold())
    return names


def read_rows(stream: IO[bytes], encoding: str, delimiter: str, width: int, sheet: str = "") -> Iterator[Row]:
    """Every record below the header. A ragged, huge or torn one comes with its problem, and reading goes on."""
    filled = encoding in MADE  # a spreadsheet leaves out the empty cells at the end of a row
    with _opened(stream, encoding, delimiter, sheet) as records:
        next(records, None)
        for number, (cells, problem) in enumerate(records, start=1):
            if problem is None and len(cells) != width:
                if len(cells) > width and not any(cells[width:]):
                    cells = cells[:width]
                elif filled and len(cells) < width:
                    cells = cells + [""] * (width - len(cells))
                else:
                    problem = _ragged(len(cells), width)
                    cells = cells[: width + 20]
            yield Row(number, cells, problem)


def count_rows(stream: IO[bytes], encoding: str, delimiter: str) -> Iterator[int]:
    """The numbers of the rows that ``read_rows`` reads."""
    with _opened(stream, encoding, delimiter, "") as records:
        next(records, None)
        for number, _record in enumerate(records, start=1):
            yield number


def made_rows(stream: IO[bytes], encoding: str, sheet: str, width: int) -> Iterator[list[str]]:
    """All rows of a file that is no CSV, the header too, as in a CSV file that ``read_rows`` reads alike."""
    with _opened(stream, encoding, "", sheet) as records:
        for cells, problem in records:
            if problem is not None:
                yield ["x" * (MAX_CELL + 1)]
            elif len(cells) < width:
                yield cells + [""] * (width - len(cells))
            else:
                yield cells


def _ragged(cells: int, width: int) -> tuple[str, str]:
    return (
        "ragged_row",
        _(
            "This row has %(cells)s cells and the header %(width)s. Put a cell that holds the delimiter in quotes."
        )
        % {"cells": grouped(cells), "width": width},
    )
