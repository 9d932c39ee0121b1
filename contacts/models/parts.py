"""What hangs on a contact or company in rows of its own: jobs, domains, relationships, addresses, profiles, stages."""

from typing import Any, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from crmcem.lib.audit import audited
from crmcem.lib.visibility import OwnedQuerySet, visible_q

from .customers import Company, Contact, Lifecycle


class OfContact(OwnedQuerySet):
    """Rows that are seen by whoever sees their contact."""

    visibility_prefix = "contact__"


class Part(models.Model):
    """Times, and a version for ETags. The database's triggers write these rows too, so it knows the defaults."""

    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        abstract = True


class Employment(Part):
    """A job of a contact at a company, now or once. ``starts_on`` and ``ends_on`` are days; None is unknown or still.

    The primary one's company and title stand on the contact too (``company``, ``job_title``). A trigger follows the
    contact, the services follow the employment, so both always say the same.
    """

    contact = models.ForeignKey(
        Contact, models.CASCADE, related_name="employments", verbose_name=_("contact")
    )
    company = models.ForeignKey(
        Company, models.CASCADE, related_name="employments", verbose_name=_("company")
    )
    title = models.CharField(_("job title"), max_length=200, blank=True)
    department = models.CharField(_("department"), max_length=120, blank=True)
    starts_on = models.DateField(_("from"), null=True, blank=True)
    ends_on = models.DateField(_("until"), null=True, blank=True)
    is_primary = models.BooleanField(_("primary"), default=False)

    objects = OfContact.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("employment")
        verbose_name_plural = _("employments")
        # Made with every contact that has a company, also by a million: the contact's own audit row tells of it.
        triggers = audited()[1:]
        constraints = [
            models.UniqueConstraint(
                fields=["contact"], name="employment_primary_once", condition=models.Q(is_primary=True)
            ),
            models.CheckConstraint(
                condition=models.Q(ends_on__isnull=True)
                | models.Q(starts_on__isnull=True)
                | models.Q(ends_on__gte=models.F("starts_on")),
                name="employment_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return self.title or f"#{self.pk}"


class OfCompany(OwnedQuerySet):
    """Rows that are seen by whoever sees their company."""

    visibility_prefix = "company__"


class CompanyDomain(Part):
    """A domain of a company, the primary one among them (a trigger keeps that in step with ``Company.domain``)."""

    company = models.ForeignKey(Company, models.CASCADE, related_name="domains", verbose_name=_("company"))
    domain = models.CharField(_("domain"), max_length=253, unique=True, db_collation="C")
    is_primary = models.BooleanField(_("primary"), default=False)

    objects = OfCompany.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        # Made with every company: the company's own audit row tells of it.
        triggers = audited()[1:]
        constraints = [
            models.UniqueConstraint(
                fields=["company"], name="companydomain_primary_once", condition=models.Q(is_primary=True)
            )
        ]

    def __str__(self) -> str:
        return self.domain


class LifecycleChange(models.Model):
    """A step from one lifecycle stage to another, written by a trigger whoever made it. Append-only."""

    contact = models.ForeignKey(
        Contact, models.CASCADE, related_name="lifecycle_changes", db_index=False, verbose_name=_("contact")
    )
    from_stage = models.CharField(_("from"), max_length=16, choices=Lifecycle.choices)
    to_stage = models.CharField(_("to"), max_length=16, choices=Lifecycle.choices)
    at = models.DateTimeField(_("when"))
    actor_kind = models.CharField(_("who"), max_length=12, default="system")
    actor_id = models.BigIntegerField(null=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)

    objects = OfContact.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("lifecycle change")
        verbose_name_plural = _("lifecycle changes")
        indexes = [models.Index(fields=["contact", "-id"], name="lifecycle_contact")]

    def __str__(self) -> str:
        return f"{self.from_stage} – {self.to_stage}"


class OfBoth(models.QuerySet[Any]):
    """Rows between two people: only who sees both sees that they have to do with each other."""

    def visible_to(self, user: Any) -> Self:
        return self.filter(visible_q(user, "contact__"), visible_q(user, "related__"))


class Relationship(Part):
    """What one person is to another, read from ``contact``: contact *reports to* related."""

    class Kind(models.TextChoices):
        REPORTS_TO = "reports_to", _("reports to")
        INFLUENCES = "influences", _("influences")
        ASSISTANT_OF = "assistant_of", _("is the assistant of")
        REFERRED_BY = "referred_by", _("was referred by")
        PARTNER = "partner", _("is a business partner of")
        SPOUSE = "spouse", _("is married to")
        RELATIVE = "relative", _("is a relative of")

    contact = models.ForeignKey(
        Contact, models.CASCADE, related_name="relationships", db_index=False, verbose_name=_("contact")
    )
    related = models.ForeignKey(
        Contact, models.CASCADE, related_name="related_from", verbose_name=_("related person")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    note = models.CharField(_("note"), max_length=300, blank=True)

    objects = OfBoth.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("relationship")
        verbose_name_plural = _("relationships")
        triggers = audited()
        constraints = [
            models.UniqueConstraint(fields=["contact", "related", "kind"], name="relationship_once"),
            models.CheckConstraint(
                condition=~models.Q(contact=models.F("related")), name="relationship_of_two"
            ),
        ]

    def __str__(self) -> str:
        return str(self.get_kind_display())


class OfEither(models.QuerySet[Any]):
    """Rows of a contact or of a company: seen by whoever sees that record."""

    def visible_to(self, user: Any) -> Self:
        of_contact = models.Q(contact__isnull=False) & visible_q(user, "contact__")
        return self.filter(of_contact | models.Q(company__isnull=False) & visible_q(user, "company__"))


class EitherPart(Part):
    """Of a contact or of a company, never of both."""

    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="%(class)s_set",
        verbose_name=_("contact"),
    )
    company = models.ForeignKey(
        Company,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="%(class)s_set",
        verbose_name=_("company"),
    )

    objects = OfEither.as_manager()

    class Meta:
        abstract = True


def of_one(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=models.Q(contact__isnull=True, company__isnull=False)
        | models.Q(contact__isnull=False, company__isnull=True),
        name=name,
    )


class Address(EitherPart):
    """A postal address. ``country`` is an ISO 3166 code of two letters, ``lines`` street and number."""

    class Kind(models.TextChoices):
        MAIN = "main", _("Main address")
        BILLING = "billing", _("Billing address")
        SHIPPING = "shipping", _("Delivery address")
        OFFICE = "office", _("Office")
        HOME = "home", _("Home")
        OTHER = "other", _("Other")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.MAIN)
    lines = models.TextField(_("street and number"), max_length=500, blank=True)
    postal_code = models.CharField(_("postal code"), max_length=20, blank=True)
    city = models.CharField(_("city"), max_length=120, blank=True)
    region = models.CharField(_("region"), max_length=120, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    is_primary = models.BooleanField(_("primary"), default=False)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        triggers = audited()
        constraints = [
            of_one("address_of_one"),
            models.UniqueConstraint(
                fields=["contact"], name="address_contact_primary", condition=models.Q(is_primary=True)
            ),
            models.UniqueConstraint(
                fields=["company"], name="address_company_primary", condition=models.Q(is_primary=True)
            ),
        ]

    def __str__(self) -> str:
        place = f"{self.postal_code} {self.city}".strip()
        return ", ".join(p for p in (self.lines.replace("\n", ", "), place, self.region, self.country) if p)


class SocialProfile(EitherPart):
    """Where somebody is on a network. ``url`` begins with https:// or http://."""

    class Network(models.TextChoices):
        LINKEDIN = "linkedin", "LinkedIn"
        XING = "xing", "XING"
        X = "x", "X"
        MASTODON = "mastodon", "Mastodon"
        BLUESKY = "bluesky", "Bluesky"
        FACEBOOK = "facebook", "Facebook"
        INSTAGRAM = "instagram", "Instagram"
        YOUTUBE = "youtube", "YouTube"
        GITHUB = "github", "GitHub"
        OTHER = "other", _("Other")

    network = models.CharField(_("network"), max_length=12, choices=Network.choices)
    handle = models.CharField(_("name there"), max_length=120, blank=True)
    url = models.CharField(_("web address"), max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("social profile")
        verbose_name_plural = _("social profiles")
        triggers = audited()
        constraints = [of_one("socialprofile_of_one")]

    def __str__(self) -> str:
        return self.handle or self.url
