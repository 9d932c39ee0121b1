"""Contacts as vCards 3.0, the version that every address book reads."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Q, Sum, Window, prefetch_related_objects
from django.db.models.functions import Length, RowNumber

from contacts.models import Address, Company, Contact, ContactPoint, Interaction, SocialProfile
from crmcem.lib.birthdays import UNKNOWN_YEAR
from crmcem.lib.vcards import line, param

#: notes on a card; as many are read from one
MOST = 20
#: and of so many characters together, but for the newest: a thousand cards are made at once
LONGEST = 20_000
_PLACES = {Address.Kind.HOME: "home", Address.Kind.OTHER: "postal"}


def vcards(
    contacts: Sequence[Contact], user: Any, said: Mapping[int, Sequence[str]] | None = None
) -> Iterator[str]:
    """The card of each contact; a company that the person may not see is left out. Four queries, however many.

    ``said`` are notes by contact: what is known of somebody inside the house leaves it only where that is wished.
    """
    prefetch_related_objects(contacts, "points", "address_set", "socialprofile_set")
    ids = {contact.company_id for contact in contacts} - {None}
    companies = Company.objects.visible_to(user).in_bulk(list(ids)) if ids else {}
    for contact in contacts:
        notes = (said or {}).get(contact.pk, ())
        yield "".join(_lines(contact, companies.get(contact.company_id), notes))


def vcards_of_page(rows: Sequence[Any], user: Any) -> str:
    """The cards of the rows of a list, which may have been read in part only."""
    return "".join(vcards(_whole(rows, user), user))


def vcards_with_notes(rows: Sequence[Any], user: Any) -> str:
    """As ``vcards_of_page``, each with its newest notes that the person may see, the oldest of them first."""
    contacts = _whole(rows, user)
    newest_first: dict[str, Any] = {"partition_by": "contact_id", "order_by": "-id"}
    place, size = Window(RowNumber(), **newest_first), Window(Sum(Length("body")), **newest_first)
    found = Interaction.objects.visible_to(user).filter(contact__in=contacts, kind=Interaction.Kind.NOTE)
    some = found.annotate(place=place, size=size).filter(Q(place=1) | Q(size__lte=LONGEST), place__lte=MOST)
    said: dict[int, list[str]] = {}
    for contact_id, subject, body in some.order_by("id").values_list("contact_id", "subject", "body"):
        said.setdefault(contact_id, []).append("\n\n".join(filter(None, (subject, body))))
    return "".join(vcards(contacts, user, said))


def _whole(rows: Sequence[Any], user: Any) -> list[Contact]:
    found = Contact.objects.visible_to(user).in_bulk([row.pk for row in rows])
    return [found[row.pk] for row in rows if row.pk in found]


def _lines(contact: Contact, company: Company | None, notes: Sequence[str]) -> Iterator[str]:
    yield "BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//crmcem//contacts//EN\r\n"
    yield line("UID", f"crmcem-contact-{contact.pk}")
    yield line("N", contact.last_name, contact.first_name, "", "", "")
    yield line("FN", str(contact))
    yield from _points(contact)
    if company is not None:
        yield line("ORG", company.name)
    if contact.job_title:
        yield line("TITLE", contact.job_title)
    if contact.birthday is not None:
        unknown = contact.birthday.year == UNKNOWN_YEAR
        name = f"BDAY;X-APPLE-OMIT-YEAR={UNKNOWN_YEAR}" if unknown else "BDAY"
        yield line(name, contact.birthday.isoformat())
    if contact.tags:
        yield line("CATEGORIES", *contact.tags, sign=",")
    yield from _places(contact)
    for note in notes:
        yield line("NOTE", note)
    if contact.language:
        yield line("LANG", contact.language)
    if contact.time_zone:
        yield line("TZ;VALUE=text", contact.time_zone)
    if contact.external_id:
        yield line("X-CRMCEM-EXTERNAL-ID", contact.external_id)
    yield line("REV", f"{contact.updated_at:%Y-%m-%dT%H:%M:%SZ}")
    yield "END:VCARD\r\n"


def _points(contact: Contact) -> Iterator[str]:
    points = sorted(contact.points.all(), key=lambda point: (not point.is_primary, point.pk))
    for kind, name in (
        (ContactPoint.Kind.EMAIL, "EMAIL;TYPE=INTERNET"),
        (ContactPoint.Kind.PHONE, "TEL;TYPE=VOICE"),
    ):
        for point in points:
            if point.kind == kind:
                yield line(f"{name},PREF" if point.is_primary else name, point.value)


def _places(contact: Contact) -> Iterator[str]:
    for place in sorted(contact.address_set.all(), key=lambda place: (not place.is_primary, place.pk)):
        kind = _PLACES.get(Address.Kind(place.kind), "work")
        name = f"ADR;TYPE={kind}{',pref' if place.is_primary else ''};X-CRMCEM-KIND={place.kind}"
        yield line(name, "", "", place.lines, place.city, place.region, place.postal_code, place.country)
    for profile in sorted(contact.socialprofile_set.all(), key=lambda profile: profile.pk):
        if profile.url and profile.network == SocialProfile.Network.OTHER and not profile.handle:
            yield line("URL", profile.url)
        else:
            name = f"X-SOCIALPROFILE;TYPE={profile.network}{param('X-USER', profile.handle)}"
            yield line(name, profile.url or f"x-apple:{profile.handle}")
