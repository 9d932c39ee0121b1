"""Taking in answers: one service for the public page, the API and the import."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Contact
from contacts.services.stream import NewActivity, activity_append
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import Conflict, DomainError
from crmcem.lib.records import lock, reference, visible_rows
from crmcem.workspace.policies import require
from feedback import sentiment
from feedback.models import Invitation, Question, Response, Survey
from feedback.questions import Askable, bounds, clean_answers

_ANSWERABLE = frozenset({Survey.Status.LIVE, Survey.Status.PAUSED})
_OPEN = (Invitation.Status.QUEUED, Invitation.Status.SENT, Invitation.Status.OPENED)
_COMMENT_IN_STREAM = 280
_CLOCK_SKEW = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Submitted:
    """``created`` is False where ``message_id`` had been taken in before: ``response`` is that first one."""

    response: Response
    created: bool


def response_submit(
    *,
    survey: Survey,
    answers: Mapping[str, Any],
    actor: Actor,
    contact: Contact | None = None,
    invitation: Invitation | None = None,
    touchpoint: str = "",
    message_id: str | None = None,
    submitted_at: dt.datetime | None = None,
    language: str = "",
) -> Submitted:
    """Record one complete answer sheet.

    ``answers`` is ``{question key: value}``; ``invitation`` (its contact and touchpoint count) can be answered
    once, however many ask at the same time. Raises DomainError with the question's key as field, Conflict for
    a survey or invitation that takes no answer any more, NotAllowed without ``responses:write``.
    """
    require(actor, "responses:write")
    if message_id is not None:
        first = _first(message_id, actor)
        if first is not None:
            return Submitted(first, False)
    _check_open(survey, actor)
    questions = list(survey.questions.all())
    clean = clean_answers(questions, answers)
    if not clean:
        raise DomainError.of("answers", "required", _("Answer at least one question."))
    at = _clean_time(submitted_at)
    with acting(actor):
        if invitation is not None:
            contact = invitation.contact
            touchpoint = invitation.touchpoint or touchpoint
            _use_up(invitation, at)
        else:
            contact = reference(Contact, contact, actor, "contact")
        values = sheet(survey, questions, clean, contact, language)
        values |= {"touchpoint": touchpoint, "submitted_at": at, "status": Response.Status.COMPLETE}
        try:
            with transaction.atomic():
                response = _store(survey, contact, invitation, message_id, values)
        except IntegrityError:
            found = _first(message_id, actor) if message_id is not None else None
            if found is None:
                raise
            return Submitted(found, False)
        _announce(response, survey, actor)
    return Submitted(response, True)


def response_save_partial(
    *, invitation: Invitation, answers: Mapping[str, Any], actor: Actor, language: str = ""
) -> Response | None:
    """Keep what a customer has filled in so far; None where the invitation takes no answer any more.

    Wrong answers are left out. The first one marks the invitation as opened.
    """
    questions = list(invitation.survey.questions.all())
    clean = clean_answers(questions, answers, partial=True)
    now = timezone.now()
    with acting(actor):
        open_rows = Invitation.objects.select_for_update().filter(pk=invitation.pk, status__in=_OPEN)
        locked = open_rows.first()
        if locked is None:
            return None
        contact = invitation.contact
        values = sheet(invitation.survey, questions, clean, contact, language, read_mood=False)
        values |= {"status": Response.Status.PARTIAL, "touchpoint": invitation.touchpoint}
        response = _store(invitation.survey, contact, invitation, None, values)
        if locked.status != Invitation.Status.OPENED:
            locked.status, locked.opened_at = Invitation.Status.OPENED, locked.opened_at or now
            locked.save(update_fields=["status", "opened_at"])
            payload = {"survey": invitation.survey_id, "name": invitation.survey.name}
            subject = ("invitation", invitation.pk)
            activity_append(
                actor=actor,
                activity=NewActivity("survey.opened", contact.pk, contact.company_id, subject, payload, now),
            )
    return response


def response_correct_sentiment(*, response: Response, label: str, actor: Actor) -> Response:
    """A person says how a comment sounds; their word replaces the engine's figure."""
    require(actor, "responses:write")
    scores = {"negative": -0.6, "neutral": 0.0, "positive": 0.6}
    if label not in scores:
        raise DomainError.of("label", "invalid_choice", _("Choose negative, neutral or positive."))
    with acting(actor):
        row = lock(Response, response.pk, actor)
        row.sentiment_score, row.sentiment_label, row.sentiment_by = scores[label], label, "person"
        row.save(update_fields=["sentiment_score", "sentiment_label", "sentiment_by"])
        payload = {
            "survey": row.survey_id,
            "response": row.pk,
            "sentiment": row.sentiment_score,
            "label": label,
        }
        payload["answered_at"] = row.submitted_at.isoformat() if row.submitted_at else None
        activity_append(
            actor=actor,
            activity=NewActivity(
                "survey.corrected", row.contact_id, row.company_id, ("response", row.pk), payload
            ),
        )
    return row


