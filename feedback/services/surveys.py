"""Making a survey and taking it through its life: draft → live ⇄ paused → closed."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from crmcem.lib import personalise
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import Conflict, DomainError, FieldError
from crmcem.lib.records import change, lock, save_next_version
from crmcem.workspace.policies import require
from feedback import questions as rules
from feedback.models import Question, Response, Survey

from .invitation_mail import FIELDS

SURVEY_FIELDS = frozenset(
    {
        "name",
        "kind",
        "languages",
        "throttle",
        "intro",
        "thanks",
        "email_subject",
        "email_body",
        "expires_after_days",
    }
)
_TEXTS = {"intro": 2000, "thanks": 2000, "email_subject": 200, "email_body": 10_000}
MAX_THROTTLE_DAYS = 3650
MAX_EXPIRY_DAYS = 3650


def default_questions(kind: str) -> list[dict[str, Any]]:
    """What a new survey of this kind asks until somebody changes it."""
    comment = {"key": "comment", "type": "text", "text": _("What is the main reason for your answer?")}
    first = {
        Survey.Kind.NPS: {
            "key": "nps",
            "type": "nps",
            "text": _("How likely are you to recommend us to a friend or colleague?"),
            "options": {"low": _("Not at all likely"), "high": _("Extremely likely")},
        },
        Survey.Kind.CSAT: {
            "key": "csat",
            "type": "csat",
            "text": _("How satisfied are you with us?"),
            "options": {"scale": 5, "low": _("Very dissatisfied"), "high": _("Very satisfied")},
        },
        Survey.Kind.CES: {
            "key": "ces",
            "type": "ces",
            "text": _("We made it easy for you to settle your matter."),
            "options": {"low": _("Strongly disagree"), "high": _("Strongly agree")},
        },
    }.get(Survey.Kind(kind))
    return [first | {"required": True}, comment] if first else [comment]


def survey_create(
    *, actor: Actor, questions: Sequence[Mapping[str, Any]] | None = None, **values: Any
) -> Survey:
    """A new draft with its questions (the usual ones of its kind without ``questions``).

    Raises DomainError for what is wrong with the values, NotAllowed without ``surveys:write``.
    """
    require(actor, "surveys:write")
    clean = _clean_values(values)
    if not clean.get("name"):
        raise DomainError.of("name", "required", _("Give the survey a name."))
    kind = clean.setdefault("kind", Survey.Kind.NPS)
    asked = _clean_questions(default_questions(kind) if questions is None else questions)
    with acting(actor):
        survey = Survey.objects.create(created_by=actor.user, **clean)
        Question.objects.bulk_create(Question(survey=survey, **values) for values in asked)
    return survey


def survey_update(
    *,
    survey: Survey,
    actor: Actor,
    questions: Sequence[Mapping[str, Any]] | None = None,
    expected_version: int | None = None,
    **values: Any,
) -> Survey:
    """Change the values given; ``questions`` replaces the whole list, matched by key.

    Raises Conflict where an answered question would lose its meaning (see ``_check_answered``) or a closed
    survey would change, StaleWrite for another version than ``expected_version``.
    """
    require(actor, "surveys:write")
    clean = _clean_values(values)
    asked = None if questions is None else _clean_questions(questions)
    with acting(actor):
        row = lock(Survey, survey.pk, actor, expected_version)
        if row.status == Survey.Status.CLOSED:
            raise Conflict("closed", _("This survey is closed. Make a new one to ask something else."))
        if "kind" in clean and clean["kind"] != row.kind and row.status != Survey.Status.DRAFT:
            raise Conflict("published", _("The kind can't change once a survey was published."))
        touched = asked is not None and _replace_questions(row, asked)
        if not change(row, clean) and touched:
            save_next_version(row, [])
        if row.status != Survey.Status.DRAFT:
            _check_publishable(row)
    return row


def survey_publish(*, survey: Survey, actor: Actor, expected_version: int | None = None) -> Survey:
    """Let customers answer. Raises DomainError for what is missing, Conflict for a closed survey."""
    return _move(
        survey, actor, Survey.Status.LIVE, {Survey.Status.DRAFT, Survey.Status.PAUSED}, expected_version
    )


def survey_pause(*, survey: Survey, actor: Actor, expected_version: int | None = None) -> Survey:
    """Nobody is invited and no link answers until it is published again."""
    return _move(survey, actor, Survey.Status.PAUSED, {Survey.Status.LIVE}, expected_version)


def survey_close(*, survey: Survey, actor: Actor, expected_version: int | None = None) -> Survey:
    """End it for good; its answers stay."""
    return _move(
        survey, actor, Survey.Status.CLOSED, {Survey.Status.LIVE, Survey.Status.PAUSED}, expected_version
    )


def survey_delete(*, survey: Survey, actor: Actor, expected_version: int | None = None) -> None:
    """Remove a survey that nobody was asked by. Raises Conflict for one with invitations or answers."""
    require(actor, "surveys:delete")
    with acting(actor):
        row = lock(Survey, survey.pk, actor, expected_version)
        if row.invitations.exists() or row.responses.exists():
            raise Conflict("in_use", _("This survey was sent or answered. Close it instead."))
        row.delete()


def _move(
    survey: Survey, actor: Actor, to: Survey.Status, sources: set[Survey.Status], expected_version: int | None
) -> Survey:
    require(actor, "surveys:write")
    with acting(actor):
        row = lock(Survey, survey.pk, actor, expected_version)
        if row.status == to:
            return row
        if row.status not in sources:
            words = {"old": row.get_status_display(), "new": to.label}
            raise Conflict("status", _("A survey that is “%(old)s” can't become “%(new)s”.") % words)
        if to == Survey.Status.LIVE:
            _check_publishable(row)
        change(row, {"status": to})
    return row


# --- what is right -------------------------------------------------------------------------------
def _clean_values(values: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(values) - SURVEY_FIELDS
    if unknown:
        raise TypeError(f"a survey has no {', '.join(sorted(unknown))}")
    clean = dict(values)
    if "name" in clean:
        clean["name"] = str(clean["name"]).strip()
        if not clean["name"] or len(clean["name"]) > 200 or "\x00" in clean["name"]:
            raise DomainError.of("name", "invalid", _("Give a name of 1 to 200 characters."))
    if "kind" in clean and clean["kind"] not in Survey.Kind.values:
        raise DomainError.of("kind", "invalid_choice", _("The kind is one of: nps, csat, ces, custom."))
    for field, limit in _TEXTS.items():
        if len(clean.get(field, "")) > limit:
            detail = _("This text is too long: %(max)s characters at most.") % {"max": limit}
            raise DomainError.of(field, "too_long", detail)
        if "\x00" in clean.get(field, ""):
            raise DomainError.of(field, "invalid", _("Remove the NUL character from this text."))
    for field in ("email_subject", "email_body"):
        _check_template(field, clean.get(field, ""))
    if "languages" in clean:
        clean["languages"] = _clean_languages(clean["languages"])
    if "throttle" in clean:
        clean["throttle"] = _clean_throttle(clean["throttle"])
    if not 1 <= clean.get("expires_after_days", 1) <= MAX_EXPIRY_DAYS:
        raise DomainError.of("expires_after_days", "invalid", _("Give 1 to 3650 days."))
    return clean


def _check_template(field: str, text: str) -> None:
    """Raises DomainError naming each fault of an e-mail's merge fields: found now, not when it is sent."""
    problems = personalise.check(text, FIELDS) if text else []
    if problems:
        raise DomainError(*(FieldError(field, problem.code, problem.detail) for problem in problems))


