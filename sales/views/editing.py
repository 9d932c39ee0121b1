"""Making, changing and deleting a deal; changing one fact in place; who is in the buying committee."""

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from contacts.custom.definitions import active
from contacts.models import Company, Contact
from contacts.views.lookup import LookupInput
from crmcem.lib.api.fields import parse_id
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import go, is_fragment
from crmcem.workspace.policies import user_of
from crmcem.workspace.trashing import say_with_undo
from sales.models import Deal, DealContact, Pipeline, Stage
from sales.selectors.page import members
from sales.services.deals import deal_create, deal_update
from sales.views.bulk import trash_deals
from sales.views.common import add_errors, changed, deal_for
from sales.views.forms import DealForm, MemberForm, initial_of

#: facts that are changed in place: what the form asks for
FACTS: dict[str, tuple[str, ...]] = {
    "name": ("name",),
    "amount": ("amount", "currency"),
    "expected_close": ("expected_close",),
    "probability": ("probability",),
    "owner": ("owner",),
    "company": ("company",),
    "competitors": ("competitors",),
}


class DealNew(ScopedView, View):
    """A new deal; ``?contact=``, ``?company=``, ``?pipeline=`` and ``?stage=`` say what it begins with."""

    scope = "deals:write"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(DealForm(user=user_of(request), new=True, initial=self._initial()))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = DealForm(request.POST, user=user_of(request), new=True)
        if form.is_valid():
            data = form.data_for_service()
            if data.get("owner", form) is None:
                del data["owner"]
            try:
                deal = deal_create(data=data, actor=self.actor)
            except DomainError as error:
                add_errors(form, error)
            else:
                return go(request, reverse("sales:deal", args=[deal.pk]))
        return self._show(form, 422)

    def _show(self, form: DealForm, status: int = 200) -> HttpResponse:
        context = {"form": form, "back_url": self._back()}
        return render(self.request, "sales/deal_form.html", context, status=status)

    def _back(self) -> str:
        for name, url_name in (("contact", "contacts:contact"), ("company", "contacts:company")):
            pk = parse_id(self.request.GET.get(name, ""))
            if pk:
                return reverse(url_name, args=[pk])
        return reverse("sales:board")

    def _initial(self) -> dict[str, Any]:
        """What the query string names, as far as it exists and the person may see it."""
        user = user_of(self.request)
        found: dict[str, Any] = {"owner": user.pk}
        contact = self._row(Contact.objects.visible_to(user).select_related("company"), "contact")
        if contact is not None:
            found |= {
                "contact": contact.pk,
                "company": contact.company_id,
                "name": str(contact.company or contact),
            }
        company = self._row(Company.objects.visible_to(user), "company")
        if company is not None:
            found |= {"company": company.pk, "name": company.name}
        stage = self._row(Stage.objects.all(), "stage")
        pipeline = self._row(Pipeline.objects.all(), "pipeline")
        if stage is None:
            stages = Stage.objects.order_by("-pipeline__is_default", "pipeline__position", "position", "id")
            stage = (stages.filter(pipeline=pipeline) if pipeline else stages).first()
        return found | ({"stage": stage.pk} if stage else {})

    def _row(self, rows: Any, name: str) -> Any:
        pk = parse_id(self.request.GET.get(name, ""))
        return rows.filter(pk=pk).first() if pk else None


class DealChange(ScopedView, View):
    """What edits an existing deal: a form over some of its fields, and a newer version told from an older."""

    scope = "deals:write"
    only: tuple[str, ...] = ()

    def form(self, deal: Deal, data: Any = None) -> DealForm:
        return DealForm(data, user=user_of(self.request), only=self.only, deal=deal, initial=initial_of(deal))

    def saved(self, deal: Deal, form: DealForm) -> bool:
        """Whether the form's data is now the deal's; its errors say why not. What was typed is kept."""
        if not form.is_valid():
            return False
        version = form.cleaned_data.get("version")
        try:
            deal_update(deal=deal, data=form.data_for_service(), actor=self.actor, expected_version=version)
        except StaleWrite:
            fresh = deal_for(self.request, deal.pk)
            typed: Any = form.data.copy()  # type: ignore[attr-defined]
            typed["version"] = str(fresh.version)
            form.data = typed
            form.add_error(None, _stale(form, fresh, self.form(fresh).initial))
            return False
        except DomainError as error:
            add_errors(form, error)
            return False
        return True


def _stale(form: DealForm, fresh: Deal, now: Mapping[str, Any]) -> str:
    """What somebody else has changed meanwhile, of the fields that the form shows; ``now`` is what it would begin with.

    Where a link leads is not said: its id tells nobody anything.
    """
    differ = []
    for name, field in form.fields.items():
        if field.widget.is_hidden or (isinstance(field.widget, LookupInput) and name.startswith("custom.")):
            continue
        if str(now.get(name) or "") == str(form.cleaned_data.get(name) or ""):
            continue
        value = {"owner": fresh.owner, "company": fresh.company, "stage": fresh.stage}.get(
            name, now.get(name)
        )
        differ.append(f"{field.label}: {value if value not in (None, '') else '–'}")
    text = _(
        "Somebody else changed this deal meanwhile. What you typed is kept; saving again overwrites theirs."
    )
    return f"{text} " + _("It now says %(what)s.") % {"what": "; ".join(differ)} if differ else text


