"""Birthdays, anniversaries and orders that are worth a word: each once, whatever dies when."""

import datetime as dt
import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from contacts.models import Activity, Contact, IdentityAlias, Milestone, MilestoneDay, Pulse
from contacts.services.contacts import contact_create, contact_update
from contacts.services.events import events_append
from contacts.services.merge import contact_merge
from contacts.services.milestones import milestones_tell
from contacts.services.stream import NewActivity, activity_append
from crmcem.lib.actors import SYSTEM
from crmcem.workspace import organisation
from crmcem.workspace.models import Organisation
from tests.contacts.editing import set_contacts
from tests.factories.contacts import ContactFactory

pytestmark = pytest.mark.django_db
Drain = Callable[[], int]
_ids = itertools.count()


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def told(kind: str) -> list[tuple[Any, Any, Any]]:
    """``(contact, n, date)`` of the activities of a kind."""
    rows = Activity.objects.filter(kind=f"milestone.{kind}").order_by("contact_id", "id")
    return [(row.contact_id, row.payload["n"], row.payload["date"]) for row in rows]


def zone(name: str) -> None:
    Organisation.objects.update_or_create(pk=1, defaults={"time_zone": name})
    organisation.forget()


def order(who: dict[str, str], when: dt.datetime, message_id: str = "") -> None:
    events_append(
        actor=SYSTEM,
        events=[
            {
                "message_id": message_id or f"m{next(_ids)}",
                "event": "order.placed",
                "occurred_at": when.isoformat(),
                "contact": who,
                "properties": {"amount": "10.00"},
            }
        ],
    )


def days_ago(days: float) -> dt.datetime:
    return timezone.now() - dt.timedelta(days=days)


# --- birthdays -------------------------------------------------------------------------------------
def test_a_birthday_is_told_once_on_its_day_with_the_age_where_it_is_known() -> None:
    known = ContactFactory(birthday=dt.date(1980, 5, 17))
    unknown = ContactFactory(birthday=dt.date(1604, 5, 17))
    ContactFactory(birthday=dt.date(1980, 5, 18))
    ContactFactory(birthday=dt.date(2026, 5, 17))  # born today
    ContactFactory()
    assert milestones_tell(now=at("2026-05-16T23:59")) == 0
    assert milestones_tell(now=at("2026-05-17T00:00")) == 2
    assert milestones_tell(now=at("2026-05-17T18:00")) == 0
    assert told("birthday") == [(known.pk, 46, "2026-05-17"), (unknown.pk, None, "2026-05-17")]
    first = Activity.objects.filter(kind="milestone.birthday").order_by("id")[0]
    assert (first.occurred_at, first.actor_kind) == (at("2026-05-17T00:00"), "system")
    assert milestones_tell(now=at("2027-05-17T09:00")) == 3
    assert told("birthday")[1] == (known.pk, 47, "2027-05-17")


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ("2027-02-28T12:00", 2),  # no leap year: the 29th is told on the 28th
        ("2027-03-01T12:00", 0),
        ("2028-02-28T12:00", 1),
        ("2028-02-29T12:00", 1),
    ],
)
def test_leap_day_people_celebrate_on_the_28th_in_other_years(now: str, found: int) -> None:
    ContactFactory(birthday=dt.date(1992, 2, 29))
    ContactFactory(birthday=dt.date(1991, 2, 28))
    assert milestones_tell(now=at(now)) == found


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("Europe/Berlin", "2026-03-28T22:59", "2026-03-28T23:00"),  # the clock jumps ahead on that day
        ("Europe/Berlin", "2026-10-24T21:59", "2026-10-24T22:00"),  # and back on this one
        ("Pacific/Auckland", "2026-07-09T11:59", "2026-07-09T12:00"),
        ("America/Los_Angeles", "2026-07-10T06:59", "2026-07-10T07:00"),
    ],
)
def test_the_day_is_that_of_the_organisation(name: str, before: str, after: str) -> None:
    zone(name)
    day = {"2026-03-28T23:00": (3, 29), "2026-10-24T22:00": (10, 25)}.get(after, (7, 10))
    contact = ContactFactory(birthday=dt.date(1980, *day))
    assert milestones_tell(now=at(before)) == 0
    assert milestones_tell(now=at(after)) == 1
    assert milestones_tell(now=at(after) + dt.timedelta(hours=22)) == 0
    assert told("birthday") == [(contact.pk, 46, f"2026-{day[0]:02}-{day[1]:02}")]


