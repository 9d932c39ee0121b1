"""Segments: named groups of contacts, kept as rows so that lists, figures and automations read them at once."""

from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crmcem.lib.audit import audited

from .customers import Contact
from .watch import member_notes

#: what upkeep writes by itself is no change that audit records
_KEPT = ("size", "sized_at", "filled_at", "fill_after", "watches", "uses", "timed", "zone", "problem")


class SegmentQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> Self:
        """My own segments, those of my team, and those for all."""
        if not getattr(user, "is_authenticated", False):
            return self.none()
        shared = Q(sharing="all") | Q(owner_id=user.pk)
        if user.team_id:
            shared |= Q(sharing="team", team_id=user.team_id)
        return self.filter(shared)


class Segment(models.Model):
    """A group of contacts: *live* ones follow their conditions, *static* ones are kept by hand.

    ``filled_at`` is when the members were complete for the present conditions; None while they are being filled.
    ``fill_after`` is a transaction id: the filling waits until everything older is over. ``watches`` names what can
    change an answer (``contact``, ``pulse``, ``kind:order.placed``, ``segment:17``; empty for static ones), ``uses``
    the segments named in the conditions, ``timed`` whether time alone can change one, ``zone`` the time zone whose days
    were meant. ``problem`` says why the conditions can't be used any more. ``size`` counts everybody, as of
    ``sized_at``.
    """

    class Kind(models.TextChoices):
        LIVE = "live", _("Live")
        STATIC = "static", _("Static")

    class Sharing(models.TextChoices):
        PRIVATE = "private", _("Only me")
        TEAM = "team", _("My team")
        ALL = "all", _("Everybody")

    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, default=Kind.LIVE)
    conditions = models.JSONField(_("conditions"), null=True, blank=True)
    owner = models.ForeignKey(
        "workspace.User",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner"),
    )
    team = models.ForeignKey("workspace.Team", models.SET_NULL, null=True, blank=True, related_name="+")
    sharing = models.CharField(
        _("visible to"), max_length=8, choices=Sharing.choices, default=Sharing.PRIVATE
    )
    size = models.PositiveIntegerField(_("size"), default=0)
    sized_at = models.DateTimeField(null=True)
    filled_at = models.DateTimeField(null=True)
    fill_after = models.TextField(null=True)
    watches = ArrayField(models.CharField(max_length=120), default=list)
    uses = ArrayField(models.BigIntegerField(), default=list)
    timed = models.BooleanField(default=False)
    zone = models.CharField(max_length=64, blank=True)
    problem = models.TextField(blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = SegmentQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        triggers = audited(ignore=("updated_at", "version", *_KEPT))
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="segment_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_live(self) -> bool:
        return self.kind == self.Kind.LIVE


class SegmentMember(models.Model):
    """A contact in a segment, ``since`` it was found to belong there."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="members", db_index=False)
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="segment_members")
    since = models.DateTimeField()

    class Meta:
        verbose_name = _("member of a segment")
        verbose_name_plural = _("members of segments")
        triggers = member_notes()
        constraints = [models.UniqueConstraint(fields=["segment", "contact"], name="segmentmember_once")]

    def __str__(self) -> str:
        return f"{self.segment_id}/{self.contact_id}"


class SegmentTimer(models.Model):
    """When a contact's answer to a live segment could next change by the clock alone."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="timers", db_index=False)
    contact_id = models.BigIntegerField()
    due_at = models.DateTimeField()

    class Meta:
        verbose_name = _("timer of a segment")
        verbose_name_plural = _("timers of segments")
        constraints = [models.UniqueConstraint(fields=["segment", "contact_id"], name="segmenttimer_once")]
        indexes = [models.Index(fields=["due_at"], name="segmenttimer_due")]

    def __str__(self) -> str:
        return f"{self.segment_id}/{self.contact_id}"


class SegmentDirty(models.Model):
    """A note that something of a contact moved (see ``contacts.models.watch``); upkeep takes it up and deletes it."""

    id = models.BigAutoField(primary_key=True)
    contact_id = models.BigIntegerField()
    what = models.CharField(max_length=120)

    class Meta:
        verbose_name = _("note for segments")
        verbose_name_plural = _("notes for segments")

    def __str__(self) -> str:
        return f"{self.contact_id} {self.what}"
