"""Files that nobody should send, through the API and the web: clear words, nothing half-written, nothing lost."""

import csv
import gzip
import io
import random
import time
import zipfile
from typing import Any

import pytest
from django.core.files.storage import default_storage
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contacts.importing import runner
from contacts.importing.fields import bare
from contacts.importing.reading import detect_shape, read_rows
from contacts.importing.report import error_lines, raw_cell
from contacts.models import Activity, Company, Contact, ContactPoint, ImportJob, ImportRowError, Pulse
from crmcem.lib.errors import DomainError
from crmcem.lib.spreadsheets import guarded
from tests.contacts.imports import counts, csv_file, errors, run_import

pytestmark = pytest.mark.django_db
FEW = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>" + " " * 10_000_000)
    return target.getvalue()


NO_FILES = {
    "nothing": b"",
    "blank lines": b"\r\n\r\n \r\n",
    "only a byte order mark": b"\xef\xbb\xbf",
    "only a UTF-16 mark": b"\xff\xfe",
    "spreadsheet": zipped(),
    "zip": b"PK\x03\x04" + random.Random(1).randbytes(2000),
    "gzip bomb": gzip.compress(bytes(20_000_000)),
    "old spreadsheet": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
    "image": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "NUL bytes": bytes(5000),
    "header with NUL": b"em\x00ail,name\na@b.example,x\n",
    "million columns": b"," * 1_000_000 + b"x\n1\n",
    "million named columns": b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n1\n",
    "huge header": b"x" * 10_000_000 + b",email\n1,a@b.example\n",
    "header that never closes": b'"email,name\na@b.example,x\n' + b"x" * 300_000,
    "same header twice": b"email,Email\na@b.example,x\n",
    "same header after blanks": b"email, email \na@b.example,x\n",
}


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_of_rows_is_refused_in_words_and_nothing_is_kept(
    cast: Any, api: Any, web: Any, name: str
) -> None:
    data = NO_FILES[name]
    began = time.monotonic()
    answer = api(cast.rep).post(
        "/api/v1/imports/", {"file": csv_file(data), "object": "contacts"}, format="multipart"
    )
    assert answer.status_code == 400, answer.content
    [error] = answer.json()["errors"]
    assert error["field"] == "file"
    assert len(error["detail"]) > 20
    page = web(cast.rep).post("/imports/new/", {"file": csv_file(data), "object": "contacts"})
    assert page.status_code == 422
    assert 'class="field-error"' in page.content.decode()
    assert time.monotonic() - began < 20
    assert not ImportJob.objects.exists()
    assert not default_storage.exists("imports") or not default_storage.listdir("imports")[1]


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso8859-15"],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_marks_and_line_ends_come_in_as_the_same_people(
    cast: Any, encoding: str, newline: str
) -> None:
    text = "Nummer;Vorname;Nachname;E-Mail\n" + "".join(
        f"{n};Jürgen;Müßig;j{n}@example.org\n" for n in range(12)
    )
    job = run_import(text.replace("\n", newline).encode(encoding), cast.rep)
    assert (job.status, counts(job)) == ("done", (12, 0, 0, 0))
    assert set(Contact.objects.values_list("first_name", "last_name")) == {("Jürgen", "Müßig")}
    assert job.columns == ["Nummer", "Vorname", "Nachname", "E-Mail"]


def test_a_ten_megabyte_cell_is_the_error_of_its_row(cast: Any) -> None:
    huge = "x" * 10_000_000
    text = f'external_id,first_name\n1,Ann\n2,"{huge}"\n3,Bob\n4,{huge}\n5,Cy\n'
    job = run_import(text, cast.rep)
    assert (job.status, counts(job)) == ("done", (3, 0, 0, 2))
    assert [row for row, _field, _code in errors(job)] == [2, 4]
    assert set(Contact.objects.values_list("first_name", flat=True)) == {"Ann", "Bob", "Cy"}


def test_ragged_rows_lose_no_cell_in_the_report(cast: Any) -> None:
    job = run_import(
        "external_id,first_name,email\n1,Ann\n2,Bob,b@example.org,extra,=more\n3,Cy,c@example.org\n",
        cast.rep,
    )
    assert counts(job) == (1, 0, 0, 2)
    rows = list(csv.reader(io.StringIO("".join(error_lines(job)).lstrip("\ufeff"))))
    assert rows[0] == ["external_id", "first_name", "email", "import_error"]
    assert rows[1][:3] == ["1", "Ann", ""]
    assert rows[2][:3] == ["2", "Bob", "b@example.org"]
    assert rows[2][4:] == ["extra", "'=more"]
    again = run_import("".join(error_lines(job)), cast.rep)
    assert [row for row, _field, code in errors(again) if code == "ragged_row"] == [2]


