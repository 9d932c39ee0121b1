"""What follows from the stream: invitations become sent, Pulse shows the latest answers, detractors get a case.

Every statement reads the figures from our own tables, joined by the subject of the activity, never from payloads:
a tracked event of the same name can't forge an answer.
"""

from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.services.stream import NewActivity, activities_append
from crmcem.lib.actors import SYSTEM, acting
from crmcem.lib.stream import Batch, Consumer
from feedback.models import Case
from feedback.policies import DETRACTOR, FOLLOW_UP_DAYS, detractor_priority, sla_due
from feedback.services.cases import activity_of, tell_owner


def _execute(batch: Batch, statement: str, **params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"{batch.cte}{statement}", {**batch.params, **params})
        return cursor.fetchall() if cursor.description else []


_SENT = """
UPDATE feedback_invitation i
SET status = CASE WHEN i.status IN ('queued', 'suppressed') THEN 'sent' ELSE i.status END,
    suppressed_reason = '', sent_at = b.occurred_at
FROM batch b
WHERE b.kind = 'message.sent' AND b.subject_type = 'message' AND i.message_id = b.subject_id AND i.sent_at IS NULL
"""
_UNDELIVERED = """
UPDATE feedback_invitation i
SET status = 'suppressed', suppressed_reason = 'not_delivered'
FROM batch b JOIN contacts_message m ON m.id = b.subject_id
WHERE b.kind = 'message.failed' AND b.subject_type = 'message' AND m.status = 'failed'
  AND i.message_id = m.id AND i.status = 'queued'
"""


_WITHHELD = """
UPDATE feedback_invitation i
SET status = 'suppressed', suppressed_reason = 'no_consent'
FROM batch b JOIN contacts_message m ON m.id = b.subject_id
WHERE b.kind = 'message.suppressed' AND b.subject_type = 'message' AND m.status = 'suppressed'
  AND i.message_id = m.id AND i.status = 'queued'
"""


class Delivery(Consumer):
    """An invitation is sent when its message was. One that the mail server refused for good is suppressed, and so
    is one whose customer refused e-mail between the asking and the sending.
    """

    name = "feedback.delivery"
    kinds = ("message.sent", "message.failed", "message.suppressed")

    def handle(self, batch: Batch) -> None:
        _execute(batch, _SENT)
        _execute(batch, _UNDELIVERED)
        _execute(batch, _WITHHELD)


# Rows are locked in the order of their ids first: several consumers write Pulse, none may deadlock another.
_LOCK_PULSES = """
SELECT p.contact_id FROM contacts_pulse p
WHERE p.contact_id IN (SELECT b.contact_id FROM batch b)
ORDER BY p.contact_id FOR NO KEY UPDATE
"""


def _latest(column: str) -> str:
    return f"""
    (array_agg(r.{column} ORDER BY r.submitted_at DESC, r.id DESC) FILTER (WHERE r.{column} IS NOT NULL))[1],
    max(r.submitted_at) FILTER (WHERE r.{column} IS NOT NULL)"""


def _newer(name: str) -> str:
    """Take the answer where it is not older than the one that stands: late ones overwrite nothing."""
    fresh = f"l.{name}_at >= coalesce(p.{name}_at, '-infinity')"
    return f"""
    {name} = CASE WHEN {fresh} THEN l.{name} ELSE p.{name} END,
    {name}_at = CASE WHEN {fresh} THEN l.{name}_at ELSE p.{name}_at END"""


_ANSWERS = f""",
answered AS (SELECT DISTINCT b.subject_id AS id FROM batch b WHERE b.subject_type = 'response'),
latest(contact_id, nps, nps_at, csat, csat_at, ces, ces_at, sentiment, sentiment_at) AS (
    SELECT r.contact_id, {_latest("nps")}, {_latest("csat")}, {_latest("ces")}, {_latest("sentiment_score")}
    FROM answered a JOIN feedback_response r ON r.id = a.id
    WHERE r.contact_id IS NOT NULL AND r.status = 'complete'
    GROUP BY r.contact_id
)
UPDATE contacts_pulse p SET {_newer("nps")}, {_newer("csat")}, {_newer("ces")}, {_newer("sentiment")}
FROM latest l WHERE l.contact_id = p.contact_id
"""  # noqa: S608 - built from constants of the code
_CASES = """,
touched AS (SELECT DISTINCT b.contact_id FROM batch b WHERE b.kind LIKE 'case.%%' AND b.contact_id IS NOT NULL),
counted AS (
    SELECT t.contact_id, count(c.id) FILTER (WHERE c.status IN ('open', 'pending')) AS n
    FROM touched t LEFT JOIN feedback_case c ON c.contact_id = t.contact_id
    GROUP BY t.contact_id
)
UPDATE contacts_pulse p SET open_cases = n.n
FROM counted n WHERE n.contact_id = p.contact_id AND p.open_cases IS DISTINCT FROM n.n
"""


