"""Talks that were and tasks that will be: with buyers, with customers in trouble, with friends of the shop."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from contacts.models import Interaction, Task
from contacts.services.tasks import recompute_next_activity
from crmcem.lib.actors import Actor, person

from .copying import load_as, take_ids
from .deals import Sale
from .words import CARE_TALKS, CUSTOMER_TASKS, DEAL_TASKS, SALES_TALKS, SUPPORT_TALKS
from .world import Someone, World

SUPPORT = 420
CARE = 160
#: how many tasks: overdue, due today, still to come, done, cancelled
TASKS = (("overdue", 16), ("today", 14), ("future", 58), ("done", 64), ("cancelled", 5))

Talk = tuple[Any, ...]


def make_work(world: World, sales: list[Sale]) -> list[Someone]:
    """Stores interactions and tasks. Answers who called for support and when, newest last."""
    talks: list[tuple[Actor, dict[str, Any], Someone]] = []
    for sale in sales:
        end = sale.row["closed_at"] or world.now
        for talk in world.chance.sample(SALES_TALKS, world.chance.choice([1, 2, 2, 3])):
            at = _between(world, sale.row["created_at"], end)
            someone = world.chance.choice(sale.people)
            talks.append((sale.seller, _talk(talk, at, someone, sale.seller, sale.row["id"]), someone))
    callers = _callers(world)
    for someone, at in callers:
        actor = _whose(world, someone, "cx")
        talks.append((actor, _talk(world.chance.choice(SUPPORT_TALKS), at, someone, actor), someone))
    friends = [s for s in world.customers if s.owner_id and (s.mood > 0.3 or "lapsed" in s.row["tags"])]
    for _ in range(CARE):
        someone = world.chance.choice(friends)
        at = _between(world, world.now - dt.timedelta(days=330), world.now)
        actor = _whose(world, someone, "rep")
        talks.append((actor, _talk(world.chance.choice(CARE_TALKS), at, someone, actor), someone))
    _store_talks(world, talks)
    _tasks(world, sales)
    return [someone for someone, _at in callers]


def _between(world: World, start: dt.datetime, end: dt.datetime) -> dt.datetime:
    days = max(1, (end - start).days)
    at = world.moment((start + dt.timedelta(days=world.chance.randrange(days))).date())
    return max(start, min(at, end))


def _whose(world: World, someone: Someone, otherwise: str) -> Actor:
    return world.actor(someone.owner_id) if someone.owner_id else person(world.people[otherwise])


def _callers(world: World) -> list[tuple[Someone, dt.datetime]]:
    """Who had trouble, a few days after an order of the last year."""
    year = world.now - dt.timedelta(days=370)
    orders = [
        (s, o) for s in world.customers for o in s.orders if year < o.at < world.now - dt.timedelta(days=3)
    ]
    found = []
    for someone, order in world.chance.sample(orders, min(SUPPORT, len(orders))):
        day = order.at.date() + dt.timedelta(days=world.chance.randrange(2, 11))
        found.append((someone, world.moment(min(day, world.today))))
    return sorted(found, key=lambda pair: pair[1])


def _talk(
    talk: Talk, at: dt.datetime, someone: Someone, actor: Actor, deal: int | None = None
) -> dict[str, Any]:
    kind, direction, subject, body, minutes, outcome = talk
    return {
        "contact_id": someone.pk,
        "company_id": someone.row["company_id"],
        "deal_id": deal,
        "kind": kind,
        "direction": direction,
        "occurred_at": at,
        "subject": subject,
        "body": body,
        "duration_seconds": minutes * 60 if minutes else None,
        "outcome": outcome,
        "owner_id": someone.owner_id,
        "team_id": someone.row["team_id"],
        "created_at": at,
        "updated_at": at,
    }


def _store_talks(world: World, talks: list[tuple[Actor, dict[str, Any], Someone]]) -> None:
    talks.sort(key=lambda item: item[1]["occurred_at"])
    for pk, (actor, row, someone) in zip(take_ids(Interaction, len(talks)), talks, strict=True):
        row["id"] = pk
        names = ("kind", "direction", "subject", "outcome", "duration_seconds")
        payload = {name: row[name] for name in names} | {"deal": row["deal_id"]}
        world.happened(
            "interaction.logged",
            row["occurred_at"],
            someone=someone,
            subject=("interaction", pk),
            actor=actor,
            payload=payload,
        )
    load_as(Interaction, [(actor, row) for actor, row, _someone in talks], world.now)


def _tasks(world: World, sales: list[Sale]) -> None:
    open_sales = [sale for sale in sales if sale.row["status"] == "open"]
    rows: list[tuple[Actor, dict[str, Any]]] = []
    wanted = [state for state, count in TASKS for _ in range(count)]
    about: dict[int, Someone] = {}
    for pk, state in zip(take_ids(Task, len(wanted)), wanted, strict=True):
        sale = world.chance.choice(open_sales) if world.chance.random() < 0.6 else None
        someone = sale.people[0] if sale else world.chance.choice(_owned(world))
        actor = sale.seller if sale else world.actor(someone.owner_id)
        title, kind, priority = world.chance.choice(DEAL_TASKS if sale else CUSTOMER_TASKS)
        row = _task(world, pk, state, someone, actor)
        row |= {
            "title": title,
            "kind": kind,
            "priority": priority,
            "deal_id": sale.row["id"] if sale else None,
        }
        rows.append((actor, row))
        about[pk] = someone
        _tell(world, row, someone, actor)
    rows += _routines(world)
    load_as(Task, rows, world.now)
    recompute_next_activity({someone.pk for someone in about.values()})


def _owned(world: World) -> list[Someone]:
    reps = {world.people["rep"].pk, world.people["rep2"].pk}
    return [someone for someone in world.customers if someone.owner_id in reps]


def _task(world: World, pk: int, state: str, someone: Someone, actor: Actor) -> dict[str, Any]:
    chance = world.chance
    days = {
        "overdue": -chance.randrange(1, 12),
        "today": 0,
        "future": chance.randrange(1, 30),
        "done": -chance.randrange(1, 90),
        "cancelled": -chance.randrange(5, 60),
    }[state]
    due = world.clock(days, chance.randrange(9, 17), chance.choice([0, 30]))
    made = min(due, world.now) - dt.timedelta(days=chance.randrange(1, 9), minutes=chance.randrange(300))
    row = {
        "id": pk,
        "due_at": due,
        "remind_at": due - dt.timedelta(minutes=30) if chance.random() < 0.4 else None,
        "reminded_at": None,
        "status": state if state in ("done", "cancelled") else "open",
        "completed_at": None,
        "time_zone": actor.user.time_zone,
        "contact_id": someone.pk,
        "company_id": someone.row["company_id"],
        "owner_id": actor.id,
        "team_id": actor.user.team_id,
        "created_at": made,
        "updated_at": made,
    }
    if row["remind_at"] and row["remind_at"] <= world.now:
        row["reminded_at"] = row["remind_at"]
    if state == "done":
        row["completed_at"] = row["updated_at"] = min(
            due + dt.timedelta(minutes=chance.randrange(-240, 90)), world.now
        )
    return row


def _tell(world: World, row: dict[str, Any], someone: Someone, actor: Actor) -> None:
    said = {"title": row["title"], "kind": row["kind"], "due_at": row["due_at"].isoformat()}
    said |= {"deal": row["deal_id"], "assignee": row["owner_id"]}
    world.happened(
        "task.created",
        row["created_at"],
        someone=someone,
        subject=("task", row["id"]),
        actor=actor,
        payload=said,
    )
    if row["status"] != "open":
        kind = "task.completed" if row["status"] == "done" else "task.cancelled"
        at = row["completed_at"] or row["due_at"]
        world.happened(kind, at, someone=someone, subject=("task", row["id"]), actor=actor, payload=said)


def _routines(world: World) -> Sequence[tuple[Actor, dict[str, Any]]]:
    """What comes back every week, about nobody in particular."""
    found = []
    titles = {
        "rep": "Plan the week",
        "rep2": "Plan the week",
        "manager": "Go through the forecast",
        "cx": "Read all comments of the week",
    }
    for (name, title), pk in zip(titles.items(), take_ids(Task, len(titles)), strict=True):
        user = world.people[name]
        due = world.clock(7 - world.today.weekday(), 9)
        row = {
            "id": pk,
            "title": title,
            "due_at": due,
            "series_start": due,
            "recurrence": "weekly",
            "time_zone": user.time_zone,
            "owner_id": user.pk,
            "team_id": user.team_id,
            "created_at": world.now,
        }
        found.append((person(user), row))
        world.happened(
            "task.created",
            world.now,
            subject=("task", pk),
            actor=person(user),
            payload={
                "title": title,
                "kind": "todo",
                "due_at": due.isoformat(),
                "deal": None,
                "assignee": user.pk,
            },
        )
    return found
