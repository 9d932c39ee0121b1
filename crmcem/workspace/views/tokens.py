"""The person's own API tokens: list, make (the secret is shown once) and end."""

import datetime as dt
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from crmcem.lib.actors import person
from crmcem.lib.errors import DomainError
from crmcem.lib.web.htmx import render_page
from crmcem.workspace.models import ApiToken
from crmcem.workspace.scopes import ACTIONS, AREAS, covers
from crmcem.workspace.services.tokens import DEFAULT_DAYS, token_create, token_revoke

LIFETIMES = [
    ("30", gettext_lazy("30 days")),
    ("90", gettext_lazy("90 days")),
    (str(DEFAULT_DAYS), gettext_lazy("1 year")),
]


class TokenForm(forms.Form):
    """What a token may do is at most what the person's role covers."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=120, help_text=gettext_lazy("Where it is used: “Web shop”.")
    )
    days = forms.ChoiceField(label=gettext_lazy("Ends after"), choices=LIFETIMES, initial="90")
    scopes = forms.MultipleChoiceField(
        label=pgettext_lazy("rights", "May"), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        granted = user.access.scopes
        field: Any = self.fields["scopes"]
        field.choices = [
            (f"{area}:{action}", f"{label}: {verb}")
            for area, label in AREAS.items()
            for action, verb in ACTIONS.items()
            if covers(granted, f"{area}:{action}")
        ]


def _matrix(form: TokenForm, user: Any) -> list[dict[str, Any]]:
    """Areas down, actions across; an area without a right of the person's is left out."""
    chosen = set(form["scopes"].value() or ())
    granted = user.access.scopes
    rows = []
    for area, label in AREAS.items():
        scopes = [(f"{area}:{action}", verb) for action, verb in ACTIONS.items()]
        cells = [
            {"scope": s, "label": f"{label}: {verb}", "allowed": covers(granted, s), "checked": s in chosen}
            for s, verb in scopes
        ]
        if any(cell["allowed"] for cell in cells):
            rows.append({"label": label, "cells": cells})
    return rows


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """The list, and the form that makes one. The secret is in this one answer and nowhere else."""
    user: Any = request.user
    form = TokenForm(request.POST or None, user=user)
    secret = ""
    if request.method == "POST" and form.is_valid():
        ends = timezone.now() + dt.timedelta(days=int(form.cleaned_data["days"]))
        try:
            _token, secret = token_create(
                user=user,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                expires_at=ends,
                actor=person(user),
            )
        except DomainError as error:
            for each in error.errors:
                form.add_error(each.field if each.field in form.fields else None, each.detail)
        else:
            form = TokenForm(user=user)
    context = {
        "form": form,
        "matrix": _matrix(form, user),
        "actions": list(ACTIONS.values()),
        "secret": secret,
        "tokens": ApiToken.objects.filter(user=user).order_by(F("revoked_at").asc(nulls_first=True), "-id")[
            :100
        ],
        "now": timezone.now(),
    }
    response = render_page(request, "workspace/tokens.html", context, status=422 if form.errors else 200)
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(ApiToken, pk=pk, user=request.user)
    token_revoke(token=token, actor=person(request.user))
    messages.success(request, _("The token “%(name)s” no longer works.") % {"name": token.name})
    return redirect("workspace:tokens")
