"""What looks after the data quality in the background: values out of form, and the numbers of each day."""

import datetime as dt
import time
from hashlib import md5
from typing import Any
from zoneinfo import ZoneInfo

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from contacts.models import Company, ContactPoint, DataFault, FaultScan, QualityDay
from contacts.quality import MODELS, checks
from contacts.selectors.quality import EVERYBODY
from crmcem.lib.normalise import is_normal
from crmcem.lib.timeouts import statement_timeout
from crmcem.workspace.organisation import organisation

#: values of one transaction
STEP = 5_000
AGAIN = dt.timedelta(hours=20)
COUNT_MS = 60_000

_KEEP = """
WITH bad AS (SELECT * FROM unnest(%(ids)s::bigint[], %(digests)s::text[]) AS b (id, digest)),
mended AS (
    DELETE FROM contacts_datafault f WHERE f.kind = %(kind)s AND f.record_id > %(after)s
      AND (%(last)s IS NULL OR f.record_id <= %(last)s) AND f.record_id NOT IN (SELECT id FROM bad)
)
INSERT INTO contacts_datafault (kind, record_id, digest) SELECT %(kind)s, id, digest FROM bad
ON CONFLICT (kind, record_id) DO UPDATE SET digest = excluded.digest
WHERE contacts_datafault.digest <> excluded.digest
"""


def faults_find(*, seconds: float = 10.0) -> bool:
    """Walk on over the stored values, and begin anew once a day. Whether there is more to do.

    Each step is a transaction with its walk's row locked: a second worker passes by, a killed one loses one step.
    """
    for kind in DataFault.Kind.values:
        FaultScan.objects.get_or_create(kind=kind)
    old = FaultScan.objects.filter(finished_at__lt=timezone.now() - AGAIN)
    old.update(after_id=0, started_at=timezone.now(), finished_at=None)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with transaction.atomic():
            scans = FaultScan.objects.filter(finished_at=None).order_by("kind")
            scan = scans.select_for_update(skip_locked=True).first()
            if scan is None:
                return False
            _step(scan)
    return True


def _step(scan: FaultScan) -> None:
    rows = _values(scan.kind, scan.after_id)
    bad = [(pk, value) for pk, kind, value in rows if not is_normal(kind, value)]
    whole = len(rows) == STEP
    values: dict[str, Any] = {
        "kind": scan.kind,
        "after": scan.after_id,
        "last": rows[-1][0] if whole else None,
        "ids": [pk for pk, _value in bad],
        "digests": [md5(value.encode(), usedforsecurity=False).hexdigest() for _pk, value in bad],
    }
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, values)
    if whole:
        scan.after_id = rows[-1][0]
    else:
        scan.finished_at = timezone.now()
    scan.save(update_fields=["after_id", "finished_at"])


def _values(kind: str, after: int) -> list[tuple[int, str, str]]:
    """``(id, email or phone, value)`` of the next ones."""
    if kind == DataFault.Kind.POINT:
        points = ContactPoint.objects.filter(pk__gt=after, kind__in=("email", "phone")).order_by("pk")
        return list(points.values_list("pk", "kind", "value")[:STEP])
    companies = Company.objects.filter(pk__gt=after, phone__isnull=False).order_by("pk")
    return [(pk, "phone", phone) for pk, phone in companies.values_list("pk", "phone")[:STEP]]


def quality_note() -> int:
    """Note how many records each check finds today, over all records. Answers how many checks were counted.

    What can't be counted within a minute has no number for the day.
    """
    day = timezone.now().astimezone(ZoneInfo(organisation().time_zone)).date()
    totals = {entity: _count(model.objects.all()) for entity, model in MODELS.items()}
    rows = []
    for check in checks:
        found, total = _count(check.rows(EVERYBODY)), totals[check.entity]
        if found is not None and total is not None:
            rows.append(QualityDay(day=day, check_name=check.name, found=found, total=total))
    QualityDay.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["check_name", "day"],
        update_fields=["found", "total"],
    )
    return len(rows)


def _count(rows: Any) -> int | None:
    try:
        with statement_timeout(COUNT_MS):
            return int(rows.order_by().count())
    except OperationalError:
        return None
