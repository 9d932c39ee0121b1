"""The tags: every word that stands on contacts, with how often, and what those who manage them may do."""

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views import View

from contacts.models import Tag
from contacts.selectors import tags as selectors
from contacts.services import tags as services
from contacts.tag_filters import TagFilter
from contacts.views.common import put_errors
from contacts.views.listing import HouseList, ids_of
from contacts.views.tag_inputs import TagsInput
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import Order
from crmcem.lib.web import cells
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.bulk import BulkAction, BulkDone
from crmcem.lib.web.columns import Column
from crmcem.lib.web.htmx import go
from crmcem.lib.web.inline import Inline
from crmcem.lib.web.lists import Empty

READ, WRITE = "contacts:read", services.WRITE


class MergeForm(forms.Form):
    into = forms.CharField(
        label=gettext_lazy("Into the tag"),
        max_length=60,
        widget=TagsInput,
        help_text=gettext_lazy("The chosen tags become this one; their old names go on meaning it."),
    )

    def __init__(self, data: Any = None, *, user: Any) -> None:
        super().__init__(data)


class RenameForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("New name"),
        max_length=60,
        help_text=gettext_lazy("The old name goes on meaning this tag."),
    )

    def __init__(self, data: Any = None, *, user: Any) -> None:
        super().__init__(data)


class ColourForm(forms.Form):
    colour = forms.ChoiceField(label=gettext_lazy("Colour"), choices=Tag.Colour.choices)

    def __init__(self, data: Any = None, *, user: Any) -> None:
        super().__init__(data)


def _chosen(rows: Any) -> list[Tag]:
    return list(Tag.objects.filter(pk__in=ids_of(rows)).order_by("pk"))


def touched(rows: Any) -> str:
    """On how many contacts the chosen tags are, before they are renamed, merged or deleted."""
    counts = list(Tag.objects.filter(pk__in=ids_of(rows)).values_list("count", flat=True))
    number = {"n": cells.grouped(sum(counts)), "tags": len(counts)}
    if len(counts) == 1:
        return ngettext("It is on %(n)s contact.", "It is on %(n)s contacts.", counts[0]) % number
    return _("%(tags)s tags, on %(n)s contacts at most.") % number


def _rename(*, actor: Actor, rows: Any, data: dict[str, Any]) -> BulkDone:
    chosen = _chosen(rows)
    if len(chosen) != 1:
        raise DomainError.of("name", "one", _("Choose one tag to rename. Several become one by “Merge”."))
    services.tag_update(tag=chosen[0], data={"name": data["name"]}, actor=actor)
    return BulkDone(1)


def _merge(*, actor: Actor, rows: Any, data: dict[str, Any]) -> BulkDone:
    into = services.tag_named(data["into"])
    chosen = [tag for tag in _chosen(rows) if tag.pk != into.pk]
    for tag in chosen:
        services.tag_merge(tag=tag, into=into, actor=actor)
    return BulkDone(len(chosen))


def _colour(*, actor: Actor, rows: Any, data: dict[str, Any]) -> BulkDone:
    return BulkDone(services.tags_colour(ids=ids_of(rows), colour=data["colour"], actor=actor))


def _delete(*, actor: Actor, rows: Any, data: dict[str, Any]) -> BulkDone:
    chosen = _chosen(rows)
    for tag in chosen:
        services.tag_delete(tag=tag, actor=actor)
    return BulkDone(len(chosen))


def _save(name: str) -> Any:
    def save(*, row: Any, value: Any, version: int, actor: Any) -> None:
        services.tag_update(tag=row, data={name: value}, actor=actor, expected_version=version)

    return save


def contacts_link(tag: Any) -> SafeString:
    """How many contacts have it, leading to them."""
    count = cells.grouped(tag.shown_count) + ("" if tag.is_exact else "+")
    url = f"{reverse('contacts:list')}?{urlencode({'tag': tag.name})}"
    return cells.link(url, count)


