"""The answers inbox, one answer with its customer, and what people do about it."""

import secrets
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from contacts.models import Contact, Message
from crmcem.lib.errors import DomainError
from crmcem.lib.exporting import full_name, person, shown
from crmcem.lib.keyset import Order
from crmcem.lib.panels import panels
from crmcem.lib.visibility import mark_hidden, name_of
from crmcem.lib.web import cells
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.columns import Column
from crmcem.lib.web.htmx import render_page
from crmcem.lib.web.lists import Empty, ListPage
from crmcem.workspace.models import User
from feedback.filters import ResponseFilter
from feedback.forms import MoodForm, ReplyForm, show_errors
from feedback.models import Case, Response, Survey
from feedback.selectors.responses import responses_listed
from feedback.services.replies import response_reply
from feedback.services.responses import response_correct_sentiment

from .results import GROUPS, answer_badges, group_of, mood_badge, mood_label

answer_url = cells.url_maker("feedback:response")
contact_url = cells.url_maker("contacts:contact")
#: the inbox's quick looks: query string, label, icon
QUICK = (
    ("", gettext_lazy("All"), "inbox"),
    ("group=detractor", gettext_lazy("Detractors"), "mood-sad"),
    ("group=passive", gettext_lazy("Passives"), "mood-neutral"),
    ("group=promoter", gettext_lazy("Promoters"), "mood-smile"),
    ("has_comment=true", gettext_lazy("With a comment"), "message"),
    ("ordering=nps", gettext_lazy("Lowest first"), "sort-ascending-numbers"),
)
CLIP = 140
#: so many surveys and people are offered by name
LISTED = 200


def _who(row: Response) -> Any:
    name = str(row.contact) if row.contact is not None else _("Anonymous")
    link = cells.main_link(answer_url(row.pk), name)
    # On a phone there is no column for the words, and they are what the inbox is for.
    words = f'<small class="phone-words">{escape(_words(row))}</small>' if row.comment else ""
    return mark_safe(link + words)  # noqa: S308


def _words(row: Response) -> str:
    words = " ".join(row.comment[: CLIP * 2].split())
    return words if len(words) <= CLIP else words[: CLIP - 1].rstrip() + "…"


def _comment(row: Response) -> Any:
    return cells.text(_words(row))


def _value(row: Response) -> Any:
    pulse = getattr(row.contact, "pulse", None)
    return cells.NONE if pulse is None or pulse.clv is None else cells.number(pulse.clv)


def _case(row: Response) -> Any:
    case = getattr(row, "case", None)
    if case is None:
        return cells.NONE
    return cells.badge(case.get_status_display(), "orange" if case.is_open else "grey", "lifebuoy")


