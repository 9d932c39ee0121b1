"""Spreadsheets come in as the same rows as CSV; what is no spreadsheet, or a bomb, is refused in little memory."""

import io
import time
import tracemalloc
from typing import Any

import pytest
from django.core.files.storage import default_storage

from contacts.importing.reading import detect_shape, read_rows
from contacts.importing.xlsx_cells import moment, number, shows
from contacts.models import Contact, ImportJob
from crmcem.lib.errors import DomainError
from tests.contacts.imports import counts, csv_file, errors, run_import
from tests.contacts.workbooks import MAIN, workbook
from tests.factories.fields import custom_texts

PEOPLE = [
    ["Customer ID", "First name", "E-mail", "Geburtstag", "custom.tier", "Tags"],
    [1001, "Ada", "ada@example.org", (29206, 1), 12.5, "vip; maths"],
    [],
    [1002.0, "Jürgen <b>", "juergen@example.org", "", "", "a"],
    [1003, "", "broken", "", 4915112345678],
]


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def cells(rows: list[list[Any]], **options: Any) -> list[list[str]]:
    """The cells of the rows below the header."""
    stream = io.BytesIO(workbook({"One": rows}, **options))
    shape = detect_shape(stream)
    assert shape.encoding == "xlsx"
    read = list(read_rows(stream, "xlsx", "", len(shape.columns), shape.sheet))
    assert [row.number for row in read] == list(range(1, len(read) + 1))
    assert [row.cells for row in read if row.problem is None][:25] == [
        row + [""] * (len(shape.columns) - len(row)) for row in shape.sample
    ]
    return [row.cells for row in read]


def refusal(data: bytes) -> str:
    with pytest.raises(DomainError) as caught:
        detect_shape(io.BytesIO(data))
    return caught.value.errors[0].code


@pytest.mark.django_db
def test_a_sheet_becomes_the_same_people_as_a_csv_file(cast: Any) -> None:
    custom_texts("tier")
    job = run_import(workbook({"People": PEOPLE}), cast.rep)

    assert (job.status, job.encoding, job.sheet, job.sheets) == ("done", "xlsx", "People", ["People"])
    assert (counts(job), errors(job)) == ((2, 0, 0, 1), [(3, "email", "invalid")])
    ada = Contact.objects.get(external_id="1001")
    assert (ada.first_name, ada.birthday.isoformat(), ada.custom, ada.tags) == (
        "Ada",
        "1979-12-17",
        {"tier": "12.5"},
        ["vip", "maths"],
    )
    assert Contact.objects.get(external_id="1002").first_name == "Jürgen <b>"
    assert job.row_errors.get().raw == ["1003", "", "broken", "", "4915112345678", ""]
    assert default_storage.exists(job.rows.name)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (1, "1"),
        ("<c r='A2'><v>1E3</v></c>", "1000"),
        ("<c r='A2'><v>4.915112345678E12</v></c>", "4915112345678"),
        ("<c r='A2'><v>0.30000000000000004</v></c>", "0.3"),
        ("<c r='A2'><v>-2.5E-7</v></c>", "-0.00000025"),
        ("<c r='A2' t='b'><v>1</v></c>", "TRUE"),
        ("<c r='A2' t='str'><f>A1&amp;1</f><v>=1+1</v></c>", "=1+1"),
        ("<c r='A2'><f>SUM(1,2)</f><v>3</v></c>", "3"),
        ("<c r='A2' t='e'><v>#N/A</v></c>", "#N/A"),
        ("<c r='A2' t='inlineStr'><is><r><t>Ada </t></r><r><t>King</t></r></is></c>", "Ada King"),
        ("<c r='A2' t='d'><v>2024-02-29T00:00:00</v></c>", "2024-02-29"),
        ("<c><v>7</v></c>", "7"),
        ("two_x000D_\nlines", "two\nlines"),
        ((45351, 1), "2024-02-29"),
        ((45351.5, 1), "2024-02-29"),
        ((45351.75, 2), "2024-02-29T18:00:00"),
        ((45351, 2), "2024-02-29"),
        ((0.5, 3), "12:00"),
        ((1.5, 4), "1.5"),
        ((1234.5, 5), "1234.5"),
        ((2, 6), "2"),
        ((1, 1), "1900-01-01"),
        ((61, 1), "1900-03-01"),
    ],
)
def test_cells_are_the_texts_that_people_see(written: Any, text: str) -> None:
    assert cells([["a", "b"], [written, "x"]])[0][0] == text


def test_days_counted_from_1904() -> None:
    assert cells([["a"], [(43889, 1)]], epoch_1904=True) == [["2024-02-29"]]


def test_numbers_formats_and_moments_that_are_none() -> None:
    assert [number(text) for text in ("x", "1e400", "nan", "123456789012345678")] == [
        "x",
        "1e400",
        "nan",
        "123456789012346000",
    ]
    assert [
        shows(14, None),
        shows(22, None),
        shows(2, None),
        shows(164, "mmm yy"),
        shows(164, "General"),
    ] == ["d", "dt", "", "d", ""]
    assert [moment("x", "d", False), moment("-1", "d", False), moment("3000000", "d", False)] == [
        "x",
        "-1",
        "3000000",
    ]


