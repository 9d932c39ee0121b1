"""Rollups: counts per day, from which every dashboard figure is computed, and the ledger that keeps them exact."""

from django.db import models
from django.utils.translation import gettext_lazy as _

#: the longest scale is 0 to 10
SCORES = tuple(f"s{score}" for score in range(11))
COUNTS = ("n", "top", "middle", "bottom", "total", *SCORES)


class Metric(models.TextChoices):
    """What an answer sheet can hold; ``mood`` is the sentiment of its comment."""

    NPS = "nps", _("NPS")
    CSAT = "csat", _("CSAT")
    CES = "ces", _("CES")
    MOOD = "mood", _("Sentiment")


class MetricDay(models.Model):
    """Counts of one metric's answers on one day (organisation's time zone), for one value of one dimension.

    ``dimension`` is ``all``, ``touchpoint`` or ``owner``; ``value`` its value as text ('' for none). Companies
    are nearly as many as answers, so they have no rows here. For NPS ``top``/``middle``/``bottom`` are promoters,
    passives and detractors; for CSAT and CES ``top`` is the satisfied, ``bottom`` the rest; for mood positive,
    neutral and negative comments. ``total`` is the sum of the raw answers, ``s0`` … ``s10`` how many gave each.
    """

    survey = models.ForeignKey("feedback.Survey", models.CASCADE, related_name="+", db_index=False)
    metric = models.CharField(max_length=8)
    dimension = models.CharField(max_length=12)
    value = models.CharField(max_length=120, blank=True, default="")
    day = models.DateField()
    n = models.IntegerField(default=0)
    top = models.IntegerField(default=0)
    middle = models.IntegerField(default=0)
    bottom = models.IntegerField(default=0)
    total = models.BigIntegerField(default=0)
    s0 = models.IntegerField(default=0)
    s1 = models.IntegerField(default=0)
    s2 = models.IntegerField(default=0)
    s3 = models.IntegerField(default=0)
    s4 = models.IntegerField(default=0)
    s5 = models.IntegerField(default=0)
    s6 = models.IntegerField(default=0)
    s7 = models.IntegerField(default=0)
    s8 = models.IntegerField(default=0)
    s9 = models.IntegerField(default=0)
    s10 = models.IntegerField(default=0)

    class Meta:
        verbose_name = _("metric per day")
        verbose_name_plural = _("metrics per day")
        constraints = [
            models.UniqueConstraint(
                fields=["metric", "dimension", "survey", "day", "value"], name="metricday_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.dimension}={self.value} {self.day}"


class InvitationDay(models.Model):
    """Invitations by the day they were sent: the denominators of response rates.

    ``dimension`` is ``all`` or ``touchpoint``. ``answered`` and ``partial`` count those of ``delivered`` that
    came back complete, or begun and not finished.
    """

    survey = models.ForeignKey("feedback.Survey", models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    dimension = models.CharField(max_length=12)
    value = models.CharField(max_length=120, blank=True, default="")
    delivered = models.IntegerField(default=0)
    answered = models.IntegerField(default=0)
    partial = models.IntegerField(default=0)

    class Meta:
        verbose_name = _("invitations per day")
        verbose_name_plural = _("invitations per day")
        constraints = [
            models.UniqueConstraint(fields=["survey", "dimension", "day", "value"], name="invitationday_once")
        ]

    def __str__(self) -> str:
        return f"{self.survey_id} {self.day}"


class CountedResponse(models.Model):
    """The ledger: what of one answer stands in ``MetricDay`` now.

    A change, a correction or a deletion takes this out and puts the new figures in, so the order and the number
    of announcements don't matter. No foreign keys: the entry must outlive the answer to be taken out.
    """

    response_id = models.BigIntegerField(primary_key=True)
    survey_id = models.BigIntegerField()
    day = models.DateField()
    touchpoint = models.CharField(max_length=80)
    owner_id = models.BigIntegerField(null=True)
    nps = models.SmallIntegerField(null=True)
    csat = models.SmallIntegerField(null=True)
    csat_scale = models.SmallIntegerField(null=True)
    ces = models.SmallIntegerField(null=True)
    mood = models.SmallIntegerField(null=True)

    class Meta:
        verbose_name = _("counted answer")
        verbose_name_plural = _("counted answers")

    def __str__(self) -> str:
        return str(self.response_id)


class CountedInvitation(models.Model):
    """The ledger of ``InvitationDay``: ``state`` is 0 delivered, 1 begun, 2 answered."""

    invitation_id = models.BigIntegerField(primary_key=True)
    survey_id = models.BigIntegerField()
    day = models.DateField()
    touchpoint = models.CharField(max_length=80)
    state = models.SmallIntegerField()

    class Meta:
        verbose_name = _("counted invitation")
        verbose_name_plural = _("counted invitations")

    def __str__(self) -> str:
        return str(self.invitation_id)


class RollupState(models.Model):
    """The one row (id 1) that says in which time zone the days of the rollups were cut, and when all were made."""

    time_zone = models.CharField(max_length=64)
    rebuilt_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("state of the rollups")
        verbose_name_plural = _("state of the rollups")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="rollupstate_is_one_row")]

    def __str__(self) -> str:
        return self.time_zone
