"""A segment of five conditions: the question against the best that we could write by hand, its filling, its upkeep.

The conditions: two fields, a custom field, at least two orders in 90 days, and not seen for 12 days.
"""

import datetime as dt
import random
import statistics
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.utils import timezone

from contacts.conditions import contact_fields
from contacts.models import Contact, Segment, SegmentDirty, SegmentMember, SegmentTimer
from contacts.services.segmenting.filling import segment_fill
from contacts.services.segmenting.keeping import STEP, take_due, take_notes
from contacts.services.segments import segment_create
from crmcem.lib.actors import SYSTEM
from crmcem.lib.conditions import parse, to_q
from crmcem.workspace.organisation import organisation

from .timing import Line, busy, interleaved, seconds

SIZES = ("100k", "1M")
ROUNDS = 5
MOVED = 5_000
CONDITIONS = {
    "all": [
        {"field": "lifecycle_stage", "op": "in", "value": ["customer", "opportunity", "lead"]},
        {"field": "tags", "op": "has_any", "value": ["generated-name"]},
        {"not": {"field": "custom.bench_plan", "op": "eq", "value": "basic"}},
        {"activity": "order.placed", "op": "gte", "count": 2, "within": {"days": 90}},
        {"field": "pulse.last_seen_at", "op": "before", "value": {"ago": {"days": 12}}},
    ]
}
# What somebody who knows the tables would write: days of the organisation's zone are settled before.
BY_HAND = """
SELECT c.id FROM contacts_contact c JOIN contacts_pulse p ON p.contact_id = c.id
WHERE c.lifecycle_stage IN ('customer', 'opportunity', 'lead')
  AND c.tags && ARRAY['generated-name']::varchar(60)[]
  AND upper(c.custom ->> 'bench_plan') IS DISTINCT FROM 'BASIC'
  AND p.last_seen_at < %(away)s
  AND c.id IN (
      SELECT a.contact_id FROM contacts_activity a
      WHERE a.kind = 'order.placed' AND a.occurred_at >= %(low)s AND a.occurred_at <= %(now)s
        AND a.received_at >= %(low)s AND a.contact_id IS NOT NULL
      GROUP BY a.contact_id HAVING count(*) >= 2)
"""


def measure() -> dict[str, Any]:
    _clean()
    zone, now = ZoneInfo(organisation().time_zone), timezone.now()
    q = to_q(parse(CONDITIONS, contact_fields), now=now, tz=zone)
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    days = {name: midnight - dt.timedelta(days=n) for name, n in (("away", 12), ("low", 90))}
    params = days | {"now": now}
    ours = set(_ours(q))
    if ours != set(_by_hand(params)):
        raise RuntimeError("The two questions have different answers.")
    figures: dict[str, Any] = {"members": len(ours), "contacts": Contact.objects.count()}
    figures |= interleaved(
        {"ours": lambda: _ours(q), "by hand": lambda: _by_hand(params)}, rounds=ROUNDS, warm=1
    )
    figures["seconds"] = statistics.median(seconds(lambda: _ours(q)) for _ in range(ROUNDS))
    segment = segment_create(data={"name": "Bench", "conditions": CONDITIONS}, actor=SYSTEM)
    figures["fill"] = seconds(lambda: segment_fill(pk=segment.pk, now=timezone.now(), settled=True))
    if set(SegmentMember.objects.filter(segment=segment).values_list("contact_id", flat=True)) != ours:
        raise RuntimeError("The members are not those of the question.")
    figures["timers"] = SegmentTimer.objects.filter(segment=segment).count()
    figures["upkeep"], figures["upkeep_seconds"] = _upkeep()
    figures["timed"] = _timed(segment)
    _clean()
    return figures


def _ours(q: Any) -> list[int]:
    return list(Contact.objects.filter(q).order_by().values_list("pk", flat=True))


def _by_hand(params: dict[str, Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(BY_HAND, params)
        return [pk for (pk,) in cursor.fetchall()]


def _anywhere(count: int) -> list[int]:
    last = Contact.objects.order_by("-pk").values_list("pk", flat=True)[0]
    picked = random.Random(7).sample(range(1, last + 1), min(last, 2 * count))
    return list(Contact.objects.filter(pk__in=picked).values_list("pk", flat=True)[:count])


def _upkeep() -> tuple[float, float]:
    """Asking the segment about contacts whose tags and Pulse moved, anywhere among all; nothing of it stays."""
    people = _anywhere(MOVED)
    if len(people) > STEP:
        raise RuntimeError("The contacts do not fit into one step of upkeep.")
    worked, taken = [], []
    for _ in range(ROUNDS):
        with transaction.atomic():
            SegmentDirty.objects.bulk_create(SegmentDirty(contact_id=pk, what="pulse") for pk in people)
            half = people[: len(people) // 2]
            Contact.objects.filter(pk__in=half).update(lifecycle_stage="former")
            SegmentDirty.objects.filter(what="contact").delete()
            spent: list[float] = []
            taken.append(seconds(lambda: spent.append(busy(lambda: take_notes(timezone.now())))))  # noqa: B023
            worked += spent
            transaction.set_rollback(True)
    return statistics.median(worked), statistics.median(taken)


def _timed(segment: Segment) -> float:
    """Asking those again whose timers are due, 5,000 at once."""
    with transaction.atomic():
        first = list(SegmentTimer.objects.filter(segment=segment).values_list("pk", flat=True)[:MOVED])
        if not first:
            return 0.0
        SegmentTimer.objects.filter(pk__in=first).update(due_at=timezone.now())
        taken = busy(lambda: take_due(timezone.now()))
        transaction.set_rollback(True)
    return taken


def _clean() -> None:
    Segment.objects.filter(name="Bench").delete()
    SegmentDirty.objects.all().delete()


def lines(found: dict[str, dict[str, Any]]) -> list[Line]:
    figures = list(found.values())[-1]
    size = f"{figures['members']:,} of {figures['contacts']:,} contacts"
    return [
        Line(
            "segment of five conditions ÷ the same by hand",
            figures["ours"] / figures["by hand"],
            "≤ 2",
            f"{figures['ours']:.2f} s against {figures['by hand']:.2f} s, {size}",
        ),
        Line("segment of five conditions", figures["seconds"], "≤ 2", size, " s"),
        Line(
            "upkeep of 5,000 changed contacts",
            1000 * figures["upkeep"],
            "≤ 200",
            f"{1000 * figures['upkeep_seconds']:.0f} ms by the clock; 5,000 due timers"
            f" {1000 * figures['timed']:.0f} ms; filled in {figures['fill']:.1f} s with {figures['timers']:,} timers",
            " ms",
        ),
    ]
