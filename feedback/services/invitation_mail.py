"""The e-mail of an invitation: the survey's own words, and links that fill in an answer without recording it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Contact
from crmcem.lib import personalise
from crmcem.workspace.organisation import organisation
from feedback.links import invitation_url
from feedback.models import Invitation, Question, Survey
from feedback.questions import bounds

#: what the subject and text of an invitation may be filled with
FIELDS = {
    "contact.first_name": gettext_lazy("First name"),
    "contact.last_name": gettext_lazy("Last name"),
    "company.name": gettext_lazy("Company"),
    "organisation.name": gettext_lazy("Our name"),
    "survey.name": gettext_lazy("Survey"),
}
#: a scale with more answers than this does not fit beside each other on a phone
_WIDEST = 11


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str
    html: str


def language_of(survey: Survey, wanted: str) -> str:
    """The language a customer is addressed in: theirs where the survey has it, else the survey's first."""
    return language_among(survey.languages, wanted)


def language_among(languages: list[str], wanted: str) -> str:
    """``wanted`` where it is one of ``languages``, else the first of them."""
    offered = languages or ["en"]
    short = wanted.split("-")[0].lower()
    return short if short in offered else offered[0]


def default_subject() -> str:
    return _("How are we doing, {{ contact.first_name | default: 'dear customer' }}?")


def default_body() -> str:
    return _(
        "Hello {{ contact.first_name | default: 'dear customer' }},\n\n"
        "your opinion helps {{ organisation.name }} to become better. It takes less than a minute."
    )


def letter(invitation: Invitation) -> Letter:
    """The mail for ``invitation``, in the customer's language."""
    return compose(invitation.survey, invitation.contact, lambda score: invitation_url(invitation.pk, score))


def compose(survey: Survey, contact: Contact, url_of: Callable[[int | None], str]) -> Letter:
    """The mail that asks ``contact``; ``url_of`` is the address of the page with a score filled in, or without.

    Raises PersonaliseError for merge fields that can't be filled in.
    """
    context = {
        "contact": {"first_name": contact.first_name, "last_name": contact.last_name},
        "company": {"name": contact.company.name if contact.company else ""},
        "organisation": {"name": organisation().name},
        "survey": {"name": survey.name},
    }
    with translation.override(language_of(survey, contact.language)):
        subject = personalise.render_subject(
            survey.email_subject or default_subject(), context, fields=FIELDS
        )
        body = personalise.render(survey.email_body or default_body(), context, fields=FIELDS)
        question = _first_scale(survey)
        page: dict[str, Any] = {"body": body, "url": url_of(None), "question": question}
        if question:
            low, high = bounds(question)
            links = [{"score": n, "url": url_of(n)} for n in range(low, high + 1)]
            page |= {"low": low, "high": high, "scores": links}
        return Letter(
            subject,
            render_to_string("feedback/email/invitation.txt", page).strip() + "\n",
            render_to_string("feedback/email/invitation.html", page),
        )


def _first_scale(survey: Survey) -> Question | None:
    """The first question, where it is one that a single click can answer."""
    first = survey.questions.order_by("position", "id").first()
    if first is None or first.type not in {"nps", "csat", "ces"}:
        return None
    low, high = bounds(first)
    return first if high - low < _WIDEST else None
