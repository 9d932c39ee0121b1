"""The questions of a survey while somebody edits them: rows of a form, kept as typed until they are right."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.text import slugify

from crmcem.lib.errors import DomainError
from feedback.models import Question
from feedback.questions import CSAT_SCALES, KEY, MAX_QUESTIONS, SINGLETONS

_SCALES = ("nps", "csat", "ces")
_CHOICES = ("single", "multi")
_LIMIT = 20_000


@dataclass(slots=True)
class Row:
    """One question as the form shows it. ``key`` is empty until a new question is saved."""

    uid: str
    key: str = ""
    type: str = "text"
    text: str = ""
    required: bool = False
    low: str = ""
    high: str = ""
    scale: str = "5"
    short: bool = False
    choices: str = ""
    answered: bool = False
    errors: dict[str, list[str]] = field(default_factory=dict)

    @property
    def type_label(self) -> str:
        return dict(Question.Type.choices).get(self.type, self.type)  # type: ignore[return-value]

    def options(self) -> dict[str, Any]:
        """The options that a question of this type has; the form keeps those of the other types."""
        found: dict[str, Any] = {}
        if self.type in _SCALES:
            found = {"low": self.low, "high": self.high}
        if self.type == "csat":
            found["scale"] = int(self.scale) if self.scale.isascii() and self.scale.isdigit() else 0
        if self.type == "text":
            found["short"] = self.short
        if self.type in _CHOICES:
            found["choices"] = [line.strip() for line in self.choices.splitlines() if line.strip()]
        return found


def rows_of(questions: Iterable[Question], answered: Iterable[str]) -> list[Row]:
    """The saved questions as rows; those of ``answered`` keys are locked."""
    locked = set(answered)
    return [
        Row(
            uid=str(number),
            key=question.key,
            type=question.type,
            text=question.text,
            required=question.required,
            low=question.options.get("low", ""),
            high=question.options.get("high", ""),
            scale=str(question.options.get("scale", 5)),
            short=bool(question.options.get("short")),
            choices="\n".join(question.options.get("choices", ())),
            answered=question.key in locked,
        )
        for number, question in enumerate(questions)
    ]


def rows_from(data: QueryDict, answered: Iterable[str] = ()) -> list[Row]:
    """The rows of a posted form, in its order. Whatever is posted makes rows; the service says what is wrong."""
    locked = set(answered)
    rows: list[Row] = []
    for uid in dict.fromkeys(data.getlist("q")):
        if not (uid.isascii() and uid.isalnum() and len(uid) <= 12) or len(rows) > MAX_QUESTIONS:
            continue

        def value(name: str, default: str = "", uid: str = uid) -> str:
            return data.get(f"q{uid}-{name}", default).replace("\x00", "")[:_LIMIT]

        key = value("key")
        rows.append(
            Row(
                uid=uid,
                key=key if KEY.fullmatch(key) else "",
                type=value("type", "text"),
                text=value("text"),
                required=value("required") == "1",
                low=value("low"),
                high=value("high"),
                scale=value("scale", "5"),
                short=value("short") == "1",
                choices=value("choices"),
                answered=key in locked,
            )
        )
    return rows


def press(rows: list[Row], button: str) -> str:
    """Do what a button of the form asks for (``up:uid``, ``down:uid``, ``remove:uid``, ``add:type``).

    Answers the uid of the row to look at next; works on the rows, saves nothing.
    """
    action, _sep, argument = button.partition(":")
    if action == "add":
        kind = argument if argument in Question.Type.values else "text"
        taken = {row.type for row in rows}
        used = {row.uid for row in rows}
        uid = next(str(n) for n in range(len(used), 2 * len(used) + 2) if str(n) not in used)
        if kind not in SINGLETONS or kind not in taken:
            rows.append(Row(uid=uid, type=kind))
        return uid
    at = next((i for i, row in enumerate(rows) if row.uid == argument), None)
    if at is None:
        return ""
    if action == "remove" and not rows[at].answered:
        rows.pop(at)
        return rows[min(at, len(rows) - 1)].uid if rows else ""
    to = at + {"up": -1, "down": 1}.get(action, 0)
    if 0 <= to < len(rows):
        rows.insert(to, rows.pop(at))
    return argument


def questions_of(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The rows as a service wants them; a new question gets a key that tells what it asks."""
    found: list[dict[str, Any]] = []
    rows = list(rows)
    taken = {row.key for row in rows if row.key}
    for row in rows:
        key = row.key or _free_key(row, taken)
        taken.add(key)
        found.append(
            {
                "key": key,
                "type": row.type,
                "text": row.text,
                "required": row.required,
                "options": row.options(),
            }
        )
    return found


def _free_key(row: Row, taken: set[str]) -> str:
    base = row.type if row.type in SINGLETONS else slugify(row.text)[:32].strip("-_") or row.type
    if not KEY.fullmatch(base):
        base = "question"
    number = 1
    key = base
    while key in taken or key == "csrfmiddlewaretoken":
        number += 1
        key = f"{base}-{number}"
    return key


def show_errors(rows: list[Row], error: DomainError) -> list[str]:
    """Put ``questions.N.field`` beside the question; answers the errors of the list as a whole."""
    general: list[str] = []
    for each in error.errors:
        head, _sep, rest = each.field.partition(".")
        if head != "questions":
            continue
        position, _sep, name = rest.partition(".")
        if position.isdigit() and int(position) < len(rows):
            rows[int(position)].errors.setdefault(name or "text", []).append(each.detail)
        else:
            general.append(each.detail)
    return general


def unsaved(rows: Iterable[Row]) -> list[Question]:
    """The rows as questions for a preview: what is not right yet is shown as far as it goes."""
    shown: list[Question] = []
    for values in questions_of(rows):
        options: Mapping[str, Any] = values["options"]
        if values["type"] not in Question.Type.values:
            continue
        if values["type"] == "csat" and options["scale"] not in CSAT_SCALES:
            options = {**options, "scale": 5}
        shown.append(Question(**{**values, "options": options}))
    return shown
