"""The condition builder for contacts, companies and the work with both: who can be chosen, what is called how."""

from collections.abc import Iterator
from typing import Any

from django.urls import reverse

from contacts.conditions import company_fields, contact_fields
from contacts.models import Company, Segment
from contacts.selectors.people import people
from contacts.selectors.segments import named
from crmcem.lib.api.fields import parse_id
from crmcem.lib.web.condition_builder import Asked, Offered, Options, condition_builder, offers
from crmcem.workspace.models import Team

MAX_TEAMS = 200
#: the fields whose value is a company
COMPANIES = ("company", "parent")


def contact_builder(
    user: Any,
    value: Any,
    *,
    name: str = "conditions",
    without: Segment | None = None,
    shared: bool = False,
    asked: Asked | None = None,
) -> dict[str, Any]:
    """The context ``builder`` of ``components/condition_builder.html``.

    ``value`` is the condition, or the text that was typed; ``without`` a segment that can't name itself; ``shared``
    and ``asked`` as in ``condition_builder``.
    """
    return condition_builder(
        contact_fields,
        user,
        name=name,
        value=value,
        labels=record_names(value, user),
        shared=shared,
        asked=asked,
        without=str(without.pk) if without is not None else "",
    )


def company_builder(user: Any, value: Any, *, name: str = "conditions") -> dict[str, Any]:
    """The same for companies."""
    return condition_builder(company_fields, user, name=name, value=value, labels=record_names(value, user))


def teams() -> Options:
    return [(str(pk), label) for pk, label in Team.objects.values_list("pk", "name")[:MAX_TEAMS]]


def owners(asked: Asked) -> dict[str, Options]:
    """The choices for who is responsible."""
    return {"owner": asked.once(people), "team": asked.once(teams)}


def _of_contacts(asked: Asked) -> Offered:
    lookups = {"company": reverse("contacts:company-lookup"), "tags": reverse("contacts:tag-proposals")}
    return Offered(owners(asked), lookups, named(asked.user))


def _of_companies(asked: Asked) -> Offered:
    return Offered(owners(asked), {"parent": reverse("contacts:company-lookup")})


def _of_work(asked: Asked) -> Offered:
    return Offered(owners(asked))


def register_offers() -> None:
    """Called when the app is ready."""
    offers.add("contacts.Contact", _of_contacts)
    offers.add("contacts.Company", _of_companies)
    for record in ("contacts.Task", "contacts.Interaction"):
        offers.add(record, _of_work)


def record_names(value: Any, user: Any) -> dict[str, str]:
    """``{"company:17": "Acme"}`` for the companies in the condition that the person may see."""
    ids = [pk for pk in (parse_id(each) for each in _values(value)) if pk is not None]
    if not ids:
        return {}
    rows = Company.objects.visible_to(user).filter(pk__in=ids[:200])
    return {f"{field}:{row.pk}": str(row) for row in rows for field in COMPANIES}


def _values(data: Any) -> Iterator[Any]:
    if isinstance(data, dict):
        if data.get("field") in COMPANIES:
            found = data.get("value")
            yield from found if isinstance(found, list) else [found]
        for each in data.values():
            yield from _values(each)
    elif isinstance(data, list):
        for each in data:
            yield from _values(each)
