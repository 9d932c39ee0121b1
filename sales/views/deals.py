"""The list of deals."""

from typing import Any, ClassVar

from django import forms
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from contacts.views.custom_lists import CustomList
from crmcem.lib.exporting import first, person, shown, when
from crmcem.lib.keyset import Order
from crmcem.lib.visibility import mark_hidden
from crmcem.lib.web import cells
from crmcem.lib.web.columns import Column
from crmcem.lib.web.inline import Inline
from crmcem.lib.web.lists import Empty
from crmcem.workspace.models import User
from sales.builder import deal_builder
from sales.filters import DealFilter
from sales.models import Deal, Stage
from sales.selectors.deals import with_next_activity
from sales.services.deals import deal_update
from sales.views.bulk import DEAL_ACTIONS
from sales.views.cards import deal_url, is_rotting, next_mark, span
from sales.views.forms import CURRENCY_CHOICES

STATUS = {
    Deal.Status.OPEN: ("blue", "circle-dashed", _("Open")),
    Deal.Status.WON: ("green", "trophy", _("Won")),
    Deal.Status.LOST: ("red", "circle-x", _("Lost")),
}


OPEN = Q(status=Deal.Status.OPEN)
STAGE = when(OPEN, "stage__name", "status")
NEXT = when(OPEN, "next_activity_at")


def _chance_value(user: Any) -> Any:
    return Coalesce(F("probability"), F("stage__probability"))


def status_badge(deal: Deal) -> SafeString:
    tone, icon, word = STATUS[Deal.Status(deal.status)]
    return cells.badge(word, tone, icon)


def _stage(deal: Deal) -> SafeString:
    """The stage of an open deal, the end of a closed one."""
    return cells.text(deal.stage.name) if deal.status == Deal.Status.OPEN else status_badge(deal)


def _next(deal: Any) -> SafeString:
    return next_mark(deal.next_activity_at).html if deal.status == Deal.Status.OPEN else cells.NONE


def _age(deal: Deal) -> Any:
    now = timezone.now()
    if deal.status != Deal.Status.OPEN:
        return cells.NONE
    age = span(deal.stage_entered_at, now)
    return cells.badge(age, "orange", "hourglass-low") if is_rotting(deal, now) else age


def _chance(deal: Deal) -> SafeString:
    value = deal.stage.probability if deal.probability is None else deal.probability
    return cells.number(value)


def _stages(deal: Deal) -> forms.Field:
    rows = Stage.objects.filter(pipeline_id=deal.pipeline_id).order_by("position", "pk")
    return forms.TypedChoiceField(choices=[(stage.pk, stage.name) for stage in rows], coerce=int)


def _people(deal: Deal) -> forms.Field:
    return forms.ModelChoiceField(
        User.objects.filter(is_active=True), required=False, empty_label=gettext("Nobody")
    )


def _editor(key: str, field: Any, scope: str = "deals:write") -> Inline:
    """How a field of a deal is changed in the list."""

    def save(*, row: Deal, value: Any, version: int, actor: Any) -> None:
        deal_update(deal=row, data={key: value}, actor=actor, expected_version=version)

    name = {"stage": "stage_id", "owner": "owner_id"}.get(key, key)
    return Inline(field, lambda deal: getattr(deal, name), save, scope)


def _number(step: str) -> Any:
    widget = {"step": step, "inputmode": "decimal"}
    return lambda deal: forms.DecimalField(
        required=False, widget=forms.NumberInput(attrs=widget), localize=False
    )


def _competitors_save(*, row: Deal, value: str, version: int, actor: Any) -> None:
    names = [name for part in value.split(",") if (name := part.strip())]
    deal_update(deal=row, data={"competitors": names}, actor=actor, expected_version=version)


COMPETITORS = Inline(
    lambda deal: forms.CharField(
        required=False, max_length=2000, widget=forms.TextInput(attrs={"autocomplete": "off"})
    ),
    lambda deal: ", ".join(deal.competitors),
    _competitors_save,
    "deals:write",
)


