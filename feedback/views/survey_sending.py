"""Getting a survey to customers: one of them by e-mail or personal link, everybody by the public link."""

import io
from functools import cached_property
from typing import Any

import qrcode
import qrcode.image.svg
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from contacts.models import Contact, Segment
from contacts.selectors.search import PEOPLE, best
from contacts.selectors.segments import named
from contacts.views.common import form_key, once
from crmcem.lib.api.fields import parse_id
from crmcem.lib.errors import DomainError
from crmcem.lib.exporting import first, full_name
from crmcem.lib.keyset import Order
from crmcem.lib.web import cells
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.columns import Column
from crmcem.lib.web.htmx import is_fragment, render_page
from crmcem.lib.web.lists import Empty, ListPage
from feedback import links
from feedback.filters import InvitationFilter
from feedback.forms import SegmentSendForm, SendForm, show_errors
from feedback.models import Invitation, Survey
from feedback.selectors.survey_figures import last_asked
from feedback.services.invitations import REASONS, invitation_create
from feedback.services.sending import sending_forecast, survey_send_to_segment

contact_url = cells.url_maker("contacts:contact")
FOUND = 8
STATUS = {
    "queued": ("grey", "clock"),
    "sent": ("blue", "send"),
    "opened": ("blue", "eye"),
    "answered": ("green", "check"),
    "expired": ("grey", "clock-off"),
    "suppressed": ("yellow", "mail-off"),
}


def _status(invitation: Invitation) -> Any:
    tone, icon = STATUS[invitation.status]
    return cells.badge(invitation.get_status_display(), tone, icon)


def _reason(invitation: Invitation) -> Any:
    return cells.text(REASONS.get(invitation.suppressed_reason, ""))


class InvitationList(ListPage):
    """Who was asked by this survey, what became of it, and why somebody was not asked."""

    entity, title, scope = "invitation", gettext_lazy("Invitations"), "surveys:read"
    count_label = gettext_lazy("invitations")
    filterset_class = InvitationFilter
    filter_fields = ("status", "channel")
    search_hint = gettext_lazy("Search customers")
    template_name = "feedback/surveys/invitations.html"
    columns = (
        Column(
            "contact",
            gettext_lazy("Customer"),
            lambda i: cells.main_link(contact_url(i.contact_id), i.contact),
            phone=True,
            export=first(full_name("contact__"), "contact__email", "contact__external_id"),
        ),
        Column("status", gettext_lazy("Status"), _status, phone=True, export="status"),
        Column("reason", gettext_lazy("Why not sent"), _reason, export="suppressed_reason"),
        Column("channel", gettext_lazy("Channel"), lambda i: i.get_channel_display(), export="channel"),
        Column(
            "touchpoint", gettext_lazy("Touchpoint"), lambda i: cells.text(i.touchpoint), export="touchpoint"
        ),
        Column("created", gettext_lazy("Created"), lambda i: cells.moment(i.created_at), export="created_at"),
        Column("sent", gettext_lazy("Sent"), lambda i: cells.moment(i.sent_at), export="sent_at"),
        Column(
            "answered", gettext_lazy("Answered"), lambda i: cells.moment(i.answered_at), export="answered_at"
        ),
        Column(
            "expires",
            gettext_lazy("Expires"),
            lambda i: cells.moment(i.expires_at),
            default=False,
            export="expires_at",
        ),
    )
    orderings = (Order("id", descending=True),)
    empty = Empty(
        "mail-question",
        gettext_lazy("Nobody was asked yet"),
        gettext_lazy("Send the survey to a customer, or let an automation do it after an order."),
    )

    @cached_property
    def survey(self) -> Survey:
        return get_object_or_404(Survey, pk=self.kwargs["pk"])

    @property
    def may_send(self) -> bool:
        return self.may("surveys:write") and self.survey.status == Survey.Status.LIVE

    def rows(self) -> QuerySet[Any]:
        rows = Invitation.objects.visible_to(self.request.user).filter(survey=self.survey)
        return rows.select_related("contact").defer("contact__search_text")

    def frame(self) -> dict[str, Any]:
        return super().frame() | {"survey": self.survey}


