from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from contacts.models import Task
from sales.models import Deal, Pipeline
from sales.selectors.board import board
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.sales import DealFactory, PipelineFactory

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
URL = "/api/v1/deals/"


@pytest.fixture
def pipeline(db: None) -> Pipeline:
    return PipelineFactory(is_default=True)


def test_a_deals_life_over_the_api(cast: Cast, api: Api, pipeline: Pipeline) -> None:
    client = api(cast.rep)
    contact = ContactFactory(owner=cast.rep)
    stages = list(pipeline.stages.all())
    answer = client.post(
        URL,
        {
            "name": "Fleet",
            "pipeline": str(pipeline.pk),
            "amount": {"amount": "99.90", "currency": "EUR"},
            "contacts": [{"contact": str(contact.pk), "role": "decision_maker"}],
            "expected_close": "2026-12-01",
        },
        format="json",
    )
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert body["amount"] == {"amount": "99.90", "currency": "EUR"}
    assert body["contacts"] == [{"contact": str(contact.pk), "role": "decision_maker"}]
    assert (body["stage"], body["status"], body["owner"]) == (str(stages[0].pk), "open", str(cast.rep.pk))
    url = f"{URL}{body['id']}/"
    moved = client.post(f"{url}move/", {"stage": str(stages[1].pk), "position": 0}, format="json")
    assert moved.status_code == 200
    assert moved.json()["stage"] == str(stages[1].pk)
    stale = client.patch(url, {"name": "x"}, format="json", headers={"If-Match": answer["ETag"]})
    assert stale.status_code == 412
    renamed = client.patch(url, {"name": "Vans"}, format="json", headers={"If-Match": moved["ETag"]})
    assert renamed.json()["name"] == "Vans"
    won = client.post(f"{url}win/", {"reason": "fit"}, format="json")
    assert (won.json()["status"], won.json()["won_reason"]) == ("won", "fit")
    history = client.get(f"{url}history/").json()
    assert [(h["to_stage"], h["status"]) for h in history] == [
        (str(stages[1].pk), "won"),
        (str(stages[1].pk), "open"),
        (str(stages[0].pk), "open"),
    ]
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404


def test_hidden_deals_are_missing_on_every_verb(cast: Cast, api: Api, pipeline: Pipeline) -> None:
    deal = DealFactory(pipeline=pipeline, owner=cast.rep2, team=cast.south)
    client = api(cast.rep)
    missing = client.get(f"{URL}999999/").content
    url = f"{URL}{deal.pk}/"
    answers = [
        client.get(url),
        client.patch(url, {"name": "x"}, format="json"),
        client.delete(url),
        client.post(f"{url}move/", {"stage": str(deal.stage_id)}, format="json"),
        client.post(f"{url}win/", {}, format="json"),
        client.get(f"{url}history/"),
    ]
    assert {a.status_code for a in answers} == {404}
    assert {a.content for a in answers} == {missing}
    assert client.get(URL).json()["results"] == []
    assert Deal.objects.get().version == 1


def test_lists_filter_and_never_cost_more_queries(
    cast: Cast, api: Api, pipeline: Pipeline, django_assert_max_num_queries: Any
) -> None:
    client = api(cast.manager)
    company = CompanyFactory(name="Acme", owner=cast.rep, team=cast.north)
    deals = [
        DealFactory(
            pipeline=pipeline, name=f"Wagon {i}", amount=i, owner=cast.rep, team=cast.north, company=company
        )
        for i in range(60)
    ]
    Task.objects.create(title="call", deal_id=deals[3].pk, owner=cast.rep, due_at=deals[3].created_at)
    client.get(URL)
    for size in ("5", "50"):
        with django_assert_max_num_queries(5):
            answer = client.get(URL, {"page_size": size})
        assert len(answer.json()["results"]) == int(size)
    found = client.get(URL, {"amount__gte": "10", "amount__lte": "12", "ordering": "amount"}).json()[
        "results"
    ]
    assert [d["name"] for d in found] == ["Wagon 10", "Wagon 11", "Wagon 12"]
    assert [d["id"] for d in client.get(URL, {"search": "wágon 59"}).json()["results"]] == [str(deals[59].pk)]
    one = client.get(f"{URL}{deals[3].pk}/", {"expand": "owner", "fields": "owner,next_activity_at"}).json()
    assert one["owner"]["username"] == "rep"
    assert one["next_activity_at"] is not None
    assert client.get(URL, {"stage": "x"}).status_code == 400


def test_pipelines_over_the_api(cast: Cast, api: Api) -> None:
    client = api(cast.manager)
    made = client.post(
        "/api/v1/pipelines/",
        {"name": "New", "stages": [{"name": "A", "probability": 10, "rot_days": 5}, {"name": "B"}]},
        format="json",
    )
    assert made.status_code == 201, made.content
    stages = made.json()["stages"]
    assert [(s["name"], s["probability"], s["rot_days"]) for s in stages] == [("A", 10, 5), ("B", 0, None)]
    url = f"/api/v1/pipelines/{made.json()['id']}/"
    changed = client.patch(url, {"stages": [{**stages[1]}, {**stages[0], "name": "A2"}]}, format="json")
    assert [(s["id"], s["name"]) for s in changed.json()["stages"]] == [
        (stages[1]["id"], "B"),
        (stages[0]["id"], "A2"),
    ]
    assert api(cast.rep).patch(url, {"name": "x"}, format="json").status_code == 403
    assert (
        client.post(
            "/api/v1/pipelines/", {"name": "new", "stages": [{"name": "A"}]}, format="json"
        ).status_code
        == 400
    )


def test_the_board_counts_whole_columns_and_shows_the_first_cards(
    cast: Cast, pipeline: Pipeline, django_assert_num_queries: Any
) -> None:
    stages = list(pipeline.stages.all())
    for i in range(5):
        DealFactory(pipeline=pipeline, stage=stages[1], amount=100, position=-i, name=f"d{i}", owner=cast.rep)
    DealFactory(
        pipeline=pipeline, stage=stages[1], amount=10, currency="USD", probability=100, owner=cast.rep
    )
    DealFactory(pipeline=pipeline, stage=stages[1], status="won", amount=1000)
    with django_assert_num_queries(5):
        columns = board(pipeline, Deal.objects.all(), cast.admin, size=2)
    assert [c.count for c in columns] == [0, 6, 0]
    assert [d.name for d in columns[1].cards] == ["d4", "d3"]
    assert columns[1].more == 4
    totals = [(t.currency, str(t.amount), str(t.weighted)) for t in columns[1].totals]
    assert totals == [("EUR", "500.00", "250.00"), ("USD", "10.00", "10.00")]


def test_what_a_pipeline_can_not_take_is_no_silence(cast: Cast, api: Api, pipeline: Pipeline) -> None:
    client, url = api(cast.admin), f"/api/v1/pipelines/{pipeline.pk}/"
    first = client.get(url).json()
    assert first["is_default"] is True
    answer = client.patch(url, {"is_default": False})
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [("is_default", "invalid")]
    stage = first["stages"][0]["id"]
    answer = client.patch(url, {"stages": [{"id": stage, "name": "A"}, {"id": stage, "name": "B"}]})
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [("stages.1.id", "unique")]
    assert client.get(url).json() == first
    other = client.post(
        "/api/v1/pipelines/", {"name": "Other", "stages": [{"name": "A"}], "is_default": True}
    )
    assert (other.status_code, client.get(url).json()["is_default"]) == (201, False)