def test_the_first_visible_sheet_with_rows_is_read_and_others_can_be_chosen() -> None:
    data = workbook(
        {"Secret": [["x"], [1]], "Empty": [], "People": [["a"], ["1"]], "More": [["b"], ["2"]]},
        hidden=["Secret"],
    )
    shape = detect_shape(io.BytesIO(data))
    assert (shape.sheet, shape.sheets, shape.columns) == ("People", ("Empty", "People", "More"), ["a"])
    assert detect_shape(io.BytesIO(data), sheet="More").columns == ["b"]
    with pytest.raises(DomainError, match="Choose one of: Empty, People, More"):
        detect_shape(io.BytesIO(data), sheet="Secret")


SHEET = "xl/worksheets/sheet1.xml"
ROW = f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1" t="str"><v>a</v></c></row>'


@pytest.mark.parametrize(
    ("code", "replace"),
    [
        ("damaged", {SHEET: f"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><worksheet xmlns='{MAIN}'/>"}),
        ("damaged", {SHEET: ROW}),
        ("damaged", {SHEET: ROW.replace("A1", "ZZZZ1")}),
        ("damaged", {SHEET: ROW.replace('t="str"', 't="s"')}),
        ("damaged", {"xl/_rels/workbook.xml.rels": ""}),
        ("damaged", {"xl/styles.xml": ""}),
        ("no_sheet", {"xl/workbook.xml": f'<workbook xmlns="{MAIN}"/>'}),
        ("not_text", {"xl/workbook.xml": ""}),
        ("bomb", {SHEET: ROW + " " * 30_000_000}),
        ("too_many_columns", {SHEET: ROW.replace("A1", "XFD1") + "</sheetData></worksheet>"}),
    ],
)
def test_what_is_no_spreadsheet_or_a_bomb_is_refused_in_words(code: str, replace: dict[str, str]) -> None:
    rows = [["a"], [1]]
    assert refusal(workbook({"One": rows}, replace=replace)) == code


@pytest.mark.django_db
def test_a_sheet_that_breaks_in_the_middle_ends_in_words_and_writes_nothing(cast: Any) -> None:
    rows = "".join(f'<row><c t="str"><v>p{n}@example.org</v></c></row>' for n in range(30_000))
    broken = f'<worksheet xmlns="{MAIN}"><sheetData><row><c t="str"><v>email</v></c></row>{rows}</wrong>'
    job = run_import(workbook({"One": [["email"]]}, replace={SHEET: broken}), cast.rep)
    assert (job.status, job.rows_done, job.rows.name) == ("failed", 0, "")
    assert "can't be opened" in job.error
    assert not Contact.objects.exists()


def test_huge_cells_are_their_rows_errors_and_many_rows_take_little_memory() -> None:
    texts = [[n, f"person {n}", f"p{n}@example.org"] for n in range(20_000)]
    rows: list[list[Any]] = [
        ["a", "b", "c"],
        ["1", "x" * 2_000_000, "z"],
        *texts,
        ["2", *["y" * 200_000] * 9],
    ]
    stream = io.BytesIO(workbook({"One": rows}))
    del rows, texts
    tracemalloc.start()
    began = time.monotonic()
    count, problems = 0, []
    for row in read_rows(stream, "xlsx", "", 3, "One"):
        count += 1
        if row.problem:
            problems.append((row.number, row.problem[0]))
    seconds = time.monotonic() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (count, problems) == (20_002, [(1, "row_too_large"), (20_002, "row_too_large")])
    assert peak < 24_000_000
    assert seconds < 20


@pytest.mark.django_db
def test_a_huge_cell_is_an_error_after_turning_it_into_rows_too(cast: Any) -> None:
    rows = [
        ["external_id", "first_name"],
        [1, "Ada"],
        [2, "x" * 300_000],
        [3, "Cy", "ragged"],
        [4, "two\nlines"],
    ]
    job = run_import(workbook({"One": rows}), cast.rep)
    assert (job.status, job.rows_total, counts(job)) == ("done", 4, (2, 0, 0, 2))
    assert [(row, code) for row, _field, code in errors(job)] == [(2, "cell_too_large"), (3, "ragged_row")]


@pytest.mark.django_db
def test_a_sheet_is_chosen_on_the_page_and_over_the_api(cast: Any, web: Any, api: Any) -> None:
    data = workbook({"Notes": [["Remark"], ["none"]], "People": [["E-mail"], ["ada@example.org"]]})
    client = web(cast.rep)
    url = client.post("/imports/new/", {"file": csv_file(data, "book.xlsx"), "object": "contacts"}).url
    job = ImportJob.objects.get()
    page = client.get(url).content.decode()
    assert "<option selected>Notes</option>" in page
    assert client.post(url, {"_action": "sheet", "sheet": "Nowhere"}).status_code == 422
    assert client.post(url, {"_action": "sheet", "sheet": "People"}).url == url
    job.refresh_from_db()
    assert (job.sheet, job.columns, job.mapping) == ("People", ["E-mail"], {"E-mail": "email"})
    assert "ada@example.org" in client.get(url).content.decode()
    send = {"file": csv_file(data, "book.xlsx"), "object": "contacts", "sheet": "People"}
    made = api(cast.integrator).post("/api/v1/imports/", send, format="multipart").json()
    assert (made["sheet"], made["sheets"], made["columns"]) == ("People", ["Notes", "People"], ["E-mail"])
    assert web(cast.rep2).post(url, {"_action": "sheet", "sheet": "Notes"}).status_code == 404
    assert ImportJob.objects.get(pk=job.pk).sheet == "People"
