"""The one validation of customers, interactions and tasks for every way in: web, API and import.

Pure functions without any database: a mapping in, the clean values and every fault out. References (owner,
company, contact, deal) and uniqueness are for the services, which have the database.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

from contacts.custom.values import Fields, clean_values
from contacts.models import Interaction, Lifecycle, Task
from crmcem.lib import cleaning
from crmcem.lib.birthdays import birthday
from crmcem.lib.cleaning import Bad, Cleaner
from crmcem.lib.errors import NON_FIELD, FieldError
from crmcem.lib.normalise import normalise_domain, normalise_email, normalise_phone

CHANNELS = ("email", "sms", "phone", "push", "post")
CONSENT = ("granted", "denied")
#: A contact needs one of these, otherwise nobody could tell who it is.
IDENTITY = ("first_name", "last_name", "email", "phone", "external_id")

Checked = tuple[dict[str, Any], list[FieldError]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the checks need to know beside the input (``contacts.custom.rules.rules_for`` makes them).

    ``country`` is that of bare phone numbers, ``now`` the time of a given consent. ``custom`` are the definitions
    of custom fields and ``stored`` what the record holds of them; ``complete`` asks for the required ones.
    """

    country: str = "US"
    now: dt.datetime | None = None
    custom: Fields = field(default_factory=dict)
    stored: Mapping[str, Any] | None = None
    complete: bool = False

    def stamp(self) -> str:
        return (self.now or dt.datetime.now(dt.UTC)).isoformat()


def _phone(country: str) -> Cleaner:
    return cleaning.textual(lambda value: normalise_phone(value, country), 20)


_external_id = cleaning.optional(cleaning.text(200))
_email = cleaning.textual(normalise_email, 254)
_domain = cleaning.textual(normalise_domain, 253)


def _website(value: Any) -> str:
    url = cleaning.text(500)(value)
    if not url:
        return ""
    if "://" not in url:
        url = f"https://{url}"
    if not url.lower().startswith(("http://", "https://")):
        raise Bad("invalid", _("Send a web address that begins with https:// or http://."))
    normalise_domain(url)
    return str(url)


