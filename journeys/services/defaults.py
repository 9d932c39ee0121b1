"""The automations that a new organisation starts with."""

from crmcem.lib.actors import Actor, acting
from crmcem.workspace.policies import require
from feedback.models import Survey
from journeys.defaults import (
    SURVEY_AFTER_SECOND_ORDER,
    TASK_WHEN_AWAY,
    survey_after_second_order,
    task_when_away,
)
from journeys.models import Automation
from journeys.policies import WRITE
from journeys.services.automations import automation_create, claim_name


def install_defaults(*, survey: Survey | None, actor: Actor, activate: bool = True) -> list[Automation]:
    """Make the two usual automations where they are missing; those of their names stay as they are.

    ``order.placed`` twice within 90 days sends ``survey`` (without one it is left out); not seen for 12 days makes
    a task for the owner. Returns both, oldest first. Doing it twice, or at once, changes nothing more. Raises
    DomainError (a closed survey), NotAllowed.
    """
    require(actor, WRITE)
    wanted = {TASK_WHEN_AWAY: task_when_away()}
    if survey is not None:
        wanted = {SURVEY_AFTER_SECOND_ORDER: survey_after_second_order(survey.pk)} | wanted
    with acting(actor):
        for name, definition in wanted.items():
            claim_name(name)
            if not Automation.objects.filter(name=name).exists():
                automation_create(name=name, definition=definition, actor=actor, activate=activate)
        return list(Automation.objects.filter(name__in=wanted).order_by("pk"))
