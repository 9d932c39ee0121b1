"""One case: its page, and the dialogs that take it further."""

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from contacts.models import Contact
from contacts.services.interactions import interaction_log
from crmcem.lib.errors import Conflict, DomainError, StaleWrite
from crmcem.lib.panels import panels_for
from crmcem.lib.visibility import mark_hidden
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import go, render_page
from crmcem.workspace.policies import can
from crmcem.workspace.trashing import say_with_undo
from feedback.models import Case, Response
from feedback.policies import sla_state
from feedback.selectors.case_story import case_story
from feedback.selectors.cases import cases_listed
from feedback.services.case_changes import case_change
from feedback.services.cases import case_close, case_create, case_reopen, case_resolve

from .case_forms import AssignForm, EditForm, NewForm, NoteForm, ReopenForm, ResolveForm, show
from .case_list import CASE_DELETION
from .marks import SLA, mood_mark, priority_mark, score_mark, sla_mark, status_mark

#: the customer's panels that help to settle a case
PANELS = frozenset({"deals", "contact-tasks"})


class CaseView(ScopedView, View):
    """What every page of one case shares: the case itself, or 404."""

    scope, write_scope = "cases:read", "cases:write"

    def case(self) -> Case:
        found = cases_listed().visible_to(self.request.user)
        row: Case | None = (
            found.select_related("contact__company", "response__survey").filter(pk=self.kwargs["pk"]).first()
        )
        if row is None:
            raise Http404
        mark_hidden([row.contact], self.request.user, "company")
        mark_hidden([row], self.request.user, "contact")
        return row


class CasePage(CaseView):
    """The case with its customer, the answer that caused it, and what happened since."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return render_page(request, "feedback/cases/case.html", self.context(self.case()))

    def context(self, case: Case, note: NoteForm | None = None) -> dict[str, Any]:
        user: Any = self.request.user
        entries, older = case_story(case, user)
        contact = Contact.objects.visible_to(user).filter(pk=case.contact_id).exists()
        response = case.response
        if response is not None and not user.may("responses:read"):
            response = None
        may_note = contact and can(self.actor, "interactions:write")
        found = panels_for("contact", user.may, case.contact_id) if contact else []
        tone, icon, word = SLA[sla_state(case, timezone.now())]
        return {
            "case": case,
            "pulse": getattr(case.contact, "pulse", None) if contact else None,
            "contact_url": reverse("contacts:contact", args=[case.contact_id]) if contact else "",
            "response": response,
            "score": score_mark(response) if response else "",
            "mood": mood_mark(response) if response else "",
            "sla": sla_mark(case),
            "clock": {"tone": tone, "icon": icon, "word": word},
            "priority": priority_mark(case),
            "status": status_mark(case),
            "entries": entries,
            "older": older,
            "note": (note or NoteForm()) if may_note else None,
            "may_write": can(self.actor, "cases:write"),
            "may_assign": can(self.actor, "cases:assign"),
            "may_take": case.owner_id is None and can(self.actor, "cases:write"),
            "may_delete": can(self.actor, "cases:delete"),
            "panels": [panel for panel in found if panel["key"] in PANELS],
        }


class CaseNote(CasePage):
    """Something that was said or done, on the customer's timeline and here."""

    write_scope = "interactions:write"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        case = self.case()
        form = NoteForm(request.POST)
        if form.is_valid():
            data = form.cleaned_data | {"subject": case.subject[:200], "contact": case.contact_id}
            try:
                interaction_log(data=data, actor=self.actor)
                return go(request, reverse("feedback:case", args=[case.pk]))
            except DomainError as error:
                show(form, error)
        return render_page(request, "feedback/cases/case.html", self.context(case, form), status=422)


