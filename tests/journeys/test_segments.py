"""Segments in automations: entering one starts runs, and conditions ask for membership."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from contacts.models import Contact, Segment
from contacts.services.segmenting.keeping import segments_keep
from contacts.services.segments import segment_create
from crmcem.lib.actors import SYSTEM, person
from crmcem.lib.errors import DomainError
from journeys.engine import starts
from journeys.models import Automation, Run
from journeys.services.automations import automation_create
from journeys.tasks import advance_runs
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.journeys.conftest import STEP, Notes

pytestmark = pytest.mark.django_db
Make = Callable[..., Automation]
VIP = {"field": "tags", "op": "has_any", "value": ["vip"]}


def vip(**data: Any) -> Segment:
    segment = segment_create(data={"name": "VIP", "conditions": VIP, **data}, actor=SYSTEM)
    segments_keep(settled=True)
    return segment


def entering(segment: Segment) -> dict[str, Any]:
    where = [{"property": "segment", "op": "eq", "value": str(segment.pk)}]
    return {"type": "event", "event": "segment.entered", "where": where}


def test_entering_a_segment_starts_a_run(automation: Make, drain: Callable[[], int], notes: Notes) -> None:
    before, after = ContactFactory(tags=["vip"]), ContactFactory()
    segment, other = (
        vip(),
        vip(name="Other", conditions={"field": "tags", "op": "has_any", "value": ["gold"]}),
    )
    row = automation(entering(segment))
    drain()
    assert not Run.objects.exists()  # those who were found by the filling did not enter
    Contact.objects.filter(pk=after.pk).update(tags=["vip", "gold"])
    segments_keep(settled=True)
    drain()
    advance_runs()
    run = Run.objects.get()
    assert (run.automation_id, run.contact_id, run.status) == (row.pk, after.pk, "done")
    assert before.pk != after.pk
    assert other.pk != segment.pk


def test_conditions_ask_for_membership(automation: Make, drain: Any, happen: Any, notes: Notes) -> None:
    inside, outside = ContactFactory(tags=["vip"]), ContactFactory()
    segment = vip()
    automation(conditions={"segment": str(segment.pk)})
    for contact in (inside, outside):
        happen(contact)
    drain()
    assert list(Run.objects.values_list("contact_id", flat=True)) == [inside.pk]


def test_two_automations_do_not_send_a_customer_round_for_ever(
    automation: Make, drain: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, "MAX_TURNS", 2)
    leads = vip(conditions={"field": "lifecycle_stage", "op": "eq", "value": "lead"})
    contact, other = ContactFactory(lifecycle_stage="customer"), ContactFactory(lifecycle_stage="customer")
    segments_keep(settled=True)

    def stage(key: str) -> list[dict[str, Any]]:
        return [{"key": "s", "type": "action", "action": "set_lifecycle_stage", "parameters": {"stage": key}}]

    again = {"reentry": {"policy": "always"}}
    into = automation(entering(leads), stage("customer"), **again)
    out = automation(entering(leads) | {"event": "segment.left"}, stage("lead"), **again)
    for each in (contact, other):
        Contact.objects.filter(pk=each.pk).update(lifecycle_stage="lead")
    for _turn in range(12):
        segments_keep(settled=True)
        drain()
        advance_runs()
    runs = Run.objects.filter(contact=contact).order_by("pk").values_list("automation_id", "status")
    one, two = (into.pk, "done"), (out.pk, "done")
    assert list(runs) == [one, two, one, two, (into.pk, "failed")]
    assert Run.objects.filter(contact=other).count() == 5  # each customer by themselves
    last = Run.objects.filter(contact=contact).latest("pk")
    assert last.reason == last.error
    assert "came and went 2 times within a day" in last.reason
    # more of it leaves no more entries, and the next day begins anew
    for stage_now in ("customer", "lead"):
        Contact.objects.filter(pk=contact.pk).update(lifecycle_stage=stage_now)
        segments_keep(settled=True)
        drain()
    assert Run.objects.filter(contact=contact, automation=into).count() == 3
    Run.objects.update(started_at=timezone.now() - dt.timedelta(days=2))
    Contact.objects.filter(pk=contact.pk).update(lifecycle_stage="customer")
    segments_keep(settled=True)
    drain()
    assert Run.objects.filter(contact=contact, automation=out).latest("pk").status == "active"


def test_a_segment_that_an_automation_names_stays(cast: Cast, automation: Make, api: Any, web: Any) -> None:
    by_trigger, by_condition = vip(), vip(name="Gold")
    free = vip(name="Free")
    automation(entering(by_trigger))
    paused = automation(conditions={"any": [{"segment": str(by_condition.pk)}]}, activate=False)
    for segment, name in ((by_trigger, "Automation 1"), (by_condition, paused.name)):
        answer = api(cast.admin).delete(f"/api/v1/segments/{segment.pk}/")
        body = answer.json()
        assert (answer.status_code, body["errors"][0]["code"]) == (409, "in_use")
        pk = Automation.objects.get(name=name).pk
        assert body["links"] == [{"label": f"automation “{name}”", "url": f"/automations/{pk}/"}]
        assert name in body["detail"]
    page = web(cast.admin).post(f"/segments/{by_trigger.pk}/delete/")
    assert page.status_code == 409
    assert '<a href="/automations/' in page.content.decode()
    assert Segment.objects.count() == 3
    assert api(cast.admin).delete(f"/api/v1/segments/{free.pk}/").status_code == 204
    # a definition that is past, with nobody on the way through it, holds nothing back
    paused.current_version.definition["conditions"] = None
    paused.current_version.save()
    assert api(cast.admin).delete(f"/api/v1/segments/{by_condition.pk}/").status_code == 204


def test_a_segment_that_one_may_not_see_is_unknown(cast: Cast) -> None:
    data = {"name": "Mine", "conditions": VIP, "sharing": "private"}
    segment = segment_create(data=data, actor=person(cast.rep))
    definition = {
        "trigger": {"type": "event", "event": "order.placed"},
        "conditions": {"segment": str(segment.pk)},
        "steps": [STEP],
    }
    with pytest.raises(DomainError) as error:
        automation_create(name="A", definition=definition, actor=person(cast.cx))
    assert ("definition.conditions.segment", "unknown_segment") in [
        (e.field, e.code) for e in error.value.errors
    ]
