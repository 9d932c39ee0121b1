"""Surveys and what customers answer; cases that follow up."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.utils.translation import gettext_lazy as _

from contacts.models.customers import Contact, Owned
from contacts.models.watch import related_notes
from crmcem.lib.audit import audited
from crmcem.lib.sqlfields import Fold
from crmcem.lib.visibility import OwnedQuerySet


class Survey(models.Model):
    """A questionnaire. ``throttle`` is ``{"days": n}``: nobody is asked by it again within n days."""

    class Kind(models.TextChoices):
        NPS = "nps", _("NPS")
        CSAT = "csat", _("CSAT")
        CES = "ces", _("CES")
        CUSTOM = "custom", _("Custom")

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        LIVE = "live", _("Live")
        PAUSED = "paused", _("Paused")
        CLOSED = "closed", _("Closed")

    name = models.CharField(_("name"), max_length=200)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, default=Kind.NPS)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.DRAFT)
    languages = ArrayField(models.CharField(max_length=12), default=list, blank=True)
    throttle = models.JSONField(default=dict, blank=True)
    intro = models.TextField(_("introduction"), blank=True)
    thanks = models.TextField(_("thank-you text"), blank=True)
    email_subject = models.CharField(_("subject of the invitation"), max_length=200, blank=True)
    email_body = models.TextField(_("text of the invitation"), blank=True)
    expires_after_days = models.PositiveSmallIntegerField(_("invitations expire after days"), default=30)
    created_by = models.ForeignKey(
        "workspace.User", models.SET_NULL, null=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("survey")
        verbose_name_plural = _("surveys")
        triggers = audited()

    def __str__(self) -> str:
        return self.name


class Question(models.Model):
    """``options`` depends on the type: ``{"scale": 5, "low": text, "high": text}`` or ``{"choices": [...]}``."""

    class Type(models.TextChoices):
        NPS = "nps", _("Likelihood to recommend, 0 to 10")
        CSAT = "csat", _("Satisfaction")
        CES = "ces", _("Effort, 1 to 7")
        TEXT = "text", _("Free text")
        SINGLE = "single", _("One of several")
        MULTI = "multi", _("Several of several")

    survey = models.ForeignKey(Survey, models.CASCADE, related_name="questions")
    key = models.SlugField(_("key"), max_length=40)
    type = models.CharField(_("type"), max_length=8, choices=Type.choices)
    text = models.CharField(_("question"), max_length=500)
    required = models.BooleanField(_("required"), default=False)
    options = models.JSONField(default=dict, blank=True)
    logic = models.JSONField(default=dict, blank=True)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["survey", "position", "id"]
        verbose_name = _("question")
        verbose_name_plural = _("questions")
        triggers = audited()
        constraints = [models.UniqueConstraint(fields=["survey", "key"], name="question_key_once")]

    def __str__(self) -> str:
        return self.text


class ContactBoundQuerySet(OwnedQuerySet):
    """Rows without an owner of their own: visible with their contact."""

    visibility_prefix = "contact__"


class Invitation(models.Model):
    """One customer asked once. The public link is signed, made from the id (see ``feedback.links``).

    ``dedupe_key`` makes sending by an automation idempotent.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        SENT = "sent", _("Sent")
        OPENED = "opened", _("Opened")
        ANSWERED = "answered", _("Answered")
        EXPIRED = "expired", _("Expired")
        SUPPRESSED = "suppressed", _("Suppressed")

    survey = models.ForeignKey(Survey, models.CASCADE, related_name="invitations", db_index=False)
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="invitations", db_index=False)
    channel = models.CharField(
        max_length=8, default="email", choices=[("email", _("E-mail")), ("link", _("Link"))]
    )
    touchpoint = models.CharField(_("touchpoint"), max_length=80, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    suppressed_reason = models.CharField(max_length=80, blank=True)
    message = models.ForeignKey("contacts.Message", models.SET_NULL, null=True, related_name="invitations")
    dedupe_key = models.CharField(max_length=160, null=True, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    objects = ContactBoundQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        indexes = [
            models.Index(fields=["survey", "contact", "-created_at"], name="invitation_throttle"),
            models.Index(fields=["contact", "-created_at"], name="invitation_contact"),
            models.Index(
                fields=["expires_at"],
                name="invitation_open",
                condition=models.Q(status__in=["queued", "sent", "opened"]),
            ),
            models.Index(fields=["survey", "status", "-id"], name="invitation_survey"),
            models.Index(fields=["survey", "created_at", "status"], name="invitation_asked"),
        ]

    def __str__(self) -> str:
        return f"{self.survey_id}: {self.contact_id}"


class Response(models.Model):
    """One answer sheet. ``partial`` until the customer submits; only complete ones count in metrics.

    ``owner`` and ``company`` are the contact's at the time of the answer, so that figures do not move when
    an account changes hands. ``sentiment_score`` is -1 to 1, null where no engine could read the comment;
    ``sentiment_by`` is the engine and its version (``vader 3.3.2``), or ``person`` once somebody corrected it.
    """

    class Status(models.TextChoices):
        PARTIAL = "partial", _("Started")
        COMPLETE = "complete", _("Complete")

    survey = models.ForeignKey(Survey, models.CASCADE, related_name="responses", db_index=False)
    contact = models.ForeignKey(Contact, models.CASCADE, null=True, related_name="responses", db_index=False)
    invitation = models.OneToOneField(Invitation, models.SET_NULL, null=True, related_name="response")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.COMPLETE)
    touchpoint = models.CharField(_("touchpoint"), max_length=80, blank=True)
    answers = models.JSONField(default=dict)
    nps = models.SmallIntegerField(null=True)
    csat = models.SmallIntegerField(null=True)
    csat_scale = models.SmallIntegerField(null=True)
    ces = models.SmallIntegerField(null=True)
    comment = models.TextField(blank=True)
    language = models.CharField(max_length=12, blank=True)
    sentiment_score = models.FloatField(null=True)
    sentiment_label = models.CharField(max_length=10, blank=True)
    sentiment_by = models.CharField(max_length=40, blank=True, default="", db_default="")
    emotions = models.JSONField(default=dict)
    topics = ArrayField(models.CharField(max_length=80), default=list)
    message_id = models.CharField(max_length=200, null=True, unique=True)
    owner = models.ForeignKey("workspace.User", models.SET_NULL, null=True, related_name="+", db_index=False)
    company = models.ForeignKey(
        "contacts.Company", models.SET_NULL, null=True, related_name="+", db_index=False
    )
    started_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True)

    objects = ContactBoundQuerySet.as_manager()

    class Meta:
        ordering = ["-submitted_at", "-id"]
        verbose_name = _("response")
        verbose_name_plural = _("responses")
        triggers = [*audited(ignore=()), *related_notes("answers")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(nps__isnull=True) | models.Q(nps__range=(0, 10)), name="response_nps"
            ),
            models.CheckConstraint(
                condition=models.Q(ces__isnull=True) | models.Q(ces__range=(1, 7)), name="response_ces"
            ),
        ]
        indexes = [
            models.Index(fields=["survey", "-submitted_at", "-id"], name="response_survey"),
            models.Index(fields=["contact", "-submitted_at"], name="response_contact"),
            models.Index(fields=["-submitted_at", "-id"], name="response_newest"),
            models.Index(
                fields=["nps", "id"], name="response_nps_order", condition=models.Q(nps__isnull=False)
            ),
            GinIndex(OpClass(Fold("comment"), name="gin_trgm_ops"), name="response_search"),
        ]

    def __str__(self) -> str:
        return f"{self.survey_id}: {self.pk}"

    @property
    def group(self) -> str:
        """promoter, passive or detractor; empty without an NPS answer."""
        if self.nps is None:
            return ""
        return "promoter" if self.nps >= 9 else "passive" if self.nps >= 7 else "detractor"


