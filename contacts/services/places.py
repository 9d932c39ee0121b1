"""Postal addresses and social profiles of contacts and companies."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import phonenumbers
from django.db.models import F
from django.utils.translation import gettext as _

from contacts.models import Address, Company, Contact, SocialProfile
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
from crmcem.lib.cleaning import Bad
from crmcem.lib.errors import DomainError
from crmcem.lib.records import change

#: ISO 3166 codes
COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS)
Network = SocialProfile.Network
PAGES = {
    Network.LINKEDIN: "https://www.linkedin.com/in/{}",
    Network.XING: "https://www.xing.com/profile/{}",
    Network.X: "https://x.com/{}",
    Network.BLUESKY: "https://bsky.app/profile/{}",
    Network.FACEBOOK: "https://www.facebook.com/{}",
    Network.INSTAGRAM: "https://www.instagram.com/{}",
    Network.YOUTUBE: "https://www.youtube.com/@{}",
    Network.GITHUB: "https://github.com/{}",
}


def country(value: Any) -> str:
    """A code of two letters in upper case, blank for nothing."""
    code = str(cleaning.text(40)(value)).upper()
    if code and code not in COUNTRIES:
        raise Bad("invalid", _("Write the country’s code of two letters, such as DE or US."))
    return code


def web_address(value: Any) -> str:
    """``https://…`` with a host; a scheme that runs something in the browser is refused."""
    url = str(cleaning.text(500)(value))
    if not url:
        return ""
    if "://" not in url and not url.lower().startswith(("javascript:", "data:", "vbscript:", "mailto:")):
        url = f"https://{url}"
    wrong = _("Send a web address that begins with https:// or http://.")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Bad("invalid", wrong) from None
    if parts.scheme.lower() not in {"http", "https"} or "." not in (parts.hostname or "") or " " in url:
        raise Bad("invalid", wrong)
    return url


ADDRESS = Shape(
    {
        "kind": cleaning.choice(Address.Kind.values, Address.Kind.MAIN),
        "lines": cleaning.text(500, lines=True),
        "postal_code": cleaning.text(20),
        "city": cleaning.text(120),
        "region": cleaning.text(120),
        "country": country,
        "is_primary": flag,
    }
)
PROFILE = Shape(
    {
        "network": cleaning.choice(Network.values),
        "handle": cleaning.text(120),
        "url": web_address,
    },
    ("network",),
)
PLACE = ("lines", "postal_code", "city", "region", "country")
OWNERS = ("contact", "company")


def _own(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in OWNERS}


def _record(data: Mapping[str, Any], actor: Actor) -> tuple[str, Any]:
    """``("contact", row)`` or ``("company", row)``: the one that the data names, locked."""
    named = [name for name in OWNERS if data.get(name) is not None]
    if len(named) != 1:
        raise DomainError.of("contact", "required", _("Name a contact or a company, and only one of them."))
    model: Any = Contact if named[0] == "contact" else Company
    return named[0], record_of(model, data[named[0]], actor, named[0])


def _beside(model: Any, row: Any) -> Any:
    """The others of the same record."""
    return model.objects.filter(contact_id=row.contact_id, company_id=row.company_id).exclude(pk=row.pk)


# --- addresses ----------------------------------------------------------------------------------------------
def address_add(*, data: Mapping[str, Any], actor: Actor) -> Address:
    """Add an address to a ``contact`` or ``company`` (row or id); the first is the primary one. Raises DomainError."""
    may_write(actor)
    with acting(actor):
        name, record = _record(data, actor)
        values = clean_part(ADDRESS, _own(data), actor)
        _somewhere(values)
        rows = Address.objects.filter(**{name: record})
        room_for_one(rows, name)
        primary = values.pop("is_primary", False) or not rows.filter(is_primary=True).exists()
        if primary:
            _unmark(rows)
        row = Address.objects.create(**{name: record}, **values, is_primary=primary)
        tell(record, "addresses", actor)
    return row


