"""Naming, sharing, pinning and deleting the saved views of any list."""

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from crmcem.lib.actors import person
from crmcem.lib.errors import DomainError
from crmcem.lib.web import saved_views
from crmcem.lib.web.htmx import go, render_page

SHARING = [
    ("private", gettext_lazy("Only me")),
    ("team", gettext_lazy("My team")),
    ("all", gettext_lazy("Everybody")),
]


class ViewForm(forms.Form):
    """A view's name and who sees it; the list itself comes from the page that is open."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    sharing = forms.ChoiceField(label=gettext_lazy("Visible to"), choices=SHARING)
    is_pinned = forms.BooleanField(label=gettext_lazy("Pin to the front"), required=False)
    is_default = forms.BooleanField(label=gettext_lazy("Open this first"), required=False)
    opens_for = forms.ChoiceField(
        label=gettext_lazy("Opens first for"),
        required=False,
        help_text=gettext_lazy(
            "Of those who see it, and unless they have chosen another view for themselves."
        ),
    )
    entity = forms.CharField(widget=forms.HiddenInput, max_length=20)
    query = forms.CharField(widget=forms.HiddenInput, required=False, max_length=6000)
    path = forms.CharField(widget=forms.HiddenInput, max_length=200)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own: Any = self.fields["opens_for"]
        own.choices = [("", _("Nobody else")), ("all", _("Everybody who sees it")), *_provider().roles()]

    def clean_path(self) -> str:
        path: str = self.cleaned_data["path"]
        if not path.startswith("/") or path.startswith(("//", "/\\")):
            raise forms.ValidationError(_("Open the list again and save from there."))
        return path


class ChoiceForm(ViewForm):
    """What a person decides about a view that somebody else shares."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("name", "sharing", "opens_for"):
            del self.fields[name]


def _provider() -> saved_views.Provider:
    provider = saved_views.provider()
    if provider is None:
        raise Http404
    return provider


def _show(request: HttpRequest, form: ViewForm, view: saved_views.View | None) -> HttpResponse:
    context = {"form": form, "view": view}
    status = 422 if form.is_bound else 200
    return render_page(request, "workspace/saved_view.html", context, status=status)


def _done(request: HttpRequest, form: ViewForm, view: saved_views.View) -> HttpResponse:
    query = form.cleaned_data["query"] or view.query
    joined = f"?view={view.pk}{'&' if query else ''}{query}"
    return go(request, f"{form.cleaned_data['path']}{joined}")


def _fail(form: ViewForm, error: DomainError) -> None:
    for each in error.errors:
        form.add_error(each.field if each.field in form.fields else None, each.detail)


@login_required
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Save the open list under a name."""
    provider = _provider()
    if request.method == "GET":
        return _show(request, ViewForm(initial=_initial(request) | {"sharing": "private"}), None)
    form = ViewForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        actor = person(request.user)
        try:
            view = provider.save(
                actor=actor,
                entity=data["entity"],
                name=data["name"],
                query=data["query"],
                sharing=data["sharing"],
            )
            flags = {key: data[key] for key in ("is_pinned", "is_default", "opens_for") if data[key]}
            if flags:
                view = provider.change(actor=actor, pk=view.pk, changes=flags)
        except DomainError as error:
            _fail(form, error)
        else:
            return _done(request, form, view)
    return _show(request, form, None)


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Rename, share, pin or overwrite a view with the list that is open; of one of others, pin it or open it first."""
    provider = _provider()
    entity = (request.GET if request.method == "GET" else request.POST).get("entity", "")[:20]
    view = next((v for v in provider.views(request.user, entity) if v.pk == pk), None)
    if view is None:
        raise Http404
    form_of = ViewForm if view.mine else ChoiceForm
    if request.method == "GET":
        values = {f: getattr(view, f) for f in ("name", "sharing", "is_pinned", "is_default", "opens_for")}
        if not view.mine:
            values["is_default"] = view.opens
        return _show(request, form_of(initial=_initial(request) | values), view)
    form = form_of(request.POST)
    if form.is_valid():
        names = ("name", "sharing", "is_pinned", "is_default", "opens_for", "query")
        try:
            if view.mine:
                changes = {name: form.cleaned_data[name] for name in names}
                view = provider.change(actor=person(request.user), pk=pk, changes=changes)
            else:
                chosen = {name: form.cleaned_data[name] for name in ("is_pinned", "is_default")}
                provider.choose(actor=person(request.user), pk=pk, changes=chosen)
        except DomainError as error:
            _fail(form, error)
        else:
            return _done(request, form, view)
    return _show(request, form, view)


@login_required
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget the view; the records stay as they are."""
    path = request.POST.get("path", "/")
    _provider().delete(actor=person(request.user), pk=pk)
    own = path.startswith("/") and not path.startswith(("//", "/\\"))
    return go(request, f"{path}?view=all" if own else "/")


def _initial(request: HttpRequest) -> dict[str, Any]:
    return {name: request.GET.get(name, "") for name in ("entity", "query", "path")}
