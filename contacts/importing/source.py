"""Where the rows of a job are: in the file that was sent, or in a CSV file that was made of it once.

A spreadsheet is read at 100,000 rows in some seconds, and can only be read from its beginning; vCards are no rows at
all. So the worker turns them into CSV before anything else, and a killed import goes on in that as in any other.
"""

import csv
import io
import tempfile
import uuid
from collections.abc import Callable, Iterator

from django.core.files.base import File

from contacts.models import ImportJob

from .reading import MADE, Row, count_rows, made_rows, read_rows


def job_rows(job: ImportJob) -> Iterator[Row]:
    """The rows below the header, with the cells that were mended."""
    fixes: dict[int, dict[int, str]] = {}
    if job.pk is not None:
        for number, column, value in job.fixes.values_list("row", "column", "value"):
            fixes.setdefault(number, {})[column] = value
    return _mended(_rows(job), fixes) if fixes else _rows(job)


def _mended(rows: Iterator[Row], fixes: dict[int, dict[int, str]]) -> Iterator[Row]:
    for row in rows:
        mended = fixes.get(row.number)
        if mended and row.problem is None:
            row = row._replace(cells=[mended.get(index, cell) for index, cell in enumerate(row.cells)])
        yield row


def _rows(job: ImportJob) -> Iterator[Row]:
    width = len(job.columns)
    if job.rows:
        with job.rows.open("rb") as stream:
            yield from read_rows(stream, "utf-8", ",", width)
    else:
        with job.file.open("rb") as stream:
            yield from read_rows(stream, job.encoding, job.delimiter, width, job.sheet)


def job_numbers(job: ImportJob) -> Iterator[int]:
    """The numbers of the rows that ``job_rows`` reads; of a file that needs it, after ``converted``."""
    source, encoding, delimiter = (
        (job.rows, "utf-8", ",") if job.rows else (job.file, job.encoding, job.delimiter)
    )
    with source.open("rb") as stream:
        yield from count_rows(stream, encoding, delimiter)


def convert(job: ImportJob, keep: Callable[[], None]) -> None:
    """Make ``job.rows`` of a file that is no CSV. ``keep`` is called now and then and may raise.

    Whoever is killed here leaves the job as it was; of two at once one file is kept, and none of a sheet that is not
    read any more.
    """
    if job.encoding not in MADE or job.rows:
        return
    with tempfile.TemporaryFile() as target:
        text = io.TextIOWrapper(target, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\r\n")
        with job.file.open("rb") as stream:
            for number, cells in enumerate(made_rows(stream, job.encoding, job.sheet, len(job.columns))):
                writer.writerow(cells)
                if not number % 5_000:
                    keep()
        text.flush()
        job.rows.save(f"{uuid.uuid4().hex}.csv", File(target), save=False)
        text.detach()
    if not ImportJob.objects.filter(pk=job.pk, rows="", sheet=job.sheet).update(rows=job.rows.name):
        job.rows.delete(save=False)
        job.refresh_from_db(fields=["rows"])
