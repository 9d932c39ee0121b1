"""The charts: what is drawn, what the table beside it says, and the same rows as a CSV file."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from analytics.selectors.figures import Figure, grouped, totals

from .shown import NAMES, answers_text, day_text, value_text
from .state import State

_FORMULA = "=+-@\t\r\n"


@dataclass(frozen=True, slots=True)
class Chart:
    """``spec`` is what static/js/charts.js draws; ``head`` and ``rows`` the table, numbers as numbers."""

    key: str
    title: str
    note: str
    spec: dict[str, Any]
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    n: int = 0
    words: dict[str, Any] = field(default_factory=dict)

    @property
    def shown_rows(self) -> list[list[str]]:
        return [[_cell(value) for value in row] for row in self.rows]

    def csv(self) -> str:
        """The table as CSV; a text that a spreadsheet would take for a formula gets an apostrophe."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(self.head)
        for row in self.rows:
            writer.writerow([_guarded(value) for value in row])
        return "\ufeff" + out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, float):
        return str(formats.number_format(value, 1, use_l10n=True))
    if isinstance(value, int):
        return str(formats.number_format(value, 0, use_l10n=True, force_grouping=True))
    return str(value)


def _guarded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, str) and value.lstrip("' ")[:1] in tuple(_FORMULA):
        return "'" + value
    return "" if value is None else value


def trend(state: State) -> Chart:
    """The course of the metric with its interval, by day, week or month."""
    rows = grouped(state.scope, state.metric, state.by)
    name = str(NAMES[state.metric])
    n = sum(row.measure.n for row in rows)
    spec = {
        "type": "trend",
        "unit": "points" if state.metric == "nps" else "percent",
        "labels": [_label(row, state.by) for row in rows],
        "values": [_rounded(row.measure.value) for row in rows],
        "low": [_rounded(row.measure.low) for row in rows],
        "high": [_rounded(row.measure.high) for row in rows],
        "n": [row.measure.n for row in rows],
        "words": {
            "value": name,
            "interval": _("95 %% interval") % {},
            "n": _("Answers"),
            "few": _("few answers"),
        },
    }
    titles = {
        "day": _("%(metric)s by day"),
        "week": _("%(metric)s by week"),
        "month": _("%(metric)s by month"),
    }
    return Chart(
        "trend",
        titles[state.by] % {"metric": name},
        f"{answers_text(n)} · {state.period_text}",
        spec,
        [_("From"), _("Answers"), name, *_bounds(), _("Reliable")],
        [
            [
                row.group.isoformat(),
                row.measure.n,
                row.measure.value,
                row.measure.low,
                row.measure.high,
                row.measure.reliable,
            ]
            for row in rows
        ],
        n,
    )


def distribution(state: State) -> Chart:
    """How many gave which answer."""
    of = totals(state.scope, [state.metric])[state.metric].counts
    used = [score for score, n in enumerate(of.scores) if n]
    first, last = {"nps": (0, 10), "ces": (1, 7)}.get(state.metric, (1, max([5, *used])))
    counts = list(of.scores[first : last + 1])
    tones = [_tone(state.metric, score) for score in range(first, last + 1)]
    spec = {
        "type": "bars",
        "labels": [str(score) for score in range(first, last + 1)],
        "values": counts,
        "shares": [round(100 * count / of.n, 1) if of.n else 0 for count in counts],
        "tones": tones,
        "words": {"n": _("Answers"), "share": _("Share"), "answer": _("Answer")},
    }
    return Chart(
        "distribution",
        _("How they answered: %(metric)s") % {"metric": NAMES[state.metric]},
        f"{answers_text(of.n)} · {state.period_text}",
        spec,
        [_("Answer"), _("Answers"), _("Share in percent")],
        [
            [score, of.scores[score], 100 * of.scores[score] / of.n if of.n else None]
            for score in range(first, last + 1)
        ],
        of.n,
    )


def by_group(group: str) -> Callable[[State], Chart]:
    def chart(state: State) -> Chart:
        rows = grouped(state.scope, state.metric, group, compare=True)
        name = str(NAMES[state.metric])
        title = _("%(metric)s by touchpoint") if group == "touchpoint" else _("%(metric)s by owner")
        n = sum(row.measure.n for row in rows)
        head = [
            _("Touchpoint") if group == "touchpoint" else _("Owner"),
            _("Answers"),
            name,
            *_bounds(),
        ]
        head += [_("Reliable"), _("Before"), pgettext("difference", "Change"), _("More than chance")]
        return Chart(
            group,
            title % {"metric": name},
            f"{answers_text(n)} · {state.period_text}",
            {},
            head,
            [_group_row(row) for row in rows],
            n,
            {"figures": rows},
        )

    return chart


def _group_row(row: Figure) -> list[Any]:
    before = row.previous.measure.value if row.previous else None
    return [row.label, *_interval_row(row), before, row.delta, row.significant]


def _interval_row(row: Figure) -> list[Any]:
    of = row.measure
    return [of.n, of.value, of.low, of.high, of.reliable]


CHARTS: dict[str, Callable[[State], Chart]] = {
    "trend": trend,
    "distribution": distribution,
    "touchpoint": by_group("touchpoint"),
    "owner": by_group("owner"),
}


def gauge(figure: Figure) -> dict[str, Any]:
    """The half circle of NPS: the interval as an arc, the value as a needle."""
    of = figure.measure
    return {
        "type": "gauge",
        "value": _rounded(of.value),
        "low": _rounded(of.low),
        "high": _rounded(of.high),
        "label": value_text("nps", of.value),
    }


def _bounds() -> tuple[str, str]:
    return pgettext("end of an interval", "Low"), pgettext("end of an interval", "High")


def _label(row: Figure, by: str) -> str:
    if by == "month":
        return str(formats.date_format(row.group, "M Y"))
    return day_text(row.group)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _tone(metric: str, score: int) -> str:
    if metric == "nps":
        return "good" if score >= 9 else "middle" if score >= 7 else "bad"
    if metric == "ces":
        return "good" if score >= 5 else "bad"
    return "plain"
