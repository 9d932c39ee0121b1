"""Files of customers: taken in, mapped, started, cancelled. The work itself is in ``contacts.importing``."""

import uuid
from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.importing import mapping as mappings
from contacts.importing import vcards
from contacts.importing.cleaning import COLUMNS
from contacts.importing.fields import ENTITIES, NEW_FIELD, NEW_OPTIONS, NEW_TYPES, target
from contacts.importing.reading import VCARD, XLSX, Shape, detect_shape
from contacts.importing.runner import RUN
from contacts.importing.undo import undo_begin
from contacts.models import ImportJob
from contacts.services.custom_fields import custom_field_create
from contacts.services.import_memory import SETTINGS, mapping_remember, mapping_remembered
from crmcem.lib.actors import Actor
from crmcem.lib.errors import Conflict, DomainError, NotAllowed
from crmcem.lib.jobs import soon
from crmcem.lib.records import lock
from crmcem.workspace.policies import can, require

SAMPLE_ROWS = 25
SEPARATORS = tuple(ImportJob.Separator.values)
ENDED = {ImportJob.Status.DONE, ImportJob.Status.FAILED, ImportJob.Status.CANCELLED}


def import_create(
    *,
    file: "File[bytes]",
    kind: str,
    actor: Actor,
    mapping: Any = None,
    mode: str = ImportJob.Mode.UPSERT,
    start: bool = True,
    sheet: str = "",
    separator: str = "",
    make_companies: bool = True,
    new_fields: Any = None,
    ready: bool = False,
) -> ImportJob:
    """Take a file in: look at its shape, guess or check the mapping, and start the import if asked to.

    ``kind`` is ``contacts`` or ``companies``; ``sheet`` names one of a spreadsheet's (else the first with rows). A
    draft may map columns to fields that the actor may not write (a note), so that they are seen; what starts, or is
    ``ready`` to, may not. Raises DomainError that says what to mend in the file or the mapping, and NotAllowed that
    names the column; then nothing is kept.
    """
    _allowed(actor)
    _known("object", kind, tuple(COLUMNS))
    _known("mode", mode, tuple(ImportJob.Mode.values))
    _known("separator", separator, ("", *SEPARATORS))
    if actor.user is None:
        raise DomainError.of(
            "file", "no_person", _("An import belongs to a person: sign in or send a token.")
        )
    limit = settings.IMPORT_MAX_BYTES
    if (file.size or 0) > limit:
        raise DomainError.of(
            "file",
            "too_large",
            _("The file has %(size)d MB, at most %(limit)d MB can be read. Send it in parts.")
            % {"size": (file.size or 0) // 1_000_000 + 1, "limit": limit // 1_000_000},
        )
    shape = detect_shape(file, SAMPLE_ROWS, sheet)
    if shape.encoding == VCARD:
        if kind != "contacts":
            raise DomainError.of(
                "object", "vcards", _("A file of vCards holds contacts. Import it as contacts.")
            )
        separator = vcards.BETWEEN
    job = ImportJob(
        owner=actor.user,
        team_id=actor.user.team_id,
        object=kind,
        columns=shape.columns,
        mode=mode,
        separator=separator,
        make_companies=make_companies,
    )
    if mapping is None or mapping == {}:
        _map(job, shape, actor, settings_too=not start)
        mapping = job.mapping
    if start or ready or job.mapping != mapping:
        import_settings(job, actor, mapping=mapping, new_fields=new_fields)
    return _save(job, file, shape, start, actor)


def _map(job: ImportJob, shape: Shape, actor: Actor, *, settings_too: bool) -> None:
    """Map the columns as they were mapped the last time, or by a guess."""
    known = mapping_remembered(kind=job.object, columns=shape.columns, actor=actor)
    if known is None:
        job.mapping = mappings.guess(job.object, shape.columns, shape.sample)
        job.mapped_like = ""
        return
    job.mapping, job.mapped_like = known.mapping, known.file_name
    if settings_too and shape.encoding != VCARD:
        for name in SETTINGS:
            setattr(job, name, known.settings.get(name, getattr(job, name)))


def _save(job: ImportJob, file: "File[bytes]", shape: Shape, start: bool, actor: Actor) -> ImportJob:
    job.file_name = _file_name(file)
    job.encoding, job.delimiter, job.columns = shape.encoding, shape.delimiter, shape.columns
    job.sheet, job.sheets = shape.sheet, list(shape.sheets)
    job.status = ImportJob.Status.QUEUED if start else ImportJob.Status.DRAFT
    file.seek(0)
    ending = {XLSX: "xlsx", VCARD: "vcf"}.get(shape.encoding, "csv")
    job.file.save(f"{uuid.uuid4().hex}.{ending}", file, save=False)
    try:
        with transaction.atomic():
            if start:
                _make_fields(job, actor)
            job.save()
            if start:
                mapping_remember(job=job)
    except BaseException:
        job.file.delete(save=False)
        raise
    if start:
        soon(RUN, job.pk)
    return job


def import_sheet(*, job: ImportJob, sheet: str, actor: Actor) -> ImportJob:
    """Read another sheet of a draft's spreadsheet; its columns are mapped anew. Raises DomainError, Conflict."""
    _allowed(actor)
    with transaction.atomic():
        job = lock(ImportJob, job.pk, actor)
        only_draft(job)
        if sheet not in job.sheets:
            raise DomainError.of("sheet", "invalid_choice", _("Choose one of: %s.") % ", ".join(job.sheets))
        with job.file.open("rb") as stream:
            shape = detect_shape(stream, SAMPLE_ROWS, sheet)
        made = job.rows.name
        job.sheet, job.columns, job.rows = shape.sheet, shape.columns, ""
        job.report, job.rows_total = {}, None
        _map(job, shape, actor, settings_too=True)
        fields = ["sheet", "columns", "rows", "report", "rows_total", "mapping", "mapped_like", *SETTINGS]
        job.save(update_fields=fields)
        job.fixes.all().delete()
        job.row_errors.all().delete()
        if made:
            transaction.on_commit(lambda: job.rows.storage.delete(made))
    return job


def only_draft(job: ImportJob) -> None:
    """Raises Conflict where the import has been started."""
    if job.status != ImportJob.Status.DRAFT:
        raise Conflict("started", _("This import has been started already."))


def import_settings(
    job: ImportJob,
    actor: Actor,
    *,
    mapping: Any = None,
    mode: str | None = None,
    separator: str | None = None,
    make_companies: bool | None = None,
    new_fields: Any = None,
) -> list[str]:
    """Put a mapping and the other choices into a job (not saved). Answers the names of its columns.

    ``new_fields`` is ``{custom.key: type}`` for those that are made on the way. Raises DomainError, NotAllowed.
    """
    job.mapping = mappings.check(
        job.object,
        job.columns,
        job.mapping if mapping is None else mapping,
        new_fields=can(actor, NEW_FIELD),
    )
    _may_map(job.object, job.mapping, actor)
    if mode is not None:
        _known("mode", mode, tuple(ImportJob.Mode.values))
        job.mode = mode
    if separator is not None:
        _known("separator", separator, ("", *SEPARATORS))
        job.separator = separator
    if make_companies is not None:
        job.make_companies = make_companies
    if new_fields is not None:
        if not isinstance(new_fields, dict):
            raise DomainError.of(
                "new_fields", "invalid", _('Send an object such as {"custom.tier": "text"}.')
            )
        for kind in new_fields.values():
            _known("new_fields", kind, NEW_TYPES)
        job.new_fields = {key: kind for key, kind in new_fields.items() if key in job.mapping.values()}
    return ["mapping", "new_fields", *SETTINGS]


def import_start(*, job: ImportJob, actor: Actor, **chosen: Any) -> ImportJob:
    """Start a draft; ``chosen`` is what ``import_settings`` takes. Starting it twice is refused with Conflict."""
    _allowed(actor)
    with transaction.atomic():
        job = lock(ImportJob, job.pk, actor)
        only_draft(job)
        fields = import_settings(job, actor, **chosen)
        _make_fields(job, actor)
        job.row_errors.all().delete()
        job.status = ImportJob.Status.QUEUED
        job.save(update_fields=[*fields, "status"])
        mapping_remember(job=job)
        soon(RUN, job.pk)
    return job


def import_cancel(*, job: ImportJob, actor: Actor) -> ImportJob:
    """Stop after the chunk in work; what is in stays in. A dry run becomes a draft again, an ended import stays."""
    require(actor, "imports:write")
    with transaction.atomic():
        job = lock(ImportJob, job.pk, actor)
        if job.status == ImportJob.Status.CHECKING:  # nothing is written: the draft is as it was
            job.status, job.report, job.claimed_until = ImportJob.Status.DRAFT, {}, None
            job.save(update_fields=["status", "report", "claimed_until"])
            return job
        waiting = job.status in {ImportJob.Status.DRAFT, ImportJob.Status.QUEUED}
        idle = job.claimed_until is None or job.claimed_until < timezone.now()
        if waiting or (job.status == ImportJob.Status.RUNNING and idle):
            job.status = ImportJob.Status.CANCELLED
            job.finished_at = timezone.now()
        if job.status in {ImportJob.Status.RUNNING, ImportJob.Status.CANCELLED}:
            job.cancel_requested = True
            job.save(update_fields=["status", "finished_at", "cancel_requested"])
    return job


def import_undo(*, job: ImportJob, actor: Actor) -> ImportJob:
    """Take an ended import back: what it created is deleted, what it changed is as before, unless changed since.

    The work goes on in the background; the job's ``kept_records`` tell what was left. Raises Conflict where the import
    has not ended, did nothing, or is undone already.
    """
    _allowed(actor)
    if actor.user is None:
        raise Conflict("no_person", _("An import is undone by a person: sign in or send a token."))
    with transaction.atomic():
        job = lock(ImportJob, job.pk, actor)
        if job.status in {ImportJob.Status.UNDOING, ImportJob.Status.UNDONE}:
            raise Conflict("undone", _("This import is undone already."))
        if job.status not in ENDED:
            raise Conflict("open", _("This import has not ended yet: stop it first."))
        if not (job.created or job.updated):
            raise Conflict("nothing", _("This import changed nothing, so there is nothing to undo."))
        job.status = ImportJob.Status.UNDOING
        job.undone_by = actor.user
        job.claimed_until = None
        job.undo = undo_begin(job)
        job.save(update_fields=["status", "undone_by", "claimed_until", "undo"])
        soon(RUN, job.pk)
    return job


def import_shape(job: ImportJob) -> Shape:
    """The file's header and first rows again, for the preview."""
    with job.file.open("rb") as stream:
        return detect_shape(stream, SAMPLE_ROWS, job.sheet)


def _allowed(actor: Actor) -> None:
    require(actor, "imports:write")
    require(actor, "contacts:write")


def _may_map(kind: str, mapping: dict[str, str], actor: Actor) -> None:
    """Some fields need a permission of their own (notes, giving records to other people). Raises NotAllowed."""
    for column, key in mapping.items():
        found = target(kind, key) if key else None
        if found is not None and found.needs and not can(actor, found.needs):
            detail = _(
                "The column “%(column)s” is mapped to “%(field)s”, which needs the permission %(scope)s. Ask for it, "
                "or leave the column out (map it to an empty text)."
            ) % {"column": column, "field": found.label, "scope": found.needs}
            raise NotAllowed(found.needs, detail)


def _make_fields(job: ImportJob, actor: Actor) -> None:
    """The custom fields that columns are mapped to and that nobody has made yet."""
    for column, key in job.mapping.items():
        found = target(job.object, key) if key else None
        if found is not None and found.needs == NEW_FIELD:
            name = column.strip().removeprefix("custom.").replace("_", " ").strip() or key[7:]
            kind = job.new_fields.get(key, "text")
            data = {"entity": ENTITIES[job.object], "key": key[7:], "label": name[:80], "type": kind}
            if kind in NEW_OPTIONS:
                data["options"] = NEW_OPTIONS[kind]
            custom_field_create(data=data, actor=actor)


def _known(field: str, value: Any, values: tuple[str, ...]) -> None:
    if value not in values:
        raise DomainError.of(
            field, "invalid_choice", _("Choose one of: %s.") % ", ".join(str(v) for v in values)
        )


def _file_name(file: "File[bytes]") -> str:
    name = PurePath(str(file.name or "").replace("\\", "/")).name
    clean = "".join(c for c in name if c.isprintable())
    return clean[-255:] or "import.csv"
