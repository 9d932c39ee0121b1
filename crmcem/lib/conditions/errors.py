"""What can be wrong with a condition, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from crmcem.lib.errors import DomainError, FieldError

MAX_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. ``path`` is dotted from the root (``all.0.value``; empty for the root itself)."""

    path: str
    code: str
    detail: str


class ConditionError(DomainError):
    """A condition that can't be used: bad input (400). ``problems`` holds every fault that was found.

    As a DomainError its fields are ``conditions.all.0.value``; ``under`` gives them another first name.
    """

    def __init__(self, problems: list[Problem], prefix: str = "conditions") -> None:
        self.problems = problems
        super().__init__(*(FieldError(_join(prefix, p.path), p.code, p.detail) for p in problems))

    def under(self, prefix: str) -> ConditionError:
        """The same faults of an input field of another name."""
        return ConditionError(self.problems, prefix)


def _join(prefix: str, path: str) -> str:
    return ".".join(part for part in (prefix, path) if part)


class Fault(ValueError):
    """One fault of one value, raised inside the parser and collected with its path."""

    def __init__(self, code: str, detail: str, at: str = "") -> None:
        self.code = code
        self.detail = detail
        self.at = at
        super().__init__(detail)


def shown(value: Any, limit: int = 60) -> str:
    """A short, safe picture of what was sent, for an error text."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > 200:  # Python refuses str() of a huge integer
        return "a very large number"
    text = (
        value
        if isinstance(value, str)
        else str(value)
        if isinstance(value, int | float)
        else type(value).__name__
    )
    text = "".join(c if c.isprintable() else "\ufffd" for c in text[: limit + 1])
    return text if len(text) <= limit else text[:limit] + "…"


def not_for_all(label: Any) -> str:
    """Why somebody who sees only some of the records can't ask by them in a segment or an automation."""
    return _(
        "You see only some of “%(name)s”, so your answer would not be everybody’s. Ask for it in a list, or "
        "have somebody make this who sees all of them."
    ) % {"name": label}