class SurveySend(ScopedView, View):
    """Find a customer (``?q=``), then ask them by e-mail or make a link for them."""

    scope = "surveys:write"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        chosen = request.GET.get("contact", "")
        initial = {"contact": chosen} if chosen.isascii() and chosen.isdigit() and len(chosen) < 19 else {}
        return self.show(survey, SendForm(initial=initial))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        form = SendForm(request.POST)
        contact = None
        if form.is_valid():
            rows = Contact.objects.visible_to(request.user)
            contact = rows.filter(pk=form.cleaned_data["contact"]).first()
            if contact is None:
                form.add_error("contact", _("There is no such customer, or they are not yours to see."))
        if contact is not None:
            try:
                made = invitation_create(
                    survey=survey,
                    contact=contact,
                    actor=self.actor,
                    channel=form.cleaned_data["channel"],
                    touchpoint=form.cleaned_data["touchpoint"],
                )
            except DomainError as error:
                show_errors(form, error)
            else:
                return self.done(made, contact)
        return self.show(survey, form, 422)

    def done(self, made: Invitation, contact: Contact) -> HttpResponse:
        words = {"name": str(contact)}
        if made.suppressed_reason:
            reason = REASONS[made.suppressed_reason]
            text = _("%(name)s was not asked: %(reason)s")
            messages.warning(self.request, text % {**words, "reason": reason})
        elif made.channel == "link":
            url = f"{reverse('feedback:survey-send', args=[made.survey_id])}?contact={contact.pk}&link={made.pk}"
            return redirect(url)
        else:
            messages.success(self.request, _("The invitation to %(name)s is on its way.") % words)
        return redirect("feedback:survey", made.survey_id)

    def show(
        self, survey: Survey, form: SendForm, status: int = 200, segment_form: SegmentSendForm | None = None
    ) -> HttpResponse:
        request = self.request
        if segment_form is None and not is_fragment(request):
            segment_form = SegmentSendForm(segments=named(request.user), initial={"form_key": form_key()})
        text = (request.GET.get("q") or request.POST.get("q") or "").replace("\x00", "").strip()[:200]
        visible = Contact.objects.visible_to(request.user).select_related("company")
        value = form["contact"].value()
        chosen = str(value or "")
        people: list[Contact] = []
        if chosen.isascii() and chosen.isdigit() and len(chosen) < 19:
            people = list(visible.filter(pk=int(chosen)))
        if text:
            people += [row for row in best(PEOPLE, visible, text, FOUND) if row not in people]
        context = {
            "survey": survey,
            "form": form,
            "segment_form": segment_form,
            "q": text,
            "chosen": chosen,
            "people": self.told(survey, people),
            "link": self.link(survey),
        }
        return render_page(
            request, "feedback/surveys/send.html", context, "feedback/surveys/send_people.html", status
        )

    def told(self, survey: Survey, people: list[Contact]) -> list[dict[str, Any]]:
        """Each customer with what speaks against asking them; the service has the last word."""
        asked = last_asked(survey.pk, [row.pk for row in people])
        found = []
        for row in people:
            refused = (row.consent.get("email") or {}).get("status") == "denied"
            key = "no_address" if not row.email else "no_consent" if refused else ""
            found.append({"contact": row, "why": REASONS.get(key, ""), "asked_at": asked.get(row.pk)})
        return found

    def link(self, survey: Survey) -> str:
        """The personal link that was just made (``?link=``), for copying."""
        pk = self.request.GET.get("link", "")
        if not (pk.isascii() and pk.isdigit() and len(pk) < 19):
            return ""
        rows = Invitation.objects.visible_to(self.request.user).filter(survey=survey, channel="link")
        made = rows.filter(pk=int(pk)).exclude(status="suppressed").first()
        return links.invitation_url(made.pk) if made else ""


class SurveySendSegment(ScopedView, View):
    """GET (``?segment=``): what asking a whole segment would mean, in numbers. POST: begin it."""

    scope = "surveys:write"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        if not is_fragment(request):
            return redirect("feedback:survey-send", survey.pk)
        segment = self.segment(request.GET.get("segment", ""))
        found = sending_forecast(segment, request.user) if segment is not None else None
        return render(request, "feedback/surveys/send_forecast.html", {"found": found, "segment": segment})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        form = SegmentSendForm(request.POST, segments=named(request.user))
        if form.is_valid():
            try:
                return redirect(once(request, lambda: self.begin(survey, form)))
            except DomainError as error:
                show_errors(form, error)
        sending = SurveySend()
        sending.setup(request, pk=pk)
        return sending.show(survey, SendForm(), 422, segment_form=form)

    def begin(self, survey: Survey, form: SegmentSendForm) -> str:
        segment = self.segment(form.cleaned_data["segment"])
        if segment is None:
            raise DomainError.of("segment", "does_not_exist", _("Choose a segment."))
        edit = survey_send_to_segment(
            survey=survey, segment=segment, actor=self.actor, touchpoint=form.cleaned_data["touchpoint"]
        )
        return reverse("workspace:edit", args=[edit.pk])

    def segment(self, text: str) -> Segment | None:
        pk = parse_id(text)
        found: Segment | None = (
            None if pk is None else Segment.objects.visible_to(self.request.user).filter(pk=pk).first()
        )
        return found


class SurveyCode(ScopedView, View):
    """The public link as a QR code, to print or to show on a screen."""

    scope = "surveys:write"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        survey = get_object_or_404(Survey, pk=pk)
        drawn = io.BytesIO()
        qrcode.make(links.survey_url(survey.pk), image_factory=qrcode.image.svg.SvgPathFillImage).save(drawn)
        response = HttpResponse(drawn.getvalue(), content_type="image/svg+xml")
        response["Content-Disposition"] = f'inline; filename="survey-{survey.pk}.svg"'
        response["Cache-Control"] = "private, max-age=3600"
        return response
