"""What feedback shows on the pages of others: answers and cases of a customer, of a company, and of today."""

from typing import Any, ClassVar

from django import forms
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from contacts.models import Company, Contact, Pulse
from crmcem.lib import measures
from crmcem.lib.errors import DomainError
from crmcem.lib.visibility import mark_hidden
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import close_modal, render_page
from crmcem.workspace.policies import can
from feedback.links import invitation_url
from feedback.models import Case, Invitation, Response, Survey
from feedback.policies import DETRACTOR, PROMOTER
from feedback.selectors.cases import OPEN, cases_of_contact, open_cases
from feedback.selectors.invitations import invitations_of_contact
from feedback.selectors.moods import FALL_DAYS, NEW_DAYS, fallen, is_mine, new_answers
from feedback.selectors.responses import responses_of_company, responses_of_contact
from feedback.services.invitations import REASONS, invitation_create, why_not_each

from .case_forms import show
from .marks import invitation_mark, mood_mark, priority_mark, score_mark, sla_mark, status_mark

SHOWN = 5
ASKED = 3
SURVEYS = 20


def answer_lines(rows: list[Response]) -> list[dict[str, Any]]:
    """Answers as a panel's lines show them."""
    return [{"row": row, "score": score_mark(row), "mood": mood_mark(row)} for row in rows]


def case_lines(rows: list[Case]) -> list[dict[str, Any]]:
    return [
        {
            "row": row,
            "sla": sla_mark(row),
            "priority": priority_mark(row),
            "status": "" if row.is_open else status_mark(row),
        }
        for row in rows
    ]


class PanelView(ScopedView, View):
    template: ClassVar[str]

    def show(self, **context: Any) -> HttpResponse:
        return render_page(self.request, self.template, context)


class ContactAnswers(PanelView):
    """The newest answers of one customer, whom we asked lately, and the way to ask again."""

    scope, template = "responses:read", "feedback/panels/contact_answers.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        contact = get_object_or_404(Contact.objects.visible_to(request.user), pk=pk)
        rows = list(responses_of_contact(pk, request.user)[: SHOWN + 1])
        may_see = can(self.actor, "surveys:read")
        asked = list(invitations_of_contact(pk, request.user)[:ASKED]) if may_see else []
        return self.show(
            contact=contact,
            lines=answer_lines(rows[:SHOWN]),
            more=len(rows) > SHOWN,
            asked=[
                {"row": i, "mark": invitation_mark(i), "why": REASONS.get(i.suppressed_reason, "")}
                for i in asked
            ],
            may_ask=can(self.actor, "surveys:write"),
        )


class ContactCases(PanelView):
    scope, template = "cases:read", "feedback/panels/contact_cases.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        contact = get_object_or_404(Contact.objects.visible_to(request.user), pk=pk)
        rows = list(cases_of_contact(pk, request.user)[: SHOWN + 1])
        return self.show(
            contact=contact,
            lines=case_lines(rows[:SHOWN]),
            more=len(rows) > SHOWN,
            may_open=can(self.actor, "cases:write"),
        )


class CompanyAnswers(PanelView):
    """The NPS of a company's people by their latest answers, and the newest of them."""

    scope, template = "responses:read", "feedback/panels/company_answers.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        company = get_object_or_404(Company.objects.visible_to(request.user), pk=pk)
        people = Pulse.objects.visible_to(request.user).filter(contact__company_id=pk, nps__isnull=False)
        counts = people.aggregate(
            promoters=Count("pk", filter=Q(nps__gte=PROMOTER)),
            passives=Count("pk", filter=Q(nps__gt=DETRACTOR, nps__lt=PROMOTER)),
            detractors=Count("pk", filter=Q(nps__lte=DETRACTOR)),
        )
        rows = list(responses_of_company(pk, request.user)[: SHOWN + 1])
        return self.show(
            company=company,
            nps=measures.nps(**counts),
            counts=counts,
            lines=answer_lines(rows[:SHOWN]),
            more=len(rows) > SHOWN,
        )


