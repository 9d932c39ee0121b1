"""The list of interactions; changing and deleting one."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import F, QuerySet
from django.db.models.functions import Round
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from contacts.filters import InteractionFilter
from contacts.models import Interaction
from contacts.services.interactions import interaction_update
from contacts.views import cells as own
from contacts.views.bulk import INTERACTION_ACTIONS, INTERACTIONS
from contacts.views.common import put_errors, seen
from contacts.views.listing import HouseList
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.exporting import first, full_name, person, shown
from crmcem.lib.keyset import Order
from crmcem.lib.visibility import mark_hidden
from crmcem.lib.web import cells
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.columns import Column
from crmcem.lib.web.htmx import close_modal, go, is_fragment, render_page, trigger
from crmcem.lib.web.lists import Empty
from crmcem.lib.web.moments import MomentField
from crmcem.workspace.trashing import say_with_undo, with_undo

KINDS = dict(Interaction.Kind.choices)
interaction_url = cells.url_maker("contacts:interaction")


def _subject(row: Interaction) -> SafeString:
    words = row.subject or " ".join(row.body.split())[:120] or KINDS.get(row.kind, row.kind)
    return cells.main_link(interaction_url(row.pk), words)


def _direction(row: Interaction) -> Any:
    labels = {"in": _("incoming"), "out": _("outgoing")}
    return cells.text(labels.get(row.direction, ""))


class InteractionList(HouseList):
    """What was said and done with customers, newest first."""

    entity, title, scope = "interaction", gettext_lazy("Interactions"), "interactions:read"
    count_label = gettext_lazy("interactions")
    filterset_class = InteractionFilter
    filter_fields = ("kind", "direction", "owner", "occurred_at__gte", "occurred_at__lt")
    filter_labels = {
        "occurred_at__gte": gettext_lazy("Happened since"),
        "occurred_at__lt": gettext_lazy("Happened before"),
    }
    search_hint = gettext_lazy("Subject or text")
    orderings = (Order("occurred_at"), Order("id"))
    default_order = Order("occurred_at", descending=True)
    bulk_actions = INTERACTION_ACTIONS
    empty = Empty(
        "message",
        gettext_lazy("No interactions yet"),
        gettext_lazy("Calls, meetings, notes and e-mails that you log on a contact are listed here."),
        gettext_lazy("Go to contacts"),
        "contacts:list",
        "contacts:read",
        gettext_lazy("Open a contact and write a note above the timeline."),
    )
    columns = (
        Column("subject", gettext_lazy("Subject"), _subject, phone=True, export=first("subject", "body")),
        Column(
            "kind",
            gettext_lazy("Kind"),
            lambda i: cells.badge(KINDS.get(i.kind, i.kind), "grey", own.ICONS.get(i.kind, "message")),
            phone=True,
            export="kind",
        ),
        Column(
            "when",
            gettext_lazy("When"),
            lambda i: cells.moment(i.occurred_at),
            sort="occurred_at",
            export="occurred_at",
        ),
        Column(
            "contact",
            gettext_lazy("Contact"),
            lambda i: own.reference(i, "contact"),
            export=shown("contact", full_name("contact__")),
        ),
        Column(
            "company",
            gettext_lazy("Company"),
            lambda i: own.reference(i, "company"),
            export=shown("company", "company__name"),
        ),
        Column("direction", gettext_lazy("Direction"), _direction, roomy=True, export="direction"),
        Column("outcome", gettext_lazy("Outcome"), lambda i: cells.text(i.outcome), export="outcome"),
        Column(
            "minutes",
            gettext_lazy("Minutes"),
            lambda i: cells.number(None if i.duration_seconds is None else round(i.duration_seconds / 60)),
            css="num",
            roomy=True,
            export=lambda user: Round(F("duration_seconds") / 60.0),
        ),
        Column("owner", gettext_lazy("Owner"), lambda i: cells.person(i.owner), export=person()),
    )

    def rows(self) -> QuerySet[Any]:
        found = Interaction.objects.visible_to(self.request.user).select_related(
            "owner", "contact", "company"
        )
        return found.defer("contact__search_text", "contact__custom", "company__custom")

    def prepare(self, rows: list[Any]) -> None:
        mark_hidden(rows, self.request.user, "contact", "company")


class InteractionForm(forms.Form):
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=Interaction.Kind.choices)
    direction = forms.ChoiceField(
        label=gettext_lazy("Direction"), choices=Interaction.Direction.choices, required=False
    )
    subject = forms.CharField(label=gettext_lazy("About"), max_length=300, required=False)
    body = forms.CharField(
        label=gettext_lazy("Text"),
        max_length=100_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    occurred_at = MomentField(label=gettext_lazy("When"))
    minutes = forms.IntegerField(label=gettext_lazy("Minutes"), required=False, min_value=0, max_value=44_640)
    outcome = forms.CharField(label=gettext_lazy("Outcome"), max_length=120, required=False)

    def data_for_service(self) -> dict[str, Any]:
        data = {k: v for k, v in self.cleaned_data.items() if k != "version"}
        minutes = data.pop("minutes")
        if "minutes" in self.changed_data:
            data["duration_seconds"] = None if minutes is None else minutes * 60
        return data


def start_of(row: Interaction) -> dict[str, Any]:
    names = ("version", "kind", "direction", "subject", "body", "occurred_at", "outcome")
    seconds = row.duration_seconds
    return {n: getattr(row, n) for n in names} | {"minutes": None if seconds is None else round(seconds / 60)}


def refreshed(response: HttpResponse) -> HttpResponse:
    return trigger(response, list=True, timeline=True, panel_today_meetings=True)


class InteractionPage(ScopedView, View):
    """One interaction: for those who may write, a form."""

    scope, write_scope = "interactions:read", "interactions:write"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self.find(request, pk)
        return self.show(request, InteractionForm(auto_id="talk_%s", initial=start_of(row)), row)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self.find(request, pk)
        form = InteractionForm(request.POST, auto_id="talk_%s", initial=start_of(row))
        if not form.is_valid():
            return self.show(request, form, row)
        version = form.cleaned_data["version"]
        try:
            interaction_update(
                interaction=row, data=form.data_for_service(), actor=self.actor, expected_version=version
            )
        except DomainError as error:
            put_errors(form, error, duration_seconds="minutes")
            return self.show(request, form, row)
        except StaleWrite:
            row = self.find(request, pk)
            copy = request.POST.copy()
            copy["version"] = str(row.version)
            form = InteractionForm(copy, auto_id="talk_%s", initial=start_of(row))
            form.is_valid()
            return self.show(request, form, row, stale=True)
        if is_fragment(request):
            return refreshed(close_modal(_("Saved."), refresh=""))
        messages.success(request, _("Saved."))
        return go(request, reverse("contacts:interactions"))

    def find(self, request: HttpRequest, pk: int) -> Interaction:
        row: Interaction = seen(
            Interaction.objects.select_related("contact", "company", "owner"), request, pk
        )
        mark_hidden([row], request.user, "contact", "company")
        return row

    def show(
        self, request: HttpRequest, form: InteractionForm, row: Interaction, **more: Any
    ) -> HttpResponse:
        user: Any = request.user
        context = {
            "form": form,
            "row": row,
            "can_write": user.may("interactions:write"),
            "can_delete": user.may("interactions:delete"),
        }
        status = 422 if form.is_bound else 200
        page, part = "contacts/interaction_page.html", "contacts/interaction_form.html"
        return render_page(request, page, context | more, part, status=status)


class InteractionDelete(ScopedView, View):
    """POST only."""

    scope = write_scope = "interactions:delete"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = seen(Interaction.objects.all(), request, pk)
        _count, kept = INTERACTIONS.delete([row.pk], self.actor)
        words = _("The interaction is deleted.")
        if is_fragment(request):
            return with_undo(refreshed(close_modal(refresh="")), words, kept)
        say_with_undo(request, words, kept)
        return go(request, reverse("contacts:interactions"))
