"""From the cells of rows to the texts that are staged, or to the reasons why a row can't come in.

Rows are cleaned some hundreds at once, column by column: most columns are clean at a glance (``plain``), and in
the others each different cell is cleaned once.
"""

import bisect
import csv
import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.utils.translation import gettext as _

from contacts.models import Company, Contact, ImportJob
from crmcem.lib.cleaning import Bad

from . import parts
from .fields import bare, cleaner_for, split_name, target
from .plain import LOOKS, Look
from .reading import Row
from .seen import Hashes
from .several import MAX_VALUES, signs

CONTACT_COLUMNS = (
    "external_id",
    "email",
    "phone",
    "first_name",
    "last_name",
    "job_title",
    "birthday",
    "lifecycle_stage",
    "language",
    "time_zone",
    "tags",
    "custom",
    "owner_id",
    "company_key",
)
COMPANY_COLUMNS = (
    "external_id",
    "name",
    "domain",
    "industry",
    "size",
    "phone",
    "website",
    "custom",
    "owner_id",
)
COLUMNS: dict[str, tuple[str, ...]] = {"contacts": CONTACT_COLUMNS, "companies": COMPANY_COLUMNS}
MODELS: dict[str, type[Contact] | type[Company]] = {"contacts": Contact, "companies": Company}
#: (field, code, detail)
Error = tuple[str, str, str]
#: one column of cells for each name
_Values = dict[str, Sequence[Any]]
#: Between the staged values: no clean text has it, so hardly any needs quotes.
SEPARATOR = "\x1f"
#: where the parts of the rows stand among their values
_PARTS = "parts"
_COMPANY_KEYS = ("company_external_id", "company_domain", "company")
#: what the columns fill that have no column of their own
_FILLS = {"full_name": ("first_name", "last_name"), "owner": ("owner_id",)} | dict.fromkeys(
    _COMPANY_KEYS, ("company_key",)
)


@dataclass(slots=True)
class RowError:
    """Why a row failed; ``cells`` is the row as read, to be mended and sent again.

    ``left_out``: the row came in without a part that has no room on its record.
    """

    row: int
    field: str
    code: str
    detail: str
    cells: Sequence[str]
    left_out: bool = False


@dataclass(slots=True)
class Chunk:
    """Rows ``start`` (counted from 0) to ``end`` of the file, cleaned: what one transaction writes.

    ``kept``: False for rows that are in already, and only read again for what they named.
    """

    start: int
    end: int = 0
    kept: bool = True
    names: Sequence[str] = ()
    staged: io.StringIO = field(default_factory=io.StringIO)
    count: int = 0
    size: int = 0
    companies: dict[tuple[str | None, ...], int] = field(default_factory=dict)
    #: further addresses, numbers and domains: (row, kind, value)
    points: list[tuple[int, str, str]] = field(default_factory=list)
    #: the parts of the records as lines for COPY (``parts.COLUMNS``)
    parts: io.StringIO = field(default_factory=io.StringIO)
    errors: list[RowError] = field(default_factory=list)
    failed: set[int] = field(default_factory=set)
    #: the staged rows as they were read: their numbers and their columns, some hundreds of rows each
    read: list[tuple[Sequence[int], Sequence[Sequence[str]]]] = field(default_factory=list)

    @property
    def has_parts(self) -> bool:
        return self.parts.tell() > 0

    def cells(self, number: int) -> list[str]:
        """The cells of a staged row as they were read."""
        numbers, columns = self.read[bisect.bisect_right(self.read, number, key=lambda part: part[0][0]) - 1]
        place = bisect.bisect_left(numbers, number)
        return [column[place] for column in columns]


@dataclass(frozen=True, slots=True)
class _Column:
    """A mapped column of the file: where it is, its field, and how its cells are cleaned.

    ``between`` are the signs that part several values of a cell, of which the first is staged.
    """

    index: int
    key: str
    clean: Callable[[str], Any]
    look: Look | None
    between: str = ""

    def values(self, rows: Sequence[Row], cells: Sequence[str], faults: "_Faults") -> Sequence[Any]:
        """What is staged for each of the cells; blank ones and those with a fault are None."""
        if self.look is not None and (plain := self.look(cells)) is not None:
            return plain
        known: dict[str, Any] = {}
        wrong: dict[str, Error] = {}
        more: dict[str, list[Any]] = {}
        for cell in set(cells):
            if cell and not cell.isspace():
                try:
                    if self.between and any(sign in cell for sign in self.between):
                        known[cell], *more[cell] = self._several(bare(cell))
                    else:
                        known[cell] = self.clean(bare(cell))
                except ValueError as error:
                    wrong[cell] = (self.key, getattr(error, "code", "invalid"), str(error))
        if wrong:
            for row, cell in zip(rows, cells, strict=True):
                if cell in wrong:
                    faults.add(row, wrong[cell])
        if more:
            for row, cell in zip(rows, cells, strict=True):
                for value in more.get(cell, ()):
                    faults.points.setdefault(row.number, []).append((self.key, value))
        return list(map(known.get, cells))

    def _several(self, cell: str) -> list[Any]:
        """The values of a cell, each once. Raises ValueError; a cell of signs alone holds nothing."""
        for sign in self.between[1:]:
            cell = cell.replace(sign, self.between[0])
        parts = [part.strip() for part in cell.split(self.between[0]) if part.strip()]
        if len(parts) > MAX_VALUES:
            raise Bad("max_items", _("A cell can hold %d of them at most.") % MAX_VALUES)
        return list(dict.fromkeys(self.clean(part) for part in parts)) or [None]


