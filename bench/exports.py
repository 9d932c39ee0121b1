"""An export of every contact, as a job with its file, against the same columns by a raw COPY out."""

import resource
from typing import Any

from django.db import connection
from django.http import HttpRequest, QueryDict

from contacts.views.lists import ContactList
from crmcem.lib.actors import person
from crmcem.workspace.models import Export, User
from crmcem.workspace.services.exports import Exports, export_run

from .timing import Line, interleaved

SIZES = ("10k", "100k", "1M")
COLUMNS = "name,company,phone,stage,email,job,owner,tags,created"
#: what those columns read, as they lie in the table
RAW = (
    "COPY (SELECT first_name, last_name, company_id, phone, lifecycle_stage, email, job_title, owner_id, tags,"
    " created_at FROM contacts_contact) TO STDOUT WITH (FORMAT csv)"
)


class _Nowhere:
    def write(self, data: bytes) -> int:
        return len(data)


def measure() -> dict[str, Any]:
    user = User.objects.get(username="admin")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with connection.cursor() as cursor:
        # what a parallel worker does for either of them would not be counted
        cursor.execute("SET max_parallel_workers_per_gather = 0")
    taken = interleaved({"raw": _raw, "export": lambda: _export(user)}, rounds=5, warm=1)
    rows = Export.objects.filter(owner=user, file_name__startswith="bench-").latest("id").rows_done
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    _clear()
    return {"raw": rows / taken["raw"], "export": rows / taken["export"], "memory": memory, "rows": rows}


def _raw() -> None:
    with connection.cursor() as cursor:
        cursor.copy_expert(RAW, _Nowhere())


def _export(user: User) -> None:
    request: Any = HttpRequest()
    request.method, request.path, request.user = "GET", "/contacts/", user
    request.GET = QueryDict(f"columns={COLUMNS}")
    request.actor = person(user)
    page = ContactList()
    page.setup(request)
    Exports().begin(actor=request.actor, page=page)
    row = Export.objects.latest("id")
    Export.objects.filter(pk=row.pk).update(file_name=f"bench-{row.pk}.csv")
    status = export_run(row.pk)
    if status != "done":
        row.refresh_from_db()
        raise RuntimeError(f"The export ended otherwise: {status} {row.error}")


def _clear() -> None:
    for row in Export.objects.filter(file_name__startswith="bench-"):
        row.file.delete(save=False)
        row.delete()


def lines(found: dict[str, dict[str, Any]]) -> list[Line]:
    figures = list(found.values())[-1]
    pair = f"{figures['export']:,.0f} rows/s against {figures['raw']:,.0f} rows/s of COPY"
    return [
        Line("export of all contacts ÷ raw COPY out", figures["export"] / figures["raw"], "≥ 0.333", pair),
        Line(
            "memory of that export above idle",
            figures["memory"],
            "≤ 200",
            f"{figures['rows']:,} rows",
            unit=" MB",
        ),
    ]