class TodayAnswers(PanelView):
    scope, template = "responses:read", "feedback/panels/today_answers.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        mine = is_mine(request.user)
        rows = new_answers(request.user, SHOWN, mine=mine)
        if not rows:
            return HttpResponse()
        return self.show(lines=answer_lines(rows), days=NEW_DAYS, mine=mine)


class TodayCases(PanelView):
    """The person's own open cases, soonest due first; who has none sees those of everybody."""

    scope, template = "cases:read", "feedback/panels/today_cases.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        mine = Case.objects.filter(owner=request.user.pk, status__in=OPEN).exists()
        rows = open_cases(request.user)
        found = list((rows.filter(owner=request.user.pk) if mine else rows)[: SHOWN + 1])
        mark_hidden(found, request.user, "contact")
        if not found:
            return HttpResponse()
        query = "?open=true&owner=me" if mine else "?open=true"
        return self.show(lines=case_lines(found[:SHOWN]), more=len(found) > SHOWN, mine=mine, query=query)


class TodayMoods(PanelView):
    scope, template = "responses:read", "feedback/panels/today_moods.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        rows = fallen(request.user, SHOWN, mine=is_mine(request.user))
        if not rows:
            return HttpResponse()
        return self.show(lines=answer_lines(rows), days=FALL_DAYS)


class AskForm(forms.Form):
    survey = forms.ModelChoiceField(queryset=Survey.objects.filter(status=Survey.Status.LIVE))
    channel = forms.ChoiceField(
        choices=[("email", gettext_lazy("By e-mail")), ("link", gettext_lazy("A link to hand over"))],
        initial="email",
    )


class AskContact(ScopedView, View):
    """Choose a live survey for one customer; what speaks against it is said before and after."""

    scope = write_scope = "surveys:write"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.page(self.contact(), AskForm())

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        contact = self.contact()
        form = AskForm(request.POST)
        if not form.is_valid():
            return self.page(contact, form, status=422)
        data = form.cleaned_data
        try:
            made = invitation_create(
                survey=data["survey"], contact=contact, channel=data["channel"], actor=self.actor
            )
        except DomainError as error:
            show(form, error)
            return self.page(contact, form, status=422)
        if made.status == Invitation.Status.SUPPRESSED or data["channel"] == "link":
            return self.page(contact, form, made)
        text = _("“%(survey)s” is on its way to %(email)s.")
        words = {"survey": made.survey.name, "email": contact.email}
        return close_modal(text % words, refresh="panel-answers")

    def contact(self) -> Contact:
        found: Contact | None = (
            Contact.objects.visible_to(self.request.user).filter(pk=self.kwargs["pk"]).first()
        )
        if found is None:
            raise Http404
        return found

    def page(
        self, contact: Contact, form: AskForm, made: Invitation | None = None, status: int = 200
    ) -> HttpResponse:
        surveys = list(Survey.objects.filter(status=Survey.Status.LIVE).order_by("name", "pk")[:SURVEYS])
        reasons = why_not_each(surveys, contact)
        at_all = why_not_each(surveys, contact, "link")
        picked = form.data.get("survey") if form.is_bound else None
        first = next((str(s.pk) for s in surveys if not reasons[s.pk]), None)
        context = {
            "contact": contact,
            "form": form,
            "surveys": [
                {
                    "row": survey,
                    "why": REASONS.get(reasons[survey.pk], ""),
                    "not_at_all": bool(at_all[survey.pk]),
                    "picked": str(survey.pk) == (picked or first),
                }
                for survey in surveys
            ],
            "refused": REASONS[made.suppressed_reason] if made and made.suppressed_reason else "",
            "link": invitation_url(made.pk) if made and not made.suppressed_reason else "",
            "surveys_url": reverse("feedback:surveys"),
        }
        page, fragment = "feedback/panels/ask_page.html", "feedback/panels/ask.html"
        return render_page(self.request, page, context, fragment, status=status)
