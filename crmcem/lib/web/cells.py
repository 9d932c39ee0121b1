"""Pieces of HTML for the cells of a list, in plain Python: a template or tag per cell would cost ten times more.

Every function escapes what it is given and answers a SafeString.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from django.urls import reverse
from django.utils import dateformat, formats, timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import get_language, pgettext

#: what stands where there is no value
NONE = mark_safe('<span class="none" aria-hidden="true">–</span>')

TONES = frozenset({"green", "yellow", "red", "blue", "grey", "purple", "orange"})


def url_maker(url_name: str) -> Callable[[int], str]:
    """``url_maker("contacts:contact")(pk)``: the URL is resolved once, not once a row."""
    pattern: list[str] = []

    def url(pk: int) -> str:
        if not pattern:
            pattern.append(reverse(url_name, args=[10**12 + 7]))
        return pattern[0].replace("1000000000007", str(pk))

    return url


def text(value: Any) -> SafeString:
    """The value, or a dash where there is none."""
    return escape(value) if value not in (None, "") else NONE


def link(url: str, label: Any, css: str = "") -> SafeString:
    """A link; an empty label becomes a dash that can still be clicked."""
    shown = escape(label) if label not in (None, "") else "–"
    return mark_safe(f'<a href="{escape(url)}"{_css(css)}>{shown}</a>')  # noqa: S308


def main_link(url: str, label: Any) -> SafeString:
    """The row's own link: what Enter and a click on the row open."""
    return link(url, label, "row-link")


def badge(label: Any, tone: str = "grey", icon: str = "") -> SafeString:
    """A small coloured label; the word and the icon say the same as the colour."""
    tone = tone if tone in TONES else "grey"
    glyph = f'<i class="ti ti-{escape(icon)}" aria-hidden="true"></i>' if icon else ""
    return mark_safe(f'<span class="tag tag-{tone}">{glyph}{escape(label)}</span>')  # noqa: S308


def tags(values: list[str], shown: int = 3, colours: Mapping[str, str] = MappingProxyType({})) -> SafeString:
    """The first few tags, in their colours, and how many more there are."""
    if not values:
        return NONE
    parts = [f'<span class="tag tag-{colours.get(v, "grey")}">{escape(v)}</span>' for v in values[:shown]]
    if len(values) > shown:
        rest = escape(", ".join(values[shown:]))
        parts.append(f'<span class="tag tag-grey" title="{rest}">+{len(values) - shown}</span>')
    return mark_safe("".join(parts))  # noqa: S308


def initials(name: Any) -> str:
    """At most two letters that stand for a name."""
    return "".join(word[0] for word in str(name).split()[:2]).upper()


def person(name: Any) -> SafeString:
    """A round mark with initials and the name."""
    if name in (None, ""):
        return NONE
    shown = escape(name)
    mark = escape(initials(name))
    return mark_safe(  # noqa: S308
        f'<span class="who"><span class="initials" aria-hidden="true">{mark}</span>{shown}</span>'
    )


def moment(value: dt.datetime | None) -> SafeString:
    """A point in time, relative ("3 days ago") with the exact one in the person's zone on hover."""
    if value is None:
        return NONE
    local = timezone.localtime(value)
    exact = f"{dateformat.format(local, _words(get_language() or '').exact)} {local.tzname() or ''}".strip()
    shown = relative(value)
    stamp = value.isoformat(timespec="seconds")
    return mark_safe(  # noqa: S308
        f'<time datetime="{stamp}" title="{escape(exact)}" data-relative>{escape(shown)}</time>'
    )


def day(value: dt.date | None) -> SafeString:
    """A date in the person's format."""
    if value is None:
        return NONE
    shown = formats.date_format(value, "DATE_FORMAT" if value.year != _year() else "MONTH_DAY_FORMAT")
    exact = formats.date_format(value, "DATE_FORMAT")
    return mark_safe(  # noqa: S308
        f'<time datetime="{value.isoformat()}" title="{escape(exact)}">{escape(shown)}</time>'
    )


def _year() -> int:
    return timezone.localdate().year


_UNITS = (
    (3600, 60, "min"),
    (86_400, 3600, "h"),
    (86_400 * 30, 86_400, "d"),
    (86_400 * 365, 86_400 * 30, "mo"),
)


def relative(value: dt.datetime, now: dt.datetime | None = None) -> str:
    """``now``, ``5 min ago``, ``in 3 d``: short, in the person's language. The browser keeps it current."""
    words = _words(get_language() or "")
    seconds = ((now or timezone.now()) - value).total_seconds()
    size = abs(seconds)
    if size < 45:
        return words.now
    for limit, length, key in _UNITS:
        if size < limit:
            unit, name = length, key
            break
    else:
        unit, name = 86_400 * 365, "y"
    amount = f"{max(1, round(size / unit))} {words.units[name]}"
    return (words.past if seconds >= 0 else words.future) % amount


@dataclass(frozen=True, slots=True)
class _Words:
    """What a language says about points in time. A page has a hundred of them: each word is looked up once."""

    now: str
    past: str
    future: str
    units: dict[str, str]
    exact: str


@lru_cache(maxsize=64)
def _words(language: str) -> _Words:
    """The words of the active language, which is ``language``."""
    return _Words(
        pgettext("relative time", "now"),
        pgettext("relative time", "%s ago"),
        pgettext("relative time", "in %s"),
        {
            "min": pgettext("short unit", "min"),
            "h": pgettext("short unit", "h"),
            "d": pgettext("short unit", "d"),
            "mo": pgettext("short unit", "mo"),
            "y": pgettext("short unit", "y"),
        },
        formats.get_format("DATETIME_FORMAT"),
    )


def grouped(value: float, digits: int = 0) -> str:
    """ "1,234" in the person's format, as plain text for a sentence."""
    return str(formats.number_format(value, digits, use_l10n=True, force_grouping=True))


def number(value: Any, digits: int = 0) -> SafeString:
    """A number in the person's format, for a right-aligned column (``css="num"``)."""
    if value is None:
        return NONE
    return mark_safe(escape(grouped(value, digits)))  # noqa: S308


def signed(value: float) -> str:
    """A whole number with its sign, as a score is written: ``+42``, ``0``, ``−7``."""
    rounded = round(value)
    sign = "+" if rounded > 0 else "−" if rounded < 0 else ""
    return sign + formats.number_format(abs(rounded), 0, use_l10n=True, force_grouping=True)


def money(amount: Decimal | None, currency: str = "") -> SafeString:
    """An amount with its currency; cents only where there are any."""
    if amount is None:
        return NONE
    digits = 0 if amount == amount.to_integral_value() else 2
    shown = formats.number_format(amount, digits, use_l10n=True, force_grouping=True)
    return mark_safe(f'<span class="money">{escape(shown)} <small>{escape(currency)}</small></span>')  # noqa: S308


def choice(labels: dict[Any, Any], value: Any) -> SafeString:
    """The label of a choice."""
    return text(labels.get(value, value))


def yes_no(value: bool | None) -> SafeString:
    if value is None:
        return NONE
    return badge(pgettext("answer", "yes"), "green", "check") if value else text(pgettext("answer", "no"))


def _css(css: str) -> str:
    return f' class="{css}"' if css else ""


def title(value: Any) -> str:
    """A label in sentence case."""
    return str(capfirst(str(value)))


__all__ = [
    "NONE",
    "badge",
    "choice",
    "day",
    "initials",
    "link",
    "main_link",
    "moment",
    "money",
    "number",
    "person",
    "relative",
    "signed",
    "tags",
    "text",
    "title",
    "url_maker",
    "yes_no",
]
