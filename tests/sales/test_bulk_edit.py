"""One field of many deals: what is written, who may, what stays and why, and taking it back."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from contacts.models import Activity
from crmcem.lib.actors import person
from crmcem.workspace.models import AuditEntry, BulkEdit, User
from crmcem.workspace.services import edits
from sales.models import Deal, DealContact, Pipeline, Stage, StageChange
from sales.services.deals import deal_close, deal_move, deal_update
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.fields import CustomFieldFactory
from tests.factories.sales import DealFactory, PipelineFactory
from tests.sales.editing import HX, make, set_field, undo, whole

pytestmark = pytest.mark.django_db
Web = Callable[[User], Client]


@pytest.fixture
def pipeline(db: None) -> Pipeline:
    Pipeline.objects.all().delete()
    return PipelineFactory(is_default=True, name="House")


VALUES = [
    ("amount", "12.5", "amount", Decimal("12.50"), [None, "12.5"]),
    ("amount", "", "amount", None, None),
    ("currency", "usd", "currency", "USD", ["EUR", "USD"]),
    ("expected_close", "2031-02-03", "expected_close", dt.date(2031, 2, 3), [None, "2031-02-03"]),
    ("probability", "35", "probability", 35, [None, 35]),
    ("competitors-add", "Acme, Bolt", "competitors", ["Old", "Acme", "Bolt"], [["Old"], ["Old", "Acme", "Bolt"]]),
    ("competitors-remove", "Old", "competitors", [], [["Old"], []]),
]  # fmt: skip


@pytest.mark.parametrize(("field", "typed", "column", "stored", "told"), VALUES)
def test_a_field_is_set_for_all_of_them_and_comes_back(
    cast: Cast, web: Web, pipeline: Pipeline, field: str, typed: str, column: str, stored: Any, told: Any
) -> None:
    deals = [make(cast, pipeline, competitors=["Old"]) for _n in range(2)]
    before = whole(*deals)
    client = web(cast.rep)
    response = set_field(client, deals, field, typed)
    assert response.status_code == (200 if field != "currency" else 422)
    if field == "currency":  # the dialog offers capital letters only
        assert set_field(client, deals, field, "USD").status_code == 200
    edit = BulkEdit.objects.get()
    changed = 0 if told is None else 2
    assert (edit.status, edit.rows_done, edit.changed, edit.failed) == ("done", 2, changed, 0)
    for deal in deals:
        deal.refresh_from_db()
        assert (getattr(deal, column), deal.version) == (stored, 1 + bool(changed))
        said = Activity.objects.filter(kind="deal.updated", subject_id=deal.pk).values_list(
            "payload", flat=True
        )
        assert [each["changes"] for each in said] == ([{column: told}] if told else [])
    if told:
        undo(client, edit)
        edit.refresh_from_db()
        assert (edit.status, edit.restored) == ("undone", 2)
        assert whole(*deals) == before
        assert set(Deal.objects.values_list("version", flat=True)) == {3}


def test_moving_many_is_moving_each(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    lead, offer, _contract = pipeline.stages.all()
    since = timezone.now() - dt.timedelta(days=3)
    rotten = since + dt.timedelta(days=1)
    deals = [make(cast, pipeline, name=f"d{n}", stage_entered_at=since, rots_at=rotten) for n in range(2)]
    people = [ContactFactory(owner=cast.rep) for _n in range(2)]
    for contact in people:
        DealContact.objects.create(deal=deals[0], contact=contact)
    standing = make(cast, pipeline, name="standing", stage=offer, position=5)
    there = make(cast, pipeline, name="there", stage=offer, position=9)
    closed = make(cast, pipeline, name="closed", status="won")
    other = DealFactory(owner=cast.rep, name="other")
    before = whole(*deals, standing, there, closed, other)
    client = web(cast.rep)
    chosen = [*deals, there, closed, other]
    forecast = set_field(client, chosen, "stage", offer.pk, _confirmed="", _forecast="1").content.decode()
    assert forecast == (
        "2 of them will change; others have this value already. "
        "Closed, so they stay where they are: 1. Reopen them first. "
        "In another pipeline, so they stay: 1. Choose a stage of that one."
    )
    single = make(cast, pipeline, name="single", stage_entered_at=since)
    deal_move(deal=single, stage=offer, position=9, actor=person(cast.rep))
    assert set_field(client, chosen, "stage", offer.pk).status_code == 200
    edit = BulkEdit.objects.get()
    assert (edit.status, edit.rows_done, edit.changed, edit.failed) == ("done", 5, 2, 2)
    assert edit.failures == [
        ["closed", "This deal is closed. Reopen it before you move it."],
        ["other", "It stands in another pipeline. Choose a stage of that one."],
    ]
    column = Deal.objects.filter(stage=offer, status="open").order_by("position")
    assert list(column.values_list("name", flat=True)) == ["d0", "d1", "standing", "there", "single"]
    alone = StageChange.objects.get(deal=single)
    for deal in deals:
        deal.refresh_from_db()
        assert deal.rots_at == deal.stage_entered_at + dt.timedelta(days=10)
        change = StageChange.objects.get(deal=deal)
        assert (change.from_stage, change.to_stage, change.status) == (lead, offer, "open")
        assert (change.at, change.actor_kind, change.actor_id) == (deal.stage_entered_at, "user", cast.rep.pk)
        assert change.seconds_in_previous == pytest.approx(alone.seconds_in_previous, abs=60)
    told = Activity.objects.filter(kind="deal.moved")
    one = told.get(subject_id=single.pk).payload
    said = told.filter(subject_id__in=[deal.pk for deal in deals]).order_by("id")
    assert [(each.subject_id, each.contact_id, each.payload) for each in said] == [
        (deals[0].pk, people[0].pk, {**one, "name": "d0"}),
        (deals[0].pk, people[1].pk, {**one, "name": "d0"}),
        (deals[1].pk, None, {**one, "name": "d1"}),
    ]
    assert (one["from"], one["to"]) == ("Lead", "Offer")
    undo(client)
    assert whole(*deals, standing, there, closed, other) == before, "age and place in the column as well"
    back = StageChange.objects.filter(deal=deals[0]).latest("id")
    assert (back.from_stage, back.to_stage) == (offer, lead)
    assert said.latest("id").payload["to"] == "Lead"
    audited = AuditEntry.objects.filter(table_name="sales_deal", actor_kind="user")
    assert set(audited.values_list("actor_id", flat=True)) == {cast.rep.pk}


@pytest.mark.parametrize(("end", "other"), [("lost", "won"), ("won", "lost")])
def test_ends_take_their_reason_and_leave_the_other_end_alone(
    cast: Cast, web: Web, pipeline: Pipeline, end: str, other: str
) -> None:
    since = timezone.now() - dt.timedelta(days=2)
    deals = [make(cast, pipeline, stage_entered_at=since, rots_at=since) for _n in range(2)]
    same, against = make(cast, pipeline, status=end), make(cast, pipeline, status=other, name="against")
    before = whole(*deals, same, against)
    client = web(cast.rep)
    if end == "lost":
        refused = set_field(client, deals, end, "  ")
        assert refused.status_code == 422
        assert "Say why in a few words" in refused.content.decode()
        assert (whole(*deals, same, against), BulkEdit.objects.count()) == (before, 0)
    forecast = set_field(client, None, end, "Price", _confirmed="", _forecast="1").content.decode()
    assert forecast.startswith("2 of them will change; others have this value already. ")
    assert forecast.endswith("so they stay as they are: 1. Reopen them first.")
    set_field(client, None, end, " Price ")
    edit = BulkEdit.objects.get()
    assert (edit.rows_done, edit.changed, edit.failures) == (
        4,
        2,
        [["against", f"This deal is {other}. Reopen it first."]],
    )
    alone = make(cast, pipeline, stage_entered_at=since)
    deal_close(deal=alone, status=end, reason="Price", actor=person(cast.rep))
    alone.refresh_from_db()
    for deal in deals:
        deal.refresh_from_db()
        assert (deal.status, deal.rots_at, getattr(deal, f"{end}_reason")) == (end, None, "Price")
        assert deal.stage_entered_at == alone.stage_entered_at == since
        change = StageChange.objects.get(deal=deal)
        assert (change.from_stage, change.to_stage, change.status, change.at) == (
            deal.stage,
            deal.stage,
            end,
            deal.closed_at,
        )
        told = Activity.objects.get(kind=f"deal.{end}", subject_id=deal.pk).payload
        single = Activity.objects.get(kind=f"deal.{end}", subject_id=alone.pk).payload
        assert told == {**single, "name": deal.name}
    undo(client)
    assert whole(*deals, same, against) == before
    assert Activity.objects.filter(kind="deal.reopened").count() == 2
    assert set(StageChange.objects.filter(deal__in=deals).values_list("status", flat=True)) == {end, "open"}


def test_owner_brings_the_team_and_company_must_be_seen(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    deals = [make(cast, pipeline) for _n in range(2)]
    hidden = CompanyFactory(owner=cast.rep2, team=cast.south)
    mine = CompanyFactory(owner=cast.rep, team=cast.north)
    before = whole(*deals)
    rep = web(cast.rep)
    assert set_field(rep, deals, "company", hidden.pk).status_code == 422
    assert set_field(rep, deals, "owner", cast.rep2.pk).status_code == 422, "a rep gives nothing away"
    assert (whole(*deals), BulkEdit.objects.count()) == (before, 0)
    set_field(rep, deals, "company", mine.pk)
    assert set(Deal.objects.values_list("company_id", flat=True)) == {mine.pk}
    said = Activity.objects.filter(kind="deal.updated").values_list("company_id", "payload__changes")
    assert list(said) == [(mine.pk, {"company": [None, mine.pk]})] * 2
    admin = web(cast.admin)
    set_field(admin, deals, "owner", cast.rep2.pk)
    assert set(Deal.objects.values_list("owner_id", "team_id")) == {(cast.rep2.pk, cast.south.pk)}
    undo(admin)
    assert set(Deal.objects.values_list("owner_id", "team_id")) == {(cast.rep.pk, cast.north.pk)}


def test_custom_fields_and_only_that_one(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    CustomFieldFactory(entity="deal", key="seats", type="number", label="Seats")
    deal, empty = make(cast, pipeline, custom={"seats": 3, "other": "x"}), make(cast, pipeline)
    client = web(cast.rep)
    assert "Seats" in set_field(client, [deal], "", "", _confirmed="").content.decode()
    assert set_field(client, [deal, empty], "custom-seats", "many").status_code == 422
    assert set_field(client, [deal, empty], "custom-seats", "12").status_code == 200
    deal.refresh_from_db()
    assert {key: str(value) for key, value in deal.custom.items()} == {"seats": "12", "other": "x"}
    Deal.objects.filter(pk=deal.pk).update(custom={**deal.custom, "other": "y"})
    undo(client)
    for row in (deal, empty):
        row.refresh_from_db()
    assert (deal.custom, empty.custom) == ({"seats": 3, "other": "y"}, {})


def test_what_changed_since_stays_and_is_named(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    offer, contract = pipeline.stages.all()[1:]
    untouched, other, changed, closed, gone, given = (
        make(cast, pipeline, name=n) for n in ("a", "other", "changed", "closed", "gone", "given")
    )
    client = web(cast.rep)
    set_field(client, None, "stage", offer.pk)
    deal_update(deal=other, data={"amount": "5"}, actor=person(cast.admin))
    for stage in (contract, offer):
        deal_move(deal=changed, stage=stage, position=0, actor=person(cast.admin))
    deal_close(deal=closed, status="won", reason="", actor=person(cast.admin))
    gone.delete()
    deal_update(deal=given, data={"owner": cast.rep2}, actor=person(cast.admin))
    page = undo(client)
    edit = BulkEdit.objects.get()
    assert (edit.changed, edit.restored) == (6, 2)
    since = "It was changed again since."
    assert edit.skipped == [["changed", since], ["closed", since]], "what is hidden is not named"
    assert "2 records are as they were before." in page
    assert "4 were changed again or deleted since" in page
    assert "<b>changed</b>: It was changed again since." in page
    assert "given" not in page
    stages = dict(Deal.objects.values_list("name", "stage__name"))
    assert stages == {"a": "Lead", "other": "Lead", "changed": "Offer", "closed": "Offer", "given": "Offer"}
    assert Deal.objects.get(pk=other.pk).amount == 5, "what else was changed since stays"
    set_field(client, [untouched, other], "stage", contract.pk)
    Stage.objects.filter(pipeline=pipeline, name="Lead").delete()
    assert "<b>a</b>: The stage it stood in is gone. Move it by hand." in undo(client)
    assert Deal.objects.get(pk=untouched.pk).stage == contract


def test_rows_of_others_and_people_without_the_scope_change_nothing(
    cast: Cast, web: Web, pipeline: Pipeline
) -> None:
    mine, theirs = make(cast, pipeline), make(cast, pipeline, owner=cast.rep2, team=cast.south)
    before = whole(mine, theirs)
    reader = web(cast.readonly)
    offer = pipeline.stages.all()[1]
    for key, more in (
        ("edit", {"field": "amount", "value": "1"}),
        ("move", {"value": offer.pk}),
        ("win", {"value": ""}),
        ("lose", {"value": "x"}),
        ("assign", {"value": cast.readonly.pk}),
        ("delete", {}),
    ):
        data = {"_bulk": key, "_confirmed": "1", "_all": "1", **more}
        assert reader.post(reverse("sales:deals") + "?view=all", data, headers=HX).status_code == 403, key
    rep = web(cast.rep)
    for field in (
        "name",
        "external_id",
        "status",
        "team",
        "pipeline",
        "position",
        "stage_entered_at",
        "version",
    ):
        assert set_field(rep, [mine], field, "1").status_code == 422, field
    assert set_field(rep, [mine], "stage", 10**9).status_code == 422
    assert set_field(rep, [mine], "amount", "1e30").status_code == 422
    assert (whole(mine, theirs), BulkEdit.objects.count(), Activity.objects.count()) == (before, 0, 0)
    shown = set_field(rep, [mine, theirs], "amount", "", _confirmed="").content.decode()
    assert "1 record is chosen." in shown
    assert "1 more is gone or not yours to change, and is left out." in shown
    set_field(rep, [mine, theirs], "amount", "7")
    set_field(rep, None, "probability", "7")
    assert list(Deal.objects.order_by("pk").values_list("amount", "probability")) == [(7, 7), (None, None)]
    assert whole(theirs) == before[1:]


def test_all_that_match_are_a_job_that_a_killed_worker_leaves_whole(
    cast: Cast, web: Web, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "CHUNK", 2)
    lead, offer = pipeline.stages.all()[:2]
    for n in range(5):
        make(cast, pipeline, name=f"d{n}")
    make(cast, pipeline, stage=offer, name="there")
    make(cast, pipeline, owner=cast.rep2, team=cast.south, name="theirs")
    client = web(cast.rep)
    data = {"_bulk": "move", "_confirmed": "1", "_all": "1", "value": str(offer.pk)}
    url = reverse("sales:deals") + f"?stage={lead.pk}"
    assert client.post(url, data, headers=HX).status_code == 200
    edit = BulkEdit.objects.get()
    assert (edit.status, edit.rows_total, edit.key, edit.label) == ("queued", 5, "stage", "Stage")
    claimed = edits._claim(edit.pk)
    assert claimed is not None
    assert edits._step(edit.pk, edits._rows(claimed), person(cast.rep))
    assert Deal.objects.filter(stage=offer).count() == 3
    BulkEdit.objects.update(claimed_until=timezone.now() - dt.timedelta(seconds=1))  # its worker died
    assert edits.edit_run(edit.pk) == "done"
    column = Deal.objects.filter(stage=offer).order_by("position")
    assert list(column.values_list("name", flat=True)) == ["d4", "d2", "d3", "d0", "d1", "there"]
    assert StageChange.objects.count() == 5
    assert "Being taken back" in undo(client)
    assert edits.edit_run(edit.pk) == "undone"
    assert Deal.objects.filter(stage=offer).get().name == "there"
    assert list(Deal.objects.filter(name="theirs").values_list("stage__name", "version")) == [("Lead", 1)]
