"""The closed loop: what was done about bad answers, and about other troubles that came by mail."""

import datetime as dt
from typing import Any

from crmcem.lib.actors import SYSTEM, Actor, acting, person
from crmcem.workspace.models import Notification, User
from feedback.models import Case
from feedback.policies import DETRACTOR, detractor_priority, sla_due

from .answers import Asked
from .comments import CAUSES
from .copying import load, load_as, take_ids
from .world import Someone, World

#: answers older than this had no case: the loop was closed from then on
DAYS = 330
INBOX = [
    ("Invoice without the tax number", "Asks for a corrected invoice for the last two orders.", "normal"),
    ("Wants to return an opened box set", "Bought as a present, the person has it already.", "low"),
    ("Voucher was not accepted", "Ten-dollar voucher of the Christmas mailing.", "normal"),
    ("Parcel at the wrong neighbour", "Carrier says delivered, nobody in the house has it.", "high"),
    ("Please delete my account", "Has moved to streaming, asks what we still hold.", "normal"),
    ("Order shows as paid twice", "Sends two bank statements.", "urgent"),
]


def make_cases(world: World, answered: list[Asked]) -> None:
    """Stores a case for every detractor of the time, a few from the inbox, and who was told."""
    begin = world.now - dt.timedelta(days=DAYS)
    bad = [a for a in answered if a.answer and a.at > begin and _is_bad(a.answer)]
    inbox = world.chance.sample([s for s in world.customers if s.owner_id], 40)
    ids = iter(take_ids(Case, len(bad) + len(inbox)))
    cx = person(world.people["cx"])
    rows: list[tuple[Actor, dict[str, Any]]] = [(SYSTEM, _from_answer(world, next(ids), a)) for a in bad]
    rows += [(cx, _from_inbox(world, next(ids), someone)) for someone in inbox]
    load_as(Case, rows, world.now)
    _notify(world, [row for _actor, row in rows])


def _is_bad(answer: dict[str, Any]) -> bool:
    return answer["nps"] is not None and answer["nps"] <= DETRACTOR


def _from_answer(world: World, pk: int, item: Asked) -> dict[str, Any]:
    assert item.answer is not None
    nps, words = item.answer["nps"], " ".join(item.answer["comment"].split())
    priority = detractor_priority(nps, len(item.someone.orders), None)
    row = _case(world, pk, item.someone, item.at + dt.timedelta(seconds=20), priority)
    row |= {
        "subject": f"Rated us {nps} of 10: “{words}”"[:300] if words else f"Rated us {nps} of 10",
        "body": item.answer["comment"],
        "source": "survey",
        "response_id": item.answer["id"],
    }
    return _life(world, row, item.someone, item.topic)


def _from_inbox(world: World, pk: int, someone: Someone) -> dict[str, Any]:
    subject, body, priority = world.chance.choice(INBOX)
    day = world.today - dt.timedelta(days=round(120 * world.chance.random() ** 2.4))
    row = _case(world, pk, someone, world.moment(day), priority)
    row |= {"subject": subject, "body": body, "source": "inbox", "response_id": None}
    return _life(world, row, someone, world.chance.choice(["delivery", "shop", "service"]))


def _case(world: World, pk: int, someone: Someone, at: dt.datetime, priority: str) -> dict[str, Any]:
    return {
        "id": pk,
        "contact_id": someone.pk,
        "owner_id": someone.owner_id,
        "team_id": someone.row["team_id"],
        "priority": priority,
        "sla_due_at": sla_due(priority, at),
        "created_at": at,
        "updated_at": at,
        "status": "open",
        "root_cause": "",
        "resolution": "",
        "resolved_at": None,
    }


def _life(world: World, row: dict[str, Any], someone: Someone, topic: str) -> dict[str, Any]:
    """Old cases are settled, most of them in time; the newest wait for somebody."""
    chance = world.chance
    age = (world.now - row["created_at"]).days
    opened = _payload(row) | {"source": row["source"], "response": row["response_id"]}
    subject = ("case", row["id"])
    world.happened("case.opened", row["created_at"], someone=someone, subject=subject, payload=opened)
    hours = (row["sla_due_at"] - row["created_at"]).total_seconds() / 3600
    settled = row["created_at"] + dt.timedelta(hours=hours * (0.15 + 1.1 * chance.random() ** 1.6))
    if settled < world.now and (age > 35 or chance.random() < 0.3):
        cause, texts = CAUSES[topic]
        row |= {"status": "resolved", "resolution": chance.choice(texts), "resolved_at": settled}
        row |= {"root_cause": cause if chance.random() < 0.92 else "", "updated_at": settled}
        who = world.actor(row["owner_id"]) if row["owner_id"] else person(world.people["cx"])
        done = _payload(row) | {"resolution": row["resolution"], "root_cause": row["root_cause"]}
        world.happened("case.resolved", settled, someone=someone, subject=subject, actor=who, payload=done)
        if age > 60 and chance.random() < 0.7:
            row["status"] = "closed"
    elif age > 1 and chance.random() < 0.3:
        row["status"] = "pending"
    return row


def _payload(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "case": row["id"],
        "subject": row["subject"],
        "status": row["status"],
        "priority": row["priority"],
        "owner": row["owner_id"],
    }


def _notify(world: World, rows: list[dict[str, Any]]) -> None:
    """What the owners found in their notifications; the old ones are read."""
    people: dict[int, User] = {user.pk: user for user in world.people.values()}
    found = []
    for row in sorted(rows, key=lambda r: r["created_at"]):
        age = (world.now - row["created_at"]).days
        if row["owner_id"] not in people or age > 60:
            continue
        read = None if age < 4 and row["status"] == "open" else row["created_at"] + dt.timedelta(hours=1)
        found.append(
            {
                "user_id": row["owner_id"],
                "kind": "case",
                "title": f"New case: {row['subject']}"[:300],
                "body": "",
                "url": f"/cases/{row['id']}/",
                "dedupe_key": f"case-opened:{row['id']}",
                "created_at": row["created_at"],
                "read_at": min(read, world.now) if read else None,
            }
        )
    with acting(SYSTEM):
        load(Notification, found, world.now)
