"""A segment that goes in the same moment as something is saved that names it: one of the two gives way."""

import json
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction

from contacts.models import SavedView, Segment
from contacts.services.segments import segment_create, segment_delete
from contacts.services.views import SavedViews
from crmcem.lib.actors import person
from crmcem.lib.errors import Conflict, DomainError
from crmcem.workspace.models import User
from journeys.models import Automation
from journeys.services.automations import automation_create, automation_update
from tests.conftest import Cast

pytestmark = pytest.mark.django_db(transaction=True)

VIP = {"field": "tags", "op": "has_any", "value": ["vip"]}
STEPS = [{"key": "a", "type": "action", "action": "add_tag", "parameters": {"tag": "seen"}}]
Save = Callable[[User, int], Any]


def naming(pk: int) -> dict[str, Any]:
    trigger = {"type": "event", "event": "order.placed"}
    return {"trigger": trigger, "conditions": {"all": [{"segment": str(pk)}]}, "steps": STEPS}


def entering(pk: int) -> dict[str, Any]:
    where = [{"property": "segment", "op": "eq", "value": str(pk)}]
    return {"trigger": {"type": "event", "event": "segment.entered", "where": where}, "steps": STEPS}


def by_condition(user: User, pk: int) -> Any:
    return automation_create(name="A", definition=naming(pk), actor=person(user))


def by_trigger(user: User, pk: int) -> Any:
    return automation_create(name="A", definition=entering(pk), actor=person(user))


def by_change(user: User, pk: int) -> Any:
    row = Automation.objects.get(name="B")
    return automation_update(automation=row, values={"definition": naming(pk)}, actor=person(user))


def by_view(user: User, pk: int) -> Any:
    behind = {"related": "contacts", "has": "any", "where": {"segment": str(pk)}}
    query = urlencode({"conditions": json.dumps(behind)})
    return SavedViews().save(actor=person(user), entity="company", name="V", query=query, sharing="all")


def by_filter(user: User, pk: int) -> Any:
    return SavedViews().save(
        actor=person(user), entity="contact", name="V", query=f"segment={pk}", sharing="all"
    )


SAVES = [by_condition, by_trigger, by_change, by_view, by_filter]


@pytest.fixture
def segment(cast: Cast) -> Segment:
    start = {"trigger": {"type": "event", "event": "order.placed"}, "steps": STEPS}
    automation_create(name="B", definition=start, actor=person(cast.cx))
    return segment_create(data={"name": "S", "conditions": VIP, "sharing": "all"}, actor=person(cast.cx))


def names(pk: int) -> bool:
    """Whether anything names the segment."""
    definitions = [row.current_version.definition for row in Automation.objects.all() if row.current_version]
    texts = [json.dumps(each) for each in definitions] + list(
        SavedView.objects.values_list("query", flat=True)
    )
    wanted = (f'"segment": "{pk}"', f'"value": "{pk}"', f"segment={pk}", f"%22segment%22%3A+%22{pk}%22")
    return any(each in text for text in texts for each in wanted)


class Other(threading.Thread):
    """A call on a connection of its own, with what it raised."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__()
        self.call = call
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.call()
        except Exception as error:
            self.error = error
        finally:
            connection.close()


@pytest.mark.parametrize("save", SAVES)
def test_who_saves_first_keeps_the_segment(cast: Cast, segment: Segment, save: Save) -> None:
    other = Other(lambda: segment_delete(segment=segment, actor=person(cast.cx)))
    with transaction.atomic():
        save(cast.cx, segment.pk)
        other.start()
        other.join(0.5)
        assert other.is_alive()
    other.join(10)
    assert isinstance(other.error, Conflict)
    assert Segment.objects.filter(pk=segment.pk).exists()
    assert names(segment.pk)


@pytest.mark.parametrize("save", SAVES)
def test_who_deletes_first_leaves_nothing_to_name(cast: Cast, segment: Segment, save: Save) -> None:
    pk = segment.pk
    other = Other(lambda: save(cast.cx, pk))
    with transaction.atomic():
        segment_delete(segment=segment, actor=person(cast.cx))
        other.start()
        other.join(0.5)
        assert other.is_alive()
    other.join(10)
    assert isinstance(other.error, DomainError)
    assert "unknown_segment" in [each.code for each in other.error.errors]
    assert not Segment.objects.exists()
    assert not names(pk)
    assert (Automation.objects.filter(name="A").exists(), SavedView.objects.exists()) == (False, False)


def test_both_at_once_end_in_one_order_or_the_other(cast: Cast) -> None:
    for n in range(8):
        data = {"name": f"S{n}", "conditions": VIP, "sharing": "all"}
        row = segment_create(data=data, actor=person(cast.cx))
        start = threading.Barrier(2)

        def saving(pk: int = row.pk, n: int = n, start: threading.Barrier = start) -> None:
            start.wait()
            automation_create(name=f"A{n}", definition=naming(pk), actor=person(cast.cx))

        def deleting(row: Segment = row, start: threading.Barrier = start) -> None:
            start.wait()
            segment_delete(segment=row, actor=person(cast.cx))

        pair = [Other(saving), Other(deleting)]
        for each in pair:
            each.start()
        for each in pair:
            each.join(20)
        saved, deleted = (each.error is None for each in pair)
        assert saved is not deleted
        assert Segment.objects.filter(pk=row.pk).exists() is saved
        assert Automation.objects.filter(name=f"A{n}").exists() is saved
