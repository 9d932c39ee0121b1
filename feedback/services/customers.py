"""The customer that somebody outside names by a key of their own."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from contacts.models import Contact, ContactPoint
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError
from crmcem.lib.records import visible_rows

KEYS = ("external_id", "email", "id")


def customer_named(*, named: Mapping[str, Any], actor: Actor) -> Contact:
    """The customer with this ``external_id``, ``email`` (also a further one of theirs) or ``id``.

    Raises DomainError where there is none that the actor may see.
    """
    if len(named) != 1 or next(iter(named)) not in KEYS:
        raise DomainError.of("contact", "invalid", _("Name the customer by external_id, email or id."))
    [(key, value)] = named.items()
    if isinstance(value, bool) or not isinstance(value, str | int) or "\x00" in str(value):
        raise DomainError.of("contact", "invalid", _("Send a text."))
    text = str(value).strip()
    rows = visible_rows(Contact, actor)
    if key in ("email", "external_id"):
        value = text.lower() if key == "email" else text
        theirs = ContactPoint.objects.filter(kind=key, value=value).values("contact_id")
        rows = rows.filter(Q(**{key: value}) | Q(pk__in=theirs))
    else:
        digits = text.isascii() and text.isdigit() and len(text) < 19
        rows = rows.filter(pk=int(text)) if digits else rows.none()
    found = rows.first()
    if found is None:
        detail = _("There is no such customer, or it is not yours to see.")
        raise DomainError.of("contact", "does_not_exist", detail)
    return found