# --- what a sheet of answers amounts to -------------------------------------------------------------
def sheet(
    survey: Survey,
    questions: Iterable[Question],
    clean: Mapping[str, Any],
    contact: Contact | None,
    language: str,
    *,
    read_mood: bool = True,
) -> dict[str, Any]:
    """The columns of Response that follow from clean answers: figures, comment, mood, snapshot."""
    values: dict[str, Any] = {"answers": dict(clean), **figures(questions, clean)}
    values["owner_id"] = contact.owner_id if contact else None
    values["company_id"] = contact.company_id if contact else None
    declared = language or (contact.language if contact else "") or (survey.languages or ["en"])[0]
    comment = values["comment"]
    values["language"] = sentiment.guess(comment, declared)[:12] if comment else declared[:12]
    if read_mood and comment:
        engine = sentiment.engine()
        [score] = engine.score([comment], values["language"])
        by = f"{engine.name} {engine.version}"[:40] if score.score is not None else ""
        values |= {"sentiment_score": score.score, "sentiment_label": score.label, "sentiment_by": by}
    return values


def figures(questions: Iterable[Askable], clean: Mapping[str, Any]) -> dict[str, Any]:
    """``{nps, csat, csat_scale, ces, comment}`` of clean answers; a survey has each scale at most once."""
    values: dict[str, Any] = {"nps": None, "csat": None, "csat_scale": None, "ces": None}
    texts: list[str] = []
    for question in questions:
        answer = clean.get(question.key)
        if answer is None:
            continue
        if question.type in {"nps", "csat", "ces"}:
            values[question.type] = answer
            if question.type == "csat":
                values["csat_scale"] = bounds(question)[1]
        elif question.type == "text":
            texts.append(answer)
    return values | {"comment": "\n\n".join(texts)}


# --- steps ---------------------------------------------------------------------------------------
def _check_open(survey: Survey, actor: Actor) -> None:
    allowed = {Survey.Status.LIVE} if actor.kind == "customer" else _ANSWERABLE
    if survey.status not in allowed:
        detail = _("This survey takes no answers: it is “%(status)s”.")
        raise Conflict("not_live", detail % {"status": survey.get_status_display()})


def _clean_time(submitted_at: dt.datetime | None) -> dt.datetime:
    now = timezone.now()
    if submitted_at is not None and submitted_at > now + _CLOCK_SKEW:
        raise DomainError.of("submitted_at", "future", _("An answer can't come from the future."))
    return submitted_at or now


def _first(message_id: str, actor: Actor) -> Response | None:
    """The answer that came with this id before. Raises Conflict where it is not the actor's to see."""
    found = Response.objects.filter(message_id=message_id).first()
    if found is not None and not visible_rows(Response, actor).filter(pk=found.pk).exists():
        raise Conflict("message_id", _("This message_id was used for another answer. Send a new one."))
    return found


def _use_up(invitation: Invitation, at: dt.datetime) -> None:
    """Make the invitation answered; among any number of parallel calls exactly one gets past this line."""
    usable = Invitation.objects.filter(pk=invitation.pk, status__in=_OPEN)
    if not usable.update(status=Invitation.Status.ANSWERED, answered_at=at):
        raise Conflict("already_answered", _("This invitation was answered before, or it has expired."))


def _store(
    survey: Survey,
    contact: Contact | None,
    invitation: Invitation | None,
    message_id: str | None,
    values: dict[str, Any],
) -> Response:
    """The new row, or the partial one of this invitation with the new values."""
    if invitation is not None:
        started: Response | None = Response.objects.filter(invitation=invitation).first()
        if started is not None:
            for name, value in values.items():
                setattr(started, name, value)
            started.save(update_fields=[*values])
            return started
    made: Response = Response.objects.create(
        survey=survey, contact=contact, invitation=invitation, message_id=message_id, **values
    )
    return made


def _announce(response: Response, survey: Survey, actor: Actor) -> None:
    """survey.answered, with all that its consumers need."""
    payload = {
        "survey": survey.pk,
        "name": survey.name,
        "kind": survey.kind,
        "nps": response.nps,
        "csat": response.csat,
        "csat_scale": response.csat_scale,
        "ces": response.ces,
        "comment": response.comment[:_COMMENT_IN_STREAM],
        "sentiment": response.sentiment_score,
        "touchpoint": response.touchpoint,
        "response": response.pk,
    }
    subject = ("response", response.pk)
    activity_append(
        actor=actor,
        activity=NewActivity(
            "survey.answered",
            response.contact_id,
            response.company_id,
            subject,
            payload,
            response.submitted_at,
        ),
    )
