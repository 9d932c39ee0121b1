"""The activities of a deal as the page shows them."""

from typing import Any

from contacts.models import Activity
from crmcem.lib.activities import ACTORS, kinds
from sales.selectors.page import Timeline

MAX_TEXT = 400


def entries(page: Timeline) -> list[dict[str, Any]]:
    """One page of the timeline: label, icon, one sentence, who and when, the text of an interaction."""
    return [_entry(row, page) for row in page.rows]


def _entry(row: Activity, page: Timeline) -> dict[str, Any]:
    kind = kinds.get(row.kind)
    hidden = row.subject_id is None
    summary = ""
    if kind is not None and not hidden:
        try:
            summary = kind.summary(row.payload)
        except (TypeError, ValueError, AttributeError, KeyError):
            summary = ""
    acted = page.people.get(row.actor_id or 0) if row.actor_kind == "user" else None
    actor = str(acted) if acted else str(ACTORS.get(row.actor_kind, row.actor_kind))
    interaction = None
    if row.kind == "interaction.logged" and not hidden:
        interaction = page.interactions.get(row.subject_id or 0)
    return {
        "id": row.pk,
        "at": row.occurred_at,
        "label": str(kind.label) if kind else row.kind,
        "icon": kind.icon if kind else "activity",
        "tone": {"deal.won": "green", "deal.lost": "red"}.get(row.kind, ""),
        "summary": summary[:MAX_TEXT],
        "hidden": hidden,
        "actor": actor,
        "body": interaction.body if interaction else "",
    }
