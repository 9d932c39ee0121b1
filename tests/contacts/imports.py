"""What the import tests share: files, and a run without a worker."""

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from contacts.importing import runner
from contacts.models import ImportJob
from contacts.services.imports import import_create, import_undo
from crmcem.lib.actors import person


def csv_file(text: str | bytes, name: str = "people.csv") -> SimpleUploadedFile:
    data = text.encode() if isinstance(text, str) else text
    return SimpleUploadedFile(name, data, content_type="text/csv")


def run_import(text: str | bytes, user: Any, kind: str = "contacts", **options: Any) -> ImportJob:
    """Take the text in as a file and run it to its end."""
    job = import_create(file=csv_file(text), kind=kind, actor=person(user), **options)
    runner.run(job.pk)
    job.refresh_from_db()
    return job


def take_back(job: ImportJob, user: Any) -> ImportJob:
    """Undo the import to its end."""
    import_undo(job=job, actor=person(user))
    assert runner.run(job.pk) == "undone"
    job.refresh_from_db()
    return job


def counts(job: ImportJob) -> tuple[int, int, int, int]:
    """(created, updated, skipped, failed)"""
    return job.created, job.updated, job.skipped, job.failed


def errors(job: ImportJob) -> list[tuple[int, str, str]]:
    return list(job.row_errors.values_list("row", "field", "code"))
