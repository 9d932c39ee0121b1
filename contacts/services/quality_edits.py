"""How a repair of the data quality is written and taken back: an editor (``crmcem.lib.bulk_edits``) for each rule.

All but the merging of duplicates work on a chunk of records by a handful of statements. Each looks at its records
again under their lock, so what was mended meanwhile is left alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.http import Http404
from django.utils.translation import gettext as _

from contacts.models import Company, Contact, DuplicatePair, MergeRecord
from contacts.quality import Check
from contacts.services.bulk_edit import COMPANIES, CONTACTS
from contacts.services.contacts import ASSIGN
from contacts.services.duplicates import pair_merge
from contacts.services.merge import merge_undo
from contacts.services.quality_points import addresses_drop, addresses_put_back, points_mend, points_put_back
from contacts.services.quality_values import company_changes
from crmcem.lib.actors import Actor, acting
from crmcem.lib.bulk_edits import Line, Restored, Written
from crmcem.lib.errors import Conflict, DomainError, NotAllowed, StaleWrite
from crmcem.lib.records import lock_all, visible_rows
from crmcem.workspace.policies import require

Before = dict[int, tuple[Any, int]]
#: merges of one transaction: each moves whatever hangs on a record
MERGES = 25


@dataclass(slots=True)
class RepairEditor:
    """The repair of one check. ``writes(check, ids, actor)`` mends a chunk, ``undoes(before, actor)`` takes it back."""

    rule: Check
    scope: str
    writes: Callable[[Check, list[int], Actor], Written]
    undoes: Callable[[Before, Actor], Restored]
    at_once: int | None = None
    chunk: int | None = None
    assign: str = ASSIGN
    keys: Sequence[str] = ()
    entity: str = field(init=False)

    def __post_init__(self) -> None:
        self.entity = self.rule.entity

    def check(self, *, key: str, raw: Any, actor: Actor) -> Any:
        """A repair has no value: its rule says what each record gets."""
        require(actor, self.scope)
        return None

    def differing(self, *, key: str, value: Any) -> Any:
        """Whatever the check's list shows is faulty."""
        return Q()

    def write(self, *, key: str, value: Any, ids: list[int], actor: Actor) -> Written:
        self._may(actor)
        with acting(actor):
            return self.writes(self.rule, ids, actor)

    def barred(self, *, key: str, value: Any) -> list[tuple[Any, str]]:
        return []

    def kinds(self, key: str) -> Sequence[str]:
        return (f"{self.entity}.merged" if key == "merge" else f"{self.entity}.updated",)

    def restore(self, *, key: str, before: Before, actor: Actor) -> Restored:
        self._may(actor)
        with acting(actor):
            return self.undoes(before, actor)

    def _may(self, actor: Actor) -> None:
        require(actor, "contacts:write")
        require(actor, self.scope)


def _give(check: Check, ids: list[int], actor: Actor) -> Written:
    """Contacts without an owner get the one of their company, if the actor may see it."""
    rows = [row for row in lock_all(Contact, ids, actor) if row.owner_id is None and row.company_id]
    companies = visible_rows(Company, actor).filter(pk__in={row.company_id for row in rows})
    owners = companies.filter(owner__is_active=True).values_list("pk", "owner_id", "owner__team_id")
    owned = {pk: {"owner_id": owner, "team_id": team} for pk, owner, team in owners}
    wanted: Mapping[int, dict[str, Any]] = {
        row.pk: owned[row.company_id] for row in rows if row.company_id in owned
    }
    return Written(CONTACTS.save(rows, "owner", wanted, actor))


def _take_back(before: Before, actor: Actor) -> Restored:
    return CONTACTS.restore(key="owner", before=before, actor=actor)


def _mend_companies(check: Check, ids: list[int], actor: Actor) -> Written:
    lock_all(Company, ids, actor)
    found = company_changes(check.rows(actor.user).filter(pk__in=ids))
    wanted = {each.record.pk: {"phone": each.new} for each in found}
    return Written(COMPANIES.save([each.record for each in found], "phone", wanted, actor))


def _put_back_companies(before: Before, actor: Actor) -> Restored:
    return COMPANIES.restore(key="phone", before=before, actor=actor)


def _merge(check: Check, ids: list[int], actor: Actor) -> Written:
    """Each pair by itself: one that can't be merged harms no other. ``ids`` are pairs, what changed are merges."""
    changed: list[tuple[int, Any, int]] = []
    failed: list[Line] = []
    for pk in ids:
        pairs = visible_rows(DuplicatePair, actor).filter(state=DuplicatePair.State.OPEN, exact=True)
        pair = pairs.filter(pk=pk).first()  # an earlier merge of this chunk may have settled it
        if pair is None:
            continue
        try:
            merge = pair_merge(pair=pair, actor=actor)
        except (Conflict, DomainError, Http404, NotAllowed, StaleWrite) as error:
            failed.append((f"{pair.left_id} / {pair.right_id}", str(error), pair.pk))
            continue
        if merge is not None:
            changed.append((merge.pk, None, 0))
    return Written(changed, failed)


def _part(before: Before, actor: Actor) -> Restored:
    """The newest first: a record that was merged on into another is parted from that one before."""
    back = 0
    kept: list[Line] = []
    merges = visible_rows(MergeRecord, actor).filter(pk__in=before, undone_at__isnull=True)
    for merge in merges.order_by("-pk"):
        try:
            merge_undo(merge=merge, actor=actor)
        except (Conflict, DomainError, NotAllowed, StaleWrite) as error:
            kept.append((f"{merge.loser_name} → {merge.winner_name}", str(error)))
        except Http404:
            kept.append((f"{merge.loser_name} → {merge.winner_name}", _("The kept record is gone.")))
        else:
            back += 1
    return Restored(back, kept)


def editor_of(check: Check) -> RepairEditor:
    """The editor of a check that has a repair."""
    if check.repair == "owner":
        return RepairEditor(check, ASSIGN, _give, _take_back)
    if check.repair == "address":
        return RepairEditor(check, "contacts:write", addresses_drop, addresses_put_back)
    if check.repair == "merge":
        return RepairEditor(check, "contacts:write", _merge, _part, 0, MERGES)
    if check.entity == "company":
        return RepairEditor(check, "contacts:write", _mend_companies, _put_back_companies)
    return RepairEditor(check, "contacts:write", points_mend, points_put_back)
