"""What a survey looks like to the one who answers it; shared by the public page and the test run."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import QueryDict
from django.template.loader import render_to_string

from feedback.models import Question, Survey
from feedback.questions import bounds, choices


def raw_answers(questions: Iterable[Question], data: QueryDict) -> dict[str, Any]:
    """The posted answers by question key; other fields of the post are not ours."""
    raw: dict[str, Any] = {}
    for question in questions:
        if question.key in data:
            several = question.type == Question.Type.MULTI
            raw[question.key] = data.getlist(question.key) if several else data[question.key]
    return raw


def prefilled(questions: Iterable[Question], score: str) -> dict[str, Any]:
    """``?score=9`` as the answer of the first scale, where it is one; nothing for anything else."""
    for question in questions:
        if question.type in {"nps", "csat", "ces"}:
            low, high = bounds(question)
            known = score.isascii() and score.isdigit() and len(score) <= 2 and low <= int(score) <= high
            return {question.key: int(score)} if known else {}
    return {}


def _field(question: Question, value: Any, error: str) -> dict[str, Any]:
    field: dict[str, Any] = {
        "question": question,
        "error": error,
        "value": value if isinstance(value, str) else "",
    }
    if question.type in {"nps", "csat", "ces"}:
        low, high = bounds(question)
        words = {low: question.options.get("low", ""), high: question.options.get("high", "")}
        field["scale"] = [
            {"value": n, "checked": str(value).strip() == str(n), "label": words.get(n, "")}
            for n in range(low, high + 1)
        ]
    elif question.type in {"single", "multi"}:
        picked = value if isinstance(value, list) else [value]
        field["choices"] = [{"value": text, "checked": text in picked} for text in choices(question)]
    return field


def render_form(
    survey: Survey,
    questions: Iterable[Question],
    *,
    values: Mapping[str, Any],
    errors: Mapping[str, str],
    context: Mapping[str, Any],
) -> str:
    """The page with the form, ``values`` filled in and ``errors`` (by question key) beside their questions."""
    fields = [_field(q, values.get(q.key), errors.get(q.key, "")) for q in questions]
    known = {q.key for q in questions}
    other = [text for key, text in errors.items() if key not in known]
    page = {"survey": survey, "fields": fields, "errors": bool(errors), "form_error": " ".join(other)}
    return render_to_string("feedback/public/form.html", {**page, **context})
