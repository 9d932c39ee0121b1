from django.db import models
from django.utils.translation import gettext_lazy as _

from .customers import Contact
from .parts import OfContact


class Milestone(models.Model):
    """What a contact has reached, each once: the key that keeps its activity from being written twice.

    ``number`` is the year of a birthday or an anniversary, and of an order which one it was.
    """

    class Kind(models.TextChoices):
        BIRTHDAY = "birthday", _("Birthday")
        ANNIVERSARY = "anniversary", _("Anniversary as a customer")
        ORDER = "order", _("Number of orders")

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="milestones", db_index=False)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    number = models.PositiveIntegerField(_("number"))
    day = models.DateField(_("day"))

    objects = OfContact.as_manager()

    class Meta:
        verbose_name = _("milestone")
        verbose_name_plural = _("milestones")
        constraints = [
            models.UniqueConstraint(fields=["contact", "kind", "number"], name="milestone_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class MilestoneDay(models.Model):
    """A day of the organisation that was looked through: one that the workers missed is made up for."""

    day = models.DateField(_("day"), primary_key=True)

    class Meta:
        verbose_name = _("day of milestones")
        verbose_name_plural = _("days of milestones")

    def __str__(self) -> str:
        return self.day.isoformat()
