"""Deals with firms over the last quarter: through the stages, won, lost, still open, some of them rotting."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from contacts.models import Contact, Lifecycle, Pulse
from crmcem.lib.actors import Actor, person
from crmcem.workspace.models import User
from sales.models import Deal, DealContact, Pipeline, Stage, StageChange

from .copying import load, load_as, take_ids
from .world import Someone, World

DEALS = 140
OFFERS = [
    ("Background music for {firm}", 900, 9000),
    ("Wholesale order of {firm}", 2000, 40000),
    ("Record corner at {firm}", 1500, 12000),
    ("Concert series with {firm}", 4000, 60000),
    ("Listening stations for {firm}", 1200, 18000),
    ("Gift vouchers for {firm}", 500, 6000),
    ("Library collection for {firm}", 1500, 25000),
    ("Vinyl subscription for {firm}", 600, 4800),
]
WON = ["Best catalogue", "Fast delivery", "Known to us as a customer", "Price", "Good advice"]
LOST = ["Too expensive", "Chose a competitor", "No budget this year", "No decision", "Delivery took too long"]
COMPETITORS = ["Northern Sounds", "Discount Discs", "StreamCafé", "Vinyl Depot"]
ROLES = ["decision_maker", "champion", "influencer", "user"]


@dataclass(slots=True)
class Sale:
    """One deal in the making: its row, its people, and who sells."""

    row: dict[str, Any]
    people: list[Someone]
    seller: Actor
    changes: list[dict[str, Any]]


def make_deals(world: World) -> list[Sale]:
    """Stores the deals and answers them, for the interactions and tasks about them."""
    pipeline = Pipeline.objects.filter(is_default=True).first() or Pipeline.objects.earliest("position")
    stages = list(pipeline.stages.order_by("position", "id"))
    by_company: dict[int, list[Someone]] = {}
    for someone in world.customers:
        if someone.row["company_id"]:
            by_company.setdefault(someone.row["company_id"], []).append(someone)
    firms = [row for row in world.companies if row["id"] in by_company]
    sales = []
    for pk in take_ids(Deal, DEALS):
        firm = world.chance.choice(firms)
        sales.append(_sale(world, pk, firm, by_company[firm["id"]], stages))
    for stage in stages:
        column = [s.row for s in sales if s.row["stage_id"] == stage.pk and s.row["status"] == "open"]
        for position, row in enumerate(sorted(column, key=lambda r: r["stage_entered_at"], reverse=True)):
            row["position"] = position
    _store(world, sales)
    return sales


def _sale(world: World, pk: int, firm: dict[str, Any], staff: list[Someone], stages: list[Stage]) -> Sale:
    chance = world.chance
    owner = next((u for u in world.people.values() if u.pk == firm["owner_id"]), None) or _seller(world)
    offer, low, high = chance.choice(OFFERS)
    amount = low * (high / low) ** min(1.0, max(0.0, chance.gauss(0.35, 0.22)))
    made = world.moment(world.today - dt.timedelta(days=round(2 + 108 * chance.random() ** 0.8)))
    row = {
        "id": pk,
        "external_id": f"deal-{pk:04d}",
        "name": offer.format(firm=firm["name"]),
        "pipeline_id": stages[0].pipeline_id,
        "stage_id": stages[0].pk,
        "status": Deal.Status.OPEN,
        "amount": Decimal(round(amount, -2)).quantize(Decimal("0.01")),
        "currency": "USD",
        "company_id": firm["id"],
        "competitors": [chance.choice(COMPETITORS)] if chance.random() < 0.3 else [],
        "owner_id": owner.pk,
        "team_id": owner.team_id,
        "stage_entered_at": made,
        "rots_at": _rots(stages[0], made),
        "closed_at": None,
        "lost_reason": "",
        "won_reason": "",
        "position": 0,
        "created_at": made,
        "updated_at": made,
    }
    row["expected_close"] = made.date() + dt.timedelta(days=chance.randrange(50, 120))
    people = chance.sample(staff, min(len(staff), chance.choice([1, 1, 2, 3])))
    sale = Sale(row, people, person(owner), [])
    _change(world, sale, None, made)
    _tell(world, sale, "deal.created", made, {"stage": stages[0].name})
    _walk(world, sale, stages)
    return sale


def _seller(world: World) -> User:
    return world.people[world.chance.choice(["rep", "rep", "rep2"])]


def _rots(stage: Stage, at: dt.datetime) -> dt.datetime | None:
    return at + dt.timedelta(days=stage.rot_days) if stage.rot_days else None


def _walk(world: World, sale: Sale, stages: list[Stage]) -> None:
    """Onwards from stage to stage until it is closed, stuck, or now."""
    chance = world.chance
    ends = chance.choices(["won", "lost", "open"], [0.34, 0.24, 0.42])[0]
    last = len(stages) - 1 if ends == "won" else chance.randrange(len(stages))
    at, row = sale.row["created_at"], sale.row
    for before, stage in pairwise(stages[: last + 1]):
        at += dt.timedelta(days=chance.randrange(3, 19), hours=chance.randrange(-3, 4))
        if at >= world.now:
            return
        _change(world, sale, before, at, to=stage)
        row |= {"stage_id": stage.pk, "stage_entered_at": at, "rots_at": _rots(stage, at), "updated_at": at}
        _tell(world, sale, "deal.moved", at, {"from": before.name, "to": stage.name})
    at += dt.timedelta(days=chance.randrange(4, 22), hours=chance.randrange(-3, 4))
    if ends == "open" or at >= world.now:
        row["expected_close"] = world.today + dt.timedelta(days=chance.randrange(-8, 75))
        return
    reason = chance.choice(WON if ends == "won" else LOST)
    row |= {"status": ends, "closed_at": at, "rots_at": None, "updated_at": at, f"{ends}_reason": reason}
    stage = next(stage for stage in stages if stage.pk == row["stage_id"])
    _change(world, sale, stage, at)
    _tell(world, sale, f"deal.{ends}", at, {"reason": reason})


def _change(world: World, sale: Sale, before: Stage | None, at: dt.datetime, to: Stage | None = None) -> None:
    entered = sale.row["stage_entered_at"]
    sale.changes.append(
        {
            "deal_id": sale.row["id"],
            "from_stage_id": before.pk if before else None,
            "to_stage_id": to.pk if to else sale.row["stage_id"],
            "status": sale.row["status"],
            "at": at,
            "seconds_in_previous": int((at - entered).total_seconds()) if before else None,
            "actor_kind": sale.seller.kind,
            "actor_id": sale.seller.id,
        }
    )


def _tell(world: World, sale: Sale, kind: str, at: dt.datetime, extra: dict[str, Any]) -> None:
    """The activity on every person of the deal, and once on its company, as the service writes it."""
    row = sale.row
    payload = {"name": row["name"], "amount": str(row["amount"]), "currency": row["currency"], **extra}
    for position, someone in enumerate(sale.people):
        world.happened(
            kind, at, someone=someone, subject=("deal", row["id"]), actor=sale.seller, payload=payload
        )
        if position:
            world.activities[-1]["company_id"] = None


def _store(world: World, sales: list[Sale]) -> None:
    load_as(Deal, [(sale.seller, sale.row) for sale in sales], world.now)
    load(StageChange, [change for sale in sales for change in sale.changes], world.now)
    members = []
    for sale in sales:
        for position, someone in enumerate(sale.people):
            members.append(
                {
                    "deal_id": sale.row["id"],
                    "contact_id": someone.pk,
                    "role": ROLES[position],
                    "is_primary": position == 0,
                }
            )
    load(DealContact, members, world.now)
    _lifecycle(sales)


def _lifecycle(sales: list[Sale]) -> None:
    """Leads with an open deal are opportunities, those with a won one customers."""
    stages = {"open": Lifecycle.OPPORTUNITY, "won": Lifecycle.CUSTOMER}
    for status, stage in stages.items():
        ids = [
            someone.pk
            for sale in sales
            if sale.row["status"] == status
            for someone in sale.people
            if not someone.orders
        ]
        Contact.objects.filter(pk__in=ids).update(lifecycle_stage=stage)
        Pulse.objects.filter(pk__in=ids).update(lifecycle_stage=stage)