class DealEdit(DealChange):
    only = (
        *("name", "amount", "currency", "expected_close", "probability", "owner", "company", "competitors"),
        "custom",
    )

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = deal_for(request, pk)
        return self._show(deal, self.form(deal))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = deal_for(request, pk)
        form = self.form(deal, request.POST)
        if self.saved(deal, form):
            return go(request, reverse("sales:deal", args=[pk]))
        return self._show(deal, form, 422)

    def _show(self, deal: Deal, form: DealForm, status: int = 200) -> HttpResponse:
        context = {"form": form, "deal": deal, "back_url": reverse("sales:deal", args=[deal.pk])}
        return render(self.request, "sales/deal_form.html", context, status=status)


class DealFact(DealChange):
    """One fact of a deal, changed in place."""

    def get(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        deal = self._about(pk, name)
        return self._show(deal, name, self.form(deal))

    def post(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        deal = self._about(pk, name)
        form = self.form(deal, request.POST)
        if not self.saved(deal, form):
            return self._show(deal, name, form, 422)
        if is_fragment(request):
            return changed()
        return go(request, reverse("sales:deal", args=[pk]))

    def _about(self, pk: int, name: str) -> Deal:
        key = name.removeprefix("custom-")
        custom = active("deal").get(key) if key != name else None
        if name not in FACTS and (custom is None or custom.computed):
            raise Http404
        deal = deal_for(self.request, pk)
        self.only = FACTS[name] if custom is None else (custom.name,)
        if name == "owner" and not user_of(self.request).may("deals:assign"):
            raise Http404
        return deal

    def _show(self, deal: Deal, name: str, form: DealForm, status: int = 200) -> HttpResponse:
        part = "side" if name.startswith("custom-") else "head"
        context = {"form": form, "deal": deal, "name": name, "part": part}
        return render(self.request, "sales/fact_form.html", context, status=status)


class DealDelete(ScopedView, View):
    """Delete the deal, after saying what goes with it; it can be undone for half an hour."""

    scope = "deals:delete"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = deal_for(request, pk)
        context = {
            "deal": deal,
            "entries": deal.stage_changes.count(),
            "people": deal.deal_contacts.count(),
        }
        return render(request, "sales/deal_delete.html", context)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = deal_for(request, pk)
        path = reverse("sales:deal", args=[pk])
        _count, kept = trash_deals(Deal.objects.filter(pk=pk), self.actor, path=path, title=str(deal))
        say_with_undo(request, _("“%(name)s” is deleted.") % {"name": deal}, kept)
        return go(request, reverse("sales:deals"))


class Members(ScopedView, View):
    """Add a person to the buying committee, change a role, take a person out."""

    scope = "deals:write"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = deal_for(request, pk)
        return self._show(deal, MemberForm(user=user_of(request)))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = deal_for(request, pk)
        user = user_of(request)
        current = [{"contact": m.contact_id, "role": m.role} for m in deal.deal_contacts.all()]
        if "remove" in request.POST or "role_of" in request.POST:
            return self._change(deal, current)
        form = MemberForm(request.POST, user=user)
        if form.is_valid():
            contact, role = form.cleaned_data["contact"], form.cleaned_data["role"]
            rest = [member for member in current if member["contact"] != contact.pk]
            try:
                deal_update(
                    deal=deal,
                    data={"contacts": [*rest, {"contact": contact.pk, "role": role}]},
                    actor=self.actor,
                )
            except DomainError as error:
                for each in error.errors:
                    form.add_error(None, each.detail)
            else:
                return changed(_("%(name)s is part of this deal") % {"name": contact})
        return self._show(deal, form, 422)

    def _change(self, deal: Deal, current: list[dict[str, Any]]) -> HttpResponse:
        """A new role, or out: only for somebody whom the person may see."""
        pk = parse_id(self.request.POST.get("remove") or self.request.POST.get("role_of") or "")
        seen, _hidden = members(deal, self.request.user)
        if pk not in {member.contact_id for member in seen}:
            raise Http404
        if "remove" in self.request.POST:
            wanted = [member for member in current if member["contact"] != pk]
        else:
            role = self.request.POST.get("role", "")
            wanted = [member | ({"role": role} if member["contact"] == pk else {}) for member in current]
        deal_update(deal=deal, data={"contacts": wanted}, actor=self.actor)
        return changed(_("Saved"))

    def _show(self, deal: Deal, form: MemberForm, status: int = 200) -> HttpResponse:
        people, hidden = members(deal, self.request.user)
        context = {
            "deal": deal,
            "form": form,
            "people": people,
            "hidden": hidden,
            "roles": DealContact.Role.choices,
        }
        return render(self.request, "sales/members.html", context, status=status)
