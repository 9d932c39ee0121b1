"""The types of questions: which options they take, which answers they accept.

Nothing here knows the database: a question is anything with ``key, type, text, required, options``.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from django.utils.translation import gettext as _

from crmcem.lib.errors import DomainError, FieldError

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
RESERVED_KEYS = frozenset({"csrfmiddlewaretoken"})
#: these fill a column of the answer sheet, so a survey has each at most once
SINGLETONS = ("nps", "csat", "ces")
CSAT_SCALES = (3, 4, 5, 6, 7, 10)
MAX_QUESTIONS = 50
MAX_CHOICES = 50
MAX_CHOICE = 200
MAX_LABEL = 80
MAX_TEXT = 5000
#: options that each type knows
OPTIONS: Mapping[str, frozenset[str]] = {
    "nps": frozenset({"low", "high"}),
    "csat": frozenset({"scale", "low", "high"}),
    "ces": frozenset({"low", "high"}),
    "text": frozenset({"short"}),
    "single": frozenset({"choices"}),
    "multi": frozenset({"choices"}),
}


class Askable(Protocol):
    key: str
    type: str
    text: str
    required: bool
    options: Mapping[str, Any]


def bounds(question: Askable) -> tuple[int, int]:
    """The lowest and the highest answer of a scale."""
    if question.type == "nps":
        return 0, 10
    if question.type == "ces":
        return 1, 7
    return 1, int(question.options.get("scale", 5))


def choices(question: Askable) -> list[str]:
    found: list[str] = question.options.get("choices", [])
    return found


# --- what a question may be ----------------------------------------------------------------------
def clean_options(kind: str, options: Any, where: str) -> dict[str, Any]:
    """The options of a question of type ``kind``. Raises DomainError at ``where``."""
    if not isinstance(options, Mapping):
        raise DomainError.of(where, "invalid", _("Options must be an object."))
    unknown = sorted(set(options) - OPTIONS[kind])
    if unknown:
        known = ", ".join(sorted(OPTIONS[kind]))
        detail = _("A question of this type has no option %(name)s. It has: %(known)s.")
        raise DomainError.of(where, "unknown_option", detail % {"name": str(unknown[0])[:40], "known": known})
    clean: dict[str, Any] = {}
    for name in ("low", "high"):
        if name in options:
            label = options[name]
            if not isinstance(label, str) or len(label) > MAX_LABEL or "\x00" in label:
                raise DomainError.of(where, "invalid", _("A label must be a text of at most 80 characters."))
            if label.strip():
                clean[name] = label.strip()
    if kind == "csat":
        scale = options.get("scale", 5)
        if isinstance(scale, bool) or scale not in CSAT_SCALES:
            raise DomainError.of(where, "invalid", _("The scale must be 3, 4, 5, 6, 7 or 10."))
        clean["scale"] = scale
    if kind == "text" and "short" in options:
        if not isinstance(options["short"], bool):
            raise DomainError.of(where, "invalid", _("The option short must be true or false."))
        clean["short"] = options["short"]
    if kind in {"single", "multi"}:
        clean["choices"] = _clean_choices(options.get("choices"), where)
    return clean


def _clean_choices(found: Any, where: str) -> list[str]:
    if not isinstance(found, list) or not 2 <= len(found) <= MAX_CHOICES:
        raise DomainError.of(where, "invalid", _("Give two to fifty choices."))
    clean: list[str] = []
    for choice in found:
        text = " ".join(choice.split()) if isinstance(choice, str) else ""
        if not text or len(text) > MAX_CHOICE or "\x00" in text:
            raise DomainError.of(where, "invalid", _("Each choice must be a text of 1 to 200 characters."))
        if text in clean:
            raise DomainError.of(where, "invalid", _("Each choice can be given only once."))
        clean.append(text)
    return clean


# --- what an answer may be -----------------------------------------------------------------------
def _score(question: Askable, value: Any) -> int:
    low, high = bounds(question)
    detail = _("Choose a whole number from %(low)s to %(high)s.") % {"low": low, "high": high}
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,2}\s*", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise DomainError.of(question.key, "out_of_range", detail)
    return value


def _text(question: Askable, value: Any) -> str:
    if not isinstance(value, str):
        raise DomainError.of(question.key, "invalid", _("Answer with a text."))
    if "\x00" in value:
        raise DomainError.of(question.key, "invalid", _("Remove the NUL character from this text."))
    text: str = value.replace("\r\n", "\n").strip()
    if len(text) > MAX_TEXT:
        detail = _("This text is too long: %(max)s characters at most.") % {"max": MAX_TEXT}
        raise DomainError.of(question.key, "too_long", detail)
    return text


def _choice(question: Askable, value: Any) -> str:
    if not isinstance(value, str) or value not in choices(question):
        raise DomainError.of(question.key, "unknown_choice", _("Choose one of the given answers."))
    return value


def _several(question: Askable, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise DomainError.of(question.key, "invalid", _("Answer with a list of choices."))
    picked = {_choice(question, item) for item in value}
    return [item for item in choices(question) if item in picked]


_READERS = {
    "nps": _score,
    "csat": _score,
    "ces": _score,
    "text": _text,
    "single": _choice,
    "multi": _several,
}


def clean_answers(
    questions: Iterable[Askable], raw: Mapping[str, Any], *, partial: bool = False
) -> dict[str, Any]:
    """``{key: value}`` as it is stored: scores as numbers, choices as listed; empty answers are left out.

    ``partial`` keeps what is right and drops the rest without complaint. Otherwise raises DomainError with one
    error per wrong question, its key as the field.
    """
    clean: dict[str, Any] = {}
    errors: list[FieldError] = []
    keys: set[str] = set()
    for question in questions:
        keys.add(question.key)
        value = raw.get(question.key)
        if value is None or value == [] or (isinstance(value, str) and not value.strip()):
            if question.required:
                errors.append(FieldError(question.key, "required", _("Please answer this question.")))
            continue
        try:
            clean[question.key] = _READERS[question.type](question, value)
        except DomainError as error:
            errors += error.errors
    unknown = [str(key)[:80] for key in raw if key not in keys]
    errors += [FieldError(key, "unknown_question", _("The survey has no such question.")) for key in unknown]
    if errors and not partial:
        raise DomainError(*errors)
    return clean
