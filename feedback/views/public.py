"""The page on which customers answer: no sign-in, no session, at most two queries for a look at it.

A GET never writes: mail scanners open every link. What is written comes from a POST with the page's CSRF token.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from crmcem.lib.actors import Actor
from crmcem.lib.errors import Conflict, DomainError
from crmcem.lib.web.csrf import form_token
from crmcem.workspace.organisation import organisation
from feedback import links
from feedback.models import Invitation, Question, Response, Survey
from feedback.services.invitation_mail import language_among
from feedback.services.responses import response_save_partial, response_submit

from .sheets import prefilled, raw_answers, render_form

POSTS_PER_MINUTE = 120
# What differs between two views of a cached page; drawn anew in each process, so nobody's text can hold them.
_CSRF = secrets.token_hex(16)
_ONCE = secrets.token_hex(16)
# Plain SQL: the ORM takes longer to write this statement than the database to answer it. A function keeps its plans.
_INVITATION = "SELECT * FROM feedback_invitation_look(%s)"


@dataclass(frozen=True, slots=True)
class Look:
    """All that showing the page needs to know, by one query."""

    survey_id: int
    version: int
    survey_status: str
    languages: tuple[str, ...]
    language: str
    state: str = "open"
    answers: Mapping[str, Any] | None = None
    anonymous: bool = False


@require_http_methods(["GET", "HEAD", "POST"])
def survey_page(request: HttpRequest, token: str) -> HttpResponse:
    """``/s/{token}/``: the survey for an invitation's or a survey's own link."""
    target = links.target(token)
    look = _look(target, request) if target else None
    if target is None or look is None:
        return _private(_unknown(request), _language(request))
    with translation.override(look.language):
        if look.state != "open":
            response = _ended(look.state)
        elif request.method == "POST":
            response = _post(request, token, target, look)
        else:
            response = HttpResponse(_page(request, look))
        return _private(response, look.language)


# --- looking ------------------------------------------------------------------------------------
def _look(target: links.Target, request: HttpRequest) -> Look | None:
    if target.survey_id is not None:
        columns = ("version", "status", "languages")
        found = Survey.objects.filter(pk=target.survey_id).values_list(*columns).first()
        if found is None:
            return None
        version, status, languages = found
        language = language_among(languages, _language(request))
        state = "open" if status == Survey.Status.LIVE else "closed"
        return Look(target.survey_id, version, status, tuple(languages), language, state, None, True)
    if target.invitation_id is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_INVITATION, [target.invitation_id])
        row = cursor.fetchone()
    status, expires_at, survey_id, survey, wanted, saved = row
    if status is None:
        return None
    version, survey_status, languages = orjson.loads(survey)
    answers = orjson.loads(saved) if saved else None
    state = "open"
    if status == Invitation.Status.ANSWERED:
        state = "answered"
    elif status in {Invitation.Status.EXPIRED, Invitation.Status.SUPPRESSED} or (
        expires_at is not None and expires_at <= timezone.now()
    ):
        state = "expired"
    elif survey_status != Survey.Status.LIVE:
        state = "closed"
    language = language_among(languages, wanted or _language(request))
    return Look(survey_id, version, survey_status, tuple(languages), language, state, answers)


def _language(request: HttpRequest) -> str:
    return str(getattr(request, "LANGUAGE_CODE", "en"))


@lru_cache(maxsize=256)
def _survey(survey_id: int, version: int) -> tuple[Survey, tuple[Question, ...]] | None:
    """The survey and its questions as of ``version`` (each change makes a new one)."""
    survey = Survey.objects.filter(pk=survey_id, version=version).first()
    return None if survey is None else (survey, tuple(survey.questions.all()))


@lru_cache(maxsize=512)
def _blank_page(survey_id: int, version: int, language: str, score: str, name: str, anonymous: bool) -> str:
    """The page before anything was filled in but the score, with markers for what differs each time."""
    found = _survey(survey_id, version)
    if found is None:
        raise LookupError  # changed between two queries: not kept, the next look finds the new version
    survey, questions = found
    context: dict[str, Any] = {
        "csrf_token": _CSRF,
        "once": _ONCE if anonymous else "",
        "organisation_name": name,
    }
    context |= {"language": language, "saves_partial": not anonymous}
    return render_form(survey, questions, values=prefilled(questions, score), errors={}, context=context)


def _page(request: HttpRequest, look: Look) -> str:
    score = request.GET.get("score", "")
    score = score if score.isascii() and score.isdigit() and len(score) <= 2 else ""
    if look.answers:
        return _filled_page(request, look, prefilled_over(look, score), {})
    name = organisation().name
    try:
        html = _blank_page(look.survey_id, look.version, look.language, score, name, look.anonymous)
    except LookupError:
        return _filled_page(request, look, {}, {})
    html = html.replace(_CSRF, form_token(request))
    return html.replace(_ONCE, secrets.token_urlsafe(16)) if look.anonymous else html


def prefilled_over(look: Look, score: str) -> dict[str, Any]:
    """What was saved before, with the score of the link that was clicked now."""
    found = _survey(look.survey_id, look.version)
    return {**(look.answers or {}), **(prefilled(found[1], score) if found and score else {})}


def _filled_page(
    request: HttpRequest, look: Look, values: Mapping[str, Any], errors: Mapping[str, str]
) -> str:
    survey = Survey.objects.get(pk=look.survey_id)
    once = _once(request) if look.anonymous else ""
    context: dict[str, Any] = {
        "csrf_token": form_token(request),
        "once": once,
        "organisation_name": organisation().name,
    }
    context |= {"language": look.language, "saves_partial": not look.anonymous}
    questions = list(survey.questions.all())
    return render_form(survey, questions, values=values, errors=errors, context=context)


# --- answering ----------------------------------------------------------------------------------
def _post(request: HttpRequest, token: str, target: links.Target, look: Look) -> HttpResponse:
    if _too_many(request, token, look.anonymous):
        response = _message(_("Too many tries"), _("Please wait a minute and send your answer again."), 429)
        response["Retry-After"] = "60"
        return response
    if request.POST.get("_partial"):
        return _save_partial(request, target, look)
    survey = Survey.objects.get(pk=look.survey_id)
    raw = raw_answers(survey.questions.all(), request.POST)
    try:
        if target.invitation_id is not None:
            invitation = Invitation.objects.select_related("contact").get(pk=target.invitation_id)
            actor = Actor("customer", invitation.contact_id)
            response_submit(
                survey=survey, answers=raw, actor=actor, invitation=invitation, language=look.language
            )
        else:
            response_submit(
                survey=survey,
                answers=raw,
                actor=Actor("customer"),
                message_id=f"link:{survey.pk}:{_once(request)}",
                language=look.language,
            )
    except DomainError as error:
        errors = {e.field: e.detail for e in reversed(error.errors)}
        return HttpResponse(_filled_page(request, look, raw, errors), status=422)
    except Conflict as error:
        return _ended("answered", 409) if error.code == "already_answered" else _ended("closed")
    return _message(
        _("Thank you"), survey.thanks or _("Your answer has arrived. Thank you for your time."), 200
    )


def _save_partial(request: HttpRequest, target: links.Target, look: Look) -> HttpResponse:
    """Keep what is filled in so far; an anonymous sheet is only recorded when it is sent."""
    if target.invitation_id is None:
        return HttpResponse(status=204)
    invitation = Invitation.objects.select_related("contact", "survey").get(pk=target.invitation_id)
    raw = raw_answers(invitation.survey.questions.all(), request.POST)
    actor = Actor("customer", invitation.contact_id)
    saved: Response | None = response_save_partial(
        invitation=invitation, answers=raw, actor=actor, language=look.language
    )
    return HttpResponse(status=204 if saved else 409)


def _once(request: HttpRequest) -> str:
    """What makes a double click on an anonymous form one answer."""
    sent = request.POST.get("_once", "")
    return (
        sent if 16 <= len(sent) <= 64 and sent.isascii() and sent.isprintable() else secrets.token_urlsafe(16)
    )


def _too_many(request: HttpRequest, token: str, anonymous: bool) -> bool:
    """Counts the posts of this minute by link, and by address where many people share the link."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")[-1].strip()
    address = (forwarded or request.META.get("REMOTE_ADDR", ""))[:64] if anonymous else ""
    key = f"survey-posts:{token}:{address}".replace(" ", "")
    cache.add(key, 0, timeout=60)
    try:
        return cache.incr(key) > POSTS_PER_MINUTE
    except ValueError:  # the minute ended between the two calls
        return False


# --- answers without a form ----------------------------------------------------------------------
def _ended(state: str, status: int = 410) -> HttpResponse:
    if state == "answered":
        text = _("We have your answer already. Nothing was changed. Thank you!")
        return _message(_("Already answered"), text, status)
    if state == "expired":
        return _message(
            _("This link has expired"), _("The time to answer is over. Thank you anyway!"), status
        )
    return _message(
        _("This survey is closed"), _("It takes no answers at the moment. Thank you anyway!"), status
    )


def _unknown(request: HttpRequest) -> HttpResponse:
    text = _("Please open the link from your e-mail again, or copy the whole address.")
    return _message(_("We don't know this link"), text, 404)


def _message(title: str, text: str, status: int) -> HttpResponse:
    context = {"title": title, "text": text, "organisation_name": organisation().name}
    context["language"] = translation.get_language() or "en"
    return HttpResponse(render_to_string("feedback/public/message.html", context), status=status)


def _private(response: HttpResponse, language: str) -> HttpResponse:
    response["Cache-Control"] = "private, no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Content-Language"] = language
    return response
