"""The two automations of a new organisation, as data."""

from collections.abc import Callable
from typing import Any

import pytest

from crmcem.lib.actors import SYSTEM
from crmcem.lib.errors import DomainError, NotAllowed
from feedback.models import Invitation
from journeys.models import Automation, Run
from journeys.services.defaults import install_defaults
from journeys.tasks import advance_runs
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import SurveyFactory

pytestmark = pytest.mark.django_db


def test_they_are_made_once_and_keep_what_was_changed() -> None:
    survey = SurveyFactory()
    made = install_defaults(survey=survey, actor=SYSTEM)
    assert [(a.name, a.status) for a in made] == [
        ("Ask for NPS after the second order", "active"),
        ("Follow up customers who stay away", "active"),
    ]
    version = made[0].current_version
    assert version is not None
    assert version.definition["steps"][0]["parameters"] == {"survey": str(survey.pk)}
    Automation.objects.filter(pk=made[0].pk).update(status="paused")
    again = install_defaults(survey=SurveyFactory(), actor=SYSTEM)
    assert [(a.pk, a.status) for a in again] == [(made[0].pk, "paused"), (made[1].pk, "active")]
    assert Automation.objects.count() == 2


def test_without_a_survey_only_the_absence() -> None:
    made = install_defaults(survey=None, actor=SYSTEM, activate=False)
    assert [(a.name, a.status) for a in made] == [("Follow up customers who stay away", "draft")]


def test_a_closed_survey_makes_nothing() -> None:
    with pytest.raises(DomainError):
        install_defaults(survey=SurveyFactory(status="closed"), actor=SYSTEM)
    assert not Automation.objects.exists()


def test_a_rep_may_not(cast: Any, actor: Callable[..., Any]) -> None:
    with pytest.raises(NotAllowed):
        install_defaults(survey=SurveyFactory(), actor=actor(cast.rep))
    assert not Automation.objects.exists()


def test_the_second_order_sends_the_survey(happen: Callable[..., int], drain: Callable[[], int]) -> None:
    survey = SurveyFactory()
    install_defaults(survey=survey, actor=SYSTEM)
    contact, other = ContactFactory(), ContactFactory()
    for who in (contact, contact, other):
        happen(who)
    drain()
    advance_runs()
    assert list(Invitation.objects.values_list("contact_id", "survey_id")) == [(contact.pk, survey.pk)]
    assert Run.objects.get().status == "done"
