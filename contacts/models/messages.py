from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from crmcem.lib.visibility import OwnedQuerySet

from .customers import Contact


class MessageQuerySet(OwnedQuerySet):
    visibility_prefix = "contact__"


class Message(models.Model):
    """Everything sent to or received from a customer, and the outbox it is sent from.

    queued → sending (claimed) → sent | failed (gave up) | suppressed (consent, budget) | uncertain.
    ``idempotency_key`` is unique: the same effect is never queued twice. A row found in ``sending`` after
    its claim ran out was perhaps sent: it becomes ``uncertain`` and waits for a person, it is never sent
    again by itself.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        SENDING = "sending", _("Sending")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        SUPPRESSED = "suppressed", _("Suppressed")
        UNCERTAIN = "uncertain", _("Perhaps sent")
        RECEIVED = "received", _("Received")

    contact = models.ForeignKey(Contact, models.CASCADE, null=True, related_name="messages")
    channel = models.CharField(_("channel"), max_length=8, default="email")
    direction = models.CharField(_("direction"), max_length=4, default="out")
    purpose = models.CharField(_("purpose"), max_length=40, blank=True)
    to_address = models.CharField(_("to"), max_length=320)
    from_address = models.CharField(_("from"), max_length=320, blank=True)
    subject = models.CharField(_("subject"), max_length=500, blank=True)
    body_text = models.TextField(blank=True)
    body_html = models.TextField(blank=True)
    headers = models.JSONField(default=dict)
    attachments = ArrayField(models.CharField(max_length=500), default=list)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    idempotency_key = models.CharField(max_length=160, unique=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    error = models.TextField(blank=True)
    subject_type = models.CharField(max_length=40, blank=True)
    subject_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="message_outbox",
                condition=models.Q(status__in=["queued", "sending"]),
            ),
            models.Index(fields=["contact", "-id"], name="message_contact"),
            models.Index(
                fields=["-id"], name="message_dead", condition=models.Q(status__in=["failed", "uncertain"])
            ),
        ]

    def __str__(self) -> str:
        return self.subject or self.idempotency_key
