"""The experience figures of people who were merged or parted, from their own answers and cases."""

# ruff: noqa: S608 - statements are built from names of our own tables and columns; values are parameters

from typing import Any

from django.db import connection

from contacts.models import Contact
from crmcem.lib import merging

_FIGURES = (("nps", "nps"), ("csat", "csat"), ("ces", "ces"), ("sentiment", "sentiment_score"))


def register() -> None:
    """Called once when the app is ready."""
    merging.after(recompute_experience)


def recompute_experience(model: Any, ids: list[int]) -> None:
    """Latest answers and open cases of these contacts, whose Pulse rows are locked by the caller."""
    if model is not Contact:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE contacts_pulse p SET open_cases = (SELECT count(*) FROM feedback_case k"
            " WHERE k.contact_id = p.contact_id AND k.status IN ('open', 'pending')) WHERE p.contact_id = ANY(%s)",
            [ids],
        )
        for name, column in _FIGURES:
            cursor.execute(
                f"UPDATE contacts_pulse p SET ({name}, {name}_at) = (SELECT r.{column}, r.submitted_at"
                " FROM feedback_response r WHERE r.contact_id = p.contact_id AND r.status = 'complete'"
                f" AND r.{column} IS NOT NULL ORDER BY r.submitted_at DESC, r.id DESC LIMIT 1)"
                " WHERE p.contact_id = ANY(%s)",
                [ids],
            )
