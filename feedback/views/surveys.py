"""Surveys: the list, a new one, one survey's page, and its life (publish, pause, close, delete)."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from crmcem.lib.errors import Conflict, DomainError, StaleWrite
from crmcem.lib.keyset import Order
from crmcem.lib.web import cells
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.columns import Column
from crmcem.lib.web.htmx import render_page
from crmcem.lib.web.lists import Empty, ListPage
from feedback import links
from feedback.filters import SurveyFilter
from feedback.forms import NewSurveyForm, show_errors
from feedback.models import Invitation, Survey
from feedback.selectors.responses import responses_listed
from feedback.selectors.survey_figures import DAYS, Figures, figures_of, open_invitations
from feedback.services.surveys import (
    survey_close,
    survey_create,
    survey_delete,
    survey_pause,
    survey_publish,
)

from .results import results_of, score_words

survey_url = cells.url_maker("feedback:survey")
STATUS = {
    Survey.Status.DRAFT: ("grey", "pencil"),
    Survey.Status.LIVE: ("green", "broadcast"),
    Survey.Status.PAUSED: ("yellow", "player-pause"),
    Survey.Status.CLOSED: ("grey", "lock"),
}


def status_badge(survey: Survey) -> Any:
    tone, icon = STATUS[Survey.Status(survey.status)]
    return cells.badge(survey.get_status_display(), tone, icon)


def _figure(name: str) -> Any:
    def cell(survey: Any) -> Any:
        figures: Figures = survey.figures
        if name == "answers":
            return cells.number(figures.answers)
        if name == "rate":
            rate = figures.rate
            return cells.NONE if rate.value is None else _("%(value).0f %%") % {"value": rate.value}
        return score_words(figures.nps)

    return cell


class SurveyList(ListPage):
    entity, title, scope = "survey", gettext_lazy("Surveys"), "surveys:read"
    count_label = gettext_lazy("surveys")
    filterset_class = SurveyFilter
    filter_fields = ("status", "kind")
    search_hint = gettext_lazy("Search surveys")
    orderings = (Order("name"), Order("updated_at", descending=True), Order("id", descending=True))
    create_url_name, create_label, create_scope = (
        "feedback:survey-new",
        gettext_lazy("New survey"),
        "surveys:write",
    )
    columns = (
        Column(
            "name",
            gettext_lazy("Name"),
            lambda s: cells.main_link(survey_url(s.pk), s.name),
            sort="name",
            phone=True,
        ),
        Column("status", gettext_lazy("Status"), status_badge, phone=True),
        Column("kind", gettext_lazy("Kind"), lambda s: s.get_kind_display()),
        Column("answers", gettext_lazy("Answers, 90 days"), _figure("answers"), css="num"),
        Column("rate", gettext_lazy("Response rate, 90 days"), _figure("rate"), css="num"),
        Column("nps", gettext_lazy("NPS, 90 days"), _figure("nps"), css="num"),
        Column("updated", gettext_lazy("Changed"), lambda s: cells.moment(s.updated_at), sort="updated_at"),
    )
    empty = Empty(
        "message-star",
        gettext_lazy("No surveys yet"),
        gettext_lazy("Ask customers how it was, and see what they say beside everything else they did."),
        gettext_lazy("New survey"),
        "feedback:survey-new",
        "surveys:write",
        gettext_lazy("For example: one question a week after each delivery."),
    )

    def rows(self) -> QuerySet[Any]:
        return Survey.objects.all()

    def prepare(self, rows: list[Any]) -> None:
        figures = figures_of((row.pk for row in rows), self.request.user)
        for row in rows:
            row.figures = figures.get(row.pk) or Figures()


class SurveyNew(ScopedView, View):
    """A name and what to start from; the editor comes next."""

    scope = "surveys:write"

    def get(self, request: HttpRequest) -> HttpResponse:
        form = NewSurveyForm(initial={"languages": [getattr(request, "LANGUAGE_CODE", "en")]})
        return self.show(form)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = NewSurveyForm(request.POST)
        if form.is_valid():
            try:
                survey = survey_create(actor=self.actor, **form.cleaned_data)
            except DomainError as error:
                show_errors(form, error)
            else:
                return redirect("feedback:survey-edit", survey.pk)
        return self.show(form, 422)

    def show(self, form: NewSurveyForm, status: int = 200) -> HttpResponse:
        return render_page(self.request, "feedback/surveys/new.html", {"form": form}, status=status)


class SurveyPage(ScopedView, View):
    """What became of a survey, and how customers get to it."""

    scope = "surveys:read"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        user: Any = request.user
        figures = figures_of([pk], user).get(pk) or Figures()
        context = {
            "survey": survey,
            "days": DAYS,
            "figures": figures,
            "nps_words": score_words(figures.nps),
            "badge": status_badge(survey),
            "may_write": user.may("surveys:write"),
            "may_delete": user.may("surveys:delete"),
            "moves": self.moves(survey) if user.may("surveys:write") else [],
            "public_url": links.survey_url(pk) if user.may("surveys:write") else "",
            "invitations": self.invitations(survey),
            "may_answers": user.may("responses:read"),
        }
        if user.may("responses:read"):
            questions = list(survey.questions.all())
            context["results"] = results_of(survey, questions, user)
            context["newest"] = self.newest(survey)
        return render_page(request, "feedback/surveys/page.html", context)

    def newest(self, survey: Survey) -> list[Any]:
        rows: Any = responses_listed()
        shown = rows.visible_to(self.request.user).filter(survey=survey)
        return list(shown.order_by("-submitted_at", "-id")[:8])

    def invitations(self, survey: Survey) -> list[Invitation]:
        rows = Invitation.objects.visible_to(self.request.user).filter(survey=survey)
        return list(rows.select_related("contact").order_by("-id")[:8])

    def moves(self, survey: Survey) -> list[dict[str, Any]]:
        """The buttons of the survey's life, each with what it will do in numbers."""
        count, exact = (0, True) if survey.status == Survey.Status.DRAFT else open_invitations(survey.pk)
        number = f"{cells.grouped(count)}{'' if exact else '+'}"
        again = _("%(number)s open invitations can be answered again.")
        publish = {
            "to": "live",
            "label": _("Publish"),
            "icon": "broadcast",
            "primary": True,
            "explain": _(
                "From now on its link takes answers, and people and automations can send it. "
                "Nobody is asked by publishing alone."
            )
            + (" " + again % {"number": number} if count else ""),
        }
        pause = {
            "to": "paused",
            "label": _("Pause"),
            "icon": "player-pause",
            "explain": _(
                "Nobody new is asked, and %(number)s open invitations show that the survey takes no answers "
                "until you publish it again."
            )
            % {"number": number},
        }
        close = {
            "to": "closed",
            "label": _("Close"),
            "icon": "lock",
            "danger": True,
            "explain": _(
                "This ends the survey for good: %(number)s open invitations can no longer be answered. "
                "The answers stay."
            )
            % {"number": number},
        }
        moves: Mapping[str, list[dict[str, Any]]] = {
            Survey.Status.DRAFT: [publish],
            Survey.Status.LIVE: [pause, close],
            Survey.Status.PAUSED: [publish, close],
        }
        return moves.get(survey.status, [])


