"""What every sentiment engine is: texts in, scores out. Nothing else in the house knows which one is at work."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Label = Literal["negative", "neutral", "positive", ""]


@dataclass(frozen=True, slots=True)
class Score:
    """``score`` runs from -1 to 1; None, with an empty label, where the engine can't read the text."""

    score: float | None
    label: Label


UNREAD = Score(None, "")


class Engine(Protocol):
    """Scores texts of one language in the order given, one Score per text. Never raises for any text."""

    name: str
    version: str

    def score(self, texts: Sequence[str], language: str) -> list[Score]: ...
