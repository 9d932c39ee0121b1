"""The board: columns, their next cards, cards that are dropped, deals that are made in a column."""

from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from crmcem.lib.api.fields import parse_id
from crmcem.lib.errors import DomainError
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import render_page
from crmcem.lib.web.querystring import ListQuery
from crmcem.workspace.models import User
from crmcem.workspace.policies import user_of
from sales.filters import DealFilter
from sales.models import Deal, Pipeline, Stage
from sales.selectors.board import STATES as STATE_KEYS
from sales.selectors.board import Column, board, cards_of, column_page, figures
from sales.services.deals import deal_create, deal_move
from sales.views.cards import STATES, cards
from sales.views.common import add_errors, deal_for
from sales.views.forms import QuickForm

#: parameters that the board reads itself; the others are the FilterSet's
OWN = frozenset({"pipeline", "next_activity"})
NOT_HERE = frozenset({"stage", "status"})
MAX_OWNERS = 300


class BoardView(ScopedView, View):
    """What all requests of one board share: its pipeline and filters, from the URL and nothing else."""

    scope = "deals:read"

    @cached_property
    def query(self) -> ListQuery:
        return ListQuery(self.request.GET)

    @cached_property
    def pipelines(self) -> list[Pipeline]:
        return list(Pipeline.objects.order_by("position", "id"))

    @cached_property
    def pipeline(self) -> Pipeline | None:
        """The one that the URL names, else the default one. Raises DomainError."""
        text = self.request.GET.get("pipeline", "")
        if not text:
            return next((p for p in self.pipelines if p.is_default), next(iter(self.pipelines), None))
        found = next((p for p in self.pipelines if p.pk == parse_id(text)), None)
        if found is None:
            raise DomainError.of("pipeline", "does_not_exist", _("There is no such pipeline."))
        return found

    @cached_property
    def state(self) -> str:
        value = self.request.GET.get("next_activity", "")
        if value and value not in STATE_KEYS:
            names = ", ".join(STATE_KEYS)
            raise DomainError.of(
                "next_activity", "invalid_choice", _("Choose one of: %(names)s.") % {"names": names}
            )
        return value

    def deals(self) -> Any:
        """The deals that the person may see and that match the URL. Raises DomainError."""
        rows = Deal.objects.visible_to(self.request.user)
        pairs = [(name, value) for name, value in self.query.pairs(*OWN)]
        for name, value in pairs:
            if name not in DealFilter.base_filters or name in NOT_HERE:
                raise DomainError.of(name[:80], "unknown_parameter", _("The board has no such filter."))
            if "\x00" in value or len(value) > 2000:
                raise DomainError.of(name, "invalid", _("This value is too long or holds a NUL character."))
        if not pairs:
            return rows
        params = self.query.params.copy()
        params.pop("next_activity", None)
        filterset = DealFilter(data=params, queryset=rows, request=self.request)
        if not filterset.is_valid():
            raise DomainError(
                *(
                    DomainError.of(name, "invalid", " ".join(map(str, found))).errors[0]
                    for name, found in filterset.errors.items()
                )
            )
        return filterset.qs

    def may_write(self) -> bool:
        return user_of(self.request).may("deals:write")

    def shown(self, columns: list[Column]) -> list[dict[str, Any]]:
        """What the templates show of columns."""
        return [
            {
                "column": column,
                "stage": column.stage,
                "cards": cards(column.cards),
                "bar": _bar(column),
                "states": [
                    {"key": key, "count": column.states[key], "mark": STATES[key], "url": self.state_url(key)}
                    for key in STATES
                    if column.states[key]
                ],
                "more_url": self.more_url(column),
            }
            for column in columns
        ]

    def state_url(self, key: str) -> str:
        chosen = None if self.state == key else key
        return f"{reverse('sales:board')}{self.query.url(next_activity=chosen)}".removesuffix("?")

    def more_url(self, column: Column) -> str:
        if not column.next:
            return ""
        return f"{reverse('sales:board-column', args=[column.stage.pk])}{self.query.url(cursor=column.next)}"


def _bar(column: Column) -> list[dict[str, Any]]:
    """The parts of the coloured bar: where each begins and how wide it is, in percent."""
    whole = sum(column.states.values())
    parts, at = [], 0.0
    for key in STATES:
        if column.states[key]:
            width = 100 * column.states[key] / whole
            parts.append({"tone": STATES[key][0], "at": f"{at:.2f}", "width": f"{width:.2f}"})
            at += width
    return parts


