"""Pipelines, their stages, and the deals that move through them."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from contacts.models.customers import Company, Contact, Owned
from contacts.models.watch import noted
from crmcem.lib.audit import audited
from crmcem.lib.sqlfields import Fold, Join
from crmcem.lib.visibility import OwnedQuerySet


class Pipeline(models.Model):
    name = models.CharField(_("name"), max_length=120, unique=True)
    position = models.PositiveIntegerField(default=0)
    is_default = models.BooleanField(_("default"), default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["position", "id"]
        verbose_name = _("pipeline")
        verbose_name_plural = _("pipelines")
        triggers = audited()

    def __str__(self) -> str:
        return self.name


class Stage(models.Model):
    """A step of a pipeline. ``probability`` is in percent; a deal rots after ``rot_days`` in it."""

    pipeline = models.ForeignKey(Pipeline, models.CASCADE, related_name="stages")
    name = models.CharField(_("name"), max_length=120)
    position = models.PositiveIntegerField(default=0)
    probability = models.PositiveSmallIntegerField(
        _("probability in percent"), default=0, validators=[MaxValueValidator(100)]
    )
    rot_days = models.PositiveIntegerField(_("days until it rots"), null=True, blank=True)

    class Meta:
        ordering = ["pipeline", "position", "id"]
        verbose_name = _("stage")
        verbose_name_plural = _("stages")
        triggers = audited()
        constraints = [models.UniqueConstraint(fields=["pipeline", "name"], name="stage_name_once")]

    def __str__(self) -> str:
        return self.name


#: the people of deals whose figures moved: what conditions and rollups of deals look at
_MOVED = """
    SELECT d.contact_id FROM new_rows n JOIN old_rows o ON o.id = n.id JOIN sales_dealcontact d ON d.deal_id = n.id
    WHERE (o.status, o.amount, o.currency, o.expected_close, o.closed_at, o.created_at)
        IS DISTINCT FROM (n.status, n.amount, n.currency, n.expected_close, n.closed_at, n.created_at)
"""
#: the people of deals of which anything moved but the place in a column: what conditions on related deals look at
_CHANGED = """
    SELECT d.contact_id FROM new_rows n JOIN old_rows o ON o.id = n.id JOIN sales_dealcontact d ON d.deal_id = n.id
    WHERE to_jsonb(o) - 'position' IS DISTINCT FROM to_jsonb(n) - 'position'
"""
_BOTH = "SELECT n.contact_id FROM new_rows n UNION ALL SELECT o.contact_id FROM old_rows o"


class Deal(Owned):
    """A sale in the making. ``position`` orders a board column; neighbours leave room between them.

    ``probability`` overrides the stage's when set (percent).
    """

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        WON = "won", _("Won")
        LOST = "lost", _("Lost")

    external_id = models.CharField(
        _("external id"), max_length=200, null=True, blank=True, unique=True, db_collation="C"
    )
    name = models.CharField(_("name"), max_length=300)
    pipeline = models.ForeignKey(Pipeline, models.PROTECT, related_name="deals")
    stage = models.ForeignKey(Stage, models.PROTECT, related_name="deals", db_index=False)
    status = models.CharField(_("status"), max_length=4, choices=Status.choices, default=Status.OPEN)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    probability = models.PositiveSmallIntegerField(
        _("probability in percent"), null=True, blank=True, validators=[MaxValueValidator(100)]
    )
    expected_close = models.DateField(_("expected close"), null=True, blank=True)
    company = models.ForeignKey(
        Company, models.SET_NULL, null=True, blank=True, related_name="deals", verbose_name=_("company")
    )
    competitors = ArrayField(models.CharField(max_length=120), default=list, blank=True)
    lost_reason = models.CharField(_("reason for the loss"), max_length=300, blank=True)
    won_reason = models.CharField(_("reason for the win"), max_length=300, blank=True)
    stage_entered_at = models.DateTimeField(_("in this stage since"))
    rots_at = models.DateTimeField(_("rots"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    position = models.DecimalField(max_digits=30, decimal_places=15, default=0)
    custom = models.JSONField(_("custom fields"), default=dict, blank=True)
    search_text = models.GeneratedField(
        expression=Fold(Join("name", "external_id")), output_field=models.TextField(), db_persist=True
    )

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("deal")
        verbose_name_plural = _("deals")
        triggers = [
            *audited(ignore=("updated_at", "version", "position")),
            noted("deals", "update", _MOVED),
            noted("deal", "update", _CHANGED, name="segments_row"),
        ]
        indexes = [
            models.Index(
                fields=["stage", "position", "id"], name="deal_board", condition=models.Q(status="open")
            ),
            models.Index(fields=["owner", "-id"], name="deal_owner"),
            models.Index(fields=["team", "-id"], name="deal_team"),
            models.Index(fields=["expected_close", "id"], name="deal_close"),
            models.Index(fields=["stage"], name="deal_stage"),
            GinIndex(fields=["search_text"], name="deal_search", opclasses=["gin_trgm_ops"]),
        ]

    def __str__(self) -> str:
        return self.name


class DealContact(models.Model):
    """A person of the buying committee."""

    class Role(models.TextChoices):
        DECISION_MAKER = "decision_maker", _("Decision maker")
        CHAMPION = "champion", _("Champion")
        INFLUENCER = "influencer", _("Influencer")
        USER = "user", pgettext_lazy("role in a deal", "User")
        BLOCKER = "blocker", _("Blocker")
        OTHER = "other", _("Other")

    deal = models.ForeignKey(Deal, models.CASCADE, related_name="deal_contacts")
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="deal_contacts")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.OTHER)
    is_primary = models.BooleanField(default=False)

    class Meta:
        ordering = ["-is_primary", "id"]
        verbose_name = _("deal contact")
        verbose_name_plural = _("deal contacts")
        triggers = [
            noted("deals", "insert", "SELECT n.contact_id FROM new_rows n"),
            noted("deals", "update", _BOTH),
            noted("deals", "delete", "SELECT o.contact_id FROM old_rows o"),
        ]
        constraints = [models.UniqueConstraint(fields=["deal", "contact"], name="dealcontact_once")]

    def __str__(self) -> str:
        return f"{self.deal_id}: {self.contact_id}"


class StageChange(models.Model):
    """A deal's entry into a stage (or its win, loss or reopening), with the time spent in the one before."""

    deal = models.ForeignKey(Deal, models.CASCADE, related_name="stage_changes")
    from_stage = models.ForeignKey(Stage, models.SET_NULL, null=True, related_name="+", db_index=False)
    to_stage = models.ForeignKey(Stage, models.SET_NULL, null=True, related_name="+", db_index=False)
    status = models.CharField(max_length=4, choices=Deal.Status.choices, default=Deal.Status.OPEN)
    at = models.DateTimeField()
    seconds_in_previous = models.BigIntegerField(null=True)
    actor_kind = models.CharField(max_length=12)
    actor_id = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name = _("stage change")
        verbose_name_plural = _("stage changes")

    def __str__(self) -> str:
        return f"{self.deal_id} → {self.to_stage_id}"
