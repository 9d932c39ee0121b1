"""The one validation of pipelines and deals for every way in: pure functions, no database."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from moneyed import CURRENCIES

from contacts.custom.values import clean_values
from contacts.validation import Rules
from crmcem.lib import cleaning
from crmcem.lib.cleaning import Bad, Cleaner
from crmcem.lib.errors import FieldError
from sales.models import DealContact

Checked = tuple[dict[str, Any], list[FieldError]]
LARGEST = Decimal(10) ** 12
MAX_COMPETITORS = 20
EARLIEST, LATEST = dt.date(1990, 1, 1), dt.date(2200, 1, 1)


def _amount(value: Any) -> Decimal | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal) or len(str(value)) > 40:
        raise Bad("type", _("Send the amount as a decimal number such as 12.50."))
    try:
        amount = Decimal(str(value).strip())
    except ArithmeticError:
        raise Bad("invalid", _("Send the amount as a decimal number such as 12.50.")) from None
    if not amount.is_finite() or abs(amount) >= LARGEST:
        raise Bad("range", _("The amount has too many digits: 12 before the point at most."))
    if amount != amount.quantize(Decimal("0.01")):
        raise Bad("range", _("The amount has more than two digits after the point."))
    return amount


def _currency(value: Any) -> str:
    code = str(value or "").strip().upper()
    if code not in CURRENCIES:
        raise Bad("invalid_choice", _("The currency must be a three-letter ISO 4217 code such as EUR."))
    return code


def _day(value: Any) -> dt.date | None:
    if value is None or value == "":
        return None
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        day: dt.date | None = value
    else:
        try:
            day = parse_date(value) if isinstance(value, str) else None
        except ValueError:
            day = None
    if day is None:
        raise Bad("invalid", _("Send a day that exists, as YYYY-MM-DD."))
    if not EARLIEST <= day <= LATEST:
        raise Bad("range", _("The day must lie between 1990 and 2200."))
    return day


def _names(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list | tuple) or len(value) > MAX_COMPETITORS:
        raise Bad("type", _("Send a list of at most 20 names."))
    one = cleaning.text(120)
    return list(dict.fromkeys(name for name in map(one, value) if name))


_DEAL: dict[str, Cleaner] = {
    "name": cleaning.text(300),
    "external_id": cleaning.optional(cleaning.text(200)),
    "amount": _amount,
    "currency": _currency,
    "probability": cleaning.integer(0, 100),
    "expected_close": _day,
    "competitors": _names,
    "lost_reason": cleaning.text(300),
    "won_reason": cleaning.text(300),
}
_STAGE: dict[str, Cleaner] = {
    "name": cleaning.text(120),
    "probability": cleaning.integer(0, 100),
    "rot_days": cleaning.integer(1, 3650),
}


def clean_deal(data: Mapping[str, Any], rules: Rules | None = None, *, partial: bool = False) -> Checked:
    """A deal's own fields; ``name`` is required. ``rules`` know its custom fields (``rules_for("deal", …)``)."""
    required = ("name",) if not partial or "name" in data else ()
    own = {name: value for name, value in data.items() if name != "custom"}
    values, errors = cleaning.clean(_DEAL, own, required)
    rules = rules or Rules()
    complete = rules.complete and not partial
    if "custom" in data or complete:
        values["custom"], wrong = clean_values(
            data.get("custom"), rules.custom, stored=rules.stored, complete=complete
        )
        errors += wrong
    return values, errors


def clean_stage(data: Mapping[str, Any]) -> Checked:
    """A stage's own fields; ``name`` is required, ``probability`` is 0 unless given."""
    values, errors = cleaning.clean(_STAGE, data, ("name",))
    if values.get("probability", 0) is None:
        values["probability"] = 0
    return values, errors


def clean_role(value: Any) -> str:
    """A role in the buying committee. Raises ValueError."""
    role: str = cleaning.choice(DealContact.Role.values, DealContact.Role.OTHER)(value)
    return role