def test_missed_days_are_made_up_for_but_not_the_whole_past() -> None:
    for day in range(1, 13):
        ContactFactory(birthday=dt.date(1980, 6, day))
    assert milestones_tell(now=at("2026-06-01T12:00")) == 1
    assert milestones_tell(now=at("2026-06-04T08:00")) == 3
    assert [date for _c, _n, date in told("birthday")] == [f"2026-06-0{n}" for n in (1, 2, 3, 4)]
    late = Activity.objects.get(kind="milestone.birthday", payload__date="2026-06-02")
    assert late.occurred_at == at("2026-06-02T12:00")
    assert milestones_tell(now=at("2026-06-30T08:00")) == 0
    assert set(MilestoneDay.objects.values_list("day", flat=True)) >= {dt.date(2026, 6, 30)}


def test_somebody_entered_on_their_birthday_has_one_and_a_correction_brings_no_second() -> None:
    milestones_tell(now=at("2026-05-17T08:00"))
    contact = ContactFactory(birthday=dt.date(1980, 5, 17))
    assert milestones_tell(now=at("2026-05-17T12:00")) == 1
    Contact.objects.filter(pk=contact.pk).update(birthday=dt.date(1980, 5, 19))
    assert milestones_tell(now=at("2026-05-19T12:00")) == 0


def test_many_are_told_in_short_steps() -> None:
    for _ in range(7):
        ContactFactory(birthday=dt.date(1980, 5, 17))
    assert milestones_tell(now=at("2026-05-17T08:00"), step=3) == 7
    assert len(told("birthday")) == 7


def test_the_day_is_found_by_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT c.id FROM contacts_contact c WHERE c.birthday IS NOT NULL"
            " AND EXTRACT(MONTH FROM c.birthday) = 5 AND EXTRACT(DAY FROM c.birthday) = 17 ORDER BY c.id LIMIT 10"
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
        assert "contact_birthday" in plan
        cursor.execute(
            "EXPLAIN SELECT p.contact_id FROM contacts_pulse p WHERE p.customer_since IS NOT NULL"
            " AND EXTRACT(MONTH FROM p.customer_since) = 5 AND EXTRACT(DAY FROM p.customer_since) = 17"
        )
        assert "pulse_customer_since" in "\n".join(row[0] for row in cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_tell_each_once() -> None:
    for _ in range(40):
        ContactFactory(birthday=dt.date(1980, 5, 17))
    ready = Barrier(4)

    def beat(_n: int) -> int:
        ready.wait()
        try:
            return milestones_tell(now=at("2026-05-17T08:00"), step=7)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(beat, range(4))) == 40
    assert len(told("birthday")) == Milestone.objects.count() == 40


# --- anniversaries ---------------------------------------------------------------------------------
def test_an_anniversary_counts_the_years_and_spares_those_who_left() -> None:
    contact = ContactFactory(lifecycle_stage="customer", pulse={"customer_since": dt.date(2021, 5, 17)})
    ContactFactory(lifecycle_stage="former", pulse={"customer_since": dt.date(2021, 5, 17)})
    ContactFactory(lifecycle_stage="customer", pulse={"customer_since": dt.date(2026, 5, 17)})
    assert milestones_tell(now=at("2026-05-17T08:00")) == 1
    assert told("anniversary") == [(contact.pk, 5, "2026-05-17")]


