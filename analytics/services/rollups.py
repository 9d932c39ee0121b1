"""Keeping the rollups: put in what changed, take out what no longer holds, or make all anew.

Each answer's contribution stands in a ledger (``CountedResponse``, ``CountedInvitation``). Counting an answer is
always "new contribution minus the one in the ledger", so it may be announced twice, late or in any order. The one
writer is whoever holds the consumer's offset row: the consumer, or ``rebuild``.
"""

from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from analytics.models import COUNTS, SCORES, RollupState
from contacts.models.stream import ConsumerOffset
from crmcem.lib import stream_runner
from crmcem.lib.measures import CES_EASY, csat_top
from crmcem.lib.stream import consumers
from crmcem.workspace.models import Organisation
from feedback.policies import DETRACTOR, PROMOTER
from feedback.questions import CSAT_SCALES

CONSUMER = "analytics.rollups"

_TOPS = " ".join(f"WHEN {scale} THEN {csat_top(scale)}" for scale in CSAT_SCALES)
#: columns of the ledgers, in the order in which the statements select them
_RESPONSE = "response_id, survey_id, day, touchpoint, owner_id, nps, csat, csat_scale, ces, mood"
_INVITATION = "invitation_id, survey_id, day, touchpoint, state"


def _set(columns: str) -> str:
    return ", ".join(f"{name} = EXCLUDED.{name}" for name in columns.split(", ")[1:])


_FRESH = """
SELECT r.id AS response_id, r.survey_id, (r.submitted_at AT TIME ZONE %(zone)s)::date AS day, r.touchpoint,
       r.owner_id, r.nps, r.csat, r.csat_scale, r.ces,
       (CASE r.sentiment_label WHEN 'positive' THEN 1 WHEN 'neutral' THEN 0 WHEN 'negative' THEN -1 END)::smallint
           AS mood
FROM feedback_response r {join}
WHERE r.status = 'complete' AND r.submitted_at IS NOT NULL
"""
_FRESH_INVITATIONS = """
SELECT i.id AS invitation_id, i.survey_id, (i.sent_at AT TIME ZONE %(zone)s)::date AS day, i.touchpoint,
       (CASE WHEN i.status = 'answered' THEN 2
             WHEN EXISTS (SELECT 1 FROM feedback_response p
                          WHERE p.invitation_id = i.id AND p.status = 'partial') THEN 1
             ELSE 0 END)::smallint AS state
FROM feedback_invitation i {join}
WHERE i.sent_at IS NOT NULL
"""

_SCORE_SUMS = ",\n       ".join(
    f"coalesce(sum(x.sign) FILTER (WHERE x.score = {score}), 0) AS s{score}" for score in range(len(SCORES))
)
# A scan per metric and grouping sets: half the time of two lateral joins over every answer.
_ADD_METRICS = f"""
, alive AS (SELECT s.* FROM signed s JOIN feedback_survey v ON v.id = s.survey_id)
, told(sign, survey_id, day, touchpoint, owner, metric, answer, score, box) AS (
    SELECT sign, survey_id, day, touchpoint, coalesce(owner_id::text, ''), 'nps', nps, nps,
           CASE WHEN nps >= {PROMOTER} THEN 1 WHEN nps <= {DETRACTOR} THEN -1 ELSE 0 END
    FROM alive WHERE nps IS NOT NULL
    UNION ALL
    SELECT sign, survey_id, day, touchpoint, coalesce(owner_id::text, ''), 'csat', csat, csat,
           CASE WHEN csat >= CASE coalesce(csat_scale, 5) {_TOPS} END THEN 1 ELSE -1 END
    FROM alive WHERE csat IS NOT NULL
    UNION ALL
    SELECT sign, survey_id, day, touchpoint, coalesce(owner_id::text, ''), 'ces', ces, ces,
           CASE WHEN ces >= {CES_EASY} THEN 1 ELSE -1 END
    FROM alive WHERE ces IS NOT NULL
    UNION ALL
    SELECT sign, survey_id, day, touchpoint, coalesce(owner_id::text, ''), 'mood', mood, NULL, mood
    FROM alive WHERE mood IS NOT NULL
), summed AS (
    SELECT x.survey_id, x.metric, x.day,
           CASE WHEN grouping(x.touchpoint) = 0 THEN 'touchpoint' WHEN grouping(x.owner) = 0 THEN 'owner' ELSE 'all'
           END AS dimension,
           coalesce(x.touchpoint, x.owner, '') AS value,
           sum(x.sign) AS n,
           coalesce(sum(x.sign) FILTER (WHERE x.box = 1), 0) AS top,
           coalesce(sum(x.sign) FILTER (WHERE x.box = 0), 0) AS middle,
           coalesce(sum(x.sign) FILTER (WHERE x.box = -1), 0) AS bottom,
           sum(x.sign * x.answer) AS total,
           {_SCORE_SUMS}
    FROM told x
    GROUP BY GROUPING SETS (
        (x.metric, x.survey_id, x.day), (x.metric, x.survey_id, x.day, x.touchpoint),
        (x.metric, x.survey_id, x.day, x.owner)
    )
)
INSERT INTO analytics_metricday AS old (survey_id, metric, dimension, value, day, {", ".join(COUNTS)})
SELECT survey_id, metric, dimension, value, day, {", ".join(COUNTS)} FROM summed
ORDER BY metric, dimension, survey_id, day, value
ON CONFLICT (metric, dimension, survey_id, day, value) DO UPDATE SET
    {", ".join(f"{name} = old.{name} + EXCLUDED.{name}" for name in COUNTS)}
"""  # noqa: S608 - built from constants of the code, also below
_ADD_INVITATIONS = """
INSERT INTO analytics_invitationday AS old (survey_id, dimension, value, day, delivered, answered, partial)
SELECT x.survey_id, d.dimension, d.value, x.day, sum(x.sign),
       coalesce(sum(x.sign) FILTER (WHERE x.state = 2), 0), coalesce(sum(x.sign) FILTER (WHERE x.state = 1), 0)
FROM signed x
JOIN feedback_survey v ON v.id = x.survey_id
CROSS JOIN LATERAL (VALUES ('all', ''), ('touchpoint', x.touchpoint)) d(dimension, value)
GROUP BY x.survey_id, d.dimension, x.day, d.value
ORDER BY x.survey_id, d.dimension, x.day, d.value
ON CONFLICT (survey_id, dimension, day, value) DO UPDATE SET
    delivered = old.delivered + EXCLUDED.delivered, answered = old.answered + EXCLUDED.answered,
    partial = old.partial + EXCLUDED.partial
"""

