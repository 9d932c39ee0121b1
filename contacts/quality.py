"""What can be wrong with a record: each check is one condition, which the count, the list and the repair share.

A check is seen with the eyes of a person (``faulty(user)``): nobody learns of records of others by a number.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import MD5
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contacts.models import Company, Contact, ContactPoint, DataFault, DuplicatePair, Message, Pulse
from crmcem.lib.registry import Registry

MODELS: dict[str, Any] = {"contact": Contact, "company": Company}
GROUPS = {
    "missing": _("Missing"),
    "invalid": _("Invalid"),
    "stale": _("Stale"),
    "bouncing": _("Bouncing"),
    "duplicate": _("Duplicates"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One fault. ``faulty(user)`` is a condition on ``MODELS[entity]``, for rows that the user may see.

    ``key`` is also the value of the list's filter ``quality``; ``repair`` names what ``services.quality`` can do.
    """

    key: str
    entity: str
    group: str
    label: Any
    faulty: Callable[[Any], Q]
    repair: str = ""

    @property
    def name(self) -> str:
        return f"{self.entity}.{self.key}"

    def rows(self, user: Any) -> Any:
        """The faulty records that ``user`` may see."""
        return MODELS[self.entity].objects.visible_to(user).filter(self.faulty(user))


checks: Registry[Check] = Registry("check of the data quality")


def register(*items: Check) -> None:
    for item in items:
        checks.add(item.name, item)


def checks_of(entity: str) -> list[Check]:
    return [check for check in checks if check.entity == entity]


def _always(**conditions: Any) -> Callable[[Any], Q]:
    return lambda user: Q(**conditions)


def stale_before() -> dt.datetime:
    """Nothing since then: the record is stale."""
    return timezone.now() - dt.timedelta(days=settings.QUALITY_STALE_DAYS)


def _before(column: str, limit: dt.datetime) -> Q:
    return Q(**{f"{column}__isnull": True}) | Q(**{f"{column}__lt": limit})


def _stale_contact(user: Any) -> Q:
    limit = stale_before()
    quiet = _before("pulse__last_seen_at", limit) & _before("pulse__last_touched_at", limit)
    return Q(updated_at__lt=limit) & quiet


def _stale_company(user: Any) -> Q:
    limit = stale_before()
    recent = Q(last_seen_at__gte=limit) | Q(last_touched_at__gte=limit)
    people = Pulse.objects.visible_to(user).filter(recent, contact__company=OuterRef("pk"))
    return Q(~Exists(people), updated_at__lt=limit)


def _bouncing(user: Any) -> Q:
    """The address was refused for good (not only given up on), and nothing got there since."""
    mails = Message.objects.filter(contact=OuterRef("pk"), channel="email", to_address=OuterRef("email"))
    refused = mails.filter(status="failed").exclude(error__startswith="Given up after")
    arrived = Message.objects.filter(
        contact=OuterRef("contact"),
        channel="email",
        to_address=OuterRef("to_address"),
        status="sent",
        pk__gt=OuterRef("pk"),
    )
    return Q(Exists(refused.filter(~Exists(arrived))))


def _duplicate(entity: str) -> Callable[[Any], Q]:
    def faulty(user: Any) -> Q:
        pairs = DuplicatePair.objects.filter(entity=entity, state=DuplicatePair.State.OPEN).visible_to(user)
        return Q(pk__in=pairs.values("left_id")) | Q(pk__in=pairs.values("right_id"))

    return faulty


def _still(kind: str, column: str) -> Exists:
    """The background found this very value out of form."""
    found = DataFault.objects.filter(kind=kind, record_id=OuterRef("pk"), digest=MD5(OuterRef(column)))
    return Exists(found)


def invalid_points(kind: str) -> Any:
    """The addresses or numbers that are out of form."""
    return ContactPoint.objects.filter(_still("point", "value"), kind=kind)


def _invalid(kind: str) -> Callable[[Any], Q]:
    return lambda user: Q(pk__in=invalid_points(kind).values("contact_id"))


register(
    Check(
        "unreachable",
        "contact",
        "missing",
        _("No e-mail address and no phone"),
        _always(email__isnull=True, phone__isnull=True),
    ),
    Check("unowned", "contact", "missing", _("Nobody is responsible"), _always(owner__isnull=True), "owner"),
    Check("unnamed", "contact", "missing", _("No name"), _always(first_name="", last_name="")),
    Check("homeless", "contact", "missing", _("No company"), _always(company__isnull=True)),
    Check(
        "invalid_email",
        "contact",
        "invalid",
        _("An e-mail address that can’t be one"),
        _invalid("email"),
        "email",
    ),
    Check(
        "invalid_phone",
        "contact",
        "invalid",
        _("A phone number that can’t be one"),
        _invalid("phone"),
        "phone",
    ),
    Check("stale", "contact", "stale", _("No activity and no change for long"), _stale_contact),
    Check("bouncing", "contact", "bouncing", _("E-mails come back"), _bouncing, "address"),
    Check("duplicate", "contact", "duplicate", _("Perhaps there twice"), _duplicate("contact"), "merge"),
    Check(
        "unreachable",
        "company",
        "missing",
        _("No domain, no website and no phone"),
        _always(domain__isnull=True, website="", phone__isnull=True),
    ),
    Check("unowned", "company", "missing", _("Nobody is responsible"), _always(owner__isnull=True)),
    Check(
        "invalid_phone",
        "company",
        "invalid",
        _("A phone number that can’t be one"),
        lambda user: Q(_still("company", "phone")),
        "phone",
    ),
    Check("stale", "company", "stale", _("No activity and no change for long"), _stale_company),
    Check("duplicate", "company", "duplicate", _("Perhaps there twice"), _duplicate("company"), "merge"),
)