def test_cells_that_would_be_formulas_come_in_leave_as_text_and_come_back(cast: Any) -> None:
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "'=1", "''=1", '=HYPERLINK("http://x.example")', "'", "o'neil"]
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(["external_id", "first_name", "email"])
    writer.writerows([n, name, "broken"] for n, name in enumerate(names))
    job = run_import(target.getvalue(), cast.rep)
    assert job.failed == len(names)
    report = "".join(error_lines(job))
    for row in csv.reader(io.StringIO(report.lstrip("\ufeff"))):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row), row
    fixed = report
    for n in range(len(names)):
        fixed = fixed.replace("broken", f"p{n}@example.org", 1)
    assert run_import(target.getvalue().replace("broken", ""), cast.rep).created == len(names)
    direct = list(Contact.objects.order_by("external_id").values_list("first_name", flat=True))
    again = run_import(fixed, cast.rep)
    assert (again.updated, again.failed) == (len(names), 0)
    assert list(Contact.objects.order_by("external_id").values_list("first_name", flat=True)) == direct
    assert direct[:4] == names[:4]


@FEW
@given(cell=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12))
@example("'=x")
@example("\t=x")
@example("''+")
@example(" '=x")
@example("'\t")
@example("=")
def test_any_cell_leaves_guarded_and_reads_back_the_same(cell: str) -> None:
    out = guarded(raw_cell(cell))
    assert not out.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert bare(out).strip() == bare(cell)


# --- anything at all --------------------------------------------------------------------------------
NAMES = ["email", "E-Mail", "first_name", "name", "custom.x", "phone", "tags", "external_id"]
words = st.sampled_from(
    [*NAMES, "", " ", "a@b.example", "+49301234567", "x", '"', "'", ";", "\t", "|", "\r", "é", "\ufeff"]
) | st.sampled_from(["\ud7ff", "=1", "\x00", "\x1f", "0" * 40, "🦆", ",,,"])
lines = st.lists(st.lists(words | st.text(max_size=6), min_size=1, max_size=6).map(",".join), max_size=8)
files = st.one_of(
    st.binary(max_size=300),
    lines.map("\n".join).map(lambda text: text.encode("utf-8", "surrogatepass")),
    lines.map(lambda rows: "\n".join(["email,first_name,external_id", *rows]).encode("utf-16")),
    lines.map(
        lambda rows: "\r\n".join(["external_id,email,tags,custom.x", *rows]).encode("cp1252", "replace")
    ),
)


@settings(FEW, max_examples=150)
@given(data=files)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    stream = io.BytesIO(data)
    try:
        shape = detect_shape(stream)
    except DomainError:
        return
    assert len(set(shape.columns)) == len(shape.columns)
    for number, row in enumerate(
        read_rows(stream, shape.encoding, shape.delimiter, len(shape.columns)), start=1
    ):
        assert row.number == number
        assert row.problem or len(row.cells) == len(shape.columns)


@settings(FEW, max_examples=40)
@given(data=files)
def test_any_file_ends_with_every_row_accounted_for(cast: Any, data: bytes) -> None:
    before = Contact.objects.count()
    try:
        job = run_import(data, cast.rep)
    except DomainError:
        assert Contact.objects.count() == before
        return
    assert (job.status, job.error) == ("done", "")
    assert job.created + job.updated + job.skipped + job.failed == job.rows_total == job.rows_done
    assert ImportRowError.objects.filter(job=job).values("row").distinct().count() == job.failed
    assert Contact.objects.count() == before + job.created == Pulse.objects.count()
    assert Activity.objects.filter(kind="contact.created").count() == Contact.objects.count()
    again = run_import("".join(error_lines(job)), cast.rep) if job.failed else None
    assert again is None or again.status == "done"


def test_the_preview_of_any_of_them_is_a_page(cast: Any, web: Any) -> None:
    client = web(cast.rep)
    for text in (
        'email,x\n"open,1\n',
        "email,x\n1,2,3,4\n5\n",
        "email,x\n\x01,\x1f\n\u202e,=cmd\n",
        "email,x\n" + "y" * 2_000_000 + ",z\n",
        "email,x\nok@example.org,\x00\n",
    ):
        client.post("/imports/new/", {"file": csv_file(text), "object": "contacts"})
        job = ImportJob.objects.latest("id")
        page = client.get(f"/imports/{job.pk}/")
        assert page.status_code == 200
        assert "refused" in page.content.decode()
        assert "\x00" not in page.content.decode()


@pytest.mark.parametrize("kind", ["contacts", "companies"])
def test_a_job_without_a_way_to_end_ends_in_words(
    cast: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours in the middle: the chunk is rolled back whole, the rows before it stay, the job says so."""
    monkeypatch.setattr(runner, "CHUNK_ROWS", 2)
    real = runner.commit_chunk
    calls = []

    def broken(job: Any, chunk: Any) -> Any:
        calls.append(chunk.start)
        if chunk.start == 4:
            raise RuntimeError("secret detail")
        return real(job, chunk)

    monkeypatch.setattr(runner, "commit_chunk", broken)
    column = "email" if kind == "contacts" else "name"
    values = "".join(f"p{n}@example.org\n" for n in range(8))
    job = run_import(f"{column}\n{values}", cast.rep, kind=kind)
    assert (job.status, job.rows_done, job.created) == ("failed", 4, 4)
    assert "stopped at row 5" in job.error
    assert "secret" not in job.error
    assert calls == [0, 2, 4]
    assert (Contact if kind == "contacts" else Company).objects.count() == 4
    assert ContactPoint.objects.count() == (4 if kind == "contacts" else 0)
