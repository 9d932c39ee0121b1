"""Repairing values out of form: what each would become, shown before anything is written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from contacts.models import Address, Company, ContactPoint
from contacts.quality import Check, invalid_points
from crmcem.lib.normalise import mended_email, mended_phone
from crmcem.workspace.organisation import organisation


@dataclass(frozen=True, slots=True)
class Change:
    """The value of a record (``row`` is the contact point or the company), and what it would become."""

    record: Any
    row: Any
    old: str
    new: str


def changes(check: Check, user: Any, limit: int) -> list[Change]:
    """What can be mended by rule among the first ``limit`` faulty values that the person may see."""
    if check.entity == "company":
        return company_changes(check.rows(user).order_by("pk")[:limit])
    rows = _invalid(check).filter(contact__in=check.rows(user))
    return _mended(check, rows.defer("contact__custom", "contact__consent")[:limit])


def point_changes(check: Check, user: Any, contacts: list[int]) -> list[Change]:
    """What can be mended by rule on these contacts, as far as the person may see them."""
    return _mended(check, _invalid(check).filter(contact__in=check.rows(user).filter(pk__in=contacts)))


def _invalid(check: Check) -> Any:
    rows = invalid_points(check.key.removeprefix("invalid_")).select_related("contact")
    return rows.order_by("contact_id", "pk")


def _mended(check: Check, rows: Iterable[ContactPoint]) -> list[Change]:
    points = list(rows)
    if check.key.removeprefix("invalid_") == "email":
        found = [(point, mended_email(point.value)) for point in points]
    else:
        countries = _countries(points)
        found = [(point, mended_phone(point.value, countries[point.contact_id])) for point in points]
    return [Change(point.contact, point, point.value, new) for point, new in found if new]


def company_changes(found: Iterable[Company]) -> list[Change]:
    """What the numbers of these companies would become."""
    rows = list(found)
    addresses = _of(Address.objects.filter(company__in=[row.pk for row in rows]), "company_id")
    ours = [organisation().country]
    mended = [(row, mended_phone(row.phone, addresses.get(row.pk) or ours)) for row in rows if row.phone]
    return [Change(row, row, row.phone or "", new) for row, new in mended if new]


def _countries(points: Sequence[ContactPoint]) -> dict[int, list[str]]:
    """Contact → where a number without its country belongs: by their address, else their company's, else here."""
    own = _of(Address.objects.filter(contact__in={p.contact_id for p in points}), "contact_id")
    companies = {p.contact_id: p.contact.company_id for p in points if p.contact.company_id}
    theirs = _of(Address.objects.filter(company__in=set(companies.values())), "company_id")
    ours = [organisation().country]
    return {
        p.contact_id: own.get(p.contact_id) or theirs.get(companies.get(p.contact_id, 0)) or ours
        for p in points
    }


def _of(rows: Any, column: str) -> dict[int, list[str]]:
    """Record → the countries of its addresses, the primary one first."""
    found: dict[int, list[str]] = {}
    named: Iterable[tuple[int, str]] = (
        rows.exclude(country="").order_by("-is_primary", "pk").values_list(column, "country")
    )
    for pk, country in named:
        found.setdefault(pk, []).append(country)
    return found
