"""What people do with a customer: interactions that were, tasks that will be."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crmcem.lib.audit import audited
from crmcem.lib.sqlfields import Fold
from crmcem.lib.visibility import OwnedQuerySet

from .customers import Company, Contact, Owned
from .watch import related_notes


class Interaction(Owned):
    """A call, e-mail, meeting, note, chat, social contact or visit, logged with a customer.

    ``deal_id`` is a soft reference: deals live on a higher floor (see ``crmcem.lib.references``).
    """

    class Kind(models.TextChoices):
        CALL = "call", _("Call")
        EMAIL = "email", _("E-mail")
        MEETING = "meeting", _("Meeting")
        NOTE = "note", _("Note")
        CHAT = "chat", _("Chat")
        SOCIAL = "social", _("Social")
        VISIT = "visit", _("Visit")

    class Direction(models.TextChoices):
        IN = "in", _("Incoming")
        OUT = "out", _("Outgoing")
        NONE = "", pgettext_lazy("direction", "None")

    contact = models.ForeignKey(Contact, models.CASCADE, null=True, blank=True, related_name="interactions")
    company = models.ForeignKey(Company, models.SET_NULL, null=True, blank=True, related_name="interactions")
    deal_id = models.BigIntegerField(_("deal"), null=True, blank=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    direction = models.CharField(
        _("direction"), max_length=4, choices=Direction.choices, blank=True, default=""
    )
    occurred_at = models.DateTimeField(_("happened"))
    subject = models.CharField(_("subject"), max_length=300, blank=True)
    body = models.TextField(_("text"), blank=True)
    duration_seconds = models.PositiveIntegerField(_("duration in seconds"), null=True, blank=True)
    outcome = models.CharField(_("outcome"), max_length=120, blank=True)
    sentiment = models.FloatField(_("sentiment"), null=True, blank=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("interaction")
        verbose_name_plural = _("interactions")
        triggers = [*audited(), *related_notes("interactions")]
        indexes = [
            models.Index(fields=["owner", "-id"], name="interaction_owner"),
            models.Index(fields=["team", "-id"], name="interaction_team"),
            models.Index(fields=["occurred_at", "id"], name="interaction_occurred"),
            models.Index(
                fields=["deal_id"], name="interaction_deal", condition=models.Q(deal_id__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.subject or self.get_kind_display()


class Task(Owned):
    """Something to do, due at an instant; the reminder is a row polled by index, never a long timer.

    ``owner`` is the assignee. ``recurrence`` is '' or daily/weekly/monthly, repeated on the wall clock of
    ``time_zone`` (a 9:00 task stays at 9:00 over daylight saving): the n-th time is counted from
    ``series_start``, so a missing hour or a short month never shifts the ones after it. ``automation_key``
    makes creation by an automation idempotent.
    """

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")

    class Kind(models.TextChoices):
        TODO = "todo", _("To-do")
        CALL = "call", _("Call")
        EMAIL = "email", _("E-mail")
        MEETING = "meeting", _("Meeting")
        FOLLOW_UP = "follow_up", _("Follow-up")

    class Priority(models.TextChoices):
        LOW = "low", _("Low")
        NORMAL = "normal", _("Normal")
        HIGH = "high", _("High")

    class Recurrence(models.TextChoices):
        NONE = "", _("Once")
        DAILY = "daily", _("Every day")
        WEEKLY = "weekly", _("Every week")
        MONTHLY = "monthly", _("Every month")

    title = models.CharField(_("title"), max_length=300)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices, default=Kind.TODO)
    body = models.TextField(_("notes"), blank=True)
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    remind_at = models.DateTimeField(_("reminder"), null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, editable=False)
    time_zone = models.CharField(max_length=64, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.OPEN)
    priority = models.CharField(
        _("priority"), max_length=8, choices=Priority.choices, default=Priority.NORMAL
    )
    recurrence = models.CharField(
        _("repeats"), max_length=8, choices=Recurrence.choices, blank=True, default=""
    )
    series_start = models.DateTimeField(null=True, editable=False)
    series_number = models.PositiveIntegerField(default=0, editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)
    contact = models.ForeignKey(Contact, models.CASCADE, null=True, blank=True, related_name="tasks")
    company = models.ForeignKey(Company, models.SET_NULL, null=True, blank=True, related_name="tasks")
    deal_id = models.BigIntegerField(_("deal"), null=True, blank=True)
    automation_key = models.CharField(max_length=120, null=True, unique=True, editable=False)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["due_at", "id"]
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        triggers = [
            *audited(ignore=("updated_at", "version", "reminded_at", "series_start", "series_number")),
            *related_notes("tasks"),
        ]
        indexes = [
            models.Index(
                fields=["owner", "due_at", "id"], name="task_open", condition=models.Q(status="open")
            ),
            models.Index(fields=["due_at", "id"], name="task_due", condition=models.Q(status="open")),
            models.Index(fields=["owner", "-id"], name="task_owner"),
            models.Index(fields=["team", "-id"], name="task_team"),
            models.Index(
                fields=["remind_at"],
                name="task_reminders",
                condition=models.Q(status="open", reminded_at__isnull=True, remind_at__isnull=False),
            ),
            GinIndex(OpClass(Fold("title"), name="gin_trgm_ops"), name="task_search"),
            models.Index(fields=["deal_id"], name="task_deal", condition=models.Q(deal_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.title
