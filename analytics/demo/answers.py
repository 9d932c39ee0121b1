"""The survey program: who was asked when, what they answered. It dips in spring, and recovers after a fix.

In spring the shop moved its warehouse and parcels came late for two months; a new carrier mended it.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from contacts.models import Contact
from crmcem.lib.actors import SYSTEM, Actor, acting, person
from feedback.models import Invitation, Question, Response, Survey
from feedback.services.responses import sheet
from feedback.services.surveys import survey_create, survey_publish

from .comments import comment
from .copying import load, take_ids
from .world import Someone, World

DAYS = 420
THROTTLE = 90
BUDGET = 30
TOPICS = ["delivery", "choice", "service", "shop"]
SURVEYS: dict[str, dict[str, Any]] = {
    "nps": {
        "name": "Would you recommend us?",
        "intro": "Two questions, one minute. We read every answer.",
        "thanks": "Thank you. If something went wrong, somebody will call you.",
        "email_subject": "How was it, {{ contact.first_name }}?",
        "email_body": "You ordered from {{ organisation.name }} lately. Would you tell us how it was?",
        "throttle": {"days": THROTTLE},
        "languages": ["en", "de"],
    },
    "csat": {
        "name": "How did we help?",
        "intro": "You talked to us a few days ago.",
        "throttle": {"days": BUDGET},
        "languages": ["en", "de"],
    },
    "ces": {"name": "Was your return easy?", "throttle": {"days": 60}, "languages": ["en", "de"]},
}


@dataclass(slots=True)
class Asked:
    """One invitation in the making, and its answer where there was one."""

    invitation: dict[str, Any]
    someone: Someone
    kind: str
    at: dt.datetime
    answer: dict[str, Any] | None = None
    topic: str = ""
    message_at: dt.datetime | None = None


def spring(today: dt.date) -> tuple[dt.date, dt.date]:
    """First and last day of the trouble: the latest spring that is over."""
    year = today.year if today >= dt.date(today.year, 6, 15) else today.year - 1
    return dt.date(year, 3, 18), dt.date(year, 5, 20)


def make_answers(world: World) -> list[Asked]:
    """Stores surveys, invitations and answers; answers those that were answered, oldest first."""
    surveys = make_surveys(world)
    asked = _plan(world)
    for pk, item in zip(take_ids(Invitation, len(asked)), asked, strict=True):
        item.invitation |= {"id": pk, "survey_id": surveys[item.kind].pk}
        _outcome(world, item)
    answered = sorted((item for item in asked if item.answer is not None), key=lambda item: item.at)
    questions = {kind: list(survey.questions.all()) for kind, survey in surveys.items()}
    for pk, item in zip(take_ids(Response, len(answered)), answered, strict=True):
        _fill(world, item, pk, surveys[item.kind], questions[item.kind])
    with acting(SYSTEM):
        load(Invitation, [item.invitation for item in asked], world.now)
        load(Response, [item.answer for item in answered if item.answer], world.now)
    for item in asked:
        _tell(world, item, surveys[item.kind])
    return [item for item in answered if item.answer and item.answer["status"] == "complete"]


def make_surveys(world: World) -> dict[str, Survey]:
    """The three surveys of the program, live."""
    actor = person(world.people["cx"])
    made = world.now - dt.timedelta(days=DAYS + 5)
    found = {}
    for kind, values in SURVEYS.items():
        survey = survey_create(actor=actor, kind=kind, **values)
        found[kind] = survey_publish(survey=survey, actor=actor)
        Survey.objects.filter(pk=survey.pk).update(created_at=made)
    return found


def _plan(world: World) -> list[Asked]:
    """Whom to ask: after orders, after talks, after returns; nobody too often."""
    chance = world.chance
    occasions: list[tuple[dt.datetime, str, str, Someone]] = []
    begin = world.now - dt.timedelta(days=DAYS)
    for someone in world.customers:
        for order in someone.orders:
            if order.at > begin:
                touchpoint = chance.choices(["order", "delivery", "shop"], [0.5, 0.35, 0.15])[0]
                occasions.append((order.at + dt.timedelta(days=4), "nps", touchpoint, someone))
                if chance.random() < 0.1:
                    occasions.append((order.at + dt.timedelta(days=16), "ces", "returns", someone))
    people = {someone.pk: someone for someone in world.customers}
    for activity in world.activities:
        if activity["kind"] == "interaction.logged" and activity["payload"]["direction"] == "in":
            at = activity["occurred_at"] + dt.timedelta(days=1)
            occasions.append((at, "csat", "support", people[activity["contact_id"]]))
    occasions.sort(key=lambda item: (item[0], item[3].pk))
    last: dict[int, dt.datetime] = {}
    last_nps: dict[int, dt.datetime] = {}
    asked = []
    for at, kind, touchpoint, someone in occasions:
        if at > world.now or at < begin:
            continue
        if at - last.get(someone.pk, begin - dt.timedelta(days=365)) < dt.timedelta(days=BUDGET):
            continue
        before = last_nps.get(someone.pk, begin - dt.timedelta(days=365))
        if kind == "nps" and at - before < dt.timedelta(days=THROTTLE):
            continue
        last[someone.pk] = at
        if kind == "nps":
            last_nps[someone.pk] = at
        asked.append(Asked(_invitation(someone, touchpoint, at), someone, kind, at))
    return asked


def _invitation(someone: Someone, touchpoint: str, at: dt.datetime) -> dict[str, Any]:
    return {
        "contact_id": someone.pk,
        "channel": "email",
        "touchpoint": touchpoint,
        "status": "sent",
        "suppressed_reason": "",
        "created_at": at,
        "sent_at": at + dt.timedelta(seconds=40),
        "opened_at": None,
        "answered_at": None,
        "expires_at": at + dt.timedelta(days=30),
    }


def _outcome(world: World, item: Asked) -> None:
    """Refused, ignored, begun, or answered."""
    chance, row = world.chance, item.invitation
    consent = (item.someone.row.get("consent") or {}).get("email", {})
    if consent.get("status") == "denied":
        row |= {
            "status": "suppressed",
            "suppressed_reason": "no_consent",
            "sent_at": None,
            "expires_at": None,
        }
        return
    lot = chance.random()
    later = row["sent_at"] + dt.timedelta(
        hours=2 + 150 * chance.random() ** 2.5, seconds=chance.randrange(3600)
    )
    share = {"nps": 0.4, "csat": 0.5, "ces": 0.55}[item.kind] + 0.06 * item.someone.mood
    if lot < share and later <= world.now:
        row |= {"status": "answered", "opened_at": later - dt.timedelta(seconds=70), "answered_at": later}
        item.answer, item.at = (
            {"status": "complete", "submitted_at": later, "started_at": row["opened_at"]},
            later,
        )
    elif lot < share + 0.06 and later <= world.now:
        row |= {"status": "opened", "opened_at": later}
        item.answer, item.at = {"status": "partial", "submitted_at": None, "started_at": later}, later
    if row["status"] != "answered" and row["expires_at"] <= world.now:
        row["status"] = "expired"


def _fill(world: World, item: Asked, pk: int, survey: Survey, questions: list[Question]) -> None:
    chance, someone = world.chance, item.someone
    score, band, item.topic = _score(world, item)
    clean: dict[str, Any] = {item.kind: score}
    eager = {"promoter": 0.5, "passive": 0.35, "detractor": 0.8}[band]
    assert item.answer is not None
    if item.answer["status"] == "complete" and chance.random() < eager:
        clean["comment"] = comment(chance, someone.language, band, item.topic)
    row = someone.row
    contact = Contact(
        id=row["id"], owner_id=row["owner_id"], company_id=row["company_id"], language=row["language"]
    )
    item.answer |= sheet(survey, questions, clean, contact, "")
    item.answer |= {
        "id": pk,
        "survey_id": survey.pk,
        "contact_id": someone.pk,
        "invitation_id": item.invitation["id"],
        "touchpoint": item.invitation["touchpoint"],
    }


def _score(world: World, item: Asked) -> tuple[int, str, str]:
    """The score, its band and what it is about."""
    chance = world.chance
    first, last = spring(world.today)
    trouble = first <= item.invitation["created_at"].date() <= last
    after = item.invitation["created_at"].date() > last
    topic = chance.choices(TOPICS, [0.35, 0.25, 0.25, 0.15])[0]
    feeling = 1.3 * item.someone.mood + (0.45 if after else 0.0)
    if trouble:
        feeling -= 2.3
        topic = "delivery" if chance.random() < 0.75 else topic
    if item.someone.owner_id == world.people["rep2"].pk:
        feeling -= 0.35
    if item.kind == "nps":
        score = max(0, min(10, round(chance.gauss(8.2 + feeling, 1.9))))
        return score, "promoter" if score >= 9 else "passive" if score >= 7 else "detractor", topic
    if item.kind == "csat":
        score = max(1, min(5, round(chance.gauss(4.15 + 0.4 * feeling, 0.9))))
        topic = "service" if topic == "shop" else topic
        return score, "promoter" if score == 5 else "passive" if score == 4 else "detractor", topic
    score = max(1, min(7, round(chance.gauss(5.4 + 0.6 * feeling, 1.3))))
    return score, "promoter" if score >= 6 else "passive" if score == 5 else "detractor", "service"


def _tell(world: World, item: Asked, survey: Survey) -> None:
    row, someone = item.invitation, item.someone
    subject, customer = ("invitation", row["id"]), Actor("customer", someone.pk)
    refused = row["status"] == "suppressed"
    payload = {
        "survey": survey.pk,
        "name": survey.name,
        "channel": row["channel"],
        "touchpoint": row["touchpoint"],
        "reason": row["suppressed_reason"],
    }
    kind = "survey.suppressed" if refused else "survey.invited"
    world.happened(kind, row["created_at"], someone=someone, subject=subject, payload=payload)
    if row["opened_at"]:
        opened = {"survey": survey.pk, "name": survey.name}
        world.happened(
            "survey.opened",
            row["opened_at"],
            someone=someone,
            subject=subject,
            actor=customer,
            payload=opened,
        )
    answer = item.answer
    if answer is None or answer["status"] != "complete":
        return
    said = {name: answer[name] for name in ("nps", "csat", "csat_scale", "ces", "touchpoint")}
    said |= {"survey": survey.pk, "name": survey.name, "kind": survey.kind, "response": answer["id"]}
    said |= {"comment": answer["comment"][:280], "sentiment": answer.get("sentiment_score")}
    world.happened(
        "survey.answered",
        answer["submitted_at"],
        someone=someone,
        subject=("response", answer["id"]),
        actor=customer,
        payload=said,
    )
