"""Answers and invitations become counts per day."""

from typing import ClassVar

from analytics.services.rollups import CONSUMER, invitations_count, responses_count
from crmcem.lib.stream import Batch, Consumer

_ANSWERS = frozenset({"survey.answered", "survey.corrected", "survey.recount"})
_ASKED = frozenset({"survey.answered", "survey.invited", "survey.opened", "survey.recount"})


def _named(what: str) -> str:
    """Ids that ``survey.recount`` carries."""
    return f"""
    SELECT e.value::bigint FROM batch b CROSS JOIN LATERAL jsonb_array_elements_text(b.payload->'{what}') e(value)
    WHERE b.kind = 'survey.recount' AND b.payload ? '{what}'"""  # noqa: S608 - built from constants of the code


_TOUCHED_RESPONSES = f""", touched(id) AS MATERIALIZED (
    SELECT b.subject_id FROM batch b WHERE b.subject_type = 'response' AND b.subject_id IS NOT NULL
    UNION {_named("responses")}
)"""  # noqa: S608
_TOUCHED_INVITATIONS = f""", touched(id) AS MATERIALIZED (
    SELECT b.subject_id FROM batch b WHERE b.subject_type = 'invitation' AND b.subject_id IS NOT NULL
    UNION
    SELECT r.invitation_id FROM batch b JOIN feedback_response r ON r.id = b.subject_id
    WHERE b.subject_type = 'response' AND r.invitation_id IS NOT NULL
    UNION {_named("invitations")}
)"""  # noqa: S608


class Rollups(Consumer):
    """Figures are read from the raw rows, never from payloads; see ``services.rollups`` why twice is harmless."""

    name = CONSUMER
    batch_size: ClassVar[int] = 5000
    kinds = tuple(sorted(_ANSWERS | _ASKED))

    def handle(self, batch: Batch) -> None:
        if batch.kinds & _ANSWERS:
            responses_count(batch.cte + _TOUCHED_RESPONSES, batch.params)
        if batch.kinds & _ASKED:
            invitations_count(batch.cte + _TOUCHED_INVITATIONS, batch.params)
