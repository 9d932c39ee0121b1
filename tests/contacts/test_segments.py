"""Segments: saved, filled, kept up to date, seen by those who may."""

import datetime as dt
from typing import Any

import pytest
from django.http import Http404
from django.utils import timezone

from contacts.models import Activity, Contact, Segment, SegmentDirty, SegmentMember, SegmentTimer
from contacts.services import contacts as contact_services
from contacts.services.contacts import contact_delete, contact_update
from contacts.services.segmenting.keeping import segments_keep
from contacts.services.segments import (
    segment_create,
    segment_delete,
    segment_members_change,
    segment_refill,
    segment_update,
)
from crmcem.lib.actors import SYSTEM, person
from crmcem.lib.errors import Conflict, DomainError, NotAllowed, StaleWrite
from tests.conftest import Cast
from tests.contacts.editing import set_contacts
from tests.factories.contacts import CompanyFactory, ContactFactory

pytestmark = pytest.mark.django_db

VIP = {"field": "tags", "op": "has_any", "value": ["vip"]}
AWAY = {"field": "pulse.last_seen_at", "op": "before", "value": {"ago": {"days": 12}}}
NOW = timezone.now()


def keep(now: dt.datetime | None = None) -> int:
    return segments_keep(now=now, settled=True)


def make(user: Any, conditions: Any = None, **data: Any) -> Segment:
    given = {"name": "Some", "conditions": conditions, **data}
    return segment_create(data=given, actor=person(user))


def ids(segment: Segment) -> set[int]:
    return set(SegmentMember.objects.filter(segment=segment).values_list("contact_id", flat=True))


def moves(segment: Segment) -> list[tuple[str, int | None]]:
    rows = Activity.objects.filter(subject_type="segment", subject_id=segment.pk).order_by("id")
    return list(rows.values_list("kind", "contact_id"))


def faults(error: pytest.ExceptionInfo[DomainError]) -> list[tuple[str, str]]:
    return [(e.field, e.code) for e in error.value.errors]


def test_a_new_segment_is_filled_without_anybody_entering(cast: Cast) -> None:
    vip, _other = ContactFactory(tags=["vip"]), ContactFactory()
    segment = make(cast.cx, VIP)
    assert (segment.filled_at, segment.watches, segment.timed, ids(segment)) == (
        None,
        ["contact"],
        False,
        set(),
    )
    keep()
    segment.refresh_from_db()
    assert ids(segment) == {vip.pk}
    assert (segment.size, segment.problem) == (1, "")
    assert segment.filled_at is not None
    assert moves(segment) == []


def test_a_change_of_the_contact_moves_it_in_and_out(cast: Cast) -> None:
    contact = ContactFactory()
    segment = make(cast.cx, VIP)
    keep()
    contact_update(contact=contact, data={"tags": ["vip"]}, actor=person(cast.cx))
    keep()
    assert ids(segment) == {contact.pk}
    contact_update(contact=contact, data={"tags": []}, actor=person(cast.cx))
    keep()
    assert ids(segment) == set()
    assert moves(segment) == [("segment.entered", contact.pk), ("segment.left", contact.pk)]
    segment.refresh_from_db()
    assert segment.size == 0
    entered = Activity.objects.filter(kind="segment.entered").get()
    assert entered.payload == {"segment": str(segment.pk), "name": "Some"}
    assert (entered.actor_kind, entered.subject_type, entered.subject_id) == ("system", "segment", segment.pk)


def test_what_is_not_looked_at_is_not_noted(cast: Cast) -> None:
    contact = ContactFactory()
    make(cast.cx, {"field": "pulse.nps", "op": "gte", "value": 9})
    keep()
    contact_update(contact=contact, data={"tags": ["vip"]}, actor=person(cast.cx))
    assert SegmentDirty.objects.count() == 0
    contact.pulse.nps = 9
    contact.pulse.save()
    assert list(SegmentDirty.objects.values_list("contact_id", "what")) == [(contact.pk, "pulse")]