_ALL = "WITH signed AS (SELECT 1 AS sign, c.* FROM {ledger} c)"


def _exchange(fresh: str, ledger: str, columns: str, add: str) -> str:
    """Compare the ``touched`` rows with the ledger, and move ledger and counts by the difference."""
    key = columns.split(", ")[0]
    changed = f"({columns})"
    return f"""
, fresh AS MATERIALIZED ({fresh})
, stale AS MATERIALIZED (SELECT {columns} FROM {ledger} c JOIN touched t ON t.id = c.{key})
, forgotten AS (
    DELETE FROM {ledger} c USING stale s
    WHERE c.{key} = s.{key} AND NOT EXISTS (SELECT 1 FROM fresh f WHERE f.{key} = s.{key})
), kept AS (
    INSERT INTO {ledger} AS c {changed} SELECT {columns} FROM fresh
    ON CONFLICT ({key}) DO UPDATE SET {_set(columns)}
), signed AS (
    SELECT 1 AS sign, f.* FROM (SELECT * FROM fresh EXCEPT SELECT * FROM stale) f
    UNION ALL
    SELECT -1, s.* FROM (SELECT * FROM stale EXCEPT SELECT * FROM fresh) s
){add}"""  # noqa: S608


_RESPONSES = _exchange(
    _FRESH.replace("{join}", "JOIN touched t ON t.id = r.id"),
    "analytics_countedresponse",
    _RESPONSE,
    _ADD_METRICS,
)
_INVITATIONS = _exchange(
    _FRESH_INVITATIONS.replace("{join}", "JOIN touched t ON t.id = i.id"),
    "analytics_countedinvitation",
    _INVITATION,
    _ADD_INVITATIONS,
)


def zone() -> str:
    """The time zone in which the days of the rollups are cut: that of the organisation when they were made."""
    state = RollupState.objects.filter(pk=1).first()
    if state is None:
        state, _made = RollupState.objects.get_or_create(pk=1, defaults={"time_zone": _own_zone()})
    return state.time_zone


def responses_count(with_touched: str, params: dict[str, Any]) -> None:
    """Count the answers that ``with_touched`` (``WITH …, touched AS (SELECT id)``) names, inside a transaction."""
    _run(with_touched + _RESPONSES, params | {"zone": zone()})


def invitations_count(with_touched: str, params: dict[str, Any]) -> None:
    """The same for invitations."""
    _run(with_touched + _INVITATIONS, params | {"zone": zone()})


def rebuild() -> str:
    """Make all rollups anew from the raw rows, in the organisation's time zone of now. Returns that zone.

    The consumer pauses meanwhile; readers see the old figures until it is done. What is answered meanwhile is
    counted by the consumer afterwards.
    """
    stream_runner.ensure(next(c for c in consumers if c.name == CONSUMER))
    with transaction.atomic():
        ConsumerOffset.objects.select_for_update().get(name=CONSUMER)
        time_zone = _own_zone()
        params = {"zone": time_zone}
        for table in ("metricday", "invitationday", "countedresponse", "countedinvitation"):
            _run(f"DELETE FROM analytics_{table}", {})  # noqa: S608
        fresh = _FRESH.replace("{join}", "")
        _run(f"INSERT INTO analytics_countedresponse ({_RESPONSE}) {fresh}", params)
        _run(_ALL.format(ledger="analytics_countedresponse") + _ADD_METRICS, {})
        fresh = _FRESH_INVITATIONS.replace("{join}", "")
        _run(f"INSERT INTO analytics_countedinvitation ({_INVITATION}) {fresh}", params)
        _run(_ALL.format(ledger="analytics_countedinvitation") + _ADD_INVITATIONS, {})
        RollupState.objects.update_or_create(
            pk=1, defaults={"time_zone": time_zone, "rebuilt_at": timezone.now()}
        )
    return time_zone


def rebuild_if_moved() -> bool:
    """Rebuild where the organisation has changed its time zone. Returns whether it had."""
    if zone() == _own_zone():
        return False
    rebuild()
    return True


def _own_zone() -> str:
    return Organisation.objects.filter(pk=1).values_list("time_zone", flat=True).first() or "UTC"


def _run(statement: str, params: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
