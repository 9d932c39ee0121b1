import datetime as dt
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.http import Http404

from contacts.models import Activity
from crmcem.lib import stream
from crmcem.lib.actors import person
from crmcem.lib.errors import Conflict, DomainError, NotAllowed, StaleWrite
from sales.models import Deal, Pipeline, StageChange
from sales.services.deals import deal_close, deal_create, deal_delete, deal_move, deal_reopen, deal_update
from sales.services.edits import DEALS
from sales.services.pipelines import pipeline_create, pipeline_delete, pipeline_update
from sales.services.ranks import many_lock
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.sales import DealFactory, PipelineFactory

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


@pytest.fixture
def pipeline(db: None) -> Pipeline:
    return PipelineFactory(is_default=True, position=0)


def column(pipeline: Pipeline, stage: int) -> list[str]:
    row = pipeline.stages.all()[stage]
    return list(
        Deal.objects.filter(stage=row, status="open")
        .order_by("position", "id")
        .values_list("name", flat=True)
    )


def test_a_deal_begins_at_the_top_of_the_first_stage_with_its_activity(
    cast: Cast, pipeline: Pipeline
) -> None:
    contact, company = ContactFactory(owner=cast.rep), CompanyFactory(owner=cast.rep)
    with time_machine.travel(NOON, tick=False):
        deal = deal_create(
            data={
                "name": "Fleet",
                "pipeline": pipeline,
                "amount": "1200.50",
                "currency": "usd",
                "company": company,
                "contacts": [{"contact": contact.pk, "role": "champion"}],
            },
            actor=person(cast.rep),
        )
    deal.refresh_from_db()
    lead = pipeline.stages.all()[0]
    assert (deal.stage, deal.status, deal.owner, deal.team) == (lead, "open", cast.rep, cast.north)
    assert (deal.amount, deal.currency) == (Decimal("1200.50"), "USD")
    assert deal.stage_entered_at == NOON
    assert deal.rots_at == NOON + dt.timedelta(days=10)
    assert [(m.contact_id, m.role) for m in deal.deal_contacts.all()] == [(contact.pk, "champion")]
    activity = Activity.objects.get(kind="deal.created")
    assert (activity.contact_id, activity.company_id, activity.subject_id) == (
        contact.pk,
        company.pk,
        deal.pk,
    )
    assert activity.payload == {"name": "Fleet", "amount": "1200.50", "currency": "USD", "stage": "Lead"}
    assert (activity.actor_kind, activity.actor_id) == ("user", cast.rep.pk)
    deal_create(data={"name": "Second", "pipeline": pipeline}, actor=person(cast.rep))
    assert column(pipeline, 0) == ["Second", "Fleet"]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "name"),
        ({"name": "x", "amount": "12.345"}, "amount"),
        ({"name": "x", "amount": "NaN"}, "amount"),
        ({"name": "x", "amount": "1e15"}, "amount"),
        ({"name": "x", "currency": "ZZZ"}, "currency"),
        ({"name": "x", "probability": 101}, "probability"),
        ({"name": "x", "expected_close": "2026-02-30"}, "expected_close"),
        ({"name": "x", "expected_close": "0001-01-01"}, "expected_close"),
        ({"name": "x", "stage": "999999"}, "stage"),
        ({"name": "x", "status": "won"}, "status"),
        ({"name": "x", "colour": "red"}, "colour"),
        ({"name": "x", "contacts": [{"contact": "1", "role": "king"}]}, "contacts.0.role"),
        ({"name": "x", "contacts": ["1"]}, "contacts.0"),
    ],
)
def test_bad_input_is_named_and_makes_nothing(
    cast: Cast, pipeline: Pipeline, data: dict[str, Any], field: str
) -> None:
    with pytest.raises(DomainError) as caught:
        deal_create(data=data, actor=person(cast.rep))
    assert field in [e.field for e in caught.value.errors]
    assert not Deal.objects.exists()
    assert not Activity.objects.exists()


def test_what_i_may_not_see_can_not_be_referred_to(cast: Cast, pipeline: Pipeline) -> None:
    hidden = CompanyFactory(owner=cast.rep2)
    with pytest.raises(DomainError) as caught:
        deal_create(data={"name": "x", "company": hidden.pk}, actor=person(cast.rep))
    assert caught.value.errors[0].field == "company"
    stranger = ContactFactory(owner=cast.rep2)
    with pytest.raises(DomainError):
        deal_create(data={"name": "x", "contacts": [{"contact": stranger.pk}]}, actor=person(cast.rep))
    assert not Deal.objects.exists()


def test_only_some_roles_write_and_give_away(cast: Cast, pipeline: Pipeline) -> None:
    for who in (cast.readonly, cast.nobody, cast.cx):
        with pytest.raises(NotAllowed):
            deal_create(data={"name": "x"}, actor=person(who))
    with pytest.raises(NotAllowed):
        deal_create(data={"name": "x", "owner": cast.rep2}, actor=person(cast.rep))
    assert not Deal.objects.exists()
    deal = deal_create(data={"name": "x", "owner": cast.rep}, actor=person(cast.manager))
    assert (deal.owner, deal.team) == (cast.rep, cast.north)


