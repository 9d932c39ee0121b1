"""The panels that contacts itself puts on the pages of contacts, companies and deals."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from contacts.models import Company, Contact, Task
from contacts.selectors.company_tree import CAP, Node, company_tree
from contacts.views.cells import due_state, due_words, nps
from contacts.views.common import seen
from contacts.views.fields import COMPANY_FACTS, CONTACT_FACTS, HIDEABLE, details, undefined
from contacts.views.people_parts import jobs_at_company
from crmcem.lib.keyset import Order, keyset_page
from crmcem.lib.visibility import mark_hidden
from crmcem.lib.web import cells
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import render_page

SHOWN = 6


class RecordPanel(ScopedView, View):
    """A fragment about one record that the person may see; opened by itself it is a small page."""

    scope = "contacts:read"
    model: Any = Contact
    template = ""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        rows = self.model.objects.select_related(*self.related()).defer("search_text")
        record = seen(rows, request, pk)
        context = {"record": record, "panel_template": self.template, **self.context(request, record)}
        return render_page(request, "contacts/panel_page.html", context, self.template)

    def related(self) -> tuple[str, ...]:
        return ()

    def context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        raise NotImplementedError


def with_due(tasks: list[Task]) -> list[Task]:
    """Each with ``due``: state, word, colour and icon."""
    words = due_words()
    for task in tasks:
        state = due_state(task.due_at)
        task.due = (state, *words[state])  # type: ignore[attr-defined]
    return tasks


class ContactTasks(RecordPanel):
    """The open tasks about a contact that the person may see, the earliest first."""

    scope = "tasks:read"
    template = "contacts/panel_tasks.html"

    def context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        user: Any = request.user
        name = "company" if isinstance(record, Company) else "contact"
        mine = Task.objects.visible_to(user).filter(status=Task.Status.OPEN, **{name: record})
        rows = keyset_page(mine.select_related("owner"), Order("due_at", nullable=True), None, SHOWN)
        return {
            "tasks": with_due(rows.rows),
            "all_url": f"{reverse('contacts:tasks')}?{name}={record.pk}&status=open" if rows.next else "",
            "new_url": f"{reverse('contacts:task-new')}?{name}={record.pk}",
            "can_write": user.may("tasks:write"),
        }


class CompanyTasks(ContactTasks):
    model = Company


class ContactDetails(RecordPanel):
    """The fields that are not in the header, and what is known beyond them."""

    template = "contacts/panel_details.html"
    facts: tuple[str, ...] = CONTACT_FACTS

    def related(self) -> tuple[str, ...]:
        return ("owner", *HIDEABLE[self.model])

    def context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        mark_hidden([record], request.user, *HIDEABLE[self.model])
        return {"groups": details(record, request.user, self.facts), "custom": undefined(record)}


class CompanyDetails(ContactDetails):
    model, facts = Company, COMPANY_FACTS


class ContactMessages(RecordPanel):
    """What was sent to a contact and what became of it; what could not be sent is visible."""

    template = "contacts/panel_messages.html"
    tones = {
        "sent": ("green", "check"),
        "received": ("blue", "mail-down"),
        "queued": ("grey", "clock"),
        "sending": ("grey", "send"),
        "failed": ("red", "alert-circle"),
        "uncertain": ("orange", "help-circle"),
        "suppressed": ("yellow", "mail-off"),
    }

    def context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        rows = record.messages.defer("body_text", "body_html", "headers")
        page = keyset_page(rows, Order("id", descending=True), request.GET.get("cursor"), SHOWN)
        for row in page.rows:
            row.tone, row.icon = self.tones.get(row.status, ("grey", "mail"))
        return {
            "rows": page.rows,
            "older_url": f"{request.path}?cursor={page.next}" if page.next else "",
            "continued": bool(request.GET.get("cursor")),
        }

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.GET.get("cursor"):
            self.template = "contacts/panel_messages_rows.html"
        return super().get(request, pk)


class CompanyJobs(RecordPanel):
    """Who works and has worked there, among the people that the person may see."""

    model = Company
    template = "contacts/panel_parts.html"

    def context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        return {
            "title": _("Jobs"),
            "empty": _("Nobody who works or has worked here is known to you."),
            "lines": [(line, "") for line in jobs_at_company(record, request.user)],
        }


class CompanyTreePanel(RecordPanel):
    """The companies above and below, with the people of each branch.

    Where a company stands alone it says to those who may write how that is changed, and is empty for all others.
    """

    model = Company
    template = "contacts/panel_tree.html"
    shown = 40

    def context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        user: Any = request.user
        tree = company_tree(record, user)
        lines = [_tree_line(node, level, None) for level, node in enumerate(tree.above)]
        stack = [(tree.root, len(tree.above))]
        while stack and len(lines) < len(tree.above) + self.shown:
            node, level = stack.pop()
            lines.append(_tree_line(node, level, node.people, is_self=node is tree.root))
            stack += [(each, level + 1) for each in reversed(node.nodes)]
        more = ""
        if stack or not tree.whole:
            more = _("There are more companies below.")
        elif not tree.exact:
            more = _("Counted to %(most)s people.") % {"most": cells.grouped(CAP)}
        return {
            "tree": tree,
            "lines": lines,
            "more": more,
            "new_url": f"{reverse('contacts:company-new')}?parent={record.pk}",
            "can_write": user.may("contacts:write"),
        }


def _tree_line(node: Node, level: int, people: int | None, *, is_self: bool = False) -> dict[str, Any]:
    return {
        "pk": node.pk,
        "company": node.company,
        "level": min(level, 8),
        "people": people,
        "is_self": is_self,
    }


class CompanyPeople(RecordPanel):
    """The people of a company that the person may see, with their mood."""

    model = Company
    template = "contacts/panel_people.html"

    def context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        user: Any = request.user
        people = (
            record.contacts.visible_to(user).select_related("pulse").defer("search_text", "custom", "consent")
        )
        page = keyset_page(people, Order("id", descending=True), None, 10)
        for row in page.rows:
            row.nps_cell = nps(row.pulse.nps, row.pulse.nps_at)
        return {
            "rows": page.rows,
            "all_url": f"{reverse('contacts:list')}?company={record.pk}" if page.next else "",
            "new_url": f"{reverse('contacts:new')}?company={record.pk}",
            "can_write": user.may("contacts:write"),
        }
