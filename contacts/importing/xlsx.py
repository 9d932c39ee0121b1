"""Spreadsheets (.xlsx) read as rows of text, in bounded memory whatever is in them.

The libraries for it hold a sheet or all its texts in memory; here both are streams: the sheet is parsed in blocks, and
its shared texts lie in a temporary file. Formulas are not computed: their last value counts. A document type, which
XML bombs need, is refused, and so is an archive that would be far larger than its file.
"""

import os
import tempfile
import zipfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any
from xml.parsers import expat

from django.utils.translation import gettext as _

from crmcem.lib.cleaning import Bad
from crmcem.lib.errors import DomainError
from crmcem.lib.filetypes import look_at_the_end

from .limits import MAX_CELL, MAX_LINE
from .xlsx_cells import moment, number, shows, unescaped

BLOCK = 64 * 1024
UNPACKED, RATIO, SMALL = 4_000_000_000, 200, 10_000_000
MAX_ROWS, MAX_WIDTH, MAX_SHEETS = 1_048_576, 16_384, 200
MAX_STRINGS = 12_000_000
MAX_STYLES = 100_000
_REMEMBERED, _SHORT = 20_000, 200
_SHEET = "/worksheet"
_STRINGS = "/sharedStrings"
_STYLES = "/styles"
#: what XML parsers, archives and numbers in them raise
_BROKEN: tuple[type[Exception], ...] = (
    expat.ExpatError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
)
_BROKEN += (ValueError, KeyError, IndexError)


def _bad(code: str, detail: str) -> DomainError:
    return DomainError.of("file", code, detail)


def _damaged() -> DomainError:
    return _bad("damaged", _("This spreadsheet can't be opened. Save it again as .xlsx, or as CSV (UTF-8)."))


def _bomb() -> DomainError:
    return _bad(
        "bomb", _("This file would be far too large once it is opened. Save its sheet as CSV (UTF-8).")
    )


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except DomainError:
        raise
    except _BROKEN:
        raise _damaged() from None


def _local(name: str) -> str:
    return name.rpartition(":")[2]


class _Stop(Exception):
    """Enough is read."""