def test_bulk_writes_new_contacts_and_companies_are_noted_too(cast: Cast) -> None:
    acme = CompanyFactory(name="Acme", industry="Toys")
    ann, bob = ContactFactory(company=acme), ContactFactory()
    toys = make(cast.cx, {"field": "company.industry", "op": "eq", "value": "Food"}, name="Food")
    vip = make(cast.cx, VIP, name="VIP")
    fresh = make(
        cast.cx, {"not": {"activity": "order.placed", "op": "gte", "count": 1, "within": {"days": 9}}}
    )
    keep()
    assert (ids(toys), ids(vip), ids(fresh)) == (set(), set(), {ann.pk, bob.pk})
    set_contacts([ann.pk, bob.pk], "tags-add", "vip", person(cast.cx))
    acme.industry = "Food"
    acme.save()
    cid = contact_services.contact_create(data={"first_name": "Cid"}, actor=person(cast.cx))
    keep()
    assert (ids(toys), ids(vip), ids(fresh)) == ({ann.pk}, {ann.pk, bob.pk}, {ann.pk, bob.pk, cid.pk})
    acme.delete()
    keep()
    assert ids(toys) == set()


def test_activities_reach_those_who_count_them(cast: Cast, drain: Any) -> None:
    contact = ContactFactory()
    twice = make(cast.cx, {"activity": "order.placed", "op": "gte", "count": 2, "within": {"days": 90}})
    assert twice.watches == ["kind:order.placed"]
    keep()
    for days in (5, 80):
        Activity.objects.create(
            kind="order.placed", contact_id=contact.pk, occurred_at=NOW - dt.timedelta(days=days)
        )
    Activity.objects.create(kind="page.viewed", contact_id=contact.pk)
    drain()
    keep()
    assert ids(twice) == {contact.pk}
    timer = SegmentTimer.objects.get()
    assert (timer.contact_id, timer.segment_id) == (contact.pk, twice.pk)
    # windows of days begin at midnight, and an instant may be some hours too early: never too late
    assert NOW + dt.timedelta(days=8) < timer.due_at < NOW + dt.timedelta(days=12)
    keep(NOW + dt.timedelta(days=12))
    assert ids(twice) == set()
    assert [kind for kind, _contact in moves(twice)] == ["segment.entered", "segment.left"]
    assert not SegmentTimer.objects.exists()  # less than two: the clock brings no more


def test_absence_comes_from_a_timer(cast: Cast) -> None:
    seen = ContactFactory(pulse={"last_seen_at": NOW - dt.timedelta(days=2)})
    gone = ContactFactory(pulse={"last_seen_at": NOW - dt.timedelta(days=40)})
    ContactFactory()
    away = make(cast.cx, AWAY)
    keep()
    assert ids(away) == {gone.pk}
    assert set(SegmentTimer.objects.values_list("contact_id", flat=True)) == {seen.pk}
    keep(NOW + dt.timedelta(days=12))
    assert ids(away) == {gone.pk, seen.pk}
    assert not SegmentTimer.objects.exists()
    seen.pulse.last_seen_at = NOW + dt.timedelta(days=12)
    seen.pulse.save()
    keep(NOW + dt.timedelta(days=12, minutes=1))
    assert ids(away) == {gone.pk}
    assert set(SegmentTimer.objects.values_list("contact_id", flat=True)) == {seen.pk}


def test_timers_are_only_for_those_whom_the_clock_could_bring(cast: Cast) -> None:
    ContactFactory(pulse={"last_seen_at": NOW})
    vip = ContactFactory(tags=["vip"], pulse={"last_seen_at": NOW})
    make(cast.cx, {"all": [VIP, AWAY]})
    keep()
    assert list(SegmentTimer.objects.values_list("contact_id", flat=True)) == [vip.pk]