class AnswerList(ListPage):
    entity, title, scope = "response", gettext_lazy("Answers"), "responses:read"
    count_label = gettext_lazy("answers")
    filterset_class = ResponseFilter
    filter_fields = (
        "survey",
        "group",
        "sentiment",
        "touchpoint",
        "owner",
        "has_comment",
        "submitted_at__gte",
        "submitted_at__lt",
    )
    search_hint = gettext_lazy("Search comments")
    template_name = "feedback/answers/list.html"
    orderings = (
        Order("submitted_at", descending=True),
        Order("nps", nullable=True),
    )
    default_order = Order("submitted_at", descending=True)
    columns = (
        Column("contact", gettext_lazy("Customer"), _who, phone=True, export=full_name("contact__")),
        Column("score", gettext_lazy("Answer"), answer_badges, sort="nps", phone=True),
        Column("comment", gettext_lazy("Comment"), _comment, css="comment-cell", export="comment"),
        Column("mood", gettext_lazy("Mood"), mood_badge, export="sentiment_label"),
        Column(
            "submitted",
            gettext_lazy("Answered"),
            lambda r: cells.moment(r.submitted_at),
            sort="submitted_at",
            export="submitted_at",
        ),
        Column(
            "value",
            gettext_lazy("Lifetime value"),
            _value,
            css="num",
            roomy=True,
            scope="contacts:read",
            export="contact__pulse__clv",
        ),
        Column("case", gettext_lazy("Case"), _case, scope="cases:read", export="case__status"),
        Column("survey", gettext_lazy("Survey"), lambda r: r.survey.name, roomy=True, export="survey__name"),
        Column(
            "touchpoint",
            gettext_lazy("Touchpoint"),
            lambda r: cells.text(r.touchpoint),
            default=False,
            export="touchpoint",
        ),
        Column(
            "owner", gettext_lazy("Owner"), lambda r: cells.person(r.owner), default=False, export=person()
        ),
        Column(
            "company",
            gettext_lazy("Company"),
            lambda r: cells.text(name_of(r, "company")),
            default=False,
            export=shown("company", "company__name"),
        ),
    )
    empty = Empty(
        "inbox",
        gettext_lazy("No answers yet"),
        gettext_lazy("What customers answer to your surveys arrives here, detractors and their words first."),
        gettext_lazy("Surveys"),
        "feedback:surveys",
        "surveys:read",
    )

    def rows(self) -> QuerySet[Any]:
        return _visible(self.request)

    def prepare(self, rows: list[Any]) -> None:
        mark_hidden(rows, self.request.user, "company")

    def parts_context(self) -> dict[str, Any]:
        """The filter panel, with surveys and people by name and days to pick."""
        context = super().parts_context()
        for bound in context["fields"]:
            bound.label = self.filter_label(bound.name)
            if bound.name in {"survey", "owner"}:
                bound.field.widget = forms.Select(choices=self.named(bound.name))
            elif bound.name.startswith("submitted_at"):
                bound.field.widget = forms.DateInput({"type": "date"})
            elif bound.name == "has_comment":
                both = [("", _("All")), ("true", _("Yes")), ("false", _("No"))]
                bound.field.widget = forms.Select(choices=both)
        return context

    def named(self, name: str) -> list[tuple[str, str]]:
        if name == "survey":
            rows = Survey.objects.order_by("name", "pk").values_list("pk", "name")[:LISTED]
            return [("", _("All")), *((str(pk), label) for pk, label in rows)]
        users = User.objects.filter(is_active=True).order_by("first_name", "last_name", "pk")[:LISTED]
        fixed = [("", _("Anybody")), ("me", _("Me")), ("none", _("Nobody"))]
        return [*fixed, *((str(user.pk), str(user)) for user in users)]

    def filter_label(self, name: str) -> str:
        labels = {"submitted_at__gte": _("Answered from"), "submitted_at__lt": _("Answered before")}
        return labels.get(name) or super().filter_label(name)

    def filter_value(self, name: str, value: str) -> str:
        known = value.isascii() and value.isdigit() and len(value) < 19
        if name == "owner" and not known:
            return {"me": _("me"), "none": _("nobody")}.get(value, value)
        if not known or name not in {"survey", "owner", "contact"}:
            return super().filter_value(name, value)
        rows: Any = {
            "survey": Survey.objects.all(),
            "owner": User.objects.all(),
            "contact": Contact.objects.visible_to(self.request.user),
        }[name]
        row = rows.filter(pk=int(value)).first()
        return str(row) if row is not None else value

    def frame(self) -> dict[str, Any]:
        asked = {name for name, _value in self.query.pairs("columns", "view")}
        quick = []
        for text, label, icon in QUICK:
            name, _sep, value = text.partition("=")
            active = self.query.params.get(name) == value and asked == {name} if name else not asked
            url = f"?{text}" if text else "?view=all"
            quick.append({"url": url, "label": label, "icon": icon, "active": active})
        return super().frame() | {"quick": quick}


