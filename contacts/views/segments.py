"""The pages of segments: the list, one with its members, the form with its preview."""

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from contacts.builder import contact_builder
from contacts.filters import SegmentFilter
from contacts.models import Segment
from contacts.selectors import segments as selectors
from contacts.selectors.segment_uses import uses_of
from contacts.services import segments as services
from contacts.views.bulk import leave_segment
from contacts.views.common import form_key, number, once, seen
from contacts.views.listing import HouseList
from contacts.views.lists import ContactList
from crmcem.lib.errors import DomainError, FieldError, NotAllowed, StaleWrite
from crmcem.lib.keyset import Order
from crmcem.lib.visibility import mark_hidden
from crmcem.lib.web import cells
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.columns import Column
from crmcem.lib.web.htmx import go, render_page, trigger
from crmcem.lib.web.lists import Empty

#: so many things that use a segment are named
USES = 20
READ, WRITE = "contacts:read", "contacts:write"
segment_url = cells.url_maker("contacts:segment")
KINDS = [
    ("live", gettext_lazy("Live"), gettext_lazy("Who fits comes in by itself, who no longer fits goes out.")),
    (
        "static",
        gettext_lazy("Static"),
        gettext_lazy("Filled once by the conditions, if there are any; afterwards kept by hand."),
    ),
]


def kind_badge(segment: Segment) -> Any:
    if segment.problem:
        return cells.badge(_("Can’t be used"), "red", "alert-triangle")
    if segment.filled_at is None:
        return cells.badge(_("Being filled"), "yellow", "hourglass")
    if segment.is_live:
        return cells.badge(segment.get_kind_display(), "green", "refresh")
    return cells.badge(segment.get_kind_display(), "grey", "pin")


def size_text(segment: Any) -> str:
    """ "1,234", or "10,000+" where it was counted no further."""
    text = cells.grouped(segment.shown_size)
    return text if segment.size_is_exact or segment.filled_at is None else f"{text}+"


class SegmentList(HouseList):
    """Groups of contacts, each with how many of them the person sees."""

    entity, title, scope = "segment", gettext_lazy("Segments"), READ
    count_label = gettext_lazy("segments")
    filterset_class = SegmentFilter
    filter_fields = ("kind", "sharing", "owner")
    search_hint = gettext_lazy("Name of the segment")
    orderings = (Order("name"), Order("created_at"), Order("updated_at"))
    default_order = Order("name")
    create_url_name, create_label, create_scope = "contacts:segment-new", gettext_lazy("New segment"), WRITE
    empty = Empty(
        "chart-pie",
        gettext_lazy("No segments yet"),
        gettext_lazy(
            "A segment is a group of contacts that keeps itself: who fits comes in, who no longer fits goes out."
        ),
        gettext_lazy("New segment"),
        "contacts:segment-new",
        WRITE,
        gettext_lazy("For example: customers with two orders in 90 days who were not seen for 12 days."),
    )
    columns = (
        Column(
            "name",
            gettext_lazy("Name"),
            lambda s: cells.main_link(segment_url(s.pk), s),
            sort="name",
            phone=True,
        ),
        Column("kind", gettext_lazy("Kind"), kind_badge, phone=True),
        Column("size", gettext_lazy("Members"), size_text, css="num", phone=True),
        Column("sharing", gettext_lazy("Visible to"), lambda s: s.get_sharing_display()),
        Column("owner", gettext_lazy("Owner"), lambda s: cells.person(s.owner)),
        Column("updated", gettext_lazy("Changed"), lambda s: cells.moment(s.updated_at), sort="updated_at"),
        Column(
            "created",
            gettext_lazy("Created"),
            lambda s: cells.moment(s.created_at),
            sort="created_at",
            default=False,
        ),
    )

    def rows(self) -> QuerySet[Any]:
        return Segment.objects.visible_to(self.request.user).select_related("owner").defer("conditions")

    def prepare(self, rows: list[Any]) -> None:
        selectors.give_sizes(rows, self.request.user)


