"""The register of tags: the words themselves stand on the contacts, what there is to know about each stands here."""

from typing import Any, Self

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext_lazy as _

from crmcem.lib.audit import audited
from crmcem.lib.sqlfields import Fold

#: of somebody who sees only some contacts: so many of their newest ones tell which tags they know
SEEN_THROUGH = 5_000


def tag_notes() -> list[pgtrigger.Trigger]:
    """What is added to and taken from the count of each tag, whoever writes; folded in by ``services.tagging``.

    Notes, not counts: two writers of one tag would wait for each other.
    """
    note = "INSERT INTO contacts_tagchange (name, n)"

    def whole(rows: str, sign: str) -> str:
        return f"""
            {note} SELECT t, {sign}count(*) FROM {rows}, unnest({rows}.tags) t GROUP BY t;
            RETURN NULL;
        """  # noqa: S608 - built from constants of the code

    changed = f"""
        {note}
        SELECT t, 1 FROM unnest(NEW.tags) t WHERE t <> ALL (OLD.tags)
        UNION ALL SELECT t, -1 FROM unnest(OLD.tags) t WHERE t <> ALL (NEW.tags);
        RETURN NULL;
    """  # noqa: S608
    return [
        pgtrigger.Trigger(
            name="tags_insert",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Insert,
            referencing=pgtrigger.Referencing(new="new_rows"),  # type: ignore[no-untyped-call]
            func=whole("new_rows", ""),
        ),
        pgtrigger.Trigger(
            name="tags_delete",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Delete,
            referencing=pgtrigger.Referencing(old="old_rows"),  # type: ignore[no-untyped-call]
            func=whole("old_rows", "-"),
        ),
        pgtrigger.Trigger(
            name="tags_update",
            level=pgtrigger.Row,
            when=pgtrigger.After,
            operation=pgtrigger.UpdateOf("tags"),  # type: ignore[no-untyped-call]
            condition=pgtrigger.Condition("OLD.tags IS DISTINCT FROM NEW.tags"),
            func=changed,
        ),
    ]


class TagQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> Self:
        """All of them for those who see every contact; else those that are kept, or on contacts that one sees."""
        if not getattr(user, "is_authenticated", False):
            return self.none()
        if user.access.visibility == "all":
            return self
        from .customers import Contact

        newest = Contact.objects.visible_to(user).order_by("-pk").values("tags")[:SEEN_THROUGH]
        sql, params = newest.query.sql_with_params()
        seen = RawSQL(  # noqa: S611 - made by the ORM
            f"SELECT DISTINCT unnest(mine.tags) FROM ({sql}) mine",  # noqa: S608
            params,
        )
        return self.filter(models.Q(is_kept=True) | models.Q(name__in=seen))


class Tag(models.Model):
    """One tag. ``name`` is what stands on contacts.

    ``names`` are the spellings that mean it, folded (lower case, no accents): its own and those it was known by.
    ``is_kept``: somebody who manages tags made or changed it, so it is everybody's and stays without any contact.
    ``count`` is how many contacts have it, a few seconds old.
    """

    class Colour(models.TextChoices):
        GREY = "grey", _("Grey")
        BLUE = "blue", _("Blue")
        GREEN = "green", _("Green")
        YELLOW = "yellow", _("Yellow")
        ORANGE = "orange", _("Orange")
        RED = "red", _("Red")
        PURPLE = "purple", _("Purple")

    name = models.CharField(_("name"), max_length=60, unique=True)
    names = ArrayField(models.CharField(max_length=240), default=list, editable=False)
    folded = models.GeneratedField(
        expression=Fold("name"), output_field=models.TextField(db_collation="C"), db_persist=True
    )
    colour = models.CharField(_("colour"), max_length=8, choices=Colour.choices, default=Colour.GREY)
    is_kept = models.BooleanField(_("kept"), default=False)
    count = models.BigIntegerField(_("contacts"), default=0)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = TagQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        triggers = audited(ignore=("updated_at", "version", "count"))
        constraints = [models.UniqueConstraint(fields=["folded"], name="tag_folded_once")]
        indexes = [
            GinIndex(fields=["names"], name="tag_names"),
            GinIndex(fields=["folded"], name="tag_search", opclasses=["gin_trgm_ops"]),
            models.Index(fields=["-count", "id"], name="tag_count"),
        ]

    def __str__(self) -> str:
        return self.name


class TagChange(models.Model):
    """So many contacts more (or fewer) have this tag. A row without a name asks for a count of everything."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=60)
    n = models.BigIntegerField()

    class Meta:
        verbose_name = _("note on a tag")
        verbose_name_plural = _("notes on tags")

    def __str__(self) -> str:
        return f"{self.name} {self.n:+}"


class TagJob(models.Model):
    """A tag is becoming another one on all contacts, or going (``new`` is empty), in steps that each commit.

    ``last_id`` is the contact up to which it has come. A job that is killed goes on where it was.
    """

    old = models.CharField(_("tag"), max_length=60)
    new = models.CharField(_("becomes"), max_length=60, blank=True)
    total = models.BigIntegerField(_("contacts"), default=0)
    done = models.BigIntegerField(_("done"), default=0)
    last_id = models.BigIntegerField(default=0, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("change of a tag")
        verbose_name_plural = _("changes of tags")
        constraints = [
            models.UniqueConstraint(
                fields=["old"], name="tagjob_running_once", condition=models.Q(finished_at=None)
            )
        ]

    def __str__(self) -> str:
        return f"{self.old} → {self.new or '–'}"
