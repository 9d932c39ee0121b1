"""What automations can do here: send a survey."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Contact
from crmcem.lib.actions import Action, Outcome, Parameter, Run, register
from crmcem.lib.api.fields import parse_id
from feedback.models import Survey
from feedback.services.invitations import MAX_TOUCHPOINT, REASONS, invitation_create, why_not


def _choices() -> list[tuple[str, Any]]:
    rows = Survey.objects.exclude(status=Survey.Status.CLOSED).order_by("name", "pk")[:200]
    return [(str(row.pk), row.name) for row in rows]


def _survey(parameters: Mapping[str, Any]) -> Survey | None:
    pk = parse_id(parameters.get("survey"))
    return Survey.objects.filter(pk=pk).first() if pk is not None else None


def _perform(run: Run, parameters: Mapping[str, Any]) -> Outcome:
    survey = _survey(parameters)
    contact = Contact.objects.filter(pk=run.contact_id).first()
    if survey is None or contact is None:
        return Outcome("skipped", _("The survey or the customer no longer exists."))
    if survey.status != Survey.Status.LIVE:
        return Outcome("skipped", _("The survey “%(name)s” is not live.") % {"name": survey.name})
    invitation = invitation_create(
        survey=survey,
        contact=contact,
        actor=run.actor,
        touchpoint=str(parameters.get("touchpoint") or ""),
        dedupe_key=f"run:{run.key}"[:160],
    )
    result = {"invitation": str(invitation.pk), "status": invitation.status}
    if invitation.suppressed_reason:
        return Outcome("skipped", str(REASONS[invitation.suppressed_reason]), result)
    return Outcome("done", "", result)


def _preview(run: Run, parameters: Mapping[str, Any]) -> str:
    survey = _survey(parameters)
    contact = Contact.objects.filter(pk=run.contact_id).first()
    if survey is None or contact is None:
        return _("Nothing: the survey or the customer does not exist.")
    if survey.status != Survey.Status.LIVE:
        return _("Nothing: the survey “%(name)s” is not live.") % {"name": survey.name}
    reason = why_not(survey, contact)
    if reason:
        return _("Nothing: %(reason)s") % {"reason": REASONS[reason]}
    return _("Send the survey “%(name)s” to %(email)s.") % {"name": survey.name, "email": contact.email}


def _validate(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    errors = []
    survey = _survey(parameters)
    if survey is None:
        errors.append(("survey", _("Choose a survey.")))
    elif survey.status == Survey.Status.CLOSED:
        errors.append(("survey", _("This survey is closed. Choose another one.")))
    touchpoint = parameters.get("touchpoint") or ""
    if not isinstance(touchpoint, str) or len(touchpoint) > MAX_TOUCHPOINT or "\x00" in touchpoint:
        errors.append(("touchpoint", _("A touchpoint has at most 80 characters.")))
    return errors


SEND_SURVEY = Action(
    key="send_survey",
    label=gettext_lazy("Send a survey"),
    icon="message-star",
    parameters=(
        Parameter("survey", gettext_lazy("Survey"), "survey", choices=_choices),
        Parameter("touchpoint", gettext_lazy("Touchpoint"), required=False, default=""),
    ),
    perform=_perform,
    preview=_preview,
    validate=_validate,
)


def register_actions() -> None:
    register(SEND_SURVEY)
