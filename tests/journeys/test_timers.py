"""Absence: armed by what is known, pushed ahead by sightings, fired once per absence."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from contacts.models import Pulse
from crmcem.lib.actors import SYSTEM
from journeys.engine import timers
from journeys.models import AbsenceTimer, Automation, Run
from journeys.services.automations import automation_activate, automation_pause, automation_update
from journeys.tasks import advance_runs, fire_timers
from tests.factories.contacts import ContactFactory
from tests.journeys.conftest import STEP, Notes

pytestmark = pytest.mark.django_db
Make = Callable[..., Automation]
Happen = Callable[..., int]
Drain = Callable[[], int]
AWAY = {"type": "absence", "event": "*", "for": {"days": 12}}
NOW = timezone.now()


def ago(days: float) -> dt.datetime:
    return NOW - dt.timedelta(days=days)


def seen(days: float | None) -> Any:
    return ContactFactory(pulse={"last_seen_at": None if days is None else ago(days)})


def runs(row: Automation) -> list[int]:
    return list(Run.objects.filter(automation=row).order_by("id").values_list("contact_id", flat=True))


def test_activation_finds_those_who_are_away(automation: Make, notes: Notes) -> None:
    away, recent, never = seen(13), seen(11), seen(None)
    row = automation(AWAY)
    fire_timers()
    assert runs(row) == [away.pk]
    found = dict(AbsenceTimer.objects.values_list("contact_id", "due_at"))
    assert found == {away.pk: ago(1), recent.pk: ago(11) + dt.timedelta(days=12)}
    assert never.pk not in found
    advance_runs()
    assert [contact for contact, _key in notes.done] == [away.pk]


def test_arming_goes_in_parts_and_survives_a_stop(automation: Make) -> None:
    contacts = [seen(1) for _ in range(7)]
    row = automation(AWAY)
    assert timers.arm_part(row.pk, size=3) is True
    assert AbsenceTimer.objects.count() == 3
    row.refresh_from_db()
    assert row.armed_contact == contacts[2].pk
    while timers.arm_part(row.pk, size=3):
        pass
    assert AbsenceTimer.objects.count() == 7
    row.refresh_from_db()
    assert row.armed_contact is None
    assert timers.arm_part(row.pk) is False


def test_it_fires_once_per_absence(automation: Make, happen: Happen, drain: Drain) -> None:
    contact = seen(13)
    row = automation(AWAY, reentry={"policy": "always"})
    fire_timers()
    fire_timers()
    assert runs(row) == [contact.pk]
    happen(contact, "page.viewed", at=ago(12.5))
    drain()
    fire_timers()
    fire_timers()
    assert runs(row) == [contact.pk, contact.pk]


def test_once_means_once_for_absences_too(automation: Make, happen: Happen, drain: Drain) -> None:
    contact = seen(20)
    row = automation(AWAY)
    fire_timers()
    happen(contact, "page.viewed", at=ago(12.5))
    drain()
    fire_timers()
    assert runs(row) == [contact.pk]


def test_a_sighting_pushes_it_ahead_and_a_late_one_does_not(
    automation: Make, happen: Happen, drain: Drain
) -> None:
    contact = seen(11)
    row = automation(AWAY)
    fire_timers()
    happen(contact, "page.viewed", at=ago(2))
    happen(contact, "page.viewed", at=ago(9))
    drain()
    timer = AbsenceTimer.objects.get(automation=row)
    assert (timer.last_at, timer.due_at) == (ago(2), ago(2) + dt.timedelta(days=12))


def test_our_own_doing_is_no_sighting(automation: Make, happen: Happen, drain: Drain) -> None:
    contact = seen(11)
    automation(AWAY)
    fire_timers()
    happen(contact, "task.created", at=ago(1))
    happen(contact, "deal.moved", at=ago(1))
    drain()
    assert AbsenceTimer.objects.get().last_at == ago(11)


def test_a_first_sighting_arms(automation: Make, happen: Happen, drain: Drain) -> None:
    contact = seen(None)
    row = automation(AWAY)
    fire_timers()
    assert not AbsenceTimer.objects.exists()
    happen(contact, "page.viewed", at=ago(20))
    drain()
    fire_timers()
    assert runs(row) == [contact.pk]


def test_one_kind_is_watched(automation: Make, happen: Happen, drain: Drain) -> None:
    contact = seen(1)
    happen(contact, "order.placed", at=ago(40))
    row = automation({"type": "absence", "event": "order.placed", "for": {"days": 30}})
    fire_timers()
    assert runs(row) == [contact.pk]
    other = seen(1)
    happen(other, "order.placed", at=ago(29))
    happen(other, "page.viewed", at=ago(31))
    drain()
    fire_timers()
    assert runs(row) == [contact.pk]
    assert AbsenceTimer.objects.get(contact=other).last_at == ago(29)


def test_conditions_are_judged_when_it_fires(automation: Make) -> None:
    away, vip = seen(13), seen(13)
    vip.tags = ["vip"]
    vip.save()
    row = automation(AWAY, conditions={"field": "tags", "op": "has_none", "value": ["vip"]})
    fire_timers()
    assert runs(row) == [away.pk]
    assert not AbsenceTimer.objects.filter(fired_at=None).exists()


def test_what_pulse_knows_is_asked_before_it_fires(automation: Make) -> None:
    contact = seen(11)
    row = automation(AWAY)
    fire_timers()
    AbsenceTimer.objects.update(last_at=ago(13), due_at=ago(1))
    Pulse.objects.filter(pk=contact.pk).update(last_seen_at=ago(3))
    fire_timers()
    assert runs(row) == []
    timer = AbsenceTimer.objects.get()
    assert (timer.last_at, timer.fired_at) == (ago(3), None)


def test_a_clock_that_runs_ahead_does_not_hide_an_absence(
    automation: Make, happen: Happen, drain: Drain
) -> None:
    contact = seen(11)
    automation(AWAY)
    fire_timers()
    happen(contact, "page.viewed", at=NOW + dt.timedelta(days=5000))
    drain()
    assert AbsenceTimer.objects.get().last_at <= timezone.now()


def test_a_paused_automation_fires_nothing(automation: Make) -> None:
    contact = seen(11.9)
    row = automation(AWAY)
    fire_timers()
    automation_pause(automation=row, actor=SYSTEM)
    AbsenceTimer.objects.update(last_at=ago(13), due_at=ago(1))
    Pulse.objects.update(last_seen_at=ago(13))
    fire_timers()
    assert (runs(row), AbsenceTimer.objects.count()) == ([], 0)
    automation_activate(automation=row, actor=SYSTEM)
    fire_timers()
    assert runs(row) == [contact.pk]


def test_a_pause_does_not_fire_the_same_absence_twice(automation: Make) -> None:
    contact = seen(13)
    row = automation(AWAY, reentry={"policy": "always"})
    fire_timers()
    automation_pause(automation=row, actor=SYSTEM)
    automation_activate(automation=row, actor=SYSTEM)
    fire_timers()
    assert runs(row) == [contact.pk]


def test_a_longer_absence_moves_the_timers(automation: Make) -> None:
    contact = seen(11)
    row = automation(AWAY)
    fire_timers()
    definition = {"trigger": {**AWAY, "for": {"days": 5}}, "steps": [STEP]}
    automation_update(automation=row, values={"definition": definition}, actor=SYSTEM)
    fire_timers()
    assert runs(row) == [contact.pk]


def test_the_due_timers_come_from_an_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM journeys_absencetimer WHERE fired_at IS NULL AND due_at <= now()"
            " ORDER BY due_at LIMIT 500 FOR UPDATE SKIP LOCKED"
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "absencetimer_due" in plan
