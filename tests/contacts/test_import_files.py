"""Files as people really have them, and as nobody should: clear errors, bounded memory, never a crash."""

import io
import time
import tracemalloc
from typing import Any

import pytest

from contacts.importing.fields import bare
from contacts.importing.mapping import guess
from contacts.importing.reading import count_rows, detect_shape, read_rows
from contacts.models import Contact
from crmcem.lib.errors import DomainError
from crmcem.lib.spreadsheets import guarded
from tests.contacts.imports import counts, errors, run_import
from tests.factories.fields import custom_texts


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def rows_of(data: bytes) -> tuple[Any, list[Any]]:
    stream = io.BytesIO(data)
    shape = detect_shape(stream)
    rows = list(read_rows(stream, shape.encoding, shape.delimiter, len(shape.columns)))
    assert list(count_rows(stream, shape.encoding, shape.delimiter)) == [row.number for row in rows]
    return shape, rows


def refused(data: bytes) -> str:
    with pytest.raises(DomainError) as caught:
        detect_shape(io.BytesIO(data))
    return caught.value.errors[0].code


TEXT = "Vorname;Nachname;E-Mail\r\nJürgen;Müßig;juergen@example.org\r\nZoë;Ångström;zoe@example.org\r\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "iso8859-15", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_encodings_are_found_out(encoding: str) -> None:
    shape, rows = rows_of(TEXT.encode(encoding))

    assert shape.columns == ["Vorname", "Nachname", "E-Mail"]
    assert [row.cells[:2] for row in rows] == [["Jürgen", "Müßig"], ["Zoë", "Ångström"]]


def test_cyrillic_in_its_old_encoding() -> None:
    text = "Имя,Фамилия,email\n" + "Наталья,Кузнецова,n{0}@example.org\n" * 20
    _shape, rows = rows_of(text.encode("cp1251"))

    assert rows[0].cells[:2] == ["Наталья", "Кузнецова"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found_out(delimiter: str) -> None:
    data = delimiter.join(["name", "email", "note"]) + "\n"
    data += delimiter.join(['"Doe, Jane; Dr"', "jane@example.org", '"a,b;c"']) + "\n"
    shape, rows = rows_of(data.encode())

    assert shape.delimiter == delimiter
    assert rows[0].cells == ["Doe, Jane; Dr", "jane@example.org", "a,b;c"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \r\n", "empty"),
        (b"PK\x03\x04" + bytes(1000), "damaged"),
        (b"%PDF-1.7 ...", "not_text"),
        (b"email,name,Email\na@b.example,x,y\n", "duplicate_header"),
        (b"a," * 600 + b"\n1\n", "too_many_columns"),
        (b"," * 1_000_000 + b"x\n1\n", "too_many_columns"),
        (b"column," * 1_000_000 + b"\n1\n", "header_row_too_large"),
        (b"em\x00ail,name\na,b\n", "header"),
    ],
)
def test_files_that_can_not_be_read_say_why(data: bytes, code: str) -> None:
    assert refused(data) == code


def test_ragged_and_blank_rows() -> None:
    _shape, rows = rows_of(b"a,b\n1,2\n\n3\n4,5,6\n7,8,,\n,\n9,10\n")

    assert [(r.number, r.problem[0] if r.problem else r.cells) for r in rows] == [
        (1, ["1", "2"]),
        (2, "ragged_row"),
        (3, "ragged_row"),
        (4, ["7", "8"]),
        (5, ["9", "10"]),
    ]


@pytest.mark.parametrize(
    "huge",
    [
        b"x" * 10_000_000,
        b'"' + b"x" * 10_000_000 + b'"',
        b'"' + b"line\n" * 2_000_000 + b'"',
        b'"start\n' + b"x" * 10_000_000 + b'\nend"',
        b"," * 1_000_000,
    ],
)
def test_a_huge_row_is_its_own_error_in_little_memory(huge: bytes) -> None:
    data = b"a,b\n1,2\n" + huge + b",z\n3,4\n"
    stream = io.BytesIO(data)
    tracemalloc.start()
    began = time.monotonic()
    shape = detect_shape(stream)
    rows = list(read_rows(stream, shape.encoding, shape.delimiter, 2))
    seconds = time.monotonic() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert [r.cells for r in rows if r.problem is None] == [["1", "2"], ["3", "4"]]
    assert [r.number for r in rows if r.problem] == [2]
    assert peak < 48_000_000
    assert seconds < 20


def test_a_quote_that_never_closes_ends_the_file_with_one_error() -> None:
    _shape, rows = rows_of(b'a,b\n1,2\n"3,4\n' + b"5,6\n" * 200_000)

    assert rows[0].cells == ["1", "2"]
    assert [row.problem[0] for row in rows[1:]] == ["open_quote"]


@pytest.mark.django_db
def test_headers_are_understood_in_two_languages() -> None:
    columns = [
        "Kundennummer",
        "Vorname",
        "Nachname",
        "E-Mail-Adresse",
        "Telefon",
        "Firma",
        "Zuständig",
        "Sonstiges",
    ]
    assert list(guess("contacts", columns, []).values()) == [
        "external_id",
        "first_name",
        "last_name",
        "email",
        "phone",
        "company",
        "owner",
        "",
    ]
    values = [["x@example.org", "+49 30 1234567", "Smith"], ["y@example.org", "0049 89 7654321", "Doe"]]
    assert guess("contacts", ["A", "B", "C"], values) == {"A": "email", "B": "phone", "C": ""}
    assert guess("companies", ["Firma", "Branche", "Mitarbeiter", "Domain"], []) == {
        "Firma": "name",
        "Branche": "industry",
        "Mitarbeiter": "size",
        "Domain": "domain",
    }


@pytest.mark.parametrize(
    "value", ["=1+1", "+49301234", "-5", "@sum", "'=x", "''=x", "plain", "'quoted'", "'", ""]
)
def test_formulas_leave_guarded_and_come_back_unchanged(value: str) -> None:
    out = guarded(value)

    assert not out.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert bare(out) == value


@pytest.mark.django_db
def test_bad_cells_of_every_kind(cast: Any) -> None:
    custom_texts("note", type="longtext")
    job = run_import(
        b"external_id,first_name,email,custom.note,lifecycle\n"
        b"1,A\x00da,,,\n"
        b"2," + b"x" * 200 + b",,,\n"
        b"3,Bob,,\x00,\n"
        b"4,Bob,,,prospective buyer\n"
        b"5,Bob,," + b"n" * 20_000 + b",\n"
        b",,,only a note,\n"
        b'7,"O\'Hara, ""Bo""",bo@example.org,"two\nlines",customer\n',
        cast.rep,
    )

    assert errors(job) == [
        (1, "first_name", "characters"),
        (2, "first_name", "max_length"),
        (3, "custom.note", "characters"),
        (4, "lifecycle_stage", "invalid_choice"),
        (5, "custom.note", "max_length"),
        (6, "", "empty_row"),
    ]
    assert counts(job) == (1, 0, 0, 6)
    contact = Contact.objects.get()
    assert (contact.first_name, contact.custom) == ('O\'Hara, "Bo"', {"note": "two\nlines"})


@pytest.mark.django_db
def test_bytes_that_are_no_text_are_an_error_of_their_row(cast: Any) -> None:
    names = "".join(f"{n},Jürgen\n" for n in range(20))
    text = f"external_id,first_name\n{names}20,Bj\x81rn\n".encode("latin-1")

    job = run_import(text, cast.rep)

    assert errors(job) == [(21, "", "encoding")]
    assert Contact.objects.filter(first_name="Jürgen").count() == 20
