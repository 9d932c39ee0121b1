"""Figures as people read them: words, signs, and where an interval lies on its axis."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from analytics.selectors.counting import RATE, Scope
from analytics.selectors.figures import Figure

NAMES = {
    "nps": gettext_lazy("NPS"),
    "csat": gettext_lazy("CSAT"),
    "ces": gettext_lazy("CES"),
    RATE: gettext_lazy("Response rate"),
    "mood": gettext_lazy("Sentiment"),
}
#: what a figure means, on hover
DEFINITIONS = {
    "nps": gettext_lazy(
        "Share of promoters (9 and 10) minus share of detractors (0 to 6), from −100 to 100."
    ),
    "csat": gettext_lazy(
        "Share of satisfied answers: the top two of five, and what matches it on other scales."
    ),
    "ces": gettext_lazy("Share of those who found it easy: 5 to 7 on a scale of 7."),
    RATE: gettext_lazy("Answered of delivered invitations, by the day they were sent."),
    "mood": gettext_lazy("Share of comments that sound positive."),
}
#: an axis is drawn this wide
AXIS = 200


def value_text(metric: str, value: float | None, digits: int = 0) -> str:
    """``+42`` for NPS, ``71 %`` for a share, a dash without a value."""
    if value is None:
        return "–"
    rounded = round(value, digits) or 0.0
    shown = str(formats.number_format(abs(rounded), digits, use_l10n=True))
    sign = "−" if rounded < 0 else "+" if metric == "nps" and rounded > 0 else ""
    return f"{sign}{shown}" if metric == "nps" else f"{sign}{shown}\u00a0%"


def number_text(value: float, digits: int = 0) -> str:
    return str(formats.number_format(value, digits, use_l10n=True, force_grouping=True))


def answers_text(n: int) -> str:
    return ngettext("%(n)s answer", "%(n)s answers", n) % {"n": number_text(n)}


def sample_text(metric: str, n: int) -> str:
    if metric == RATE:
        return ngettext("%(n)s invitation", "%(n)s invitations", n) % {"n": number_text(n)}
    if metric == "mood":
        return ngettext("%(n)s comment", "%(n)s comments", n) % {"n": number_text(n)}
    return answers_text(n)


def day_text(day: dt.date, *, year: bool = False) -> str:
    return str(
        formats.date_format(day, pgettext("date format", "j M Y") if year else pgettext("date format", "j M"))
    )


def period_text(first: dt.date, last: dt.date) -> str:
    """``3 Oct – 1 Nov 2026``; the first year only where it differs."""
    if first == last:
        return day_text(first, year=True)
    return f"{day_text(first, year=first.year != last.year)} – {day_text(last, year=True)}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure for a template."""

    figure: Figure
    scope: Scope

    @property
    def metric(self) -> str:
        return self.figure.metric

    @property
    def name(self) -> Any:
        return NAMES[self.metric]

    @property
    def definition(self) -> Any:
        return DEFINITIONS[self.metric]

    @property
    def label(self) -> str:
        return self.figure.label

    @property
    def n(self) -> int:
        return self.figure.measure.n

    @property
    def number(self) -> str:
        return number_text(self.n)

    @property
    def sample(self) -> str:
        return sample_text(self.metric, self.n)

    @property
    def value(self) -> str:
        return value_text(self.metric, self.figure.measure.value)

    @property
    def interval(self) -> str:
        of = self.figure.measure
        if of.value is None:
            return ""
        low, high = value_text(self.metric, of.low), value_text(self.metric, of.high)
        return _("%(low)s to %(high)s") % {"low": low.removesuffix("\u00a0%"), "high": high}

    @property
    def reliable(self) -> bool:
        return self.figure.measure.reliable

    @property
    def tone(self) -> str:
        """green, yellow or red by usual marks; grey without a value."""
        value = self.figure.measure.value
        if value is None:
            return "grey"
        if self.metric == "nps":
            return "green" if value >= 30 else "yellow" if value >= 0 else "red"
        return "blue"

    # --- against the period before -------------------------------------------------------------------
    @property
    def change(self) -> str:
        """``+3``: points of difference to the period before."""
        delta = self.figure.delta
        if delta is None:
            return ""
        rounded = round(delta) or 0
        return f"{'+' if rounded > 0 else '−' if rounded < 0 else '±'}{number_text(abs(rounded))}"

    @property
    def direction(self) -> str:
        """up and down only where it is more than chance."""
        delta = self.figure.delta
        if delta is None or not self.figure.significant:
            return "flat"
        return "up" if delta > 0 else "down"

    @property
    def change_icon(self) -> str:
        return {"up": "arrow-up-right", "down": "arrow-down-right"}.get(self.direction, "wave-sine")

    @property
    def change_tone(self) -> str:
        return {"up": "green", "down": "red"}.get(self.direction, "grey")

    @property
    def verdict(self) -> str:
        return _("more than chance") if self.direction != "flat" else _("could be chance")

    @property
    def against(self) -> str:
        """What the change is measured against."""
        before = self.scope.before()
        n = self.figure.previous.measure.n if self.figure.previous else 0
        period = period_text(before.first, before.last)
        if not n:
            return _("Nothing to compare with from %(period)s.") % {"period": period}
        was = value_text(self.metric, self.figure.previous.measure.value) if self.figure.previous else ""
        return _("against %(was)s from %(period)s (%(sample)s)") % {
            "was": was,
            "period": period,
            "sample": sample_text(self.metric, n),
        }

    # --- where it lies ---------------------------------------------------------------------------------
    def _at(self, value: float | None) -> float:
        if value is None:
            return 0
        share = (value + 100) / 200 if self.metric == "nps" else value / 100
        return round(share * AXIS, 1)

    @property
    def axis(self) -> dict[str, float]:
        """Of an axis that is AXIS wide: ``low``, ``width`` of the interval, and ``at`` of the value."""
        of = self.figure.measure
        low = self._at(of.low)
        return {
            "low": low,
            "width": max(2.0, round(self._at(of.high) - low, 1)),
            "at": max(1.5, min(AXIS - 1.5, self._at(of.value))),
            "middle": AXIS / 2 if self.metric == "nps" else 0,
        }


@dataclass(frozen=True, slots=True)
class Part:
    """One share of a whole, for a stacked bar that is AXIS wide."""

    key: str
    label: Any
    icon: str
    n: int
    share: float
    start: float
    width: float

    @property
    def percent(self) -> str:
        return value_text("share", self.share)

    @property
    def number(self) -> str:
        return number_text(self.n)


def parts(of: list[tuple[str, Any, str, int]]) -> list[Part]:
    """``(key, label, icon, n)`` as shares of their sum; [] where there is nothing."""
    total = sum(n for _key, _label, _icon, n in of)
    made: list[Part] = []
    at = 0.0
    for key, label, icon, n in of if total else []:
        width = AXIS * n / total
        made.append(Part(key, label, icon, n, 100 * n / total, round(at, 2), round(width, 2)))
        at += width
    return made


def sparkline(values: list[float | None], *, width: int = 160, height: int = 32, span: float = 40) -> str:
    """``points`` of a polyline; missing values are passed over. ``span`` is the least range of the axis."""
    known = [(i, v) for i, v in enumerate(values) if v is not None]
    if len(known) < 2:
        return ""
    low, high = min(v for _i, v in known), max(v for _i, v in known)
    spare = max(0.0, span - (high - low)) / 2
    low, high = low - spare, high + spare
    step = width / (len(values) - 1)
    return " ".join(
        f"{i * step:.1f},{height - 2 - (v - low) / (high - low) * (height - 4):.1f}" for i, v in known
    )
