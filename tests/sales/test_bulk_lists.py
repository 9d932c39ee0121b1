"""Edits of many deals beside each other and beside automations, what they cost, and what can be edited."""

import json
import threading
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts.models import Activity, Company, Contact
from contacts.services.bulk_edit import COMPANIES, CONTACTS
from crmcem.lib.actors import SYSTEM, person
from crmcem.workspace.models import BulkEdit, Role, User
from journeys.services.automations import automation_create
from sales.models import Deal, DealContact, Pipeline, StageChange
from sales.services.deals import deal_move
from sales.services.edits import DEALS
from sales.views.deals import DealList
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.fields import CustomFieldFactory
from tests.factories.sales import PipelineFactory
from tests.sales.editing import make, set_field, undo

pytestmark = pytest.mark.django_db
Web = Callable[[User], Client]


@pytest.fixture
def pipeline(db: None) -> Pipeline:
    Pipeline.objects.all().delete()
    return PipelineFactory(is_default=True, name="House")


def test_an_edit_costs_the_same_statements_for_more_rows(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    client = web(cast.admin)
    offer, contract = pipeline.stages.all()[1:]

    def cost(size: int, field: str, value: Any) -> tuple[int, int]:
        deals = [make(cast, pipeline) for _n in range(size)]
        for deal in deals:
            DealContact.objects.create(deal=deal, contact=ContactFactory(owner=cast.rep))
        with CaptureQueriesContext(connection) as there:
            assert set_field(client, deals, field, value).status_code == 200
        with CaptureQueriesContext(connection) as back:
            undo(client)
        return len(there), len(back)

    for field, value in (("stage", offer.pk), ("lost", "x"), ("amount", "3"), ("owner", cast.rep2.pk)):
        cost(1, field, value)
        few, many = cost(2, field, value), cost(15, field, value)
        # one more: what the process remembers of the organisation for a while
        assert all(there <= before + 1 for before, there in zip(few, many, strict=True)), field
        assert max(many) < 40, field
    assert contract.deals.count() == 0


def at_once(calls: list[tuple[Callable[[Client, int], None], Client, int]]) -> list[BaseException]:
    """Every call in a thread and a connection of its own; what they raised."""
    errors: list[BaseException] = []

    def run(call: Callable[[Client, int], None], client: Client, turn: int) -> None:
        try:
            call(client, turn)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    work = [threading.Thread(target=run, args=each) for each in calls]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    return errors


@pytest.mark.django_db(transaction=True)
def test_edits_that_meet_on_the_same_deals_lose_nothing(cast: Cast, web: Web) -> None:
    pipeline = PipelineFactory()
    stages = list(pipeline.stages.all())
    deals = [make(cast, pipeline) for _n in range(6)]

    def mover(client: Client, turn: int) -> None:
        for n in range(6):
            assert set_field(client, deals, "stage", stages[(n + turn) % 3].pk).status_code == 200

    def valuer(client: Client, turn: int) -> None:
        for n in range(6):
            assert set_field(client, None, "amount", f"{turn}{n}").status_code == 200
            undo(client, BulkEdit.objects.filter(key="amount").latest("pk"))

    def dropper(client: Client, turn: int) -> None:
        for n in range(12):
            deal_move(deal=deals[n % 6], stage=stages[(n + turn) % 3], position=n % 3, actor=person(cast.rep))

    calls = [(mover, 0), (mover, 1), (valuer, 3), (dropper, 2)]
    errors = at_once([(call, web(cast.manager), turn) for call, turn in calls])
    assert errors == []
    assert Activity.objects.filter(kind="deal.moved").count() == StageChange.objects.count()
    for deal in deals:
        moves = StageChange.objects.filter(deal=deal).order_by("id").values_list("from_stage", "to_stage")
        said = Activity.objects.filter(kind="deal.updated", subject_id=deal.pk).order_by("id")
        amounts = [[v and Decimal(v) for v in each.payload["changes"]["amount"]] for each in said]
        fresh = Deal.objects.get(pk=deal.pk)
        for steps in (list(moves), amounts):
            assert all(step[1] == following[0] for step, following in pairwise(steps)), (
                "each knew of the last"
            )
        assert moves[len(moves) - 1][1] == fresh.stage_id, "the history ends where the deal stands"
        assert fresh.version >= 1 + len(moves) + len(amounts)
    for stage in stages:
        ranks = list(Deal.objects.filter(stage=stage).values_list("position", flat=True))
        assert len(ranks) == len(set(ranks)), "no two cards of a column share a place"


def test_every_field_is_offered_or_has_its_reason() -> None:
    """A new column of a record asks here whether it is set in bulk."""
    reasons = {
        Deal: {
            "name": "tells apart", "external_id": "tells apart", "team": "goes with the owner",
            "pipeline": "goes with the stage", "position": "goes with the stage", "stage_entered_at": "by the stage",
            "rots_at": "by the stage", "closed_at": "by the end", "status": "by won and lost",
            "lost_reason": "by lost", "won_reason": "by won",
        },
        Contact: {
            "first_name": "tells apart", "last_name": "tells apart", "email": "tells apart", "phone": "tells apart",
            "external_id": "tells apart", "team": "goes with the owner", "consent": "is given by each person",
        },
        Company: {
            "name": "tells apart", "domain": "tells apart", "external_id": "tells apart",
            "team": "goes with the owner",
        },
    }  # fmt: skip
    kept_by_us = {"id", "version", "created_at", "updated_at", "search_text", "custom"}
    for model, editor in ((Deal, DEALS), (Contact, CONTACTS), (Company, COMPANIES)):
        offered = {key.partition("-")[0] for key in editor.keys} - {"won", "lost"}
        columns = {field.name for field in model._meta.concrete_fields} - kept_by_us
        assert columns == offered | reasons[model].keys(), model
        assert not offered & reasons[model].keys()


def test_automations_that_answer_are_named_before_and_after(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    step = {"key": "w", "type": "wait", "for": {"days": 1}}
    for name, event, on in (
        ("Thanks", "deal.won", True),
        ("Draft", "deal.won", False),
        ("Moved", "deal.moved", True),
    ):
        automation_create(
            name=name,
            definition={"trigger": {"type": "event", "event": event}, "steps": [step]},
            actor=SYSTEM,
            activate=on,
        )
    deal = make(cast, pipeline)
    client = web(cast.admin)
    warning = "Automations may answer to this change: “Thanks”. Undo does not take back what they do."
    forecast = set_field(client, [deal], "won", "", _confirmed="", _forecast="1").content.decode()
    assert forecast == f"1 of them will change. {warning}"
    set_field(client, [deal], "won", "")
    page = reverse("workspace:edit", args=[BulkEdit.objects.get().pk])
    assert warning in client.get(page).content.decode()
    assert warning in undo(client)
    set_field(client, [deal], "amount", "5")
    assert (
        "Automations may answer"
        not in client.get(reverse("workspace:edit", args=[BulkEdit.objects.latest("pk").pk])).content.decode()
    )
    Role.objects.filter(pk=cast.rep.role_id).update(scopes=["deals:*"])
    other = make(cast, pipeline)
    blind = set_field(web(cast.rep), [other], "won", "", _confirmed="", _forecast="1").content.decode()
    assert blind.endswith(". Automations may answer to this change. Undo does not take back what they do.")


def test_the_list_costs_the_same_with_everything_in_play(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    CustomFieldFactory(entity="deal", key="seats", type="number", label="Seats")
    client = web(cast.manager)
    keys = [column.key for column in DealList.columns]
    money = {"amount": "0", "currency": "EUR"}
    leaves = [
        {"field": "amount", "op": "gt", "value": money},
        {"field": "custom.seats", "op": "lt", "value": 99},
    ]
    asked = json.dumps({"all": leaves})
    query = {
        "columns": ",".join([*keys, "custom.seats"]),
        "conditions": asked,
        "search": "d",
        "ordering": "amount",
    }

    def cost(more: int) -> int:
        for n in range(more):
            make(
                cast,
                pipeline,
                name=f"d{n}",
                amount=n + 1,
                company=CompanyFactory(owner=cast.rep),
                custom={"seats": n},
            )
        client.get(reverse("sales:deals"), query)
        with CaptureQueriesContext(connection) as caught:
            assert client.get(reverse("sales:deals"), query).status_code == 200
        return len(caught)

    few = cost(3)
    assert few == cost(30) <= 12
