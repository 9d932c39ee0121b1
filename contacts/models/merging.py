"""Records that became one, and the journal that can part them again."""

from typing import Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from .customers import Company, Contact


class MergeQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> Self:
        """Merges whose winner the person may see; one whose winner is gone is seen by nobody."""
        people = Contact.objects.visible_to(user).filter(pk=OuterRef("winner_id"))
        companies = Company.objects.visible_to(user).filter(pk=OuterRef("winner_id"))
        return self.filter(
            Q(Exists(people), entity=MergeRecord.Entity.CONTACT)
            | Q(Exists(companies), entity=MergeRecord.Entity.COMPANY)
        )


class MergeRecord(models.Model):
    """``loser`` became part of ``winner``. While ``undone_at`` is empty it is the redirect from the old id to the new.

    The ids carry no constraint: the loser's row is gone, and a winner may itself be merged into another later (then
    the redirects form a chain). ``external_id`` and ``domain`` are names by which the loser was known and that the
    winner couldn't take over: whoever names them means the winner. ``moved`` counts what the acting person may see,
    by the name of its kind. ``kept`` is what an undo left as it was: ``[{table, row, why}]``.
    """

    class Entity(models.TextChoices):
        CONTACT = "contact", _("Contact")
        COMPANY = "company", _("Company")

    entity = models.CharField(_("records"), max_length=8, choices=Entity.choices)
    winner_id = models.BigIntegerField(_("kept record"))
    loser_id = models.BigIntegerField(_("merged record"))
    winner_name = models.CharField(max_length=320)
    loser_name = models.CharField(max_length=320)
    external_id = models.CharField(max_length=200, null=True, db_collation="C")
    domain = models.CharField(max_length=253, null=True, db_collation="C")
    fields = models.JSONField(default=dict)
    moved = models.JSONField(default=dict)
    kept = models.JSONField(default=list)
    actor_kind = models.CharField(max_length=12)
    actor_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(_("merged"), auto_now_add=True)
    undone_at = models.DateTimeField(_("undone"), null=True)

    objects = MergeQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        constraints = [
            models.UniqueConstraint(
                fields=["entity", "loser_id"], name="merge_redirect", condition=Q(undone_at__isnull=True)
            )
        ]
        indexes = [
            models.Index(fields=["entity", "winner_id", "-id"], name="merge_winner"),
            models.Index(
                fields=["entity", "external_id"],
                name="merge_external_id",
                condition=Q(external_id__isnull=False, undone_at__isnull=True),
            ),
            models.Index(
                fields=["domain"],
                name="merge_domain",
                condition=Q(domain__isnull=False, undone_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.loser_name} → {self.winner_name}"


class MergeStep(models.Model):
    """A step of the journal (see ``crmcem.lib.merging.Step``), in the order of ``id``."""

    merge = models.ForeignKey(MergeRecord, models.CASCADE, related_name="steps")
    op = models.CharField(max_length=6)
    table = models.CharField(max_length=63)
    pk_column = models.CharField(max_length=63)
    column = models.CharField(max_length=63, blank=True)
    rows = models.JSONField()

    class Meta:
        ordering = ["id"]
        verbose_name = _("step of a merge")
        verbose_name_plural = _("steps of merges")

    def __str__(self) -> str:
        return f"{self.op} {self.table}"
