"""What a row of a file can carry: the fields of contacts and companies, each with its names in files.

A cleaner takes the text of a cell (not blank) and returns what is staged, or raises ValueError with a
sentence that says how to mend the cell.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy

from contacts.custom.definitions import Definition, active, every
from contacts.custom.types import MAX_TEXT, TYPES
from contacts.custom.values import cleaner_of
from contacts.models import Lifecycle
from contacts.validation import company_cleaners, contact_cleaners
from crmcem.lib.cleaning import Cleaner, text
from crmcem.lib.spreadsheets import FORMULA

from . import parts
from .folding import fold

_KEY = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    """A field that a column can be mapped to. ``words`` are header names that mean it, folded (see ``fold``).

    ``many``: it holds several values, and its cleaner takes a list of them too. ``part``: it becomes a row of its own
    beside the record (an address, a profile, a note), see ``parts``.
    """

    key: str
    label: Any
    words: frozenset[str]
    clean: Callable[[str], Cleaner]
    needs: str = ""
    many: bool = False
    part: bool = False


def cleaner_for(found: Target, country: str, separator: str = "") -> Cleaner:
    """The field's cleaner; with ``separator`` it splits the text of a field with several values there alone."""
    clean = found.clean(country)
    if not (separator and found.many):
        return clean
    return lambda value: clean([part.strip() for part in value.split(separator) if part.strip()])


def bare(cell: str) -> str:
    """The value of a cell: blanks around it and the apostrophe that guards a formula taken away."""
    value = cell.strip()
    behind = cell.lstrip().lstrip("'")[:1]  # a tab or return too, which is gone from the value
    if value[:1] == "'" and behind and behind in FORMULA:
        return value[1:]
    return value


# --- cleaners ------------------------------------------------------------------------------------
@lru_cache(maxsize=1)
def _stages() -> dict[str, str]:
    """The lifecycle stages by what people call them."""
    words = {fold(str(label)): value for value, label in Lifecycle.choices}
    german = {"abonnent": "subscriber", "interessent": "lead", "qualifiziert": "qualified"}
    return words | german | {"kunde": "customer", "ehemaliger": "former", "ehemaligerkunde": "former"}


def _array(tags: list[str]) -> str | None:
    """Tags as a literal of a PostgreSQL array."""
    if not tags:
        return None
    quoted = (tag.replace("\\", "\\\\").replace('"', '\\"') for tag in tags)
    return "{" + ",".join(f'"{tag}"' for tag in quoted) + "}"


def _own(key: str) -> Callable[[str], Cleaner]:
    """The field's cleaner of ``contacts.validation``: an import meets the same rules as every other way in."""
    return lambda country: contact_cleaners(country)[key]


def _company(key: str) -> Callable[[str], Cleaner]:
    return lambda country: company_cleaners(country)[key]


def _stage(country: str) -> Cleaner:
    choice = contact_cleaners(country)["lifecycle_stage"]
    return lambda value: _stages().get(fold(value)) or choice(value)


def _tags(country: str) -> Cleaner:
    clean = contact_cleaners(country)["tags"]
    return lambda value: _array(clean(value))


def _text(limit: int) -> Callable[[str], Cleaner]:
    return lambda country: text(limit)


def _custom(definition: Definition) -> Target:
    """A custom field: its header is its name or its key."""
    clean = cleaner_of(definition)
    words = frozenset(filter(None, (fold(definition.key), fold(definition.label))))
    many = definition.type == "multichoice"
    return Target(definition.name, definition.label, words, lambda country: clean, many=many)


# --- the fields ----------------------------------------------------------------------------------
def _t(key: str, label: Any, words: str, clean: Callable[[str], Cleaner], needs: str = "") -> Target:
    return Target(key, label, frozenset([fold(key), *words.split()]), clean, needs, many=key == "tags")


_EXTERNAL = (
    "externalid externid externeid extid id customerid customerno customernumber clientid crmid recordid"
)
_EXTERNAL_DE = "kundennummer kundennr kundenid kdnr kontaktid nummer masterid"
_OWNER_WORDS = (
    "owner accountowner contactowner salesrep assignee besitzer betreuer zustaendig verantwortlich inhaber"
)

