"""Two records side by side, what a merge of them moves, and the page of a merge with its way back."""

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from contacts.models import Company, Contact, DuplicatePair, MergeRecord
from contacts.selectors.merging import moving
from contacts.services.merge import company_merge, contact_merge, merge_undo
from contacts.services.merge_choices import BOTH, LOSER, WINNER, Choice, choices
from contacts.views.common import number, seen
from contacts.views.lookup import LookupInput
from contacts.views.words import Names, target_of, value_of
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.web.access import ScopedView

WHY = {
    "changed": gettext_lazy("was changed since, stays as it is"),
    "gone": gettext_lazy("was deleted since"),
    "taken": gettext_lazy("can’t come back: what it needs is gone or taken"),
}


class Merge(ScopedView, View):
    """Choose another record, see both side by side, merge. ``?with=`` names the other one; it becomes part of this."""

    scope = write_scope = "contacts:write"
    model: ClassVar[Any] = Contact
    page, merge_page, lookup = "contacts:contact", "contacts:contact-merge", "contacts:contact-lookup"
    pick_label: ClassVar[Any] = gettext_lazy("Contact that is the same")

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        winner = self.record(request, pk)
        other = number(request.GET.get("with"))
        if other is None:
            return self.pick(request, winner)
        if other == pk:
            return self.pick(
                request, winner, _("Choose another record: this one can't be merged with itself.")
            )
        return self.compare(request, winner, self.record(request, other), {})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        winner = self.record(request, pk)
        other = number(request.POST.get("with"))
        if other is None or other == pk:
            return self.pick(request, winner, _("Choose the record that is the same."), 422)
        loser = self.record(request, other)
        picks = {
            name.removeprefix("field."): value
            for name, value in request.POST.items()
            if name.startswith("field.")
        }
        version = number(request.POST.get("version"))
        try:
            merge, _kept = self.merge(winner, loser, picks, version)
        except DomainError as error:
            return self.compare(request, winner, loser, picks, [e.detail for e in error.errors])
        except StaleWrite:
            changed = _("One of the records was changed meanwhile. Look at the values again, then merge.")
            return self.compare(request, winner, loser, picks, [changed])
        messages.success(request, _("Merged. Everything followed; the merge can be undone here."))
        return redirect("contacts:merge", pk=merge.pk)

    def merge(self, winner: Any, loser: Any, picks: dict[str, Any], version: int | None) -> Any:
        return contact_merge(
            winner=winner, loser=loser, fields=picks, actor=self.actor, expected_version=version
        )

    def record(self, request: HttpRequest, pk: int) -> Any:
        return seen(self.model.objects.defer("search_text"), request, pk)

    # --- choosing the other one --------------------------------------------------------------------
    def pick(self, request: HttpRequest, winner: Any, error: str = "", status: int = 200) -> HttpResponse:
        form = forms.Form()
        form.fields["with"] = forms.IntegerField(label=self.pick_label, widget=LookupInput(self.lookup))
        pairs = DuplicatePair.objects.visible_to(request.user).filter(
            entity=self.entity, state=DuplicatePair.State.OPEN
        )
        ids = [
            p.right_id if p.left_id == winner.pk else p.left_id
            for side in ("left_id", "right_id")
            for p in pairs.filter(**{side: winner.pk}).order_by("-score", "id")[:5]
        ]
        rows: Any = self.model.objects.visible_to(request.user).filter(pk__in=ids)
        context = {
            "record": winner,
            "form": form,
            "error": error,
            "alike": [(row, f"{request.path}?with={row.pk}") for row in rows],
        }
        return render(request, "contacts/merge_pick.html", context | self.places(winner), status=status)

    @property
    def entity(self) -> str:
        return "company" if self.model is Company else "contact"

    def places(self, winner: Any) -> dict[str, Any]:
        return {"back_url": reverse(self.page, args=[winner.pk])}

    # --- side by side ------------------------------------------------------------------------------
    def compare(
        self, request: HttpRequest, winner: Any, loser: Any, picks: dict[str, Any], errors: Any = ()
    ) -> HttpResponse:
        user: Any = request.user
        found = [c for c in choices(winner, loser) if c.differs]
        names = Names(self.model, [{c.name: [c.winner, c.loser]} for c in found], user)
        pair = DuplicatePair.objects.visible_to(user).filter(
            entity=self.entity,
            left_id=min(winner.pk, loser.pk),
            right_id=max(winner.pk, loser.pk),
            state=DuplicatePair.State.OPEN,
        )
        context = {
            "record": winner,
            "loser": loser,
            "loser_url": reverse(self.page, args=[loser.pk]),
            "swap_url": f"{reverse(self.merge_page, args=[loser.pk])}?with={winner.pk}",
            "rows": [self.row(c, names, picks) for c in found],
            "moved": sorted(moving(loser, user).items()),
            "pair": pair.first(),
            "errors": errors,
        }
        status = 422 if errors else 200
        return render(request, "contacts/merge.html", context | self.places(winner), status=status)

    def row(self, choice: Choice, names: Names, picks: dict[str, Any]) -> dict[str, Any]:
        field, target = self.model._meta.get_field(choice.name), target_of(self.model, choice.name)
        pick = picks.get(choice.name, choice.pick)

        def option(value: str) -> dict[str, Any]:
            stored = None if value == BOTH else getattr(choice, value)
            text = _("Both together") if value == BOTH else value_of(field, target, stored, names)
            return {"value": value, "checked": pick == value, "text": text}

        theirs = [option(value) for value in (LOSER, BOTH) if value in choice.options]
        return {
            "name": f"field.{choice.name}",
            "label": capfirst(choice.label),
            "cells": [[option(WINNER)], theirs],
        }


class CompanyMerge(Merge):
    model = Company
    page, merge_page, lookup = "contacts:company", "contacts:company-merge", "contacts:company-lookup"
    pick_label = gettext_lazy("Company that is the same")

    def merge(self, winner: Any, loser: Any, picks: dict[str, Any], version: int | None) -> Any:
        return company_merge(
            winner=winner, loser=loser, fields=picks, actor=self.actor, expected_version=version
        )


class MergePage(ScopedView, View):
    """What was merged into what, what moved, and the button that parts them again."""

    scope = "contacts:read"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        merge = seen(MergeRecord.objects.all(), request, pk)
        user: Any = request.user
        name = "contacts:company" if merge.entity == "company" else "contacts:contact"
        context = {
            "merge": merge,
            "winner_url": reverse(name, args=[merge.winner_id]),
            "loser_url": reverse(name, args=[merge.loser_id]) if merge.undone_at else "",
            "moved": sorted(merge.moved.items()),
            "kept": [{**each, "words": WHY[each["why"]]} for each in merge.kept],
            "can_undo": merge.undone_at is None and user.may("contacts:write"),
        }
        return render(request, "contacts/merge_page.html", context)


class MergeUndo(ScopedView, View):
    """POST only."""

    scope = write_scope = "contacts:write"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        merge = seen(MergeRecord.objects.all(), request, pk)
        merge, _winner, loser = merge_undo(merge=merge, actor=self.actor)
        messages.success(request, _("Undone. “%(name)s” is back.") % {"name": loser})
        return redirect("contacts:merge", pk=merge.pk)