def address_update(
    *, address: Address, data: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> Address:
    """Change what ``data`` names. Raises StaleWrite, DomainError."""
    may_write(actor)
    values = clean_part(ADDRESS, data, actor, partial=True)
    with acting(actor):
        row, record = locked_part(address, actor, expected_version, *OWNERS)
        _somewhere({name: values.get(name, getattr(row, name)) for name in PLACE})
        if row.is_primary and not values.get("is_primary", True):
            raise DomainError.of(
                "is_primary", "required", _("Make another one the primary one instead: there is always one.")
            )
        if values.get("is_primary") and not row.is_primary:
            _unmark(_siblings(row))
        if change(row, values):
            tell(record, "addresses", actor)
    return row


def address_remove(*, address: Address, actor: Actor, expected_version: int | None = None) -> None:
    """Take it away. After a primary one the oldest other takes its place."""
    may_write(actor)
    with acting(actor):
        row, record = locked_part(address, actor, expected_version, *OWNERS)
        siblings, was = _siblings(row), row.is_primary
        row.delete()
        heir = siblings.order_by("id").first() if was else None
        if heir is not None:
            change(heir, {"is_primary": True})
        tell(record, "addresses", actor)


def _siblings(row: Address) -> Any:
    return _beside(Address, row)


def _unmark(rows: Any) -> None:
    rows.filter(is_primary=True).update(is_primary=False, version=F("version") + 1)


def _somewhere(values: Mapping[str, Any]) -> None:
    if not is_somewhere(values):
        raise DomainError.of("lines", "required", _("An address needs a street, a postal code or a city."))


def is_somewhere(values: Mapping[str, Any]) -> bool:
    """A country alone is no address."""
    return any(values.get(name) for name in PLACE if name != "country")


# --- social profiles -----------------------------------------------------------------------------------------
def profile_add(*, data: Mapping[str, Any], actor: Actor) -> SocialProfile:
    """Add a profile to a ``contact`` or ``company``: ``network`` with ``handle``, ``url`` or both."""
    may_write(actor)
    with acting(actor):
        name, record = _record(data, actor)
        values = _linked(clean_part(PROFILE, _own(data), actor))
        rows = SocialProfile.objects.filter(**{name: record})
        room_for_one(rows, name)
        _new(rows, values)
        row = SocialProfile.objects.create(**{name: record}, **values)
        tell(record, "profiles", actor)
    return row


def profile_update(
    *, profile: SocialProfile, data: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> SocialProfile:
    """Change what ``data`` names. Raises StaleWrite, DomainError."""
    may_write(actor)
    values = clean_part(PROFILE, data, actor, partial=True)
    with acting(actor):
        row, record = locked_part(profile, actor, expected_version, *OWNERS)
        known = {name: values.get(name, getattr(row, name)) for name in ("network", "handle", "url")}
        if "url" not in values and {"network", "handle"} & values.keys():
            known["url"] = ""  # it followed from the name there
        values = _linked(known)
        _new(_beside(SocialProfile, row), values)
        if change(row, values):
            tell(record, "profiles", actor)
    return row


def profile_remove(*, profile: SocialProfile, actor: Actor, expected_version: int | None = None) -> None:
    may_write(actor)
    with acting(actor):
        row, record = locked_part(profile, actor, expected_version, *OWNERS)
        row.delete()
        tell(record, "profiles", actor)


def profile_values(data: Mapping[str, Any]) -> dict[str, Any]:
    """``network``, ``handle`` and ``url`` as a profile keeps them. Raises DomainError."""
    values, errors = cleaning.clean(PROFILE.spec, data, PROFILE.required)
    if errors:
        raise DomainError(*errors)
    return _linked(values)


def _linked(values: dict[str, Any]) -> dict[str, Any]:
    """With the web address that follows from the name there, where none is given."""
    handle = str(values.get("handle") or "").removeprefix("@")
    url = values.get("url") or ""
    if not handle and not url:
        raise DomainError.of("handle", "required", _("Give the name there or the web address."))
    page = PAGES.get(values["network"])
    if not url and page is not None:
        url = page.format(quote(handle, safe="-._~"))
    return {**values, "handle": handle, "url": url}


def _new(rows: Any, values: Mapping[str, Any]) -> None:
    same = rows.filter(network=values["network"], handle=values["handle"], url=values["url"])
    if same.exists():
        raise DomainError.of("handle", "duplicate", _("This is known already."))