def test_customer_since_is_the_first_order_or_the_first_step_into_the_stage(drain: Drain, cast: Any) -> None:
    zone("Europe/Berlin")
    both = ContactFactory(external_id="both")
    staged = ContactFactory(external_id="staged", lifecycle_stage="lead")
    order({"external_id": "both"}, at("2026-03-05T12:00"))
    order({"external_id": "both"}, at("2026-03-01T23:30"))  # late, and already the 2nd in Berlin
    drain()
    assert Pulse.objects.get(pk=both.pk).customer_since == dt.date(2026, 3, 2)
    set_contacts([both.pk, staged.pk], "lifecycle_stage", "customer", SYSTEM)
    drain()
    today = timezone.now().astimezone(dt.timezone(dt.timedelta(hours=1))).date()
    assert Pulse.objects.get(pk=both.pk).customer_since == dt.date(2026, 3, 2)
    assert Pulse.objects.get(pk=staged.pk).customer_since in (today, today + dt.timedelta(days=1))
    order({"external_id": "staged"}, at("2026-02-01T12:00"))
    drain()
    assert Pulse.objects.get(pk=staged.pk).customer_since == dt.date(2026, 2, 1)


# --- orders ----------------------------------------------------------------------------------------
def test_the_first_the_fifth_and_the_tenth_order_each_once(drain: Drain) -> None:
    contact = ContactFactory(external_id="C")
    for n in range(11):
        order({"external_id": "C"}, days_ago(20 - n))
        if n in (0, 3, 6):
            drain()
    drain()
    assert [n for _c, n, _d in told("order")] == [1, 5, 10]
    fifth = Activity.objects.get(kind="milestone.order", payload__n=5)
    assert abs(fifth.occurred_at - days_ago(16)) < dt.timedelta(minutes=1)
    assert fifth.contact_id == contact.pk


@pytest.mark.parametrize("every", [1, 2, 5, 100])
def test_late_and_doubled_orders_change_nothing_about_how_often(drain: Drain, every: int) -> None:
    ContactFactory(external_id="C")
    orders = [(f"o{n}", days_ago(n % 7 + 1)) for n in range(6)]
    sent = [*orders[::-1], *orders, *orders[2:4]]
    for n, (key, when) in enumerate(sent):
        order({"external_id": "C"}, when, key)
        if n % every == 0:
            drain()
    drain()
    assert [n for _c, n, _d in told("order")] == [1, 5]
    assert Milestone.objects.filter(kind="order").count() == 2


def test_old_orders_are_history_and_no_news(drain: Drain) -> None:
    contact = ContactFactory(external_id="C")
    for n in range(5):
        order({"external_id": "C"}, days_ago(400 + n))
    drain()
    assert told("order") == []
    assert list(Milestone.objects.order_by("number").values_list("number", flat=True)) == [1, 5]
    for n in range(5):
        order({"external_id": "C"}, days_ago(5 - n))
    drain()
    assert [(c, n) for c, n, _d in told("order")] == [(contact.pk, 10)]


def test_orders_of_a_visitor_and_of_a_merged_record_count(drain: Drain, cast: Any) -> None:
    contact, other = ContactFactory(external_id="C"), ContactFactory(external_id="D")
    for n in range(3):
        order({"anonymous_id": "a"}, days_ago(3 + n))
    order({"external_id": "C"}, days_ago(1))
    drain()
    assert [(c, n) for c, n, _d in told("order")] == [(contact.pk, 1)]
    IdentityAlias.objects.create(anonymous_id="a", contact=contact)
    activity_append(
        actor=SYSTEM,
        activity=NewActivity("contact.identified", contact_id=contact.pk, payload={"anonymous_id": "a"}),
    )
    order({"external_id": "D"}, days_ago(2))
    drain()
    drain()
    assert [(c, n) for c, n, _d in told("order")] == [(contact.pk, 1), (other.pk, 1)]
    contact_merge(winner=contact, loser=other, actor=SYSTEM)
    drain()
    assert Milestone.objects.filter(contact=contact).count() == 2
    assert [n for c, n, _d in told("order") if c == contact.pk] == [1, 1, 5]  # the loser's own came along


def test_a_contact_that_is_gone_stops_nothing(drain: Drain) -> None:
    gone, there = ContactFactory(external_id="C"), ContactFactory(external_id="D")
    order({"external_id": "C"}, days_ago(1))
    order({"external_id": "D"}, days_ago(1))
    gone.delete()
    drain()
    assert [(c, n) for c, n, _d in told("order")] == [(there.pk, 1)]


