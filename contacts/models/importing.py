from django.db import models
from django.utils.translation import gettext_lazy as _

from crmcem.lib.visibility import OwnedQuerySet


class ImportQuerySet(OwnedQuerySet):
    """An import is visible to the person who started it, and to those who see all records."""


class ImportJob(models.Model):
    """One file on its way in. ``mapping`` is ``{column of the file: field of the object or ""}``.

    ``next_row`` is the first row not yet committed: rows before it are in for good, so a killed import
    goes on there. ``claimed_until`` is the lease of the worker that runs it. ``undo`` is how far taking it back
    has come (``contacts.importing.undo``), ``kept`` counts what was left as it is. ``rows`` is the file that is read
    where the one that was sent is no CSV: ``sheet`` of a spreadsheet, one of ``sheets``. ``separator`` parts several
    values in a cell; without it any of the usual signs does. Without ``make_companies`` an unknown one is an error.
    ``new_fields`` says of which type a custom field is made that the mapping names. ``report`` is what a dry run found:
    ``{rows, create, update, skip, failed, left_out, alike}``, or ``{error}``; ``checks`` counts the dry runs that were
    begun, so that a worker that is still at an earlier one knows it. ``mapped_like`` names the import whose mapping was
    taken.
    ``left_out`` counts the parts that did not fit on the record of a row that came in.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("Waiting for the mapping")
        CHECKING = "checking", _("Being checked")
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")
        UNDOING = "undoing", _("Being undone")
        UNDONE = "undone", _("Undone")

    class Mode(models.TextChoices):
        CREATE = "create", _("Create only")
        UPSERT = "upsert", _("Create and update")
        UPDATE = "update", _("Update only")

    class Separator(models.TextChoices):
        SEMICOLON = ";", _("Semicolon ;")
        COMMA = ",", _("Comma ,")
        BAR = "|", _("Bar |")
        SLASH = "/", _("Slash /")

    owner = models.ForeignKey("workspace.User", models.CASCADE, related_name="imports")
    team = models.ForeignKey("workspace.Team", models.SET_NULL, null=True, related_name="+")
    object = models.CharField(
        _("records"),
        max_length=12,
        choices=[("contacts", _("Contacts")), ("companies", _("Companies"))],
    )
    file = models.FileField(upload_to="imports/%Y/%m/", max_length=300)
    file_name = models.CharField(_("file"), max_length=255)
    encoding = models.CharField(max_length=40, blank=True)
    delimiter = models.CharField(max_length=1, blank=True)
    sheet = models.CharField(_("sheet"), max_length=100, blank=True, default="", db_default="")
    sheets = models.JSONField(default=list, db_default=[])
    rows = models.FileField(
        upload_to="imports/%Y/%m/", max_length=300, blank=True, default="", db_default="", editable=False
    )
    columns = models.JSONField(default=list)
    mapping = models.JSONField(default=dict)
    mode = models.CharField(_("mode"), max_length=8, choices=Mode.choices, default=Mode.UPSERT)
    separator = models.CharField(
        max_length=1, choices=Separator.choices, blank=True, default="", db_default=""
    )
    make_companies = models.BooleanField(default=True, db_default=True)
    new_fields = models.JSONField(default=dict, db_default={})
    mapped_like = models.CharField(max_length=255, blank=True, default="", db_default="")
    report = models.JSONField(default=dict, db_default={}, editable=False)
    checks = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.DRAFT)
    rows_total = models.PositiveIntegerField(null=True)
    rows_done = models.PositiveIntegerField(default=0)
    next_row = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    left_out = models.PositiveIntegerField(default=0, db_default=0)
    error = models.TextField(blank=True)
    cancel_requested = models.BooleanField(default=False)
    claimed_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(
        "workspace.User", models.SET_NULL, null=True, related_name="+", db_index=False
    )
    undo = models.JSONField(default=dict, db_default={}, editable=False)
    undone_created = models.PositiveIntegerField(default=0, db_default=0)
    undone_updated = models.PositiveIntegerField(default=0, db_default=0)
    kept = models.PositiveIntegerField(default=0, db_default=0)

    objects = ImportQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        indexes = [
            models.Index(fields=["owner", "-id"], name="import_owner"),
            models.Index(
                fields=["id"],
                name="import_open",
                condition=models.Q(status__in=["queued", "running"]),
            ),
        ]

    def __str__(self) -> str:
        return self.file_name


class ImportRowError(models.Model):
    """Why a row did not come in: ``row`` counts from 1 below the header, ``raw`` is the row as read.

    ``left_out``: the row came in, but for a part of it (an address, a number) that its record has no room for.
    """

    job = models.ForeignKey(ImportJob, models.CASCADE, related_name="row_errors")
    row = models.PositiveIntegerField()
    field = models.CharField(max_length=120, blank=True)
    code = models.CharField(max_length=60)
    detail = models.TextField()
    raw = models.JSONField(default=list)
    left_out = models.BooleanField(default=False, db_default=False)

    class Meta:
        ordering = ["row", "id"]
        verbose_name = _("import error")
        verbose_name_plural = _("import errors")
        indexes = [
            models.Index(fields=["job", "id"], name="importrowerror_job"),
            models.Index(
                fields=["job", "id"], name="importrowerror_left_out", condition=models.Q(left_out=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.row}: {self.detail}"


class ImportFix(models.Model):
    """A cell that was mended before the import: what stands in the file at this place doesn't count."""

    job = models.ForeignKey(ImportJob, models.CASCADE, related_name="fixes", db_index=False)
    row = models.PositiveIntegerField()
    column = models.PositiveIntegerField()
    value = models.TextField()

    class Meta:
        ordering = ["row", "column"]
        verbose_name = _("mended cell")
        verbose_name_plural = _("mended cells")
        constraints = [models.UniqueConstraint(fields=["job", "row", "column"], name="importfix_once")]

    def __str__(self) -> str:
        return f"{self.row}: {self.value[:40]}"


