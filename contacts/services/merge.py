"""Two records of one customer become one, without losing a row, and can be parted again."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.db import OperationalError, connection
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Company, Contact, MergeRecord, MergeStep
from contacts.selectors.merging import MODELS, entity_of, moving
from contacts.services import merge_rows
from contacts.services.contacts import ASSIGN
from contacts.services.merge_choices import chosen
from contacts.services.merge_pairs import settle_pairs
from contacts.services.stream import NewActivity, activities_append
from contacts.services.tasks import recompute_next_activity
from contacts.services.unique import unique_values
from crmcem.lib import merging
from crmcem.lib.actors import Actor, acting, replaying
from crmcem.lib.errors import Conflict, DomainError, StaleWrite
from crmcem.lib.merge_follow import follow_all
from crmcem.lib.merge_undo import undo_steps
from crmcem.lib.merging import Journal, Step
from crmcem.lib.records import change, lock, lock_all, visible_rows
from crmcem.workspace.policies import require

Record = TypeVar("Record", Contact, Company)
#: figures that are computed anew rather than kept: nobody needs to be told of them
_DERIVED = {"contacts_pulse", "contacts_segmenttimer", "contacts_duplicatepair", "contacts_milestone"}
KEPT_SHOWN = 100


class _Rehearsed(Exception):
    """Ends the transaction of a dry run."""


def contact_merge(
    *,
    winner: Contact,
    loser: Contact,
    actor: Actor,
    fields: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    expected_version: int | None = None,
) -> tuple[MergeRecord, Contact]:
    """Make ``loser`` part of ``winner``: everything that points at it follows, its id redirects from now on.

    ``fields`` says whose value a field takes (see ``merge_choices.chosen``). ``dry_run`` does it all, answers what
    came of it and takes it back. Raises Http404 for what the actor may not see, DomainError, StaleWrite.
    """
    return _merge(winner, loser, actor, fields or {}, dry_run, expected_version)


def company_merge(
    *,
    winner: Company,
    loser: Company,
    actor: Actor,
    fields: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    expected_version: int | None = None,
) -> tuple[MergeRecord, Company]:
    """The same for companies (see ``contact_merge``)."""
    return _merge(winner, loser, actor, fields or {}, dry_run, expected_version)


def merge_undo(*, merge: MergeRecord, actor: Actor) -> tuple[MergeRecord, Any, Any]:
    """Part a merged record again: each row as it was, unless changed since (``merge.kept`` lists those).

    Answers the merge, the winner and the loser that is back. Raises Conflict where it can't be: undone already, the
    winner merged on into another record, or a value that only one record can hold given to a third.
    """
    require(actor, "contacts:write")
    return _patiently(lambda: _undo(merge, actor))


# --- merging ---------------------------------------------------------------------------------------
def _merge(
    winner: Record, loser: Record, actor: Actor, fields: Mapping[str, Any], dry_run: bool, version: int | None
) -> tuple[MergeRecord, Record]:
    require(actor, "contacts:write")
    if winner.pk == loser.pk:
        raise DomainError.of(
            "loser", "same_record", _("Choose another record: this one can't be merged with itself.")
        )

    def work() -> tuple[MergeRecord, Record]:
        done: list[Any] = []
        try:
            with acting(actor), replaying():
                done = [*_merge_locked(type(winner), winner.pk, loser.pk, actor, fields, version)]
                if dry_run:
                    raise _Rehearsed
        except _Rehearsed:
            done[0].pk = None
        return done[0], done[1]

    return _patiently(work)


def _merge_locked(
    model: Any, winner_id: int, loser_id: int, actor: Actor, fields: Mapping[str, Any], version: int | None
) -> tuple[MergeRecord, Any]:
    rows = {row.pk: row for row in lock_all(model, [winner_id, loser_id], actor)}
    if winner_id not in rows:
        raise Http404
    if loser_id not in rows:
        raise DomainError.of(
            "loser", "does_not_exist", _("There is no such record, or it is not yours to see.")
        )
    winner, loser = rows[winner_id], rows[loser_id]
    if version is not None and winner.version != version:
        raise StaleWrite
    values = _values(winner, loser, fields, actor)
    moved = moving(loser, actor.user if actor.is_limited else None)
    journal = Journal(model, winner.pk, loser.pk)
    if model is Contact:
        merge_rows.lock_pulses(winner.pk, loser.pk)
    follow_all(journal)
    settle_pairs(journal, entity_of(winner))
    journal.remove(model, "t.id = %(loser)s")
    winner, changes = _take_over(journal, winner, values, actor)
    if model is Contact:
        merge_rows.settle_points(journal, winner, loser)
        merge_rows.settle_external_ids(journal, winner, loser, changes)
        merge_rows.settle_employments(journal)
        merge_rows.settle_copies(journal)
    else:
        merge_rows.settle_domains(journal)
    record = _write_down(journal, winner, loser, fields, moved, actor, changes)
    return record, winner


def _values(winner: Any, loser: Any, fields: Mapping[str, Any], actor: Actor) -> dict[str, Any]:
    values = chosen(fields, winner, loser)
    if "owner_id" in values:
        if actor.user is None or values["owner_id"] != actor.user.pk:
            require(actor, ASSIGN)
        values["team_id"] = loser.team_id
    return values


def _take_over(
    journal: Journal, winner: Any, values: dict[str, Any], actor: Actor
) -> tuple[Any, dict[str, list[Any]]]:
    """Write the chosen values on the winner, as its next version even where none differs."""
    model = type(winner)
    winner.refresh_from_db()  # a tree may have moved it meanwhile
    fields = {f.attname: f for f in model._meta.local_concrete_fields}
    named = {fields[a].name: _referenced(fields[a], value) for a, value in values.items()}
    with journal.watching(model, winner.pk, "version", "updated_at"), unique_values(model, named, actor):
        changes = change(winner, named)
        if not changes:
            winner.version += 1
            winner.updated_at = timezone.now()
            winner.save(update_fields=["version", "updated_at"])
    return winner, changes


def _referenced(field: Any, value: Any) -> Any:
    if not field.is_relation or value is None:
        return value
    return field.related_model._default_manager.filter(pk=value).first()


def _write_down(
    journal: Journal,
    winner: Any,
    loser: Any,
    fields: Mapping[str, Any],
    moved: dict[str, int],
    actor: Actor,
    changes: dict[str, list[Any]],
) -> MergeRecord:
    lost = {}
    for name in ("external_id", "domain") if isinstance(winner, Company) else ():
        held = {getattr(loser, name, None), _before(changes, name)} - {None, "", getattr(winner, name, None)}
        lost[name] = next(iter(held), None)
    record = MergeRecord.objects.create(
        entity=entity_of(winner),
        winner_id=winner.pk,
        loser_id=loser.pk,
        winner_name=str(winner)[:320],
        loser_name=str(loser)[:320],
        fields=dict(fields),
        moved=moved,
        actor_kind=actor.kind,
        actor_id=actor.id,
        **lost,
    )
    MergeStep.objects.bulk_create(
        [
            MergeStep(merge=record, op=s.op, table=s.table, pk_column=s.pk, column=s.column, rows=s.rows)
            for s in journal.steps
        ]
    )
    payload = {"loser": loser.pk, "name": str(loser), "merge": record.pk, "changes": changes}
    _say(actor, "merged", [(winner, payload)])
    return record


def _before(changes: dict[str, list[Any]], name: str) -> Any:
    return changes[name][0] if name in changes else None


def _say(actor: Actor, what: str, records: list[tuple[Any, dict[str, Any]]]) -> None:
    """What happened; and for contacts that their activities are others now (see ``contact.stitched``)."""
    activities = []
    for record, payload in records:
        entity = entity_of(record)
        ids = (
            {"contact_id": record.pk, "company_id": record.company_id}
            if entity == "contact"
            else {"company_id": record.pk}
        )
        merge = ("merge", payload["merge"])
        activities.append(NewActivity(f"{entity}.{what}", payload=payload, subject=merge, **ids))
        if entity == "contact":
            activities.append(NewActivity("contact.stitched", payload={"merge": payload["merge"]}, **ids))
    activities_append(actor=actor, activities=activities)


# --- parting ---------------------------------------------------------------------------------------
def _undo(merge: MergeRecord, actor: Actor) -> tuple[MergeRecord, Any, Any]:
    model = MODELS[merge.entity]
    with acting(actor), replaying():
        winner = _lock_winner(model, merge, actor)
        row = MergeRecord.objects.select_for_update().get(pk=merge.pk)
        if row.undone_at is not None:
            raise Conflict("undone", _("This merge is undone already."))
        if model is Contact:
            merge_rows.lock_pulses(row.winner_id)
        steps = [
            Step(s.op, s.table, s.pk_column, s.column, s.rows) for s in row.steps.order_by("id").iterator()
        ]
        kept = undo_steps(steps, winner=row.winner_id, loser=row.loser_id)
        loser = model.objects.filter(pk=row.loser_id).first()
        if loser is None:
            raise Conflict(
                "taken",
                _(
                    "This can’t be undone: an address, id or domain of the merged record belongs to another record now."
                ),
            )
        if any(each["table"] in _DERIVED for each in kept):
            merging.recompute(model, [row.winner_id, row.loser_id])
        for record in (winner, loser):
            record.refresh_from_db()
            record.version += 1
            record.updated_at = timezone.now()
            record.save(update_fields=["version", "updated_at"])
        row.kept = _shown(kept, actor)
        row.undone_at = timezone.now()
        row.save(update_fields=["kept", "undone_at"])
        about = {"merge": row.pk, "loser": loser.pk, "winner": winner.pk}
        _say(
            actor,
            "merge_undone",
            [(winner, {**about, "name": str(loser)}), (loser, {**about, "name": str(winner)})],
        )
    return row, winner, loser


def _lock_winner(model: Any, merge: MergeRecord, actor: Actor) -> Any:
    try:
        return lock(model, merge.winner_id, actor)
    except Http404:
        further = MergeRecord.objects.filter(
            entity=merge.entity, loser_id=merge.winner_id, undone_at__isnull=True
        ).exists()
        if not further:
            raise
        raise Conflict(
            "merged_on", _("The kept record was merged into another one since. Undo that merge first.")
        ) from None


def _shown(kept: list[dict[str, Any]], actor: Actor) -> list[dict[str, Any]]:
    """What was left as it is, without rows that the actor may not see."""
    by_table: dict[str, list[dict[str, Any]]] = {}
    for each in kept:
        if each["table"] not in _DERIVED:
            by_table.setdefault(each["table"], []).append(each)
    shown: list[dict[str, Any]] = []
    for table, rows in by_table.items():
        model = merging.model_of(table)
        label = str(model._meta.verbose_name) if model is not None else table
        visible = {row["row"] for row in rows}
        if actor.is_limited and model is not None and hasattr(model._default_manager.all(), "visible_to"):
            present = [row["row"] for row in rows if row["why"] == "changed"]
            hidden = set(present) - set(
                visible_rows(model, actor).filter(pk__in=present).values_list("pk", flat=True)
            )
            visible -= hidden
        shown += [{**row, "what": label} for row in rows if row["row"] in visible]
    return shown[:KEPT_SHOWN]


def recompute_contacts(model: Any, ids: list[int]) -> None:
    """The figures of Pulse that the services of contacts keep (see ``merging.after``)."""
    if model is Contact:
        recompute_next_activity(ids)


# --- two at the same time --------------------------------------------------------------------------
T = TypeVar("T")


def _patiently(work: Callable[[], T]) -> T:
    """``work()``; again where the database broke a deadlock with somebody who locks in another order.

    Merges lock their records in the order of ids and never block each other; but a consumer may hold a row that a
    merge wants while it waits for the contact. Inside a caller's transaction there is nothing to be tried again.
    """
    attempts = 1 if connection.in_atomic_block else 5
    for attempt in range(1, attempts + 1):
        try:
            return work()
        except OperationalError as error:
            state = getattr(error.__cause__, "sqlstate", "")
            if state not in {"40P01", "40001"} or attempt == attempts:
                raise
            time.sleep(0.05 * attempt)
    raise AssertionError("unreachable")
