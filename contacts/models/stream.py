"""The activity stream and what its readers and writers remember."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from crmcem.lib.sqlfields import ClockTimestamp, CurrentXid, Xid8Field


class Activity(models.Model):
    """One thing that happened: append-only, range-partitioned by month of ``received_at``.

    The table is made by hand in migration 0003 (Django has no partitions): its primary key there is
    ``(id, received_at)``. ``contact_id`` and ``company_id`` carry no constraint, so that the stream
    outlives what it speaks of. ``received_at`` and ``txid`` are filled by the database, never by hand:
    consumers read in ``(txid, id)`` order (see ``crmcem.lib.stream``).
    """

    id = models.BigAutoField(primary_key=True)
    received_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    occurred_at = models.DateTimeField(_("happened"), db_default=ClockTimestamp())
    txid = Xid8Field(db_default=CurrentXid(), editable=False)
    kind = models.CharField(_("kind"), max_length=80, db_collation="C")
    contact_id = models.BigIntegerField(null=True)
    company_id = models.BigIntegerField(null=True)
    subject_type = models.CharField(max_length=40, blank=True, default="")
    subject_id = models.BigIntegerField(null=True)
    actor_kind = models.CharField(max_length=12, default="system")
    actor_id = models.BigIntegerField(null=True)
    anonymous_id = models.CharField(max_length=200, null=True, db_collation="C")
    payload = models.JSONField(default=dict)

    class Meta:
        managed = False
        db_table = "contacts_activity"
        ordering = ["-occurred_at", "-id"]
        verbose_name = _("activity")
        verbose_name_plural = _("activities")

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class ConsumerOffset(models.Model):
    """How far a consumer has read: the last ``(txid, id)`` whose effects are committed.

    ``received_after`` is an exact lower bound that a rebase sets (restore into another cluster). ``seen_at``
    is another one, from which old partitions are pruned: nothing unread was written before it.
    ``mark_txid`` and ``mark_at`` become the next ``seen_at`` (see ``crmcem.lib.stream_runner``).
    """

    name = models.CharField(max_length=80, primary_key=True)
    txid = models.TextField(default="0")
    last_id = models.BigIntegerField(default=0)
    received_after = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    mark_txid = models.TextField(null=True)
    mark_at = models.DateTimeField(null=True)
    handled = models.BigIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True, default="")
    retry_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("consumer")
        verbose_name_plural = _("consumers")

    def __str__(self) -> str:
        return self.name


class EventKey(models.Model):
    """Makes a tracked event count once: ``digest`` is the md5 of source and message id, as a UUID."""

    digest = models.UUIDField(primary_key=True)
    received_at = models.DateTimeField(db_default=ClockTimestamp())

    class Meta:
        verbose_name = _("event key")
        verbose_name_plural = _("event keys")

    def __str__(self) -> str:
        return str(self.digest)


class IdentityAlias(models.Model):
    """An anonymous visitor that became known: later events with this id belong to ``contact``."""

    anonymous_id = models.CharField(max_length=200, primary_key=True, db_collation="C")
    contact = models.ForeignKey("contacts.Contact", models.CASCADE, related_name="aliases")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("identity alias")
        verbose_name_plural = _("identity aliases")

    def __str__(self) -> str:
        return self.anonymous_id
