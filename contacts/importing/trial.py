"""The first rows of a file as an import would take them: cleaned, matched and judged by its own code, nothing kept."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from contacts.models import ImportJob
from crmcem.workspace.organisation import organisation

from .cleaning import Chunk, Cleaner, RowError
from .commit import match
from .fields import TARGETS, bare, cleaner_for, target
from .mapping import shown
from .reading import Row
from .runner import owners_of
from .source import job_rows
from .staging import prepare, stage

ROWS = 25


@dataclass(frozen=True, slots=True)
class TrialCell:
    """One mapped cell: its value as it would come in, or as it stands in the file where it would not."""

    value: str
    errors: list[str]


@dataclass(frozen=True, slots=True)
class TrialRow:
    """``outcome`` is ``new``, ``update`` or ``rejected``; ``errors`` are those that no single cell is to blame for."""

    number: int
    outcome: str
    cells: list[TrialCell]
    errors: list[str]


@dataclass(frozen=True, slots=True)
class Trial:
    """``heads`` are the labels of the mapped fields, in the order of the file's columns."""

    heads: list[str] = field(default_factory=list)
    rows: list[TrialRow] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        return sum(row.outcome == outcome for row in self.rows)


def trial(job: ImportJob, mapping: Mapping[str, str], mode: str, rows: int = ROWS) -> Trial:
    """What the first ``rows`` rows would become with this mapping (checked before) and mode."""
    tried = ImportJob(
        pk=job.pk,
        owner=job.owner,
        object=job.object,
        columns=job.columns,
        encoding=job.encoding,
        mapping=dict(mapping),
        mode=mode,
        separator=job.separator,
        make_companies=job.make_companies,
    )
    read = list(itertools.islice(job_rows(job), rows))
    chunk = Chunk(start=0, end=len(read))
    cleaner = Cleaner(tried, organisation().country, owners_of(tried))
    cleaner.add(read, chunk)
    found, refused = _matched(tried, chunk)
    errors: dict[int, list[RowError]] = {}
    for error in [*chunk.errors, *refused]:
        errors.setdefault(error.row, []).append(error)
    columns = [(i, mapping[name]) for i, name in enumerate(job.columns) if mapping.get(name)]
    shower = _Shower(job.object, columns, job.separator)
    return Trial(
        heads=[label(job.object, key) for _index, key in columns],
        rows=[shower.row(row, errors.get(row.number, []), row.number in found) for row in read],
    )


def _matched(job: ImportJob, chunk: Chunk) -> tuple[set[int], list[RowError]]:
    """The rows that meet an existing record, and those that the database refuses; everything is rolled back."""
    if not chunk.count:
        return set(), []
    with transaction.atomic(), connection.cursor() as cursor:
        prepare(cursor)
        stage(cursor, job.object, chunk)
        refused = match(cursor, job, chunk)
        cursor.execute("SELECT row FROM import_match WHERE found IS NOT NULL AND problem IS NULL")
        found = {row for (row,) in cursor.fetchall()}
        transaction.set_rollback(True)
    return found, refused


def label(kind: str, key: str) -> str:
    """The name of a field for people."""
    found = target(kind, key)
    return str(found.label) if found else key


class _Shower:
    """Turns a row into what the preview shows."""

    def __init__(self, kind: str, columns: list[tuple[int, str]], separator: str) -> None:
        country = organisation().country
        known = {t.key: t for t in TARGETS[kind]}
        self.columns = []
        for index, key in columns:
            found = known.get(key) or target(kind, key)
            assert found is not None
            self.columns.append((index, key, cleaner_for(found, country, separator)))

    def row(self, row: Row, errors: list[RowError], exists: bool) -> TrialRow:
        by_field: dict[str, list[str]] = {}
        for error in errors:
            by_field.setdefault(error.field, []).append(error.detail)
        cells = []
        for index, key, clean in self.columns:
            raw = row.cells[index] if index < len(row.cells) else ""
            own = by_field.pop(key, [])
            cells.append(TrialCell(shown(raw if own else _value(key, clean, raw)), own))
        rest = [detail for details in by_field.values() for detail in details]
        outcome = "rejected" if errors else "update" if exists else "new"
        return TrialRow(row.number, outcome, cells, rest)


def _value(key: str, clean: Any, raw: str) -> str:
    if not raw.strip():
        return ""
    try:
        value = clean(bare(raw))
    except ValueError:
        return raw
    if key == "tags":  # staged as a literal of an array
        return "" if value is None else ", ".join(value[2:-2].split('","'))
    if isinstance(value, list):
        return ", ".join(_part(each) for each in value)
    if isinstance(value, dict):
        return f"{value['amount']} {value['currency']}"
    return "" if value is None else str(value)


def _part(value: Any) -> str:
    """One of several values: a text, or the pieces of an address or profile."""
    return value if isinstance(value, str) else ", ".join(filter(None, value))
