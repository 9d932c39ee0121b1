"""Whatever changes, and wherever the clock stands: the members of a live segment are those of the plain question."""

import datetime as dt
import random
from collections import Counter
from typing import Any

import pytest
from django.utils import timezone

from contacts.conditions import contact_fields
from contacts.models import Activity, Contact, Segment, SegmentMember, SegmentTimer, Task
from contacts.services.segmenting import filling
from contacts.services.segmenting.keeping import segments_keep
from contacts.services.segmenting.watching import zone
from contacts.services.segments import segment_create, segment_update
from crmcem.lib.actors import SYSTEM, person
from crmcem.lib.conditions import SegmentBody, due, parse, possible, to_q
from crmcem.workspace import organisation
from crmcem.workspace.models import Organisation
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory

pytestmark = pytest.mark.django_db

TIMES = ("pulse.last_seen_at", "pulse.nps_at", "pulse.next_activity_at", "created_at")
KINDS = ("order.placed", "page.viewed")
SPANS = ("minutes", "hours", "days", "weeks", "months", "years")


class World:
    """Contacts, what they do, and a clock that only moves on."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = timezone.now().replace(microsecond=0)
        self.companies = [CompanyFactory(name=name, industry="Toys") for name in ("Acme", "Zeta")]
        for _ in range(6):
            self.born()

    # --- conditions ---------------------------------------------------------------------------------
    def span(self, *units: str) -> dict[str, int]:
        unit = self.random.choice(units or SPANS)
        most = {"minutes": 90, "hours": 60, "days": 40, "weeks": 6, "months": 3, "years": 1}[unit]
        return {unit: self.random.randint(1, most)}

    def moment(self) -> Any:
        period = self.random.choice(("day", "week", "month", "quarter", "year"))
        return self.random.choice(
            [
                "now",
                "today",
                "yesterday",
                "tomorrow",
                {"ago": self.span()},
                {"from_now": self.span()},
                {"start_of": period, "offset": self.random.randint(-1, 1)},
                {"end_of": period, "offset": self.random.randint(-1, 1)},
                (self.now + dt.timedelta(days=self.random.randint(-9, 9))).date().isoformat(),
            ]
        )

    def temporal(self) -> dict[str, Any]:
        op = self.random.choice(
            ("on", "before", "after", "in_last", "not_in_last", "in_next", "ne", "gte", "lt", "between")
        )
        value = self.span() if op in ("in_last", "not_in_last", "in_next") else self.moment()
        return {"op": op, "value": [self.moment(), self.moment()] if op == "between" else value}

    def activity(self) -> dict[str, Any]:
        leaf: dict[str, Any] = {
            "activity": self.random.choice(KINDS),
            "within": self.span("hours", "days", "months"),
        }
        measure = self.random.choice(("count", "count", "count", "sum", "last", "together"))
        if self.random.random() < 0.25:
            leaf["where"] = [{"property": "amount", "op": "gt", "value": self.random.randint(1, 9)}]
        elif self.random.random() < 0.15:
            leaf["where"] = [{"property": "until", "op": "before", "value": "today"}]
        if measure == "last":
            found = self.temporal()
            if found["op"] in ("in_next", "ne"):
                found = {"op": "before", "value": {"ago": {"days": 2}}}
            return leaf | {"op": found["op"], "last": found["value"]}
        if measure == "together":
            return leaf | {"op": "gte", "count": 2, "together": self.span("hours", "days")}
        op = self.random.choice(("eq", "ne", "gt", "gte", "lt", "lte", "between"))
        value = self.random.randint(0, 3)
        if measure == "sum":
            leaf["of"], value = "amount", value * 5
        return leaf | {"op": op, measure: [value, value + 1] if op == "between" else value}

    def leaf(self, segments: list[Segment]) -> dict[str, Any]:
        plain: list[dict[str, Any]] = [
            {"field": "tags", "op": "has_any", "value": ["vip"]},
            {"field": "lifecycle_stage", "op": "eq", "value": "lead"},
            {"field": "company.industry", "op": "eq", "value": "toys"},
            {"field": "pulse.nps", "op": "gte", "value": 7},
        ]
        plain += [self.related(), self.related()]
        named = [{"segment": str(segment.pk)} for segment in segments]
        timed = {"field": self.random.choice(TIMES), **self.temporal()}
        return self.random.choice(
            [*plain, timed, timed, timed, timed, *[self.activity() for _ in range(4)], *named]
        )

    def related(self) -> dict[str, Any]:
        name, field, values = self.random.choice(
            (
                ("tasks", "status", ("open", "done")),
                ("tasks", "due_at", ()),
                ("company", "industry", ("Toys", "Food")),
                ("company", "created_at", ()),
            )
        )
        inner = self.temporal() if not values else {"op": "eq", "value": self.random.choice(values)}
        where: dict[str, Any] = {"field": field, **inner}
        if self.random.random() < 0.3:
            where = {"not": where}
        several = [] if name == "company" else [{"at_least": 1}, {"at_least": 2}]
        return {"related": name, "has": self.random.choice(["any", "none", *several]), "where": where}

    def tree(self, segments: list[Segment], depth: int = 2) -> dict[str, Any]:
        if depth == 0 or self.random.random() < 0.35:
            return self.leaf(segments)
        if self.random.random() < 0.25:
            return {"not": self.tree(segments, depth - 1)}
        head = self.random.choice(("all", "any"))
        return {head: [self.tree(segments, depth - 1) for _ in range(self.random.randint(1, 3))]}

    # --- what happens -------------------------------------------------------------------------------
    def someone(self) -> Contact:
        found: Contact = self.random.choice(list(Contact.objects.select_related("pulse").order_by("pk")))
        return found

    def instant(self) -> dt.datetime:
        far = self.random.choice((3600, 86400, 40 * 86400, 100 * 86400))
        return self.now + dt.timedelta(seconds=self.random.randint(-far, far // 4))

    def born(self) -> None:
        contact = ContactFactory(company=self.random.choice([None, *self.companies]))
        Contact.objects.filter(pk=contact.pk).update(created_at=self.now)

    def died(self) -> None:
        if Contact.objects.count() > 3:
            self.someone().delete()

    def changed(self) -> None:
        rows = Contact.objects.filter(pk=self.someone().pk)
        rows.update(
            tags=self.random.choice(([], ["vip"])),
            lifecycle_stage=self.random.choice(("lead", "customer")),
            company=self.random.choice([None, *self.companies]),
        )

    def company_changed(self) -> None:
        company = self.random.choice(self.companies)
        company.industry = self.random.choice(("Toys", "Food"))
        company.save()

    def planned(self) -> None:
        """A task comes, changes, goes to somebody else or goes."""
        tasks = list(Task.objects.order_by("pk"))
        if not tasks or self.random.random() < 0.4:
            Task.objects.create(title="Call", contact=self.someone(), due_at=self.instant())
            return
        task = self.random.choice(tasks)
        if self.random.random() < 0.2:
            task.delete()
            return
        task.status = self.random.choice(("open", "done"))
        task.due_at = self.random.choice((None, self.instant()))
        task.contact = self.someone()
        task.save()

    def felt(self) -> None:
        pulse = self.someone().pulse
        for name in ("last_seen_at", "nps_at", "next_activity_at"):
            if self.random.random() < 0.6:
                setattr(pulse, name, self.random.choice((None, self.instant(), self.instant())))
        pulse.nps = self.random.choice((None, 3, 9))
        pulse.save()

    def acted(self) -> None:
        for _ in range(self.random.randint(1, 3)):
            occurred = min(self.instant(), self.now + dt.timedelta(hours=1))
            Activity.objects.create(
                kind=self.random.choice(KINDS),
                contact_id=self.someone().pk,
                occurred_at=occurred,
                received_at=self.now,
                payload={
                    "amount": self.random.randint(1, 12),
                    "until": str((self.now + dt.timedelta(days=2)).date()),
                },
            )

    def waited(self) -> None:
        seconds = self.random.choice((90, 5000, 40_000, 86_400, 9 * 86_400, 35 * 86_400))
        self.now += dt.timedelta(seconds=self.random.randint(1, seconds))

    def step(self) -> str:
        choices = (
            self.born,
            self.died,
            self.changed,
            self.company_changed,
            self.planned,
            self.planned,
            self.felt,
            self.felt,
            self.acted,
            self.acted,
        )
        what = self.random.choice((*choices, self.waited, self.waited, self.waited))
        what()
        return what.__name__


def plainly(segment: Segment, now: dt.datetime) -> set[int]:
    """Who belongs by the conditions alone, those of other segments included."""
    bodies = {
        str(pk): SegmentBody(name="", conditions=c)
        for pk, c in Segment.objects.values_list("pk", "conditions")
    }
    before, contact_fields.segments = contact_fields.segments, lambda key, user: bodies.get(key)
    try:
        node = parse(segment.conditions, contact_fields)
        return set(Contact.objects.filter(to_q(node, now=now, tz=zone())).values_list("pk", flat=True))
    finally:
        contact_fields.segments = before


def members(segment: Segment) -> set[int]:
    return set(SegmentMember.objects.filter(segment=segment).values_list("contact_id", flat=True))


@pytest.mark.parametrize("seed", range(6))
def test_members_equal_the_plain_question_after_every_step(
    seed: int, drain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Organisation.objects.update_or_create(
        pk=1, defaults={"time_zone": random.Random(seed).choice(("UTC", "Europe/Berlin", "America/New_York"))}
    )
    organisation.forget()
    monkeypatch.setattr(filling, "CHUNK", 4)
    world = World(seed)
    segments: list[Segment] = []
    for n in range(8):
        data = {"name": f"S{n}", "conditions": world.tree(segments[:3])}
        segments.append(segment_create(data=data, actor=SYSTEM))
    segments_keep(now=world.now, settled=True)
    at_first = {segment.pk: members(segment) for segment in segments}
    steps: list[str] = []
    for _ in range(20):
        steps.append(world.step())
        drain()
        segments_keep(now=world.now, settled=True)
        for segment in segments:
            assert members(segment) == plainly(segment, world.now), (steps, segment.conditions, world.now)
    _what_the_stream_says(segments, at_first)
    assert not SegmentTimer.objects.filter(due_at__lte=world.now).exists()


def _what_the_stream_says(segments: list[Segment], at_first: dict[int, set[int]]) -> None:
    """Those who were there at first, plus those who entered, less those who left, are the members."""
    for segment in segments:
        segment.refresh_from_db()
        assert segment.size == len(members(segment))
        told: Counter[int] = Counter(at_first[segment.pk])
        rows = Activity.objects.filter(subject_type="segment", subject_id=segment.pk).order_by("id")
        for kind, contact in rows.values_list("kind", "contact_id"):
            told[contact] += 1 if kind == "segment.entered" else -1
            assert told[contact] in (0, 1)
        alive = set(Contact.objects.values_list("pk", flat=True))
        assert {pk for pk, n in told.items() if n and pk in alive} == members(segment)


def test_conditions_change_while_things_move(drain: Any) -> None:
    world = World(99)
    segments: list[Segment] = []
    for n in range(4):
        segments.append(
            segment_create(data={"name": f"S{n}", "conditions": world.tree(segments)}, actor=SYSTEM)
        )
    for _ in range(15):
        world.step()
        segment = world.random.choice(segments[1:])
        used = [each for each in segments if each.pk < segment.pk]
        segment_update(segment=segment, data={"conditions": world.tree(used)}, actor=SYSTEM)
        world.step()
        drain()
        segments_keep(now=world.now, settled=True)
        for each in Segment.objects.all():
            assert members(each) == plainly(each, world.now), each.conditions


@pytest.mark.parametrize("seed", range(6))
def test_a_next_instant_is_never_too_late(seed: int) -> None:
    """Between now and the earliest next instant nobody's answer changes: looked at every few hours for weeks."""
    world = World(1000 + seed)
    for _ in range(20):
        world.random.choice((world.felt, world.acted, world.changed, world.planned))()
    for _ in range(6):
        node = parse(world.tree([], depth=1), contact_fields)
        moment = due(node, now=world.now, tz=zone())
        could = possible(node, now=world.now, tz=zone())
        first: dict[int, Any] = {}
        if moment is not None:
            first = dict(Contact.objects.filter(could).annotate(next_at=moment).values_list("pk", "next_at"))
        before = set(
            Contact.objects.filter(to_q(node, now=world.now, tz=zone())).values_list("pk", flat=True)
        )
        for hours in range(0, 24 * 45, 7):
            later = world.now + dt.timedelta(hours=hours)
            after = set(Contact.objects.filter(to_q(node, now=later, tz=zone())).values_list("pk", flat=True))
            for pk in before ^ after:
                assert first.get(pk) is not None, (node, pk, later)
                assert first[pk] <= later, (node, pk, later)


def test_a_person_of_the_team_sees_only_what_is_theirs_on_the_timeline(
    cast: Cast, api: Any, web: Any
) -> None:
    """The name of a private segment is its owner's alone."""
    contact = ContactFactory(owner=cast.rep, team=cast.north)
    vip = {"field": "tags", "op": "has_any", "value": ["vip"]}
    segment_create(data={"name": "My secret list", "conditions": vip}, actor=person(cast.rep))
    segments_keep(settled=True)
    Contact.objects.filter(pk=contact.pk).update(tags=["vip"])
    segments_keep(settled=True)
    for user, seen in ((cast.rep, True), (cast.manager, False), (cast.cx, False), (cast.admin, False)):
        answer = api(user).get(f"/api/v1/contacts/{contact.pk}/timeline/")
        assert ("My secret list" in answer.content.decode()) is seen, user
        assert "segment.entered" in answer.content.decode()
        page = web(user).get(f"/contacts/{contact.pk}/timeline/")
        assert ("My secret list" in page.content.decode()) is seen, user
