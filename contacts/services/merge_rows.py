"""What the rows of contacts itself need beyond following: the figures, the ways to reach, the copies of the owner."""

# ruff: noqa: S608 - statements are built from names of our own tables and columns; values are parameters

from typing import Any

from contacts.models import (
    Company,
    CompanyDomain,
    Contact,
    ContactPoint,
    Employment,
    Interaction,
    Pulse,
    Relationship,
)
from contacts.selectors.merging import successor
from crmcem.lib import merging, references
from crmcem.lib.merging import Journal, Pointer

#: what no numeric(14, 2) can hold stays at the edge, as in the consumer of Pulse
_EDGE = "999999999999.99"
_SUMS = {"orders": "{}", "open_cases": "{}", "revenue": f"greatest(least({{}}, {_EDGE}), -{_EDGE})"}
_LATEST = ("last_seen_at", "last_touched_at")
_COPIES = ("contact_id", "owner_id", "team_id", "lifecycle_stage")

_EXEMPT = {
    "journeys_automation.armed_contact": "how far timers are made, not a reference to a record",
    "contacts_segmentdirty.contact_id": "a note for upkeep: triggers write one for the winner as it changes",
    "workspace_organisation.contact_budget_days": "a number of days, not a reference to a record",
    "contacts_importpart.contact_id": "whose part the import changed; undoing leaves a part that has moved since",
    "contacts_importpart.company_id": "whose part the import changed; undoing leaves a part that has moved since",
    "contacts_importpoint.contact_id": "whom the import added it to; undoing asks the point itself whose it is now",
    "contacts_mergerecord.winner_id": "the redirect itself: further merges make a chain of them",
    "contacts_mergerecord.loser_id": "the redirect itself: further merges make a chain of them",
}


def register() -> None:
    """Called once when the app is ready."""
    for target, column in (("contacts.Contact", "contact_id"), ("contacts.Company", "company_id")):
        merging.soft(target, "contacts.Activity", column)
    merging.soft("contacts.Contact", "contacts.SegmentTimer", "contact_id")
    references.redirect(Contact, lambda pk: successor("contact", pk))
    references.redirect(Company, lambda pk: successor("company", pk))
    merging.handle("contacts_pulse.contact_id", fold_pulse)
    merging.handle("contacts_contactpoint.contact_id", fold_points)
    merging.handle("contacts_employment.contact_id", fold_employments)
    merging.handle("contacts_relationship.contact_id", fold_relationships)
    merging.handle("contacts_relationship.related_id", fold_relationships)
    for column, why in _EXEMPT.items():
        merging.exempt(column, why)


def lock_pulses(*ids: int) -> None:
    """In one order, like every writer of Pulse."""
    list(Pulse.objects.filter(pk__in=ids).order_by("pk").select_for_update().values_list("pk", flat=True))


