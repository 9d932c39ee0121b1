"""The parts of a person or company in a row: addresses, web addresses and profiles, notes.

Each value meets the cleaner that form and API use. What a row holds of them is staged beside the rows, as lines of
``COLUMNS``: only chunks that have any are looked at again (``parts_sql``).
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from django.utils.translation import gettext as _

from contacts.models import SocialProfile
from contacts.services.places import ADDRESS as SHAPE
from contacts.services.places import COUNTRIES, PAGES, is_somewhere, profile_values, web_address
from contacts.validation import clean_interaction
from crmcem.lib.cleaning import Bad, Cleaner
from crmcem.lib.errors import DomainError
from crmcem.lib.vcards import escaped, listed

from .folding import fold

#: what is staged of a part behind the number of its row; ``field`` is the one that it comes from
COLUMNS = (
    "place",
    "field",
    "entity",
    "kind",
    "lines",
    "postal_code",
    "city",
    "region",
    "country",
    "network",
    "handle",
    "url",
    "body",
)
#: of these an address needs one; without any the other fields name no address
PLACE_KEYS = frozenset({"street", "postal_code", "city"})
MAX_PARTS = 20
#: between several notes of a cell: vCards have them, and no text that people write does
NOTES = "\u2029"
NETWORK_NAMES: dict[str, str] = {
    value: str(label)
    for value, label in SocialProfile.Network.choices
    if value != SocialProfile.Network.OTHER
}
#: (kind, lines, postal_code, city, region, country), None where nothing is said
Place = tuple[str | None, ...]
#: (network, handle, url)
Profile = tuple[str, str, str]
_FIELDS = ("kind", "lines", "postal_code", "city", "region", "country")
_KEYS = ("address_kind", "street", "postal_code", "city", "region", "country")
_KINDS = {
    "main": "main mainaddress primary hauptadresse hauptanschrift",
    "billing": "billing billingaddress invoice rechnung rechnungsadresse rechnungsanschrift",
    "shipping": "shipping shippingaddress delivery deliveryaddress lieferung lieferadresse lieferanschrift versand",
    "office": "office work business buero arbeit geschaeftlich dienstlich",
    "home": "home private privat privatadresse privatanschrift zuhause",
    "other": "other postal andere sonstige",
}


# --- addresses -----------------------------------------------------------------------------------
@lru_cache(maxsize=1)
def _kinds() -> dict[str, str]:
    return {word: kind for kind, words in _KINDS.items() for word in words.split()}


def _kind(value: str) -> str:
    known: str = _kinds().get(fold(value)) or SHAPE.spec["kind"](value)
    return known


@lru_cache(maxsize=1)
def countries_by_name() -> dict[str, str]:
    """The codes of countries by their names in English and German."""
    from phonenumbers.geodata.locale import LOCALE_DATA

    names: dict[str, str] = {}
    for code, by_language in LOCALE_DATA.items():
        for language in ("en", "de"):
            name = by_language.get(language, "")
            while name[:1] == "*":
                name = by_language.get(name[1:], "")
            if name and code in COUNTRIES:
                names.setdefault(fold(name), code)
    more = {"usa": "US", "uk": "GB", "greatbritain": "GB", "grossbritannien": "GB", "vereinigtestaaten": "US"}
    return names | more


def _country(value: str) -> str:
    known: str = countries_by_name().get(fold(value)) or SHAPE.spec["country"](value)
    return known


#: the cleaners of the columns of a row's own address
ADDRESS: dict[str, Cleaner] = {
    "street": SHAPE.spec["lines"],
    "postal_code": SHAPE.spec["postal_code"],
    "city": SHAPE.spec["city"],
    "region": SHAPE.spec["region"],
    "country": _country,
    "address_kind": _kind,
}
assert set(ADDRESS) == set(_KEYS)


def addresses(value: str) -> list[Place]:
    """The addresses of a cell, one on each line. Raises ValueError."""
    lines = [line for line in value.splitlines() if line.strip()]
    _few(lines)
    found = []
    for line in lines:
        cells = [cell.strip() for cell in listed(line)]
        if len(cells) > len(_KEYS):
            shape = _("Write each address on a line: kind; street; postal code; city; region; country.")
            raise Bad("invalid", shape)
        cells += [""] * (len(_KEYS) - len(cells))
        values = [ADDRESS[key](cell) if cell else None for key, cell in zip(_KEYS, cells, strict=True)]
        if not is_somewhere(dict(zip(_FIELDS, values, strict=True))):
            raise Bad("required", _("An address needs a street, a postal code or a city."))
        found.append(tuple(values))
    return found


def address_line(place: Sequence[str]) -> str:
    """A line that ``addresses`` reads: kind, street, postal code, city, region, country."""
    return "; ".join(map(escaped, place))


# --- web addresses and profiles ------------------------------------------------------------------
_NAMED = re.compile(r"(.*?)\s*<([^<>]*)>", re.DOTALL)
_HOSTS = {urlsplit(page).hostname: network for network, page in PAGES.items()} | {
    "twitter.com": SocialProfile.Network.X
}


@lru_cache(maxsize=1)
def _networks() -> dict[str, str]:
    words = {fold(name): network for network, name in NETWORK_NAMES.items()}
    return words | {"twitter": "x"} | {value: value for value in SocialProfile.Network.values}


def network_of(name: str) -> str:
    """The network of this name, "" for none that is known."""
    return _networks().get(fold(name), "")


def profiles(value: str | Sequence[str]) -> list[Profile]:
    """The web addresses and profiles of a cell. Raises ValueError.

    Each is ``https://…``, ``network: name there``, ``network: https://…`` or ``network: name there <https://…>``.
    """
    parts = re.split(r"[|\n]", value) if isinstance(value, str) else value
    given = [part.strip() for part in parts if part.strip()]
    _few(given)
    return list(dict.fromkeys(_profile(part) for part in given))


def profile_on(network: str) -> Cleaner:
    """The cleaner of a column that holds the profile on one network."""
    return lambda value: [_profile(str(value).strip(), network)]


def _profile(text: str, network: str = "") -> Profile:
    if not network:
        name, colon, rest = text.partition(":")
        if colon and not rest.startswith("//") and network_of(name):
            network, text = network_of(name), rest.strip()
    named = _NAMED.fullmatch(text)
    if named is not None:
        handle, url = named[1], named[2].strip()
    elif "/" in text or not network:
        network, handle, url = _by_page(web_address(text), network)
    else:
        handle, url = text, ""
    try:
        found = profile_values({"network": network or "other", "handle": handle, "url": url})
    except DomainError as error:
        raise Bad(error.errors[0].code, error.errors[0].detail) from None
    return found["network"], found["handle"], found["url"]


def _by_page(url: str, network: str) -> Profile:
    """What a bare web address says: the network by its host, and the name there of the page of a person."""
    address = urlsplit(url)
    host = (address.hostname or "").removeprefix("www.").removeprefix("m.")
    known = _HOSTS.get(host) or _HOSTS.get(f"www.{host}")
    if known is None or network not in {"", known}:
        return network or "other", "", url
    before, after = urlsplit(PAGES[known]).path.split("{}")
    name = address.path.rstrip("/").removeprefix(before).removesuffix(after)
    if not name or "/" in name or not address.path.startswith(before):
        return known, "", url
    page = PAGES[known].format(quote(unquote(name), safe="-._~"))
    return known, unquote(name), page


def profile_text(network: str, handle: str, url: str) -> str:
    """What ``profiles`` reads as just this."""
    return f"{network}: {handle} <{url}>"


# --- notes ---------------------------------------------------------------------------------------
def notes(value: str) -> list[str]:
    """The notes of a cell: one, or several of a vCard. Raises ValueError."""
    given = [part for part in value.split(NOTES) if part.strip()]
    _few(given)
    found = []
    for part in given:
        values, errors = clean_interaction({"kind": "note", "body": part})
        if errors:
            raise Bad(errors[0].code, errors[0].detail)
        found.append(values["body"])
    return list(dict.fromkeys(found))


def _few(values: Sequence[str]) -> None:
    if len(values) > MAX_PARTS:
        raise Bad("max_items", _("A cell can hold %d of them at most.") % MAX_PARTS)


# --- what a row holds of them --------------------------------------------------------------------
_NOTHING: list[tuple[Any, ...]] = []


def gathered(
    count: int, given: Mapping[str, Sequence[Any]]
) -> tuple[list[list[tuple[Any, ...]]], list[tuple[int, str, str, str]]]:
    """The parts of ``count`` rows by their clean columns, and the faults: (place of the row, field, code, detail)."""
    nothing = [None] * count
    places = list(zip(*(given.get(key, nothing) for key in _KEYS), strict=True))
    place_key = next((key for key in ADDRESS if key in given), "street")
    pages = [(key, column) for key, column in given.items() if key.startswith("profile")]
    more, said = given.get("more_addresses", nothing), given.get("note", nothing)
    found: list[list[tuple[Any, ...]]] = []
    wrong = []
    for index in range(count):
        rows: list[tuple[str, tuple[Any, ...]]] = []
        place = places[index]
        if any(place):
            if is_somewhere(dict(zip(_FIELDS, place, strict=True))):
                rows.append((place_key, ("address", *place, *[None] * 4)))
            elif place[5]:
                detail = _("An address needs a street, a postal code or a city.")
                wrong.append((index, "country", "required", detail))
        rows += [("more_addresses", ("address", *further, *[None] * 4)) for further in more[index] or ()]
        rows += [
            (key, ("profile", *[None] * 6, *profile, None))
            for key, page in pages
            for profile in page[index] or ()
        ]
        rows += [("note", ("note", *[None] * 9, body)) for body in said[index] or ()]
        found.append(_once(rows) if rows else _NOTHING)
    return found, wrong


def _once(rows: Sequence[tuple[str, tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    """Each part once, with the first field that it comes from."""
    fields: dict[tuple[Any, ...], str] = {}
    for field, part in rows:
        fields.setdefault(part, field)
    return [(field, *part) for part, field in fields.items()]


def write(out: io.StringIO, numbers: Sequence[int], parts: Sequence[Sequence[tuple[Any, ...]]]) -> None:
    """The parts of rows as lines for COPY, where an unquoted nothing is NULL."""
    csv.writer(out, lineterminator="\r\n").writerows(
        (number, place, *part)
        for number, row in zip(numbers, parts, strict=True)
        for place, part in enumerate(row)
    )