class Board(BoardView):
    def get(self, request: HttpRequest) -> HttpResponse:
        try:
            context, status = self.context(), 200
        except DomainError as error:
            context, status = (
                {"errors": error.errors, "columns": [], "whole_url": reverse("sales:board")},
                400,
            )
        return render_page(request, "sales/board.html", context, "sales/board_columns.html", status)

    def context(self) -> dict[str, Any]:
        user = user_of(self.request)
        columns: list[Column] = []
        if self.pipeline is not None:
            columns = board(self.pipeline, self.deals(), user, state=self.state)
        narrowed = bool(self.query.pairs("pipeline"))
        return {
            "pipelines": self.pipelines,
            "pipeline": self.pipeline,
            "columns": self.shown(columns),
            "none_at_all": not any(sum(c.states.values()) for c in columns),
            "narrowed": narrowed,
            "whole_url": f"{reverse('sales:board')}{self.query.url(**self._cleared())}".removesuffix("?"),
            "state": self.state,
            "states": self._legend(columns),
            "search": self.request.GET.get("search", ""),
            "owner": self.request.GET.get("owner", ""),
            "owners": self._owners(user),
            "hidden": self.query.pairs("pipeline", "owner", "search"),
            "may_write": self.may_write(),
            "query": self.query.url(),
        }

    def _cleared(self) -> dict[str, None]:
        return {name: None for name, _value in self.query.pairs("pipeline")}

    def _legend(self, columns: list[Column]) -> list[dict[str, Any]]:
        return [
            {
                "key": key,
                "mark": mark,
                "count": sum(c.states[key] for c in columns),
                "url": self.state_url(key),
            }
            for key, mark in STATES.items()
        ]

    def _owners(self, user: User) -> list[User]:
        """Those whose deals the person may see besides their own."""
        access = user.access
        if access.visibility == "own":
            return []
        people = User.objects.filter(is_active=True)
        if access.visibility == "team":
            people = people.filter(team_id__in=access.team_ids)
        return list(people[:MAX_OWNERS])


class BoardColumn(BoardView):
    """The next cards of a column."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        stage = get_object_or_404(Stage, pk=pk)
        column = column_page(
            stage, self.deals(), request.user, state=self.state, cursor=request.GET.get("cursor")
        )
        context = {
            "cards": cards(column.cards),
            "more_url": self.more_url(column),
            "stage": stage,
            "may_write": self.may_write(),
        }
        return render(request, "sales/cards.html", context)


class Place(BoardView):
    """A card was dropped: into a stage, between the cards ``above`` and ``below`` (ids, empty at an end).

    Answers the heads of all columns and the card as it is now.
    """

    write_scope = "deals:write"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        deal = deal_for(request, pk)
        stage = Stage.objects.filter(pk=parse_id(request.POST.get("stage", "")) or 0).first()
        if stage is None:
            raise DomainError.of(
                "stage", "does_not_exist", _("There is no such stage any more. Reload the board.")
            )
        between = (parse_id(request.POST.get("above", "")), parse_id(request.POST.get("below", "")))
        moved = deal_move(deal=deal, stage=stage, between=between, actor=self.actor)
        fresh = cards_of(Deal.objects.filter(pk=moved.pk), request.user)
        context = {
            "columns": self.shown(figures(stage.pipeline, self.deals(), state=self.state)),
            "cards": cards(fresh),
            "may_write": True,
        }
        return render(request, "sales/board_moved.html", context)


class Quick(BoardView):
    """A deal made in a column, by its name and amount."""

    scope = "deals:write"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        context = {"stage": get_object_or_404(Stage, pk=pk), "form": QuickForm(), "query": self.query.url()}
        return render(request, "sales/board_quick.html", context)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        stage = get_object_or_404(Stage.objects.select_related("pipeline"), pk=pk)
        form = QuickForm(request.POST)
        if form.is_valid():
            data = {key: value for key, value in form.cleaned_data.items() if value not in (None, "")}
            try:
                deal = deal_create(data=data | {"stage": stage}, actor=self.actor)
            except DomainError as error:
                add_errors(form, error)
            else:
                context = {
                    "stage": stage,
                    "form": QuickForm(),
                    "made": True,
                    "columns": self.shown(figures(stage.pipeline, self.deals(), state=self.state)),
                    "cards": cards(cards_of(Deal.objects.filter(pk=deal.pk), request.user)),
                    "may_write": True,
                    "query": self.query.url(),
                }
                return render(request, "sales/board_quick.html", context)
        context = {"stage": stage, "form": form, "query": self.query.url()}
        return render(request, "sales/board_quick.html", context, status=422)