def _clean_languages(found: Any) -> list[str]:
    known = dict(settings.LANGUAGES)
    if not isinstance(found, list) or any(not isinstance(code, str) or code not in known for code in found):
        detail = _("Languages are a list of: %(known)s.") % {"known": ", ".join(known)}
        raise DomainError.of("languages", "invalid", detail)
    return list(dict.fromkeys(found))


def _clean_throttle(found: Any) -> dict[str, int]:
    days = found.get("days", 0) if isinstance(found, Mapping) and set(found) <= {"days"} else None
    if isinstance(days, bool) or not isinstance(days, int) or not 0 <= days <= MAX_THROTTLE_DAYS:
        raise DomainError.of("throttle", "invalid", _('Send {"days": n} with n from 0 to 3650.'))
    return {"days": days}


def _clean_questions(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The questions as they are stored, in order. Raises DomainError with ``questions.N.field``."""
    if len(found) > rules.MAX_QUESTIONS:
        raise DomainError.of("questions", "too_many", _("A survey can have fifty questions."))
    clean: list[dict[str, Any]] = []
    errors: list[FieldError] = []
    for position, values in enumerate(found):
        try:
            clean.append(_clean_question(values, f"questions.{position}") | {"position": position})
        except DomainError as error:
            errors += error.errors
    if errors:
        raise DomainError(*errors)
    for position, values in enumerate(clean):
        before = clean[:position]
        if any(other["key"] == values["key"] for other in before):
            errors.append(
                FieldError(f"questions.{position}.key", "unique", _("Another question has this key."))
            )
        if values["type"] in rules.SINGLETONS and any(other["type"] == values["type"] for other in before):
            detail = _("A survey can have one question of this type.")
            errors.append(FieldError(f"questions.{position}.type", "once", detail))
    if errors:
        raise DomainError(*errors)
    return clean


def _clean_question(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    errors: list[FieldError] = []
    key, kind = values.get("key"), values.get("type")
    if not isinstance(key, str) or not rules.KEY.fullmatch(key) or key in rules.RESERVED_KEYS:
        detail = _("A key is 1 to 40 letters, digits, - or _ and begins with a letter or digit.")
        errors.append(FieldError(f"{where}.key", "invalid", detail))
    if kind not in Question.Type.values:
        detail = _("The type is one of: nps, csat, ces, text, single, multi.")
        errors.append(FieldError(f"{where}.type", "invalid_choice", detail))
    text = str(values.get("text") or "").strip()
    if not text or len(text) > 500 or "\x00" in text:
        errors.append(FieldError(f"{where}.text", "invalid", _("Ask in 1 to 500 characters.")))
    if values.get("logic"):
        errors.append(FieldError(f"{where}.logic", "invalid", _("Questions are asked in order: send {}.")))
    if errors:
        raise DomainError(*errors)
    options = rules.clean_options(str(kind), values.get("options") or {}, f"{where}.options")
    required = bool(values.get("required", False))
    return {"key": key, "type": kind, "text": text, "required": required, "options": options, "logic": {}}


def _check_publishable(survey: Survey) -> None:
    asked = list(survey.questions.values_list("type", "required"))
    if not asked:
        raise DomainError.of("questions", "required", _("Add a question first."))
    if survey.kind in rules.SINGLETONS and (survey.kind, True) not in asked:
        kind = survey.get_kind_display()
        detail = _("A survey of the kind %(kind)s needs its %(kind)s question, and it must be required.")
        raise DomainError.of("questions", "missing", detail % {"kind": kind})


# --- questions -----------------------------------------------------------------------------------
def _is_answered(survey: Survey, key: str) -> bool:
    return Response.objects.filter(survey=survey, answers__has_key=key).exists()


def _check_answered(survey: Survey, old: Question, new: Mapping[str, Any] | None) -> None:
    """An answered question keeps its type and scale and stays: its answers must go on meaning the same."""
    if (
        new is not None
        and new["type"] == old.type
        and new["options"].get("scale") == old.options.get("scale")
    ):
        return
    if _is_answered(survey, old.key):
        detail = _("The question “%(key)s” has answers: it can't be removed or change its type or scale.")
        raise Conflict("answered", detail % {"key": old.key})


def _replace_questions(survey: Survey, asked: list[dict[str, Any]]) -> bool:
    """Make the questions those of ``asked``; whether anything changed."""
    old = {question.key: question for question in survey.questions.all()}
    wanted = {values["key"]: values for values in asked}
    touched = False
    for key, question in old.items():
        _check_answered(survey, question, wanted.get(key))
    gone = [question.pk for key, question in old.items() if key not in wanted]
    if gone:
        Question.objects.filter(pk__in=gone).delete()
        touched = True
    for key, values in wanted.items():
        if key not in old:
            Question.objects.create(survey=survey, **values)
            touched = True
        else:
            touched = bool(change(old[key], values)) or touched
    return touched
