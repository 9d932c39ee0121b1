"""The list of cases, by due time, with its bulk actions; and how the palette finds them."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import escape
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _

from crmcem.lib.actors import Actor
from crmcem.lib.exporting import full_name, person, shown
from crmcem.lib.fuzzy import folded, similar
from crmcem.lib.keyset import Order
from crmcem.lib.search import Hit, Provider
from crmcem.lib.visibility import mark_hidden, name_of
from crmcem.lib.web import cells
from crmcem.lib.web.bulk import BulkAction, BulkDone
from crmcem.lib.web.columns import Column
from crmcem.lib.web.htmx import is_fragment
from crmcem.lib.web.lists import Empty, ListPage
from crmcem.workspace.trashing import Deletion
from feedback.filters import CaseFilter
from feedback.models import Case
from feedback.selectors.cases import case_url, cases_listed
from feedback.services.case_bulk import BulkResult, cases_assign, cases_delete, cases_resolve

from .case_forms import AssignForm, ResolveForm
from .marks import SOURCE, STATUS, priority_mark, sla_mark, status_mark

CASE_DELETION = Deletion(Case, "case", _("Cases"), "cases:delete", "feedback:cases", cases_delete)
page_url = cells.url_maker("feedback:case")
#: the quick looks above the list: query string, label, icon
LOOKS = (
    ("open=true", _("Open"), "lifebuoy"),
    ("open=true&owner=me", _("Mine"), "user"),
    ("overdue=true", _("Overdue"), "alarm"),
    ("open=true&owner=none", _("Without an owner"), "user-question"),
    ("view=all", _("All"), "list"),
)


def _source(case: Case) -> Any:
    label = escape(case.get_source_display())
    icon = f'<i class="ti ti-{SOURCE[case.source]}" aria-hidden="true"></i>'
    return mark_safe(f'<span title="{label}">{icon}<span class="visually-hidden">{label}</span></span>')  # noqa: S308


def _status(case: Case) -> Any:
    if case.status == Case.Status.PENDING:
        return cells.badge(_("Waiting"), *STATUS[case.status])
    return status_mark(case)


def _contact(case: Case) -> Any:
    return cells.text(name_of(case, "contact"))


def _nps(case: Case) -> Any:
    response = case.response
    return cells.number(response.nps) if response is not None else cells.NONE


def _value(case: Case) -> Any:
    pulse = getattr(case.contact, "pulse", None)
    return cells.number(pulse.revenue) if pulse is not None and pulse.orders else cells.NONE


def _done(result: BulkResult) -> BulkDone:
    return BulkDone(result.changed, result.refused)


def _assign(*, actor: Actor, rows: QuerySet[Case], data: dict[str, Any]) -> BulkDone:
    ids = list(rows.order_by().values_list("pk", flat=True))
    return _done(cases_assign(case_ids=ids, owner=data["owner"], actor=actor))


def _resolve(*, actor: Actor, rows: QuerySet[Case], data: dict[str, Any]) -> BulkDone:
    ids = list(rows.order_by().values_list("pk", flat=True))
    return _done(cases_resolve(case_ids=ids, actor=actor, **data))


class CaseList(ListPage):
    entity, title, scope = "case", _("Cases"), "cases:read"
    count_label = _("cases")
    template_name = "feedback/cases/list.html"
    filterset_class = CaseFilter
    filter_fields = ("status", "priority", "owner", "source", "overdue", "sla_due_at__lte")
    search_hint = _("Subject, customer or number")
    orderings = (
        Order("sla_due_at", nullable=True),
        Order("created_at"),
        Order("updated_at"),
        Order("resolved_at", nullable=True),
    )
    default_order = Order("sla_due_at", nullable=True)
    create_url_name, create_label, create_scope = "feedback:case-new", _("Open a case"), "cases:write"
    columns = (
        Column(
            "subject",
            _("Subject"),
            lambda c: cells.main_link(page_url(c.pk), c.subject),
            phone=True,
            export="subject",
        ),
        Column("contact", _("Customer"), _contact, export=shown("contact", full_name("contact__"))),
        Column("sla", _("Due"), sla_mark, sort="sla_due_at", phone=True, export="sla_due_at"),
        Column("priority", _("Priority"), priority_mark, export="priority"),
        Column("status", _("Status"), _status, export="status"),
        Column("owner", _("Owner"), lambda c: cells.person(c.owner), export=person()),
        Column("source", _("Source"), _source, roomy=True, export="source"),
        Column("nps", _("NPS"), _nps, css="num", export="response__nps"),
        Column(
            "value",
            _("Revenue"),
            _value,
            css="num",
            default=False,
            export=shown("contact", "contact__pulse__revenue"),
        ),
        Column(
            "cause", _("Root cause"), lambda c: cells.text(c.root_cause), default=False, export="root_cause"
        ),
        Column(
            "created",
            _("Opened"),
            lambda c: cells.moment(c.created_at),
            sort="created_at",
            default=False,
            export="created_at",
        ),
        Column(
            "resolved",
            _("Resolved"),
            lambda c: cells.moment(c.resolved_at),
            sort="resolved_at",
            default=False,
            export="resolved_at",
        ),
    )
    bulk_actions = (
        BulkAction(
            "assign",
            _("Give to"),
            "user-share",
            "cases:assign",
            _assign,
            explain=_("They go to another owner, who is told."),
            form=AssignForm,
        ),
        BulkAction(
            "resolve",
            _("Resolve"),
            "circle-check",
            "cases:write",
            _resolve,
            explain=_("Those that are open are resolved with the same words."),
            form=ResolveForm,
        ),
        BulkAction(
            "delete",
            _("Delete"),
            "trash",
            "cases:delete",
            CASE_DELETION.run,
            explain=_("They are deleted with what was written in them. You can undo it for half an hour."),
            danger=True,
        ),
    )
    empty = Empty(
        "lifebuoy",
        _("No cases yet"),
        _("A case is one matter to settle with a customer. Every bad answer opens one by itself."),
        _("Open a case"),
        "feedback:case-new",
        "cases:write",
        _("Example: “Rated us 2 of 10: the parcel was late again”, due tomorrow, with Rita."),
    )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.GET and not is_fragment(request) and not self.default_view_url():
            return redirect(f"{request.path}?{LOOKS[0][0]}")
        return super().get(request, *args, **kwargs)

    def rows(self) -> QuerySet[Any]:
        found: QuerySet[Any] = cases_listed().visible_to(self.request.user)
        return found

    def prepare(self, rows: list[Any]) -> None:
        mark_hidden(rows, self.request.user, "contact")

    def looks(self) -> list[dict[str, Any]]:
        """The quick looks, the one that is open marked."""
        text = self.query.text
        return [
            {"url": f"?{query}", "label": label, "icon": icon, "open": text == query.replace("view=all", "")}
            for query, label, icon in LOOKS
        ]


def find(text: str, user: Any, limit: int) -> list[Hit]:
    """The cases that fit best: the newest ones whose subject, customer or number match."""

    class Asked:
        pass

    asked = Asked()
    asked.user = user  # type: ignore[attr-defined]
    rows = Case.objects.visible_to(user).select_related("contact").defer("contact__search_text")
    filled = CaseFilter(data={"search": text}, queryset=rows, request=asked)
    if not filled.is_valid():
        return []
    found = list(filled.qs.order_by("-id")[:limit])
    if not found and len(text) >= 3:
        found = list(rows.filter(pk__in=similar(rows, folded("subject"), text)).order_by("-id")[:limit])
    mark_hidden(found, user, "contact")
    return [
        Hit(f"#{c.pk} {c.subject}", f"{name_of(c, 'contact')} · {c.get_status_display()}", case_url(c.pk))
        for c in found
    ]


CASES = Provider("cases", _("Cases"), "lifebuoy", "cases:read", find, order=50)
