"""The figures beside surveys: counts within what a person may see, bounded by days or by the newest rows."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Q
from django.utils import timezone

from crmcem.lib.measures import Measure, nps, response_rate
from feedback.models import Invitation, Question, Response
from feedback.policies import DETRACTOR, PROMOTER

#: the period of the figures in lists and on a survey's page
DAYS = 90
#: distributions are of so many of the newest answers at most
NEWEST = 10_000
#: whether a question has answers is looked up in so many; the service that saves looks at all
SAMPLE = 2_000
_DELIVERED = frozenset({"sent", "opened", "answered", "expired"})


@dataclass(slots=True)
class Figures:
    """Invitations by status and answers by group of one survey, within a period."""

    invitations: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    promoters: int = 0
    passives: int = 0
    detractors: int = 0

    @property
    def delivered(self) -> int:
        return sum(n for status, n in self.invitations.items() if status in _DELIVERED)

    @property
    def opened(self) -> int:
        return self.invitations["opened"] + self.invitations["answered"]

    @property
    def rate(self) -> Measure:
        return response_rate(self.invitations["answered"], self.delivered)

    @property
    def nps(self) -> Measure:
        return nps(self.promoters, self.passives, self.detractors)


def figures_of(surveys: Iterable[int], user: Any, days: int = DAYS) -> Mapping[int, Figures]:
    """Figures of each survey over the last ``days``, of what ``user`` may see: two queries for any number."""
    found: dict[int, Figures] = defaultdict(Figures)
    ids = list(surveys)
    since = timezone.now() - dt.timedelta(days=days)
    asked = Invitation.objects.visible_to(user).filter(survey_id__in=ids, created_at__gt=since)
    for row in asked.order_by().values("survey_id", "status").annotate(n=Count("pk")):
        found[row["survey_id"]].invitations[row["status"]] = row["n"]
    answered = Response.objects.visible_to(user).filter(
        survey_id__in=ids, submitted_at__gt=since, status=Response.Status.COMPLETE
    )
    counted = (
        answered.order_by()
        .values("survey_id")
        .annotate(
            answers=Count("pk"),
            promoters=Count("pk", filter=Q(nps__gte=PROMOTER)),
            passives=Count("pk", filter=Q(nps__gt=DETRACTOR, nps__lt=PROMOTER)),
            detractors=Count("pk", filter=Q(nps__lte=DETRACTOR)),
        )
    )
    for row in counted:
        figures = found[row.pop("survey_id")]
        for name, value in row.items():
            setattr(figures, name, value)
    return found


def newest_answers(survey_id: int, user: Any) -> Any:
    """The survey's complete answers that ``user`` may see, newest first."""
    rows = Response.objects.visible_to(user).filter(survey_id=survey_id, status=Response.Status.COMPLETE)
    return rows.order_by("-submitted_at", "-id")


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often each value was given, by question; ``answers`` sheets were looked at, ``given`` have the question."""

    answers: int
    given: Mapping[str, int]
    values: Mapping[str, Counter[str]]


def distribution(survey_id: int, keys: Sequence[str], user: Any) -> Distribution:
    """Counts of the values of the questions ``keys`` in the newest answers, each value as text; one statement."""
    sql, params = newest_answers(survey_id, user).values("answers")[:NEWEST].query.sql_with_params()
    statement = f"""
        WITH newest AS MATERIALIZED ({sql}),
        given AS (
            SELECT pair.key, pair.value FROM newest, jsonb_each(newest.answers) AS pair WHERE pair.key = ANY(%s)
        )
        SELECT '', '', (SELECT count(*) FROM newest)
        UNION ALL
        SELECT given.key, NULL, count(*) FROM given GROUP BY 1
        UNION ALL
        SELECT given.key, picked.value, count(*)
        FROM given, LATERAL jsonb_array_elements_text(
            CASE jsonb_typeof(given.value) WHEN 'array' THEN given.value ELSE jsonb_build_array(given.value) END
        ) AS picked(value)
        GROUP BY 1, 2"""  # noqa: S608 - the inner statement is the ORM's, with its parameters
    values: dict[str, Counter[str]] = defaultdict(Counter)
    given: dict[str, int] = {}
    answers = 0
    with connection.cursor() as cursor:
        cursor.execute(statement, [*params, list(keys)])
        for key, value, count in cursor.fetchall():
            if not key:
                answers = count
            elif value is None:
                given[key] = count
            else:
                values[key][value] = count
    return Distribution(answers, given, values)


def answered_keys(survey_id: int) -> frozenset[str]:
    """Keys of the survey's questions that somebody has answered, as far as the newest answers show."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT q.key FROM feedback_question q WHERE q.survey_id = %s AND EXISTS (
                SELECT 1 FROM (
                    SELECT r.answers FROM feedback_response r WHERE r.survey_id = %s
                    ORDER BY r.submitted_at DESC, r.id DESC LIMIT %s
                ) newest WHERE jsonb_exists(newest.answers, q.key))
            """,
            [survey_id, survey_id, SAMPLE],
        )
        return frozenset(row[0] for row in cursor.fetchall())


def countable_keys(questions: Iterable[Question]) -> list[str]:
    """Keys of the questions with a scale or choices, whose answers can be counted."""
    return [q.key for q in questions if q.type != Question.Type.TEXT]


def open_invitations(survey_id: int, cap: int = 10_000) -> tuple[int, bool]:
    """How many customers could still answer, up to ``cap``, and whether that is exact; of all customers."""
    waiting = ("queued", "sent", "opened")
    rows = Invitation.objects.filter(survey_id=survey_id, status__in=waiting).order_by().values("pk")
    count = rows[: cap + 1].count()
    return min(count, cap), count <= cap


def last_asked(survey_id: int, contacts: Sequence[int]) -> dict[int, dt.datetime]:
    """When each of the contacts was last asked by this survey; left out who never was."""
    rows = Invitation.objects.filter(survey_id=survey_id, contact_id__in=contacts)
    asked = rows.exclude(status=Invitation.Status.SUPPRESSED).order_by().values("contact_id")
    return {row["contact_id"]: row["at"] for row in asked.annotate(at=Max("created_at"))}