class SurveyStatus(ScopedView, View):
    """Publish, pause or close (``to``); what the service refuses is said on the survey's page."""

    scope = "surveys:write"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        version = request.POST.get("version", "")
        expected = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None
        done = {
            "live": (survey_publish, _("The survey is live.")),
            "paused": (survey_pause, _("The survey is paused.")),
            "closed": (survey_close, _("The survey is closed.")),
        }
        if request.POST.get("to") not in done:
            raise DomainError.of("to", "invalid_choice", _("Publish, pause or close the survey."))
        service, text = done[request.POST["to"]]
        try:
            service(survey=survey, actor=self.actor, expected_version=expected)
        except DomainError as error:
            messages.error(request, " ".join(each.detail for each in error.errors))
        except Conflict as error:
            messages.error(request, error.detail)
        except StaleWrite:
            messages.error(
                request,
                _("Somebody changed this survey meanwhile. Look at it as it is now, then decide again."),
            )
        else:
            messages.success(request, text)
        return redirect("feedback:survey", pk)


class SurveyDelete(ScopedView, View):
    scope = "surveys:delete"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        try:
            survey_delete(survey=survey, actor=self.actor)
        except Conflict as error:
            messages.error(request, error.detail)
            return redirect("feedback:survey", pk)
        messages.success(request, _("The survey “%(name)s” was deleted.") % {"name": survey.name})
        return redirect(reverse("feedback:surveys"))