def consent_of(value: Any, rules: Rules) -> dict[str, dict[str, str]]:
    """``{channel: {"status", "at", "source"}}``; a bare status is enough, its time is then now."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Bad("type", _('Send an object such as {"email": {"status": "granted", "source": "shop"}}.'))
    return {_channel(key): _consent(item, rules) for key, item in value.items()}


def _channel(key: Any) -> str:
    if key not in CHANNELS:
        raise Bad("key", _("Unknown channel. Known channels: %(known)s.") % {"known": ", ".join(CHANNELS)})
    return str(key)


def _consent(item: Any, rules: Rules) -> dict[str, str]:
    if isinstance(item, str):
        item = {"status": item}
    if not isinstance(item, Mapping) or not set(item) <= {"status", "at", "source"}:
        raise Bad(
            "type", _('Send each channel as {"status": "granted or denied", "at": time, "source": text}.')
        )
    status = item.get("status")
    if status not in CONSENT:
        raise Bad("invalid_choice", _("The status of a consent is granted or denied."))
    at = cleaning.moment(item.get("at"))
    return {
        "status": str(status),
        "at": at.isoformat() if at else rules.stamp(),
        "source": str(cleaning.text(200)(item.get("source"))),
    }


@lru_cache(maxsize=64)
def contact_cleaners(country: str) -> dict[str, Cleaner]:
    """The cleaner of each field of a contact; bare phone numbers belong to ``country``."""
    return {
        "external_id": _external_id,
        "first_name": cleaning.text(150),
        "last_name": cleaning.text(150),
        "email": _email,
        "phone": _phone(country),
        "job_title": cleaning.text(200),
        "birthday": birthday,
        "lifecycle_stage": cleaning.choice(Lifecycle.values, Lifecycle.LEAD),
        "tags": cleaning.tags,
        "language": cleaning.language,
        "time_zone": cleaning.zone,
    }


@lru_cache(maxsize=64)
def company_cleaners(country: str) -> dict[str, Cleaner]:
    """The cleaner of each field of a company."""
    return {
        "external_id": _external_id,
        "name": cleaning.text(300),
        "domain": _domain,
        "industry": cleaning.text(120),
        "size": cleaning.integer(0, 2**31 - 1),
        "phone": _phone(country),
        "website": _website,
    }


_INTERACTION: dict[str, Cleaner] = {
    "kind": cleaning.choice(Interaction.Kind.values),
    "direction": cleaning.choice(Interaction.Direction.values, ""),
    "occurred_at": cleaning.moment,
    "subject": cleaning.text(300),
    "body": cleaning.text(100_000, lines=True),
    "duration_seconds": cleaning.integer(0, 31 * 86_400),
    "outcome": cleaning.text(120),
    "sentiment": cleaning.number(-1, 1),
}
_TASK: dict[str, Cleaner] = {
    "title": cleaning.text(300),
    "kind": cleaning.choice(Task.Kind.values, Task.Kind.TODO),
    "body": cleaning.text(100_000, lines=True),
    "due_at": cleaning.moment,
    "remind_at": cleaning.moment,
    "time_zone": cleaning.zone,
    "priority": cleaning.choice(Task.Priority.values, Task.Priority.NORMAL),
    "recurrence": cleaning.choice(Task.Recurrence.values, ""),
}

CONTACT_FIELDS = (*contact_cleaners("US"), "custom", "consent")
COMPANY_FIELDS = (*company_cleaners("US"), "custom")


def clean_contact(data: Mapping[str, Any], rules: Rules, *, partial: bool = False) -> Checked:
    """A contact's own fields. ``partial``: only what is given is looked at (an update).

    ``custom`` and ``consent`` come back as given, cleaned: an update merges them into what is stored.
    """
    own, apart = _apart(data, "custom", "consent")
    values, errors = cleaning.clean(contact_cleaners(rules.country), own)
    _put_custom(apart, values, errors, rules, partial)
    if "consent" in apart:
        try:
            values["consent"] = consent_of(apart["consent"], rules)
        except ValueError as error:
            errors.append(FieldError("consent", getattr(error, "code", "invalid"), str(error)))
    if not partial and not errors and not has_identity(values.get):
        errors.append(nobody())
    return values, errors


def _apart(data: Mapping[str, Any], *names: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """``data`` without those fields, and those fields."""
    apart = {name: data[name] for name in names if name in data}
    return {name: value for name, value in data.items() if name not in names} if apart else data, apart


def _put_custom(
    apart: Mapping[str, Any], values: dict[str, Any], errors: list[FieldError], rules: Rules, partial: bool
) -> None:
    """The custom fields of an input, cleaned, among its ``values``."""
    complete = rules.complete and not partial
    if "custom" in apart or complete:
        values["custom"], wrong = clean_values(
            apart.get("custom"), rules.custom, stored=rules.stored, complete=complete
        )
        errors += wrong


def has_identity(get: Callable[[str], Any]) -> bool:
    """Whether a contact can be told from others: it has a name, an address, a phone or an external id."""
    return any(get(name) for name in IDENTITY)


def nobody() -> FieldError:
    return FieldError(
        NON_FIELD,
        "required",
        _("A contact needs a name, an e-mail address, a phone number or an external id."),
    )


def clean_company(data: Mapping[str, Any], rules: Rules, *, partial: bool = False) -> Checked:
    """A company's own fields; ``name`` is required."""
    required = ("name",) if not partial or "name" in data else ()
    own, apart = _apart(data, "custom")
    values, errors = cleaning.clean(company_cleaners(rules.country), own, required)
    _put_custom(apart, values, errors, rules, partial)
    return values, errors


def clean_interaction(data: Mapping[str, Any], *, partial: bool = False) -> Checked:
    """An interaction's own fields; ``kind`` is required."""
    required = ("kind",) if not partial else ()
    return cleaning.clean(_INTERACTION, data, required)


def clean_task(data: Mapping[str, Any], *, partial: bool = False) -> Checked:
    """A task's own fields; ``title`` is required, and a due time where it repeats."""
    required = ("title",) if not partial or "title" in data else ()
    values, errors = cleaning.clean(_TASK, data, required)
    if not partial and values.get("recurrence") and not values.get("due_at"):
        errors.append(needs_due())
    return values, errors


def needs_due() -> FieldError:
    return FieldError("due_at", "required", _("A task that repeats needs a due time."))


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """``old`` with the keys of ``new``; a null removes its key."""
    return {key: value for key, value in {**old, **new}.items() if value is not None}
