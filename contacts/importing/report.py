"""The rows that failed or lack a part, as a file that can be mended and sent again."""

import itertools
from collections.abc import Iterator

from contacts.models import ImportJob, ImportRowError
from crmcem.lib.spreadsheets import FORMULA, csv_lines

ERROR_COLUMN = "import_error"


def error_rows(job: ImportJob) -> Iterator[list[str]]:
    """Each such row once, as read, with its reasons behind it."""
    found = ImportRowError.objects.filter(job=job).order_by("row", "id")
    values = found.values_list("row", "field", "detail", "raw").iterator(chunk_size=2000)
    width = len(job.columns)
    for _row, group in itertools.groupby(values, key=lambda value: value[0]):
        reasons = list(group)
        raw = [raw_cell(str(cell)) for cell in reasons[0][3]]
        cells = raw[:width] + [""] * (width - len(raw))
        detail = " ".join(f"{field}: {text}" if field else text for _r, field, text, _raw in reasons)
        yield [*cells, detail, *raw[width:]]  # what has no column stands behind, so that it isn't lost


def raw_cell(cell: str) -> str:
    """The cell as it stood in the file: what guarded a formula there is put back by ``guarded``."""
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'")[:1] in FORMULA and cell.strip("'") else cell


def error_lines(job: ImportJob) -> Iterator[str]:
    """The report as CSV."""
    return csv_lines([*job.columns, ERROR_COLUMN], error_rows(job))
