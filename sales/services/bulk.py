"""Changing many deals at once: set-based, in one transaction, each with its history and activities."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.services.owners import owner_named
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError, FieldError
from crmcem.lib.records import lock_all
from crmcem.workspace.policies import require
from sales.models import Deal, Stage, StageChange
from sales.services.history import change_of, rots_at, tell_all
from sales.services.ranks import column_lock, many_lock, rank_at
from sales.validation import clean_deal

WRITE, ASSIGN, DELETE = "deals:write", "deals:assign", "deals:delete"
BATCH = 500


@dataclass(slots=True)
class Outcome:
    """How many deals changed, and why others did not: ``(name, reason)``."""

    changed: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


def deals_assign(*, deals: QuerySet[Deal], owner: Any, actor: Actor) -> Outcome:
    """Give the deals to ``owner`` (row or id), with their team."""
    require(actor, WRITE)
    with acting(actor):
        person = owner_named(owner, actor, ASSIGN)
        rows = [deal for deal in _locked(deals, actor) if deal.owner_id != (person.pk if person else None)]
        old = {deal.pk: deal.owner_id for deal in rows}
        for deal in rows:
            deal.owner, deal.team = person, person.team if person else None
        _save(rows, ["owner", "team"])
        tell_all(rows, "deal.updated", lambda d: {"changes": {"owner": [old[d.pk], d.owner_id]}}, actor)
    return Outcome(len(rows))


def deals_move(*, deals: QuerySet[Deal], stage: Stage, actor: Actor) -> Outcome:
    """Put the open deals on top of ``stage``'s column, in their order. Closed ones and other pipelines' stay."""
    require(actor, WRITE)
    outcome = Outcome()
    moved: list[Deal] = []
    with acting(actor):
        column_lock(stage)
        for deal in _locked(deals, actor):
            if deal.stage_id == stage.pk and deal.status == Deal.Status.OPEN:
                continue
            reason = _no_move(deal, stage)
            if reason:
                outcome.failed.append((deal.name, reason))
            else:
                moved.append(deal)
        top = rank_at(stage, 0, Deal.objects.all(), None)
        now = timezone.now()
        before = {deal.pk: deal.stage for deal in moved}
        changes: list[StageChange] = []
        for place, deal in enumerate(moved):
            since, deal.stage, deal.position = deal.stage_entered_at, stage, top - len(moved) + place
            deal.stage_entered_at, deal.rots_at = now, rots_at(stage, now)
            changes.append(change_of(deal, before[deal.pk], now, actor, since))
        _save(moved, ["stage", "position", "stage_entered_at", "rots_at"])
        StageChange.objects.bulk_create(changes, batch_size=BATCH)
        tell_all(moved, "deal.moved", lambda d: {"from": before[d.pk].name, "to": stage.name}, actor)
    outcome.changed = len(moved)
    return outcome


def deals_lose(*, deals: QuerySet[Deal], reason: str, actor: Actor) -> Outcome:
    """Mark the open deals as lost, for one reason. Won ones stay won."""
    require(actor, WRITE)
    values, errors = clean_deal({"lost_reason": reason}, partial=True)
    if errors:
        raise DomainError(*(FieldError("reason", e.code, e.detail) for e in errors))
    outcome = Outcome()
    lost: list[Deal] = []
    with acting(actor):
        now = timezone.now()
        for deal in _locked(deals, actor):
            if deal.status == Deal.Status.OPEN:
                lost.append(deal)
            elif deal.status == Deal.Status.WON:
                outcome.failed.append((deal.name, _("This deal is won. Reopen it first.")))
        for deal in lost:
            deal.status, deal.closed_at, deal.rots_at = Deal.Status.LOST, now, None
            deal.lost_reason = values["lost_reason"]
        _save(lost, ["status", "closed_at", "rots_at", "lost_reason"])
        StageChange.objects.bulk_create(
            [change_of(d, d.stage, now, actor, d.stage_entered_at) for d in lost], batch_size=BATCH
        )
        tell_all(lost, "deal.lost", lambda d: {"reason": d.lost_reason}, actor)
    outcome.changed = len(lost)
    return outcome


def deals_delete(*, deals: QuerySet[Deal], actor: Actor) -> Outcome:
    """Delete the deals with their history; the audit keeps the rows."""
    require(actor, DELETE)
    with acting(actor):
        rows = _locked(deals, actor)
        tell_all(rows, "deal.deleted", lambda d: {}, actor)
        Deal.objects.filter(pk__in=[deal.pk for deal in rows]).delete()
    return Outcome(len(rows))


def _locked(deals: QuerySet[Deal], actor: Actor) -> list[Deal]:
    """Those of ``deals`` that the actor may see, locked, with stage and owner's team at hand."""
    many_lock()
    rows = lock_all(Deal, list(deals.order_by().values_list("pk", flat=True)), actor)
    stages = Stage.objects.in_bulk({deal.stage_id for deal in rows})
    for deal in rows:
        deal.stage = stages[deal.stage_id]
    return rows


def _no_move(deal: Deal, stage: Stage) -> str:
    """Why the deal can't come into the stage; empty where it can."""
    if deal.status != Deal.Status.OPEN:
        return _("This deal is closed. Reopen it before you move it.")
    if deal.pipeline_id != stage.pipeline_id:
        return _("This stage belongs to another pipeline.")
    return ""


def _save(rows: Sequence[Deal], names: list[str]) -> None:
    """These fields of locked rows as their next versions."""
    now = timezone.now()
    for deal in rows:
        deal.version += 1
        deal.updated_at = now
    if rows:
        Deal.objects.bulk_update(rows, [*names, "version", "updated_at"], batch_size=BATCH)
