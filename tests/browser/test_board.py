"""The board in a real browser: a card moves by mouse, by keyboard and by touch, and comes back where it failed."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from sales.models import Deal, Pipeline, StageChange
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.factories.sales import DealFactory, PipelineFactory

pytestmark = pytest.mark.django_db(transaction=True)
Open = Callable[..., Page]


@pytest.fixture
def pipeline(transactional_db: None) -> Pipeline:
    Pipeline.objects.all().delete()
    return PipelineFactory(is_default=True, name="House")


@pytest.fixture
def deals(cast: Cast, pipeline: Pipeline) -> dict[str, Deal]:
    """``first`` and ``second`` in Lead, ``other`` and ``last`` in Offer, 100 each."""
    lead, offer = pipeline.stages.all()[:2]
    places = {"first": (lead, 1), "second": (lead, 2), "other": (offer, 1), "last": (offer, 2)}
    return {
        name: DealFactory(pipeline=pipeline, stage=stage, position=at, owner=cast.rep, name=name, amount=100)
        for name, (stage, at) in places.items()
    }


def column(pipeline: Pipeline, at: int) -> list[str]:
    stage = pipeline.stages.all()[at]
    return list(
        Deal.objects.filter(stage=stage, status="open")
        .order_by("position", "id")
        .values_list("name", flat=True)
    )


def names(tab: Page, at: int) -> list[str]:
    return tab.locator(".board-cards").nth(at).locator(".deal-name").all_inner_texts()


def card(tab: Page, deal: Deal) -> Any:
    return tab.locator(f"#deal-{deal.pk}")


def middle(tab: Page, deal: Deal) -> tuple[float, float]:
    box = card(tab, deal).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_card_is_dragged_by_mouse_and_the_move_undone(
    cast: Cast, page: Open, pipeline: Pipeline, deals: dict[str, Deal]
) -> None:
    tab = page(cast.rep)
    tab.goto("/deals/board/")
    x, y = middle(tab, deals["first"])
    to_x, to_y = middle(tab, deals["last"])
    with tab.expect_response(lambda r: "/place/" in r.url) as placed:
        tab.mouse.move(x, y)
        tab.mouse.down()
        tab.mouse.move(x + 20, y + 10, steps=3)
        tab.mouse.move(to_x, to_y - 10, steps=12)
        tab.wait_for_timeout(200)
        tab.mouse.up()
    assert placed.value.status == 200
    assert tab.url.endswith("/deals/board/"), "dropping is no click on the card's link"
    expect(tab.locator(".board-count")).to_have_text(["1", "3", "0"])
    assert names(tab, 1) == column(pipeline, 1) == ["other", "first", "last"]
    with tab.expect_response(lambda r: "/place/" in r.url):
        tab.get_by_role("button", name="Undo").click()
    expect(tab.locator(".board-count")).to_have_text(["2", "2", "0"])
    assert names(tab, 0) == column(pipeline, 0) == ["first", "second"]


def test_a_card_moves_by_keyboard_and_every_step_is_announced(
    cast: Cast, page: Open, pipeline: Pipeline, deals: dict[str, Deal]
) -> None:
    tab = page(cast.rep)
    tab.goto("/deals/board/")
    said = tab.locator("#announcer")
    card(tab, deals["second"]).locator(".deal-name").focus()
    tab.keyboard.press("Space")
    expect(said).to_have_text("second picked up in Lead, place 2 of 2.")
    tab.keyboard.press("ArrowRight")
    expect(said).to_have_text("second: Offer, place 2 of 3.")
    tab.keyboard.press("ArrowUp")
    expect(said).to_have_text("second: Offer, place 1 of 3.")
    assert column(pipeline, 1) == ["other", "last"], "nothing is saved before the drop"
    with tab.expect_response(lambda r: "/place/" in r.url):
        tab.keyboard.press("Space")
    expect(said).to_have_text("second dropped in Offer.")
    expect(card(tab, deals["second"]).locator(".deal-name")).to_be_focused()
    assert column(pipeline, 1) == ["second", "other", "last"]
    tab.keyboard.press("Space")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Escape")
    expect(said).to_have_text("Put back: second in Offer.")
    assert names(tab, 1) == ["second", "other", "last"]
    assert StageChange.objects.filter(deal=deals["second"]).count() == 1
    tab.keyboard.press("ArrowDown")
    expect(card(tab, deals["other"]).locator(".deal-name")).to_be_focused()


def test_a_card_is_dragged_by_touch_after_a_long_press(
    cast: Cast, page: Open, pipeline: Pipeline, deals: dict[str, Deal]
) -> None:
    tab = page(cast.rep, width=800, touch=True)
    tab.goto("/deals/board/")
    x, y = middle(tab, deals["first"])
    to_x, to_y = middle(tab, deals["last"])
    finger = tab.context.new_cdp_session(tab)

    def touch(kind: str, at: tuple[float, float] | None = None) -> None:
        points = [{"x": at[0], "y": at[1]}] if at else []
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    with tab.expect_response(lambda r: "/place/" in r.url):
        touch("touchStart", (x, y))
        tab.wait_for_timeout(350)
        for step in range(1, 11):
            touch("touchMove", (x + (to_x - x) * step / 10, y + (to_y - 10 - y) * step / 10))
            tab.wait_for_timeout(30)
        tab.wait_for_timeout(200)
        touch("touchEnd")
    expect(tab.locator(".board-count")).to_have_text(["1", "3", "0"])
    assert names(tab, 1) == column(pipeline, 1)
    assert "first" in column(pipeline, 1)


def test_a_move_that_is_refused_puts_the_card_back_and_says_why(
    cast: Cast, page: Open, pipeline: Pipeline, deals: dict[str, Deal]
) -> None:
    tab = page(cast.rep)
    tab.goto("/deals/board/")
    Deal.objects.filter(pk=deals["second"].pk).update(status="won")
    card(tab, deals["second"]).locator(".deal-name").focus()
    tab.keyboard.press("Space")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Space")
    expect(tab.get_by_role("alert")).to_contain_text(
        "This deal is closed. Reopen it before you move it. The move was not saved; the card is back where it was."
    )
    assert names(tab, 0) == ["first", "second"]
    assert column(pipeline, 1) == ["other", "last"]


def test_the_menu_moves_and_loses_a_deal_on_a_phone(
    cast: Cast, page: Open, pipeline: Pipeline, deals: dict[str, Deal]
) -> None:
    tab = page(cast.rep, width=390, touch=True)
    tab.goto("/deals/board/")
    card(tab, deals["first"]).locator(".deal-menu").tap()
    tab.locator("#modal").get_by_role("button", name="Offer").tap()
    expect(tab.locator(".board-count")).to_have_text(["1", "3", "0"])
    assert column(pipeline, 1) == ["first", "other", "last"]
    card(tab, deals["second"]).locator(".deal-menu").tap()
    tab.locator("#modal").get_by_role("button", name="Lost").tap()
    tab.locator("#modal [name=reason]").fill("Price")
    tab.locator("#modal").get_by_role("button", name="Mark as lost").tap()
    expect(tab.locator(".board-count")).to_have_text(["0", "3", "0"])
    assert Deal.objects.get(pk=deals["second"].pk).lost_reason == "Price"
    wide = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0


def test_the_page_of_a_deal_edits_wins_and_reopens_in_place(
    cast: Cast, page: Open, pipeline: Pipeline, deals: dict[str, Deal]
) -> None:
    ContactFactory(first_name="Ada", last_name="Byron", owner=cast.rep)
    tab = page(cast.rep)
    tab.goto(f"/deals/{deals['first'].pk}/")
    tab.get_by_role("button", name="Change the amount").click()
    field = tab.locator("[data-fact-form] [name=amount]")
    expect(field).to_be_focused()
    field.fill("250")
    field.press("Enter")
    expect(tab.locator(".deal-facts")).to_contain_text("250 EUR")
    tab.locator("#pane-log textarea").fill("They want a discount")
    tab.locator("#pane-log").get_by_role("button", name="Log").click()
    expect(tab.locator(".entry").first).to_contain_text("They want a discount")
    expect(tab.locator("#pane-log textarea")).to_have_value("")
    tab.locator("#deal-side").get_by_role("button", name="Change").click()
    tab.locator("#modal [data-lookup] input[type=text]").press_sequentially("Ada")
    tab.locator("#modal .lookup-option").first.click()
    tab.locator("#modal").get_by_role("button", name="Add").click()
    expect(tab.locator(".committee")).to_contain_text("Ada Byron")
    tab.locator("#deal-head").get_by_role("button", name="Won").click()
    expect(tab.locator("#modal [name=amount]")).to_have_value("250.00")
    tab.locator("#modal").get_by_role("button", name="Mark as won").click()
    tab.locator("#deal-head").get_by_role("button", name="Reopen").click()
    expect(tab.locator("#deal-head").get_by_role("button", name="Lost")).to_be_visible()
    deal = Deal.objects.get(pk=deals["first"].pk)
    assert (deal.status, deal.amount) == ("open", 250)
    assert list(StageChange.objects.filter(deal=deal).order_by("id").values_list("status", flat=True)) == [
        "won",
        "open",
    ]
