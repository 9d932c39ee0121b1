"""The person's own page: who they are here, how the product looks to them."""

import zoneinfo
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from crmcem.lib.actors import acting, person
from crmcem.lib.web.htmx import render_page
from crmcem.workspace.models import User
from crmcem.workspace.policies import user_of

ZONES = sorted(zone for zone in zoneinfo.available_timezones() if "/" in zone or zone == "UTC")


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """Only what a person may change about themselves."""

    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        required=False,
        help_text=gettext_lazy("For every date and time you see."),
    )
    language = forms.ChoiceField(label=gettext_lazy("Language"), required=False)

    class Meta:
        model = User
        fields = [
            "first_name",
            "last_name",
            "time_zone",
            "language",
            "theme",
            "density",
            "email_notifications",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        same = _("As the organisation")
        zone: Any = self.fields["time_zone"]
        zone.choices = [("", same), *((name, name.replace("_", " ")) for name in ZONES)]
        language: Any = self.fields["language"]
        language.choices = [("", _("As the browser")), *settings.LANGUAGES]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    """Show and change the own settings."""
    user = User.objects.get(pk=user_of(request).pk)
    form = ProfileForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        with acting(person(user)):
            user.save(update_fields=list(form.Meta.fields))
        messages.success(request, _("Your settings are saved."))
        return redirect("workspace:profile")
    status = 422 if form.is_bound else 200
    return render_page(request, "workspace/profile.html", {"form": form, "person": user}, status=status)


@login_required
@require_POST
def appearance(request: HttpRequest) -> HttpResponse:
    """Theme or density, from the menu under the person's initials."""
    user: Any = request.user
    changed = {name: request.POST[name] for name in ("theme", "density") if name in request.POST}
    for name, value in changed.items():
        field: Any = User._meta.get_field(name)
        if value not in dict(field.flatchoices):
            return HttpResponseBadRequest(_("There is no such choice."))
        setattr(user, name, value)
    if changed:
        with acting(person(user)):
            user.save(update_fields=list(changed))
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204)
    return redirect(reverse("workspace:profile"))
