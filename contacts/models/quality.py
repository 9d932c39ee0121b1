"""What the data quality remembers: values that are in no usable form, and how many records each check found by day."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class DataFault(models.Model):
    """A stored value that would not be taken today: of a contact point, or the phone of a company.

    ``digest`` is the MD5 of the value, so a row says nothing by itself and no longer counts once the value changed.
    """

    class Kind(models.TextChoices):
        POINT = "point", _("way to reach")
        COMPANY = "company", _("company")

    kind = models.CharField(max_length=8, choices=Kind.choices)
    record_id = models.BigIntegerField()
    digest = models.CharField(max_length=32)

    class Meta:
        verbose_name = _("value out of form")
        verbose_name_plural = _("values out of form")
        constraints = [models.UniqueConstraint(fields=["kind", "record_id"], name="datafault_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.record_id}"


class FaultScan(models.Model):
    """A walk over all values of a kind by id; ``after_id`` is the last that was looked at."""

    kind = models.CharField(max_length=8, unique=True, choices=DataFault.Kind.choices)
    after_id = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("walk over values")
        verbose_name_plural = _("walks over values")

    def __str__(self) -> str:
        return f"{self.kind} {self.after_id}"


class QualityDay(models.Model):
    """How many of ``total`` records a check found on a day of the organisation, over everybody's records."""

    day = models.DateField(_("day"))
    check_name = models.CharField(_("check"), max_length=80)
    found = models.BigIntegerField(_("found"))
    total = models.BigIntegerField(_("records"))

    class Meta:
        ordering = ["check_name", "-day"]
        verbose_name = _("data quality of a day")
        verbose_name_plural = _("data quality by day")
        constraints = [models.UniqueConstraint(fields=["check_name", "day"], name="qualityday_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.check_name}: {self.found}"
