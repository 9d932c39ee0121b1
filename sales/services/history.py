"""What a change of deals leaves behind: stage history and activities, for one deal or many in one statement."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from contacts.services.stream import NewActivity, activities_append
from crmcem.lib.actors import Actor
from sales.models import Deal, DealContact, Stage, StageChange


def rots_at(stage: Stage, since: dt.datetime) -> dt.datetime | None:
    """When a deal that came into ``stage`` at ``since`` has stood there for too long."""
    return since + dt.timedelta(days=stage.rot_days) if stage.rot_days else None


def change_of(
    deal: Deal, before: Stage | None, at: dt.datetime, actor: Actor, since: dt.datetime | None = None
) -> StageChange:
    """The row of the stage history, not yet saved; ``since`` is when the deal came into ``before``."""
    return StageChange(
        deal=deal,
        from_stage=before,
        to_stage=deal.stage,
        status=deal.status,
        at=at,
        seconds_in_previous=int((at - since).total_seconds()) if since else None,
        actor_kind=actor.kind,
        actor_id=actor.id,
    )


def entered(
    deal: Deal, before: Stage | None, at: dt.datetime, actor: Actor, since: dt.datetime | None = None
) -> None:
    change_of(deal, before, at, actor, since).save(force_insert=True)


def tell(deal: Deal, kind: str, extra: Mapping[str, Any], actor: Actor) -> None:
    """The activity on every contact of the deal, and once on its company."""
    tell_all([deal], kind, lambda _deal: extra, actor)


def tell_all(
    deals: Sequence[Deal], kind: str, extra: Callable[[Deal], Mapping[str, Any]], actor: Actor
) -> None:
    """The same for many deals: one query for their people, one insert a thousand activities."""
    people: dict[int, list[int | None]] = defaultdict(list)
    members = DealContact.objects.filter(deal__in=[deal.pk for deal in deals]).order_by("-is_primary", "id")
    for deal_id, contact_id in members.values_list("deal_id", "contact_id"):
        people[deal_id].append(contact_id)
    activities_append(
        actor=actor,
        activities=[
            NewActivity(
                kind,
                pk,
                deal.company_id if i == 0 else None,
                ("deal", deal.pk),
                {**_said(deal), **extra(deal)},
            )
            for deal in deals
            for i, pk in enumerate(people.get(deal.pk) or [None])
        ],
    )


def _said(deal: Deal) -> dict[str, Any]:
    amount = None if deal.amount is None else str(deal.amount)
    return {"name": deal.name, "amount": amount, "currency": deal.currency}
