"""Custom fields: what people add to records without a deployment, and how each team's pages show them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from crmcem.lib.audit import audited


class CustomField(models.Model):
    """One field of a kind of record (``entity``), its value kept under ``key`` in the record's ``custom``.

    ``type`` is a key of ``contacts.custom.types.TYPES``; ``options`` is what that type needs (choices, currency,
    decimals, linked entity). A field is archived, never deleted: its values stay.
    """

    entity = models.CharField(_("records"), max_length=20)
    key = models.CharField(_("key"), max_length=60, db_collation="C")
    label = models.CharField(_("name"), max_length=80)
    help = models.CharField(_("help text"), max_length=300, blank=True)
    type = models.CharField(_("type"), max_length=12)
    options = models.JSONField(_("options"), default=dict, blank=True)
    required = models.BooleanField(_("required"), default=False)
    filterable = models.BooleanField(_("filter and sort"), default=False)
    group = models.CharField(_("group"), max_length=80, blank=True)
    position = models.PositiveIntegerField(_("position"), default=0)
    archived = models.BooleanField(_("archived"), default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["entity", "position", "id"]
        verbose_name = _("custom field")
        verbose_name_plural = _("custom fields")
        triggers = audited()
        constraints = [models.UniqueConstraint(fields=["entity", "key"], name="customfield_key_once")]

    def __str__(self) -> str:
        return self.label


class FieldLayout(models.Model):
    """The order of the fields on forms and record pages, for a team or (without one) for everybody.

    ``groups`` is ``[{"label": text, "fields": [name, …]}]``; names of custom fields are ``custom.key``. ``hidden``
    names fields that are left out. Fields that neither names follow at the end, so a new field is always seen.
    """

    entity = models.CharField(_("records"), max_length=20)
    team = models.ForeignKey(
        "workspace.Team",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("team"),
    )
    groups = models.JSONField(_("groups"), default=list)
    hidden = models.JSONField(_("hidden fields"), default=list)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["entity", "team_id"]
        verbose_name = _("field layout")
        verbose_name_plural = _("field layouts")
        triggers = audited()
        constraints = [
            models.UniqueConstraint(
                fields=["entity", "team"], name="fieldlayout_team_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        whose = str(self.team) if self.team else str(_("everybody"))
        return f"{self.entity}: {whose}"