class _Parsed:
    """One XML file of the archive, read block by block. The methods ``start`` and ``end`` get local names."""

    def __init__(self, archive: zipfile.ZipFile, path: str) -> None:
        self.source = archive.open(path)
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.done = False

    def _doctype(self, *_about: Any) -> None:
        raise _damaged()

    def start(self, name: str, attributes: dict[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, text: str) -> None: ...

    def step(self) -> bool:
        """Parse the next block; False where there is none."""
        if self.done:
            return False
        block = self.source.read(BLOCK)
        self.done = not block
        self.parser.Parse(block, self.done)
        return True

    def all(self) -> None:
        try:
            while self.step():
                pass
        except _Stop:
            pass


class _Elements(_Parsed):
    """Calls ``see(local name, attributes)`` for every element of a small file."""

    def __init__(
        self, archive: zipfile.ZipFile, path: str, see: Callable[[str, dict[str, str]], None]
    ) -> None:
        self.see = see
        super().__init__(archive, path)
        self.all()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.see(_local(name), attributes)


class _Strings(_Parsed):
    """The shared texts, read as far as they are asked for. They lie in a temporary file, only their ends in memory."""

    def __init__(self, archive: zipfile.ZipFile, path: str) -> None:
        super().__init__(archive, path)
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - until ``close``
        self.ends = array("Q", [0])
        self.waiting: list[bytes] = []
        self.parts: list[str] = []
        self.size = 0
        self.within = self.phonetic = False
        self.recent: dict[int, str] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = _local(name)
        if name == "si":
            self.parts, self.size = [], 0
        elif name == "rPh":
            self.phonetic = True
        elif name == "t":
            self.within = not self.phonetic

    def end(self, name: str) -> None:
        name = _local(name)
        if name == "t":
            self.within = False
        elif name == "rPh":
            self.phonetic = False
        elif name == "si":
            data = unescaped("".join(self.parts)).encode("utf-8", "replace")
            self.waiting.append(data)
            self.ends.append(self.ends[-1] + len(data))
            if len(self.ends) > MAX_STRINGS:
                raise _bomb()

    def text(self, text: str) -> None:
        if self.within and self.size <= MAX_CELL:
            self.parts.append(text)
            self.size += len(text)

    def at(self, index: int) -> str:
        found = self.recent.get(index)
        if found is None:
            while index + 1 >= len(self.ends) and self.step():
                self.file.write(b"".join(self.waiting))
                self.waiting = []
            self.file.flush()
            begin, end = self.ends[index], self.ends[index + 1]
            found = os.pread(self.file.fileno(), end - begin, begin).decode()
            if len(found) <= _SHORT:
                if len(self.recent) >= _REMEMBERED:
                    self.recent.clear()
                self.recent[index] = found
        return found

    def close(self) -> None:
        self.file.close()


class _Sheet(_Parsed):
    """The rows of one sheet; None stands for a row that is too large to be read."""

    def __init__(self, archive: zipfile.ZipFile, path: str, book: "Book") -> None:
        super().__init__(archive, path)
        self.book = book
        self.ready: list[list[str] | None] = []
        self.count = 0
        self.columns: dict[str, int] = {}
        self.within = False
        self.parts: list[str] = []
        self.size = 0
        self._new_row()

    def _new_row(self) -> None:
        self.row: list[str] = []
        self.row_size = 0
        self.next = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "v" or name == "t":
            self.within = True
        elif name == "c":
            self.kind = attributes.get("t", "n")
            self.style = attributes.get("s", "0")
            self.parts, self.size = [], 0
            place = attributes.get("r")
            self.column = self.next if place is None else self._column(place)
        elif name == "row":
            self._new_row()
            self.count += 1
            if self.count > MAX_ROWS:
                raise _bomb()
        elif ":" in name:
            self.start(_local(name), attributes)

    def end(self, name: str) -> None:
        if name == "v" or name == "t":
            self.within = False
        elif name == "c":
            self._cell()
        elif name == "row":
            self.ready.append(self.row if self.row_size <= MAX_LINE else None)
        elif name == "sheetData":
            raise _Stop
        elif ":" in name:
            self.end(_local(name))

    def text(self, text: str) -> None:
        if self.within and self.size <= MAX_CELL:
            self.parts.append(text)
            self.size += len(text)

    def _column(self, place: str) -> int:
        letters = place.rstrip("0123456789")
        found = self.columns.get(letters)
        if found is None:
            found = 0
            for letter in letters[:4]:
                found = found * 26 + ord(letter) - 64
            if not 0 < found <= MAX_WIDTH or not letters.isalpha() or len(letters) > 3:
                raise _damaged()
            self.columns[letters] = found
        return found - 1

    def _cell(self) -> None:
        self.next = self.column + 1
        if not self.parts or self.column >= MAX_WIDTH:
            return
        value = self._value("".join(self.parts))
        if not value or self.row_size > MAX_LINE:
            return
        self.row_size += len(value) if len(value) <= MAX_CELL else MAX_LINE + 1
        row = self.row
        if self.column < len(row):
            row[self.column] = value
        else:
            row += [""] * (self.column - len(row))
            row.append(value)

    def _value(self, raw: str) -> str:
        kind = self.kind
        if kind == "s":
            return self.book.string(int(raw))
        if kind == "n":
            shown = self.book.shown(self.style)
            return moment(raw, shown, self.book.epoch_1904) if shown else number(raw)
        if kind == "b":
            return "TRUE" if raw.strip() == "1" else "FALSE"
        if kind == "d":
            return raw.strip().removesuffix("T00:00:00").removesuffix("T00:00:00Z")
        return unescaped(raw)

    def rows(self) -> Iterator[list[str] | None]:
        more = True
        while more:
            try:
                more = self.step()
            except _Stop:
                more = False
            yield from self.ready
            self.ready = []


class Book:
    """An open spreadsheet. ``sheets`` are the names of its visible sheets, in order.

    Raises DomainError that says what to mend.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        with _in_words():
            self.archive = _opened(stream)
            self._strings: _Strings | None = None
            self.paths: dict[str, str] = {}
            self.epoch_1904 = False
            self.styles: dict[str, str] = {}
            self._parts = self._related()
            self._read_workbook()
            self._read_styles()
        if not self.paths:
            raise _bad(
                "no_sheet", _("This spreadsheet has no sheet with rows. Save the one you mean as CSV.")
            )

    @property
    def sheets(self) -> list[str]:
        return list(self.paths)

    def _related(self) -> dict[str, tuple[str, str]]:
        """``{id: (type, path)}`` of what the workbook is made of."""
        found: dict[str, tuple[str, str]] = {}

        def see(name: str, attributes: dict[str, str]) -> None:
            if name == "Relationship" and attributes.get("TargetMode") != "External":
                path = attributes["Target"]
                path = path.lstrip("/") if path.startswith("/") else f"xl/{path}"
                found[attributes["Id"]] = (attributes["Type"], path)

        _Elements(self.archive, "xl/_rels/workbook.xml.rels", see)
        return found

    def _read_workbook(self) -> None:
        def see(name: str, attributes: dict[str, str]) -> None:
            if name == "workbookPr":
                self.epoch_1904 = attributes.get("date1904") in ("1", "true")
            elif name == "sheet" and attributes.get("state", "visible") == "visible":
                key = next((v for k, v in attributes.items() if _local(k) == "id" and ":" in k), "")
                kind, path = self._parts.get(key, ("", ""))
                if kind.endswith(_SHEET) and len(self.paths) < MAX_SHEETS:
                    self.paths[attributes["name"][:100]] = path

        _Elements(self.archive, "xl/workbook.xml", see)

    def _read_styles(self) -> None:
        path = self._part(_STYLES)
        if path is None:
            return
        codes: dict[int, str] = {}
        inside = False
        count = 0

        def see(name: str, attributes: dict[str, str]) -> None:
            nonlocal inside, count
            if name == "numFmt" and len(codes) < MAX_STYLES:
                codes[int(attributes["numFmtId"])] = attributes["formatCode"][:200]
            elif name in {"cellXfs", "cellStyles"}:
                inside = name == "cellXfs"
            elif name == "xf" and inside and count < MAX_STYLES:
                key = int(attributes.get("numFmtId", 0))
                shown = shows(key, codes.get(key))
                if shown:
                    self.styles[str(count)] = shown
                count += 1

        _Elements(self.archive, path, see)

    def _part(self, kind: str) -> str | None:
        return next((path for found, path in self._parts.values() if found.endswith(kind)), None)

    def shown(self, style: str) -> str:
        return self.styles.get(style, "")

    def string(self, index: int) -> str:
        if self._strings is None:
            path = self._part(_STRINGS)
            if path is None or index < 0:
                raise _damaged()
            self._strings = _Strings(self.archive, path)
        return self._strings.at(index)

    def rows(self, sheet: str) -> Iterator[list[str] | None]:
        """The rows of a sheet that are not blank, as texts; None for one that is too large."""
        with _in_words():
            for row in _Sheet(self.archive, self.paths[sheet], self).rows():
                if row is None or any(row):
                    yield row

    def close(self) -> None:
        if self._strings is not None:
            self._strings.close()
        self.archive.close()


def _opened(stream: IO[bytes]) -> zipfile.ZipFile:
    """The archive, if it is a spreadsheet of a size that its bytes can have."""
    try:
        look_at_the_end(stream)
    except Bad:
        raise _bomb() from None
    archive = zipfile.ZipFile(stream)
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if unpacked > UNPACKED or (unpacked > SMALL and unpacked > RATIO * max(packed, 1)):
        raise _bomb()
    if "xl/workbook.xml" not in {entry.filename for entry in entries}:
        raise _bad(
            "not_text",
            _("This archive is not a spreadsheet (.xlsx). Save the sheet as .xlsx or as CSV (UTF-8)."),
        )
    return archive