class TagList(HouseList):
    """Every tag with its colour and its contacts."""

    entity, title, scope = "tag", gettext_lazy("Tags"), READ
    template_name: ClassVar[str] = "contacts/tag_list.html"
    count_label = gettext_lazy("tags")
    filterset_class = TagFilter
    filter_fields = ("colour", "is_kept")
    search_hint = gettext_lazy("Name of the tag")
    orderings = (Order("name"), Order("count"), Order("created_at"), Order("updated_at"))
    default_order = Order("name")
    create_url_name, create_label, create_scope = "contacts:tag-new", gettext_lazy("New tag"), WRITE
    empty = Empty(
        "tags",
        gettext_lazy("No tags yet"),
        gettext_lazy("A tag is a word on a contact. It is here as soon as somebody uses it."),
        gettext_lazy("New tag"),
        "contacts:tag-new",
        WRITE,
        gettext_lazy("For example: wholesale, press, speaks French."),
    )
    bulk_actions = (
        BulkAction(
            "rename",
            gettext_lazy("Rename"),
            "pencil",
            WRITE,
            _rename,
            gettext_lazy("Each gets the new name; it stands in the history of the contact."),
            RenameForm,
            tell=touched,
        ),
        BulkAction(
            "merge",
            gettext_lazy("Merge"),
            "arrows-join",
            WRITE,
            _merge,
            gettext_lazy("On every contact that has one of them; each stands in the history of its contact."),
            MergeForm,
            tell=touched,
        ),
        BulkAction(
            "colour",
            gettext_lazy("Colour"),
            "palette",
            WRITE,
            _colour,
            gettext_lazy("Wherever they are shown."),
            ColourForm,
        ),
        BulkAction(
            "delete",
            gettext_lazy("Delete"),
            "trash",
            WRITE,
            _delete,
            gettext_lazy("They are taken from every contact. Conditions that name them find nobody by them."),
            danger=True,
            tell=touched,
        ),
    )
    editors: ClassVar[Any] = {
        "name": Inline(
            lambda row: forms.CharField(max_length=60), lambda row: row.name, _save("name"), WRITE
        ),
        "colour": Inline(
            lambda row: forms.ChoiceField(choices=Tag.Colour.choices),
            lambda row: row.colour,
            _save("colour"),
            WRITE,
        ),
    }
    columns = (
        Column(
            "name", gettext_lazy("Name"), lambda t: cells.badge(t.name, t.colour), sort="name", phone=True
        ),
        Column(
            "count",
            gettext_lazy("Contacts"),
            contacts_link,
            sort="count",
            css="num",
            phone=True,
            plain=lambda t: t.shown_count,
        ),
        Column("colour", gettext_lazy("Colour"), lambda t: t.get_colour_display()),
        Column("kept", gettext_lazy("Kept"), lambda t: cells.yes_no(t.is_kept)),
        Column("updated", gettext_lazy("Changed"), lambda t: cells.moment(t.updated_at), sort="updated_at"),
        Column(
            "created",
            gettext_lazy("Created"),
            lambda t: cells.moment(t.created_at),
            sort="created_at",
            default=False,
        ),
    )

    def rows(self) -> QuerySet[Any]:
        return Tag.objects.visible_to(self.request.user)

    def all_orderings(self) -> Any:
        """The kept counts are those of all contacts: whoever sees only some must not sort by them."""
        user: Any = self.request.user
        everything = user.access.visibility == "all"
        return [order for order in self.orderings if everything or order.field != "count"]

    def prepare(self, rows: list[Any]) -> None:
        selectors.give_counts(rows, self.request.user)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("_part") == "jobs":
            return self.respond("contacts/tag_jobs.html", {"jobs": self.jobs()})
        return super().get(request, *args, **kwargs)

    def jobs(self) -> list[Any]:
        """What is on its way, for those who manage tags."""
        return selectors.running() if services.may_manage(self.actor) else []

    def frame(self) -> dict[str, Any]:
        return super().frame() | {"jobs": self.jobs()}


class TagForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    colour = forms.ChoiceField(label=gettext_lazy("Colour"), choices=Tag.Colour.choices, required=False)


class TagNew(ScopedView, View):
    scope = WRITE

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show(request, TagForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TagForm(request.POST)
        if not form.is_valid():
            return self.show(request, form)
        data = {name: value for name, value in form.cleaned_data.items() if value}
        try:
            tag = services.tag_create(data=data, actor=self.actor)
        except DomainError as error:
            put_errors(form, error)
            return self.show(request, form)
        messages.success(
            request, _("The tag “%(name)s” is proposed wherever tags are typed.") % {"name": tag}
        )
        return go(request, reverse("contacts:tags"))

    def show(self, request: HttpRequest, form: TagForm) -> HttpResponse:
        return render(request, "contacts/tag_form.html", {"form": form}, status=422 if form.is_bound else 200)
