"""Who may open and do what on the pages of deals: every URL, every verb, and nothing changes where it is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from contacts.models import Activity, Interaction, Task
from crmcem.workspace.models import User
from sales import urls
from sales.models import Deal, DealContact, Pipeline, Stage, StageChange
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, TaskFactory
from tests.factories.sales import DealFactory, PipelineFactory

pytestmark = pytest.mark.django_db
Web = Callable[[User], Client]

#: every page about one deal: URL name, further arguments, verb, what is sent
OF_A_DEAL: list[tuple[str, tuple[Any, ...], str, dict[str, Any]]] = [
    ("deal", (), "get", {}),
    ("deal-timeline", (), "get", {}),
    ("deal-edit", (), "get", {}),
    ("deal-edit", (), "post", {"name": "Mine", "currency": "EUR"}),
    ("deal-fact", ("amount",), "get", {}),
    ("deal-fact", ("amount",), "post", {"amount": "5", "currency": "EUR"}),
    ("deal-delete", (), "get", {}),
    ("deal-delete", (), "post", {}),
    ("deal-people", (), "get", {}),
    ("deal-people", (), "post", {"contact": "CONTACT", "role": "champion"}),
    ("deal-place", (), "post", {"stage": "STAGE"}),
    ("deal-move", (), "get", {}),
    ("deal-move", (), "post", {"stage": "STAGE"}),
    ("deal-win", (), "get", {}),
    ("deal-win", (), "post", {"amount": "7", "reason": "fit"}),
    ("deal-lose", (), "get", {}),
    ("deal-lose", (), "post", {"reason": "price"}),
    ("deal-reopen", (), "post", {}),
    ("deal-log", (), "post", {"kind": "note", "body": "hello"}),
    ("deal-task", (), "post", {"title": "Call", "kind": "call"}),
    ("deal-task-done", ("TASK",), "post", {}),
]
#: pages about no deal in particular
OTHERS = {
    "deals", "board", "board-column", "board-quick", "deal-new", "panel-today", "panel-contact", "panel-company",
    "pipelines", "pipeline-new", "pipeline", "pipeline-delete",
}  # fmt: skip


@pytest.fixture
def pipeline(db: None) -> Pipeline:
    Pipeline.objects.all().delete()
    return PipelineFactory(is_default=True, name="House")


def test_every_url_has_its_place_in_these_tests() -> None:
    names = {pattern.name for pattern in urls.urlpatterns}
    assert names == {entry[0] for entry in OF_A_DEAL} | OTHERS


def everything() -> tuple[Any, ...]:
    """What the database says about deals, for "nothing changed"."""
    return (
        list(Deal.objects.order_by("pk").values()),
        list(DealContact.objects.order_by("pk").values()),
        list(Pipeline.objects.order_by("pk").values()),
        list(Stage.objects.order_by("pk").values()),
        StageChange.objects.count(),
        Activity.objects.count(),
        Interaction.objects.count(),
        list(Task.objects.order_by("pk").values("pk", "status")),
    )


def call(
    client: Client, deal: Deal, entry: tuple[str, tuple[Any, ...], str, dict[str, Any]], **fill: Any
) -> Any:
    name, args, verb, data = entry
    filled = [fill.get(str(arg), arg) for arg in args]
    sent = {key: fill.get(str(value), value) for key, value in data.items()}
    return getattr(client, verb)(reverse(f"sales:{name}", args=[deal.pk, *filled]), sent)


@pytest.mark.parametrize("entry", OF_A_DEAL, ids=lambda e: f"{e[0]}-{e[2]}")
def test_another_reps_deal_is_missing_on_every_verb(
    cast: Cast, web: Web, pipeline: Pipeline, entry: Any
) -> None:
    deal = DealFactory(pipeline=pipeline, owner=cast.rep, team=cast.north, amount=100)
    task = TaskFactory(deal_id=deal.pk, owner=cast.rep)
    contact = ContactFactory(owner=cast.rep2)
    before = everything()
    fill = {"STAGE": pipeline.stages.all()[1].pk, "CONTACT": contact.pk, "TASK": task.pk}
    answer = call(web(cast.rep2), deal, entry, **fill)
    assert answer.status_code == 404
    missing = Deal(pk=deal.pk + 1000)
    gone = call(web(cast.rep2), missing, entry, **fill)
    assert gone.status_code == 404
    assert b"<main" not in answer.content or answer.content == gone.content
    assert everything() == before


@pytest.mark.parametrize("entry", OF_A_DEAL, ids=lambda e: f"{e[0]}-{e[2]}")
def test_who_only_reads_can_look_and_nothing_else(
    cast: Cast, web: Web, pipeline: Pipeline, entry: Any
) -> None:
    deal = DealFactory(pipeline=pipeline, owner=cast.rep, amount=100)
    task = TaskFactory(deal_id=deal.pk, owner=cast.rep)
    before = everything()
    fill = {"STAGE": pipeline.stages.all()[1].pk, "CONTACT": ContactFactory().pk, "TASK": task.pk}
    before = everything()
    answer = call(web(cast.readonly), deal, entry, **fill)
    looks = entry[0] in {"deal", "deal-timeline"}
    assert answer.status_code == (200 if looks else 403)
    nobody = call(web(cast.nobody), deal, entry, **fill)
    assert nobody.status_code == 403
    assert everything() == before


@pytest.mark.parametrize("entry", OF_A_DEAL, ids=lambda e: f"{e[0]}-{e[2]}")
def test_owner_manager_of_the_team_and_administrator_may(
    cast: Cast, web: Web, pipeline: Pipeline, entry: Any
) -> None:
    for who in (cast.rep, cast.manager, cast.admin):
        deal = DealFactory(pipeline=pipeline, owner=cast.rep, team=cast.north, amount=100)
        task = TaskFactory(deal_id=deal.pk, owner=cast.rep, team=cast.north)
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        fill = {"STAGE": pipeline.stages.all()[1].pk, "CONTACT": contact.pk, "TASK": task.pk}
        answer = call(web(who), deal, entry, **fill)
        assert answer.status_code in {200, 204, 302}, f"{who}: {answer.status_code}"


def test_nobody_gets_anything_without_signing_in(client: Client, cast: Cast, pipeline: Pipeline) -> None:
    deal = DealFactory(pipeline=pipeline, owner=cast.rep)
    task = TaskFactory(deal_id=deal.pk)
    before = everything()
    for entry in OF_A_DEAL:
        answer = call(client, deal, entry, TASK=task.pk, STAGE=1, CONTACT=1)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/")
    assert everything() == before


def test_boards_and_lists_show_only_what_one_may_see(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    DealFactory(pipeline=pipeline, owner=cast.rep, team=cast.north, name="Northern deal", amount=10)
    DealFactory(pipeline=pipeline, owner=cast.rep2, team=cast.south, name="Southern deal", amount=98765)
    stage = pipeline.stages.all()[0]
    urls_of_lists = [
        reverse("sales:board"),
        reverse("sales:deals"),
        reverse("sales:board-column", args=[stage.pk]),
        f"{reverse('workspace:search')}?q=deal",
    ]
    for who, north, south in [
        (cast.rep, True, False),
        (cast.rep2, False, True),
        (cast.manager, True, False),
        (cast.admin, True, True),
        (cast.readonly, True, True),
    ]:
        for url in urls_of_lists:
            text = web(who).get(url, headers={"HX-Request": "true"}).content.decode()
            assert ("Northern deal" in text, "Southern deal" in text) == (north, south), f"{who} {url}"
    mine = web(cast.rep).get(reverse("sales:board")).content.decode()
    assert "98,765" not in mine, "sums count only what one may see"
    for url in urls_of_lists[:3]:
        assert web(cast.nobody).get(url).status_code == 403


def test_quick_create_and_new_need_the_right_to_write(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    stage = pipeline.stages.all()[0]
    for who in (cast.readonly, cast.nobody, cast.cx):
        for name, args in (("board-quick", [stage.pk]), ("deal-new", [])):
            url = reverse(f"sales:{name}", args=args)
            assert web(who).get(url).status_code == 403
            assert web(who).post(url, {"name": "x"}).status_code == 403
    assert not Deal.objects.exists()


def test_pipelines_are_seen_by_many_and_changed_by_few(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    edit, new = reverse("sales:pipeline", args=[pipeline.pk]), reverse("sales:pipeline-new")
    delete = reverse("sales:pipeline-delete", args=[pipeline.pk])
    data = {"name": "Mine", "stage_name": ["A"], "stage_id": [""]}
    before = everything()
    for who in (cast.rep, cast.readonly, cast.cx):
        assert web(who).get(reverse("sales:pipelines")).status_code == 200
        for url in (edit, new):
            assert web(who).get(url).status_code == 403
            assert web(who).post(url, data).status_code == 403
        assert web(who).post(delete).status_code == 403
    assert web(cast.manager).post(delete).status_code == 403
    assert web(cast.nobody).get(reverse("sales:pipelines")).status_code == 403
    assert everything() == before
    assert web(cast.manager).get(edit).status_code == 200


def test_panels_hide_a_record_that_one_may_not_see(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    contact = ContactFactory(owner=cast.rep)
    company = CompanyFactory(owner=cast.rep)
    deal = DealFactory(pipeline=pipeline, owner=cast.rep, name="Visible deal", company=company)
    DealContact.objects.create(deal=deal, contact=contact)
    other = DealFactory(pipeline=pipeline, owner=cast.rep2, name="Hidden deal", company=company)
    DealContact.objects.create(deal=other, contact=contact)
    for name, pk in (("panel-contact", contact.pk), ("panel-company", company.pk)):
        url = reverse(f"sales:{name}", args=[pk])
        mine = web(cast.rep).get(url).content.decode()
        assert "Visible deal" in mine
        assert "Hidden deal" not in mine
        assert web(cast.rep2).get(url).status_code == 404
        assert web(cast.nobody).get(url).status_code == 403


def test_only_who_may_assign_changes_the_owner(cast: Cast, web: Web, pipeline: Pipeline) -> None:
    deal = DealFactory(pipeline=pipeline, owner=cast.rep, team=cast.north)
    url = reverse("sales:deal-fact", args=[deal.pk, "owner"])
    assert web(cast.rep).post(url, {"owner": cast.rep2.pk}).status_code == 404
    web(cast.rep).post(reverse("sales:deal-edit", args=[deal.pk]), {"name": "x", "owner": cast.rep2.pk})
    deal.refresh_from_db()
    assert (deal.name, deal.owner) == ("x", cast.rep)
    web(cast.manager).post(url, {"owner": cast.rep2.pk, "version": deal.version})
    deal.refresh_from_db()
    assert (deal.owner, deal.team) == (cast.rep2, cast.south)


def test_a_hidden_persons_link_to_my_deal_stays_hidden_and_stays(
    cast: Cast, web: Web, pipeline: Pipeline
) -> None:
    deal = DealFactory(pipeline=pipeline, owner=cast.rep)
    stranger = ContactFactory(owner=cast.rep2, first_name="Secretname", pulse={"nps": 3})
    DealContact.objects.create(deal=deal, contact=stranger, role="blocker")
    client = web(cast.rep)
    for url in (reverse("sales:deal", args=[deal.pk]), reverse("sales:board")):
        text = client.get(url).content.decode()
        assert "Secretname" not in text
        assert "NPS 3" not in text
    people = reverse("sales:deal-people", args=[deal.pk])
    assert client.post(people, {"remove": stranger.pk}).status_code == 404
    mine = ContactFactory(owner=cast.rep)
    assert client.post(people, {"contact": mine.pk, "role": "champion"}).status_code == 204
    assert set(deal.deal_contacts.values_list("contact_id", "role")) == {
        (stranger.pk, "blocker"),
        (mine.pk, "champion"),
    }
