"""Asking a customer: once, with their consent, and not too often, whoever asks."""

import datetime as dt
from collections.abc import Sequence

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Contact
from contacts.services.messages import message_queue
from contacts.services.stream import NewActivity, activity_append
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError
from crmcem.lib.records import visible_rows
from crmcem.workspace.organisation import organisation
from crmcem.workspace.policies import require
from feedback.models import Invitation, Survey

from .invitation_mail import letter

#: reasons of a suppressed invitation, in words
REASONS = {
    "no_consent": gettext_lazy("The customer has refused e-mail."),
    "no_address": gettext_lazy("The customer has no e-mail address."),
    "throttle": gettext_lazy("The customer was asked by this survey lately."),
    "not_delivered": gettext_lazy("The e-mail could not be delivered."),
    "budget": gettext_lazy("The customer was asked by another survey lately."),
}
CHANNELS = ("email", "link")
MAX_TOUCHPOINT = 80
_ENDED = 500


def invitation_create(
    *,
    survey: Survey,
    contact: Contact,
    actor: Actor,
    touchpoint: str = "",
    channel: str = "email",
    dedupe_key: str | None = None,
) -> Invitation:
    """Ask ``contact`` for an answer: by e-mail, or (``link``) by an address that somebody hands over.

    Refused e-mail, a missing address, the survey's throttle and the organisation's contact budget make the
    invitation ``suppressed`` with a reason; nothing is sent then. The same ``dedupe_key`` answers the first
    invitation. Raises DomainError for a survey that is not live, a hidden contact or a bad value.
    """
    require(actor, "surveys:write")
    check_asking(survey, channel, touchpoint)
    with acting(actor):
        # The lock makes parallel invitations of one customer queue up: the second sees the first.
        rows = visible_rows(Contact, actor).select_related("company").filter(pk=contact.pk)
        locked = rows.select_for_update(of=("self",), no_key=True).first()
        if locked is None:
            raise DomainError.of(
                "contact", "does_not_exist", _("There is no such contact, or it is not yours.")
            )
        if dedupe_key is not None:
            before: Invitation | None = Invitation.objects.filter(dedupe_key=dedupe_key).first()
            if before is not None:
                return before
        reason = why_not(survey, locked, channel)
        now = timezone.now()
        invitation = Invitation.objects.create(
            survey=survey,
            contact=locked,
            channel=channel,
            touchpoint=touchpoint,
            dedupe_key=dedupe_key,
            suppressed_reason=reason,
            status=_first_status(reason, channel),
            sent_at=now if channel == "link" and not reason else None,
            expires_at=None if reason else now + dt.timedelta(days=survey.expires_after_days),
        )
        if channel == "email" and not reason:
            _queue_mail(invitation, actor)
        _announce(invitation, actor)
    return invitation


def check_asking(survey: Survey, channel: str, touchpoint: str) -> None:
    """Raises DomainError where nobody could be asked so."""
    if channel not in CHANNELS:
        raise DomainError.of("channel", "invalid_choice", _("The channel is email or link."))
    if len(touchpoint) > MAX_TOUCHPOINT or "\x00" in touchpoint:
        raise DomainError.of("touchpoint", "invalid", _("A touchpoint has at most 80 characters."))
    if survey.status != Survey.Status.LIVE:
        raise DomainError.of("survey", "not_live", _("This survey is not live. Publish it first."))


def why_not(survey: Survey, contact: Contact, channel: str = "email") -> str:
    """Why ``contact`` can't be asked now: a key of REASONS, empty where they can."""
    return why_not_each([survey], contact, channel)[survey.pk]


def why_not_each(surveys: Sequence[Survey], contact: Contact, channel: str = "email") -> dict[int, str]:
    """``{survey id: why not}`` for several surveys, in one statement."""
    reason = _unreachable(contact) if channel == "email" else ""
    budget = organisation().contact_budget_days
    throttles = {survey.pk: survey.throttle.get("days", 0) for survey in surveys}
    longest = max([budget, *throttles.values()], default=0)
    if reason or not longest:
        return dict.fromkeys(throttles, reason)
    now = timezone.now()
    asked = Invitation.objects.filter(contact=contact, created_at__gt=now - dt.timedelta(days=longest))
    asked = asked.exclude(status=Invitation.Status.SUPPRESSED)
    asked = asked.exclude(Q(message__status="failed") | Q(message__status="suppressed"))
    before = list(asked.values_list("survey_id", "created_at"))

    def lately(days: int, survey_id: int | None = None) -> bool:
        since = now - dt.timedelta(days=days)
        return any(at > since for pk, at in before if survey_id in {None, pk})

    over = "budget" if lately(budget) else ""
    return {pk: "throttle" if lately(days, pk) else over for pk, days in throttles.items()}


def _unreachable(contact: Contact) -> str:
    if (contact.consent.get("email") or {}).get("status") == "denied":
        return "no_consent"
    return "" if contact.email else "no_address"


def invitations_expire(*, now: dt.datetime | None = None) -> int:
    """Mark what was not answered in time. Set-based, in chunks; returns how many."""
    done = 0
    waiting = (Invitation.Status.QUEUED, Invitation.Status.SENT, Invitation.Status.OPENED)
    due = Invitation.objects.filter(status__in=waiting, expires_at__lte=now or timezone.now())
    while True:
        ids = list(due.order_by("expires_at").values_list("pk", flat=True)[:_ENDED])
        if not ids:
            return done
        done += due.filter(pk__in=ids).update(status=Invitation.Status.EXPIRED)


def _first_status(reason: str, channel: str) -> str:
    if reason:
        return Invitation.Status.SUPPRESSED
    return Invitation.Status.SENT if channel == "link" else Invitation.Status.QUEUED


def _queue_mail(invitation: Invitation, actor: Actor) -> None:
    mail = letter(invitation)
    invitation.message = message_queue(
        actor=actor,
        contact=invitation.contact,
        purpose="survey",
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        idempotency_key=f"invitation:{invitation.pk}",
        subject_ref=("invitation", invitation.pk),
    )
    invitation.save(update_fields=["message"])


def _announce(invitation: Invitation, actor: Actor) -> None:
    suppressed = invitation.status == Invitation.Status.SUPPRESSED
    payload = {
        "survey": invitation.survey_id,
        "name": invitation.survey.name,
        "channel": invitation.channel,
        "touchpoint": invitation.touchpoint,
        "reason": invitation.suppressed_reason,
    }
    contact = invitation.contact
    activity_append(
        actor=actor,
        activity=NewActivity(
            "survey.suppressed" if suppressed else "survey.invited",
            contact.pk,
            contact.company_id,
            ("invitation", invitation.pk),
            payload,
        ),
    )
