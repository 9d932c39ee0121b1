"""Where somebody works and has worked. The primary employment and the contact's company and title are one thing."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Company, Contact, Employment
from contacts.recurrence import zone_of
from contacts.services.parts import (
    Shape,
    clean_part,
    flag,
    locked_part,
    may_write,
    record_of,
    room_for_one,
    tell,
)
from crmcem.lib import cleaning
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError
from crmcem.lib.records import change
from crmcem.workspace.organisation import organisation

SHAPE = Shape(
    {
        "title": cleaning.text(200),
        "department": cleaning.text(120),
        "starts_on": cleaning.day,
        "ends_on": cleaning.day,
        "is_primary": flag,
    },
    ("company",),
    {"company": Company},
)


def today() -> dt.date:
    """The day in the organisation's time zone."""
    return timezone.now().astimezone(zone_of(organisation().time_zone)).date()


def employment_add(*, data: Mapping[str, Any], actor: Actor) -> Employment:
    """Add a job to a contact. The first one that hasn't ended is the primary one, whatever ``data`` says.

    ``data``: ``contact`` and ``company`` by row or id, ``title department starts_on ends_on is_primary``.
    Raises DomainError for bad input.
    """
    may_write(actor)
    own = {name: value for name, value in data.items() if name != "contact"}
    values = clean_part(SHAPE, own, actor)
    _in_order(values.get("starts_on"), values.get("ends_on"))
    with acting(actor):
        contact = record_of(Contact, data.get("contact"), actor, "contact")
        room_for_one(contact.employments, "contact")
        primary = values.pop("is_primary", False)
        if _ended(values.get("ends_on")):
            _not_primary(primary)
        else:
            primary = primary or not contact.employments.filter(is_primary=True).exists()
        row = Employment.objects.create(contact=contact, **values)
        _keep(contact, row if primary else None, actor)
        row.refresh_from_db()
    return row


def employment_update(
    *, employment: Employment, data: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> Employment:
    """Change what ``data`` names. One that ends or is no longer primary leaves the contact without a company.

    Raises StaleWrite, DomainError.
    """
    may_write(actor)
    values = clean_part(SHAPE, data, actor, partial=True)
    with acting(actor):
        row, contact = locked_part(employment, actor, expected_version, "contact")
        primary = values.pop("is_primary", None)
        ends_on = values.get("ends_on", row.ends_on)
        _in_order(values.get("starts_on", row.starts_on), ends_on)
        ended = _ended(ends_on)
        if ended:
            _not_primary(primary)
        was = row.is_primary
        changed = change(row, values)
        now = (was if primary is None else primary) and not ended
        if not changed and now == was:
            return row
        if was and not now:
            _mark(contact.employments.filter(pk=row.pk), False)
        _keep(contact, row if now else None, actor, left=was and not now)
        row.refresh_from_db()
    return row


def employment_remove(*, employment: Employment, actor: Actor, expected_version: int | None = None) -> None:
    """Forget an employment, as if it had never been. Without a primary one the contact has no company."""
    may_write(actor)
    with acting(actor):
        row, contact = locked_part(employment, actor, expected_version, "contact")
        was = row.is_primary
        row.delete()
        _keep(contact, None, actor, left=was)


def _keep(contact: Contact, primary: Employment | None, actor: Actor, *, left: bool = False) -> None:
    """Make ``primary`` the contact's only one, and the contact say the same. ``left``: the contact lost its own."""
    changed: dict[str, Any] = {}
    if primary is not None:
        _mark(contact.employments.filter(is_primary=True).exclude(pk=primary.pk), False)
        _mark(contact.employments.filter(pk=primary.pk, is_primary=False), True)
        changed = change(contact, {"company": primary.company, "job_title": primary.title})
    elif left:
        changed = change(contact, {"company": None, "job_title": ""})
    tell(contact, "employments", actor, changed)


def _mark(rows: Any, primary: bool) -> None:
    rows.update(is_primary=primary, version=F("version") + 1, updated_at=timezone.now())


def _ended(day: dt.date | None) -> bool:
    return day is not None and day < today()


def _in_order(start: dt.date | None, end: dt.date | None) -> None:
    if start is not None and end is not None and end < start:
        raise DomainError.of("ends_on", "order", _("This must not lie before the first day."))


def _not_primary(primary: Any) -> None:
    if primary:
        raise DomainError.of("is_primary", "ended", _("A job that has ended can't be the primary one."))
