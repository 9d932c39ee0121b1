"""Companies, the customers with their real purchases, business leads, and what they did in the shop."""

import datetime as dt
from typing import Any

from contacts.models import Company, Contact, ContactPoint, Lifecycle, Pulse
from crmcem.lib.actors import SYSTEM, Actor, acting, person
from crmcem.workspace.models import User

from . import names
from .cdnow import Purchase, by_customer
from .copying import load, take_ids
from .world import Order, Someone, World

COMPANIES = 180
LEADS = 143
#: shares of the owners: the rest belongs to nobody yet
OWNERS = (("rep", 0.42), ("rep2", 0.34), ("manager", 0.12))
PAGES = [
    "/new-releases/",
    "/jazz/",
    "/classical/",
    "/rock/",
    "/soul/",
    "/offers/",
    "/vinyl/",
    "/account/orders/",
    "/help/returns/",
    "/help/delivery/",
    "/search/?q=coltrane",
    "/search/?q=box+set",
]


def make_customers(world: World) -> None:
    """Fills ``world.companies`` and ``world.customers`` (purchasers first) and stores them."""
    world.companies = _companies(world)
    bought = by_customer(world.today)
    ids = iter(take_ids(Contact, len(bought) + LEADS))
    numbers = {"en": 0, "de": 0}
    taken: set[str] = set()
    for customer, purchases in bought.items():
        someone = _someone(world, next(ids), numbers, taken)
        _purchaser(world, someone, customer, purchases)
        world.customers.append(someone)
    for _ in range(LEADS):
        someone = _someone(world, next(ids), numbers, taken, at_work=True)
        _lead(world, someone)
        world.customers.append(someone)
    _number_orders(world)
    _store(world)
    for someone in world.customers:
        _visits(world, someone)


def _companies(world: World) -> list[dict[str, Any]]:
    ids = take_ids(Company, COMPANIES)
    rows: list[dict[str, Any]] = []
    for pk, (name, industry, size) in zip(ids, names.firms(world.chance, COMPANIES), strict=True):
        owner = _owner(world)
        made = world.moment(world.today - dt.timedelta(days=world.chance.randrange(200, 545)))
        domain = f"{names.plain(name)}.example"
        rows.append(
            {
                "id": pk,
                "external_id": f"firm-{len(rows) + 1:04d}",
                "name": name,
                "domain": domain,
                "website": f"https://www.{domain}/",
                "industry": industry,
                "size": size,
                "owner_id": owner.pk if owner else None,
                "team_id": owner.team_id if owner else None,
                "created_at": made,
                "updated_at": made,
            }
        )
        world.happened(
            "company.created",
            made,
            company_id=pk,
            actor=world.actor(rows[-1]["owner_id"]),
            payload={"name": name},
        )
    return rows


def _owner(world: World) -> User | None:
    lot = world.chance.random()
    for name, share in OWNERS:
        if lot < share:
            return world.people[name]
        lot -= share
    return None


def _someone(
    world: World, pk: int, numbers: dict[str, int], taken: set[str], at_work: bool = False
) -> Someone:
    chance = world.chance
    language = "de" if chance.random() < 0.14 else "en"
    first, last = names.people(chance, language)
    company = chance.choice(world.companies) if at_work or chance.random() < 0.3 else None
    owner_id = company["owner_id"] if company else getattr(_owner(world), "pk", None)
    owner = next((u for u in world.people.values() if u.pk == owner_id), None)
    phone = None
    if at_work or chance.random() < 0.35:
        phone = names.phone(language, numbers[language])
        numbers[language] += 1
    return Someone(
        {
            "id": pk,
            "first_name": first,
            "last_name": last,
            "email": _email(first, last, company, taken),
            "phone": phone,
            "job_title": chance.choice(names.JOBS) if company else "",
            "company_id": company["id"] if company else None,
            "owner_id": owner_id,
            "team_id": owner.team_id if owner else None,
            "language": language,
            "time_zone": "Europe/Berlin" if language == "de" else chance.choice(_ZONES),
            "tags": [names.TAG],
        }
    )


_ZONES = ["America/New_York", "America/New_York", "America/Chicago", "America/Los_Angeles"]


def _email(first: str, last: str, company: dict[str, Any] | None, taken: set[str]) -> str:
    domain = company["domain"] if company else "mail.example"
    base = f"{names.plain(first)}.{names.plain(last)}"
    address, number = f"{base}@{domain}", 1
    while address in taken:
        number += 1
        address = f"{base}{number}@{domain}"
    taken.add(address)
    return address


