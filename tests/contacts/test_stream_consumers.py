"""Pulse and stitching: whatever the order of arrival, the state is the one that the history gives."""

import datetime as dt
import itertools
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from contacts.consumers.pulse import PulseConsumer
from contacts.models import Activity, Contact, IdentityAlias, Pulse
from contacts.services.events import events_append
from contacts.services.stream import NewActivity, activity_append
from crmcem.lib.actors import SYSTEM
from crmcem.lib.stream_runner import Reach, run
from tests.factories.contacts import ContactFactory
from tests.plans import plans_in

pytestmark = pytest.mark.django_db
Drain = Callable[[], int]
DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_ids = itertools.count()


def send(who: dict[str, str], day: int, event: str = "order.placed", **properties: Any) -> None:
    taken = events_append(
        actor=SYSTEM,
        events=[
            {
                "message_id": f"m{next(_ids)}",
                "event": event,
                "occurred_at": (DAY + dt.timedelta(days=day)).isoformat(),
                "contact": who,
                "properties": properties,
            }
        ],
    )
    assert taken.accepted == 1


def know(contact: Contact, anonymous_id: str) -> None:
    IdentityAlias.objects.create(anonymous_id=anonymous_id, contact=contact)
    activity_append(
        actor=SYSTEM,
        activity=NewActivity(
            "contact.identified", contact_id=contact.pk, payload={"anonymous_id": anonymous_id}
        ),
    )


def pulse(contact: Contact) -> tuple[int, Decimal, Any]:
    row = Pulse.objects.get(pk=contact.pk)
    return row.orders, row.revenue, row.last_seen_at


def test_orders_revenue_and_last_seen_whatever_the_order(drain: Drain) -> None:
    contact = ContactFactory(external_id="C")
    for day, amount in ((5, 10), (1, "2.50"), (9, {"amount": "7.25", "currency": "EUR"}), (3, 0.25)):
        send({"external_id": "C"}, day, amount=amount)
        drain()
    assert pulse(contact) == (4, Decimal("20.00"), DAY + dt.timedelta(days=9))
    send({"external_id": "C"}, 2, "page.viewed")
    drain()
    assert pulse(contact) == (4, Decimal("20.00"), DAY + dt.timedelta(days=9))
    send({"external_id": "C"}, 11, "page.viewed")
    drain()
    assert pulse(contact) == (4, Decimal("20.00"), DAY + dt.timedelta(days=11))


def test_an_amount_that_is_none_counts_the_order_alone(drain: Drain) -> None:
    contact = ContactFactory(external_id="C")
    bad: list[Any] = [
        "abc",
        None,
        [],
        True,
        "1e5",
        "--3",
        "9" * 30,
        10**18,
        10**11,
        {"amount": "100000000000"},
        {"amount": {"amount": 1}},
        {"amount": "x"},
        {"currency": "EUR"},
    ]
    for amount in bad:
        send({"external_id": "C"}, 1, amount=amount)
    send({"external_id": "C"}, 1)
    drain()
    assert pulse(contact)[:2] == (len(bad) + 1, Decimal("0.00"))


def test_revenue_stays_within_what_the_column_holds(drain: Drain) -> None:
    contact = ContactFactory(external_id="C")
    for _ in range(11):
        send({"external_id": "C"}, 1, amount=99_999_999_999)
    drain()
    assert pulse(contact)[:2] == (11, Decimal("999999999999.99"))


