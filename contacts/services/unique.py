"""What to say when the database refuses a value that another record holds."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from contacts.models import Company, Contact, ContactPoint
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError, FieldError
from crmcem.lib.records import visible_rows


@contextmanager
def unique_values(
    model: type[Contact] | type[Company], values: Mapping[str, Any], actor: Actor
) -> Iterator[None]:
    """Turns the refusal of a unique value into an error of its field.

    The other record is named only to those who may see it. The database decides, so two at the same time
    can't both win.
    """
    try:
        with transaction.atomic():
            if model is Contact and values.get("external_id"):
                _not_a_further_id(values["external_id"], actor)
            yield
    except IntegrityError as error:
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""
        field = next((f for f in ("external_id", "email", "domain") if f in name), None)
        if field is None or field not in values:
            raise
        raise DomainError(taken(model, field, values[field], actor)) from error


def _not_a_further_id(value: str, actor: Actor) -> None:
    """An external id that a contact has beside its first one is taken too. Raises DomainError."""
    claim_external_id(value)
    if ContactPoint.objects.filter(kind="external_id", value=value).exists():
        raise DomainError(taken(Contact, "external_id", value, actor))


def claim_external_id(value: str) -> None:
    """Until the transaction ends nobody else can take this id: it may stand in either of two columns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 17))", [f"external_id:{value}"])


def taken(model: type[Contact] | type[Company], field: str, value: Any, actor: Actor) -> FieldError:
    lookup = Q(**{field: value})
    if model is Contact:
        lookup |= Q(points__kind=field, points__value=value)
    elif field == "domain":
        lookup |= Q(domains__domain=value)
    other = visible_rows(model, actor).filter(lookup).first()
    if other is None:
        sentence = {
            "email": _("This e-mail address belongs to another record already."),
            "external_id": _("This external id belongs to another record already."),
            "domain": _("This domain belongs to another record already."),
        }[field]
        return FieldError(field, "unique", sentence)
    sentence = {
        "email": _("This e-mail address belongs to %(other)s (id %(id)s) already."),
        "external_id": _("This external id belongs to %(other)s (id %(id)s) already."),
        "domain": _("This domain belongs to %(other)s (id %(id)s) already."),
    }[field]
    return FieldError(field, "unique", sentence % {"other": other, "id": other.pk})
