"""The history of a record's fields, from the audit: who changed what, when, from which value to which."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views import View

from contacts.models import Company, Contact
from contacts.views.common import names_of, seen
from contacts.views.words import Names, changes_of
from crmcem.lib.activities import ACTORS
from crmcem.lib.keyset import Order, keyset_page
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import render_page
from crmcem.workspace.models import AuditEntry

SIZE = 30


class History(ScopedView, View):
    """Only the rows of this record; who may see it may see its history."""

    scope = "contacts:read"
    model: Any = Contact

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        record = seen(self.model.objects.defer("search_text"), request, pk)
        rows = AuditEntry.objects.filter(table_name=self.model._meta.db_table, row_id=pk, op__in=("I", "U"))
        page = keyset_page(rows, Order("id", descending=True), request.GET.get("cursor"), SIZE)
        names = Names(self.model, [row.changes or {} for row in page.rows if row.op == "U"], request.user)
        actors = names_of({(row.actor_kind, row.actor_id) for row in page.rows})
        shown = []
        for row in page.rows:
            who = actors.get((row.actor_kind, row.actor_id)) or ACTORS.get(row.actor_kind, row.actor_kind)
            changes = changes_of(self.model, row.changes, names) if row.op == "U" else []
            if row.op == "I" or changes:
                shown.append({"at": row.at, "who": who, "created": row.op == "I", "changes": changes})
        context = {
            "record": record,
            "rows": shown,
            "older_url": f"{request.path}?cursor={page.next}" if page.next else "",
            "continued": bool(request.GET.get("cursor")),
        }
        part = "contacts/history_rows.html" if context["continued"] else "contacts/history.html"
        return render_page(request, "contacts/history_page.html", context, part)


class CompanyHistory(History):
    model = Company
