from django.db import models
from django.utils.translation import gettext_lazy as _

from crmcem.lib.audit import audited


class Organisation(models.Model):
    """The one row of settings that people change without a deployment (id is always 1)."""

    name = models.CharField(_("name"), max_length=120, default="crmcem")
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    country = models.CharField(
        _("country"), max_length=2, default="US", help_text=_("Phone numbers without a prefix belong to it.")
    )
    accent = models.CharField(_("accent colour"), max_length=7, default="#0054a6")
    contact_budget_days = models.PositiveSmallIntegerField(
        _("days between surveys to one customer"),
        default=30,
        help_text=_("No customer is asked more often, by any survey or automation."),
    )
    postal_address = models.TextField(_("postal address in e-mails"), blank=True)

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisation")
        triggers = audited()
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="organisation_is_one_row")]

    def __str__(self) -> str:
        return self.name
