"""The search for duplicates through all contacts, what a change costs, and a merge of two heavy customers."""

import resource
import time
from typing import Any

from django.db import connection, transaction

from contacts.models import Contact, DuplicateKey, DuplicatePair, DuplicateScan
from contacts.services.duplicates import look_again, scan_run
from contacts.services.merge import contact_merge
from crmcem.lib.actors import SYSTEM

from .timing import Line, busy

SIZES = ("10k", "100k", "1M")
CHANGED = 2000


class _Back(Exception):
    """Rolls a measurement back."""


def measure() -> dict[str, Any]:
    contacts = Contact.objects.count()
    _forget()
    DuplicateScan.objects.create(entity="contact")
    before = _memory()
    begin = time.perf_counter()
    while scan_run(seconds=60):
        pass
    spent = time.perf_counter() - begin
    pairs = DuplicatePair.objects.filter(entity="contact").count()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE contacts_duplicatekey, contacts_duplicatepair")
    newest = list(Contact.objects.order_by("-id").values_list("id", flat=True)[:CHANGED])
    changed = busy(lambda: look_again("contact", newest))
    found = {
        "contacts": contacts,
        "seconds": spent,
        "pairs": pairs,
        "memory": _memory() - before,
        "changed": changed,
        "merge": min(_merge_heaviest() for _ in range(3)),
    }
    _forget()
    return found


def _forget() -> None:
    """The database is as before: other benches write contacts and don't expect keys."""
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE {}, {}, {}".format(
                *(model._meta.db_table for model in (DuplicateKey, DuplicatePair, DuplicateScan))
            )
        )


def _memory() -> float:
    """The most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _merge_heaviest() -> float:
    """Seconds to merge the two contacts with the most activities, taken back afterwards."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT contact_id FROM contacts_pulse ORDER BY orders DESC, contact_id LIMIT 2",
        )
        winner, loser = (Contact.objects.get(pk=pk) for (pk,) in cursor.fetchall())
    spent = 0.0
    try:
        with transaction.atomic():
            spent = busy(lambda: contact_merge(winner=winner, loser=loser, actor=SYSTEM))
            raise _Back
    except _Back:
        return spent


def lines(found: dict[str, dict[str, Any]]) -> list[Line]:
    size, most = list(found.items())[-1]
    per_million = most["seconds"] / most["contacts"] * 1e6
    note = f"{most['seconds']:.0f} s and {most['pairs']:,} pairs at {most['contacts']:,}"
    return [
        Line(f"search for duplicates, per million contacts, {size}", per_million / 60, "≤ 10", note, " min"),
        Line(f"memory of the search, {size}", most["memory"], "≤ 200", "above what the process had", " MB"),
        Line(f"{CHANGED:,} changed contacts compared, {size}", most["changed"], "≤ 2", "", " s"),
        Line(f"merge of the two with the most orders, {size}", 1000 * most["merge"], "≤ 500", "", " ms"),
    ]