class SegmentPage(ContactList):
    """One segment: what it is, how many are in it, and its members as a list like any other."""

    entity = "member"
    template_name: ClassVar[str] = "contacts/segment.html"
    create_url_name = ""
    default_order = Order("id", descending=True)
    filter_fields: ClassVar[Sequence[str]] = tuple(n for n in ContactList.filter_fields if n != "segment")
    empty = Empty(
        "users",
        gettext_lazy("Nobody is in it"),
        gettext_lazy("Nobody whom you may see fits this segment at the moment."),
    )

    @cached_property
    def segment(self) -> Any:
        segment = seen(Segment.objects.select_related("owner"), self.request, self.kwargs["pk"])
        selectors.give_sizes([segment], self.request.user)
        return segment

    @cached_property
    def allowed_actions(self) -> list[Any]:
        own = [leave_segment(self.segment)] if not self.segment.is_live and self.may_change else []
        return [*own, *super().allowed_actions]

    @cached_property
    def may_change(self) -> bool:
        return services.may_change(self.segment, self.actor)

    @property
    def saved(self) -> Sequence[Any]:
        return ()

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("_part") == "state":
            response = self.respond("contacts/segment_state.html", self.about())
            return response if self.about()["filling"] else trigger(response, list=True)
        if request.GET.get("_part") == "uses":
            return self.respond("contacts/segment_uses.html", self.uses())
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not (self.may(WRITE) or self.may_export):
            raise PermissionDenied
        assert self.segment is not None  # a hidden one is a missing one, whatever is posted
        return super().post(request, *args, **kwargs)

    def rows(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().rows().filter(selectors.membership(self.segment.pk))
        return rows

    def about(self) -> dict[str, Any]:
        segment = self.segment
        return {
            "segment": segment,
            "explanation": selectors.explained(segment, self.request.user),
            "size_text": size_text(segment),
            "filling": segment.filled_at is None and not segment.problem,
            "kind_badge": kind_badge(segment),
            "may_change": self.may_change,
        }

    def uses(self) -> dict[str, Any]:
        """What names it: the first of what the person may see, and how many more there are."""
        found = uses_of(self.segment.pk, self.request.user)
        shown = [each for each in found if not each.is_hidden][:USES]
        return {"uses": shown, "more": len(found) - len(shown)}

    def frame(self) -> dict[str, Any]:
        return super().frame() | self.about() | {"has_views": False}


class _Form(ScopedView, View):
    """The form: what was typed stays, faults of conditions are told where they are."""

    scope = write_scope = WRITE

    def show(
        self,
        request: HttpRequest,
        typed: dict[str, Any],
        segment: Any = None,
        errors: Sequence[FieldError] = (),
        stale: bool = False,
    ) -> HttpResponse:
        user: Any = request.user
        sharings = [
            each
            for each in Segment.Sharing.choices
            if user.team_id is not None or each[0] != Segment.Sharing.TEAM
        ]
        context = {
            "segment": segment,
            "typed": typed,
            "sharings": sharings,
            "kinds": KINDS,
            "builder": contact_builder(user, typed["conditions"], without=segment, shared=True),
            "faults": [e for e in errors if e.field.startswith("conditions")],
            "errors": {e.field: e.detail for e in errors if not e.field.startswith("conditions")},
            "fixed": segment is not None and not segment.is_live,
            "stale": stale,
            "form_key": "" if segment else request.POST.get("form_key") or form_key(),
            "back_url": segment_url(segment.pk) if segment else reverse("contacts:segments"),
        }
        return render_page(
            request, "contacts/segment_form.html", context, status=422 if errors or stale else 200
        )

    def read(self, request: HttpRequest, segment: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """What was typed, and the data for the service. Raises DomainError for what is no JSON."""
        typed = {
            name: request.POST.get(name, "") for name in ("name", "kind", "sharing", "conditions", "version")
        }
        data: dict[str, Any] = {"name": typed["name"], "sharing": typed["sharing"]}
        if segment is None:
            data["kind"] = typed["kind"]
        return typed, data

    def conditions(self, text: str, *, static: bool) -> Any:
        found = read_conditions(text)
        return None if static and found in (None, {"all": []}) else found


def read_conditions(text: str) -> Any:
    """The JSON of the form; nothing is nothing. Raises DomainError."""
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise DomainError.of(
            "conditions", "invalid", _("This is no JSON. Mend it or build it anew.")
        ) from None


class New(_Form):
    def get(self, request: HttpRequest) -> HttpResponse:
        given = request.GET.get("conditions", "")
        typed: dict[str, Any] = {
            "name": "",
            "kind": "live",
            "sharing": "private",
            "conditions": given or {"all": []},
        }
        return self.show(request, typed)

    def post(self, request: HttpRequest) -> HttpResponse:
        typed, data = self.read(request)

        def make() -> str:
            data["conditions"] = self.conditions(typed["conditions"], static=typed["kind"] == "static")
            return segment_url(services.segment_create(data=data, actor=self.actor).pk)

        try:
            url = once(request, make)
        except DomainError as error:
            return self.show(request, typed, errors=error.errors)
        messages.success(request, _("Created. It is filled in a moment."))
        return go(request, url)


class Edit(_Form):
    def segment(self, request: HttpRequest, pk: int) -> Any:
        segment: Any = seen(Segment.objects.all(), request, pk)
        selectors.mark_readable([segment], request.user)
        if not services.may_change(segment, self.actor) or not segment.is_readable:
            raise NotAllowed(services.SHARED, _("Only its owner and managers may change this segment."))
        return segment

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        segment = self.segment(request, pk)
        typed = {
            "name": segment.name,
            "kind": segment.kind,
            "sharing": segment.sharing,
            "conditions": segment.conditions or {"all": []},
            "version": segment.version,
        }
        return self.show(request, typed, segment)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        segment = self.segment(request, pk)
        typed, data = self.read(request, segment)
        try:
            if segment.is_live:
                data["conditions"] = self.conditions(typed["conditions"], static=False)
            services.segment_update(
                segment=segment, data=data, actor=self.actor, expected_version=number(typed["version"])
            )
        except DomainError as error:
            return self.show(request, typed, segment, errors=error.errors)
        except StaleWrite:
            return self.show(request, typed | {"version": segment.version}, segment, stale=True)
        messages.success(request, _("Saved."))
        return go(request, segment_url(pk))


class Preview(ScopedView, View):
    """What is typed, in words, with how many fit now and ten of them. Saves nothing."""

    scope = READ

    def post(self, request: HttpRequest) -> HttpResponse:
        context: dict[str, Any] = {}
        try:
            data = read_conditions(request.POST.get("conditions", ""))
            found = selectors.preview({"all": []} if data is None else data, request.user)
        except DomainError as error:
            context["faults"] = error.errors
        else:
            mark_hidden(found.sample or [], request.user, "company")
            context = {
                "found": found,
                "size": cells.grouped(found.size) + ("" if found.exact else "+"),
            }
        return render_page(request, "contacts/segment_preview.html", context)


class _Deed(ScopedView, View):
    scope = WRITE

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        segment = seen(Segment.objects.all(), request, pk)
        return go(request, self.do(segment))

    def do(self, segment: Segment) -> str:
        raise NotImplementedError


class Delete(_Deed):
    def do(self, segment: Segment) -> str:
        services.segment_delete(segment=segment, actor=self.actor)
        messages.success(self.request, _("The segment is deleted. Its contacts stay."))
        return reverse("contacts:segments")


class Refill(_Deed):
    def do(self, segment: Segment) -> str:
        services.segment_refill(segment=segment, actor=self.actor)
        messages.success(self.request, _("The members are found anew in a moment."))
        return segment_url(segment.pk)
