"""Columns told clean at a glance: a look never answers anything but what the field's own cleaner would."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts.importing.cleaning import Chunk, Cleaner
from contacts.importing.fields import bare, target
from contacts.importing.plain import LOOKS
from contacts.importing.reading import Row
from contacts.models import ImportJob

# One fault of each kind, and the edges of what is no fault
CELLS = {
    "external_id": ["k" * 200, "k" * 201, "A-1"],
    "first_name": ["n" * 150, "n" * 151, "Zoë", "O'Hara"],
    "last_name": ["n" * 150, "n" * 151, "van der Berg"],
    "full_name": ["n" * 300, "n" * 301, "Dr. Ada Lovelace"],
    "job_title": ["t" * 200, "t" * 201, "Head of R&D"],
    "email": [
        "ada@example.org",
        "ADA@Example.ORG",
        f"{'a' * 64}@example.org",
        f"{'a' * 65}@example.org",
        f"{'a.' * 40}b@example.org",
        f"ada@{'e' * 63}.{'e' * 63}.{'e' * 63}.{'e' * 50}.org",
        f"ada@{'e' * 63}.{'e' * 63}.{'e' * 63}.{'e' * 63}.org",
        "ada@exa mple.org",
        "'=ada@example.org",
        "o'hara@example.org",
        "ada@example",
        "ada@xn--bcher-kva.example",
        "ada@bücher.example",
        "\u212adalvin@example.org",  # the sign of Kelvin is a k in lower case
        "\u0130lker@example.org",  # and this one becomes two signs
    ],
    "phone": ["+4930123456", "+49 30 123456", "004930123456", "+1", "(617) 555-0100", "+491234567890123"],
}
TROUBLE = [
    "",
    " ",
    " a",
    "a ",
    "a  b",
    "a\nb",
    "a\tb",
    "\x00",
    "a\u00a0b",
    "\u3000",
    "'=1",
    "'",
    "''=1",
    "\ufffd",
]


def by_cell(key: str, cells: list[str]) -> list[Any]:
    """What the field's cleaner says to each cell; a blank one is nothing."""
    found = target("contacts", key)
    assert found is not None
    clean = found.clean("US")
    return [clean(bare(cell)) if cell.strip() else "" for cell in cells]


def test_every_look_belongs_to_a_field_and_is_tried_here() -> None:
    assert set(LOOKS) == set(CELLS)
    assert all(target("contacts", key) for key in LOOKS)


@pytest.mark.parametrize("key", CELLS)
def test_a_look_answers_as_the_cleaner_or_not_at_all(key: str) -> None:
    taken = 0
    for cell in [*CELLS[key], *TROUBLE]:
        for cells in ([cell], ["", cell], [cell, CELLS[key][0]]):
            values = LOOKS[key](cells)
            if values is not None:
                taken += 1
                assert list(values) == by_cell(key, cells)

    assert taken >= 3


@pytest.mark.parametrize("key", CELLS)
def test_a_look_takes_what_is_common(key: str) -> None:
    common = {"email": ["Ada@Example.org", "", "bo.b@example.co.uk"], "phone": ["+4930123456", ""]}

    assert LOOKS[key](common.get(key, ["Ada", "", "von O'Hara-Müßig (2)"])) is not None


@given(
    st.sampled_from(sorted(CELLS)),
    st.lists(st.text(max_size=12) | st.from_regex(r"[ '=+A-z@.\d]{0,9}"), max_size=4),
)
def test_a_look_never_differs_from_the_cleaner(key: str, cells: list[str]) -> None:
    values = LOOKS[key](cells)

    if values is not None:
        assert list(values) == by_cell(key, cells)


def cleaned(rows: list[list[str]], size: int) -> tuple[str, list[tuple[int, str, str]], dict[int, list[str]]]:
    """The staged text, the errors, and the rows as read, where ``size`` rows are cleaned at once."""
    columns = ["external_id", "email", "first_name", "lifecycle_stage", "full_name", "company", "custom.note"]
    job = ImportJob(object="contacts", columns=columns, encoding="cp1252", mapping={c: c for c in columns})
    cleaner = Cleaner(job, "US", {})
    chunk = Chunk(start=0)
    numbered = [Row(number, cells) for number, cells in enumerate(rows, start=1)]
    for begin in range(0, len(rows), size):
        cleaner.add(numbered[begin : begin + size], chunk)
    staged = {number: chunk.cells(number) for numbers, _columns in chunk.read for number in numbers}
    assert len(staged) == chunk.count
    assert chunk.failed.isdisjoint(staged)
    assert len(staged) + len(chunk.failed) == len(rows)
    return chunk.staged.getvalue(), [(e.row, e.field, e.code) for e in chunk.errors], staged


_cell = st.sampled_from(
    ["", "", "1", "2", "x", " y ", "\x00", "\ufffd", "a@example.org", "B@example.org", "lead"]
)


@pytest.mark.django_db
@given(st.lists(st.lists(_cell, min_size=7, max_size=7), max_size=12))
def test_rows_cleaned_together_come_out_as_one_by_one(rows: list[list[str]]) -> None:
    together, alone = cleaned(rows, 12), cleaned(rows, 1)

    assert together == alone
    for number, cells in together[2].items():
        assert cells == rows[number - 1]
