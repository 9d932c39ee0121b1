"""The domains of a company. The primary one is the company's own ``domain``; whichever names it, it is found."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db.models import F
from django.utils.translation import gettext as _

from contacts.models import Company, CompanyDomain
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
from contacts.services.unique import unique_values
from contacts.validation import company_cleaners
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError
from crmcem.lib.records import change

SHAPE = Shape({"domain": company_cleaners("US")["domain"], "is_primary": flag}, ("domain",))


def domain_add(*, data: Mapping[str, Any], actor: Actor) -> CompanyDomain:
    """Add a domain to a company; the first is the primary one.

    ``data``: ``company`` by row or id, ``domain``, ``is_primary``. Raises DomainError for one that is taken.
    """
    may_write(actor)
    values = clean_part(SHAPE, {name: v for name, v in data.items() if name != "company"}, actor)
    with acting(actor):
        company = record_of(Company, data.get("company"), actor, "company")
        room_for_one(company.domains, "company")
        primary = values.get("is_primary", False) or company.domain is None
        with _unique(values["domain"], actor):
            row = CompanyDomain(company=company, domain=values["domain"])
            row.save(force_insert=True)
        _keep(company, row if primary else None, actor)
        row.refresh_from_db()
    return row


def domain_update(
    *, domain: CompanyDomain, data: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> CompanyDomain:
    """Change the domain or make it the primary one. Raises StaleWrite, DomainError."""
    may_write(actor)
    values = clean_part(SHAPE, data, actor, partial=True)
    with acting(actor):
        row, company = locked_part(domain, actor, expected_version, "company")
        primary = values.pop("is_primary", row.is_primary)
        if row.is_primary and not primary:
            raise DomainError.of(
                "is_primary", "required", _("Make another one the primary one instead: there is always one.")
            )
        with _unique(values.get("domain", row.domain), actor):
            changed = change(row, values)
        if not changed and primary == row.is_primary:
            return row
        _keep(company, row if primary else None, actor)
        row.refresh_from_db()
    return row


def domain_remove(*, domain: CompanyDomain, actor: Actor, expected_version: int | None = None) -> None:
    """Take a domain away. After a primary one the oldest other takes its place, if there is one."""
    may_write(actor)
    with acting(actor):
        row, company = locked_part(domain, actor, expected_version, "company")
        was = row.is_primary
        row.delete()
        _keep(company, company.domains.order_by("id").first() if was else None, actor, gone=was)


def _keep(company: Company, primary: CompanyDomain | None, actor: Actor, *, gone: bool = False) -> None:
    changed: dict[str, Any] = {}
    if primary is not None:
        rows = company.domains.all()
        rows.filter(is_primary=True).exclude(pk=primary.pk).update(is_primary=False, version=F("version") + 1)
        rows.filter(pk=primary.pk, is_primary=False).update(is_primary=True, version=F("version") + 1)
        changed = change(company, {"domain": primary.domain})
    elif gone:
        changed = change(company, {"domain": None})
    tell(company, "domains", actor, changed)


@contextmanager
def _unique(domain: str, actor: Actor) -> Iterator[None]:
    with unique_values(Company, {"domain": domain}, actor):
        yield
