"""The types of custom fields: how a value that comes in becomes the one that is stored, the same for every way in.

A cleaner answers JSON (text, number, true or false, a list, money as an object), or None for nothing; it raises
ValueError with a sentence that says how to mend the value.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.custom.definitions import Definition
from crmcem.lib import cleaning
from crmcem.lib.cleaning import Bad, Cleaner

MAX_TEXT = 500
MAX_CHOICES = 200
_NUMBER = re.compile(r"[+-]?(\d{1,15}(\.\d{1,10})?|\.\d{1,10})", re.ASCII)
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_DOTTED = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})", re.ASCII)
_YES = frozenset({"true", "yes", "y", "1", "x", "on", "ja", "j", "wahr"})
_NO = frozenset({"false", "no", "n", "0", "off", "nein", "falsch"})
_CURRENCY = re.compile(r"(?P<before>[A-Za-z]{3})?\s*(?P<amount>[^A-Za-z]+?)\s*(?P<after>[A-Za-z]{3})?")


@dataclass(frozen=True, slots=True)
class FieldKind:
    """A type of custom field. ``icon`` is a Tabler icon's name; ``clean`` makes the cleaner of a definition."""

    key: str
    label: Any
    help: Any
    icon: str
    clean: Callable[[Definition], Cleaner]
    filterable: bool = True


