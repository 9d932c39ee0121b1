"""VADER: a lexicon with rules for English. The first engine, behind the interface made to replace it."""

import re
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

from .base import UNREAD, Label, Score

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
#: VADER's own thresholds for its compound score
_THRESHOLD = 0.05
_MAX_SENTENCES = 200


def label_of(score: float) -> Label:
    """The word for a score, by VADER's published thresholds."""
    if score >= _THRESHOLD:
        return "positive"
    return "negative" if score <= -_THRESHOLD else "neutral"


class Vader:
    """English only. A text of several sentences scores as their mean: compound saturates on long texts."""

    name = "vader"
    version = version("vaderSentiment")

    @cached_property
    def _analyser(self) -> Any:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        return SentimentIntensityAnalyzer()

    def score(self, texts: Sequence[str], language: str) -> list[Score]:
        if language.split("-")[0].lower() != "en":
            return [UNREAD] * len(texts)
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> Score:
        sentences = [part for part in _SENTENCE.split(text) if any(c.isalnum() for c in part)]
        if not sentences:
            sentences = [text] if text.strip() else []
        if not sentences:
            return UNREAD
        scores = [self._analyser.polarity_scores(s)["compound"] for s in sentences[:_MAX_SENTENCES]]
        mean = round(sum(scores) / len(scores), 4)
        return Score(mean, label_of(mean))
