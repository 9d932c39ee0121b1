"""A working day in a real browser: the rep's, the CX manager's and the customer's way through the product."""

import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from contacts.models import Interaction, Pulse, Task
from crmcem.lib.actors import Actor
from feedback import links
from feedback.models import Case, Response
from feedback.services.responses import response_submit
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import InvitationFactory, SurveyFactory

pytestmark = pytest.mark.django_db(transaction=True)
Open = Callable[..., Page]
Settle = Callable[[], int]


def test_a_rep_finds_calls_plans_and_completes(cast: Cast, page: Open) -> None:
    contact = ContactFactory(first_name="Ada", last_name="Byron", owner=cast.rep, team=cast.north)
    ContactFactory(first_name="Grace", last_name="Hopper", owner=cast.rep, team=cast.north)
    tab = page(cast.rep)
    tab.goto("/")
    tab.keyboard.press("Control+k")
    tab.keyboard.type("ada byr")
    expect(tab.locator(".palette-item[aria-selected=true]")).to_contain_text("Ada Byron")
    tab.keyboard.press("Enter")
    expect(tab).to_have_url(re.compile(f"/contacts/{contact.pk}/$"))

    tab.get_by_role("tab", name="Call").click()
    call = tab.get_by_role("tabpanel", name="Call")
    call.get_by_label("About").fill("Terms of payment")
    call.get_by_label("What was said").fill("Thirty days are fine.")
    tab.keyboard.press("Control+Enter")
    timeline = tab.locator("#timeline")
    expect(timeline).to_contain_text("Terms of payment")
    expect(timeline).to_contain_text("Thirty days are fine.")
    spoken = Interaction.objects.get(contact=contact)
    assert (spoken.kind, spoken.direction, spoken.subject) == ("call", "out", "Terms of payment")
    assert spoken.owner == cast.rep

    tab.get_by_role("tab", name="Task").click()
    tab.get_by_role("tabpanel", name="Task").get_by_label("What is to be done").fill("Send the contract")
    tab.keyboard.press("Control+Enter")
    row = tab.locator(".task-row", has_text="Send the contract")
    expect(row).to_be_visible()
    task = Task.objects.get(contact=contact)
    assert (task.title, task.status, task.owner) == ("Send the contract", "open", cast.rep)

    tab.locator("#content").focus()
    for _step in range(9):  # down the timeline to the task, wherever it stands
        tab.keyboard.press("j")
        if row.and_(tab.locator(".at")).count():
            break
    tab.keyboard.press("d")
    expect(tab.get_by_role("dialog")).to_contain_text("“Send the contract” is done.")
    tab.keyboard.press("Escape")
    expect(row).to_have_count(0)
    task.refresh_from_db()
    assert task.status == "done"


def test_a_cx_manager_goes_from_the_score_to_the_resolved_case(
    cast: Cast, page: Open, settle: Settle
) -> None:
    survey, other = SurveyFactory(name="Delivery"), SurveyFactory(name="Support")
    for nps, about in ((2, survey), (10, survey), (9, other)):
        contact = ContactFactory(first_name=f"Voice{nps}", owner=cast.rep, team=cast.north)
        response_submit(
            survey=about,
            answers={"nps": nps, "comment": f"Words of {nps}"},
            actor=Actor("customer", contact.pk),
            invitation=InvitationFactory(survey=about, contact=contact),
        )
    settle()
    tab = page(cast.cx)
    tab.goto("/experience/")
    headline, comments = tab.locator("#part-headline"), tab.locator("#part-comments")
    expect(headline).to_contain_text("+33")
    tab.locator("select[name=survey]").select_option(label="Delivery")
    expect(comments).not_to_contain_text("Words of 9")
    expect(headline).to_contain_text("2 answers")
    expect(tab).to_have_url(re.compile(f"survey={survey.pk}"))
    comments.get_by_role("link", name="Detractors first").click()
    first = comments.locator(".comment-list li").first
    expect(first).to_contain_text("Words of 2")
    first.get_by_role("link").last.click()
    expect(tab).to_have_url(re.compile("/responses/"))
    tab.get_by_role("link", name=re.compile("^Case:")).click()
    expect(tab).to_have_url(re.compile("/cases/"))
    expect(tab.locator("blockquote")).to_have_text("Words of 2")
    tab.get_by_role("link", name="Resolve", exact=True).click()
    dialog = tab.get_by_role("dialog")
    dialog.get_by_label("What was done for the customer").fill("Sent a new parcel.")
    dialog.get_by_label("Why it had happened").fill("Late delivery")
    dialog.get_by_role("button").last.click()
    expect(tab.locator(".case-settled")).to_contain_text("Sent a new parcel.")
    case = Case.objects.get()
    assert (case.status, case.resolution, case.root_cause) == (
        "resolved",
        "Sent a new parcel.",
        "Late delivery",
    )
    settle()
    assert Pulse.objects.get(pk=case.contact_id).open_cases == 0


def test_a_customer_answers_on_a_phone_without_javascript(cast: Cast, page: Open, settle: Settle) -> None:
    contact = ContactFactory(first_name="Ada", last_name="Byron", owner=cast.rep, team=cast.north)
    invitation = InvitationFactory(survey=SurveyFactory(name="Delivery"), contact=contact)
    address = links.invitation_url(invitation.pk, score=9).removeprefix(settings.BASE_URL)
    phone = page(None, width=390, touch=True, javascript=False)
    phone.goto(address)
    expect(phone.locator("input[name=nps][value='9']")).to_be_checked()
    assert not Response.objects.exists(), "looking is not answering"
    phone.locator("label", has=phone.locator("input[name=nps][value='3']")).tap()
    phone.locator("textarea").fill("The parcel was late.")
    phone.get_by_role("button").tap()
    expect(phone.get_by_role("heading", level=1)).to_have_text("Thank you")
    phone.goto(address)
    expect(phone.get_by_role("heading", level=1)).to_have_text("Already answered")
    expect(phone.locator("input")).to_have_count(0)
    answer = Response.objects.get()
    assert (answer.nps, answer.comment, answer.contact) == (3, "The parcel was late.", contact)
    assert answer.submitted_at <= timezone.now()

    settle()
    tab = page(cast.rep)
    tab.goto(f"/contacts/{contact.pk}/")
    expect(tab.locator(".pulse-strip")).to_contain_text("detractor")
    expect(tab.locator("#timeline")).to_contain_text("The parcel was late.")
    expect(tab.locator("section", has=tab.get_by_role("heading", name="Answers"))).to_contain_text("NPS 3")
    assert Case.objects.get().contact == contact


def test_questions_move_up_and_down_as_far_as_they_can(cast: Cast, page: Open) -> None:
    survey = SurveyFactory(status="draft")
    tab = page(cast.cx)
    tab.goto(f"/surveys/{survey.pk}/edit/")
    cards = tab.locator("[data-question]")
    expect(cards.nth(0).get_by_role("button", name="Move up")).to_be_disabled()
    expect(cards.nth(1).get_by_role("button", name="Move down")).to_be_disabled()
    cards.nth(0).get_by_role("button", name="Move down").click()
    expect(cards.nth(1).locator("input[name$=-text]")).to_have_value("How likely?")
    expect(cards.nth(1).get_by_role("button", name="Move up")).to_be_focused()
    tab.get_by_role("button", name="Save").last.click()
    expect(tab.get_by_text("Saved.")).to_be_visible()
    assert list(survey.questions.order_by("position").values_list("text", flat=True)) == [
        "Why?",
        "How likely?",
    ]
