"""Deals: making, changing, moving over the board, winning, losing and taking up again."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.custom.links import check_links
from contacts.custom.rules import rules_for
from contacts.models import Company, Contact
from contacts.services.owners import MISSING, owner_for_new, owner_named
from contacts.validation import merged
from crmcem.lib.actors import Actor, acting
from crmcem.lib.api.fields import parse_id
from crmcem.lib.errors import DomainError, FieldError, StaleWrite
from crmcem.lib.records import change, lock, reference, save_next_version, visible_rows
from crmcem.workspace.organisation import organisation
from crmcem.workspace.policies import require
from sales.models import Deal, DealContact, Pipeline, Stage
from sales.services.history import entered, rots_at, tell
from sales.services.ranks import column_lock, rank_at, rank_beside
from sales.validation import clean_deal, clean_role

WRITE, ASSIGN = "deals:write", "deals:assign"
MAX_CONTACTS = 50
_REFERENCES = ("pipeline", "stage", "company", "owner", "contacts", "status")


def _split(data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    own = {key: value for key, value in data.items() if key not in _REFERENCES}
    return own, {key: data[key] for key in _REFERENCES if key in data}


def deal_create(*, data: Mapping[str, Any], actor: Actor) -> Deal:
    """Make an open deal at the top of its stage.

    ``data``: the fields of ``sales.validation``; ``pipeline``, ``stage``, ``company``, ``owner`` by row or id (the
    default pipeline, its first stage and the acting person unless named); ``contacts`` as
    ``[{"contact": row or id, "role": …}]``. Raises DomainError, NotAllowed.
    """
    require(actor, WRITE)
    own, given = _split(data)
    values, errors = clean_deal(own, rules_for("deal", actor))
    if given.get("status", Deal.Status.OPEN) != Deal.Status.OPEN:
        errors.append(FieldError("status", "invalid", _("A new deal is open. Win or lose it afterwards.")))
    if errors:
        raise DomainError(*errors)
    with acting(actor):
        stage = _stage_for(given)
        column_lock(stage)
        _external_id_free(values.get("external_id"), None)
        check_links("deal", values.get("custom", {}), actor)
        values["custom"] = merged({}, values.get("custom", {}))
        now = timezone.now()
        deal = Deal(**values, pipeline_id=stage.pipeline_id, stage=stage, stage_entered_at=now)
        deal.currency = values.get("currency") or organisation().currency
        deal.company = reference(Company, given.get("company"), actor, "company")
        owner = owner_for_new(given.get("owner", MISSING), actor, ASSIGN)
        deal.owner, deal.team = owner, owner.team if owner else None
        deal.rots_at = rots_at(stage, now)
        deal.position = rank_at(stage, 0, Deal.objects.all(), None)
        deal.save(force_insert=True)
        _set_contacts(deal, given.get("contacts"), actor)
        entered(deal, None, now, actor)
        tell(deal, "deal.created", {"stage": stage.name}, actor)
    return deal


def deal_update(
    *, deal: Deal, data: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> Deal:
    """Change what ``data`` names; a stage moves the deal, a status wins, loses or reopens it; ``custom`` is merged."""
    require(actor, WRITE)
    own, given = _split(data)
    values, errors = clean_deal(own, rules_for("deal", actor, deal), partial=True)
    if errors:
        raise DomainError(*errors)
    with acting(actor):
        stage = _stage_for(given, deal) if {"stage", "pipeline"} & given.keys() else None
        column = stage or (deal.stage if given.get("status") == Deal.Status.OPEN else None)
        rank = _top_of(column, deal)
        deal = lock(Deal, deal.pk, actor, expected_version)
        if stage is None and column is not None and column.pk != deal.stage_id:
            raise StaleWrite
        if "external_id" in values:
            _external_id_free(values["external_id"], deal.pk)
        if "custom" in values:
            check_links("deal", values["custom"], actor, deal.custom)
            values["custom"] = merged(deal.custom, values["custom"])
        if "company" in given:
            values["company"] = reference(Company, given["company"], actor, "company")
        if "owner" in given and getattr(given["owner"], "pk", given["owner"]) != deal.owner_id:
            owner = owner_named(given["owner"], actor, ASSIGN)
            values |= {"owner": owner, "team": owner.team if owner else None}
        changed = change(deal, values)
        if "contacts" in given and _set_contacts(deal, given["contacts"], actor) and not changed:
            save_next_version(deal, [])
        if changed:
            tell(deal, "deal.updated", {"changes": changed}, actor)
        if stage is not None and stage.pk != deal.stage_id:
            _move(deal, stage, rank, actor)
        _to_status(deal, given.get("status", deal.status), actor, rank)
    return deal


def deal_move(
    *,
    deal: Deal,
    stage: Stage,
    actor: Actor,
    position: int | None = None,
    between: tuple[int | None, int | None] | None = None,
    expected_version: int | None = None,
) -> Deal:
    """Put an open deal into ``stage`` at ``position`` (0 is the top, also when not given).

    ``between`` names the place by the cards above and below it (ids) instead, which stays true while others
    move too. Within its own stage only the order changes. Raises DomainError for a closed deal or another
    pipeline's stage, StaleWrite, NotAllowed.
    """
    require(actor, WRITE)
    with acting(actor):
        column_lock(stage)
        if between is not None:
            rank = rank_beside(stage, *between, deal)
        else:
            rank = rank_at(stage, position, visible_rows(Deal, actor), deal)
        deal = lock(Deal, deal.pk, actor, expected_version)
        if deal.status != Deal.Status.OPEN:
            raise DomainError.of("stage", "closed", _("This deal is closed. Reopen it before you move it."))
        if stage.pipeline_id != deal.pipeline_id:
            raise DomainError.of("stage", "invalid", _("This stage belongs to another pipeline."))
        _move(deal, stage, rank, actor)
    return deal


def deal_close(
    *,
    deal: Deal,
    status: str,
    actor: Actor,
    reason: str = "",
    final: Mapping[str, Any] | None = None,
    expected_version: int | None = None,
) -> Deal:
    """Win or lose a deal, with the reason; ``final`` is what else became certain (amount, currency).

    Doing it twice is doing it once. Raises DomainError, StaleWrite.
    """
    require(actor, WRITE)
    name = "won_reason" if status == Deal.Status.WON else "lost_reason"
    values, errors = clean_deal({name: reason, **(final or {})}, partial=True)
    if errors:
        raise DomainError(
            *(FieldError("reason" if e.field == name else e.field, e.code, e.detail) for e in errors)
        )
    if not values[name]:
        del values[name]
    with acting(actor):
        deal = lock(Deal, deal.pk, actor, expected_version)
        change(deal, values)
        _to_status(deal, status, actor)
    return deal


def deal_reopen(*, deal: Deal, actor: Actor, expected_version: int | None = None) -> Deal:
    """Open a won or lost deal again, at the top of its stage."""
    require(actor, WRITE)
    with acting(actor):
        column = deal.stage
        rank = _top_of(column, deal)
        deal = lock(Deal, deal.pk, actor, expected_version)
        if deal.stage_id != column.pk:
            raise StaleWrite
        _to_status(deal, Deal.Status.OPEN, actor, rank)
    return deal


def deal_delete(*, deal: Deal, actor: Actor, expected_version: int | None = None) -> None:
    """Delete a deal with its history; the audit keeps the row."""
    require(actor, "deals:delete")
    with acting(actor):
        deal = lock(Deal, deal.pk, actor, expected_version)
        tell(deal, "deal.deleted", {}, actor)
        deal.delete()


# --- the parts -----------------------------------------------------------------------------------
def _stage_for(given: Mapping[str, Any], deal: Deal | None = None) -> Stage:
    """The stage that the input names, else the first of the named or default pipeline."""
    pipeline: Pipeline | None = _row(Pipeline, given.get("pipeline"), "pipeline")
    stage: Stage | None = _row(Stage, given.get("stage"), "stage")
    if stage is not None and pipeline is not None and stage.pipeline_id != pipeline.pk:
        raise DomainError.of("stage", "invalid", _("This stage belongs to another pipeline."))
    if stage is not None:
        return stage
    if pipeline is None and deal is not None:
        return deal.stage
    pipeline = pipeline or Pipeline.objects.order_by("-is_default", "position", "id").first()
    first: Stage | None = pipeline.stages.order_by("position", "id").first() if pipeline else None
    if first is None:
        raise DomainError.of("pipeline", "required", _("There is no pipeline yet. Make one first."))
    return first


def _row(model: type[Any], value: Any, field: str) -> Any:
    if value is None or isinstance(value, model):
        return value
    row = model.objects.filter(pk=parse_id(value) or 0).first()
    if row is None:
        raise DomainError.of(field, "does_not_exist", _("There is no such record."))
    return row


def _external_id_free(value: str | None, pk: int | None) -> None:
    if value and Deal.objects.filter(external_id=value).exclude(pk=pk).exists():
        raise DomainError.of("external_id", "unique", _("Another deal has this external id."))


def _top_of(stage: Stage | None, deal: Deal) -> Decimal:
    """Lock the column, if any, and answer the rank above its first card."""
    if stage is None:
        return Decimal(0)
    column_lock(stage)
    return rank_at(stage, 0, Deal.objects.all(), deal)


def _move(deal: Deal, stage: Stage, rank: Decimal, actor: Actor) -> None:
    """The locked deal into the locked column; only a new stage is an event."""
    before = deal.stage
    deal.position = rank
    if stage.pk == before.pk:
        save_next_version(deal, ["position"])
        return
    now = timezone.now()
    since = deal.stage_entered_at
    deal.stage, deal.pipeline_id = stage, stage.pipeline_id
    deal.stage_entered_at, deal.rots_at = now, rots_at(stage, now)
    save_next_version(deal, ["position", "stage", "pipeline", "stage_entered_at", "rots_at"])
    entered(deal, before, now, actor, since)
    tell(deal, "deal.moved", {"from": before.name, "to": stage.name}, actor)


def _to_status(deal: Deal, status: str, actor: Actor, rank: Decimal = Decimal(0)) -> None:
    """The locked deal to ``status``; a reopened one stands at ``rank`` of its (locked) column."""
    if status == deal.status:
        return
    if status not in Deal.Status.values:
        known = ", ".join(Deal.Status.values)
        raise DomainError.of("status", "invalid_choice", _("Choose one of: %(names)s.") % {"names": known})
    now = timezone.now()
    since = deal.stage_entered_at
    deal.status = status
    names = ["status", "closed_at", "rots_at"]
    if status == Deal.Status.OPEN:
        deal.closed_at, deal.lost_reason, deal.won_reason = None, "", ""
        deal.stage_entered_at, deal.rots_at = now, rots_at(deal.stage, now)
        deal.position = rank
        names += ["lost_reason", "won_reason", "stage_entered_at", "position"]
    else:
        deal.closed_at, deal.rots_at = now, None
    save_next_version(deal, names)
    entered(deal, deal.stage, now, actor, since)
    kind = {"won": "deal.won", "lost": "deal.lost", "open": "deal.reopened"}[status]
    tell(deal, kind, {"reason": deal.won_reason or deal.lost_reason}, actor)


def _set_contacts(deal: Deal, given: Sequence[Mapping[str, Any]] | None, actor: Actor) -> bool:
    """Make the buying committee what ``given`` says. Whether it changed. Raises DomainError."""
    if given is None:
        return False
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > MAX_CONTACTS:
        raise DomainError.of("contacts", "type", _("Send a list of at most 50 contacts with their roles."))
    wanted = dict(_member(i, entry) for i, entry in enumerate(given))
    before = {m.contact_id: m for m in deal.deal_contacts.all()}
    new = wanted.keys() - before.keys()
    if visible_rows(Contact, actor).filter(pk__in=new).count() != len(new):
        raise DomainError.of(
            "contacts", "does_not_exist", _("One of the contacts does not exist, or is not yours to see.")
        )
    gone = before.keys() - wanted.keys()
    deal.deal_contacts.filter(contact_id__in=gone).delete()
    changed = bool(new or gone)
    for pk, role in wanted.items():
        if pk in before and before[pk].role != role:
            changed = True
            DealContact.objects.filter(pk=before[pk].pk).update(role=role)
    DealContact.objects.bulk_create(
        DealContact(deal=deal, contact_id=pk, role=role) for pk, role in wanted.items() if pk in new
    )
    return changed


def _member(i: int, entry: Any) -> tuple[int, str]:
    if not isinstance(entry, Mapping) or not entry.keys() <= {"contact", "role"} or "contact" not in entry:
        raise DomainError.of(f"contacts.{i}", "type", _('Send each as {"contact": id, "role": role}.'))
    value = entry["contact"]
    pk = value.pk if isinstance(value, Contact) else parse_id(value)
    if pk is None:
        raise DomainError.of(f"contacts.{i}.contact", "does_not_exist", _("There is no such contact."))
    try:
        return pk, clean_role(entry.get("role"))
    except ValueError as error:
        raise DomainError.of(f"contacts.{i}.role", "invalid_choice", str(error)) from error
