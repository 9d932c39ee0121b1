"""What the page of one deal shows: people, history, the timeline by key."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.fields.json import KeyTextTransform

from contacts.models import Activity, Interaction, Task
from contacts.selectors.timeline import NEWEST_FIRST, hide_the_hidden
from crmcem.lib.keyset import encode, keyset_page
from crmcem.lib.visibility import visible_q
from crmcem.workspace.models import User
from sales.models import Deal, DealContact, StageChange

TIMELINE_SIZE = 30
HISTORY_SIZE = 50
WORK = ("interaction", "task")


@dataclass(slots=True)
class Timeline:
    """One page of activities, newest first; the texts of interactions, the names of those who acted."""

    rows: list[Activity]
    next: str | None
    interactions: dict[int, Interaction] = field(default_factory=dict)
    people: dict[int, User] = field(default_factory=dict)


def members(deal: Deal, user: Any) -> tuple[list[DealContact], int]:
    """The buying committee with each person's Pulse, as far as ``user`` may see; and how many are hidden."""
    visible = deal.deal_contacts.filter(visible_q(user, "contact__")).select_related("contact__pulse")
    rows = list(visible.order_by("-is_primary", "id"))
    return rows, deal.deal_contacts.count() - len(rows)


def history(deal: Deal) -> list[StageChange]:
    """The stages the deal went through, newest first."""
    return list(deal.stage_changes.select_related("from_stage", "to_stage")[:HISTORY_SIZE])


def open_tasks(deal: Deal, user: Any) -> list[Task]:
    """What is to be done next for the deal, the earliest first."""
    tasks = Task.objects.filter(visible_q(user), deal_id=deal.pk, status=Task.Status.OPEN)
    return list(tasks.select_related("owner").order_by("due_at", "id")[:10])


def timeline(deal: Deal, user: Any, cursor: str | None, size: int = TIMELINE_SIZE) -> Timeline:
    """What happened with the deal: its own activities, and those of its interactions and tasks.

    Two index ranges (``activity_deal`` and ``activity_work_deal``), merged. Raises DomainError for a bad cursor.
    """
    pages = [keyset_page(part, NEWEST_FIRST, cursor, size) for part in (_own(deal), _work(deal))]
    rows = sorted(
        (row for page in pages for row in page.rows), key=lambda row: (row.occurred_at, row.pk), reverse=True
    )
    more = len(rows) > size or any(page.next for page in pages)
    rows = rows[:size]
    last = rows[-1] if rows else None
    # Whoever sees the deal sees what happened to it; its people's calls and tasks may be hidden from them.
    hide_the_hidden([row for row in rows if row.subject_type != "deal"], user)
    return Timeline(
        rows,
        encode(last.occurred_at, last.pk, False) if more and last else None,
        _interactions(rows),
        _people(rows),
    )


def _own(deal: Deal) -> QuerySet[Activity]:
    """The deal's activities, each once: one that was told to several people is one here."""
    rows = Activity.objects.filter(subject_type="deal", subject_id=deal.pk)
    told_before = Activity.objects.filter(
        subject_type="deal",
        subject_id=deal.pk,
        txid=OuterRef("txid"),
        kind=OuterRef("kind"),
        payload=OuterRef("payload"),
        pk__lt=OuterRef("pk"),
    )
    return rows.filter(~Exists(told_before))


def _work(deal: Deal) -> QuerySet[Activity]:
    """The activities of interactions and tasks that name the deal."""
    named = Activity.objects.alias(deal=KeyTextTransform("deal", "payload"))
    return named.filter(subject_type__in=WORK, deal=str(deal.pk))


def _interactions(rows: Sequence[Activity]) -> dict[int, Interaction]:
    ids = {row.subject_id for row in rows if row.subject_type == "interaction" and row.subject_id}
    return Interaction.objects.in_bulk(ids) if ids else {}


def _people(rows: Sequence[Any]) -> dict[int, User]:
    """Those who acted, also behind a token or an import (``actor_id`` is then not a person's)."""
    ids = {row.actor_id for row in rows if row.actor_kind == "user" and row.actor_id}
    return User.objects.in_bulk(ids) if ids else {}


def people_of(changes: Sequence[StageChange]) -> dict[int, User]:
    return _people(changes)