class AnswerPage(ScopedView, View):
    """One answer sheet beside its customer. Started sheets are nobody's answer yet: 404."""

    scope = "responses:read"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.show(request, _answer(request, pk))

    def show(
        self, request: HttpRequest, row: Response, reply: forms.Form | None = None, status: int = 200
    ) -> HttpResponse:
        user: Any = request.user
        contact = row.contact
        may_mail = contact is not None and user.may("interactions:write")
        pulse = getattr(contact, "pulse", None)
        context: dict[str, Any] = {
            "answer": row,
            "contact": contact,
            "badges": answer_badges(row),
            "group": group_of(row.nps) if row.nps is not None else "",
            "tone": GROUPS[group_of(row.nps)][0] if row.nps is not None else "grey",
            "sheet": _filled(row),
            "mood": mood_label(row.sentiment_label),
            "mood_badge": mood_badge(row),
            "mood_form": MoodForm(initial={"label": row.sentiment_label}),
            "may_correct": user.may("responses:write"),
            "pulse": pulse if user.may("contacts:read") else None,
            "case": getattr(row, "case", None) if user.may("cases:read") else None,
            "case_url": self.case_url(row) if user.may("cases:write") else "",
            "reply": (reply or _reply_form(row)) if may_mail else None,
            "mails": self.mails(row) if contact is not None else [],
            "deals": self.deals(contact.pk) if contact is not None else "",
        }
        return render_page(request, "feedback/answers/page.html", context, status=status)

    def case_url(self, row: Response) -> str:
        if row.contact_id is None or Case.objects.filter(response=row).exists():
            return ""
        return f"{reverse('feedback:case-new')}?contact={row.contact_id}&response={row.pk}"

    def mails(self, row: Response) -> list[Message]:
        """What was written back about this answer."""
        mine = Message.objects.filter(contact=row.contact, subject_type="response", subject_id=row.pk)
        return list(mine.order_by("-id")[:10])

    def deals(self, contact_id: int) -> str:
        """The panel of the customer's deals, where an app offers one: we know none of them."""
        found = [p for p in panels if p.slot == "contact" and p.scope == "deals:read"]
        user: Any = self.request.user
        if not found or not user.may("deals:read") or not user.may("contacts:read"):
            return ""
        return reverse(found[0].url_name, args=[contact_id])


class AnswerMood(ScopedView, View):
    """A person says how a comment sounds."""

    scope = "responses:write"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = _answer(request, pk)
        response_correct_sentiment(response=row, label=request.POST.get("label", ""), actor=self.actor)
        messages.success(request, _("The mood of this comment is now yours."))
        return redirect("feedback:response", pk)


class AnswerReply(AnswerPage):
    """Write back by e-mail; a second click sends nothing twice."""

    write_scope = "interactions:write"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = _answer(request, pk)
        form = ReplyForm(request.POST)
        if form.is_valid():
            try:
                response_reply(response=row, actor=self.actor, **form.cleaned_data)
            except DomainError as error:
                show_errors(form, error)
            else:
                messages.success(request, _("Your reply is on its way."))
                return redirect("feedback:response", pk)
        return self.show(request, row, form, 422)


def _answer(request: HttpRequest, pk: int) -> Response:
    found: Response = get_object_or_404(_visible(request), pk=pk)
    return found


def _visible(request: HttpRequest) -> QuerySet[Any]:
    rows: Any = responses_listed()
    seen: QuerySet[Any] = rows.visible_to(request.user)
    return seen


def _reply_form(row: Response) -> ReplyForm:
    about = _("Your answer to “%(survey)s”") % {"survey": row.survey.name}
    return ReplyForm(initial={"subject": about[:200], "once": secrets.token_urlsafe(12)})


def _filled(row: Response) -> list[dict[str, Any]]:
    """The questions of the survey with what was answered; answers to questions that are gone come last."""
    answers = dict(row.answers)
    sheet: list[dict[str, Any]] = []
    for question in row.survey.questions.all():
        value = answers.pop(question.key, None)
        sheet.append({"text": question.text, "type": question.type, "value": value, "many": _many(value)})
    sheet += [{"text": key, "type": "", "value": v, "many": _many(v)} for key, v in answers.items()]
    return sheet


def _many(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
