"""Records that are perhaps the same: what they have in common, the pairs, and how far a search for them is."""

from typing import Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from .customers import Company, Contact
from .merging import MergeRecord


class DuplicateKey(models.Model):
    """A property by which a record could be found again (see ``contacts.services.duplicates``), as a hash.

    Derived from the record at any time; two records with the same digest are looked at more closely.
    """

    pk = models.CompositePrimaryKey("digest", "record_id")
    digest = models.BigIntegerField()
    record_id = models.BigIntegerField()
    entity = models.CharField(max_length=8, choices=MergeRecord.Entity.choices)
    kind = models.CharField(max_length=12)

    class Meta:
        verbose_name = _("key of a duplicate")
        verbose_name_plural = _("keys of duplicates")
        indexes = [models.Index(fields=["entity", "record_id"], name="duplicatekey_record")]

    def __str__(self) -> str:
        return f"{self.entity} {self.record_id} {self.kind}"


class PairQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> Self:
        """Pairs of which the person may see both records; of a merged pair the one that is left."""
        found = Q()
        for entity, model in (("contact", Contact), ("company", Company)):
            seen = model.objects.visible_to(user)
            left, right = (
                Exists(seen.filter(pk=OuterRef("left_id"))),
                Exists(seen.filter(pk=OuterRef("right_id"))),
            )
            found |= Q(entity=entity) & ((Q(left) & Q(right)) | (Q(state="merged") & (Q(left) | Q(right))))
        return self.filter(found)


class DuplicatePair(models.Model):
    """Two records that are perhaps the same; ``left_id`` is the older one.

    ``score`` is 0 to 1, ``reasons`` a list of ``{"code": …}`` (``contacts.views.words`` says them). ``exact``: the
    same name and the same address, number or id. A pair that somebody dismissed stays so, whatever a search finds.
    """

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        DISMISSED = "dismissed", _("Not the same")
        MERGED = "merged", _("Merged")

    entity = models.CharField(_("records"), max_length=8, choices=MergeRecord.Entity.choices)
    left_id = models.BigIntegerField(_("first record"))
    right_id = models.BigIntegerField(_("second record"))
    score = models.FloatField(_("score"))
    reasons = models.JSONField(_("reasons"), default=list)
    exact = models.BooleanField(_("exact"), default=False)
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(_("found"), auto_now_add=True)

    objects = PairQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("pair of duplicates")
        verbose_name_plural = _("pairs of duplicates")
        constraints = [
            models.UniqueConstraint(fields=["entity", "left_id", "right_id"], name="duplicatepair_once")
        ]
        indexes = [
            models.Index(fields=["entity", "right_id"], name="duplicatepair_right"),
            models.Index(fields=["entity", "state", "score", "id"], name="duplicatepair_queue"),
        ]

    def __str__(self) -> str:
        return f"{self.entity} {self.left_id}/{self.right_id}"


class DuplicateScan(models.Model):
    """A search through all records of a kind: first their keys, then the pairs, by id, in short transactions.

    ``after_id`` is the last record that is done for good, so a killed search goes on there.
    """

    class Phase(models.TextChoices):
        KEYS = "keys", _("Reading")
        PAIRS = "pairs", _("Comparing")
        DONE = "done", _("Done")

    entity = models.CharField(max_length=8, unique=True, choices=MergeRecord.Entity.choices)
    phase = models.CharField(max_length=5, choices=Phase.choices, default=Phase.KEYS)
    after_id = models.BigIntegerField(default=0)
    records = models.PositiveIntegerField(default=0)
    pairs = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("search for duplicates")
        verbose_name_plural = _("searches for duplicates")

    def __str__(self) -> str:
        return f"{self.entity}: {self.phase}"