def test_segments_of_segments_follow_in_one_pass(cast: Cast) -> None:
    contact = ContactFactory()
    inner = make(cast.cx, VIP, name="Inner")
    outer = make(cast.cx, {"not": {"segment": str(inner.pk)}}, name="Outer")
    third = make(cast.cx, {"all": [{"segment": str(outer.pk)}]}, name="Third")
    keep()
    assert (ids(inner), ids(outer), ids(third)) == (set(), {contact.pk}, {contact.pk})
    contact_update(contact=contact, data={"tags": ["vip"]}, actor=person(cast.cx))
    keep()
    assert (ids(inner), ids(outer), ids(third)) == ({contact.pk}, set(), set())
    segment_update(segment=inner, data={"conditions": {"all": []}}, actor=person(cast.cx))
    ContactFactory()
    keep()
    assert (len(ids(inner)), ids(outer), ids(third)) == (2, set(), set())


def test_circles_are_refused(cast: Cast) -> None:
    first = make(cast.cx, VIP, name="First")
    second = make(cast.cx, {"segment": str(first.pk)}, name="Second")
    keep()
    with pytest.raises(DomainError) as error:
        segment_update(segment=first, data={"conditions": {"segment": str(second.pk)}}, actor=person(cast.cx))
    assert faults(error) == [("conditions", "segment_cycle")]
    with pytest.raises(DomainError) as error:
        segment_update(segment=first, data={"conditions": {"segment": str(first.pk)}}, actor=person(cast.cx))
    assert faults(error) == [("conditions.segment", "segment_cycle")]
    first.refresh_from_db()
    assert (first.conditions, first.version) == (VIP, 1)


def test_changed_conditions_have_the_members_made_anew(cast: Cast) -> None:
    vip, lead = ContactFactory(tags=["vip"], lifecycle_stage="customer"), ContactFactory()
    segment = make(cast.cx, VIP)
    keep()
    segment = segment_update(
        segment=segment,
        data={"conditions": {"field": "lifecycle_stage", "op": "eq", "value": "lead"}},
        actor=person(cast.cx),
        expected_version=1,
    )
    assert (segment.version, segment.filled_at) == (2, None)
    keep()
    assert ids(segment) == {lead.pk}
    assert moves(segment) == []
    with pytest.raises(StaleWrite):
        segment_update(segment=segment, data={"name": "Other"}, actor=person(cast.cx), expected_version=1)
    assert vip.pk not in ids(segment_refill(segment=segment, actor=person(cast.cx)))


def test_what_moves_while_it_is_filled_is_asked_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from contacts.services.segmenting import filling

    monkeypatch.setattr(filling, "CHUNK", 2)
    people = [ContactFactory(tags=["vip"]) for _ in range(5)]
    segment = make(cast.cx, VIP)
    chunk = filling._chunk

    def moving(asked: Any, found: Any, timed: Any, after: int) -> Any:
        if after == 0:  # after the picture was taken
            Contact.objects.filter(pk=people[4].pk).update(tags=[])
            from contacts.services.segmenting.keeping import take_notes

            take_notes(timezone.now())
        return chunk(asked, found, timed, after)

    monkeypatch.setattr(filling, "_chunk", moving)
    keep()
    assert ids(segment) == {each.pk for each in people[:4]}
    segment.refresh_from_db()
    assert segment.size == 4


