"""What a file is, by its bytes and not by its name; what can do harm is refused.

Only kinds that are on the list come in: documents, pictures and plain text. Nothing is unpacked or drawn here: of an
archive only its table of contents is read, of a picture only its header, so that a bomb costs nothing.
"""

import zipfile
from typing import Any

from django.utils.translation import gettext as _

from .cleaning import Bad

PDF, TEXT = "application/pdf", "text/plain"
_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = "application/vnd.oasis.opendocument"
_FOLDERS = {
    "word/": f"{_OFFICE}.wordprocessingml.document",
    "xl/": f"{_OFFICE}.spreadsheetml.sheet",
    "ppt/": f"{_OFFICE}.presentationml.presentation",
}
_ODF = {f"{_OPEN}.{kind}": f"{_OPEN}.{kind}" for kind in ("text", "spreadsheet", "presentation")}
HEAD = 4096
#: of an archive: bytes of its table of contents, bytes unpacked, and how much larger than packed
TABLE, UNPACKED, RATIO = 1_000_000, 1_000_000_000, 200
PIXELS = 100_000_000
_CONTROL = bytes((*range(32), 127))
_WRITTEN = b"\t\n\r\f"
_END = b"PK\x05\x06"


def content_type(file: Any) -> str:
    """The type of an open binary file with ``read``, ``seek`` and ``size``. Raises Bad for what can't come in."""
    file.seek(0)
    head = file.read(HEAD)
    try:
        if head.startswith(b"%PDF-"):
            return PDF
        picture = _picture(head)
        if picture:
            return picture
        if head.startswith(b"PK\x03\x04"):
            return _document(file)
        if _is_text(head) and _is_text(_rest(file)):
            return TEXT
    finally:
        file.seek(0)
    raise Bad(
        "file_type",
        _("Files of this kind can't be kept. Send a PDF, a picture, an office document or plain text."),
    )


def _rest(file: Any) -> bytes:
    file.seek(0)
    found: bytes = file.read()
    return found


def _is_text(data: bytes) -> bool:
    if data.translate(None, _WRITTEN) != data.translate(None, _WRITTEN + _CONTROL):
        return False
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return len(data) == HEAD and error.start > HEAD - 4  # a sign that is cut in two
    return True


def _picture(head: bytes) -> str:
    width = height = 0
    kind = ""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        kind = "image/png"
        width, height = int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    elif head.startswith((b"GIF87a", b"GIF89a")):
        kind = "image/gif"
        width, height = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    elif head.startswith(b"\xff\xd8\xff"):
        kind = "image/jpeg"
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        kind = "image/webp"
    if width * height > PIXELS:
        raise _bomb()
    return kind


def _bomb() -> Bad:
    return Bad("bomb", _("This file would be far too large once it is opened."))


def _document(file: Any) -> str:
    """An office document, by its table of contents. One with macros in it is refused."""
    look_at_the_end(file)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            unpacked = sum(entry.file_size for entry in entries)
            packed = sum(entry.compress_size for entry in entries)
            if unpacked > UNPACKED or (unpacked > 10_000_000 and unpacked > RATIO * max(packed, 1)):
                raise _bomb()
            names = {entry.filename for entry in entries}
            if any(name.lower().endswith(("vbaproject.bin", ".exe", ".dll", ".js")) for name in names):
                raise Bad("macros", _("Documents with macros can't be kept. Save it without them."))
            first = entries[0] if entries else None
            if first is not None and first.filename == "mimetype" and first.file_size < 100:
                kind = _ODF.get(archive.read(first).decode("ascii", "replace").strip())
                if kind:
                    return kind
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        if isinstance(error, Bad):
            raise
        raise Bad("damaged", _("This document is damaged. Save it again and send it once more.")) from None
    if "[Content_Types].xml" in names:
        for folder, kind in _FOLDERS.items():
            if any(name.startswith(folder) for name in names):
                return kind
    raise Bad("archive", _("Archives can't be kept. Send the files in it one by one."))


def look_at_the_end(file: Any) -> None:
    """Raises Bad for a table of contents that is too long to be read."""
    file.seek(0, 2)
    size = file.tell()
    file.seek(max(0, size - 66_000))
    tail = file.read()
    at = tail.rfind(_END)
    if at >= 0 and len(tail) >= at + 16 and int.from_bytes(tail[at + 12 : at + 16], "little") > TABLE:
        raise _bomb()
    file.seek(0)
