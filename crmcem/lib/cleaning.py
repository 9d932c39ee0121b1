"""Pure cleaners of input values: the same for forms, the API and imports, without any database.

A cleaner takes one raw value (text from a file, JSON from the API, Python values from a form) and answers the
clean one, or raises ValueError with a sentence that says how to mend it (``Bad`` adds a code).
"""

import datetime as dt
import math
import re
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from .errors import NON_FIELD, FieldError

Cleaner = Callable[[Any], Any]

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})?")
_CUSTOM_KEY = re.compile(r"[a-z][a-z0-9_]{0,59}")
EARLIEST = dt.datetime(1900, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
MAX_TAGS = 50
MAX_TAG = 60
MAX_CUSTOM_KEYS = 200
MAX_CUSTOM_TEXT = 10_000


class Bad(ValueError):
    """A bad value with a code of its own."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        super().__init__(detail)


def clean(
    spec: Mapping[str, Cleaner], data: Mapping[str, Any], required: Iterable[str] = ()
) -> tuple[dict[str, Any], list[FieldError]]:
    """Every field of ``data`` by its cleaner in ``spec``: the clean values, and what is wrong (all of it)."""
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, raw in data.items():
        cleaner = spec.get(name)
        if cleaner is None:
            known = ", ".join(spec)
            errors.append(
                FieldError(
                    name[:80] or NON_FIELD,
                    "unknown_field",
                    _("There is no such field. Known fields: %(known)s.") % {"known": known},
                )
            )
            continue
        try:
            values[name] = cleaner(raw)
        except ValueError as error:
            errors.append(FieldError(name, getattr(error, "code", "invalid"), str(error)))
    bad = {error.field for error in errors}
    errors += [
        FieldError(name, "required", _("This field is required."))
        for name in required
        if name not in bad and values.get(name) in (None, "")
    ]
    return values, errors


def text(limit: int, *, lines: bool = False) -> Cleaner:
    """Text of at most ``limit`` characters, blank for None; blanks are collapsed unless it may have lines."""
    control = _CONTROL_IN_TEXT if lines else _CONTROL

    def cleaner(value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise Bad("type", _("Send this as text."))
            value = str(value)
        given: str = value
        if given.isprintable() and len(given) <= limit:  # nearly every value of a file
            return " ".join(given.split()) if not lines else given.strip()
        clean = given.replace("\r\n", "\n").strip() if lines else " ".join(given.split())
        if len(clean) > limit:
            raise Bad(
                "max_length",
                _("This is too long: %(limit)s characters at most, it has %(length)s.")
                % {"limit": limit, "length": len(clean)},
            )
        if control.search(clean):
            raise Bad("characters", _("This holds control characters that text can't keep. Remove them."))
        return clean

    return cleaner


def optional(cleaner: Cleaner) -> Cleaner:
    """``cleaner``, and None for nothing or blanks."""

    def wrapped(value: Any) -> Any:
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        return cleaner(value)

    return wrapped


def textual(normalise: Callable[[str], str], limit: int) -> Cleaner:
    """A normal form of one line of text; nothing becomes None."""
    line = text(4 * limit)

    def cleaner(value: Any) -> str:
        if isinstance(value, str) and not value.isprintable() and _CONTROL.search(value.strip()):
            raise Bad("characters", _("This holds line breaks or control characters. Remove them."))
        result = normalise(line(value))
        if len(result) > limit:
            raise Bad("max_length", _("This is too long: %(limit)s characters at most.") % {"limit": limit})
        return result

    return optional(cleaner)


def choice(values: Iterable[str], default: str | None = None) -> Cleaner:
    """One of ``values`` in any case; nothing becomes ``default`` where there is one."""
    known = {value.lower(): value for value in values}
    names = ", ".join(value for value in known.values() if value)

    def cleaner(value: Any) -> str:
        if value is None or value == "":
            if default is not None:
                return default
            raise Bad("required", _("Choose one of: %(names)s.") % {"names": names})
        if isinstance(value, str):
            found = known.get(value.strip().lower().replace("-", "_").replace(" ", "_"))
            if found is not None:
                return found
        raise Bad(
            "invalid_choice", _("This is not a known value. Choose one of: %(names)s.") % {"names": names}
        )

    return cleaner


def integer(low: int, high: int) -> Cleaner:
    """A whole number within bounds; nothing becomes None. Digits in text may be grouped by blanks or commas."""

    def cleaner(value: Any) -> int:
        if isinstance(value, str):
            digits = re.sub(r"(?<=[0-9])[ ,\u00a0\u202f](?=[0-9]{3}(?:[^0-9]|$))", "", value.strip())
            if not _INTEGER.fullmatch(digits):
                raise Bad("invalid", _("Send a whole number."))
            value = int(digits)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Bad("invalid", _("Send a whole number."))
        if not low <= value <= high:
            raise Bad(
                "range",
                _("This must be a whole number from %(low)s to %(high)s.") % {"low": low, "high": high},
            )
        return value

    return optional(cleaner)


def number(low: float, high: float) -> Cleaner:
    """A number within bounds; nothing becomes None."""

    def cleaner(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise Bad("invalid", _("Send a number."))
        try:
            result = float(value)
        except (ValueError, OverflowError):
            raise Bad("invalid", _("Send a number.")) from None
        if not math.isfinite(result) or not low <= result <= high:
            raise Bad(
                "range",
                _("This must be a number from %(low)s to %(high)s.")
                % {"low": f"{low:g}", "high": f"{high:g}"},
            )
        return result

    return optional(cleaner)


def moment(value: Any) -> dt.datetime | None:
    """An instant with its zone, between the years 1900 and 2200; nothing becomes None."""
    if value is None or value == "":
        return None
    wrong = _("Send a date and time with its zone, such as 2026-03-01T09:30:00Z.")
    if isinstance(value, str):
        try:
            value = parse_datetime(value.strip())
        except ValueError:
            raise Bad("invalid", _("This date does not exist. %(wrong)s") % {"wrong": wrong}) from None
    if not isinstance(value, dt.datetime):
        raise Bad("invalid", wrong)
    if value.tzinfo is None:
        raise Bad("zone", _("The zone is missing. %(wrong)s") % {"wrong": wrong})
    # A naive margin first: the bounds' comparison itself would overflow near the years 1 and 9999.
    if not 1900 <= value.year < 2200 or not EARLIEST <= value < LATEST:
        raise Bad("range", _("This must lie between the years 1900 and 2200."))
    return value


def day(value: Any) -> dt.date | None:
    """A calendar day between the years 1900 and 2200; nothing becomes None."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = dt.date.fromisoformat(value.strip())
        except ValueError:
            raise Bad("invalid", _("Send a day such as 2026-03-01.")) from None
    if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
        raise Bad("invalid", _("Send a day such as 2026-03-01."))
    if not 1900 <= value.year < 2200:
        raise Bad("range", _("This must lie between the years 1900 and 2200."))
    return value


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every time zone that can be chosen."""
    return frozenset(zoneinfo.available_timezones())


def zone(value: Any) -> str:
    """The name of a time zone, blank for nothing."""
    name = text(64)(value)
    if name and name not in zone_names():
        raise Bad("invalid", _("This is not a known time zone such as Europe/Berlin."))
    return str(name)


def language(value: Any) -> str:
    """A language code such as ``de`` or ``pt-BR``, blank for nothing."""
    code = str(text(40)(value)).replace("_", "-")
    if not code:
        return ""
    head, sep, tail = code.partition("-")
    code = head.lower() + sep + tail
    if len(code) > 12 or not _LANGUAGE.fullmatch(code):
        raise Bad("invalid", _("This is not a language code such as en or pt-BR."))
    return code


def tags(value: Any) -> list[str]:
    """Tags in lower case, each once, in the order given. Text is split at commas and semicolons."""
    if value is None:
        return []
    if isinstance(value, str):
        value = re.split(r"[,;|]", value)
    if not isinstance(value, list | tuple):
        raise Bad("type", _("Send a list of texts."))
    line = text(1000)
    found: dict[str, None] = {}
    for item in value:
        if not isinstance(item, str):
            raise Bad("type", _("Send a list of texts."))
        tag = line(item).lower()
        if len(tag) > MAX_TAG:
            raise Bad("max_length", _("A tag has %(most)s characters at most.") % {"most": MAX_TAG})
        if tag:
            found[tag] = None
    if len(found) > MAX_TAGS:
        raise Bad("max_items", _("There can be %(most)s tags at most.") % {"most": MAX_TAGS})
    return list(found)


def custom(value: Any) -> dict[str, Any]:
    """Custom fields: keys in lower case; text, numbers, true or false, lists of texts, or null to remove one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Bad("type", _("Send an object of keys and values."))
    if len(value) > MAX_CUSTOM_KEYS:
        raise Bad("max_items", _("There can be %(most)s custom fields at most.") % {"most": MAX_CUSTOM_KEYS})
    return {_custom_key(key): _custom_value(key, item) for key, item in value.items()}


def _custom_key(key: Any) -> str:
    if not isinstance(key, str) or not _CUSTOM_KEY.fullmatch(key):
        raise Bad(
            "key", _("Keys have lower-case letters, digits and _ and begin with a letter (60 at most).")
        )
    return key


def _custom_value(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(MAX_CUSTOM_TEXT, lines=True)(value)
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, list) and len(value) <= 100 and all(isinstance(item, str) for item in value):
        return [text(1000)(item) for item in value]
    raise Bad(
        "type", _("%(key)s must be text, a number, true or false, a list of texts, or null.") % {"key": key}
    )
