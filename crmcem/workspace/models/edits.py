from datetime import timedelta
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .access import User

#: an edit can be taken back for so long; then what stood there before is gone for good
KEPT = timedelta(minutes=30)


class BulkEditQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> Self:
        """One's own only."""
        return self.filter(user_id=user.pk)


class BulkEdit(models.Model):
    """One field of many records set to one value: the job, its progress, and how it is taken back.

    ``ids`` are the chosen rows; without them it is all of the list at ``path`` and ``query``. The work goes through
    them by id, from ``position`` up to ``until``. ``claimed_until`` is the lease of the worker that is at it.
    ``reason`` goes into the histories that keep one; ``txids`` are the transactions in which rows were changed.
    ``failures`` and ``skipped`` name the first rows that could not be changed, or not be taken back:
    ``[name, reason]``.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Stopped")
        UNDOING = "undoing", _("Being taken back")
        UNDONE = "undone", _("Taken back")

    user = models.ForeignKey(User, models.CASCADE, related_name="+", db_index=False)
    model = models.CharField(max_length=60)
    title = models.CharField(max_length=120)
    label = models.CharField(max_length=120)
    path = models.CharField(max_length=200)
    query = models.TextField(blank=True)
    ids = ArrayField(models.BigIntegerField(), null=True)
    key = models.CharField(max_length=80)
    value = models.JSONField(null=True)
    reason = models.CharField(max_length=300, blank=True, default="", db_default="")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    rows_total = models.PositiveBigIntegerField(default=0)
    rows_done = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)
    failures = models.JSONField(default=list)
    restored = models.PositiveBigIntegerField(default=0)
    skipped = models.JSONField(default=list, db_default=[])
    position = models.BigIntegerField(default=0)
    until = models.BigIntegerField(default=0)
    txids = ArrayField(models.BigIntegerField(), default=list, db_default=[])
    error = models.TextField(blank=True)
    claimed_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    objects = BulkEditQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user", "-id"], name="bulkedit_user"),
            models.Index(
                fields=["id"],
                name="bulkedit_open",
                condition=models.Q(status__in=["queued", "running", "undoing"]),
            ),
            models.Index(fields=["created_at"], name="bulkedit_created"),
        ]

    def __str__(self) -> str:
        return f"{self.title}: {self.label}"

    @property
    def is_open(self) -> bool:
        return self.status in {self.Status.QUEUED, self.Status.RUNNING, self.Status.UNDOING}

    @property
    def is_repair(self) -> bool:
        """Each record got what a rule says, not all of them one value."""
        return self.model.startswith("repair:")

    @property
    def is_sending(self) -> bool:
        """Something went out to each record: it can be stopped, and not taken back."""
        return self.model.startswith("send:")

    @property
    def can_undo(self) -> bool:
        if self.is_sending:
            return False
        ended = self.status in {self.Status.DONE, self.Status.CANCELLED, self.Status.FAILED}
        return bool(ended and self.changed and self.expires_at and self.expires_at > timezone.now())

    @property
    def list_url(self) -> str:
        """The list that was edited; a link never leads out of the house, whatever stands in the row."""
        inside = self.path.startswith("/") and not self.path.startswith(("//", "/\\"))
        path = self.path if inside else "/"
        return f"{path}?{self.query}" if self.query else f"{path}?view=all"


class BulkEditRow(models.Model):
    """What stood in a record before an edit (and stands there since), and the version that the edit gave it."""

    edit = models.ForeignKey(BulkEdit, models.CASCADE, related_name="rows", db_index=False)
    record_id = models.BigIntegerField()
    before = models.JSONField(null=True)
    version = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["edit", "id"], name="bulkeditrow_edit")]
