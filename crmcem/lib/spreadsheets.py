"""CSV that people open in a spreadsheet: what would be taken for a formula leaves as text.

What ``guarded`` adds, the import takes away again, so a file that leaves comes back unchanged.
"""

import csv
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

#: a cell that begins with one of these is a formula to a spreadsheet
FORMULA = "=+-@\t\r"


class _Echo:
    """A file for the csv writer that hands each line straight on."""

    def write(self, line: str) -> str:
        return line


def guarded(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula; the import gives the value back unchanged."""
    text = "" if value is None else str(value)
    if text and (
        text[0] in FORMULA or (text[0] == "'" and text.lstrip("'")[:1] in FORMULA and text.strip("'"))
    ):
        return "'" + text
    return text


def csv_lines(header: Sequence[str], rows: Iterator[Sequence[Any]]) -> Iterator[str]:
    """Lines of a CSV file in UTF-8 with its mark, in blocks, for a streaming answer."""
    writer = csv.writer(_Echo())
    yield "\ufeff" + str(writer.writerow([guarded(name) for name in header]))
    while block := list(itertools.islice(rows, 500)):
        yield "".join(writer.writerow([guarded(cell) for cell in row]) for row in block)
