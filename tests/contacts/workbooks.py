"""Spreadsheets for tests, written by hand: every way that a cell can be written."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
#: number formats by the style of a cell: 0 is General
FORMATS = ["", "yyyy\\-mm\\-dd", "dd.mm.yyyy hh:mm", "h:mm", "[h]:mm:ss", '#,##0.00 "days"', "[Red]0.00"]


def column(index: int) -> str:
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


class Texts:
    """The shared texts of a workbook."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def place(self, text: str) -> int:
        return self.places.setdefault(text, len(self.places))

    def xml(self) -> str:
        items = "".join(
            f'<si><t xml:space="preserve">{escape(text)}</t><rPh sb="0" eb="1"><t>no</t></rPh></si>'
            for text in self.places
        )
        return f'<sst xmlns="{MAIN}">{items}</sst>'


def cell(value: Any, place: str, texts: Texts) -> str:
    """A text is shared, a number a number, a pair (number, style), anything else in XML as it is."""
    if value is None or value == "":
        return ""
    if isinstance(value, str) and value.startswith("<"):
        return value
    if isinstance(value, str):
        return f'<c r="{place}" t="s"><v>{texts.place(value)}</v></c>'
    number, style = value if isinstance(value, tuple) else (value, 0)
    return f'<c r="{place}" s="{style}"><v>{number}</v></c>'


def sheet_xml(rows: Sequence[Sequence[Any]], texts: Texts) -> str:
    lines = "".join(
        f'<row r="{number}">'
        + "".join(cell(value, f"{column(index)}{number}", texts) for index, value in enumerate(row))
        + "</row>"
        for number, row in enumerate(rows, 1)
    )
    return f'<worksheet xmlns="{MAIN}"><sheetData>{lines}</sheetData><hyperlinks/></worksheet>'


def workbook(
    sheets: Mapping[str, Sequence[Sequence[Any]]],
    *,
    hidden: Sequence[str] = (),
    epoch_1904: bool = False,
    replace: Mapping[str, str] | None = None,
) -> bytes:
    """The bytes of an .xlsx; ``replace`` puts other contents (or nothing, if empty) into its files."""
    texts = Texts()
    parts = {
        f"xl/worksheets/sheet{n}.xml": sheet_xml(rows, texts) for n, rows in enumerate(sheets.values(), 1)
    }

    def state(name: str) -> str:
        return ' state="hidden"' if name in hidden else ""

    names = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{n}" r:id="rId{n}"{state(name)}/>'
        for n, name in enumerate(sheets, 1)
    )
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{_REL}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    links += f'<Relationship Id="rIdS" Type="{_REL}/styles" Target="/xl/styles.xml"/>'
    links += f'<Relationship Id="rIdT" Type="{_REL}/sharedStrings" Target="sharedStrings.xml"/>'
    codes = "".join(
        f'<numFmt numFmtId="{163 + n}" formatCode={quoteattr(code)}/>' for n, code in enumerate(FORMATS) if n
    )
    styles = "".join(f'<xf numFmtId="{163 + n if n else 0}"/>' for n in range(len(FORMATS)))
    parts |= {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"/>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{_REL}"><workbookPr date1904="{int(epoch_1904)}"/>'
        f"<sheets>{names}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><numFmts>{codes}</numFmts><cellStyleXfs><xf numFmtId="14"/>'
        f"</cellStyleXfs><cellXfs>{styles}</cellXfs></styleSheet>",
        "xl/sharedStrings.xml": texts.xml(),
    } | dict(replace or {})
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            if text:
                archive.writestr(name, text)
    return target.getvalue()
