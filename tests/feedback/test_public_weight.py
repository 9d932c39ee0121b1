"""What the customers' page costs a bad phone, what it needs to be read by everybody, and its mail."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from crmcem.lib.mail import Mail, build
from feedback import links
from feedback.services.invitation_mail import letter
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import InvitationFactory, SurveyFactory
from tests.feedback.test_public_page import EVERY_TYPE

pytestmark = pytest.mark.django_db
LIMIT = 50_000


def path_of(url: str) -> str:
    return url.removeprefix(settings.BASE_URL)


def shown(invitation: Any) -> str:
    return Client().get(path_of(links.invitation_url(invitation.pk))).content.decode()


def test_everything_together_is_under_fifty_kilobytes() -> None:
    text = shown(InvitationFactory(survey=SurveyFactory(questions=EVERY_TYPE, intro="Hello " * 100)))
    found = re.findall(r'(?:href|src)="([^"]+)"', text)
    files = [url for url in found if url.startswith(settings.STATIC_URL)]
    assert len(files) == 2
    assert not [url for url in found if url.startswith(("http", "//"))]
    size = len(text.encode())
    for url in files:
        name = re.sub(r"\.[0-9a-f]{12}\.", ".", url.removeprefix(settings.STATIC_URL))
        size += Path(str(finders.find(name))).stat().st_size
    assert size < LIMIT / 2, "half of the promise is left for long surveys"


def test_a_survey_at_its_limits_keeps_the_promise() -> None:
    questions = [
        {
            "key": f"q{n}",
            "type": "single",
            "text": f"Question {n}?",
            "options": {"choices": [f"Choice {c}" for c in range(5)]},
        }
        for n in range(50)
    ]
    text = shown(InvitationFactory(survey=SurveyFactory(kind="custom", questions=questions)))
    assert len(text.encode()) < LIMIT


def test_every_field_has_a_name_for_screen_readers() -> None:
    text = shown(InvitationFactory(survey=SurveyFactory(questions=EVERY_TYPE)))
    assert text.count("<fieldset") == text.count("<legend>") == len(EVERY_TYPE)
    assert text.count("<h1>") == 1
    assert '<html lang="en">' in text
    assert 'name="viewport"' in text
    for tag in re.findall(r"<textarea[^>]*>", text):
        assert "aria-label=" in tag
    for tag in re.findall(r'<input type="(?:radio|checkbox)"[^>]*>', text):
        assert f"<label>{tag}" in text
    assert 'aria-label="1, No"' in text


@pytest.mark.parametrize(
    ("language", "words"),
    [("de", ["Antwort absenden", "(Pflichtfrage)"]), ("en", ["Send answer", "(required)"])],
)
def test_both_languages_are_complete(language: str, words: list[str]) -> None:
    survey = SurveyFactory(languages=["en", "de"])
    contact = ContactFactory(language=language)
    text = shown(InvitationFactory(survey=survey, contact=contact))
    for word in words:
        assert word in text
    ended = {"answered": "de:Schon beantwortet", "expired": "de:abgelaufen"}
    for status, marked in ended.items():
        text = shown(InvitationFactory(survey=survey, contact=contact, status=status))
        assert (marked.removeprefix("de:") in text) is (language == "de")


def test_the_mail_leads_only_to_the_survey_and_fits_a_phone() -> None:
    invitation = InvitationFactory(
        survey=SurveyFactory(name="<b>Us</b>"), contact=ContactFactory(first_name="<i>Al</i>")
    )
    found = letter(invitation)
    mail = build(Mail("a@b.example", found.subject, found.text, found.html, "<1@crm.example>", language="en"))
    html = str(mail.alternatives[0][0])
    targets = re.findall(r'href="([^"]+)"', html)
    assert len(targets) == 12
    assert {url.split("?")[0] for url in targets} == {links.invitation_url(invitation.pk)}
    assert sorted(url.partition("?score=")[2] for url in targets) == sorted(["", *map(str, range(11))])
    assert "<i>Al" not in html
    assert "overflow-wrap: anywhere" in html
    assert "<table" in html
    assert "unsubscribe" not in html.lower()


def test_looking_at_every_state_writes_nothing(
    cast: Any, web: Any, django_assert_max_num_queries: Any
) -> None:
    invitation = InvitationFactory()
    for status in ("sent", "answered", "expired", "suppressed"):
        type(invitation).objects.update(status=status)
        with django_assert_max_num_queries(4) as queries:
            shown(invitation)
        assert [
            q["sql"] for q in queries.captured_queries if not q["sql"].lstrip().startswith("SELECT")
        ] == []


def test_a_preview_needs_a_sign_in() -> None:
    survey = SurveyFactory()
    assert Client().get(reverse("feedback:survey-preview", args=[survey.pk])).status_code == 302
