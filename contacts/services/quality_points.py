"""Repairs of contact points by the chunk: addresses and numbers out of form, and addresses that mails come back from.

The primary point of a kind is the contact's own ``email`` or ``phone``; both are written together, the contact as its
next version. What is kept for an undo is JSON and names the version that the repair gave each point.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Contact, ContactPoint
from contacts.quality import Check
from contacts.services.quality_values import Change, point_changes
from contacts.services.stream import NewActivity, activities_append
from contacts.services.unique import taken
from contacts.validation import has_identity, nobody
from crmcem.lib.actors import Actor
from crmcem.lib.bulk_edits import Line, Restored, Written
from crmcem.lib.records import lock_all

Before = dict[int, tuple[Any, int]]
Failed = list[Line]
Said = list[tuple[Contact, dict[str, Any]]]
T = TypeVar("T")
BATCH = 500
#: somebody may take an address between our look and our write; then we look again
TRIES = 3


def points_mend(check: Check, ids: list[int], actor: Actor) -> Written:
    """Write what each bad value plainly means. A value that another record has already stays as it is."""
    return _patiently(lambda: _mend(check, ids, actor))


def points_put_back(before: Before, actor: Actor) -> Restored:
    """Put the old values back on the contacts none of whose mended points was changed since."""
    return _patiently(lambda: _put_back(before, actor))


def addresses_drop(check: Check, ids: list[int], actor: Actor) -> Written:
    """Take the dead primary addresses away; the oldest other address of a contact takes the place."""
    contacts = {row.pk: row for row in lock_all(Contact, ids, actor)}
    bad = check.rows(actor.user).filter(pk__in=contacts).values_list("pk", flat=True)
    dead, heirs = _addresses(bad)
    said: Said = []
    kept: dict[int, Any] = {}
    failed: Failed = []
    for pk in sorted(dead):
        contact, point, heir = contacts[pk], dead[pk], heirs.get(pk)
        if heir is None and not has_identity(_without_email(contact)):
            failed.append((str(contact), nobody().detail, pk))
            continue
        kept[pk] = {
            "point": point.pk,
            "old": point.value,
            "label": point.label,
            "since": point.created_at.isoformat(),
            "version": point.version,
        }
        if heir:
            heir.is_primary, heir.version = True, heir.version + 1
            kept[pk] |= {"heir": heir.pk, "heir_version": heir.version}
        old, contact.email = contact.email, heir.value if heir else None
        said.append((contact, {"email": [old, contact.email]}))
    ContactPoint.objects.filter(pk__in=[each["point"] for each in kept.values()]).delete()
    _update([heirs[pk] for pk in kept if pk in heirs], "is_primary")
    _save("email", said, actor)
    return Written([(contact.pk, kept[contact.pk], contact.version) for contact, _changes in said], failed)


def addresses_put_back(before: Before, actor: Actor) -> Restored:
    """Give back the address under its old id where contact and heir are as the repair left them and it is free."""
    return _patiently(lambda: _give_back(before, actor))


def _mend(check: Check, ids: list[int], actor: Actor) -> Written:
    kind = check.key.removeprefix("invalid_")
    contacts = {row.pk: row for row in lock_all(Contact, ids, actor)}
    good, failed = _free(kind, point_changes(check, actor.user, list(contacts)), actor)
    return Written(_write_points(kind, good, contacts, actor), failed)


def _put_back(before: Before, actor: Actor) -> Restored:
    contacts = {row.pk: row for row in lock_all(Contact, list(before), actor)}
    points = {point.pk: point for point in ContactPoint.objects.filter(contact__in=contacts)}
    back: list[Change] = []
    stays: Failed = []
    for pk, contact in contacts.items():
        kept = [(points.get(each["point"]), each) for each in before[pk][0]]
        if all(point is not None and point.version == each["version"] for point, each in kept):
            back += [Change(contact, point, point.value, each["old"]) for point, each in kept if point]
        else:
            stays.append((str(contact), _("It was changed again since."), pk))
    kind = back[0].row.kind if back else ""
    good, failed = _free(kind, back, actor)
    spoilt = {each[-1] for each in failed}
    whole = [each for each in good if each.record.pk not in spoilt]
    return Restored(len(_write_points(kind, whole, contacts, actor)), [*stays, *failed])


def _give_back(before: Before, actor: Actor) -> Restored:
    contacts = lock_all(Contact, list(before), actor)
    named = [kept["heir"] for kept, _version in before.values() if "heir" in kept]
    heirs = {point.pk: point for point in ContactPoint.objects.filter(pk__in=named)}
    held = _holders("email", [kept["old"] for kept, _version in before.values()])
    points, demoted = [], []
    said: Said = []
    stays: Failed = []
    for row in contacts:
        kept, version = before[row.pk]
        heir = heirs.get(kept.get("heir"))
        changed = row.version != version or (heir.version if heir else None) != kept.get("heir_version")
        if changed or kept["old"] in held:
            why = _("It was changed again since.") if changed else _("Another record has the address now.")
            stays.append((str(row), why, row.pk))
            continue
        if heir:
            heir.is_primary, heir.version = False, heir.version + 1
            demoted.append(heir)
        point = ContactPoint(contact=row, kind="email", value=kept["old"], label=kept["label"])
        point.pk, point.is_primary, point.version = kept["point"], True, kept["version"] + 1
        points.append(point)
        old, row.email = row.email, kept["old"]
        said.append((row, {"email": [old, kept["old"]]}))
    _update(demoted, "is_primary")
    ContactPoint.objects.bulk_create(points, batch_size=BATCH)
    for point in points:  # making it said "now"
        point.created_at = dt.datetime.fromisoformat(before[point.contact_id][0]["since"])
    _update(points, "created_at")
    _save("email", said, actor)
    return Restored(len(said), stays)


# --- the pieces -----------------------------------------------------------------------------------------------
def _addresses(ids: Iterable[int]) -> tuple[dict[int, ContactPoint], dict[int, ContactPoint]]:
    """Of each contact the primary address and the oldest other one."""
    primary: dict[int, ContactPoint] = {}
    others: dict[int, ContactPoint] = {}
    for point in ContactPoint.objects.filter(contact__in=list(ids), kind="email").order_by("pk"):
        (primary if point.is_primary else others).setdefault(point.contact_id, point)
    return primary, {pk: point for pk, point in others.items() if pk in primary}


def _without_email(contact: Contact) -> Callable[[str], Any]:
    return lambda name: None if name == "email" else getattr(contact, name)


def _holders(kind: str, values: Iterable[str]) -> dict[str, set[int]]:
    """Of each value that is held: by which contacts."""
    held: dict[str, set[int]] = {}
    wanted = set(values)
    for value, pk in ContactPoint.objects.filter(kind=kind, value__in=wanted).values_list(
        "value", "contact_id"
    ):
        held.setdefault(str(value), set()).add(pk)
    return held


def _free(kind: str, found: Sequence[Change], actor: Actor) -> tuple[list[Change], Failed]:
    """Those whose new value nobody else has (an address) and this contact has not yet; and why not the others."""
    held = _holders(kind, [each.new for each in found])
    good: list[Change] = []
    failed: Failed = []
    for each in found:
        pk = each.record.pk
        others = held.setdefault(each.new, set())
        if pk in others:
            why = _("This contact has it already.")
        elif others and kind == "email":
            why = taken(Contact, kind, each.new, actor).detail
        else:
            others.add(pk)
            good.append(each)
            continue
        failed.append((str(each.record), why, pk))
    return good, failed


def _write_points(
    kind: str, found: Sequence[Change], contacts: dict[int, Contact], actor: Actor
) -> list[tuple[int, Any, int]]:
    """The new values on the points, the primary ones also on their contacts."""
    kept: dict[int, list[dict[str, Any]]] = {}
    changes: dict[int, dict[str, Any]] = {}
    points = []
    for each in found:
        point, pk = each.row, each.record.pk
        point.value, point.version = each.new, point.version + 1
        points.append(point)
        kept.setdefault(pk, []).append({"point": point.pk, "old": each.old, "version": point.version})
        changes.setdefault(pk, {})
        if point.is_primary:
            changes[pk][kind] = [each.old, each.new]
            setattr(contacts[pk], kind, each.new)
    _update(points, "value")
    _save(kind, [(contacts[pk], changes[pk]) for pk in kept], actor)
    return [(pk, before, contacts[pk].version) for pk, before in kept.items()]


def _update(points: Sequence[ContactPoint], name: str) -> None:
    ContactPoint.objects.bulk_update(points, [name, "version"], batch_size=BATCH)


def _save(kind: str, said: Said, actor: Actor) -> None:
    """The contacts as their next version, and one activity each."""
    now = timezone.now()
    for contact, _changes in said:
        contact.version, contact.updated_at = contact.version + 1, now
    if not said:
        return
    rows = [contact for contact, _changes in said]
    Contact.objects.bulk_update(rows, [kind, "version", "updated_at"], batch_size=BATCH)
    activities_append(
        actor=actor,
        activities=[
            NewActivity(
                "contact.updated",
                contact_id=contact.pk,
                company_id=contact.company_id,
                payload={"fields": ["points"], **({"changes": changes} if changes else {})},
            )
            for contact, changes in said
        ],
    )


def _patiently(work: Callable[[], T]) -> T:
    """``work()`` in a savepoint; all of it anew where somebody took a value between its look and its write."""
    for left in range(TRIES - 1, -1, -1):
        try:
            with transaction.atomic():
                return work()
        except IntegrityError:
            if not left:
                raise
    raise AssertionError("unreachable")
