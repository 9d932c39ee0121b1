"""An import in words: where it stands and what happened."""

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from contacts.models import Company, Contact, ImportJob, ImportKept

TONES = {
    "draft": ("grey", "pencil"),
    "checking": ("blue", "loader-2"),
    "queued": ("grey", "clock"),
    "running": ("blue", "loader-2"),
    "done": ("green", "check"),
    "failed": ("red", "alert-triangle"),
    "cancelled": ("yellow", "ban"),
    "undoing": ("blue", "arrow-back-up"),
    "undone": ("grey", "arrow-back-up"),
}
MODES = {
    "upsert": gettext_lazy("Create new records and update those that exist"),
    "create": gettext_lazy("Only create: rows of records that exist are refused"),
    "update": gettext_lazy("Only update: rows without a record are refused"),
}


def status_tag(job: ImportJob) -> tuple[str, str, str]:
    """(word, tone, icon); done with refused rows is not plain green."""
    tone, icon = TONES[job.status]
    if job.status == ImportJob.Status.DONE and job.failed:
        return _("Done, some rows refused"), "yellow", "alert-circle"
    if job.status == ImportJob.Status.DONE and job.left_out:
        return _("Done, some parts left out"), "yellow", "alert-circle"
    return str(job.get_status_display()), tone, icon


def grouped(value: int | None) -> str:
    return number_format(value or 0, use_l10n=True, force_grouping=True)


def _records(job: ImportJob, count: int) -> str:
    if job.object == "companies":
        return ngettext("%(n)s company", "%(n)s companies", count) % {"n": grouped(count)}
    return ngettext("%(n)s contact", "%(n)s contacts", count) % {"n": grouped(count)}


def sentences(job: ImportJob) -> list[str]:
    """What an ended import has done, in plain sentences."""
    said = []
    if job.status == ImportJob.Status.CANCELLED:
        if job.rows_done:
            said.append(
                _("Stopped after row %(row)s of %(total)s. What came in before stays in.")
                % {"row": grouped(job.rows_done), "total": grouped(job.rows_total)}
            )
        else:
            said.append(_("Cancelled before the first row. Nothing was changed."))
    elif job.status == ImportJob.Status.FAILED:
        said.append(job.error or _("The import stopped."))
        if not job.rows_done:
            said.append(_("Nothing was changed."))
    elif job.status == ImportJob.Status.UNDONE:
        said.append(_("This import was undone."))
        said += _undone(job)
    else:
        said += _counts(job)
    if job.status == ImportJob.Status.DONE and not job.rows_done:
        said.append(_("The file has a header and no rows below it. Nothing was changed."))
    return said


def _counts(job: ImportJob) -> list[str]:
    said = []
    if job.created:
        said.append(_("Created: %s.") % _records(job, job.created))
    if job.updated:
        said.append(_("Updated: %s.") % _records(job, job.updated))
    if job.skipped:
        said.append(
            ngettext(
                "%s row changed nothing: its record holds the same already.",
                "%s rows changed nothing: their records hold the same already.",
                job.skipped,
            )
            % grouped(job.skipped)
        )
    if job.failed:
        said.append(
            ngettext(
                "%s row could not come in. It is below with its reason.",
                "%s rows could not come in. They are below with their reasons.",
                job.failed,
            )
            % grouped(job.failed)
        )
    if job.left_out:
        said.append(
            ngettext(
                "%s part of a row had no room on its record and was left out. It is below.",
                "%s parts of rows had no room on their records and were left out. They are below.",
                job.left_out,
            )
            % grouped(job.left_out)
        )
    return said


def _undone(job: ImportJob) -> list[str]:
    said = []
    if job.undone_created:
        said.append(_("Deleted again: %s.") % _records(job, job.undone_created))
    if job.undone_updated:
        said.append(_("As before again: %s.") % _records(job, job.undone_updated))
    if job.kept:
        said.append(
            ngettext(
                "%s record was left as it is. It is below with the reason.",
                "%s records were left as they are. They are below with the reasons.",
                job.kept,
            )
            % grouped(job.kept)
        )
    return said


def undo_words(job: ImportJob) -> str:
    """What undoing will do, in numbers."""
    said = []
    if job.created:
        said.append(_("%s created by this import will be deleted.") % _records(job, job.created))
    if job.updated:
        said.append(_("%s will be as before.") % _records(job, job.updated))
    said.append(_("What has been changed or used since stays as it is and is listed."))
    return " ".join(said)


def kept_rows(rows: Sequence[ImportKept], user: Any) -> list[dict[str, Any]]:
    """Records that were left as they are: name and address where the person may see them, reason, fields."""
    found: dict[tuple[str, int], Any] = {}
    for entity, model in (("contact", Contact), ("company", Company)):
        ids = [row.record_id for row in rows if row.entity == entity]
        if ids:
            found |= {(entity, row.pk): row for row in model.objects.visible_to(user).filter(pk__in=ids)}
    return [
        {
            "record": found.get((row.entity, row.record_id)),
            "url": reverse(f"contacts:{row.entity}", args=[row.record_id]),
            "id": row.record_id,
            "reason": row.get_reason_display(),
            "fields": ", ".join(row.fields),
        }
        for row in rows
    ]


def progress(job: ImportJob) -> dict[str, Any]:
    """What the progress bar shows; ``percent`` is None while the rows are not counted yet."""
    percent = None
    if job.status == ImportJob.Status.UNDOING:
        gone = job.undone_created + job.undone_updated + job.kept
        whole = job.created + job.updated
        text = _("%(done)s of %(total)s records taken back. You can leave this page: the work goes on.") % {
            "done": grouped(gone),
            "total": grouped(whole),
        }
        return {"percent": min(100, gone * 100 // whole) if whole else None, "text": text}
    if job.status == ImportJob.Status.CHECKING and job.rows_total is not None:
        done = job.report.get("rows", 0)
        text = _("%(done)s of %(total)s rows checked. Nothing is written. You can leave this page.") % {
            "done": grouped(done),
            "total": grouped(job.rows_total),
        }
        return {"percent": done * 100 // max(job.rows_total, 1), "text": text}
    if job.rows_total is not None:
        percent = 100 if not job.rows_total else min(100, job.rows_done * 100 // job.rows_total)
    if job.cancel_requested:
        text = _("Stopping after the rows in work …")
    elif job.status == ImportJob.Status.QUEUED:
        text = _("Waiting for a worker. You can leave this page: the import goes on.")
    elif job.rows_total is None:
        text = _("Counting the rows …")
    else:
        text = _("%(done)s of %(total)s rows. You can leave this page: the import goes on.") % {
            "done": grouped(job.rows_done),
            "total": grouped(job.rows_total),
        }
    return {"percent": percent, "text": text}