class ExperiencePulse(Consumer):
    """The latest NPS, CSAT, CES and mood of each customer with their times, and how many cases are open."""

    name = "feedback.pulse"
    kinds = ("survey.answered", "survey.corrected", "case.*")

    def handle(self, batch: Batch) -> None:
        _execute(batch, _LOCK_PULSES)
        if batch.kinds & {"survey.answered", "survey.corrected"}:
            _execute(batch, _ANSWERS)
        if any(kind.startswith("case.") for kind in batch.kinds):
            _execute(batch, _CASES)


_LOCK_DETRACTORS = """
SELECT r.id FROM feedback_response r
WHERE r.id IN (SELECT b.subject_id FROM batch b WHERE b.subject_type = 'response')
  AND r.nps <= %(detractor)s AND r.status = 'complete' AND r.contact_id IS NOT NULL
  AND r.submitted_at > clock_timestamp() - make_interval(days => %(days)s)
ORDER BY r.id FOR NO KEY UPDATE
"""
_DETRACTORS = """
SELECT r.id, r.contact_id, r.nps, r.comment, c.owner_id, c.team_id, coalesce(p.orders, 0), p.churn_risk
FROM feedback_response r
JOIN contacts_contact c ON c.id = r.contact_id
LEFT JOIN contacts_pulse p ON p.contact_id = r.contact_id
WHERE r.id = ANY(%s) AND NOT EXISTS (SELECT 1 FROM feedback_case k WHERE k.response_id = r.id)
ORDER BY r.id
"""


class ClosedLoop(Consumer):
    """Every detractor gets a case at the contact's owner, once per answer, whatever else happens meanwhile."""

    name = "feedback.closed_loop"
    kinds = ("survey.answered",)

    def handle(self, batch: Batch) -> None:
        locked = _execute(batch, _LOCK_DETRACTORS, detractor=DETRACTOR, days=FOLLOW_UP_DAYS)
        if not locked:
            return
        with connection.cursor() as cursor:
            cursor.execute(_DETRACTORS, [[row[0] for row in locked]])
            rows = cursor.fetchall()
        with acting(SYSTEM):
            self._open(rows)

    def _open(self, rows: list[tuple[Any, ...]]) -> None:
        now = timezone.now()
        cases = []
        for response_id, contact_id, nps, comment, owner_id, team_id, orders, churn_risk in rows:
            priority = detractor_priority(nps, orders, churn_risk)
            case = Case(
                contact_id=contact_id,
                subject=_subject(nps, comment),
                body=comment,
                priority=priority,
                source=Case.Source.SURVEY,
                response_id=response_id,
                owner_id=owner_id,
                team_id=team_id,
                sla_due_at=sla_due(priority, now),
            )
            cases.append(case)
        if not cases:
            return
        Case.objects.bulk_create(cases)
        made = Case.objects.filter(pk__in=[case.pk for case in cases]).select_related("contact", "owner")
        activities: list[NewActivity] = []
        for case in made.order_by("pk"):
            activities.append(activity_of(case, "case.opened", source=case.source, response=case.response_id))
            tell_owner(case, SYSTEM, _("New case: %(subject)s"), f"case-opened:{case.pk}")
        activities_append(actor=SYSTEM, activities=activities)


def _subject(nps: int, comment: str) -> str:
    words = " ".join(comment.split())
    short = words if len(words) <= 120 else words[:119].rstrip() + "…"
    if short:
        return _("Rated us %(nps)s of 10: “%(comment)s”") % {"nps": nps, "comment": short}
    return _("Rated us %(nps)s of 10") % {"nps": nps}
