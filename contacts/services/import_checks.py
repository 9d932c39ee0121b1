"""Before an import: a dry run over all rows, and cells that are mended without touching the file."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from contacts.importing.fields import bare, cleaner_for, target
from contacts.importing.runner import RUN
from contacts.importing.several import signs
from contacts.models import ImportFix, ImportJob, ImportRowError
from contacts.services.imports import import_settings, only_draft
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError, FieldError
from crmcem.lib.jobs import soon
from crmcem.lib.records import lock
from crmcem.workspace.organisation import organisation
from crmcem.workspace.policies import require

MAX_FIXES, MAX_VALUE, AT_ONCE = 5_000, 10_000, 500
NO_COUNTS = {"rows": 0, "create": 0, "update": 0, "skip": 0, "failed": 0}
#: (row, place of the column)
Cells = Mapping[tuple[int, int], str]


def import_check(*, job: ImportJob, actor: Actor, **chosen: Any) -> ImportJob:
    """Begin a dry run of a draft over all its rows. ``chosen`` is what ``import_start`` takes.

    It ends as a draft again, with ``report`` and the rows that would be refused. Raises Conflict, DomainError.
    """
    require(actor, "imports:write")
    with transaction.atomic():
        job = lock(ImportJob, job.pk, actor)
        only_draft(job)
        fields = import_settings(job, actor, **chosen)
        ImportRowError.objects.filter(job=job).delete()
        job.status = ImportJob.Status.CHECKING
        job.report = dict(NO_COUNTS)
        job.checks += 1
        job.claimed_until = None
        job.save(update_fields=[*fields, "status", "report", "checks", "claimed_until"])
        soon(RUN, job.pk)
    return job


def import_mend(*, job: ImportJob, cells: Cells, actor: Actor) -> int:
    """Keep what is right among the mended cells of a draft; only cells of rows that a dry run refused can be mended.

    Answers how many were kept. Raises DomainError with the others, each as ``cell-ROW-COLUMN``; Conflict.
    """
    require(actor, "imports:write")
    errors: list[FieldError] = []
    with transaction.atomic():
        job = lock(ImportJob, job.pk, actor)
        only_draft(job)
        if len(cells) > AT_ONCE:
            raise DomainError.of("cells", "max_items", _("Send at most %d cells at once.") % AT_ONCE)
        numbers = {row for row, _column in cells}
        rows = ImportRowError.objects.filter(job=job, row__in=numbers, left_out=False).only("row", "raw")
        refused = {error.row for error in rows if len(error.raw) == len(job.columns)}
        good = []
        for (row, column), value in cells.items():
            error = _fault(job, row in refused, column, value)
            if error is None:
                good.append(ImportFix(job=job, row=row, column=column, value=value.strip()))
            else:
                errors.append(FieldError(f"cell-{row}-{column}", *error))
        if good:
            if job.fixes.count() + len(good) > MAX_FIXES:
                detail = _("At most %d cells can be mended here. Mend the others in the file.") % MAX_FIXES
                raise DomainError.of("cells", "max_items", detail)
            ImportFix.objects.bulk_create(
                good, update_conflicts=True, unique_fields=["job", "row", "column"], update_fields=["value"]
            )
    if errors:
        raise DomainError(*errors)
    return len(good)


def _fault(job: ImportJob, refused: bool, column: int, value: str) -> tuple[str, str] | None:
    """Why this cell can't be kept: (code, detail)."""
    if not refused or not 0 <= column < len(job.columns):
        return "unknown_cell", _("Only cells of rows that were refused can be mended.")
    if len(value) > MAX_VALUE or "\x00" in value:
        return "characters", _("This text is too long, or holds signs that are no text.")
    key = job.mapping.get(job.columns[column]) or ""
    found = target(job.object, key, job.new_fields.get(key, "text")) if key else None
    several = any(sign in value for sign in signs(job.object, key, job.separator))
    if found is None or several or not value.strip():
        return None
    clean = cleaner_for(found, organisation().country, job.separator)
    try:
        clean(bare(value))
    except ValueError as error:
        return getattr(error, "code", "invalid"), str(error)
    return None
