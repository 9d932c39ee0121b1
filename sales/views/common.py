"""What the views of deals share."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse

from contacts.custom.definitions import active
from crmcem.lib.errors import DomainError
from crmcem.lib.web.htmx import toast, trigger
from sales.models import Deal


def deal_for(request: HttpRequest, pk: int, *related: str) -> Deal:
    """The deal, if the person may see it. Raises Http404."""
    deals: Any = Deal.objects.visible_to(request.user).select_related("stage", *related)
    deal: Deal | None = deals.filter(pk=pk).first()
    if deal is None:
        raise Http404
    return deal


def add_errors(form: forms.Form, error: DomainError) -> None:
    """What a service found wrong, at the fields of the form that it is about."""
    for each in error.errors:
        name = each.field if each.field in form.fields else each.field.split(".")[0]
        hidden = active("deal").get(each.field.removeprefix("custom."))
        if name not in form.fields and hidden is not None:
            form.add_error(None, f"{hidden.label}: {each.detail}")
        else:
            form.add_error(name if name in form.fields else None, each.detail)


def changed(text: str = "", level: Any = "success") -> HttpResponse:
    """The answer to a change: close what is open, say so, and let board, deal page, list and panels reload."""
    response = HttpResponse(status=204)
    trigger(response, close_modal=True, deals=True, list=True, panels=True)
    return toast(response, text, level) if text else response
