"""The one list of the product: search, filters, saved views, columns, sorting, keyset paging, bulk actions.

The state of a list is its URL and nothing else, so the same URL gives the same list to whoever may see it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views import View

from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import Order, Page, capped_count, keyset_page, order_from
from crmcem.lib.web.cells import grouped

from . import bulk, conditions, exports, inline, saved_views
from .access import ScopedView
from .bulk import BulkAction
from .columns import Column, chosen, table_rows
from .htmx import is_fragment
from .querystring import ListQuery

PAGE_SIZE = 50
COUNT_CAP = 10_000
#: parameters of the list itself; every other one belongs to the filters
OWN = frozenset({"ordering", "columns", "view", "cursor", "filters", "file"})


@dataclass(frozen=True, slots=True)
class Empty:
    """What an empty list teaches: what it is for, one button, one example."""

    icon: str
    title: Any
    text: Any
    action_label: Any = ""
    action_url_name: str = ""
    action_scope: str = ""
    example: Any = ""


class ListPage(ScopedView, View):
    """Subclass, set the class attributes and ``rows()``. See "The web kit" in docs/architecture.md."""

    entity: ClassVar[str]
    title: ClassVar[Any]
    columns: ClassVar[Sequence[Column]]
    filterset_class: ClassVar[Any] = None
    #: the filters that the panel offers; the FilterSet's others work in the URL and show as chips
    filter_fields: ClassVar[Sequence[str]] = ()
    #: the FilterSet's free-text filter; empty: no search box
    search_param: ClassVar[str] = "search"
    search_hint: ClassVar[Any] = ""
    orderings: ClassVar[Sequence[Order]] = ()
    default_order: ClassVar[Order] = Order("id", descending=True)
    bulk_actions: ClassVar[Sequence[BulkAction]] = ()
    #: other kinds of files than CSV that the list can be had as
    export_formats: ClassVar[Sequence[exports.Format]] = ()
    #: which columns can be changed in place, by their key
    editors: ClassVar[inline.Editors] = {}
    create_url_name: ClassVar[str] = ""
    create_label: ClassVar[Any] = ""
    create_scope: ClassVar[str] = ""
    #: the rows are asked for by conditions that people build (``builder``); the FilterSet has a ``registry``
    has_builder: ClassVar[bool] = False
    count_cap: ClassVar[int] = COUNT_CAP
    empty: ClassVar[Empty] = Empty("list", "", "")
    template_name: ClassVar[str] = "components/list_page.html"
    #: the ticked rows, where only these are carried away
    only: list[int] | None = None

    def rows(self) -> QuerySet[Any]:
        """Every row that the person may see, with what the columns need (``select_related``, ``only``)."""
        raise NotImplementedError

    def prepare(self, rows: list[Any]) -> None:
        """Give the rows of the open page what their cells need beyond the query, for all of them at once."""

    def builder(self, value: Any) -> dict[str, Any]:
        """The condition builder over ``value`` (``lib.web.condition_builder``), where ``has_builder``."""
        raise NotImplementedError

    # --- what people may have added -----------------------------------------------------------------
    def all_columns(self) -> Sequence[Column]:
        """Every column; a subclass may add those that people make."""
        return self.columns

    def all_orderings(self) -> Sequence[Order]:
        return self.orderings

    def panel_filters(self) -> Sequence[str]:
        """The filters that the panel offers."""
        return self.filter_fields

    @cached_property
    def filterset_type(self) -> Any:
        """The FilterSet with every filter that there is now."""
        found = self.filterset_class
        return found.current() if hasattr(found, "current") else found

    # --- the request -------------------------------------------------------------------------------
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        first = self.default_view_url()
        if first:
            return redirect(first)
        part = request.GET.get("_part", "")
        if part in {"filters", "columns"}:
            return self.respond(f"components/list_{part}.html", self.parts_context())
        if part == "conditions" and self.has_builder:
            return conditions.panel(self)
        try:
            if part == "export":
                return self.export_dialog()
            if "_cell" in request.GET:
                return inline.show(self, request.GET["_cell"], request.GET.get("_row", ""))
            context, status = self.context(), 200
        except DomainError as error:
            context, status = self.failed(error), 400
        template = "components/list_table.html" if is_fragment(request) else self.template_name
        return self.respond(template, context, status)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """A bulk action: first what it will do to how many, then, confirmed, the action itself. Or an export."""
        if "_export" in request.POST:
            self.only = exports.ticked(request.POST)
            return self.export() if request.POST["_export"] == "1" else self.export_dialog()
        if "conditions_do" in request.POST and self.has_builder:
            return conditions.answer(self)
        if "_cell" in request.POST:
            return inline.save(self, request.POST["_cell"], request.POST.get("_row", ""))
        action = next((a for a in self.allowed_actions if a.key == request.POST.get("_bulk")), None)
        if action is None:
            raise PermissionDenied
        return bulk.answer(self, action)

    @property
    def may_export(self) -> bool:
        return bool(self.may(exports.scope_of(self)))

    def export_context(self) -> dict[str, Any]:
        """What an export would hold, before it is made."""
        if not self.may_export:
            raise PermissionDenied
        formats = [(each.label, self.query.url(file=each.key)) for each in exports.formats_of(self)]
        return {
            "list": self,
            "query": self.query,
            "rows": exports.count(self),
            "formats": formats,
            "ids": self.only,
        }

    def export_dialog(self) -> HttpResponse:
        """What the file of the list, or of its ticked rows, would hold."""
        return self.respond("components/list_export.html", self.export_context())

    def export(self) -> HttpResponse:
        """The list as a file: at once where it is small, else as a job that makes it."""
        if not self.may_export:
            raise PermissionDenied
        self.filtered()  # what is wrong with the URL is said before a job begins
        if self.only is None and exports.count(self) is None:
            return redirect(exports.keeper().begin(actor=self.actor, page=self))
        return exports.answer(self)

    def respond(self, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
        response = render(self.request, template, context, status=status)
        patch_vary_headers(response, ["HX-Request"])
        return response

    # --- what is asked for ---------------------------------------------------------------------------
    @cached_property
    def query(self) -> ListQuery:
        return ListQuery(self.request.GET)

    @cached_property
    def may(self) -> Callable[[str], bool]:
        return self.request.user.may  # type: ignore[union-attr]

    @cached_property
    def order(self) -> Order:
        return order_from(self.request.GET.get("ordering", ""), self.all_orderings(), self.default_order)

    @cached_property
    def shown_columns(self) -> list[Column]:
        return chosen(self.all_columns(), self.request.GET.get("columns", ""), self.may)

    @cached_property
    def allowed_actions(self) -> list[BulkAction]:
        return [a for a in self.bulk_actions if self.may(a.scope)]

    @cached_property
    def filter_params(self) -> list[tuple[str, str]]:
        """The filters in the URL: name and text. Raises DomainError for a name that the list doesn't know."""
        pairs = self.query.pairs(*OWN)
        known = self.filterset_type.base_filters if self.filterset_type else {}
        for name, value in pairs:
            if name not in known:
                raise DomainError.of(name[:80], "unknown_parameter", _("This list has no such filter."))
            long = conditions.too_long(value) if name == conditions.NAME else len(value) > 2000
            if "\x00" in value or long:
                raise DomainError.of(name, "invalid", _("This value is too long or holds a NUL character."))
        return pairs

    @cached_property
    def filterset(self) -> Any:
        """The FilterSet over ``rows()``; built only where a filter is asked for, because its form is costly."""
        return self.filterset_type(data=self.query.params, queryset=self.rows(), request=self.request)

    def filtered(self) -> QuerySet[Any]:
        """The rows that match the URL. Raises DomainError naming each filter that is wrong."""
        found = _matching(self.filterset) if self.filter_params else self.rows()
        return found if self.only is None else found.filter(pk__in=self.only)

    def narrowed(self, conditions: str) -> QuerySet[Any]:
        """The rows that the URL would give with these conditions. Raises DomainError as ``filtered`` does."""
        params = self.query.params.copy()
        params["conditions"] = conditions
        return _matching(self.filterset_type(data=params, queryset=self.rows(), request=self.request))

    # --- what is shown -------------------------------------------------------------------------------
    def context(self) -> dict[str, Any]:
        """Everything about the list. Costs the page's query, the count's two, the views' one."""
        queryset = self.filtered()
        page = keyset_page(queryset, self.order, self.request.GET.get("cursor"), PAGE_SIZE)
        self.prepare(page.rows)
        return self.frame() | {
            "rows_html": self.table(page.rows),
            "row_count": len(page.rows),
            "count": self.count_text(queryset, page),
            "heads": self.heads(),
            "next_url": self.query.url(cursor=page.next) if page.next else "",
            "previous_url": self.query.url(cursor=page.previous) if page.previous else "",
        }

    def table(self, rows: Sequence[Any]) -> SafeString:
        """The page's rows as ``<tr>``; a subclass adds to the rows what its columns need, or groups them."""
        return self.row_html(rows)

    def row_html(self, rows: Sequence[Any]) -> SafeString:
        return table_rows(
            rows,
            self.shown_columns,
            selectable=bool(self.allowed_actions),
            editable=inline.editable(self) if self.editors else (),
        )

    def frame(self) -> dict[str, Any]:
        """What the page shows also where the list itself could not be read."""
        create = bool(self.create_url_name) and self.may(self.create_scope or self.scope)
        views = self.views()
        return {
            "list": self,
            "query": self.query,
            "hidden": self.query.pairs(self.search_param, *self.panel_filters()),
            "search": self.request.GET.get(self.search_param, "") if self.search_param else "",
            "chips": self.chips(),
            "where": conditions.told(self),
            "views": views,
            "more_views": [v for v in views if not v["view"].is_pinned and not v["open"]],
            "view_changed": any(v["open"] and v["changed"] for v in views),
            "has_views": saved_views.provider() is not None,
            "create_url": reverse(self.create_url_name) if create else "",
            "empty": self.empty_state(),
            "filters_open": self.request.GET.get("filters") == "open",
        }

    def failed(self, error: DomainError) -> dict[str, Any]:
        """The list's page where its URL asks for something impossible: what is wrong and the way out."""
        return self.frame() | {
            "errors": error.errors,
            "rows_html": "",
            "row_count": 0,
            "heads": [],
            "count": "",
        }

    def parts_context(self) -> dict[str, Any]:
        """The filter panel or the column chooser, loaded when opened."""
        shown = {c.key for c in self.shown_columns}
        columns = [(c, c.key in shown) for c in self.all_columns() if not c.scope or self.may(c.scope)]
        form = self.filterset.form if self.filterset_class else None
        fields = [form[name] for name in self.panel_filters() if form and name in form.fields]
        return {"list": self, "query": self.query, "columns": columns, "fields": fields}

    def count_text(self, queryset: QuerySet[Any], page: Page) -> str:
        """ "1,234", "10,000+" or "about 7,000": exact where that is cheap."""
        if page.next is None and page.previous is None:
            return grouped(len(page.rows))
        return self.counted(*capped_count(queryset, self.count_cap))

    def counted(self, count: int, exact: bool) -> str:
        """A number of rows as ``capped_count`` found it, in words."""
        if exact:
            return grouped(count)
        return (
            f"{grouped(count)}+"
            if count >= self.count_cap
            else _("about %(count)s") % {"count": grouped(count)}
        )

    def heads(self) -> list[dict[str, Any]]:
        """The head of each column: label, class, where a click leads, how it is sorted now."""
        sortable = {order.field for order in self.all_orderings()}
        heads = []
        for column in self.shown_columns:
            head: dict[str, Any] = {"label": column.label, "css": column.classes, "url": "", "sorted": ""}
            if column.sort in sortable:
                here = column.sort == self.order.field
                turn = here and not self.order.descending
                head["url"] = self.query.url(ordering=f"-{column.sort}" if turn else column.sort)
                head["sorted"] = ("descending" if self.order.descending else "ascending") if here else ""
            heads.append(head)
        return heads

    def chips(self) -> list[dict[str, Any]]:
        """The active filters, each with the URL without it."""
        try:
            own = {self.search_param, conditions.NAME if self.has_builder else ""}
            pairs = [pair for pair in self.filter_params if pair[0] not in own]
        except DomainError:
            return []
        return [
            {"label": self.filter_label(n), "value": self.filter_value(n, v), "url": self.query.without(n, v)}
            for n, v in pairs
        ]

    def filter_label(self, name: str) -> str:
        found = self.filterset_type.base_filters[name]
        return str(found.label or name.replace("__", " ").replace("_", " ").capitalize())

    def filter_value(self, name: str, value: str) -> str:
        """A filter's value in words: the label of a choice, the name of a referenced record."""
        field = self.filterset.form.fields[name]
        if hasattr(field, "queryset"):
            row = field.queryset.filter(pk=value).first() if value.isdigit() else None
            return str(row) if row is not None else value
        labels = {str(key): str(label) for key, label in getattr(field, "choices", ()) or ()}
        return labels.get(value, {"true": _("yes"), "false": _("no")}.get(value.casefold(), value))

    def empty_state(self) -> dict[str, Any]:
        state = self.empty
        allowed = state.action_url_name and (not state.action_scope or self.may(state.action_scope))
        return {
            "state": state,
            "action_url": reverse(state.action_url_name) if allowed else "",
        }

    # --- saved views -------------------------------------------------------------------------------
    @cached_property
    def saved(self) -> Sequence[saved_views.View]:
        provider = saved_views.provider()
        return provider.views(self.request.user, self.entity) if provider else ()

    def default_view_url(self) -> str:
        """Where a bare URL leads: to the view that opens first for this person, if there is one."""
        if self.request.GET or is_fragment(self.request):
            return ""
        return next((self.view_url(v) for v in self.saved if v.opens), "")

    def view_url(self, view: saved_views.View) -> str:
        return f"{self.request.path}?view={view.pk}{'&' if view.query else ''}{view.query}"

    def views(self) -> list[dict[str, Any]]:
        """The tabs: the whole list, then each saved view, the open one marked."""
        current = self.request.GET.get("view", "")
        tabs = []
        for view in self.saved:
            is_open = current == str(view.pk)
            changed = is_open and self.query.text != ListQuery(_parsed(view.query)).text
            tabs.append({"view": view, "url": self.view_url(view), "open": is_open, "changed": changed})
        return tabs


def _parsed(query: str) -> QueryDict:
    return QueryDict(query)


def _matching(filterset: Any) -> QuerySet[Any]:
    """The rows of a FilterSet. Raises DomainError naming each filter that is wrong."""
    if not filterset.is_valid():
        raise DomainError(
            *(
                DomainError.of(name, e.code or "invalid", " ".join(e.messages)).errors[0]
                for name, found in filterset.errors.as_data().items()
                for e in found
            )
        )
    queryset: QuerySet[Any] = filterset.qs
    return queryset