class ImportMapping(models.Model):
    """How somebody mapped the columns of a header the last time: offered to them and to their team for the same header.

    ``digest`` is that of the names of the columns, whatever their order. ``mapping`` has them in lower case.
    """

    owner = models.ForeignKey("workspace.User", models.CASCADE, related_name="+", db_index=False)
    team = models.ForeignKey("workspace.Team", models.SET_NULL, null=True, related_name="+", db_index=False)
    object = models.CharField(max_length=12)
    digest = models.CharField(max_length=64)
    mapping = models.JSONField(default=dict)
    settings = models.JSONField(default=dict)
    file_name = models.CharField(max_length=255)
    used_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-used_at"]
        verbose_name = _("remembered mapping")
        verbose_name_plural = _("remembered mappings")
        constraints = [
            models.UniqueConstraint(fields=["owner", "object", "digest"], name="importmapping_once")
        ]
        indexes = [models.Index(fields=["team", "object", "digest"], name="importmapping_team")]

    def __str__(self) -> str:
        return self.file_name


class ImportPoint(models.Model):
    """An address or number that an import added to a contact that existed: what taking it back removes again.

    The audit doesn't tell (it leaves out that points are made). Bare ids: both rows may be gone by then.
    """

    job = models.ForeignKey(ImportJob, models.CASCADE, related_name="+", db_index=False)
    contact_id = models.BigIntegerField()
    point_id = models.BigIntegerField()

    class Meta:
        ordering = ["id"]
        verbose_name = _("point added by an import")
        verbose_name_plural = _("points added by imports")
        indexes = [models.Index(fields=["job", "id"], name="importpoint_job")]

    def __str__(self) -> str:
        return f"{self.contact_id}: {self.point_id}"


class ImportPart(models.Model):
    """An address, profile, note or domain that an import added to (``made``) or changed at a record that existed.

    The audit has what it was before, but not whose part it is: a contact's, or a company's where the file is one of
    companies. ``counted``: the record counted as updated by its parts alone. Bare ids: both rows may be gone by then.
    """

    job = models.ForeignKey(ImportJob, models.CASCADE, related_name="+", db_index=False)
    contact_id = models.BigIntegerField(null=True)
    company_id = models.BigIntegerField(null=True)
    entity = models.CharField(max_length=8)
    part_id = models.BigIntegerField()
    made = models.BooleanField()
    counted = models.BooleanField()

    class Meta:
        ordering = ["id"]
        verbose_name = _("part added or changed by an import")
        verbose_name_plural = _("parts added or changed by imports")
        indexes = [
            models.Index(fields=["job", "contact_id"], name="importpart_job"),
            models.Index(
                fields=["job", "company_id"],
                name="importpart_company",
                condition=models.Q(company_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contact_id or self.company_id}: {self.entity} {self.part_id}"


class ImportKept(models.Model):
    """A record that taking an import back left as it is, and why. ``fields`` are those that the import changed."""

    class Reason(models.TextChoices):
        CHANGED = "changed", _("Changed since")
        IN_USE = "in_use", _("In use since")
        TAKEN = "taken", _("Another record has its old address or id now")
        HIDDEN = "hidden", _("Not yours to see")

    job = models.ForeignKey(ImportJob, models.CASCADE, related_name="kept_records")
    entity = models.CharField(max_length=10, choices=[("contact", _("Contact")), ("company", _("Company"))])
    record_id = models.BigIntegerField()
    reason = models.CharField(max_length=10, choices=Reason.choices)
    fields = models.JSONField(default=list)

    class Meta:
        ordering = ["id"]
        verbose_name = _("record kept by an undone import")
        verbose_name_plural = _("records kept by undone imports")
        indexes = [models.Index(fields=["job", "id"], name="importkept_job")]

    def __str__(self) -> str:
        return f"{self.entity} {self.record_id}: {self.get_reason_display()}"