def test_a_static_segment_is_kept_by_hand(cast: Cast) -> None:
    ann, bob = ContactFactory(owner=cast.rep), ContactFactory(owner=cast.rep2)
    segment = make(cast.rep, kind="static")
    follower = make(cast.rep, {"segment": str(segment.pk)}, name="Follower")
    keep()
    assert (segment.filled_at is None, segment.watches) == (False, [])
    assert segment_members_change(segment=segment, actor=person(cast.rep), add=[ann.pk]) == (1, 0)
    assert segment_members_change(segment=segment, actor=person(cast.rep), add=[ann.pk]) == (0, 0)
    keep()
    assert (ids(segment), ids(follower)) == ({ann.pk}, {ann.pk})
    with pytest.raises(DomainError) as error:
        segment_members_change(segment=segment, actor=person(cast.rep), add=[ann.pk, bob.pk])
    assert faults(error) == [("add.1", "does_not_exist")]
    assert segment_members_change(segment=segment, actor=person(cast.rep), remove=[ann.pk]) == (0, 1)
    keep()
    assert (ids(segment), ids(follower)) == (set(), set())
    assert moves(segment) == [("segment.entered", ann.pk), ("segment.left", ann.pk)]
    actors = Activity.objects.filter(subject_id=segment.pk).values_list("actor_kind", "actor_id").distinct()
    assert list(actors.order_by()) == [("user", cast.rep.pk)]
    with pytest.raises(DomainError):
        segment_members_change(segment=follower, actor=person(cast.rep), add=[ann.pk])


def test_a_static_segment_with_conditions_is_filled_once(cast: Cast) -> None:
    vip = ContactFactory(tags=["vip"])
    segment = make(cast.cx, VIP, kind="static")
    keep()
    later = ContactFactory(tags=["vip"])
    keep()
    assert ids(segment) == {vip.pk}
    with pytest.raises(DomainError) as error:
        segment_update(segment=segment, data={"conditions": {"all": []}}, actor=person(cast.cx))
    assert faults(error) == [("conditions", "static")]
    assert segment_members_change(segment=segment, actor=person(cast.cx), add=[later.pk]) == (1, 0)


