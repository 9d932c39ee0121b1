"""What can hang on a contact, a company or a record of a higher floor: files and the people who follow it."""

import secrets
from typing import Any, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crmcem.lib.audit import audited
from crmcem.lib.references import references
from crmcem.lib.visibility import visible_q

from .customers import Company, Contact


class OfSubject(models.QuerySet[Any]):
    """Seen by whoever sees the record: a contact, a company, or a soft subject whose app says which rows those are."""

    def visible_to(self, user: Any) -> Self:
        seen = models.Q(contact__isnull=False) & visible_q(user, "contact__")
        seen |= models.Q(company__isnull=False) & visible_q(user, "company__")
        for kind in references:
            if kind.rows is not None and user.may(kind.scope):
                rows = kind.rows(user).order_by().values("pk")
                seen |= models.Q(subject_type=kind.key, subject_id__in=rows)
        return self.filter(seen)


class OnSubject(models.Model):
    """``contact``, ``company``, or ``subject_type`` and ``subject_id`` of a record of a higher floor; one of them.

    None of them: the record is gone, and upkeep takes the row away.
    """

    contact = models.ForeignKey(
        Contact,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="%(class)s_set",
        verbose_name=_("contact"),
    )
    company = models.ForeignKey(
        Company,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="%(class)s_set",
        verbose_name=_("company"),
    )
    subject_type = models.CharField(max_length=40, blank=True, default="", db_collation="C")
    subject_id = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = OfSubject.as_manager()

    class Meta:
        abstract = True


def on_one(name: str) -> models.CheckConstraint:
    """At most one record."""
    none = models.Q(subject_type="", subject_id__isnull=True)
    return models.CheckConstraint(
        condition=(none & (models.Q(contact__isnull=True) | models.Q(company__isnull=True)))
        | models.Q(contact__isnull=True, company__isnull=True, subject_id__isnull=False),
        name=name,
    )


def random_name(attachment: "Attachment", name: str) -> str:
    """Where the bytes lie: nothing of what somebody typed, and not to be guessed."""
    return f"attachments/{timezone.now():%Y/%m}/{secrets.token_hex(20)}"


class Attachment(OnSubject):
    """A file. ``content_type`` is what its bytes are, whatever it is called; ``size`` is in bytes."""

    file = models.FileField(upload_to=random_name, max_length=200)
    name = models.CharField(_("name"), max_length=200)
    content_type = models.CharField(_("type"), max_length=100)
    size = models.PositiveBigIntegerField(_("size"))
    note = models.CharField(_("note"), max_length=300, blank=True)
    uploaded_by = models.ForeignKey(
        "workspace.User",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("uploaded by"),
    )
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        triggers = audited()
        constraints = [on_one("attachment_on_one")]
        indexes = [
            models.Index(
                fields=["subject_type", "subject_id"],
                name="attachment_subject",
                condition=models.Q(subject_id__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.name


class LooseFile(models.Model):
    """Bytes that hang on no record any more, since when, and by the name that they have in the store.

    Whoever removed the file, or deleted its record, may take that back for half an hour; upkeep waits for longer.
    """

    file = models.CharField(max_length=200, unique=True)
    since = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.file


class Follower(OnSubject):
    """A person who wants to know what happens with a record; told only as long as they may see it."""

    user = models.ForeignKey(
        "workspace.User", models.CASCADE, related_name="following", db_index=False, verbose_name=_("person")
    )

    class Meta:
        ordering = ["-id"]
        verbose_name = _("follower")
        verbose_name_plural = _("followers")
        triggers = audited()
        constraints = [
            on_one("follower_on_one"),
            models.UniqueConstraint(
                fields=["user", "contact"],
                name="follower_contact_once",
                condition=models.Q(contact__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["user", "company"],
                name="follower_company_once",
                condition=models.Q(company__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["user", "subject_type", "subject_id"],
                name="follower_subject_once",
                condition=models.Q(subject_id__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["subject_type", "subject_id"],
                name="follower_subject",
                condition=models.Q(subject_id__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return str(self.user)