class CaseDialog(CaseView):
    """A form in the dialog (or on a page of its own) that takes the case one step further."""

    title: ClassVar[Any] = ""
    text: ClassVar[Any] = ""
    button: ClassVar[Any] = ""
    done: ClassVar[Any] = ""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        case = self.case()
        return self.page(case, self.form(case))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        case = self.case()
        form = self.form(case, request.POST)
        if not form.is_valid():
            return self.page(case, form, 422)
        try:
            self.run(case, form.cleaned_data)
        except DomainError as error:
            show(form, error)
        except Conflict as error:
            form.add_error(None, error.detail)
        except StaleWrite:
            form = self.stale(case, form)
        else:
            messages.success(request, self.done)
            return go(request, self.after(case))
        return self.page(case, form, 422)

    def form(self, case: Case, data: Any = None) -> forms.Form:
        raise NotImplementedError

    def run(self, case: Case, data: dict[str, Any]) -> None:
        raise NotImplementedError

    def after(self, case: Case) -> str:
        """Where to go then; a case that was given away may be out of sight."""
        visible = Case.objects.visible_to(self.request.user).filter(pk=case.pk).exists()
        return reverse("feedback:case", args=[case.pk]) if visible else reverse("feedback:cases")

    def stale(self, case: Case, form: forms.Form) -> forms.Form:
        form.add_error(None, _("Somebody else changed this case meanwhile. Look at it before you go on."))
        return form

    def page(self, case: Case, form: forms.Form, status: int = 200) -> HttpResponse:
        context = {
            "case": case,
            "form": form,
            "title": self.title,
            "text": self.text,
            "button": self.button,
            "causes": getattr(form, "causes", None),
        }
        page, fragment = "feedback/cases/dialog_page.html", "feedback/cases/dialog.html"
        return render_page(self.request, page, context, fragment, status=status)


class CaseResolve(CaseDialog):
    title, button = gettext_lazy("Resolve the case"), gettext_lazy("Resolve")
    done = gettext_lazy("The case is resolved.")

    def form(self, case: Case, data: Any = None) -> forms.Form:
        start = {"resolution": case.resolution, "root_cause": case.root_cause}
        return ResolveForm(data, initial=start, user=self.request.user)

    def run(self, case: Case, data: dict[str, Any]) -> None:
        case_resolve(case=case, actor=self.actor, **data)


class CaseReopen(CaseDialog):
    title, button = gettext_lazy("Open the case again"), gettext_lazy("Reopen")
    text = gettext_lazy("It is due anew by its priority, and its owner is told.")
    done = gettext_lazy("The case is open again.")

    def form(self, case: Case, data: Any = None) -> forms.Form:
        return ReopenForm(data)

    def run(self, case: Case, data: dict[str, Any]) -> None:
        case_reopen(case=case, actor=self.actor, **data)


class CaseAssign(CaseDialog):
    title, button = gettext_lazy("Give the case to somebody"), gettext_lazy("Give")
    text = gettext_lazy("The new owner is told.")
    done = gettext_lazy("The case has a new owner.")

    def form(self, case: Case, data: Any = None) -> forms.Form:
        return AssignForm(data, initial={"owner": case.owner_id})

    def run(self, case: Case, data: dict[str, Any]) -> None:
        case_change(case=case, changes={"owner": data["owner"]}, actor=self.actor)


class CaseEdit(CaseDialog):
    title, button = gettext_lazy("Change the case"), gettext_lazy("Save")
    done = gettext_lazy("The case is changed.")

    def form(self, case: Case, data: Any = None) -> forms.Form:
        names = ("subject", "body", "priority", "sla_due_at", "version")
        return EditForm(data, initial={name: getattr(case, name) for name in names})

    def run(self, case: Case, data: dict[str, Any]) -> None:
        version = data.pop("version")
        due = data["sla_due_at"]
        # The form shows minutes: a due time that was not touched must not lose its seconds.
        if (
            due is not None
            and case.sla_due_at is not None
            and due == case.sla_due_at.replace(second=0, microsecond=0)
        ):
            del data["sla_due_at"]
        case_change(case=case, changes=data, actor=self.actor, expected_version=version)


