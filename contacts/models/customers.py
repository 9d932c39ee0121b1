"""The one customer model: companies, people and the ways to reach them."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import ExtractDay, ExtractMonth
from django.utils.translation import gettext_lazy as _

from crmcem.lib.audit import audited
from crmcem.lib.sqlfields import Fold, Join
from crmcem.lib.visibility import OwnedQuerySet

from .tags import tag_notes
from .triggers import domain_history, employment_history, lifecycle_history
from .watch import company_notes, contact_notes


def prefix_index(field: str, name: str) -> models.Index:
    """For ``crmcem_fold(field) LIKE 'text%'``: the search of one or two characters."""
    return models.Index(OpClass(Fold(field), name="text_pattern_ops"), name=name)


class Lifecycle(models.TextChoices):
    SUBSCRIBER = "subscriber", _("Subscriber")
    LEAD = "lead", _("Lead")
    QUALIFIED = "qualified", _("Qualified")
    OPPORTUNITY = "opportunity", _("Opportunity")
    CUSTOMER = "customer", _("Customer")
    FORMER = "former", _("Former customer")


class Owned(models.Model):
    """What every record of a customer shares: owner and team (visibility), times, a version for ETags."""

    owner = models.ForeignKey(
        "workspace.User",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("owner"),
    )
    team = models.ForeignKey(
        "workspace.Team",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("team"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        abstract = True


class Company(Owned):
    """An organisation that people work for. ``domain`` is lower case without a leading ``www.``.

    It is the primary one of ``CompanyDomain``. ``parent`` makes a tree without circles, a few levels deep.
    """

    external_id = models.CharField(
        _("external id"), max_length=200, null=True, blank=True, unique=True, db_collation="C"
    )
    name = models.CharField(_("name"), max_length=300)
    domain = models.CharField(
        _("domain"), max_length=253, null=True, blank=True, unique=True, db_collation="C"
    )
    industry = models.CharField(_("industry"), max_length=120, blank=True)
    size = models.PositiveIntegerField(_("employees"), null=True, blank=True)
    phone = models.CharField(_("phone"), max_length=20, null=True, blank=True)
    website = models.CharField(_("website"), max_length=500, blank=True)
    parent = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("parent company"),
    )
    custom = models.JSONField(_("custom fields"), default=dict, blank=True)
    search_text = models.GeneratedField(
        expression=Fold(Join("name", "domain", "external_id")),
        output_field=models.TextField(),
        db_persist=True,
    )

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("company")
        verbose_name_plural = _("companies")
        triggers = [*audited(), *domain_history(), *company_notes()]
        indexes = [
            models.Index(fields=["owner", "-id"], name="company_owner"),
            models.Index(fields=["team", "-id"], name="company_team"),
            models.Index(fields=["name", "id"], name="company_name"),
            GinIndex(fields=["search_text"], name="company_search", opclasses=["gin_trgm_ops"]),
            prefix_index("name", "company_prefix"),
        ]

    def __str__(self) -> str:
        return self.name


class Contact(Owned):
    """A person: the customer whom every activity is about.

    ``email`` (lower case, unique) and ``phone`` (E.164) are the primary ones of ``ContactPoint``.
    ``birthday`` is in ``lib.birthdays.UNKNOWN_YEAR`` where the year is unknown.
    ``consent`` is ``{channel: {"status": "granted|denied", "at": time, "source": text}}``.
    """

    external_id = models.CharField(
        _("external id"), max_length=200, null=True, blank=True, unique=True, db_collation="C"
    )
    first_name = models.CharField(_("first name"), max_length=150, blank=True)
    last_name = models.CharField(_("last name"), max_length=150, blank=True)
    email = models.CharField(
        _("e-mail address"), max_length=254, null=True, blank=True, unique=True, db_collation="C"
    )
    phone = models.CharField(_("phone"), max_length=20, null=True, blank=True, db_collation="C")
    job_title = models.CharField(_("job title"), max_length=200, blank=True)
    birthday = models.DateField(_("birthday"), null=True, blank=True)
    company = models.ForeignKey(
        Company,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="contacts",
        verbose_name=_("company"),
    )
    lifecycle_stage = models.CharField(
        _("lifecycle stage"), max_length=16, choices=Lifecycle.choices, default=Lifecycle.LEAD
    )
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True, verbose_name=_("tags"))
    custom = models.JSONField(_("custom fields"), default=dict, blank=True)
    consent = models.JSONField(_("consent"), default=dict, blank=True)
    language = models.CharField(_("language"), max_length=12, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    search_text = models.GeneratedField(
        expression=Fold(Join("first_name", "last_name", "email", "phone", "external_id")),
        output_field=models.TextField(),
        db_persist=True,
    )

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        triggers = [*audited(), *employment_history(), *lifecycle_history(), *contact_notes(), *tag_notes()]
        indexes = [
            models.Index(fields=["owner", "-id"], name="contact_owner"),
            models.Index(fields=["team", "-id"], name="contact_team"),
            models.Index(fields=["last_name", "id"], name="contact_last_name"),
            models.Index(fields=["created_at", "id"], name="contact_created"),
            models.Index(fields=["updated_at", "id"], name="contact_updated"),
            GinIndex(fields=["search_text"], name="contact_search", opclasses=["gin_trgm_ops"]),
            prefix_index("first_name", "contact_first_prefix"),
            prefix_index("last_name", "contact_last_prefix"),
            GinIndex(fields=["tags"], name="contact_tags"),
            models.Index(
                ExtractMonth("birthday"),
                ExtractDay("birthday"),
                "id",
                name="contact_birthday",
                condition=models.Q(birthday__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.full_name or self.email or self.external_id or f"#{self.pk}"

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


class PointQuerySet(OwnedQuerySet):
    visibility_prefix = "contact__"


class ContactPoint(models.Model):
    """One way to reach or name a contact: an e-mail address, a phone number, a further external id.

    An e-mail address and an external id belong to one contact only; a phone may be shared. The primary address and
    number stand on the contact too. The first external id is the contact's own column and has no row here.
    """

    class Kind(models.TextChoices):
        EMAIL = "email", _("E-mail")
        PHONE = "phone", _("Phone")
        EXTERNAL_ID = "external_id", _("External id")

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="points", verbose_name=_("contact"))
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    value = models.CharField(_("value"), max_length=254, db_collation="C")
    label = models.CharField(_("label"), max_length=60, blank=True, default="", db_default="")
    is_primary = models.BooleanField(_("primary"), default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    objects = PointQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact point")
        verbose_name_plural = _("contact points")
        # Made with every contact, also by a million: the contact's own audit row tells of it.
        triggers = audited()[1:]
        constraints = [
            models.UniqueConstraint(
                fields=["value"], name="contactpoint_email_once", condition=models.Q(kind="email")
            ),
            models.UniqueConstraint(
                fields=["value"], name="contactpoint_external_id_once", condition=models.Q(kind="external_id")
            ),
        ]
        indexes = [
            models.Index(fields=["value"], name="contactpoint_phone", condition=models.Q(kind="phone")),
        ]

    def __str__(self) -> str:
        return self.value
