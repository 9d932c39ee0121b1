"""vCards (RFC 2426 and 6350): lines into properties and back.

The library for it (vobject) keeps whole files as trees of objects and knows version 4.0 hardly; what is needed of the
format is small: folded lines, parameters, escaped values.
"""

import quopri
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

#: of a property no more is kept; pictures are longer
MAX_VALUE = 256 * 1024
_WIDTH = 75
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
#: signs that no parameter can hold, as RFC 6868 writes them
_CARETS = {"^": "^^", '"': "^'", "\n": "^n"}
_CARET = re.compile(r"\^([\^'n])")


@dataclass(frozen=True, slots=True)
class Property:
    """``name`` in capitals without its group, ``params`` in capitals with their values, ``value`` still escaped."""

    name: str
    value: str
    params: dict[str, list[str]] = field(default_factory=dict)

    def types(self) -> set[str]:
        """``{"work", "pref"}``"""
        return {each.lower() for value in self.params.get("TYPE", ()) for each in value.split(",")}


def unfolded(lines: Iterable[str]) -> Iterator[str]:
    """Whole lines: what goes on behind a blank belongs to the line before, in quoted-printable also behind a ``=``."""
    whole, soft = "", False
    for line in lines:
        line = line.rstrip("\r\n")
        if soft or line[:1] in {" ", "\t"}:
            if len(whole) <= MAX_VALUE:
                whole += line if soft else line[1:]
        else:
            if whole:
                yield whole
            whole = line
        head = whole.partition(":")[0].upper()
        soft = "QUOTED-PRINTABLE" in head and line.endswith("=")
        if soft:
            whole = whole[:-1]
    if whole:
        yield whole


def parsed(line: str) -> Property | None:
    """The property of a whole line; None for what is none."""
    head, value = _halves(line)
    if value is None:
        return None
    name, *rest = _parts(head, ";")
    params: dict[str, list[str]] = {}
    for each in rest:
        key, equals, given = each.partition("=")
        if not equals:  # version 2.1 leaves the names away
            key, given = ("ENCODING" if key.upper() in {"QUOTED-PRINTABLE", "BASE64"} else "TYPE"), key
        given = _CARET.sub(_uncaret, given.strip().strip('"'))
        params.setdefault(key.strip().upper(), []).append(given)
    if "QUOTED-PRINTABLE" in map(str.upper, params.get("ENCODING", ())):
        charset = params.get("CHARSET", ["utf-8"])[0]
        raw = quopri.decodestring(value.encode("utf-8", "replace"))
        try:
            value = raw.decode(charset, "replace")
        except LookupError:
            value = raw.decode("utf-8", "replace")
        value = value.replace("\r\n", "\n").replace("\n", "\\n")
    return Property(name.rpartition(".")[2].strip().upper(), value, params)


def _uncaret(found: re.Match[str]) -> str:
    return next(sign for sign, written in _CARETS.items() if written == found[0])


def _halves(line: str) -> tuple[str, str | None]:
    """What stands before the first colon outside of quotes, and behind it."""
    quoted = False
    for index, sign in enumerate(line):
        if sign == '"':
            quoted = not quoted
        elif sign == ":" and not quoted:
            return line[:index], line[index + 1 :]
    return line, None


def _parts(text: str, sign: str) -> list[str]:
    """Split where ``sign`` stands outside of quotes."""
    pieces, quoted = [""], False
    for each in text:
        if each == '"':
            quoted = not quoted
        if each == sign and not quoted:
            pieces.append("")
        else:
            pieces[-1] += each
    return pieces


def plain(value: str) -> str:
    """A value without its escapes."""
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def listed(value: str, sign: str = ";") -> list[str]:
    """The parts of a structured value or a list, each without its escapes."""
    pieces = [""]
    escaped = False
    for each in value:
        if escaped:
            pieces[-1] += "\n" if each in "nN" else each
            escaped = False
        elif each == "\\":
            escaped = True
        elif each == sign:
            pieces.append("")
        else:
            pieces[-1] += each
    return pieces


# --- writing -------------------------------------------------------------------------------------
def escaped(value: str) -> str:
    text = value.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    for sign, safe in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(sign, safe)
    return text


def param(name: str, value: str) -> str:
    """``;NAME="value"``, to be put behind the name of a line."""
    safe = "".join(_CARETS.get(sign, sign) for sign in value if sign.isprintable() or sign == "\n")
    return f';{name}="{safe}"'


def line(name: str, *parts: str, sign: str = ";") -> str:
    """A line of ``name`` (with its parameters) and the escaped parts, folded at 75 bytes between characters."""
    whole = f"{name}:{sign.join(map(escaped, parts))}"
    if len(whole.encode()) <= _WIDTH:
        return whole + "\r\n"
    lines, size = [""], 0
    for each in whole:
        length = len(each.encode("utf-8", "replace"))
        if size + length > _WIDTH:
            lines.append(" ")
            size = 1
        lines[-1] += each
        size += length
    return "\r\n".join(lines) + "\r\n"