def test_the_size_follows_a_deleted_contact(cast: Cast) -> None:
    vip, _other = ContactFactory(tags=["vip"]), ContactFactory(tags=["vip"])
    segment = make(cast.cx, VIP)
    keep()
    contact_delete(contact=vip, actor=person(cast.admin))
    keep()
    segment.refresh_from_db()
    assert segment.size == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"name": " ", "conditions": VIP}, [("name", "required")]),
        ({"name": "x" * 121, "conditions": VIP}, [("name", "max_length")]),
        ({"name": "A"}, [("conditions", "required")]),
        ({"name": "A", "conditions": VIP, "kind": "other"}, [("kind", "invalid_choice")]),
        ({"name": "A", "conditions": VIP, "sharing": "team"}, [("sharing", "no_team")]),
        ({"name": "A", "conditions": VIP, "size": 3}, [("size", "unknown_field")]),
        ({"name": "A", "conditions": {"field": "nope", "op": "eq"}}, [("conditions.field", "unknown_field")]),
        ({"name": "A", "conditions": {"field": "owner", "op": "eq", "value": "me"}}, [("conditions", "me")]),
        (
            {
                "name": "A",
                "conditions": {"activity": "segment.left", "op": "gte", "count": 1, "within": {"days": 3}},
            },
            [("conditions", "segment_activity")],
        ),
    ],
)
def test_bad_input_is_named(cast: Cast, data: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    with pytest.raises(DomainError) as error:
        segment_create(data=data, actor=person(cast.cx))
    assert faults(error) == expected
    assert not Segment.objects.exists()


def test_fields_that_one_may_not_know_are_refused(cast: Cast) -> None:
    with pytest.raises(DomainError) as error:
        make(cast.rep, {"field": "deals.open", "op": "gte", "value": 1})
    assert faults(error) == [("conditions.field", "unknown_field")]
    assert make(cast.cx, {"field": "deals.open", "op": "gte", "value": 1}).watches == ["deals"]


def test_deals_are_noted(cast: Cast) -> None:
    from sales.models import Deal
    from tests.factories.sales import DealFactory

    contact = ContactFactory()
    segment = make(cast.cx, {"field": "deals.open", "op": "gte", "value": 1})
    keep()
    deal = DealFactory()
    deal.deal_contacts.create(contact=contact)
    keep()
    assert ids(segment) == {contact.pk}
    Deal.objects.filter(pk=deal.pk).update(position="7")
    assert not SegmentDirty.objects.exists()
    Deal.objects.filter(pk=deal.pk).update(status="won")
    keep()
    assert ids(segment) == set()
    Deal.objects.filter(pk=deal.pk).update(status="open")
    deal.deal_contacts.all().delete()
    keep()
    assert ids(segment) == set()


def test_who_may_change_a_segment(cast: Cast) -> None:
    mine = make(cast.rep, VIP, sharing="team")
    for user, error in ((cast.rep2, Http404), (cast.readonly, NotAllowed), (cast.nobody, NotAllowed)):
        with pytest.raises(error):
            segment_update(segment=mine, data={"name": "Taken"}, actor=person(user))
        with pytest.raises(error):
            segment_delete(segment=mine, actor=person(user))
        with pytest.raises(error):
            segment_refill(segment=mine, actor=person(user))
    mine.refresh_from_db()
    assert mine.name == "Some"
    assert segment_update(segment=mine, data={"name": "Ours"}, actor=person(cast.manager)).name == "Ours"
    other = make(cast.manager, VIP, name="Theirs", sharing="all")
    with pytest.raises(NotAllowed):
        segment_delete(segment=other, actor=person(cast.rep))
    assert Segment.objects.count() == 2


def test_one_that_others_name_is_not_deleted(cast: Cast) -> None:
    inner = make(cast.cx, VIP, name="Inner")
    outer = make(cast.cx, {"segment": str(inner.pk)}, name="Outer")
    with pytest.raises(Conflict):
        segment_delete(segment=inner, actor=person(cast.cx))
    segment_delete(segment=outer, actor=person(cast.cx))
    segment_delete(segment=inner, actor=person(cast.cx))
    assert not Segment.objects.exists()


def test_names_are_given_once(cast: Cast) -> None:
    make(cast.cx, VIP)
    with pytest.raises(DomainError) as error:
        make(cast.cx, VIP)
    assert faults(error) == [("name", "unique")]
    assert make(cast.rep, VIP).name == "Some"


def test_conditions_that_broke_say_so_and_mend_themselves(cast: Cast) -> None:
    contact = ContactFactory(tags=["vip"])
    segment = make(cast.cx, VIP)
    keep()
    Segment.objects.filter(pk=segment.pk).update(conditions={"field": "gone", "op": "is_set"})
    Contact.objects.filter(pk=contact.pk).update(tags=[])
    keep()
    segment.refresh_from_db()
    assert "gone" in segment.problem
    assert ids(segment) == {contact.pk}
    Segment.objects.filter(pk=segment.pk).update(conditions=VIP)
    keep()
    segment.refresh_from_db()
    assert (segment.problem, ids(segment)) == ("", set())


def test_another_time_zone_means_other_days(cast: Cast) -> None:
    from crmcem.workspace import organisation
    from crmcem.workspace.models import Organisation

    contact = ContactFactory()
    Contact.objects.filter(pk=contact.pk).update(created_at=dt.datetime(2026, 3, 1, 22, tzinfo=dt.UTC))
    Organisation.objects.update_or_create(pk=1, defaults={"time_zone": "UTC"})
    organisation.forget()
    segment = make(cast.cx, {"field": "created_at", "op": "on", "value": "2026-03-02"})
    keep()
    assert ids(segment) == set()
    Organisation.objects.filter(pk=1).update(time_zone="Asia/Tokyo")
    organisation.forget()
    keep()
    assert ids(segment) == {contact.pk}


def test_the_system_may_make_segments_for_all() -> None:
    segment = segment_create(data={"name": "Ours", "conditions": VIP}, actor=SYSTEM)
    assert (segment.sharing, segment.owner) == ("all", None)
