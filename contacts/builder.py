"""The condition builder for contacts and companies: who can be chosen, and what is called how."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from contacts.conditions import company_fields, contact_fields
from contacts.models import Company, Segment
from contacts.selectors.people import people
from contacts.selectors.segments import named
from crmcem.lib.api.fields import parse_id
from crmcem.lib.web.condition_builder import condition_builder
from crmcem.workspace.models import Team

MAX_TEAMS = 200
#: the fields whose value is a company
COMPANIES = ("company", "parent")


@dataclass(frozen=True, slots=True)
class Parts:
    """What every builder of a page offers: read once, however many conditions the page has."""

    owned: dict[str, list[tuple[str, str]]]
    segments: list[tuple[str, str]]


def contact_parts(user: Any) -> Parts:
    return Parts(_owned(), list(named(user)))


def contact_builder(
    user: Any,
    value: Any,
    *,
    name: str = "conditions",
    without: Segment | None = None,
    parts: Parts | None = None,
) -> dict[str, Any]:
    """The context ``builder`` of ``components/condition_builder.html``.

    ``value`` is the condition, or the text that was typed; ``without`` a segment that can't name itself.
    """
    parts = parts or contact_parts(user)
    own = str(without.pk) if without is not None else ""
    return condition_builder(
        contact_fields,
        user,
        name=name,
        value=value,
        references=parts.owned,
        lookups={"company": reverse("contacts:company-lookup")},
        labels=_companies(value, user),
        segments=[each for each in parts.segments if each[0] != own],
    )


def company_builder(user: Any, value: Any, *, name: str = "conditions") -> dict[str, Any]:
    """The same for companies."""
    return condition_builder(
        company_fields,
        user,
        name=name,
        value=value,
        references=_owned(),
        lookups={"parent": reverse("contacts:company-lookup")},
        labels=_companies(value, user),
    )


def _owned() -> dict[str, list[tuple[str, str]]]:
    teams = Team.objects.values_list("pk", "name")[:MAX_TEAMS]
    return {"owner": people(), "team": [(str(pk), label) for pk, label in teams]}


def _companies(value: Any, user: Any) -> dict[str, str]:
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