class _Faults:
    """What is wrong with the rows at hand, and what they name beyond their columns, by their numbers."""

    def __init__(self) -> None:
        self.points: dict[int, list[tuple[str, str]]] = {}
        self.found: dict[int, tuple[Row, list[Error]]] = {}

    def add(self, row: Row, error: Error) -> None:
        self.found.setdefault(row.number, (row, []))[1].append(error)


class Cleaner:
    """Made once per run of a job. ``owners`` is ``{name or e-mail in lower case: id}``, 0 for a name that several have.

    Remembers a hash of every external id and e-mail address of the file, so that the second row with the
    same one is an error wherever the two stand.
    """

    def __init__(self, job: ImportJob, country: str, owners: Mapping[str, int]) -> None:
        self.kind = job.object
        self.owners = owners
        self.check_torn = not job.encoding.startswith(("utf-8", "xlsx", "vcard"))
        self.simple: list[_Column] = []
        self.custom: list[_Column] = []
        self.special: list[_Column] = []
        self.parts: list[_Column] = []
        self.keys = ("external_id", "email") if self.kind == "contacts" else ("external_id", "domain")
        self.seen = {name: Hashes() for name in (*self.keys, "name")}
        for index, column in enumerate(job.columns):
            key = job.mapping.get(column) or ""
            found = target(self.kind, key, job.new_fields.get(key, "text")) if key else None
            if found is None:
                continue
            plan = self.simple if key in COLUMNS[self.kind] else self.special
            if key.startswith("custom."):
                plan = self.custom
            elif found.part:
                plan = self.parts
            clean = cleaner_for(found, country, job.separator)
            plan.append(_Column(index, key, clean, LOOKS.get(key), signs(self.kind, key, job.separator)))
        filled = self._filled()
        #: the columns that are staged
        self.names = tuple(name for name in COLUMNS[self.kind] if name in filled)

    def _filled(self) -> set[str]:
        """The fields that this file can fill."""
        filled = {column.key for column in self.simple}
        if self.custom:
            filled.add("custom")
        for column in self.special:
            filled.update(_FILLS[column.key])
        return filled

    def add(self, rows: Sequence[Row], chunk: Chunk) -> None:
        """Clean ``rows`` into ``chunk``: one staged line for each, or its errors."""
        faults = _Faults()
        for row in rows:
            if row.problem is not None:
                faults.add(row, ("", *row.problem))
        rows = [row for row in rows if row.problem is None]
        if rows:
            values = self._values(rows, faults, chunk)
            rows, values = _without(rows, values, faults)
            self._check_rows(rows, values, faults)
            rows, values = _without(rows, values, faults)
            if rows and chunk.kept:
                self._stage(rows, values, chunk)
                if faults.points:
                    chunk.points += [
                        (row.number, *point) for row in rows for point in faults.points.get(row.number, ())
                    ]
        for _number, (row, found) in sorted(faults.found.items()):
            chunk.failed.add(row.number)
            chunk.errors += [
                RowError(row.number, name, code, detail, row.cells) for name, code, detail in found
            ]

    def _stage(self, rows: Sequence[Row], values: _Values, chunk: Chunk) -> None:
        numbers = [row.number for row in rows]
        chunk.names = self.names
        write_lines(chunk.staged, [numbers, *(values[name] for name in self.names)])
        if self.parts:
            parts.write(chunk.parts, numbers, values[_PARTS])
        chunk.count += len(rows)
        chunk.read.append((numbers, list(zip(*(row.cells for row in rows), strict=True))))

    def _values(self, rows: Sequence[Row], faults: _Faults, chunk: Chunk) -> _Values:
        """The values of each staged column; in rows with faults they mean nothing."""
        columns = list(zip(*(row.cells for row in rows), strict=True))
        if self.check_torn:
            _check_torn(rows, columns, faults)
        values: _Values = {
            column.key: column.values(rows, columns[column.index], faults) for column in self.simple
        }
        if self.custom:
            own = {
                column.key[7:]: column.values(rows, columns[column.index], faults) for column in self.custom
            }
            values["custom"] = [_json(tuple(own), row) for row in zip(*own.values(), strict=True)]
        if self.special:
            special = {
                column.key: column.values(rows, columns[column.index], faults) for column in self.special
            }
            self._special(rows, values, special, faults, chunk)
        if self.parts:
            own = {column.key: column.values(rows, columns[column.index], faults) for column in self.parts}
            values[_PARTS], wrong = parts.gathered(len(rows), own)
            for index, *error in wrong:
                faults.add(rows[index], (error[0], error[1], error[2]))
        return values

    def _special(
        self, rows: Sequence[Row], values: _Values, given: _Values, faults: _Faults, chunk: Chunk
    ) -> None:
        """Full name, owner and the company of a contact: one cell, other columns."""
        nothing = [None] * len(rows)
        if "full_name" in given:
            names = [split_name(name) if name else ("", "") for name in given["full_name"]]
            for part, name in enumerate(("first_name", "last_name")):
                own = values.get(name, nothing)
                values[name] = [own[i] or names[i][part][:150] for i in range(len(rows))]
        if "owner" in given:
            values["owner_id"] = [self.owners.get(name.lower()) if name else None for name in given["owner"]]
            for row, name, found in zip(rows, given["owner"], values["owner_id"], strict=True):
                if name and not found:
                    faults.add(row, _no_user(found))
        if any(key in given for key in _COMPANY_KEYS):
            companies = zip(*(given.get(key, nothing) for key in _COMPANY_KEYS), strict=True)
            values["company_key"] = [
                chunk.companies.setdefault(company, len(chunk.companies))
                if any(company) and row.number not in faults.found
                else None
                for row, company in zip(rows, companies, strict=True)
            ]

    def _check_rows(self, rows: Sequence[Row], values: _Values, faults: _Faults) -> None:
        """Each row must name somebody, and nobody that an earlier row has named."""
        keys = {name: values[name] for name in self.keys if name in values}
        if keys and not faults.points and all(map(any, zip(*keys.values(), strict=True))):
            hashes = {name: list(map(hash, filter(None, column))) for name, column in keys.items()}
            fresh = {name: set(found) for name, found in hashes.items()}
            if all(len(fresh[n]) == len(hashes[n]) and self.seen[n].isdisjoint(fresh[n]) for n in keys):
                for name, found in fresh.items():
                    self.seen[name].update(found)
                return
        for index, row in enumerate(rows):
            self._check_row(row, {name: column[index] for name, column in values.items()}, faults)

    def _check_row(self, row: Row, values: Mapping[str, Any], faults: _Faults) -> None:
        keys = [(name, values[name]) for name in self.keys if values.get(name)]
        keys += [point for point in faults.points.get(row.number, ()) if point[0] in self.keys]
        if not keys:
            more = ("phone", "first_name", "last_name") if self.kind == "contacts" else ("name",)
            if not any(values.get(name) for name in more):
                detail = _("This row names nobody: it has no id, no address and no name.")
                faults.add(row, ("", "empty_row", detail))
            elif self.kind == "companies":
                keys = [("name", values["name"])]
        known = [name for name, value in keys if hash(value) in self.seen[name]]
        for name in known:
            detail = _("An earlier row of this file has the same value. Keep one of them.")
            faults.add(row, (name, "duplicate_in_file", detail))
        if not known:
            for name, value in keys:
                self.seen[name].update([hash(value)])


