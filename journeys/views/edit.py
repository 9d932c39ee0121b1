"""The form of an automation: new and changed. Every button is a submit, so it works without JavaScript."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import go, render_page
from journeys.editor.buttons import act
from journeys.editor.draft import Draft, Written, add_faults, from_post, to_definition
from journeys.editor.form import Form, blank, of, shown_words
from journeys.models import Automation
from journeys.policies import WRITE
from journeys.services.automations import automation_create, automation_update, read_definition


class Edit(ScopedView, View):
    scope = write_scope = WRITE

    def get(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        automation = self.automation(pk)
        draft = of(automation) if automation is not None else blank()
        if automation is not None:
            draft.values["version"] = str(automation.version)
        return self.show(request, draft, automation)

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        automation = self.automation(pk)
        draft = from_post(request.POST.dict())
        do = draft.values.pop("do", "save")
        if do != "save":
            focus = act(draft, do)
            return self.show(request, draft, automation, focus=focus)
        written = to_definition(draft, request.user)
        if draft.errors:
            self.judge(draft, written)
        else:
            try:
                automation = self.save(draft, written, automation)
            except DomainError as error:
                add_faults(draft, written, error)
            except StaleWrite:
                text = _("Somebody else changed it meanwhile. Save again to put your version over theirs.")
                draft.fault("", text)
                draft.values["version"] = str(automation.version) if automation else ""
            else:
                return go(request, reverse("journeys:automation", args=[automation.pk]))
        return self.show(request, draft, automation, status=422)

    def judge(self, draft: Draft, written: Written) -> None:
        """What else is wrong, so that everything is told at once."""
        try:
            read_definition(written.data, self.actor)
        except DomainError as error:
            add_faults(draft, written, error)

    def automation(self, pk: int | None) -> Automation | None:
        if pk is None:
            return None
        return get_object_or_404(Automation.objects.select_related("current_version"), pk=pk)

    def save(self, draft: Draft, written: Written, automation: Automation | None) -> Automation:
        values: dict[str, Any] = {
            "name": draft.get("name"),
            "description": draft.get("description"),
            "definition": written.data,
        }
        if automation is None:
            made = automation_create(actor=self.actor, **values)
            messages.success(self.request, _("Saved as a draft. Try it on a customer, then activate it."))
            return made
        before = automation.current_version_id
        version = draft.get("version")
        row = automation_update(
            automation=automation,
            values=values,
            actor=self.actor,
            expected_version=int(version) if version.isascii() and version[:9].isdigit() else None,
        )
        if row.current_version_id != before:
            messages.success(self.request, _("Saved as a new version: new runs follow it."))
        else:
            messages.success(self.request, _("Saved."))
        return row

    def show(
        self,
        request: HttpRequest,
        draft: Draft,
        automation: Automation | None,
        focus: str = "",
        status: int = 200,
    ) -> HttpResponse:
        errors = draft.errors
        if not errors:
            # What is shown in words is read from the same texts; its faults are told when it is saved.
            written = to_definition(draft, request.user)
            draft.errors = {}
        else:
            written = to_definition(Draft(dict(draft.values)), request.user)
        context = Form(draft, request.user, focus).context() | {
            "automation": automation,
            "words": shown_words(written, request.user),
        }
        return render_page(request, "journeys/edit.html", context, "journeys/edit_form.html", status=status)