CONTACT_TARGETS = (
    _t("external_id", gettext_lazy("External id"), f"{_EXTERNAL} {_EXTERNAL_DE}", _own("external_id")),
    _t(
        "email",
        gettext_lazy("E-mail address"),
        "mail emailaddress mailaddress emailadresse mailadresse emails primaryemail workemail e",
        _own("email"),
    ),
    _t(
        "first_name",
        gettext_lazy("First name"),
        "first firstname givenname forename vorname rufname",
        _own("first_name"),
    ),
    _t(
        "last_name",
        gettext_lazy("Last name"),
        "last lastname surname familyname nachname familienname zuname",
        _own("last_name"),
    ),
    _t(
        "full_name",
        gettext_lazy("Full name"),
        "name fullname contactname customername displayname kontakt kontaktname kundenname ansprechpartner",
        _text(300),
    ),
    _t(
        "phone",
        gettext_lazy("Phone"),
        "phonenumber telephone tel mobile mobilephone cell cellphone workphone telefon telefonnummer handy "
        "mobil mobiltelefon rufnummer",
        _own("phone"),
    ),
    _t(
        "job_title",
        gettext_lazy("Job title"),
        "title jobtitle position role jobrole beruf stelle funktion rolle berufsbezeichnung",
        _own("job_title"),
    ),
    _t(
        "birthday",
        gettext_lazy("Birthday"),
        "birthdate dateofbirth dob born geburtstag geburtsdatum geboren",
        _own("birthday"),
    ),
    _t(
        "company",
        gettext_lazy("Company name"),
        "companyname organisation organization account accountname employer firma firmenname unternehmen betrieb",
        _company("name"),
    ),
    _t(
        "company_domain",
        gettext_lazy("Company domain"),
        "domain website companywebsite webseite homepage url firmendomain",
        _company("domain"),
    ),
    _t(
        "company_external_id",
        gettext_lazy("External id of the company"),
        "companyid accountid firmennummer firmenid",
        _company("external_id"),
    ),
    _t(
        "lifecycle_stage",
        gettext_lazy("Lifecycle stage"),
        "lifecycle lifecyclestage stage kundenstatus",
        _stage,
    ),
    _t("tags", gettext_lazy("Tags"), "tag labels label keywords schlagworte schlagwoerter stichworte", _tags),
    _t("language", gettext_lazy("Language"), "lang locale preferredlanguage sprache", _own("language")),
    _t("time_zone", gettext_lazy("Time zone"), "timezone tz zeitzone", _own("time_zone")),
    _t(
        "owner",
        gettext_lazy("Owner (user name, e-mail or name)"),
        _OWNER_WORDS,
        _text(254),
        "contacts:assign",
    ),
)


def _part(key: str, label: Any, words: str, clean: Cleaner, needs: str = "") -> Target:
    names = frozenset([fold(key), *words.split()])
    many = key == "profiles"
    return Target(key, label, names, lambda country: clean, needs, many=many, part=True)


def _network(network: str, name: str) -> Target:
    """A column with the profile on one network, by its address or the name there."""
    word = fold(name)
    words = " ".join(f"{word}{more}" for more in ("url", "profile", "profil", "handle"))
    words += " twitter twitterurl twitterhandle" if network == "x" else f" {word}"
    return _part(
        f"profile_{network}",
        format_lazy(gettext_lazy("Profile: {network}"), network=name),
        words,
        parts.profile_on(network),
    )


