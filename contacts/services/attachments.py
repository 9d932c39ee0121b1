"""Files on records: kept under a random name, known by what their bytes are, given out as downloads only.

The bytes of a file that is removed, or whose record is deleted, stay longer than that can be undone (``LooseFile``).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Attachment, Company, Contact, LooseFile
from contacts.services.on_records import OWN, On, record_on, scope_of
from contacts.services.parts import MOST, tell
from crmcem.lib import cleaning, filetypes
from crmcem.lib.actors import SYSTEM, Actor, acting
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.records import lock, lock_all
from crmcem.lib.references import references
from crmcem.workspace.models.trash import KEPT
from crmcem.workspace.policies import require
from crmcem.workspace.services.trash import after_restore

#: loose bytes stay for so long: an undo that begins in its last second still finds them
STAY = 2 * KEPT


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
    """Take the file off its record."""
    with acting(actor):
        row = lock(Attachment, attachment.pk, actor)
        require(actor, scope_of(about_of(row), write=True))
        if expected_version is not None and row.version != expected_version:
            raise StaleWrite
        _mark_loose([str(row.file.name)], timezone.now())
        Attachment.objects.filter(pk=row.pk).delete()
        _tell(row, actor)


def attachments_remove(*, ids: Sequence[int], actor: Actor) -> int:
    """Take files off their records. Answers how many."""
    with acting(actor):
        rows = lock_all(Attachment, list(ids), actor)
        for row in rows:
            attachment_remove(attachment=row, actor=actor)
    return len(rows)


def register_restore() -> None:
    """Called when the app is ready."""
    after_restore("attachment", Attachment, _back)


def _back(ids: list[int], actor: Actor) -> None:
    for row in Attachment.objects.filter(pk__in=ids):
        _tell(row, actor)


def about_of(row: Any) -> str:
    """``contact``, ``company`` or the kind of a soft subject."""
    return next((name for name in OWN if getattr(row, f"{name}_id") is not None), row.subject_type)


def attachments_forget(*, batch: int = 500) -> int:
    """Take away the bytes that hang on nothing for longer than a deletion can be undone. Answers how many."""
    now = timezone.now()
    loose = ~Exists(LooseFile.objects.filter(file=OuterRef("file")))
    names = Attachment.objects.filter(_orphan(), loose).values_list("file", flat=True)
    _mark_loose(names.iterator(chunk_size=batch), now)
    total = 0
    while True:
        with acting(SYSTEM):
            due = LooseFile.objects.filter(since__lt=now - STAY).select_for_update(skip_locked=True)
            marks = {each.file: each.pk for each in due[:batch]}
            Attachment.objects.filter(_orphan(), file__in=marks).delete()
            back = set(Attachment.objects.filter(file__in=marks).values_list("file", flat=True))
            LooseFile.objects.filter(pk__in=marks.values()).delete()
            gone = [name for name in marks if name not in back]
            storage = Attachment._meta.get_field("file").storage
            for name in gone:
                transaction.on_commit(partial(storage.delete, name), robust=True)
        total += len(gone)
        if len(marks) < batch:
            return total


def _orphan() -> Q:
    """Files whose record is gone."""
    orphan = Q(contact=None, company=None, subject_id=None)
    for kind in references:
        if kind.rows is not None:
            alive = kind.rows(None).order_by().values("pk")
            orphan |= Q(subject_type=kind.key) & ~Q(subject_id__in=alive)
    return orphan


def _mark_loose(names: Iterable[str], since: datetime) -> None:
    LooseFile.objects.bulk_create(
        [LooseFile(file=name, since=since) for name in names],
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["file"],
        update_fields=["since"],
    )


def _tell(row: Attachment, actor: Actor) -> None:
    about = about_of(row)
    if about in OWN:
        model: type[Contact] | type[Company] = OWN[about]
        tell(model.objects.get(pk=getattr(row, f"{about}_id")), "attachments", actor)
