"""The cells of a spreadsheet as the texts that the same cells of a CSV file would have."""

import datetime as dt
import math
import re
from decimal import Decimal

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_DURATION = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
#: the formats that every spreadsheet knows by number: with a day, with a time of day
_BUILT_IN = {14: "d", 15: "d", 16: "d", 17: "d", 18: "t", 19: "t", 20: "t", 21: "t", 22: "dt"}
_BUILT_IN |= dict.fromkeys((*range(27, 32), 36, *range(50, 59)), "d") | dict.fromkeys(range(32, 36), "t")
_LAST_DAY = 2_958_465  # 31 December 9999


def shows(number: int, code: str | None) -> str:
    """What a number format shows: ``d`` a day, ``t`` a time of day, ``dt`` both, nothing else than a number: empty."""
    if code is None:
        return _BUILT_IN.get(number, "")
    if _DURATION.search(code):
        return ""
    letters = set(_NOT_SHOWN.sub("", code.split(";")[0]).lower())
    if letters & {"#", "0", "?"} and not letters & {"y", "d", "h"}:
        return ""
    time = bool(letters & {"h", "s"})
    day = bool(letters & {"y", "d"}) or ("m" in letters and not time)
    return ("d" if day else "") + ("t" if time else "")


def unescaped(text: str) -> str:
    """``_x000D_`` and its kin as the signs that they stand for."""
    if "_x" not in text:
        return text

    def sign(found: re.Match[str]) -> str:
        code = int(found[1], 16)
        real = code >= 32 or code in (9, 10, 13)
        return chr(code) if real and not 0xD800 <= code <= 0xDFFF else found[0]

    return _ESCAPED.sub(sign, text).replace("\r\n", "\n")


def number(text: str) -> str:
    """A number in full and without what a float adds: ``4.9151E+12`` is 4915100000000, 0.1+0.2 is 0.3."""
    if text.isdigit() and len(text) <= 15:
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    if not math.isfinite(value):
        return text
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    short = f"{value:.15g}"
    return format(Decimal(short), "f") if "e" in short and abs(value) < 1e60 else short


def moment(text: str, kind: str, epoch_1904: bool) -> str:
    """A day or time in ISO 8601. Days are counted from 1900 (with a 29 February that never was) or from 1904."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not 0 <= value < _LAST_DAY + 1:
        return number(text)
    days, seconds = divmod(round(value * 86_400), 86_400)
    time = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    time = time.removesuffix(":00") if kind == "t" else time
    if kind == "t" and not days:
        return time
    first = dt.date(1904, 1, 1) if epoch_1904 else dt.date(1899, 12, 31 if days < 60 else 30)
    try:
        day = (first + dt.timedelta(days=days)).isoformat()
    except OverflowError:
        return number(text)
    return f"{day}T{time}" if seconds and "t" in kind else day
