from django.db import models
from django.db.models.functions import ExtractDay, ExtractMonth, Now
from django.utils.translation import gettext_lazy as _

from crmcem.lib.visibility import OwnedQuerySet

from .customers import Contact, Lifecycle
from .triggers import stage_clock
from .watch import pulse_notes


class Pulse(models.Model):
    """The latest experience and value figures of one contact, in a row of its own.

    Written downward by every floor (set-based), so lists show, sort and filter by them without knowing
    who computes them. ``owner``, ``team`` and ``lifecycle_stage`` are copies of the contact's, kept by
    ``contacts.services`` in the transaction that changes the contact: its references hold for them too, so that the
    database need not look every owner up twice. ``stage_since`` is the database's. A figure without its time was
    never measured.
    """

    contact = models.OneToOneField(Contact, models.CASCADE, primary_key=True, related_name="pulse")
    owner = models.ForeignKey(
        "workspace.User", models.SET_NULL, null=True, related_name="+", db_index=False, db_constraint=False
    )
    team = models.ForeignKey(
        "workspace.Team", models.SET_NULL, null=True, related_name="+", db_index=False, db_constraint=False
    )
    lifecycle_stage = models.CharField(max_length=16, default=Lifecycle.LEAD)
    stage_since = models.DateTimeField(_("stage since"), null=True, db_default=Now(), editable=False)
    nps = models.SmallIntegerField(_("NPS answer"), null=True)
    nps_at = models.DateTimeField(null=True)
    csat = models.SmallIntegerField(_("CSAT answer"), null=True)
    csat_at = models.DateTimeField(null=True)
    ces = models.SmallIntegerField(_("CES answer"), null=True)
    ces_at = models.DateTimeField(null=True)
    sentiment = models.FloatField(_("sentiment"), null=True, help_text="-1 to 1")
    sentiment_at = models.DateTimeField(null=True)
    open_cases = models.PositiveIntegerField(_("open cases"), default=0)
    health = models.SmallIntegerField(_("health"), null=True, help_text="0 to 100")
    health_at = models.DateTimeField(null=True)
    churn_risk = models.FloatField(_("churn risk"), null=True, help_text="0 to 1")
    churn_risk_at = models.DateTimeField(null=True)
    clv = models.DecimalField(_("customer lifetime value"), max_digits=14, decimal_places=2, null=True)
    clv_at = models.DateTimeField(null=True)
    orders = models.PositiveIntegerField(_("orders"), default=0)
    revenue = models.DecimalField(_("revenue"), max_digits=14, decimal_places=2, default=0)
    customer_since = models.DateField(_("customer since"), null=True)
    last_seen_at = models.DateTimeField(_("last seen"), null=True)
    last_touched_at = models.DateTimeField(_("last touched"), null=True)
    next_activity_at = models.DateTimeField(_("next activity"), null=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        verbose_name = _("pulse")
        verbose_name_plural = _("pulses")
        triggers = [*stage_clock(), *pulse_notes()]
        indexes = [
            models.Index(fields=["last_seen_at", "contact"], name="pulse_last_seen"),
            models.Index(
                ExtractMonth("customer_since"),
                ExtractDay("customer_since"),
                "contact",
                name="pulse_customer_since",
                condition=models.Q(customer_since__isnull=False),
            ),
            models.Index(fields=["nps", "contact"], name="pulse_nps", condition=models.Q(nps__isnull=False)),
            models.Index(
                fields=["next_activity_at", "contact"],
                name="pulse_next",
                condition=models.Q(next_activity_at__isnull=False),
            ),
            models.Index(
                fields=["open_cases", "contact"], name="pulse_cases", condition=models.Q(open_cases__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return str(self.contact_id)
