"""The survey's editor, its live preview, the test run and the look of its e-mail. None of them records anything
but the editor's save."""

from collections.abc import Sequence
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_replace, csp_update
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from django.views.decorators.clickjacking import xframe_options_sameorigin

from contacts.models import Contact
from crmcem.lib.errors import Conflict, DomainError, StaleWrite
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import render_page
from crmcem.workspace.organisation import organisation
from feedback import drafts
from feedback.forms import SurveyForm, show_errors
from feedback.models import Question, Survey
from feedback.questions import clean_answers
from feedback.selectors.survey_figures import answered_keys, open_invitations
from feedback.services.invitation_mail import FIELDS, compose, default_body, default_subject, language_of
from feedback.services.surveys import survey_update

from .sheets import raw_answers, render_form

TYPES: Sequence[tuple[str, Any, str]] = (
    ("nps", gettext_lazy("NPS"), "gauge"),
    ("csat", gettext_lazy("Satisfaction"), "star"),
    ("ces", gettext_lazy("Effort"), "feather"),
    ("text", gettext_lazy("Text"), "message"),
    ("single", gettext_lazy("One choice"), "circle-dot"),
    ("multi", gettext_lazy("Several choices"), "checkbox"),
)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


@method_decorator(csp_update({"frame-src": [SELF]}), name="dispatch")
class SurveyEdit(ScopedView, View):
    """Everything about a survey in one form. Without JavaScript its buttons are submits of the same form."""

    scope = "surveys:write"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        if survey.status == Survey.Status.CLOSED:
            messages.info(request, _("This survey is closed. Make a new one to ask something else."))
            return redirect("feedback:survey", pk)
        rows = drafts.rows_of(survey.questions.all(), answered_keys(pk))
        return self.show(survey, self.form(survey), rows)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        rows = drafts.rows_from(request.POST, answered_keys(pk))
        button = request.POST.get("_do", "")
        if button:
            # A button of the list: the form as typed comes back, nothing is checked or saved yet.
            at = drafts.press(rows, button)
            return self.show(survey, self.form(survey, request.POST, check=False), rows, at=at)
        form = self.form(survey, request.POST)
        general: list[str] = []
        stale = False
        if form.is_valid():
            expected = _number(request.POST.get("_over", "")) or form.cleaned_data["version"]
            try:
                survey_update(
                    survey=survey,
                    actor=self.actor,
                    questions=drafts.questions_of(rows),
                    expected_version=expected,
                    **form.values(),
                )
            except DomainError as error:
                general = drafts.show_errors(rows, error)
                aside = {each.field for each in error.errors if each.field.startswith("questions")}
                show_errors(form, error, dict.fromkeys(aside))
            except Conflict as error:
                general = [error.detail]
            except StaleWrite:
                stale = True
                survey.refresh_from_db()
            else:
                messages.success(request, _("Saved."))
                return redirect("feedback:survey-edit", pk)
        status = 412 if stale else 422
        return self.show(survey, form, rows, general=general, stale=stale, status=status)

    def form(self, survey: Survey, data: Any = None, check: bool = True) -> SurveyForm:
        initial = SurveyForm.initial_of(survey)
        if data is not None and not check:
            # As typed, without complaints: initial values instead of bound ones.
            typed = {name: data.get(name, "") for name in SurveyForm.base_fields}
            typed["languages"] = data.getlist("languages")
            form = SurveyForm(initial={**initial, **typed})
        else:
            form = SurveyForm(data, initial=initial)
        if survey.status != Survey.Status.DRAFT:
            form.fields["kind"].disabled = True
            form.initial["kind"] = survey.kind
        form.fields["email_subject"].widget.attrs["placeholder"] = default_subject()
        form.fields["email_body"].widget.attrs["placeholder"] = default_body()
        return form

    def show(
        self,
        survey: Survey,
        form: SurveyForm,
        rows: list[drafts.Row],
        *,
        general: Sequence[str] = (),
        stale: bool = False,
        at: str = "",
        status: int = 200,
    ) -> HttpResponse:
        live = survey.status != Survey.Status.DRAFT
        context = {
            "survey": survey,
            "form": form,
            "rows": rows,
            "types": TYPES,
            "scales": ("3", "4", "5", "6", "7", "10"),
            "taken": {row.type for row in rows},
            "general": general,
            "wrong": bool(general or form.errors or any(row.errors for row in rows)),
            "stale": stale,
            "at": at,
            "fields": FIELDS.items(),
            "waiting": open_invitations(survey.pk) if live else None,
            "languages": survey.languages or ["en"],
        }
        return render_page(self.request, "feedback/surveys/edit.html", context, status=status)