class CaseStep(CaseView):
    """A step without a form: waiting, open again, take, close, delete."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        case = self.case()
        if step == "delete":
            path = reverse("feedback:case", args=[case.pk])
            _count, kept = CASE_DELETION.delete([case.pk], self.actor, path=path)
            say_with_undo(request, _("The case is deleted."), kept)
            return go(request, reverse("feedback:cases"))
        if step == "close":
            case_close(case=case, actor=self.actor)
        elif step == "take":
            case_change(case=case, changes={"owner": request.user}, actor=self.actor)
        else:
            status = {"wait": Case.Status.PENDING, "resume": Case.Status.OPEN}[step]
            case_change(case=case, changes={"status": status}, actor=self.actor)
        return go(request, reverse("feedback:case", args=[case.pk]))


class CaseNew(ScopedView, View):
    """``?contact=`` or ``?response=`` come from a customer or an answer; else the customer is typed."""

    scope = write_scope = "cases:write"

    def get(self, request: HttpRequest) -> HttpResponse:
        contact, response = self.about(request.GET)
        start: dict[str, Any] = {"contact": contact and contact.pk, "response": response and response.pk}
        if response is not None:
            start |= {"body": response.comment, "subject": _about_answer(response)}
        elif contact is None and request.GET.get("contact"):
            raise Http404
        return self.page(self.form(initial=start), contact, response)

    def post(self, request: HttpRequest) -> HttpResponse:
        contact, response = self.about(request.POST)
        form = self.form(request.POST)
        if form.is_valid():
            data = form.cleaned_data
            try:
                case = case_create(
                    contact=data["who"],
                    subject=data["subject"],
                    body=data["body"],
                    priority=data["priority"],
                    owner=data.get("owner"),
                    response=response,
                    source=Case.Source.SURVEY if response else Case.Source.MANUAL,
                    actor=self.actor,
                )
            except DomainError as error:
                show(form, error)
            except Conflict as error:
                form.add_error(None, error.detail)
            else:
                messages.success(request, _("The case is open."))
                visible = Case.objects.visible_to(request.user).filter(pk=case.pk).exists()
                return go(
                    request,
                    reverse("feedback:case", args=[case.pk]) if visible else reverse("feedback:cases"),
                )
        return self.page(form, contact, response, 422)

    def form(self, data: Any = None, initial: dict[str, Any] | None = None) -> NewForm:
        may_assign = can(self.actor, "cases:assign")
        return NewForm(data, initial=initial, user=self.request.user, may_assign=may_assign)

    def about(self, given: Any) -> tuple[Contact | None, Response | None]:
        """The customer and answer that the request names, as far as the person may see them."""
        response = _row(Response.objects.visible_to(self.request.user), given.get("response"))
        if response is not None and response.contact is not None:
            return response.contact, response
        return _row(Contact.objects.visible_to(self.request.user), given.get("contact")), None

    def page(
        self, form: NewForm, contact: Contact | None, response: Response | None, status: int = 200
    ) -> HttpResponse:
        context: dict[str, Any] = {"form": form, "contact": contact, "response": response}
        context["candidates"] = form.candidates
        if response is not None:
            context |= {"score": score_mark(response), "mood": mood_mark(response)}
        return render_page(self.request, "feedback/cases/new.html", context, status=status)


def _row(rows: Any, text: Any) -> Any:
    number = str(text or "")
    fits = number.isascii() and number.isdigit() and len(number) < 19
    return rows.filter(pk=int(number)).first() if fits else None


def _about_answer(response: Response) -> str:
    words = " ".join(response.comment.split())[:120]
    if response.nps is None:
        return words
    start = _("Rated us %(nps)s of 10") % {"nps": response.nps}
    return _("%(start)s: “%(words)s”") % {"start": start, "words": words} if words else start
