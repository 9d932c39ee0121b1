"""The answers to a survey's questions as tables with bars."""

from collections.abc import Iterable
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from crmcem.lib import measures
from crmcem.lib.measures import Measure
from crmcem.lib.web import cells
from feedback.models import Question, Response, Survey
from feedback.policies import DETRACTOR, PROMOTER
from feedback.questions import bounds, choices
from feedback.selectors.survey_figures import NEWEST, countable_keys, distribution

#: group → its label, tone and icon, the same everywhere
GROUPS = {
    "promoter": ("green", "mood-smile"),
    "passive": ("yellow", "mood-neutral"),
    "detractor": ("red", "mood-sad"),
}
MOODS = {
    "positive": ("green", "mood-smile"),
    "neutral": ("grey", "mood-neutral"),
    "negative": ("red", "mood-sad"),
}


def group_of(nps: int) -> str:
    return "promoter" if nps >= PROMOTER else "detractor" if nps <= DETRACTOR else "passive"


def group_label(group: str) -> str:
    return {"promoter": _("Promoter"), "passive": _("Passive"), "detractor": _("Detractor")}.get(group, "")


def mood_label(label: str) -> str:
    return {"positive": _("Positive"), "neutral": _("Neutral"), "negative": _("Negative")}.get(label, "")


def score_words(nps: Measure) -> SafeString:
    """ "+42 ± 8", marked where too few people stand behind it; the definition and n on hover."""
    if nps.value is None or nps.low is None or nps.high is None or nps.se is None:
        return cells.NONE
    half = measures.Z95 * nps.se
    title = _(
        "NPS of %(n)s answers: promoters minus detractors in percent; 95 %% interval %(low)+.0f to %(high)+.0f"
    )
    words = title % {"n": cells.grouped(nps.n), "low": nps.low, "high": nps.high}
    shown = f"{cells.signed(nps.value)} <small>±&#8201;{half:.0f}</small>"
    mark = ""
    if not nps.reliable:
        words += " · " + _("fewer than 30 answers: unreliable")
        unsure = escape(_("unreliable"))
        mark = f' <i class="ti ti-alert-triangle unsure" role="img" aria-label="{unsure}"></i>'
    return mark_safe(f'<span class="score" title="{escape(words)}">{shown}{mark}</span>')  # noqa: S308


def answer_badges(response: Response) -> SafeString:
    """The figures of one answer: group with icon and word, CSAT and CES with their scales."""
    parts = []
    if response.nps is not None:
        group = group_of(response.nps)
        tone, icon = GROUPS[group]
        parts.append(cells.badge(f"{response.nps} {group_label(group)}", tone, icon))
    if response.csat is not None:
        parts.append(cells.badge(f"CSAT {response.csat}/{response.csat_scale or 5}", "blue", "star"))
    if response.ces is not None:
        parts.append(cells.badge(f"CES {response.ces}/7", "blue", "gauge"))
    return mark_safe("".join(parts)) if parts else cells.NONE  # noqa: S308


def mood_badge(response: Response) -> SafeString:
    """How a comment sounds; nothing where nobody could say."""
    if response.sentiment_label not in MOODS:
        return cells.NONE
    tone, icon = MOODS[response.sentiment_label]
    return cells.badge(mood_label(response.sentiment_label), tone, icon)


def _labels(question: Question) -> list[tuple[str, str, str]]:
    """Value, what is shown, tone of each possible answer, in order."""
    if question.type in {"single", "multi"}:
        return [(text, text, "blue") for text in choices(question)]
    low, high = bounds(question)
    rows = []
    for n in range(low, high + 1):
        word = question.options.get("low" if n == low else "high" if n == high else "", "")
        tone = GROUPS[group_of(n)][0] if question.type == "nps" else "blue"
        rows.append((str(n), f"{n} · {word}" if word else str(n), tone))
    return rows


def _summary(question: Question, counts: dict[str, int]) -> Any:
    """The figure of a scale, by the house's one formula."""
    if question.type in {"single", "multi", "text"}:
        return ""
    low, high = bounds(question)
    numbers = {
        int(value): n
        for value, n in counts.items()
        if value.lstrip("-").isdigit() and low <= int(value) <= high
    }
    if question.type == "nps":
        groups = {name: sum(n for v, n in numbers.items() if group_of(v) == name) for name in GROUPS}
        return score_words(measures.nps(groups["promoter"], groups["passive"], groups["detractor"]))
    if question.type == "ces":
        effort = measures.ces(numbers)
        if effort.mean is None:
            return ""
        return _("mean %(mean)s of 7, %(share).0f %% found it easy") % {
            "mean": cells.grouped(effort.mean, 1),
            "share": effort.easy.value,
        }
    satisfied = measures.csat(numbers, high)
    return "" if satisfied.value is None else _("%(share).0f %% satisfied") % {"share": satisfied.value}


def results_of(survey: Survey, questions: Iterable[Question], user: Any) -> dict[str, Any]:
    """``{answers, capped, questions: [{question, n, summary, rows}]}`` of the newest answers ``user`` may see."""
    asked = list(questions)
    found = distribution(survey.pk, countable_keys(asked), user)
    shown = []
    for question in asked:
        if question.type == "text":
            continue
        counts = dict(found.values.get(question.key, {}))
        labels = _labels(question)
        known = {value for value, _shown, _tone in labels}
        gone = _("%(value)s (no longer offered)")
        labels += [(value, gone % {"value": value}, "grey") for value in counts if value not in known]
        top = max(counts.values(), default=0)
        n = found.given.get(question.key, 0)
        rows = [
            {
                "label": label,
                "tone": tone,
                "count": counts.get(value, 0),
                "share": f"{100 * counts.get(value, 0) / n:.0f} %" if n else "",
                "width": f"{100 * counts.get(value, 0) / top:.1f}%" if top else "0",
            }
            for value, label, tone in labels
        ]
        shown.append({"question": question, "n": n, "summary": _summary(question, counts), "rows": rows})
    return {"answers": found.answers, "capped": found.answers >= NEWEST, "questions": shown}
