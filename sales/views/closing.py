"""Moving a deal by a menu, winning, losing and taking it up again."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from crmcem.lib.api.fields import parse_id
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.web.access import ScopedView
from sales.models import Deal, Stage
from sales.services.deals import deal_close, deal_move, deal_reopen
from sales.views.common import add_errors, changed, deal_for
from sales.views.forms import LoseForm, WinForm

#: offered while one types; any other words will do as well
LOST_REASONS = (
    gettext_lazy("Price"),
    gettext_lazy("No budget"),
    gettext_lazy("Bought from a competitor"),
    gettext_lazy("Not the right time"),
    gettext_lazy("No answer any more"),
    gettext_lazy("Something was missing in our offer"),
)


class Move(ScopedView, View):
    """The stages as a list; to win or to lose is on it too."""

    scope = "deals:write"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = deal_for(request, pk)
        stages = deal.stage.pipeline.stages.order_by("position", "id")
        return render(request, "sales/move.html", {"deal": deal, "stages": stages})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = deal_for(request, pk)
        stage = Stage.objects.filter(pk=parse_id(request.POST.get("stage", "")) or 0).first()
        if stage is None:
            raise DomainError.of("stage", "does_not_exist", _("There is no such stage any more."))
        deal_move(deal=deal, stage=stage, actor=self.actor)
        return changed(_("“%(deal)s” moved to %(stage)s") % {"deal": deal.name, "stage": stage.name})


class Win(ScopedView, View):
    scope = "deals:write"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = deal_for(request, pk)
        form = WinForm(initial={"amount": deal.amount, "reason": deal.won_reason, "version": deal.version})
        return self._show(deal, form)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = deal_for(request, pk)
        form = WinForm(request.POST)
        if form.is_valid():
            data = form.cleaned_data
            final = {} if data["amount"] is None else {"amount": data["amount"]}
            try:
                deal_close(
                    deal=deal,
                    status=Deal.Status.WON,
                    reason=data["reason"],
                    final=final,
                    actor=self.actor,
                    expected_version=data["version"],
                )
            except StaleWrite:
                fresh = deal_for(request, pk)
                typed: Any = form.data.copy()  # type: ignore[attr-defined]
                typed["version"] = str(fresh.version)
                form.data = typed
                form.add_error(None, _stale(fresh))
            except DomainError as error:
                add_errors(form, error)
            else:
                return changed(_("“%(deal)s” is won") % {"deal": deal.name})
        return self._show(deal, form, 422)

    def _show(self, deal: Deal, form: WinForm, status: int = 200) -> HttpResponse:
        return render(self.request, "sales/win.html", {"deal": deal, "form": form}, status=status)


def _stale(deal: Deal) -> str:
    amount = f"{deal.amount} {deal.currency}" if deal.amount is not None else "–"
    return _(
        "Somebody else changed this deal meanwhile; it is now worth %(amount)s. What you typed is kept: look at it "
        "and save again."
    ) % {"amount": amount}


class Lose(ScopedView, View):
    scope = "deals:write"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._show(deal_for(request, pk), LoseForm())

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = deal_for(request, pk)
        form = LoseForm(request.POST)
        if form.is_valid():
            try:
                deal_close(
                    deal=deal, status=Deal.Status.LOST, reason=form.cleaned_data["reason"], actor=self.actor
                )
            except DomainError as error:
                add_errors(form, error)
            else:
                return changed(_("“%(deal)s” is marked as lost") % {"deal": deal.name})
        return self._show(deal, form, 422)

    def _show(self, deal: Deal, form: LoseForm, status: int = 200) -> HttpResponse:
        context: dict[str, Any] = {"deal": deal, "form": form, "reasons": LOST_REASONS}
        return render(self.request, "sales/lose.html", context, status=status)


class Reopen(ScopedView, View):
    scope = "deals:write"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = deal_reopen(deal=deal_for(request, pk), actor=self.actor)
        return changed(
            _("“%(deal)s” is open again, in %(stage)s") % {"deal": deal.name, "stage": deal.stage.name}
        )