def test_what_the_house_writes_is_not_the_customer_being_seen(drain: Drain) -> None:
    contact = ContactFactory()
    for kind in ("contact.updated", "deal.moved"):
        activity_append(actor=SYSTEM, activity=NewActivity(kind, contact_id=contact.pk))
    drain()
    assert pulse(contact) == (0, Decimal("0.00"), None)


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_a_visitor_who_becomes_known_keeps_their_history(drain: Drain, rounds: int) -> None:
    """``rounds`` places the consumers' runs differently between the same events: the end is the same."""
    contact = ContactFactory(external_id="C")
    steps: list[Callable[[], None]] = [
        lambda: send({"anonymous_id": "a1"}, 4, amount=1),
        lambda: send({"anonymous_id": "a1"}, 2, amount=2),
        lambda: send({"external_id": "C"}, 3, amount=4),
        lambda: send({"anonymous_id": "other"}, 9, amount=100),
        lambda: know(contact, "a1"),
        lambda: send({"anonymous_id": "a1"}, 1, amount=8),
        lambda: send({"anonymous_id": "a2"}, 6, amount=16),
        lambda: know(contact, "a2"),
    ]
    for number, step in enumerate(steps):
        step()
        if number % rounds == 0:
            drain()
    drain()
    assert pulse(contact) == (5, Decimal("31.00"), DAY + dt.timedelta(days=6))
    stitched = Activity.objects.filter(kind="contact.stitched").values_list("contact_id", "payload")
    assert {contact_id for contact_id, _payload in stitched} == {contact.pk}
    assert sum(payload["count"] for _contact_id, payload in stitched) == 3
    named = sorted(name for _contact_id, payload in stitched for name in payload["anonymous_ids"])
    assert named == ["a1", "a2"]
    assert Activity.objects.filter(kind="order.placed", contact_id=contact.pk).count() == 5
    assert Activity.objects.get(anonymous_id="other").contact_id is None


def test_an_orphan_whose_alias_came_first_is_stitched_too(drain: Drain) -> None:
    """The event's request looked for the alias a moment before it was there."""
    contact = ContactFactory()
    know(contact, "late")
    drain()
    activity_append(
        actor=SYSTEM,
        activity=NewActivity("order.placed", anonymous_id="late", payload={"amount": 5}, occurred_at=DAY),
    )
    drain()
    assert pulse(contact) == (1, Decimal("5.00"), DAY)
    assert Activity.objects.get(kind="contact.stitched").payload == {"anonymous_ids": ["late"], "count": 1}
    drain()
    assert Activity.objects.filter(kind="contact.stitched").count() == 1


def test_pulses_are_updated_in_the_order_of_their_ids_however_many() -> None:
    """So that two writers of Pulse can't deadlock: whatever the planner thinks of the size of the batch."""
    contacts = [ContactFactory(external_id=f"C{number}") for number in range(60)]
    for contact in reversed(contacts):
        activity_append(actor=SYSTEM, activity=NewActivity("order.placed", contact_id=contact.pk))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE contacts_pulse")
    types = {"o.since": "timestamptz", "before": "timestamptz", "o.txid": "xid8", "o.last_id": "bigint"}
    types |= {"horizon": "xid8", "size": "integer", "seen_kinds": "text[]", "touch_kinds": "text[]"}
    types |= {"all_kinds": "text[]", "house_words": "text[]"}
    kinds = "'{order.placed}', '{}', '{order.placed}', '{order}'"
    calls = [
        f"now() + interval '{first} days', now() + interval '{last} days', '0', 0, '9999999999', 1000, {kinds}"
        for first, last in ((-1, 1), (-1000, 1000), (40, 41))
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        found = plans_in(cursor, "contacts_pulse_step", "WITH r AS", types, *calls, into="INTO n\n")
        transaction.set_rollback(True)
    for plan in found:
        update = plan[plan.rindex("Nested Loop") :]
        sorted_first = update[: update.index("Index Scan using contacts_pulse_pkey")]
        assert re.search(r"Sort Key: s(_\d)?\.contact_id", sorted_first), plan
        assert "CTE Scan on s" in sorted_first, plan
        assert "contacts_order_amount" not in plan, "the amount is planned into the statement"
    assert "_pkey on contacts_activity" not in found[1], "the range has its own index, however few the rows"
    assert "_txid_id_idx on contacts_activity" in found[1], found[1]
    assert "Subplans Removed: " in found[2], "old partitions are not even looked at"
    run(PulseConsumer(), reach=Reach(settled=True))
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('enable_hashjoin') || current_setting('enable_seqscan')")
        assert cursor.fetchone() == ("onon",)
    assert set(Pulse.objects.filter(pk__in=[c.pk for c in contacts]).values_list("orders", flat=True)) == {1}
