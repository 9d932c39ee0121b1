"""The pages of deals: what they show, what their forms do, and what they cost."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from contacts.models import Interaction, Task
from contacts.services.interactions import interaction_log
from contacts.services.tasks import task_create
from crmcem.lib.actors import person
from crmcem.workspace.models import BulkEdit, User
from sales.models import Deal, DealContact, Pipeline, StageChange
from sales.services.deals import deal_create, deal_move, deal_update
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, TaskFactory
from tests.factories.sales import DealFactory, PipelineFactory

pytestmark = pytest.mark.django_db
Web = Callable[[User], Client]
HTMX = {"HX-Request": "true"}
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
def pipeline(db: None) -> Pipeline:
    Pipeline.objects.all().delete()
    return PipelineFactory(is_default=True, name="House")


def queries(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(
        connection,
    ) as caught:
        assert client.get(url).status_code == 200
    return len(caught)


def many(cast: Cast, pipeline: Pipeline, n: int) -> list[Deal]:
    made = []
    for i in range(n):
        contact = ContactFactory(owner=cast.rep, team=cast.north, pulse={"nps": 9, "open_cases": 1})
        deal = DealFactory(
            pipeline=pipeline,
            stage=pipeline.stages.all()[i % 3],
            owner=cast.rep,
            team=cast.north,
            company=CompanyFactory(owner=cast.rep),
            amount=100,
        )
        DealContact.objects.create(deal=deal, contact=contact)
        TaskFactory(deal_id=deal.pk, owner=cast.rep, due_at=timezone.now())
        made.append(deal)
    return made


def test_pages_cost_the_same_for_few_and_many_deals(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    client = web(cast.manager)
    few = many(cast, pipeline, 3)
    interaction_log(data={"kind": "note", "body": "x", "deal": few[0].pk}, actor=person(cast.rep))
    pages = {
        "board": (reverse("sales:board"), 12),
        "column": (reverse("sales:board-column", args=[pipeline.stages.all()[0].pk]), 7),
        "list": (reverse("sales:deals"), 12),
        "deal": (reverse("sales:deal", args=[few[0].pk]), 20),
        "panel": (reverse("sales:panel-today"), 8),
    }
    before = {name: queries(client, url) for name, (url, _most) in pages.items()}
    many(cast, pipeline, 24)
    for _ in range(5):
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        DealContact.objects.create(deal=few[0], contact=contact)
        interaction_log(
            data={"kind": "note", "body": "x", "deal": few[0].pk, "contact": contact}, actor=person(cast.rep)
        )
    after = {name: queries(client, url) for name, (url, _most) in pages.items()}
    for name, (_url, most) in pages.items():
        assert after[name] <= most, f"{name}: {after[name]}"
        assert after[name] <= before[name] + 1, f"{name}: {before[name]} to {after[name]}"


def test_the_board_sums_exactly_and_loads_the_rest_of_a_column_by_key(
    cast: Cast, web: Web, pipeline: Pipeline
) -> None:
    lead = pipeline.stages.all()[0]
    for i in range(45):
        DealFactory(
            pipeline=pipeline, owner=cast.rep, amount=Decimal("0.10"), position=i, name=f"Card {i:02}"
        )
    DealFactory(
        pipeline=pipeline,
        owner=cast.rep,
        amount=7,
        currency="USD",
        position=99,
        name="Dollars",
        probability=50,
    )
    client = web(cast.rep)
    page = client.get(reverse("sales:board"))
    column = page.context["columns"][0]["column"]
    assert column.count == 46
    assert [(t.currency, t.amount, t.weighted) for t in column.totals] == [
        ("USD", Decimal("7.00"), Decimal("3.50")),
        ("EUR", Decimal("4.50"), Decimal("0.45")),
    ]
    seen = [card["name"] for card in page.context["columns"][0]["cards"]]
    url = page.context["columns"][0]["more_url"]
    while url:
        more = client.get(url)
        seen += [card["name"] for card in more.context["cards"]]
        url = more.context["more_url"]
    assert seen == [*(f"Card {i:02}" for i in range(45)), "Dollars"]
    assert len(page.context["columns"][0]["cards"]) == 20
    assert client.get(reverse("sales:board-column", args=[lead.pk]) + "?cursor=junk").status_code == 400


def test_the_state_of_the_next_activity_colours_counts_and_filters(
    cast: Cast, web: Web, pipeline: Pipeline
) -> None:
    now = timezone.now()
    for name, due in {
        "late": now - dt.timedelta(hours=3),
        "soon": now + dt.timedelta(minutes=1),
        "later": now + dt.timedelta(days=3),
    }.items():
        deal = DealFactory(pipeline=pipeline, owner=cast.rep, name=name)
        TaskFactory(deal_id=deal.pk, due_at=due)
        TaskFactory(deal_id=deal.pk, due_at=now - dt.timedelta(days=9), status="done")
    DealFactory(pipeline=pipeline, owner=cast.rep, name="idle")
    client = web(cast.rep)
    page = client.get(reverse("sales:board"))
    states = page.context["columns"][0]["column"].states
    assert states["overdue"] == 1
    assert states["none"] == 1
    assert states["today"] + states["planned"] == 2
    text = page.content.decode()
    for word in ("Overdue", "No activity", "ti-alert-circle", "ti-alert-triangle"):
        assert word in text
    for state, name in (("overdue", "late"), ("none", "idle")):
        narrowed = client.get(reverse("sales:board"), {"next_activity": state})
        assert [c["name"] for c in narrowed.context["columns"][0]["cards"]] == [name]
        assert narrowed.context["columns"][0]["column"].count == 1
        listed = client.get(reverse("sales:deals"), {"next_activity": state}).content.decode()
        assert listed.count('class="row-link"') == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("pipeline=999999", "pipeline"),
        ("pipeline=x", "pipeline"),
        ("next_activity=never", "next_activity"),
        ("colour=red", "colour"),
        ("owner=abc", "owner"),
        ("stage=1", "stage"),
        ("search=%00", "search"),
    ],
)
def test_a_wrong_board_url_says_what_is_wrong(
    cast: Cast, web: Web, pipeline: Pipeline, query: str, field: str
) -> None:
    answer = web(cast.rep).get(f"{reverse('sales:board')}?{query}")
    assert answer.status_code == 400
    assert f"<strong>{field}</strong>" in answer.content.decode()


def test_a_card_shows_its_customer_and_never_runs_its_name(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    company = CompanyFactory(owner=cast.rep, name=EVIL)
    contact = ContactFactory(owner=cast.rep, first_name=EVIL, pulse={"nps": 3, "open_cases": 2})
    deal = deal_create(
        data={"name": EVIL, "pipeline": pipeline, "company": company, "contacts": [{"contact": contact}]},
        actor=person(cast.rep),
    )
    interaction_log(
        data={"kind": "note", "subject": EVIL, "body": EVIL, "deal": deal.pk}, actor=person(cast.rep)
    )
    task_create(data={"title": EVIL, "deal": deal.pk}, actor=person(cast.rep))
    deal_update(deal=deal, data={"competitors": [EVIL]}, actor=person(cast.rep))
    Pipeline.objects.filter(pk=pipeline.pk).update(name=EVIL)
    pipeline.stages.filter(position=0).update(name=EVIL)
    client = web(cast.rep)
    board = client.get(reverse("sales:board")).content.decode()
    assert "NPS 3" in board
    assert "2 cases" in board
    urls = [
        reverse("sales:board"),
        reverse("sales:deals") + "?columns=name,company,stage,pipeline",
        *(
            reverse(f"sales:{n}", args=[deal.pk])
            for n in ("deal", "deal-edit", "deal-move", "deal-win", "deal-lose")
        ),
        *(reverse(f"sales:{n}", args=[deal.pk]) for n in ("deal-delete", "deal-people", "deal-timeline")),
        reverse("sales:panel-contact", args=[contact.pk]),
        reverse("sales:panel-today"),
        reverse("sales:pipelines"),
        reverse("workspace:search") + "?q=script",
    ]
    for url in urls:
        text = client.get(url).content.decode()
        assert "&lt;script&gt;" in text, url
        assert "<script>alert" not in text, url
        assert "<img src=x" not in text, url
    admin = web(cast.admin).get(reverse("sales:pipeline", args=[pipeline.pk])).content.decode()
    assert "<script>alert" not in admin


def test_dropping_a_card_places_it_and_answers_the_new_figures(
    cast: Cast, web: Web, pipeline: Pipeline
) -> None:
    lead, offer = pipeline.stages.all()[:2]
    a, b, c = (
        DealFactory(pipeline=pipeline, stage=offer, owner=cast.rep, name=n, amount=10, position=i)
        for i, n in enumerate("abc")
    )
    moved = DealFactory(pipeline=pipeline, stage=lead, owner=cast.rep, name="moved", amount=5)
    client = web(cast.rep)
    url = reverse("sales:deal-place", args=[moved.pk])
    answer = client.post(url, {"stage": offer.pk, "above": a.pk, "below": b.pk}, headers=HTMX)
    assert answer.status_code == 200
    assert [c["column"].count for c in answer.context["columns"]] == [0, 4, 0]
    assert answer.context["columns"][1]["column"].totals[0].amount == 35
    assert f'id="deal-{moved.pk}"' in answer.content.decode()

    def order() -> list[str]:
        return list(
            Deal.objects.filter(stage=offer).order_by("position", "id").values_list("name", flat=True)
        )

    assert order() == ["a", "moved", "b", "c"]
    deal_move(deal=a, stage=lead, actor=person(cast.rep))
    client.post(url, {"stage": offer.pk, "above": a.pk, "below": c.pk}, headers=HTMX)
    assert order() == ["b", "moved", "c"], "the card above has gone meanwhile: the one below says the place"
    client.post(url, {"stage": offer.pk, "above": "", "below": b.pk}, headers=HTMX)
    assert order() == ["moved", "b", "c"]
    client.post(url, {"stage": offer.pk, "above": c.pk, "below": ""}, headers=HTMX)
    assert order() == ["b", "c", "moved"]
    assert StageChange.objects.filter(deal=moved).count() == 1
    other = PipelineFactory()
    refused = client.post(url, {"stage": other.stages.all()[0].pk}, headers=HTMX)
    assert (refused.status_code, refused.content.decode()) == (400, "This stage belongs to another pipeline.")
    assert client.post(url, {"stage": "nonsense"}, headers=HTMX).status_code == 400
    assert order() == ["b", "c", "moved"]


def test_a_closed_deal_is_not_dropped_but_explains_itself(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    deal = DealFactory(pipeline=pipeline, owner=cast.rep, status="won")
    answer = web(cast.rep).post(
        reverse("sales:deal-place", args=[deal.pk]), {"stage": pipeline.stages.all()[1].pk}, headers=HTMX
    )
    assert answer.status_code == 400
    assert answer.content.decode() == "This deal is closed. Reopen it before you move it."


def test_quick_create_makes_a_deal_on_top_of_the_column(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    offer = pipeline.stages.all()[1]
    DealFactory(pipeline=pipeline, stage=offer, owner=cast.rep, name="old")
    url = reverse("sales:board-quick", args=[offer.pk])
    client = web(cast.rep)
    answer = client.post(url, {"name": "New vans", "amount": "12.50"}, headers=HTMX)
    assert answer.status_code == 200
    deal = Deal.objects.get(name="New vans")
    assert (deal.stage, deal.amount, deal.owner) == (offer, Decimal("12.50"), cast.rep)
    assert list(Deal.objects.filter(stage=offer).order_by("position").values_list("name", flat=True)) == [
        "New vans",
        "old",
    ]
    assert f'hx-swap-oob="afterbegin:#column-{offer.pk}"' in answer.content.decode()
    bad = client.post(url, {"name": "", "amount": "lots"}, headers=HTMX)
    assert bad.status_code == 422
    assert 'value="lots"' in bad.content.decode(), "what was typed is kept"
    assert Deal.objects.count() == 2


def test_a_new_deal_begins_with_what_it_came_from(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    company = CompanyFactory(owner=cast.rep, name="Harbour Ltd")
    contact = ContactFactory(owner=cast.rep, company=company, first_name="Ann", last_name="Bo")
    client = web(cast.rep)
    url = reverse("sales:deal-new")
    form = client.get(url, {"contact": contact.pk}).content.decode()
    for part in ("Harbour Ltd", "Ann Bo", f'value="{contact.pk}"'):
        assert part in form
    hidden = ContactFactory(owner=cast.rep2, first_name="Unseen")
    assert "Unseen" not in client.get(url, {"contact": hidden.pk}).content.decode()
    made = client.post(
        url,
        {"name": "Vans", "amount": "9.5", "currency": "USD", "contact": contact.pk, "company": company.pk},
    )
    deal = Deal.objects.get(name="Vans")
    assert made.status_code == 302
    assert made["Location"] == reverse("sales:deal", args=[deal.pk])
    assert (deal.amount, deal.currency, deal.company) == (Decimal("9.50"), "USD", company)
    assert list(deal.deal_contacts.values_list("contact_id", flat=True)) == [contact.pk]
    refused = client.post(url, {"name": "Thief", "contact": hidden.pk})
    assert refused.status_code == 422
    assert 'value="Thief"' in refused.content.decode()
    assert Deal.objects.count() == 1


def test_saving_over_somebody_elses_change_is_told_and_keeps_what_was_typed(
    cast: Cast, web: Web, pipeline: Pipeline
) -> None:
    deal = DealFactory(pipeline=pipeline, owner=cast.rep, amount=10)
    deal_update(deal=deal, data={"amount": "99"}, actor=person(cast.rep))
    client = web(cast.rep)
    url = reverse("sales:deal-fact", args=[deal.pk, "amount"])
    answer = client.post(url, {"amount": "12.5", "currency": "EUR", "version": 1}, headers=HTMX)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="12.5"' in text
    assert "Amount: 99.00" in text
    assert 'value="2"' in text
    assert Deal.objects.get().amount == 99
    again = client.post(url, {"amount": "12.5", "currency": "EUR", "version": 2}, headers=HTMX)
    assert again.status_code == 204
    assert Deal.objects.get().amount == Decimal("12.50")
    page = client.post(
        reverse("sales:deal-edit", args=[deal.pk]), {"name": "Typed", "version": 1, "currency": "EUR"}
    )
    assert page.status_code == 422
    assert 'value="Typed"' in page.content.decode()
    bad = client.post(url, {"amount": "1e99", "currency": "EUR", "version": 3}, headers=HTMX)
    assert bad.status_code == 422
    assert client.get(reverse("sales:deal-fact", args=[deal.pk, "secret"])).status_code == 404


def test_winning_confirms_the_amount_and_losing_asks_why(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    deal = DealFactory(pipeline=pipeline, owner=cast.rep, amount=10, name="Vans")
    client = web(cast.rep)
    lose = reverse("sales:deal-lose", args=[deal.pk])
    silent = client.post(lose, {"reason": " "}, headers=HTMX)
    assert silent.status_code == 422
    assert Deal.objects.get().status == "open"
    assert client.post(lose, {"reason": "Price"}, headers=HTMX).status_code == 204
    deal.refresh_from_db()
    assert (deal.status, deal.lost_reason) == ("lost", "Price")
    assert client.post(reverse("sales:deal-reopen", args=[deal.pk]), headers=HTMX).status_code == 204
    deal.refresh_from_db()
    assert (deal.status, deal.lost_reason) == ("open", "")
    win = reverse("sales:deal-win", args=[deal.pk])
    stale = client.post(win, {"amount": "11", "version": 1}, headers=HTMX)
    assert stale.status_code == 422
    assert 'value="11"' in stale.content.decode()
    won = client.post(win, {"amount": "11.5", "reason": "fit", "version": deal.version}, headers=HTMX)
    assert won.status_code == 204
    assert "“Vans” is won" in won["HX-Trigger"].encode().decode("unicode_escape")
    deal.refresh_from_db()
    assert (deal.status, deal.amount, deal.won_reason) == ("won", Decimal("11.50"), "fit")


def test_the_deal_page_tells_its_story_once(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    people = [ContactFactory(owner=cast.rep) for _ in range(3)]
    deal = deal_create(
        data={
            "name": "Vans",
            "pipeline": pipeline,
            "amount": "1200",
            "contacts": [{"contact": c} for c in people],
        },
        actor=person(cast.rep),
    )
    deal_move(deal=deal, stage=pipeline.stages.all()[1], actor=person(cast.rep))
    client = web(cast.rep)
    log = reverse("sales:deal-log", args=[deal.pk])
    said = client.post(
        log, {"kind": "call", "subject": "Price", "body": "They said yes", "contact": people[1].pk}
    )
    assert said.status_code == 204
    interaction = Interaction.objects.get()
    assert (interaction.deal_id, interaction.contact_id, interaction.kind) == (deal.pk, people[1].pk, "call")
    planned = client.post(
        reverse("sales:deal-task", args=[deal.pk]),
        {"title": "Send offer", "kind": "email", "due_at": "2031-05-06T09:30"},
    )
    assert planned.status_code == 204
    task = Task.objects.get()
    assert (task.deal_id, task.owner, task.due_at) == (
        deal.pk,
        cast.rep,
        dt.datetime(2031, 5, 6, 9, 30, tzinfo=dt.UTC),
    )
    page = client.get(reverse("sales:deal", args=[deal.pk]))
    told = [(entry["label"], entry["summary"]) for entry in page.context["entries"]]
    assert told == [
        ("Task created", "Send offer"),
        ("Interaction", "Call: Price"),
        ("Deal moved", "Vans (1,200 EUR) from Lead to Offer"),
        ("Deal opened", "Vans (1,200 EUR)"),
    ]
    text = page.content.decode()
    assert "They said yes" in text
    assert text.count(f'href="{reverse("contacts:contact", args=[people[0].pk])}"') == 1
    done = client.post(reverse("sales:deal-task-done", args=[deal.pk, task.pk]))
    assert done.status_code == 204
    assert Task.objects.get().status == "done"
    empty = client.post(log, {"kind": "note"})
    assert empty.status_code == 422
    stranger = ContactFactory(owner=cast.rep2)
    assert client.post(log, {"kind": "note", "body": "x", "contact": stranger.pk}).status_code == 422
    assert Interaction.objects.count() == 1


def test_an_hour_that_comes_twice_is_the_first_and_a_wrong_one_is_told(
    cast: Cast, web: Web, pipeline: Pipeline
) -> None:
    """On 26 October 2031 the clocks of Berlin show half past two twice."""
    cast.rep.time_zone = "Europe/Berlin"
    cast.rep.save()
    deal = many(cast, pipeline, 1)[0]
    plan = reverse("sales:deal-task", args=[deal.pk])
    client = web(cast.rep)
    for due in ("2031-10-26T02:30", "soon", "0001-01-01T00:00"):
        client.post(plan, {"title": "Send offer", "kind": "email", "due_at": due})
    planned = Task.objects.filter(title="Send offer")
    assert [task.due_at for task in planned] == [dt.datetime(2031, 10, 26, 0, 30, tzinfo=dt.UTC)]


def test_the_timeline_of_a_deal_goes_on_by_key(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    deal = deal_create(data={"name": "Long", "pipeline": pipeline}, actor=person(cast.rep))
    for i in range(70):
        if i % 2:
            deal_update(deal=deal, data={"amount": str(i)}, actor=person(cast.rep))
        else:
            interaction_log(
                data={"kind": "note", "subject": f"n{i}", "deal": deal.pk}, actor=person(cast.rep)
            )
    client = web(cast.rep)
    page = client.get(reverse("sales:deal", args=[deal.pk]))
    found, url = [e["id"] for e in page.context["entries"]], page.context["older_url"]
    while url:
        more = client.get(url)
        found += [e["id"] for e in more.context["entries"]]
        url = more.context["older_url"]
    assert len(found) == 71
    assert len(set(found)) == 71
    assert found == sorted(found, reverse=True)


def test_the_timeline_reads_by_index(cast: Cast, pipeline: Pipeline) -> None:
    from sales.selectors.page import _own, _work

    deal = DealFactory(pipeline=pipeline)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "work_deal" in _work(deal).order_by("-occurred_at", "-id")[:30].explain()
    assert "_subject_id_occurred_at_id_idx" in _own(deal).order_by("-occurred_at", "-id")[:30].explain()


def bulk(client: Client, key: str, deals: list[Deal], **data: Any) -> Any:
    sent = {"_bulk": key, "_confirmed": "1", "ids": [d.pk for d in deals], **data}
    return client.post(reverse("sales:deals"), sent, headers=HTMX)


def test_bulk_buttons_change_what_they_may_and_say_what_not(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    offer = pipeline.stages.all()[1]
    deals = [DealFactory(pipeline=pipeline, owner=cast.rep, team=cast.north, name=f"d{i}") for i in range(3)]
    won = DealFactory(pipeline=pipeline, owner=cast.rep, team=cast.north, name="won", status="won")
    hidden = DealFactory(pipeline=pipeline, owner=cast.rep2, team=cast.south, name="hidden")
    client = web(cast.manager)
    assert bulk(client, "move", [*deals, won, hidden], value=offer.pk).status_code == 200
    moved = BulkEdit.objects.get()
    assert (moved.changed, [name for name, _reason in moved.failures]) == (3, ["won"])
    order = list(Deal.objects.filter(stage=offer).order_by("position").values_list("name", "version"))
    assert order == [("d0", 2), ("d1", 2), ("d2", 2)]
    assert StageChange.objects.filter(to_stage=offer).count() == 3
    assert bulk(client, "assign", [*deals, hidden], value=cast.rep2.pk).status_code == 204
    assert set(Deal.objects.filter(owner=cast.rep2, team=cast.south).values_list("name", flat=True)) == {
        "d0",
        "d1",
        "d2",
        "hidden",
    }
    admin = web(cast.admin)
    assert bulk(admin, "lose", [deals[0], won], value="Price").status_code == 200
    assert bulk(admin, "win", [deals[2]], value="").status_code == 204
    assert dict(Deal.objects.values_list("name", "status")) == {
        "d0": "lost",
        "d1": "open",
        "d2": "won",
        "hidden": "open",
        "won": "won",
    }
    assert Deal.objects.get(name="d0").lost_reason == "Price"
    assert bulk(admin, "lose", [deals[1]], value="").status_code == 422
    assert bulk(admin, "delete", [deals[1], won]).status_code == 200  # offers to undo it
    assert set(Deal.objects.values_list("name", flat=True)) == {"d0", "d2", "hidden"}
    assert bulk(web(cast.rep), "assign", [deals[0]], value=cast.rep.pk).status_code == 403


def test_a_pipeline_is_made_ordered_and_explains_why_a_stage_stays(
    cast: Cast, web: Web, pipeline: Pipeline
) -> None:
    client = web(cast.manager)
    lead, offer, contract = pipeline.stages.all()
    DealFactory(pipeline=pipeline, stage=lead)
    url = reverse("sales:pipeline", args=[pipeline.pk])

    def sent(*stages: Any, version: int = 1, **names: str) -> dict[str, Any]:
        return {
            "name": "House",
            "version": version,
            "stage_id": [s.pk if s else "" for s in stages],
            "stage_name": [names.get(f"n{i}", s.name if s else "") for i, s in enumerate(stages)],
            "stage_probability": ["20"] * len(stages),
            "stage_rot_days": [""] * len(stages),
        }

    refused = client.post(url, sent(offer, contract))
    assert refused.status_code == 409
    assert "1 deal (open, won or lost) stands in the stage “Lead”" in refused.content.decode()
    saved = client.post(url, sent(contract, lead, None, n2="Signed"))
    assert saved.status_code == 302
    assert list(pipeline.stages.order_by("position").values_list("name", "probability", "rot_days")) == [
        ("Contract", 20, None),
        ("Lead", 20, None),
        ("Signed", 20, None),
    ]
    stale = client.post(url, sent(contract, lead, version=1, n0="Typed"))
    assert stale.status_code == 412
    assert 'value="Typed"' in stale.content.decode()
    twice = client.post(url, sent(contract, lead, version=2, n1="Contract"))
    assert twice.status_code == 422
    assert "Two stages have the same name." in twice.content.decode()
    made = client.post(
        reverse("sales:pipeline-new"), {"name": "Partners", "stage_id": ["", ""], "stage_name": ["One", ""]}
    )
    assert made.status_code == 302
    partners = Pipeline.objects.get(name="Partners")
    assert [s.name for s in partners.stages.all()] == ["One"]
    admin = web(cast.admin)
    assert admin.post(reverse("sales:pipeline-delete", args=[pipeline.pk])).status_code == 409
    assert admin.post(reverse("sales:pipeline-delete", args=[partners.pk])).status_code == 302
    assert not Pipeline.objects.filter(name="Partners").exists()


def test_deleting_says_what_goes_and_goes(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    deal = deal_create(data={"name": "Vans", "pipeline": pipeline, "amount": "12"}, actor=person(cast.rep))
    client = web(cast.rep)
    url = reverse("sales:deal-delete", args=[deal.pk])
    text = client.get(url).content.decode()
    assert "“Vans” goes away for everybody" in text
    assert "1 entry of its stage history" in text
    assert Deal.objects.exists()
    assert client.post(url, headers=HTMX)["HX-Redirect"] == reverse("sales:deals")
    assert not Deal.objects.exists()


def test_today_shows_my_deals_that_rot_or_have_nothing_planned(
    cast: Cast, web: Web, pipeline: Pipeline
) -> None:
    now = timezone.now()
    rotting = DealFactory(pipeline=pipeline, owner=cast.rep, name="Rots", rots_at=now - dt.timedelta(days=1))
    TaskFactory(deal_id=rotting.pk, due_at=now + dt.timedelta(days=1))
    DealFactory(pipeline=pipeline, owner=cast.rep, name="Idle", amount=5)
    fine = DealFactory(pipeline=pipeline, owner=cast.rep, name="Fine")
    TaskFactory(deal_id=fine.pk, due_at=now + dt.timedelta(days=1))
    DealFactory(pipeline=pipeline, owner=cast.rep, name="Gone", status="won")
    DealFactory(pipeline=pipeline, owner=cast.manager, name="Theirs")
    text = web(cast.rep).get(reverse("sales:panel-today")).content.decode()
    assert [name in text for name in ("Rots", "Idle", "Fine", "Gone", "Theirs")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert web(cast.cx).get(reverse("sales:panel-today")).content.strip() == b"", (
        "an empty answer hides the panel"
    )
