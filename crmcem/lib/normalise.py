"""One normal form of e-mail addresses, phone numbers and domains for every way in.

Each function returns the normal form or raises ValueError with a sentence that says how to mend it. The
common shapes take a regular expression; only the rest asks the heavier library.
"""

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

import phonenumbers
from django.utils.translation import gettext as _
from email_validator import EmailNotValidError, validate_email

_PLAIN_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,64})*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!xn--)[a-z](?:[a-z0-9-]{0,61}[a-z0-9])"
)
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
#: the country code was not written, or not as one: it is the workspace's
_GUESSED = {
    phonenumbers.CountryCodeSource.FROM_DEFAULT_COUNTRY,
    phonenumbers.CountryCodeSource.FROM_NUMBER_WITHOUT_PLUS_SIGN,
}
_PHONE_NOISE = re.compile(r"[\s().\-/\u00a0\u2010-\u2015]+")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


def are_plain_emails(values: Collection[str]) -> bool:
    """Whether all are in their normal form already, and so common that no library must be asked."""
    return all(map(_PLAIN_EMAIL.fullmatch, values)) and all(
        len(value) <= 254 and value.find("@") <= 64 for value in values if len(value) > 64
    )


def normalise_email(text: str) -> str:
    """Lower case, without blanks around; ASCII or internationalised, deliverable in form (no DNS)."""
    value = text.strip().lower()
    if are_plain_emails((value,)):
        return value
    if any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise ValueError(_("The e-mail address holds line breaks or control characters. Remove them."))
    if len(value) > 254:
        raise ValueError(_("The e-mail address is too long: 254 characters at most."))
    try:
        checked = validate_email(value, check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError(
            _("This is not an e-mail address such as name@example.org. %(error)s") % {"error": error}
        ) from None
    return checked.normalized.lower()


def are_plain_phones(values: Iterable[str]) -> bool:
    """Whether all are E.164 already."""
    return all(map(_E164.fullmatch, values))


def normalise_phone(text: str, country: str = "US") -> str:
    """E.164 (``+4930123456``). A number without ``+`` or ``00`` belongs to ``country``.

    A number is taken as it is written, as long as it can be one: people know numbers that no list has. But without its
    country code the country is a guess, and "030 1234" of Berlin is no number in the USA, whatever its length.
    """
    value = _PHONE_NOISE.sub("", text.strip())
    if value.startswith("00"):
        value = "+" + value[2:]
    if _E164.fullmatch(value):
        return value
    return _parsed_phone(value, country)


@lru_cache(maxsize=4096)
def _parsed_phone(value: str, country: str) -> str:
    wrong = _("This is not a phone number. Write it with its country code, such as +49 30 123456.")
    if len(value) > 40:
        raise ValueError(wrong)
    try:
        number = phonenumbers.parse(value, country, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        raise ValueError(wrong) from None
    if number.country_code_source in _GUESSED and _foreign(number):
        raise ValueError(
            _(
                "This is not a phone number of this workspace's country (%(country)s). Write it with its country code, "
                "such as +49 30 123456."
            )
            % {"country": country}
        )
    if not phonenumbers.is_possible_number(number):
        raise ValueError(wrong)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _foreign(number: phonenumbers.PhoneNumber) -> bool:
    """Whether it is none of its country: a zero is left in front of it that numbers there have not, or it is too short
    to be dialled from afar ("112"). Lists of numbers are not asked otherwise, they are never complete."""
    short = not _E164.fullmatch(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return bool(number.italian_leading_zero or short) and not phonenumbers.is_valid_number(number)


def is_normal(kind: str, value: str) -> bool:
    """Whether a stored ``email`` or ``phone`` is as one would be stored today, and a number that can exist."""
    if kind == "email":
        try:
            return normalise_email(value) == value
        except ValueError:
            return False
    return bool(_E164.fullmatch(value)) and _can_exist(value)


def _whole(number: phonenumbers.PhoneNumber) -> bool:
    """Whether it has a length that numbers there have, with their area code: what is dialled from afar."""
    return bool(
        phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    )


def _can_exist(value: str, *, surely: bool = False) -> bool:
    """Whether it has a length that numbers there have; ``surely``: whether such numbers are given out."""
    test = phonenumbers.is_valid_number if surely else _whole
    try:
        return bool(test(phonenumbers.parse(value)))
    except phonenumbers.NumberParseException:
        return False


def mended_email(value: str) -> str:
    """The address that is plainly meant, without what people paste around it; empty where it is not plain."""
    text = value.strip().lower().removeprefix("mailto:")
    within = re.search(r"<([^<>]+)>", text)
    text = re.sub(r"\s+", "", within[1] if within else text).strip(".,;:<>\"'()")
    text = text.replace("(at)", "@").replace("[at]", "@").replace("[dot]", ".").replace(",", ".")
    try:
        return normalise_email(text)
    except ValueError:
        return ""


def mended_phone(value: str, countries: Iterable[str]) -> str:
    """The number as E.164, by the first of the countries that gives out such numbers; empty where there is none."""
    for country in countries:
        try:
            found = normalise_phone(value, country)
        except ValueError:
            continue
        if is_normal("phone", found) and _can_exist(found, surely=True):
            return found
    return ""


def normalise_domain(text: str) -> str:
    """The bare host in lower case: no scheme, ``www.``, path or port; internationalised names as ASCII."""
    value = text.strip().lower()
    value = re.sub(r"^[a-z][a-z0-9+.-]*://", "", value)
    value = value.split("/", 1)[0].split("?", 1)[0].split("#", 1)[0].rsplit("@", 1)[-1].split(":", 1)[0]
    value = value.removeprefix("www.").rstrip(".")
    try:
        value = value.encode("idna").decode("ascii") if not value.isascii() else value
    except UnicodeError:
        raise ValueError(_("This is not a domain such as example.org.")) from None
    if len(value) > 253 or not _DOMAIN.fullmatch(value):
        raise ValueError(_("This is not a domain such as example.org."))
    return value
