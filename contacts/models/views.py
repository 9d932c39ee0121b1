from typing import Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from crmcem.workspace.models import Team


class SavedViewQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> Self:
        """My own views, those for all, those of my team and the teams above it, and of the teams that I lead."""
        shared = Q(sharing="all") | Q(owner_id=user.pk)
        if user.team_id:
            above = Team.objects.filter(pk=user.team_id, path__contains=[OuterRef("team_id")])
            shared |= Q(sharing="team") & (Q(Exists(above)) | Q(team_id__in=user.access.team_ids))
        return self.filter(shared)


class SavedView(models.Model):
    """A named list: ``query`` is the list's query string, which gives the same list to whoever opens it.

    ``is_default`` is its owner's: they see it first. ``opens_for`` says whether it opens first for the others that
    it is shared with too, or for those of ``opens_for_role`` among them, unless they have chosen otherwise.
    """

    entity = models.CharField(max_length=20)
    name = models.CharField(_("name"), max_length=80)
    query = models.TextField(blank=True)
    owner = models.ForeignKey("workspace.User", models.CASCADE, related_name="saved_views")
    team = models.ForeignKey("workspace.Team", models.CASCADE, null=True, related_name="+")
    sharing = models.CharField(
        _("visible to"),
        max_length=8,
        default="private",
        choices=[("private", _("Only me")), ("team", _("My team")), ("all", _("Everybody"))],
    )
    is_default = models.BooleanField(_("open first"), default=False)
    opens_for = models.CharField(
        _("opens first for"),
        max_length=4,
        default="",
        blank=True,
        choices=[("", _("Nobody else")), ("all", _("Everybody who sees it")), ("role", _("One role"))],
    )
    opens_for_role = models.ForeignKey(
        "workspace.Role", models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    is_pinned = models.BooleanField(_("pinned"), default=False)
    position = models.PositiveIntegerField(default=0)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        ordering = ["-is_pinned", "position", "name"]
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        constraints = [
            models.UniqueConstraint(fields=["owner", "entity", "name"], name="savedview_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class SavedViewChoice(models.Model):
    """What a person has chosen for a view that somebody else shares; None is as its owner has it."""

    view = models.ForeignKey(SavedView, models.CASCADE, related_name="choices")
    user = models.ForeignKey("workspace.User", models.CASCADE, related_name="+", db_index=False)
    is_default = models.BooleanField(null=True)
    is_pinned = models.BooleanField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "view"], name="savedviewchoice_once")]