#: what becomes rows of their own beside a contact or company
PART_TARGETS = (
    _part(
        "street",
        gettext_lazy("Address: street and number"),
        "streetaddress streetname address address1 addressline1 postaladdress strasse strassennr strassehausnummer "
        "strasseundhausnummer adresse anschrift postanschrift",
        parts.ADDRESS["street"],
    ),
    _part(
        "postal_code",
        gettext_lazy("Address: postal code"),
        "postcode zip zipcode plz postleitzahl",
        parts.ADDRESS["postal_code"],
    ),
    _part("city", gettext_lazy("Address: city"), "town locality ort stadt wohnort", parts.ADDRESS["city"]),
    _part(
        "region",
        gettext_lazy("Address: region"),
        "state province county bundesland kanton provinz",
        parts.ADDRESS["region"],
    ),
    _part(
        "country",
        gettext_lazy("Address: country (code or name)"),
        "countrycode countryname land laendercode landeskennung",
        parts.ADDRESS["country"],
    ),
    _part(
        "address_kind",
        gettext_lazy("Address: kind"),
        "addresstype adressart adresstyp",
        parts.ADDRESS["address_kind"],
    ),
    _part(
        "more_addresses",
        gettext_lazy(
            "Further addresses (one on each line: kind; street; postal code; city; region; country)"
        ),
        "furtheraddresses otheraddresses weitereadressen weitereanschriften",
        parts.addresses,
    ),
    _part(
        "profiles",
        gettext_lazy("Web addresses and profiles"),
        "webaddress webaddresses profile socialprofiles socialmedia link links weblinks webadresse webadressen "
        "internetadresse profil",
        parts.profiles,
    ),
    *(_network(network, name) for network, name in parts.NETWORK_NAMES.items()),
    _part(
        "note",
        gettext_lazy("Note"),
        "notes comment comments remark remarks notiz notizen bemerkung bemerkungen kommentar anmerkung anmerkungen",
        parts.notes,
        "interactions:write",
    ),
)
COMPANY_TARGETS = (
    _t(
        "external_id",
        gettext_lazy("External id"),
        f"{_EXTERNAL} companyid accountid firmennummer firmenid {_EXTERNAL_DE}",
        _company("external_id"),
    ),
    _t(
        "name",
        gettext_lazy("Name"),
        "companyname company organisation organization account accountname firma firmenname unternehmen",
        _company("name"),
    ),
    _t("domain", gettext_lazy("Domain"), "domains companydomain maildomain firmendomain", _company("domain")),
    _t(
        "industry",
        gettext_lazy("Industry"),
        "sector branche wirtschaftszweig industrie",
        _company("industry"),
    ),
    _t(
        "size",
        gettext_lazy("Employees"),
        "employees numberofemployees employeecount headcount companysize mitarbeiter mitarbeiterzahl anzahlmitarbeiter",
        _company("size"),
    ),
    _t(
        "phone",
        gettext_lazy("Phone"),
        "phonenumber telephone tel telefon telefonnummer rufnummer",
        _company("phone"),
    ),
    _t(
        "website",
        gettext_lazy("Website"),
        "web url homepage webseite internetseite companywebsite",
        _company("website"),
    ),
    _t(
        "owner",
        gettext_lazy("Owner (user name, e-mail or name)"),
        _OWNER_WORDS,
        _text(254),
        "contacts:assign",
    ),
)
TARGETS: dict[str, tuple[Target, ...]] = {
    "contacts": (*CONTACT_TARGETS, *PART_TARGETS),
    "companies": (*COMPANY_TARGETS, *PART_TARGETS),
}


#: what making a field on the way needs
NEW_FIELD = "fields:write"
ENTITIES = {"contacts": "contact", "companies": "company"}


def custom_targets(kind: str) -> list[Target]:
    """The custom fields that a column can be mapped to. Links are set by hand, where they can be checked."""
    return [
        _custom(each)
        for each in active(ENTITIES[kind]).values()
        if each.type in TYPES and each.type != "link" and not each.computed
    ]


def _new(kind: str, key: str, new_type: str) -> Definition:
    """A custom field that is not made yet."""
    return Definition(
        id=0,
        entity=ENTITIES[kind],
        key=key,
        label=key,
        help="",
        type=new_type,
        required=False,
        filterable=False,
        group="",
        archived=False,
        options=NEW_OPTIONS.get(new_type, {}),
    )


#: of which types a custom field can be made on the way
NEW_TYPES = ("text", "number", "date", "boolean")
NEW_OPTIONS = {"number": {"decimals": 6}}


def target(kind: str, key: str, new_type: str = "text") -> Target | None:
    """The field of this name; None where there is none. A ``custom.key`` that is not defined yet is to be made by
    those who may (``needs``), of ``new_type``."""
    if not key.startswith("custom."):
        return next((t for t in TARGETS[kind] if t.key == key), None)
    if every(ENTITIES[kind]).get(key[7:]) is not None:
        return next((t for t in custom_targets(kind) if t.key == key), None)
    if _KEY.fullmatch(key[7:]) and len(key) <= 67:
        if new_type == "text":
            return Target(key, key[7:], frozenset(), _text(MAX_TEXT), NEW_FIELD)
        clean = cleaner_of(_new(kind, key[7:], new_type))
        return Target(key, key[7:], frozenset(), lambda country: clean, NEW_FIELD)
    return None


def split_name(name: str) -> tuple[str, str]:
    """First and last name of ``First Last`` or ``Last, First``; titles and particles by the library."""
    last, comma, first = name.partition(",")
    if comma and first.strip() and "," not in first:
        return first.strip(), last.strip()
    words = name.split()
    if len(words) <= 2 and "." not in name:
        return (words[0], words[1]) if len(words) == 2 else (name, "")
    from nameparser import HumanName

    parsed = HumanName(name)
    first = " ".join(part for part in (parsed.first, parsed.middle) if part)
    return (first, f"{parsed.last} {parsed.suffix}".strip()) if first else (name, "")
