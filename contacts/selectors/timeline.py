"""The timeline of a contact or company: its activities, newest first, by key."""

from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import QuerySet

from contacts.models import Activity, Contact
from crmcem.lib.activities import kinds
from crmcem.lib.keyset import Order
from crmcem.lib.references import references

NEWEST_FIRST = Order("occurred_at", descending=True)
GROUPS = ("interactions", "tasks", "deals", "feedback", "events", "system")


def timeline(
    *,
    contact_id: int | None = None,
    company_id: int | None = None,
    names: Collection[str] = (),
    groups: Collection[str] = (),
) -> QuerySet[Activity]:
    """The activities of one contact (or company); only some kinds, or some groups of kinds.

    Kinds that no app registered are tracked events: they make the group ``events``.
    """
    rows = Activity.objects.all()
    if contact_id is not None:
        rows = rows.filter(contact_id=contact_id)
    else:
        rows = rows.filter(company_id=company_id)
    if names:
        rows = rows.filter(kind__in=names)
    if groups:
        if "events" in groups:
            rows = rows.exclude(kind__in=[k.key for k in kinds if k.group not in groups])
        else:
            rows = rows.filter(kind__in=[k.key for k in kinds if k.group in groups])
    return rows


def hide_the_hidden(
    rows: Sequence[Activity], user: Any, *, contact_id: int | None = None
) -> Sequence[Activity]:
    """Empty the payload of activities whose record (a deal of somebody else) ``user`` may not see.

    So too of those of a contact whom ``user`` may not see (on a company's timeline); ``contact_id`` is one
    whom they are known to see.
    """
    everything = user.access.visibility == "all"
    if not everything:
        _hide_contacts(rows, user, contact_id)
    by_type: dict[str, set[int]] = {}
    for row in rows:
        reference = references.get(row.subject_type)
        if row.subject_id is not None and reference and (reference.personal or not everything):
            by_type.setdefault(row.subject_type, set()).add(row.subject_id)
    for name, ids in by_type.items():
        seen = references[name].visible(ids, user)
        for row in rows:
            if row.subject_type == name and row.subject_id in ids - seen.keys():
                row.payload, row.subject_id = {}, None
    return rows


def _hide_contacts(rows: Sequence[Activity], user: Any, known: int | None) -> None:
    ids = {row.contact_id for row in rows if row.contact_id not in (None, known)}
    if not ids:
        return
    seen = set(Contact.objects.visible_to(user).filter(pk__in=ids).values_list("pk", flat=True))
    for row in rows:
        if row.contact_id in ids - seen:
            row.payload, row.subject_id, row.contact_id = {}, None, None
