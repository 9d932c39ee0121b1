from datetime import timedelta
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crmcem.lib.audit import audited

from .access import User

#: the file of a finished export is kept so long
KEPT = timedelta(days=1)


class ExportQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> Self:
        """One's own only: a file may hold what nobody else sees."""
        return self.filter(owner_id=user.pk)


class Export(models.Model):
    """Who carried which list away, how many rows of it, and the file while it is kept.

    ``path`` and ``query`` are the list's address; a small export was answered at once and has no file.
    ``claimed_until`` is the lease of the worker that makes the file.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    owner = models.ForeignKey(User, models.CASCADE, related_name="exports", verbose_name=_("person"))
    entity = models.CharField(_("records"), max_length=20)
    title = models.CharField(_("list"), max_length=120)
    scope = models.CharField(max_length=40)
    path = models.CharField(_("address"), max_length=200)
    query = models.TextField(_("filters and order"), blank=True)
    columns = ArrayField(models.CharField(max_length=80), default=list, verbose_name=_("columns"))
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    rows_estimated = models.PositiveBigIntegerField(null=True)
    rows_done = models.PositiveBigIntegerField(_("rows"), default=0)
    file = models.FileField(upload_to="exports/%Y/%m/", max_length=300, blank=True)
    file_name = models.CharField(_("file"), max_length=200, blank=True)
    error = models.TextField(blank=True)
    claimed_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    expires_at = models.DateTimeField(_("expires"), null=True)

    objects = ExportQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        triggers = audited(ignore=("rows_done", "claimed_until"))
        indexes = [
            models.Index(fields=["owner", "-id"], name="export_owner"),
            models.Index(
                fields=["id"], name="export_open", condition=models.Q(status__in=["queued", "running"])
            ),
            models.Index(
                fields=["expires_at"], name="export_kept", condition=models.Q(expires_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.status in {self.Status.QUEUED, self.Status.RUNNING}

    @property
    def has_file(self) -> bool:
        """Whether the file can still be fetched."""
        return bool(self.file) and self.expires_at is not None and self.expires_at > timezone.now()

    @property
    def list_url(self) -> str:
        """The list as it was exported; a link never leads out of the house, whatever stands in the row."""
        inside = self.path.startswith("/") and not self.path.startswith(("//", "/\\"))
        path = self.path if inside else "/"
        return f"{path}?{self.query}" if self.query else path