def test_anothers_deal_is_missing_and_stays_as_it_was(cast: Cast, pipeline: Pipeline) -> None:
    deal = DealFactory(pipeline=pipeline, owner=cast.rep2, team=cast.south)
    stage = pipeline.stages.all()[1]
    for attempt in (
        lambda a: deal_move(deal=deal, stage=stage, actor=a),
        lambda a: deal_update(deal=deal, data={"name": "mine"}, actor=a),
        lambda a: deal_close(deal=deal, status="won", actor=a),
        lambda a: deal_delete(deal=deal, actor=a),
    ):
        with pytest.raises(Http404):
            attempt(person(cast.rep))
    fresh = Deal.objects.get(pk=deal.pk)
    assert (fresh.name, fresh.stage_id, fresh.status, fresh.version) == (deal.name, deal.stage_id, "open", 1)
    assert not Activity.objects.exists()


def test_moving_writes_history_and_places_the_card(cast: Cast, pipeline: Pipeline) -> None:
    actor = person(cast.rep)
    stages = list(pipeline.stages.all())
    with time_machine.travel(NOON, tick=False):
        a, b, c = (deal_create(data={"name": n, "pipeline": pipeline}, actor=actor) for n in "abc")
    assert column(pipeline, 0) == ["c", "b", "a"]
    with time_machine.travel(NOON + dt.timedelta(hours=1), tick=False):
        deal_move(deal=a, stage=stages[1], actor=actor)
        deal_move(deal=b, stage=stages[1], position=1, actor=actor)
        deal_move(deal=c, stage=stages[1], position=1, actor=actor)
    assert column(pipeline, 1) == ["a", "c", "b"]
    change = StageChange.objects.filter(deal=a).first()
    assert change is not None
    assert (change.from_stage, change.to_stage, change.seconds_in_previous) == (stages[0], stages[1], 3600)
    assert Activity.objects.filter(kind="deal.moved").count() == 3
    deal_move(deal=a, stage=stages[1], position=99, actor=actor)
    assert column(pipeline, 1) == ["c", "b", "a"]
    assert Activity.objects.filter(kind="deal.moved").count() == 3, "another place in a column is no event"


def test_ranks_make_room_when_neighbours_come_too_close(cast: Cast, pipeline: Pipeline) -> None:
    stage = pipeline.stages.all()[0]
    low = DealFactory(pipeline=pipeline, name="low", position=Decimal("1"), owner=cast.rep)
    DealFactory(pipeline=pipeline, name="high", position=Decimal("1.0000001"), owner=cast.rep)
    moved = DealFactory(pipeline=pipeline, name="moved", position=Decimal("9"), owner=cast.rep)
    deal_move(deal=moved, stage=stage, position=1, actor=person(cast.rep))
    assert column(pipeline, 0) == ["low", "moved", "high"]
    low.refresh_from_db()
    assert low.position == 1


