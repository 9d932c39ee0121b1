"""The automation engine's definitions and everything it does, step by step."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from contacts.models.customers import Contact
from crmcem.lib.audit import audited
from crmcem.lib.sqlfields import CurrentXid, Xid8Field
from crmcem.lib.visibility import OwnedQuerySet


class Automation(models.Model):
    """Trigger → conditions → steps. What runs is ``current_version``; older runs keep their own.

    ``(activated_txid, activated_after)`` is the place in the stream where it was activated: activities
    behind it trigger it, without a gap and without a race. ``problem`` says why the engine can't use the
    definition any more (a field that it reads is gone), ``armed_contact`` how far the timers of an absence
    are made (None: all).
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")

    name = models.CharField(_("name"), max_length=200, unique=True)
    description = models.TextField(_("description"), blank=True)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.DRAFT)
    current_version = models.ForeignKey(
        "AutomationVersion", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    activated_at = models.DateTimeField(null=True, blank=True, editable=False)
    activated_txid = Xid8Field(null=True, editable=False)
    activated_after = models.BigIntegerField(default=0, db_default=0, editable=False)
    armed_contact = models.BigIntegerField(null=True, editable=False)
    problem = models.TextField(blank=True, default="", db_default="", editable=False)
    created_by = models.ForeignKey(
        "workspace.User", models.SET_NULL, null=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name = _("automation")
        verbose_name_plural = _("automations")
        triggers = audited(
            ignore=("updated_at", "version", "activated_txid", "activated_after", "armed_contact", "problem")
        )

    def __str__(self) -> str:
        return self.name


class AutomationVersion(models.Model):
    """An immutable definition (see ``journeys.definition`` for its JSON shape)."""

    automation = models.ForeignKey(Automation, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    created_by = models.ForeignKey("workspace.User", models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["automation", "-number"]
        verbose_name = _("version of an automation")
        verbose_name_plural = _("versions of automations")
        triggers = audited()
        constraints = [
            models.UniqueConstraint(fields=["automation", "number"], name="automationversion_once")
        ]

    def __str__(self) -> str:
        return f"{self.automation_id} v{self.number}"


class RunQuerySet(OwnedQuerySet):
    visibility_prefix = "contact__"


class Run(models.Model):
    """One contact on its way through one version.

    ``trigger_key`` is unique per automation: the same cause never starts two runs. ``depth`` counts the
    automations that led here (cascade cap). A run under way has ``due_at``; a worker claims it with
    SKIP LOCKED, and whoever dies gives it back with the transaction. It has none only while its
    automation is paused. ``wake_on`` lists kinds of activity (``*`` any) that make it due at once.
    ``claims`` counts turns that began and never ended: whoever took them died.
    ``reason`` says why it ended, ``error`` what went wrong last.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        DONE = "done", _("Done")
        EXITED = "exited", _("Left early")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    automation = models.ForeignKey(Automation, models.CASCADE, related_name="runs", db_index=False)
    automation_version = models.ForeignKey(AutomationVersion, models.PROTECT, related_name="runs")
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="automation_runs")
    trigger_key = models.CharField(max_length=160)
    trigger_activity_id = models.BigIntegerField(null=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.ACTIVE)
    step_key = models.CharField(max_length=60, blank=True)
    context = models.JSONField(default=dict)
    depth = models.PositiveSmallIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    claims = models.PositiveSmallIntegerField(default=0, db_default=0)
    due_at = models.DateTimeField(null=True)
    wake_on = ArrayField(models.CharField(max_length=100), default=list, db_default=[])
    reason = models.TextField(_("reason"), blank=True, default="", db_default="")
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    error = models.TextField(blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        constraints = [
            models.UniqueConstraint(fields=["automation", "contact", "trigger_key"], name="run_once")
        ]
        indexes = [
            models.Index(fields=["automation", "-id"], name="run_log"),
            models.Index(fields=["automation", "status", "-id"], name="run_by_status"),
            models.Index(fields=["due_at"], name="run_due", condition=models.Q(status="active")),
            models.Index(
                fields=["contact"],
                name="run_waking",
                condition=models.Q(status="active") & ~models.Q(wake_on=[]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.automation_id}: {self.contact_id}"


class RunStep(models.Model):
    """What one step of a run did, and why: unique per run and step, so it is never done twice.

    ``txid`` is the transaction that last worked on it: an activity of that transaction is this run's doing.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DONE = "done", _("Done")
        SKIPPED = "skipped", _("Skipped")
        FAILED = "failed", _("Failed")

    run = models.ForeignKey(Run, models.CASCADE, related_name="steps", db_index=False)
    step_key = models.CharField(max_length=60)
    visit = models.PositiveSmallIntegerField(default=1)
    kind = models.CharField(max_length=40)
    status = models.CharField(max_length=8, choices=Status.choices)
    reason = models.TextField(blank=True)
    result = models.JSONField(default=dict)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    txid = Xid8Field(db_default=CurrentXid(), editable=False)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["txid"], name="runstep_txid")]
        verbose_name = _("step of a run")
        verbose_name_plural = _("steps of runs")
        constraints = [models.UniqueConstraint(fields=["run", "step_key", "visit"], name="runstep_once")]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.step_key}"


class AbsenceTimer(models.Model):
    """Fires when nothing of the watched kind happened until ``due_at``; every such activity resets it."""

    automation = models.ForeignKey(Automation, models.CASCADE, related_name="timers", db_index=False)
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="+")
    last_at = models.DateTimeField()
    due_at = models.DateTimeField()
    fired_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("absence timer")
        verbose_name_plural = _("absence timers")
        constraints = [models.UniqueConstraint(fields=["automation", "contact"], name="absencetimer_once")]
        indexes = [
            models.Index(
                fields=["due_at"], name="absencetimer_due", condition=models.Q(fired_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.automation_id}: {self.contact_id}"