# --- the ways in -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "stored", "shown"),
    [
        ("1980-05-17", dt.date(1980, 5, 17), "1980-05-17"),
        ("--02-29", dt.date(1604, 2, 29), "--02-29"),
        ("2-29", dt.date(1604, 2, 29), "--02-29"),
        ("17.5.1980", dt.date(1980, 5, 17), "1980-05-17"),
        ("17. 5.", dt.date(1604, 5, 17), "--05-17"),
        ("", None, None),
        (None, None, None),
    ],
)
def test_a_birthday_by_the_api(cast: Any, api: Any, given: Any, stored: Any, shown: Any) -> None:
    made = api(cast.rep).post("/api/v1/contacts/", {"last_name": "X", "birthday": given}, format="json")
    assert made.status_code == 201, made.content
    assert made.json()["birthday"] == shown
    assert Contact.objects.get(pk=made.json()["id"]).birthday == stored


@pytest.mark.parametrize(
    "given", ["1980-02-30", "yesterday", "1899-12-31", "2999-01-01", 5, ["1980-05-17"], "5/17/1980"]
)
def test_a_bad_birthday_says_how_to_mend_it(cast: Any, api: Any, given: Any) -> None:
    answer = api(cast.rep).post("/api/v1/contacts/", {"last_name": "X", "birthday": given}, format="json")
    assert answer.status_code == 400
    assert [e["field"] for e in answer.json()["errors"]] == ["birthday"]
    assert Contact.objects.count() == 0


def test_a_birthday_by_the_form_and_in_place(cast: Any, web: Any) -> None:
    contact = contact_create(data={"last_name": "X", "birthday": "--05-17"}, actor=SYSTEM)
    Contact.objects.filter(pk=contact.pk).update(owner=cast.rep, team=cast.rep.team)
    client = web(cast.rep)
    page = client.get(f"/contacts/{contact.pk}/edit/").content.decode()
    assert 'value="--05-17"' in page
    saved = client.post(
        f"/contacts/{contact.pk}/field/birthday/", {"value": "17.5.1980", "version": contact.version}
    )
    assert saved.status_code in (200, 302)
    contact.refresh_from_db()
    assert contact.birthday == dt.date(1980, 5, 17)
    wrong = client.post(
        f"/contacts/{contact.pk}/field/birthday/", {"value": "soon", "version": contact.version}
    )
    assert wrong.status_code == 422
    assert 'value="soon"' in wrong.content.decode()


def test_a_change_of_the_birthday_is_told_as_written(cast: Any) -> None:
    contact = contact_create(data={"last_name": "X"}, actor=SYSTEM)
    contact_update(contact=contact, data={"birthday": "--05-17"}, actor=SYSTEM)
    changed = Activity.objects.get(kind="contact.updated")
    assert changed.payload["changes"] == {"birthday": [None, "1604-05-17"]}


def test_conditions_about_birthdays_and_milestones(drain: Drain, cast: Any, api: Any) -> None:
    known = ContactFactory(birthday=dt.date(1980, 5, 17), owner=cast.rep, team=cast.rep.team)
    unknown = ContactFactory(birthday=dt.date(1604, 5, 18), owner=cast.rep, team=cast.rep.team)
    ContactFactory(owner=cast.rep, team=cast.rep.team)
    now = timezone.now()
    Contact.objects.filter(pk=known.pk).update(
        birthday=dt.date(1980, 2, 28) if (now.month, now.day) == (2, 29) else now.date().replace(year=1980)
    )
    milestones_tell(now=now)

    def found(condition: Any) -> set[int]:
        answer = api(cast.rep).get("/api/v1/contacts/", {"conditions": json.dumps(condition)})
        assert answer.status_code == 200, answer.content
        return {int(row["id"]) for row in answer.json()["results"]}

    assert found({"field": "birthday", "op": "before", "value": "1990-01-01"}) == {known.pk}
    assert found({"field": "birthday.day", "op": "eq", "value": 18}) >= {unknown.pk}
    assert found({"field": "birthday.month", "op": "is_set"}) == {known.pk, unknown.pk}
    counted = {"activity": "milestone.birthday", "op": "gte", "count": 1, "within": {"days": 3}}
    assert known.pk in found(counted)