class DealList(CustomList):
    entity, title, scope = "deal", _("Deals"), "deals:read"
    count_label = _("deals")
    template_name = "sales/deals.html"
    filterset_class = DealFilter
    filter_fields = (
        "pipeline",
        "stage",
        "status",
        "followed",
        "owner",
        "next_activity",
        "rotting",
        "amount__gte",
        "amount__lte",
        "expected_close__gte",
        "expected_close__lte",
    )
    search_hint = _("Search deals")
    orderings = (
        Order("name"),
        Order("amount", nullable=True),
        Order("expected_close", nullable=True),
        Order("stage_entered_at"),
        Order("created_at"),
        Order("updated_at"),
    )
    columns = (
        Column(
            "name",
            _("Name"),
            lambda d: cells.main_link(deal_url(d.pk), d.name),
            sort="name",
            phone=True,
            export="name",
        ),
        Column(
            "company", _("Company"), lambda d: cells.text(d.company), export=shown("company", "company__name")
        ),
        Column("stage", _("Stage"), _stage, export=STAGE),
        Column("status", _("Status"), status_badge, default=False, export="status"),
        Column(
            "amount",
            _("Amount"),
            lambda d: cells.money(d.amount, d.currency),
            sort="amount",
            css="num",
            phone=True,
            export="amount",
        ),
        Column(
            "expected_close",
            _("Expected close"),
            lambda d: cells.day(d.expected_close),
            sort="expected_close",
            export="expected_close",
        ),
        Column("next", _("Next activity"), _next, export=NEXT),
        Column("age", _("In stage"), _age, sort="stage_entered_at", roomy=True, export="stage_entered_at"),
        Column("owner", _("Owner"), lambda d: cells.person(d.owner), export=person()),
        Column(
            "probability",
            _("Probability in percent"),
            _chance,
            css="num",
            default=False,
            export=_chance_value,
        ),
        Column(
            "pipeline",
            _("Pipeline"),
            lambda d: cells.text(d.pipeline.name),
            default=False,
            export="pipeline__name",
        ),
        Column(
            "reason",
            _("Reason"),
            lambda d: cells.text(d.lost_reason or d.won_reason),
            default=False,
            export=first("lost_reason", "won_reason"),
        ),
        Column("currency", _("Currency"), lambda d: cells.text(d.currency), default=False, export="currency"),
        Column(
            "competitors",
            _("Competitors"),
            lambda d: cells.tags(d.competitors),
            default=False,
            export="competitors",
        ),
        Column("closed", _("Closed"), lambda d: cells.moment(d.closed_at), default=False, export="closed_at"),
        Column(
            "created",
            _("Created"),
            lambda d: cells.moment(d.created_at),
            sort="created_at",
            default=False,
            export="created_at",
        ),
        Column(
            "updated",
            _("Changed"),
            lambda d: cells.moment(d.updated_at),
            sort="updated_at",
            default=False,
            export="updated_at",
        ),
        Column(
            "external_id",
            _("External id"),
            lambda d: cells.text(d.external_id),
            default=False,
            export="external_id",
        ),
    )
    editors: ClassVar[Any] = {
        "stage": _editor("stage", _stages),
        "amount": _editor("amount", _number("0.01")),
        "expected_close": _editor(
            "expected_close",
            lambda deal: forms.DateField(
                required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
            ),
        ),
        "owner": _editor("owner", _people, "deals:assign"),
        "currency": _editor("currency", lambda deal: forms.ChoiceField(choices=CURRENCY_CHOICES)),
        "probability": _editor(
            "probability", lambda deal: forms.IntegerField(required=False, min_value=0, max_value=100)
        ),
        "competitors": COMPETITORS,
    }
    bulk_actions = DEAL_ACTIONS
    has_builder = True
    create_url_name, create_label, create_scope = "sales:deal-new", _("New deal"), "deals:write"
    empty = Empty(
        "coin",
        _("No deals yet"),
        _("A deal is a sale in the making. It moves from stage to stage until it is won or lost."),
        _("New deal"),
        "sales:deal-new",
        "deals:write",
        _("For example: “Vans for the north depot, 48,000 EUR, expected in June”."),
    )

    def builder(self, value: Any) -> dict[str, Any]:
        return deal_builder(self.request.user, value)

    def rows(self) -> Any:
        deals: Any = with_next_activity(Deal.objects.visible_to(self.request.user))
        return self.with_custom(deals.select_related("stage", "company", "owner", "pipeline"))

    def prepare(self, rows: list[Any]) -> None:
        super().prepare(rows)
        mark_hidden(rows, self.request.user, "company")
