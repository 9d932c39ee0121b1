"""Files on records: kept under a random name, known by what their bytes are, given out as downloads only."""

from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from contacts.models import Attachment, Company, Contact
from contacts.services.on_records import OWN, On, record_on, scope_of
from contacts.services.parts import MOST, tell
from crmcem.lib import cleaning, filetypes
from crmcem.lib.actors import SYSTEM, Actor, acting
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.records import lock
from crmcem.lib.references import references
from crmcem.workspace.policies import require


def attachment_add(
    *, file: "File[bytes]", on: On, actor: Actor, name: str = "", note: Any = ""
) -> Attachment:
    """Keep a file with a record. Raises DomainError for one that is too large, of another kind, or would do harm."""
    require(actor, scope_of(on.about, write=True))
    limit = settings.ATTACHMENT_MAX_BYTES
    if (file.size or 0) > limit:
        raise DomainError.of(
            "file",
            "too_large",
            _("The file has %(size)d MB, at most %(limit)d MB can be kept.")
            % {"size": (file.size or 0) // 1_000_000 + 1, "limit": limit // 1_000_000},
        )
    if not file.size:
        raise DomainError.of("file", "empty", _("The file is empty."))
    try:
        clean_note = str(cleaning.text(300)(note))
    except ValueError as error:
        raise DomainError.of("note", getattr(error, "code", "invalid"), error) from error
    try:
        kind = filetypes.content_type(file)
    except ValueError as error:
        raise DomainError.of("file", getattr(error, "code", "invalid"), error) from error
    row = Attachment(
        name=file_name(name or file.name or ""),
        content_type=kind,
        size=file.size,
        note=clean_note,
        uploaded_by=actor.user,
        **on.columns,
    )
    try:
        with acting(actor):
            record_on(on.about, on.pk, actor, write=True)
            if Attachment.objects.filter(**on.columns).count() >= MOST:
                raise DomainError.of(
                    "file", "too_many", _("There can be %(most)s of them at most.") % {"most": MOST}
                )
            row.file.save(row.name, file, save=False)
            row.save(force_insert=True)
            _tell(row, actor)
    except BaseException:
        if row.file:
            row.file.storage.delete(str(row.file.name))
        raise
    return row


def file_name(text: str) -> str:
    """A name without a path or signs that can't be seen; never empty."""
    base = PurePath(text.replace("\\", "/")).name
    shown = " ".join("".join(c if c.isprintable() else " " for c in base).split())
    stem, dot, end = shown.rpartition(".")
    if len(shown) > 200:
        shown = f"{stem[: 200 - len(end) - 1]}{dot}{end}" if len(end) < 20 else shown[:200]
    return shown or "file"


def attachment_remove(*, attachment: Attachment, actor: Actor, expected_version: int | None = None) -> None:
    """Take the file away for good."""
    with acting(actor):
        row = lock(Attachment, attachment.pk, actor)
        require(actor, scope_of(about_of(row), write=True))
        if expected_version is not None and row.version != expected_version:
            raise StaleWrite
        _drop(row)
        _tell(row, actor)


def about_of(row: Any) -> str:
    """``contact``, ``company`` or the kind of a soft subject."""
    return next((name for name in OWN if getattr(row, f"{name}_id") is not None), row.subject_type)


def attachments_forget(*, batch: int = 500) -> int:
    """Take away the files whose records are gone. Answers how many."""
    orphan = Q(contact=None, company=None, subject_id=None)
    for kind in references:
        if kind.rows is not None:
            alive = kind.rows(None).order_by().values("pk")
            orphan |= Q(subject_type=kind.key) & ~Q(subject_id__in=alive)
    total = 0
    while True:
        with acting(SYSTEM):
            rows = list(Attachment.objects.filter(orphan).select_for_update(skip_locked=True)[:batch])
            for row in rows:
                _drop(row)
        total += len(rows)
        if len(rows) < batch:
            return total


def _drop(row: Attachment) -> None:
    storage, name = row.file.storage, str(row.file.name)
    type(row).objects.filter(pk=row.pk).delete()
    transaction.on_commit(lambda: storage.delete(name), robust=True)


def _tell(row: Attachment, actor: Actor) -> None:
    about = about_of(row)
    if about in OWN:
        model: type[Contact] | type[Company] = OWN[about]
        tell(model.objects.get(pk=getattr(row, f"{about}_id")), "attachments", actor)