def test_winning_losing_and_reopening(cast: Cast, pipeline: Pipeline) -> None:
    actor = person(cast.rep)
    deal = deal_create(data={"name": "x", "pipeline": pipeline}, actor=actor)
    won = deal_close(deal=deal, status="won", reason="price", actor=actor)
    assert (won.status, won.won_reason, won.rots_at) == ("won", "price", None)
    assert won.closed_at is not None
    with pytest.raises(DomainError):
        deal_move(deal=deal, stage=pipeline.stages.all()[1], actor=actor)
    deal_close(deal=deal, status="won", actor=actor)
    assert Activity.objects.filter(kind="deal.won").count() == 1
    again = deal_reopen(deal=deal, actor=actor)
    assert (again.status, again.closed_at, again.won_reason) == ("open", None, "")
    lost = deal_update(deal=deal, data={"status": "lost", "lost_reason": "budget"}, actor=actor)
    assert (lost.status, lost.lost_reason) == ("lost", "budget")
    kinds = list(Activity.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["deal.created", "deal.won", "deal.reopened", "deal.updated", "deal.lost"]


def test_a_lost_update_is_refused(cast: Cast, pipeline: Pipeline) -> None:
    deal = deal_create(data={"name": "x", "pipeline": pipeline}, actor=person(cast.rep))
    deal_update(deal=deal, data={"name": "y"}, actor=person(cast.rep), expected_version=1)
    with pytest.raises(StaleWrite):
        deal_update(deal=deal, data={"name": "z"}, actor=person(cast.rep), expected_version=1)
    assert Deal.objects.get().name == "y"


def test_talking_with_the_customer_takes_the_rot_off(cast: Cast, pipeline: Pipeline) -> None:
    from contacts.services.interactions import interaction_log

    actor = person(cast.rep)
    with time_machine.travel(NOON, tick=False):
        deal = deal_create(data={"name": "x", "pipeline": pipeline}, actor=actor)
    contact = ContactFactory(owner=cast.rep)
    called = NOON + dt.timedelta(days=4)
    interaction_log(
        data={"kind": "call", "contact": contact.pk, "deal": deal.pk, "occurred_at": called}, actor=actor
    )
    from sales.consumers import FreshDeals

    with connection.cursor() as cursor:
        batch = stream.Batch(
            "WITH batch AS (SELECT * FROM contacts_activity)", {}, 2, frozenset({"interaction.logged"})
        )
        FreshDeals().handle(batch)
        cursor.execute("SELECT rots_at FROM sales_deal")
        assert cursor.fetchone()[0] == called + dt.timedelta(days=10)


def test_pipelines_keep_stages_that_deals_stand_in(cast: Cast) -> None:
    actor = person(cast.manager)
    made = pipeline_create(
        name="Partners", stages=[{"name": "A", "probability": 5}, {"name": "B", "rot_days": 3}], actor=actor
    )
    a, b = made.stages.all()
    DealFactory(pipeline=made, stage=b)
    with pytest.raises(Conflict):
        pipeline_update(pipeline=made, stages=[{"id": str(a.pk), "name": "A"}], actor=actor)
    with pytest.raises(DomainError):
        pipeline_update(pipeline=made, stages=[{"name": "A"}, {"name": "a"}], actor=actor)
    assert [s.name for s in made.stages.all()] == ["A", "B"]
    pipeline_update(
        pipeline=made,
        stages=[{"id": str(b.pk), "name": "A"}, {"id": str(a.pk), "name": "B"}, {"name": "C"}],
        actor=actor,
    )
    assert [(s.name, s.pk) for s in made.stages.all()][:2] == [("A", b.pk), ("B", a.pk)]
    with pytest.raises(Conflict):
        pipeline_delete(pipeline=made, actor=person(cast.admin))
    with pytest.raises(NotAllowed):
        pipeline_create(name="Mine", stages=[{"name": "A"}], actor=person(cast.rep))
    assert not Pipeline.objects.filter(name="Mine").exists()


@pytest.mark.django_db(transaction=True)
def test_parallel_moves_lose_nothing_and_never_deadlock(cast: Cast) -> None:
    pipeline = PipelineFactory()
    stages = list(pipeline.stages.all())
    deals = [DealFactory(pipeline=pipeline, owner=cast.rep, team=cast.north) for _ in range(8)]
    errors: list[BaseException] = []

    def mover(n: int) -> None:
        try:
            for i in range(12):
                deal = deals[(n * 5 + i) % 8]
                deal_move(deal=deal, stage=stages[(n + i) % 3], position=i % 4, actor=person(cast.rep))
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=mover, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for deal in deals:
        fresh = Deal.objects.get(pk=deal.pk)
        moves = StageChange.objects.filter(deal=deal)
        assert fresh.version == 1 + 12, "each of the 12 moves of a deal counted once"
        newest = moves.order_by("-id").first()
        assert newest is None or newest.to_stage_id == fresh.stage_id


def at_once(calls: list[tuple[Callable[[int], None], int]]) -> list[BaseException]:
    """Every call in a thread and a connection of its own; what they raised."""
    errors: list[BaseException] = []

    def run(call: Callable[[int], None], n: int) -> None:
        try:
            call(n)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=each) for each in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.django_db(transaction=True)
def test_a_hundred_cards_dropped_at_once_between_close_neighbours_end_in_one_order(cast: Cast) -> None:
    """Drops by neighbours into columns that have to be renumbered, beside bulk moves and the rot consumer."""
    pipeline = PipelineFactory()
    stages = list(pipeline.stages.all())
    deals = [
        DealFactory(
            pipeline=pipeline,
            owner=cast.rep,
            team=cast.north,
            stage=stages[i % 2],
            position=Decimal(i) / 10**7,
        )
        for i in range(10)
    ]

    def dropper(n: int) -> None:
        for i in range(10):
            deal, above, below = deals[n], deals[(n + i + 1) % 10].pk, deals[(n + i + 3) % 10].pk
            deal_move(deal=deal, stage=stages[(n + i) % 2], between=(above, below), actor=person(cast.rep))

    def bulker(_n: int) -> None:
        for owner in [cast.manager, cast.rep] * 5:
            DEALS.write(
                key="owner", value=owner.pk, ids=[deal.pk for deal in deals], actor=person(cast.admin)
            )

    def toucher(_n: int) -> None:
        for _ in range(20):
            with transaction.atomic():
                many_lock()
                Deal.objects.order_by("-pk").update(rots_at=None)

    errors = at_once([*((dropper, n) for n in range(10)), (bulker, 0), (toucher, 0)])
    unseen = [e for e in errors if isinstance(e, Http404)]
    assert errors == unseen, "a deal may be another's for a moment; nothing else goes wrong"
    if not unseen:
        moved = Activity.objects.filter(kind="deal.moved").count()
        assert moved == StageChange.objects.count()
    for stage in stages[:2]:
        ranks = list(Deal.objects.filter(stage=stage).values_list("position", flat=True))
        assert len(ranks) == len(set(ranks)), "no two cards of a column share a place"
    assert Deal.objects.count() == 10
