"""The formulas of experience figures, from counts alone: one place, so that every screen shows the same number.

Scores of NPS are points from -100 to 100; shares (CSAT, CES, response rates) are percent. Intervals hold 95 %.
A figure over nobody has no value: None, never 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

#: two-sided 95 %
Z95 = 1.96
#: an interval over fewer answers is shown as unreliable
RELIABLE_N = 30
#: from here on an answer counts as easy (agreement 1 to 7)
CES_EASY = 5
CES_SCALE = 7
_TOP_BOXES: Mapping[int, int] = {3: 1, 4: 2, 5: 2, 6: 2, 7: 2, 10: 3}


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure with its 95 % interval, standard error and sample size; all but ``n`` are None at ``n`` = 0."""

    value: float | None
    low: float | None
    high: float | None
    se: float | None
    n: int

    @property
    def reliable(self) -> bool:
        """Whether enough people stand behind the interval."""
        return self.n >= RELIABLE_N


NOTHING = Measure(None, None, None, None, 0)


@dataclass(frozen=True, slots=True)
class Effort:
    """CES 2.0: the share that found it easy, and the mean agreement from 1 to 7."""

    easy: Measure
    mean: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a sample, as AAPOR counts it: every invited person is in exactly one of these."""

    complete: int
    partial: int = 0
    refused: int = 0
    no_contact: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        return self.complete + self.partial + self.refused + self.no_contact + self.unknown


def nps(promoters: int, passives: int, detractors: int) -> Measure:
    """100·(promoters − detractors)/n, with SE = 100·√((p + d − (p − d)²)/n) and ±1.96 SE."""
    _counts(promoters, passives, detractors)
    n = promoters + passives + detractors
    if n == 0:
        return NOTHING
    p, d = promoters / n, detractors / n
    value, se = 100 * (p - d), 100 * sqrt(max(0.0, p + d - (p - d) ** 2) / n)
    return Measure(value, max(-100.0, value - Z95 * se), min(100.0, value + Z95 * se), se, n)


def share(hits: int, n: int) -> Measure:
    """``hits`` of ``n`` in percent with Wilson's interval, which stays within 0 and 100 and suits a small n."""
    _counts(hits, n - hits)
    if n == 0:
        return NOTHING
    p, z2 = hits / n, Z95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * sqrt(p * (1 - p) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Measure(100 * p, 100 * low, 100 * high, 100 * sqrt(p * (1 - p) / n), n)


def csat_top(scale: int) -> int:
    """The lowest answer of a satisfaction scale that counts as satisfied. Raises ValueError for an unknown scale."""
    if scale not in _TOP_BOXES:
        raise ValueError(f"no satisfaction scale has {scale} answers")
    return scale - _TOP_BOXES[scale] + 1


def csat(distribution: Mapping[int, int], scale: int = 5) -> Measure:
    """The share of satisfied answers (the top boxes of ``scale``) of ``{answer: how many}``."""
    top = csat_top(scale)
    _within(distribution, scale)
    satisfied = sum(count for answer, count in distribution.items() if answer >= top)
    return share(satisfied, sum(distribution.values()))


def ces(distribution: Mapping[int, int]) -> Effort:
    """Customer effort of ``{agreement 1 to 7: how many}``."""
    _within(distribution, CES_SCALE)
    n = sum(distribution.values())
    easy = sum(count for answer, count in distribution.items() if answer >= CES_EASY)
    total = sum(answer * count for answer, count in distribution.items())
    return Effort(share(easy, n), total / n if n else None)


def z_score(one: Measure, other: Measure) -> float | None:
    """How many standard errors two independent figures lie apart; None where that can't be said."""
    if one.value is None or other.value is None or one.se is None or other.se is None:
        return None
    spread = sqrt(one.se**2 + other.se**2)
    return (one.value - other.value) / spread if spread else None


def is_significant(z: float | None) -> bool:
    """Whether a difference of ``z`` standard errors is more than chance, at 95 %."""
    return z is not None and abs(z) >= Z95


def response_rate(answered: int, delivered: int) -> Measure:
    """Answered of delivered."""
    return share(answered, delivered)


def rr1(outcome: Outcome) -> Measure:
    """AAPOR response rate 1: complete answers of everybody who may have been asked."""
    return share(outcome.complete, outcome.total)


def rr2(outcome: Outcome) -> Measure:
    """AAPOR response rate 2: partial answers count as well."""
    return share(outcome.complete + outcome.partial, outcome.total)


def _counts(*numbers: int) -> None:
    if any(number < 0 for number in numbers):
        raise ValueError("counts can't be negative")


def _within(distribution: Mapping[int, int], scale: int) -> None:
    _counts(*distribution.values())
    if any(not 1 <= answer <= scale for answer in distribution):
        raise ValueError(f"answers lie between 1 and {scale}")
