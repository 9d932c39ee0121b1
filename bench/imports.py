"""The import of contacts with every companion row against COPY into the very table, and the same file again.

COPY writes the contacts' rows, of the same owner, with the table's indexes and references but no audit; the import
reads and cleans the file, matches every row, and writes contact points, Pulse, activities and audit with it.
"""

import csv
import io
import resource
import statistics
import tempfile
from collections.abc import Iterator
from typing import Any

import pgtrigger
from django.core.files.base import ContentFile, File
from django.db import connection, transaction

from contacts.importing import runner
from contacts.models import Contact, ImportJob
from contacts.services.imports import import_create
from crmcem.lib.actors import person
from crmcem.workspace.models import User

from .timing import Line, busy

SIZES = ("10k", "100k", "1M")
ROWS = 50_000
#: the file whose import may not take more memory than a short one
LONG = 500_000
ROUNDS = 3
MARK = "bench-"
COLUMNS = ("external_id", "first_name", "last_name", "email", "phone", "lifecycle_stage")


def measure() -> dict[str, Any]:
    user = User.objects.get(username="integrator")
    taken: dict[str, list[float]] = {"copy": [], "import": [], "again": []}
    clear()
    try:
        # first of all, and where taking it out again is no work
        memory = _memory(user) if Contact.objects.count() < LONG // 10 else 0
        for turn in range(ROUNDS):
            text = _csv(f"{MARK}{turn}i")
            for name, run in (
                ("copy", lambda turn=turn: copy_contacts(f"{MARK}{turn}c")),
                ("import", lambda text=text: _import(_file(text), user, created=ROWS)),
                ("again", lambda text=text: _import(_file(text), user, created=0)),
            ):
                taken[name].append(busy(run))
            clear()
    finally:
        clear()
    return {name: ROWS / statistics.median(values) for name, values in taken.items()} | {"memory": memory}


def _memory(user: User) -> float:
    """MB that a process needs for a long file above what it had."""
    with tempfile.NamedTemporaryFile("w+", suffix=".csv", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(people(f"{MARK}m", LONG))
        file.flush()
        before = _most()
        _import(File(open(file.name, "rb"), name="bench.csv"), user, created=LONG)  # noqa: SIM115
    memory = _most() - before
    clear()
    return memory


def _most() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def people(prefix: str, rows: int = ROWS) -> Iterator[tuple[str, ...]]:
    for number in range(rows):
        first, last = f"First{number % 3000}", f"Last{number * 7919 % 20011}"
        email = f"{first}.{last}.{prefix}{number}@bench.example".lower()
        yield f"{prefix}{number}", first, last, email, f"+1617{number:07d}", "lead"


def _csv(prefix: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(people(prefix))
    return text.getvalue()


def _file(text: str) -> ContentFile:
    return ContentFile(text.encode(), name="bench.csv")


def copy_contacts(prefix: str) -> None:
    """The bare machine: the rows as the table wants them, in one COPY."""
    rest = (
        "job_title",
        "tags",
        "custom",
        "consent",
        "language",
        "time_zone",
        "created_at",
        "updated_at",
        "version",
        "owner_id",
    )
    owner = User.objects.get(username="integrator").pk
    tail = f"\t\t{{}}\t{{}}\t{{}}\t\t\t2026-01-01\t2026-01-01\t1\t{owner}\n"
    buffer = io.StringIO("".join("\t".join(row) + tail for row in people(prefix)))
    with (
        pgtrigger.ignore("contacts.Contact:audit_insert"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.copy_expert(f"COPY contacts_contact ({', '.join((*COLUMNS, *rest))}) FROM STDIN", buffer)


def _import(file: File, user: User, created: int) -> None:
    job = import_create(file=file, kind="contacts", actor=person(user), start=True)
    while job.status not in ("done", "failed", "cancelled"):  # a slow machine takes more than one turn
        runner.run(job.pk)
        job.refresh_from_db()
    if (job.status, job.created, job.failed) != ("done", created, 0):
        raise RuntimeError(f"The import ended otherwise: {job.status} {job.created} {job.failed} {job.error}")


def clear() -> None:
    """Take out what the bench has put in, and leave the table as it was found."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(min(id), 0) FROM contacts_contact WHERE external_id LIKE 'bench-%'")
        first = cursor.fetchone()[0]
        if first:
            with transaction.atomic():
                cursor.execute("SET LOCAL session_replication_role = replica")
                for table, column in (
                    ("contacts_pulse", "contact_id"),
                    ("contacts_contactpoint", "contact_id"),
                    ("contacts_activity", "contact_id"),
                    ("journeys_absencetimer", "contact_id"),
                    ("contacts_contact", "id"),
                ):
                    cursor.execute(f"DELETE FROM {table} WHERE {column} >= %s", [first])
                cursor.execute(
                    "DELETE FROM workspace_auditentry WHERE table_name = 'contacts_contact' AND row_id >= %s",
                    [first],
                )
        cursor.execute("VACUUM contacts_contact, contacts_pulse, contacts_contactpoint")
    for job in ImportJob.objects.filter(file_name="bench.csv"):
        job.file.delete(save=False)
        job.delete()
    assert not Contact.objects.filter(external_id__startswith=MARK).exists()


def lines(found: dict[str, dict[str, Any]]) -> list[Line]:
    figures = list(found.values())[-1]
    growth = ", ".join(f"{size} {f['import']:,.0f} rows/s" for size, f in found.items())
    again = f"{figures['again']:,.0f} rows/s against {figures['copy']:,.0f} rows/s of COPY"
    return [
        Line(
            "import with companions ÷ COPY into the contact table",
            figures["import"] / figures["copy"],
            "≥ 0.5",
            growth,
        ),
        Line("unchanged file again ÷ that COPY", figures["again"] / figures["copy"], "≥ 2", again),
        Line(
            "memory of an import above idle",
            max(f["memory"] for f in found.values()),
            "≤ 200",
            f"{LONG:,} rows",
            unit=" MB",
        ),
    ]