def fold_pulse(journal: Journal, pointer: Pointer) -> None:
    """One row of figures: counts add up, of two measurements the newer one stands."""
    columns = [str(f.column) for f in Pulse._meta.local_concrete_fields if f.column not in _COPIES]
    pick = ", ".join(_figure(column, columns) for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    journal.set(
        Pulse,
        f"({names}) = (SELECT {pick} FROM contacts_pulse l WHERE l.contact_id = %(loser)s)",
        "t.contact_id = %(winner)s AND EXISTS (SELECT 1 FROM contacts_pulse l WHERE l.contact_id = %(loser)s)",
    )
    journal.remove(
        Pulse,
        "t.contact_id = %(loser)s AND EXISTS (SELECT 1 FROM contacts_pulse w WHERE w.contact_id = %(winner)s)",
    )
    journal.move(pointer)


def _figure(column: str, columns: list[str]) -> str:
    mine, theirs = f't."{column}"', f'l."{column}"'
    if column in _SUMS:
        return _SUMS[column].format(f"{mine} + {theirs}")
    if column in _LATEST:
        return f"greatest({mine}, {theirs})"
    if column in ("next_activity_at", "customer_since"):
        return f"least({mine}, {theirs})"
    dated = column if column.endswith("_at") else f"{column}_at"
    if dated in columns:
        newer = f'l."{dated}" > coalesce(t."{dated}", \'-infinity\')'
        return f"CASE WHEN {newer} THEN {theirs} ELSE {mine} END"
    return f"coalesce({mine}, {theirs})"


def fold_points(journal: Journal, pointer: Pointer) -> None:
    """The loser's addresses and numbers become further ones of the winner; what both have stays once."""
    journal.remove(
        ContactPoint,
        "t.contact_id = %(loser)s AND EXISTS (SELECT 1 FROM contacts_contactpoint w"
        " WHERE w.contact_id = %(winner)s AND w.kind = t.kind AND w.value = t.value)",
    )
    journal.set(ContactPoint, "is_primary = false", "t.contact_id = %(loser)s AND t.is_primary")
    journal.move(pointer)


def settle_points(journal: Journal, winner: Any, loser: Any) -> None:
    """Primary is what stands on the winner now; an address that only stood on a record becomes a point as well."""
    for kind in ("email", "phone"):
        current = getattr(winner, kind) or ""
        known = {getattr(winner, kind), getattr(loser, kind)} - {None, ""}
        journal.set(
            ContactPoint,
            "is_primary = false",
            "t.contact_id = %(winner)s AND t.kind = %(kind)s AND t.is_primary AND t.value <> %(value)s",
            kind=kind,
            value=current,
        )
        journal.set(
            ContactPoint,
            "is_primary = true",
            "t.contact_id = %(winner)s AND t.kind = %(kind)s AND NOT t.is_primary AND t.value = %(value)s",
            kind=kind,
            value=current,
        )
        journal.add(
            ContactPoint,
            "(contact_id, kind, value, is_primary, created_at)"
            " SELECT %(winner)s, %(kind)s, v.value, v.value = %(value)s, clock_timestamp()"
            " FROM unnest(%(known)s::text[]) AS v(value)"
            " WHERE NOT EXISTS (SELECT 1 FROM contacts_contactpoint p WHERE p.contact_id = %(winner)s"
            " AND p.kind = %(kind)s AND p.value = v.value) ON CONFLICT DO NOTHING",
            kind=kind,
            value=current,
            known=sorted(known),
        )


def settle_external_ids(journal: Journal, winner: Any, loser: Any, changes: dict[str, list[Any]]) -> None:
    """The id that isn't the contact's first one any more is a further one: integrators still mean this customer."""
    held = {loser.external_id, changes["external_id"][0] if "external_id" in changes else None}
    journal.add(
        ContactPoint,
        "(contact_id, kind, value, is_primary, created_at)"
        " SELECT %(winner)s, 'external_id', v.value, false, clock_timestamp() FROM unnest(%(held)s::text[]) AS v(value)"
        " ON CONFLICT DO NOTHING",
        held=sorted(held - {None, winner.external_id}),
    )
    journal.remove(
        ContactPoint,
        "t.contact_id = %(winner)s AND t.kind = 'external_id' AND t.value = %(first)s",
        first=winner.external_id or "",
    )


def fold_employments(journal: Journal, pointer: Pointer) -> None:
    """Every job stays; one that both records hold and that says nothing more is the same job."""
    journal.remove(
        Employment,
        "t.contact_id = %(loser)s AND EXISTS (SELECT 1 FROM contacts_employment w WHERE w.contact_id = %(winner)s"
        " AND w.company_id = t.company_id AND t.title IN ('', w.title) AND t.department IN ('', w.department)"
        " AND (t.starts_on IS NULL OR t.starts_on = w.starts_on) AND t.ends_on IS NOT DISTINCT FROM w.ends_on)",
    )
    journal.set(Employment, "is_primary = false", "t.contact_id = %(loser)s AND t.is_primary")
    journal.move(pointer)


def settle_employments(journal: Journal) -> None:
    """The primary job is the one whose company and title stand on the winner, as everywhere."""
    mine = "t.contact_id = %(winner)s"
    contact = "(SELECT c.{} FROM contacts_contact c WHERE c.id = %(winner)s)"
    company, title = contact.format("company_id"), contact.format("job_title")
    journal.set(
        Employment,
        "is_primary = false",
        f"{mine} AND t.is_primary AND t.company_id IS DISTINCT FROM {company}",
    )
    primary = "SELECT 1 FROM contacts_employment p WHERE p.contact_id = %(winner)s AND p.is_primary"
    journal.set(
        Employment,
        "is_primary = true",
        f"NOT EXISTS ({primary}) AND t.id = (SELECT min(s.id) FROM contacts_employment s"
        f" WHERE s.contact_id = %(winner)s AND s.company_id = {company} AND s.ends_on IS NULL)",
    )
    journal.add(
        Employment,
        "(contact_id, company_id, title, department, is_primary, created_at, updated_at, version)"
        " SELECT c.id, c.company_id, c.job_title, '', true, now(), now(), 1 FROM contacts_contact c"
        f" WHERE c.id = %(winner)s AND c.company_id IS NOT NULL AND NOT EXISTS ({primary})",
    )
    journal.set(Employment, f"title = {title}", f"{mine} AND t.is_primary AND t.title <> {title}")


def fold_relationships(journal: Journal, pointer: Pointer) -> None:
    """What the two were to each other is nothing any more; what both are to a third stays once."""
    other = "related_id" if pointer.column == "contact_id" else "contact_id"
    pair = "(%(winner)s, %(loser)s)"
    journal.remove(Relationship, f"t.contact_id IN {pair} AND t.related_id IN {pair}")
    journal.remove(
        Relationship,
        f"t.{pointer.column} = %(loser)s AND EXISTS (SELECT 1 FROM contacts_relationship w"
        f" WHERE w.{pointer.column} = %(winner)s AND w.{other} = t.{other} AND w.kind = t.kind)",
    )
    journal.move(pointer)


def settle_domains(journal: Journal) -> None:
    """The primary domain is the one that stands on the winner; those of the loser are further ones."""
    domain = "(SELECT c.domain FROM contacts_company c WHERE c.id = %(winner)s)"
    mine = "t.company_id = %(winner)s"
    journal.set(
        CompanyDomain, "is_primary = false", f"{mine} AND t.is_primary AND t.domain IS DISTINCT FROM {domain}"
    )
    journal.set(CompanyDomain, "is_primary = true", f"{mine} AND NOT t.is_primary AND t.domain = {domain}")


def settle_copies(journal: Journal) -> None:
    """Interactions and Pulse carry their contact's owner and team; they are the winner's now."""
    of_winner = "FROM contacts_contact c WHERE c.id = %(winner)s"
    journal.set(
        Interaction,
        f"(owner_id, team_id) = (SELECT c.owner_id, c.team_id {of_winner})",
        f"t.contact_id = %(winner)s AND NOT EXISTS (SELECT 1 {of_winner}"
        " AND c.owner_id IS NOT DISTINCT FROM t.owner_id AND c.team_id IS NOT DISTINCT FROM t.team_id)",
    )
    journal.set(
        Pulse,
        f"(owner_id, team_id, lifecycle_stage) = (SELECT c.owner_id, c.team_id, c.lifecycle_stage {of_winner})",
        "t.contact_id = %(winner)s",
    )