class Case(Owned):
    """One matter to settle with a customer: a support ticket or the follow-up of a bad answer."""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        PENDING = "pending", _("Waiting for the customer")
        RESOLVED = "resolved", _("Resolved")
        CLOSED = "closed", _("Closed")

    class Priority(models.TextChoices):
        LOW = "low", _("Low")
        NORMAL = "normal", _("Normal")
        HIGH = "high", _("High")
        URGENT = "urgent", _("Urgent")

    class Source(models.TextChoices):
        SURVEY = "survey", _("Survey")
        INBOX = "inbox", _("Inbox")
        API = "api", _("API")
        MANUAL = "manual", _("By hand")

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="cases")
    subject = models.CharField(_("subject"), max_length=300)
    body = models.TextField(_("description"), blank=True)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.OPEN)
    priority = models.CharField(
        _("priority"), max_length=8, choices=Priority.choices, default=Priority.NORMAL
    )
    source = models.CharField(_("source"), max_length=8, choices=Source.choices, default=Source.MANUAL)
    response = models.OneToOneField(Response, models.SET_NULL, null=True, blank=True, related_name="case")
    sla_due_at = models.DateTimeField(_("due"), null=True, blank=True)
    root_cause = models.CharField(_("root cause"), max_length=200, blank=True)
    resolution = models.TextField(_("resolution"), blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("case")
        verbose_name_plural = _("cases")
        triggers = [*audited(), *related_notes("cases")]
        indexes = [
            models.Index(fields=["owner", "-id"], name="case_owner"),
            models.Index(fields=["team", "-id"], name="case_team"),
            models.Index(fields=["status", "sla_due_at", "id"], name="case_due"),
            models.Index(fields=["sla_due_at", "id"], name="case_sla"),
            models.Index(
                fields=["sla_due_at", "id"],
                name="case_open",
                condition=models.Q(status__in=["open", "pending"]),
            ),
            GinIndex(OpClass(Fold("subject"), name="gin_trgm_ops"), name="case_search"),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def is_open(self) -> bool:
        return self.status in {self.Status.OPEN, self.Status.PENDING}