def _without(rows: Sequence[Row], values: _Values, faults: _Faults) -> tuple[Sequence[Row], _Values]:
    """The rows that have no fault."""
    if not faults.found:
        return rows, values
    good = [row.number not in faults.found for row in rows]
    return (
        list(itertools.compress(rows, good)),
        {name: list(itertools.compress(column, good)) for name, column in values.items()},
    )


def write_lines(out: io.StringIO, columns: Sequence[Sequence[Any]]) -> None:
    """The columns as lines of CSV with ``SEPARATOR``, where an unquoted nothing is NULL."""
    texts = [
        ["" if value is None else value if value.__class__ is str else str(value) for value in column]
        for column in columns
    ]
    lines = "\r\n".join(map(SEPARATOR.join, zip(*texts, strict=True))) + "\r\n"
    count = len(columns[0])
    signs = (lines.count('"'), lines.count("\r"), lines.count("\n"), lines.count(SEPARATOR))
    if signs == (0, count, count, count * (len(columns) - 1)):
        out.write(lines)
    else:  # "\r\n" makes the writer quote both signs, which COPY wants
        csv.writer(out, delimiter=SEPARATOR, lineterminator="\r\n").writerows(zip(*columns, strict=True))


def _check_torn(rows: Sequence[Row], columns: Sequence[Sequence[str]], faults: _Faults) -> None:
    if any("\ufffd" in "".join(cells) for cells in columns):
        detail = _("This row holds bytes that are no text in this encoding. Save the file as CSV in UTF-8.")
        for row in rows:
            if any("\ufffd" in cell for cell in row.cells):
                faults.add(row, ("", "encoding", detail))


def _json(names: Sequence[str], values: Sequence[Any]) -> str | None:
    """The custom fields of one row; None where it has none."""
    found = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    return orjson.dumps(found).decode() if found else None


def _no_user(found: int | None) -> Error:
    if found is None:
        detail = _("There is no such person. Use a user name or an e-mail address of this workspace.")
        return "owner", "unknown_user", detail
    detail = _("Several people have this name. Use the user name or the e-mail address.")
    return "owner", "ambiguous_user", detail
