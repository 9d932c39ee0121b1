"""What the workspace keeps about what happened: audit, notifications, replayed requests."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from .access import User


class AuditEntry(models.Model):
    """One changed row, written by database triggers only (see ``crmcem.lib.audit``).

    ``changes`` is null for an insert, ``{column: [old, new]}`` for an update, the whole row for a delete.
    """

    at = models.DateTimeField(_("time"))
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    table_name = models.CharField(_("table"), max_length=63)
    row_id = models.BigIntegerField(_("row"))
    op = models.CharField(
        _("change"),
        max_length=1,
        choices=[("I", _("created")), ("U", _("changed")), ("D", _("deleted"))],
    )
    changes = models.JSONField(_("changes"), null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes = [
            models.Index(fields=["table_name", "row_id"], name="audit_row"),
            BrinIndex(fields=["at"], name="audit_at"),
        ]

    def __str__(self) -> str:
        return f"{self.table_name} {self.row_id} {self.get_op_display()}"


class Notification(models.Model):
    """Something a person should know: shown in the app, and mailed where they asked for it.

    ``dedupe_key`` makes sending idempotent. The e-mail columns are an outbox: pending rows are claimed,
    sent outside the transaction and marked (see ``crmcem.lib.outbox``).
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=60)
    title = models.CharField(max_length=300)
    body = models.TextField(blank=True)
    url = models.CharField(max_length=500, blank=True)
    dedupe_key = models.CharField(max_length=120, unique=True, null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True)
    email_status = models.CharField(
        max_length=10,
        default="none",
        choices=[(s, s) for s in ("none", "queued", "sending", "sent", "failed", "uncertain")],
    )
    email_attempts = models.PositiveSmallIntegerField(default=0)
    email_next_at = models.DateTimeField(null=True, blank=True)
    email_error = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        indexes = [
            models.Index(fields=["user", "-id"], name="notification_user"),
            models.Index(
                fields=["user"], name="notification_unread", condition=models.Q(read_at__isnull=True)
            ),
            models.Index(
                fields=["email_next_at"],
                name="notification_outbox",
                condition=models.Q(email_status__in=["queued", "sending"]),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class IdempotencyKey(models.Model):
    """The first answer to a POST that carried ``Idempotency-Key``, replayed to its repetitions.

    ``status`` is null while the first request is still at work.
    """

    actor_kind = models.CharField(max_length=12)
    actor_id = models.BigIntegerField()
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["actor_kind", "actor_id", "key"], name="idempotency_key_once")
        ]
        indexes = [BrinIndex(fields=["created_at"], name="idempotency_created")]

    def __str__(self) -> str:
        return self.key