def _purchaser(world: World, someone: Someone, customer: str, purchases: list[Purchase]) -> None:
    row, chance = someone.row, world.chance
    someone.orders = [
        Order("", world.moment(p.day, 8, 22), p.items, str(p.amount))
        for p in sorted(purchases, key=lambda p: p.day)
    ]
    since = (world.today - purchases[-1].day).days
    loyal = len(purchases) >= 6
    someone.mood = (0.35 if loyal else 0.0) - (0.3 if since > 270 else 0.0) + chance.gauss(0, 0.25)
    row["external_id"] = f"CDNOW-{customer}"
    row["lifecycle_stage"] = Lifecycle.CUSTOMER if since <= 365 else Lifecycle.FORMER
    row["created_at"] = row["updated_at"] = someone.orders[0].at
    row["tags"] = [*row["tags"], *(["loyal"] if loyal else []), *(["lapsed"] if since > 270 else [])]
    lot = chance.random()
    if lot < 0.8:
        row["consent"] = {
            "email": {
                "status": "granted" if lot < 0.74 else "denied",
                "at": someone.orders[0].at.isoformat(),
                "source": "checkout" if lot < 0.74 else "preference page",
            }
        }
    world.happened("contact.created", someone.orders[0].at, someone=someone, payload={"name": someone.name})


def _lead(world: World, someone: Someone) -> None:
    """Somebody at a firm who has bought nothing yet."""
    made = world.moment(world.today - dt.timedelta(days=world.chance.randrange(1, 170)))
    lot = world.chance.random()
    stage = Lifecycle.SUBSCRIBER if lot < 0.15 else Lifecycle.LEAD if lot < 0.7 else Lifecycle.QUALIFIED
    someone.row |= {
        "external_id": f"lead-{someone.pk}",
        "lifecycle_stage": stage,
        "created_at": made,
        "updated_at": made,
        "tags": [*someone.row["tags"], "business"],
    }
    world.happened(
        "contact.created",
        made,
        someone=someone,
        actor=world.actor(someone.owner_id),
        payload={"name": someone.name},
    )


def _number_orders(world: World) -> None:
    """The shop's order numbers follow time."""
    shop = person(world.people["integrator"])
    everything = [(order, someone) for someone in world.customers for order in someone.orders]
    for number, (order, someone) in enumerate(sorted(everything, key=lambda pair: pair[0].at), 10001):
        order.number = str(number)
        world.happened("order.placed", order.at, someone=someone, actor=shop, payload=order_properties(order))


def order_properties(order: Order) -> dict[str, Any]:
    """What the shop sends with ``order.placed``."""
    return {"order": order.number, "amount": order.amount, "currency": "USD", "items": order.items}


def _visits(world: World, someone: Someone) -> None:
    """Pages seen before the orders of this year, and without an order by some."""
    chance = world.chance
    shop = person(world.people["integrator"])
    begin = world.now - dt.timedelta(days=300)
    for order in someone.orders:
        if order.at > begin:
            _session(world, someone, order.at - dt.timedelta(minutes=chance.randrange(9, 40)), shop)
    often = 0.2 if someone.mood > 0 else 0.08
    if chance.random() < often:
        for _ in range(chance.randrange(1, 4)):
            day = world.today - dt.timedelta(days=round(45 * chance.random() ** 1.3))
            _session(world, someone, world.moment(day, 8, 22), shop)


def _session(world: World, someone: Someone, at: dt.datetime, shop: Actor) -> None:
    chance = world.chance
    world.happened(
        "account.signed_in", at, someone=someone, actor=shop, payload={"device": chance.choice(_DEVICES)}
    )
    for page in chance.sample(PAGES, chance.choice([1, 1, 2])):
        at += dt.timedelta(seconds=chance.randrange(20, 160))
        world.happened("page.viewed", at, someone=someone, actor=shop, payload={"path": page})


_DEVICES = ["phone", "phone", "computer", "tablet"]


def _store(world: World) -> None:
    rows = [someone.row for someone in world.customers]
    with acting(SYSTEM):
        load(Company, world.companies, world.now)
        load(Contact, rows, world.now)
    points = [
        {
            "contact_id": row["id"],
            "kind": kind,
            "value": row[kind],
            "is_primary": True,
            "created_at": row["created_at"],
        }
        for row in rows
        for kind in ("email", "phone")
        if row[kind]
    ]
    load(ContactPoint, points, world.now)
    copied = ("owner_id", "team_id", "lifecycle_stage")
    load(Pulse, [{"contact_id": row["id"]} | {name: row[name] for name in copied} for row in rows], world.now)
