"""Files of vCards as rows: one for each card, with a header of its own."""

import re
from collections.abc import Iterable, Iterator

from contacts.models import Address
from crmcem.lib.vcards import Property, listed, parsed, plain, unfolded

from .parts import NOTES, address_line, network_of, profile_text

#: between several values of a cell; no value holds it
BETWEEN = "|"
COLUMNS = [
    "First name",
    "Last name",
    "Full name",
    "E-mail",
    "Phone",
    "Company",
    "Job title",
    "Birthday",
    "Tags",
    "Language",
    "Time zone",
    "External id",
    "Street",
    "Postal code",
    "City",
    "Region",
    "Country",
    "Web address",
    "Note",
    "UID",
    "Address kind",
    "Further addresses",
]
#: of one kind no more are read
MOST = 20
_DAY = re.compile(r"(\d{4}|--)-?(\d{2})-?(\d{2})(?:T.*)?", re.ASCII | re.DOTALL)
_NO_YEAR = "1604"
_SIMPLE = {
    "FN": "Full name",
    "TITLE": "Job title",
    "LANG": "Language",
    "TZ": "Time zone",
    "UID": "UID",
    "X-CRMCEM-EXTERNAL-ID": "External id",
}


def is_vcard(head: str) -> bool:
    return head.lstrip("\ufeff \t\r\n")[:11].upper() == "BEGIN:VCARD"


def vcard_rows(lines: Iterable[str]) -> Iterator[list[str]]:
    """The header, then the cells of each card. What stands between cards, and groups of people, are left out."""
    yield COLUMNS
    card: list[Property] | None = None
    for line in unfolded(lines):
        found = parsed(line)
        if found is None:
            continue
        value = found.value.strip().upper()
        if found.name == "BEGIN" and value == "VCARD":
            card = []
        elif found.name == "END" and value == "VCARD":
            if card is not None and not any(p.name == "KIND" and p.value.lower() == "group" for p in card):
                yield _row(card)
            card = None
        elif card is not None and len(card) < 500:
            card.append(found)


def _row(card: list[Property]) -> list[str]:
    cells = dict.fromkeys(COLUMNS, "")
    for found in card:
        name = _SIMPLE.get(found.name)
        if name and not cells[name]:
            cells[name] = plain(found.value).strip()
    cells["E-mail"] = BETWEEN.join(_values(card, "EMAIL"))
    cells["Phone"] = BETWEEN.join(value.removeprefix("tel:") for value in _values(card, "TEL"))
    cells["Birthday"] = _birthday(next((p.value for p in card if p.name == "BDAY"), ""))
    tags = [tag for p in card if p.name == "CATEGORIES" for tag in listed(p.value, ",")]
    cells["Tags"] = BETWEEN.join(_clean(tag) for tag in tags if tag.strip())
    _structured(card, cells)
    return [cells[name] for name in COLUMNS]


def _structured(card: list[Property], cells: dict[str, str]) -> None:
    last, first, middle, prefix, suffix = _first_of(card, "N", 5)
    cells["First name"] = " ".join(filter(None, (prefix, first, middle)))
    cells["Last name"] = " ".join(filter(None, (last, suffix)))
    cells["Company"] = _first_of(card, "ORG", 1)[0]
    if not cells["Company"] and any(p.name == "KIND" and p.value.lower() == "org" for p in card):
        cells["Company"] = cells["Full name"]
    places = [place for place in map(_place, _preferred(card, "ADR")) if any(place[1:])]
    if places:
        names = ("Address kind", "Street", "Postal code", "City", "Region", "Country")
        cells |= dict(zip(names, places[0], strict=True))
    cells["Further addresses"] = "\n".join(map(address_line, places[1:]))
    cells["Web address"] = BETWEEN.join(dict.fromkeys(_pages(card)))
    cells["Note"] = NOTES.join(plain(found.value).strip() for found in _preferred(card, "NOTE"))


def _place(found: Property) -> tuple[str, ...]:
    """Kind, street, postal code, city, region and country of an ADR; the kind only where the card is sure of it."""
    parts = [part.strip() for part in listed(found.value)]
    box, more, street, city, region, code, country = [*parts, *[""] * 7][:7]
    [kind] = found.params.get("X-CRMCEM-KIND", [""])[:1]
    if kind not in Address.Kind.values:
        types = found.types()
        kind = "home" if "home" in types and "work" not in types else ""
    return kind, "\n".join(filter(None, (street, more, box))), code, city, region, country


def _pages(card: list[Property]) -> Iterator[str]:
    """Web addresses, and profiles as ``parts.profiles`` reads them."""
    for found in card:
        value = _clean(plain(found.value)).removeprefix("x-apple:")
        if found.name == "URL" and value:
            yield value
        elif found.name in {"X-SOCIALPROFILE", "SOCIALPROFILE"} and value:
            named = [*found.params.get("SERVICE-TYPE", ()), *found.params.get("TYPE", ())]
            network = next(filter(None, map(network_of, named)), "")
            user = found.params.get("X-USER") or found.params.get("USERNAME")
            if network and user:
                yield profile_text(network, _clean(user[0]), value if "://" in value else "")
            else:
                yield f"{network}: {value}" if network else value


def _first_of(card: list[Property], name: str, count: int) -> list[str]:
    """The parts of the preferred property of this name, ``count`` of them."""
    found = _preferred(card, name)
    parts = [part.strip() for part in listed(found[0].value)] if found else []
    return [*parts, *[""] * count][:count]


def _preferred(card: list[Property], name: str) -> list[Property]:
    """The properties of this name, the preferred ones first."""

    def place(found: Property) -> int:
        number = found.params.get("PREF", [""])[0]
        return int(number) if number.isdigit() else 0 if "pref" in found.types() else 101

    return sorted((p for p in card if p.name == name), key=place)[:MOST]


def _values(card: list[Property], name: str) -> list[str]:
    values = (_clean(plain(found.value)) for found in _preferred(card, name))
    return list(dict.fromkeys(filter(None, values)))


def _clean(value: str) -> str:
    return value.replace(BETWEEN, "/").strip()


def _birthday(value: str) -> str:
    """``1980-05-17``, or ``--05-17`` where the year is unknown (Apple writes 1604 then)."""
    found = _DAY.fullmatch(value.strip())
    if found is None:
        return value.strip()
    year, month, day = found.groups()
    return f"--{month}-{day}" if year in {"--", _NO_YEAR} else f"{year}-{month}-{day}"