def plain_number(value: Any) -> Decimal:
    """A decimal number of at most 15 digits before and 10 after the point, as people and programs write it.

    Digits may be grouped. A single comma is a decimal one unless exactly three digits follow it.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise Bad("invalid", _("Send a number."))
    text = str(value) if not isinstance(value, float) else repr(value)
    text = re.sub(r"[\s\u00a0\u202f'’]", "", text)
    if "," in text:
        if "." in text:
            decimal = "," if text.rfind(",") > text.rfind(".") else "."
            text = text.replace("." if decimal == "," else ",", "").replace(",", ".")
        elif re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", text, re.ASCII):
            text = text.replace(",", "")
        else:
            text = text.replace(",", ".")
    if "e" in text.lower() and not isinstance(value, str):
        text = f"{Decimal(text):f}"
    if not _NUMBER.fullmatch(text):
        raise Bad("invalid", _("Send a number, with at most 15 digits before the point and 10 after it."))
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Bad("invalid", _("Send a number.")) from None


def _rounded(value: Decimal, decimals: int) -> Decimal:
    exact = value.quantize(Decimal(1).scaleb(-decimals))
    if exact != value:
        raise Bad(
            "decimals",
            _("This has too many decimals: %(most)s at most.") % {"most": decimals}
            if decimals
            else _("Send a whole number."),
        )
    return exact


def _number(definition: Definition) -> Cleaner:
    def clean(value: Any) -> int | float:
        found = _rounded(plain_number(value), definition.decimals)
        if len(found.as_tuple().digits) > 15:
            raise Bad("range", _("This number has too many digits: 15 at most."))
        return int(found) if found == found.to_integral_value() else float(found)

    return clean


def _money(definition: Definition) -> Cleaner:
    """An amount in the field's currency: a number, text such as ``12.50 EUR``, or the API's object."""
    currency = definition.currency

    def clean(value: Any) -> dict[str, str]:
        given = ""
        if isinstance(value, Mapping):
            if not set(value) <= {"amount", "currency"} or "amount" not in value:
                raise Bad("type", _('Send money as {"amount": "12.50", "currency": "EUR"}.'))
            value, given = value["amount"], str(value.get("currency") or "")
        elif isinstance(value, str):
            found = _CURRENCY.fullmatch(value.strip().replace("€", " EUR").replace("$", " USD").strip())
            if found is None:
                raise Bad("invalid", _("Send an amount such as 12.50."))
            value, given = found["amount"], found["before"] or found["after"] or ""
        if given and given.upper() != currency:
            raise Bad("currency", _("Amounts of this field are in %(currency)s.") % {"currency": currency})
        return {"amount": f"{_rounded(plain_number(value), 2):.2f}", "currency": currency}

    return clean


def day(value: Any) -> str:
    """A date as ISO text; also written as in Germany (31.3.2026)."""
    wrong = _("Send a date such as 2026-03-31.")
    if isinstance(value, dt.datetime):
        value = value.date()
    if isinstance(value, dt.date):
        found = value
    elif isinstance(value, str):
        text = value.strip()
        iso, dotted = _ISO.fullmatch(text), _DOTTED.fullmatch(text)
        if iso is None and dotted is None:
            raise Bad("invalid", wrong)
        year, month, number = iso.groups() if iso else dotted.groups()[::-1]  # type: ignore[union-attr]
        try:
            found = dt.date(int(year), int(month), int(number))
        except ValueError:
            raise Bad("invalid", _("This date does not exist. %(wrong)s") % {"wrong": wrong}) from None
    else:
        raise Bad("invalid", wrong)
    if not 1900 <= found.year < 2200:
        raise Bad("range", _("This must lie between the years 1900 and 2200."))
    return found.isoformat()


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word in _YES or word in _NO:
        return word in _YES
    raise Bad("invalid", _("Send true or false."))


def _chosen(definition: Definition, value: Any) -> str:
    """The value of a choice, named by its value or its label in any case."""
    if isinstance(value, str):
        word = " ".join(value.split())
        options = definition.choices
        for key, label in options:
            if word == key or word.casefold() in (key.casefold(), label.casefold()):
                return key
    names = ", ".join(key for key, _label in definition.choices[:30])
    raise Bad("invalid_choice", _("This is not a known value. Choose one of: %(names)s.") % {"names": names})


def _choice(definition: Definition) -> Cleaner:
    return lambda value: _chosen(definition, value)


def _choices(definition: Definition) -> Cleaner:
    def clean(value: Any) -> list[str] | None:
        if isinstance(value, str):
            value = [part for part in re.split(r"[,;|\n]", value) if part.strip()]
        if not isinstance(value, list | tuple):
            raise Bad("type", _("Send a list of texts."))
        if len(value) > MAX_CHOICES:
            raise Bad("max_items", _("There can be %(most)s values at most.") % {"most": MAX_CHOICES})
        return list(dict.fromkeys(_chosen(definition, each) for each in value)) or None

    return clean


def _computed(definition: Definition) -> Cleaner:
    def clean(value: Any) -> Any:
        raise Bad("read_only", _("This field is computed and can't be set."))

    return clean


def _link(definition: Definition) -> Cleaner:
    """The id of a record as text. That it exists and may be seen is for the services to check."""

    def clean(value: Any) -> str:
        if isinstance(value, Model):
            value = value.pk
        text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise Bad("invalid", _("Send the id of the record as a string."))
        return str(int(text))

    return clean


TYPES: dict[str, FieldKind] = {
    kind.key: kind
    for kind in (
        FieldKind(
            "text",
            gettext_lazy("Text"),
            gettext_lazy("One line of up to 500 characters."),
            "letter-t",
            lambda definition: cleaning.text(MAX_TEXT),
        ),
        FieldKind(
            "longtext",
            gettext_lazy("Long text"),
            gettext_lazy("Several lines; can't be filtered or sorted by."),
            "align-left",
            lambda definition: cleaning.text(cleaning.MAX_CUSTOM_TEXT, lines=True),
            filterable=False,
        ),
        FieldKind(
            "number",
            gettext_lazy("Number"),
            gettext_lazy("A number with as many decimals as you say."),
            "number",
            _number,
        ),
        FieldKind(
            "money",
            gettext_lazy("Money"),
            gettext_lazy("An amount in one currency."),
            "coin",
            _money,
        ),
        FieldKind("date", gettext_lazy("Date"), gettext_lazy("A day."), "calendar", lambda definition: day),
        FieldKind(
            "boolean",
            gettext_lazy("Yes or no"),
            gettext_lazy("Yes, no, or not known."),
            "toggle-left",
            lambda definition: _boolean,
        ),
        FieldKind(
            "choice",
            gettext_lazy("Choice"),
            gettext_lazy("One of the values that you list."),
            "select",
            _choice,
        ),
        FieldKind(
            "multichoice",
            gettext_lazy("Several choices"),
            gettext_lazy("Any number of the values that you list."),
            "list-check",
            _choices,
        ),
        FieldKind(
            "link",
            gettext_lazy("Link to a record"),
            gettext_lazy("Another contact or company; shown to those who may see it."),
            "link",
            _link,
        ),
        FieldKind(
            "formula",
            gettext_lazy("Formula"),
            gettext_lazy("Computed from other fields, such as the days since the last order."),
            "math-function",
            _computed,
            filterable=False,
        ),
        FieldKind(
            "rollup",
            gettext_lazy("Rollup"),
            gettext_lazy("What related records add up to, such as the sum of open deals."),
            "sum",
            _computed,
            filterable=False,
        ),
    )
}
