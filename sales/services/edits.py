"""One field of many deals set to one value, a stage or an end among them (``contacts.services.field_edits``).

A move, a win and a loss leave behind what they do for one deal: the stage history and their own activity. Taken
back, a deal stands where it stood, for as long as it had stood there; the history tells of both ways. Name and
external id tell deals apart and are not set in bulk; the team is that of the owner.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Company
from contacts.services.field_edits import CHUNK, FieldEditor, Values, changes_of, record_id, refuse
from crmcem.lib.actors import Actor
from crmcem.lib.bulk_edits import Page, register
from crmcem.lib.errors import DomainError
from sales.models import Deal, Stage, StageChange
from sales.services.deals import ASSIGN, WRITE
from sales.services.history import change_of, rots_at, tell_all
from sales.services.ranks import columns_lock, many_lock, rank_at
from sales.validation import MAX_COMPETITORS, clean_deal

#: the value of an end is its reason
ENDS = (Deal.Status.WON.value, Deal.Status.LOST.value)
COMPETITORS = ("competitors-add", "competitors-remove")
KEYS = (
    "stage",
    *ENDS,
    "owner",
    "amount",
    "currency",
    "expected_close",
    "probability",
    "company",
    *COMPETITORS,
)
OPEN = Deal.Status.OPEN


class DealEditor(FieldEditor):
    lists: ClassVar[Mapping[str, str]] = dict.fromkeys(COMPETITORS, "competitors")

    def checked(self, key: str, raw: Any, actor: Actor) -> Any:
        if key == "stage":
            return self._stage(record_id(raw) or 0).pk
        if key in ENDS:
            name = f"{key}_reason"
            values, errors = clean_deal({name: raw}, partial=True)
            refuse(errors)
            if key == Deal.Status.LOST and not values[name]:
                why = _("Say why in a few words: it is what the next deal learns from.")
                raise DomainError.of("value", "required", why)
            return values[name]
        if key in COMPETITORS:
            parts = raw if isinstance(raw, list) else str(raw or "").split(",")
            given = [name for part in parts if (name := str(part).strip())]
            values, errors = clean_deal({"competitors": given}, partial=True)
            refuse(errors)
            if not values["competitors"]:
                raise DomainError.of("value", "required", _("Name at least one competitor."))
            return values["competitors"]
        return super().checked(key, raw, actor)

    def _stage(self, pk: int) -> Stage:
        stage = Stage.objects.filter(pk=pk).first()
        if stage is None:
            raise DomainError.of("value", "does_not_exist", _("Choose a stage that still exists."))
        return stage

    def differing(self, *, key: str, value: Any) -> Q:
        if key == "stage":
            return ~Q(stage_id=value) | ~Q(status=OPEN)
        if key in ENDS:
            return ~Q(status=key)
        if key == "competitors-add":
            return ~Q(competitors__contains=value)
        if key == "competitors-remove":
            return Q(competitors__overlap=value)
        return super().differing(key=key, value=value)

    def barred(self, *, key: str, value: Any) -> list[tuple[Q, str]]:
        if key == "stage":
            other = Q(status=OPEN) & ~Q(pipeline_id=self._stage(value).pipeline_id)
            return [
                (~Q(status=OPEN), _("Closed, so they stay where they are: %(count)s. Reopen them first.")),
                (other, _("In another pipeline, so they stay: %(count)s. Choose a stage of that one.")),
            ]
        if key == Deal.Status.LOST:
            won = Q(status=Deal.Status.WON)
            return [(won, _("Won, so they stay as they are: %(count)s. Reopen them first."))]
        if key == Deal.Status.WON:
            lost = Q(status=Deal.Status.LOST)
            return [(lost, _("Lost, so they stay as they are: %(count)s. Reopen them first."))]
        return []

    def kinds(self, key: str) -> tuple[str, ...]:
        return ("deal.moved",) if key == "stage" else (f"deal.{key}",) if key in ENDS else ("deal.updated",)

    # --- locks: columns, then whoever changes many deals, then rows ----------------------------------------
    def hold(self, key: str, value: Any) -> None:
        if key == "stage":
            columns_lock([value])
        many_lock()

    def hold_back(self, key: str, olds: Iterable[Values]) -> None:
        if key == "stage" or key in ENDS:
            columns_lock(old["stage_id"] for old in olds)
        many_lock()

    # --- what one deal gets -------------------------------------------------------------------------------
    def shared(self, key: str, value: Any, actor: Actor) -> Values:
        if key == "stage":
            stage = self._stage(value)
            return {"stage": stage, "top": rank_at(stage, 0, Deal.objects.all(), None), "now": timezone.now()}
        if key in ENDS:
            return {"now": timezone.now()}
        return super().shared(key, value, actor)

    def wanted(self, row: Any, key: str, value: Any, shared: Values) -> Values:
        if key == "stage":
            return self._moved(row, shared["stage"], shared["now"])
        if key in ENDS:
            return self._ended(row, key, value, shared["now"])
        if key == "competitors-add":
            return _few({"competitors": list(dict.fromkeys([*row.competitors, *value]))})
        if key == "competitors-remove":
            return {"competitors": [name for name in row.competitors if name not in value]}
        return super().wanted(row, key, value, shared)

    def _moved(self, row: Deal, stage: Stage, now: Any) -> Values:
        if row.status != OPEN:
            raise DomainError.of("value", "closed", _("This deal is closed. Reopen it before you move it."))
        if row.stage_id == stage.pk:
            return {}
        if row.pipeline_id != stage.pipeline_id:
            other = _("It stands in another pipeline. Choose a stage of that one.")
            raise DomainError.of("value", "invalid", other)
        return {"stage_id": stage.pk, "stage_entered_at": now, "rots_at": rots_at(stage, now)}

    def _ended(self, row: Deal, status: str, reason: str, now: Any) -> Values:
        if row.status == status:
            return {}
        if row.status != OPEN:
            won = row.status == Deal.Status.WON
            text = (
                _("This deal is won. Reopen it first.") if won else _("This deal is lost. Reopen it first.")
            )
            raise DomainError.of("value", "closed", text)
        values = {"status": status, "closed_at": now, "rots_at": None, f"{status}_reason": reason}
        return values | {"stage_id": row.stage_id}  # unchanged: an undo has to know its column

    def arrange(self, key: str, wanted: Mapping[int, Values], shared: Values) -> None:
        """The moved ones on top of the column, in their order."""
        if key == "stage":
            moved = [values for values in wanted.values() if values]
            for place, values in enumerate(moved):
                values["position"] = shared["top"] - len(moved) + place

    def stands(self, row: Any, key: str, old: Values, new: Values) -> bool:
        """Its place in the column and when it rots may have changed by themselves."""
        if key == "stage":
            same = ("stage_id", "stage_entered_at")
            return row.status == OPEN and all(getattr(row, name) == new[name] for name in same)
        if key in ENDS:
            return all(getattr(row, name) == new[name] for name in ("status", "closed_at"))
        return super().stands(row, key, old, new)

    def put_back(self, row: Any, key: str, old: Values, new: Values, alive: Mapping[str, set[Any]]) -> Values:
        if key == "stage" and old["stage_id"] not in alive["stage_id"]:
            gone = _("The stage it stood in is gone. Move it by hand.")
            raise DomainError.of("value", "does_not_exist", gone)
        return _few(super().put_back(row, key, old, new, alive))

    # --- what it leaves behind ----------------------------------------------------------------------------
    def tell(
        self, key: str, rows: Sequence[Any], olds: Mapping[int, Values], actor: Actor, back: bool
    ) -> None:
        if key == "stage":
            self._tell_moved(rows, olds, actor, back)
        elif key in ENDS:
            self._tell_ended(key, rows, actor, back)
        else:
            tell_all(rows, "deal.updated", lambda d: {"changes": changes_of(d, olds[d.pk])}, actor)

    def _tell_moved(self, rows: Sequence[Deal], olds: Mapping[int, Values], actor: Actor, back: bool) -> None:
        before = {deal.pk: olds[deal.pk]["stage_id"] for deal in rows}
        stages = Stage.objects.in_bulk({*before.values(), *(deal.stage_id for deal in rows)})
        now = timezone.now()
        changes = []
        for deal in rows:
            deal.stage = stages[deal.stage_id]
            at = now if back else deal.stage_entered_at
            since = olds[deal.pk]["stage_entered_at"]
            changes.append(change_of(deal, stages[before[deal.pk]], at, actor, since))
        StageChange.objects.bulk_create(changes, batch_size=CHUNK)
        tell_all(
            rows,
            "deal.moved",
            lambda d: {"from": stages[before[d.pk]].name, "to": stages[d.stage_id].name},
            actor,
        )

    def _tell_ended(self, key: str, rows: Sequence[Deal], actor: Actor, back: bool) -> None:
        stages = Stage.objects.in_bulk({deal.stage_id for deal in rows})
        now = timezone.now()
        changes = []
        for deal in rows:
            deal.stage = stages[deal.stage_id]
            changes.append(change_of(deal, deal.stage, deal.closed_at or now, actor, deal.stage_entered_at))
        StageChange.objects.bulk_create(changes, batch_size=CHUNK)
        kind = "deal.reopened" if back else f"deal.{key}"
        tell_all(rows, kind, lambda d: {"reason": d.won_reason or d.lost_reason}, actor)


def _few(values: Values) -> Values:
    """The values, if they name no more competitors than a deal may have. Raises DomainError."""
    if len(values.get("competitors", ())) > MAX_COMPETITORS:
        most = _("It would have more than %(most)s competitors. Take some away first.")
        raise DomainError.of("value", "too_many", most % {"most": MAX_COMPETITORS})
    return values


DEALS = DealEditor(
    Deal,
    "deal",
    scope=WRITE,
    assign=ASSIGN,
    keys=KEYS,
    references={"company": Company},
    clean=clean_deal,
)


def register_editor() -> None:
    """Called when the app is ready."""
    register(Deal._meta.label, DEALS, Page("deals", "sales:deals"))