def _wanted(request: HttpRequest) -> str:
    return str(request.GET.get("language") or getattr(request, "LANGUAGE_CODE", "en"))


def _sheet(
    request: HttpRequest,
    survey: Survey,
    questions: Sequence[Question],
    values: Any = None,
    errors: Any = None,
    **more: Any,
) -> str:
    """The public page as ``request`` (its ``language``) asks for it, without a way to record anything."""
    language = language_of(survey, _wanted(request))
    with translation.override(language):
        context = {
            "language": language,
            "organisation_name": organisation().name,
            "saves_partial": False,
            **more,
        }
        return render_form(survey, questions, values=values or {}, errors=errors or {}, context=context)


@method_decorator(csp_replace({"frame-ancestors": [SELF]}), name="dispatch")
@method_decorator(xframe_options_sameorigin, name="dispatch")
class SurveyPreview(ScopedView, View):
    """The public page for the editor's frame: as saved (GET), or as it stands in the form (POST)."""

    scope = "surveys:read"
    write_scope = "surveys:write"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        return HttpResponse(_sheet(request, survey, list(survey.questions.all()), preview=True))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        for name in ("name", "intro"):
            setattr(survey, name, request.POST.get(name, "").replace("\x00", "")[:2000])
        known = dict(settings.LANGUAGES)
        survey.languages = [code for code in request.POST.getlist("languages") if code in known]
        return HttpResponse(
            _sheet(request, survey, drafts.unsaved(drafts.rows_from(request.POST)), preview=True)
        )


class SurveyTry(ScopedView, View):
    """The test run: the saved survey, answered and checked like the real one, and forgotten."""

    scope = "surveys:read"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        return HttpResponse(self.page(survey))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        questions = list(survey.questions.all())
        raw = raw_answers(questions, request.POST)
        language = language_of(survey, _wanted(request))
        with translation.override(language):
            try:
                clean = clean_answers(questions, raw)
                if not clean:
                    raise DomainError.of("answers", "required", _("Answer at least one question."))
            except DomainError as error:
                errors = {each.field: each.detail for each in reversed(error.errors)}
                return HttpResponse(self.page(survey, raw, errors), status=422)
            context = {
                "title": _("Thank you"),
                "text": survey.thanks or _("Your answer has arrived. Thank you for your time."),
                "organisation_name": organisation().name,
                "language": language,
                "test_run": True,
                "back_url": reverse("feedback:survey", args=[pk]),
            }
            return HttpResponse(render_to_string("feedback/public/message.html", context))

    def page(self, survey: Survey, values: Any = None, errors: Any = None) -> str:
        return _sheet(
            self.request,
            survey,
            list(survey.questions.all()),
            values,
            errors,
            test_run=True,
            csrf_token=get_token(self.request),
            back_url=reverse("feedback:survey", args=[survey.pk]),
        )


class SurveyMail(ScopedView, View):
    """What a customer gets by e-mail, with an example of a customer; its links lead to the test run."""

    scope = "surveys:read"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        example = Contact(
            first_name=_("Alex"), last_name=_("Example"), language=request.GET.get("language", "")
        )
        here = reverse("feedback:survey-try", args=[pk])
        context: dict[str, Any] = {"survey": survey, "languages": survey.languages or ["en"]}
        context["language"] = language_of(survey, example.language)
        try:
            context["letter"] = compose(
                survey, example, lambda score: here if score is None else f"{here}?score={score}"
            )
        except DomainError as error:
            context["problems"] = [each.detail for each in error.errors]
        return render_page(request, "feedback/surveys/mail.html", context)
