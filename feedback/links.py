"""The public addresses of surveys.

An invitation's link is for one customer and one answer; a survey's own link is for everybody and anonymous.
"""

from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse

from crmcem.lib import tokens

INVITATION = "survey-invitation"
SURVEY = "survey-link"


@dataclass(frozen=True, slots=True)
class Target:
    """What a public token leads to: one of the two is set."""

    invitation_id: int | None = None
    survey_id: int | None = None


def _absolute(token: str) -> str:
    return str(settings.BASE_URL) + reverse("feedback:public", args=[token])


def invitation_url(invitation_id: int, score: int | None = None) -> str:
    """The address of one customer's survey page; ``score`` is filled in there, and never recorded by itself."""
    url = _absolute(tokens.make(INVITATION, invitation_id))
    return url if score is None else f"{url}?score={score}"


def survey_url(survey_id: int) -> str:
    """The address at which anybody can answer the survey."""
    return _absolute("s" + tokens.make(SURVEY, survey_id))


def target(token: str) -> Target | None:
    """What ``token`` leads to, None for one that we never gave out."""
    if token.startswith("s"):
        survey_id = tokens.read(SURVEY, token[1:])
        return None if survey_id is None else Target(survey_id=survey_id)
    invitation_id = tokens.read(INVITATION, token)
    return None if invitation_id is None else Target(invitation_id=invitation_id)
