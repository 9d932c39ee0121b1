"""What a survey's answers say, question by question: counted in the database, from the answers themselves."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import connection
from django.db.models import Max, Min, QuerySet

from crmcem.lib import measures
from crmcem.lib.measures import Effort, Measure
from feedback.models import Question, Response, Survey
from feedback.policies import DETRACTOR, PROMOTER
from feedback.questions import bounds, choices

_COUNTS = """
WITH r AS MATERIALIZED ({rows}), a AS (
    SELECT e.key, e.value FROM r CROSS JOIN LATERAL jsonb_each(r.answers) AS e(key, value)
), picked AS (
    SELECT a.key, i.value FROM a CROSS JOIN LATERAL jsonb_array_elements_text(
        CASE WHEN jsonb_typeof(a.value) = 'array' THEN a.value ELSE jsonb_build_array(a.value) END
    ) AS i(value)
    WHERE a.key = ANY(%s)
)
SELECT key, NULL, count(*) FROM a GROUP BY key
UNION ALL
SELECT key, value, count(*) FROM picked GROUP BY key, value
UNION ALL
SELECT '', NULL, count(*) FROM r
"""


@dataclass(slots=True)
class QuestionResult:
    """One question's answers: how many, and how often each value of a scale or choice was given."""

    question: Question
    n: int = 0
    #: every possible answer in order, then those that were given before the choices changed
    distribution: list[tuple[str, int]] = field(default_factory=list)
    nps: Measure | None = None
    promoters: int = 0
    passives: int = 0
    detractors: int = 0
    csat: Measure | None = None
    ces: Effort | None = None

    @property
    def measure(self) -> Measure | None:
        """The question's figure, whichever kind it is; None for texts and choices."""
        return self.nps or self.csat or (self.ces.easy if self.ces else None)

    def percent(self, count: int) -> float:
        return 100 * count / self.n if self.n else 0.0


@dataclass(slots=True)
class SurveyResults:
    """``n`` complete answers between ``first_at`` and ``last_at``."""

    survey: Survey
    n: int
    first_at: dt.datetime | None
    last_at: dt.datetime | None
    questions: list[QuestionResult]


def survey_results(
    survey: Survey, responses: QuerySet[Response], questions: Sequence[Question] | None = None
) -> SurveyResults:
    """The results over ``responses`` (already limited to what the reader may see), in two statements."""
    asked = list(survey.questions.all() if questions is None else questions)
    rows = responses.filter(survey=survey, status=Response.Status.COMPLETE).order_by()
    total = rows.aggregate(first=Min("submitted_at"), last=Max("submitted_at"))
    counted = [q.key for q in asked if q.type != Question.Type.TEXT]
    n, given = _counts(rows, counted)
    results = [_result(q, n.get(q.key, 0), given.get(q.key, {})) for q in asked]
    return SurveyResults(survey, n.get("", 0), total["first"], total["last"], results)


def _counts(rows: QuerySet[Response], counted: list[str]) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """``{key: answers}`` (with all sheets under an empty key) and ``{key: {value: how often}}``."""
    statement, params = rows.values("answers").query.sql_with_params()
    n: dict[str, int] = {}
    given: dict[str, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS.format(rows=statement), [*params, counted])
        for key, value, count in cursor.fetchall():
            if value is None:
                n[key] = count
            else:
                given.setdefault(key, {})[value] = count
    return n, given


def _result(question: Question, n: int, given: dict[str, int]) -> QuestionResult:
    result = QuestionResult(question, n)
    if question.type in {Question.Type.NPS, Question.Type.CSAT, Question.Type.CES}:
        low, high = bounds(question)
        scale = {score: given.get(str(score), 0) for score in range(low, high + 1)}
        result.distribution = [(str(score), count) for score, count in scale.items()]
        _measure(result, scale, high)
    elif question.type != Question.Type.TEXT:
        offered = choices(question)
        former = sorted(set(given) - set(offered))
        result.distribution = [(choice, given.get(choice, 0)) for choice in [*offered, *former]]
    return result


def _measure(result: QuestionResult, scale: dict[int, int], high: int) -> None:
    kind = result.question.type
    if kind == Question.Type.NPS:
        result.promoters = sum(count for score, count in scale.items() if score >= PROMOTER)
        result.detractors = sum(count for score, count in scale.items() if score <= DETRACTOR)
        result.passives = sum(scale.values()) - result.promoters - result.detractors
        result.nps = measures.nps(result.promoters, result.passives, result.detractors)
    elif kind == Question.Type.CSAT:
        result.csat = measures.csat(scale, high)
    else:
        result.ces = measures.ces(scale)
