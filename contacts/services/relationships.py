"""What people are to each other."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from contacts.models import Contact, Relationship
from contacts.services.parts import Shape, clean_part, locked_part, may_write, room_for_one, tell
from crmcem.lib import cleaning
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError
from crmcem.lib.records import change, lock_all

Kind = Relationship.Kind
#: kinds that say the same from both sides
MUTUAL = frozenset({Kind.PARTNER, Kind.SPOUSE, Kind.RELATIVE})
SHAPE = Shape(
    {"kind": cleaning.choice(Kind.values), "note": cleaning.text(300)},
    ("contact", "related", "kind"),
    {"contact": Contact, "related": Contact},
)


def relationship_add(*, data: Mapping[str, Any], actor: Actor) -> Relationship:
    """Say what ``contact`` is to ``related`` (rows or ids): ``kind``, ``note``. Raises DomainError."""
    may_write(actor)
    values = clean_part(SHAPE, data, actor)
    one, other, kind = values["contact"], values["related"], values["kind"]
    if one.pk == other.pk:
        raise DomainError.of("related", "self", _("Choose another person: nobody is related to themselves."))
    with acting(actor):
        rows = {row.pk: row for row in lock_all(Contact, [one.pk, other.pk], actor)}
        if len(rows) < 2:
            raise DomainError.of(
                "related", "does_not_exist", _("There is no such record, or it is not yours to see.")
            )
        room_for_one(Relationship.objects.filter(Q(contact=one) | Q(related=one)), "contact")
        _no_contradiction(one.pk, other.pk, kind)
        with _once():
            row = Relationship(
                contact=rows[one.pk], related=rows[other.pk], kind=kind, note=values.get("note", "")
            )
            row.save(force_insert=True)
        _tell(row, rows, actor)
    return row


def relationship_update(
    *, relationship: Relationship, data: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> Relationship:
    """Change ``kind`` or ``note``. Raises StaleWrite, DomainError."""
    may_write(actor)
    values = clean_part(Shape(SHAPE.spec, ("kind",)), data, actor, partial=True)
    with acting(actor):
        rows = {r.pk: r for r in lock_all(Contact, [relationship.contact_id, relationship.related_id], actor)}
        row, _contact = locked_part(relationship, actor, expected_version, "contact")
        if values.get("kind", row.kind) != row.kind:
            _no_contradiction(row.contact_id, row.related_id, values["kind"], row.pk)
        with _once():
            changed = change(row, values)
        if changed:
            _tell(row, rows, actor)
    return row


def relationship_remove(
    *, relationship: Relationship, actor: Actor, expected_version: int | None = None
) -> None:
    may_write(actor)
    with acting(actor):
        rows = {r.pk: r for r in lock_all(Contact, [relationship.contact_id, relationship.related_id], actor)}
        row, _contact = locked_part(relationship, actor, expected_version, "contact")
        _tell(row, rows, actor)
        row.delete()


def _no_contradiction(one: int, other: int, kind: str, except_pk: int | None = None) -> None:
    """The same said from the other side is a repetition of a mutual kind, and a contradiction of any other."""
    if (
        Relationship.objects.filter(contact_id=other, related_id=one, kind=kind)
        .exclude(pk=except_pk)
        .exists()
    ):
        if kind in MUTUAL:
            raise DomainError.of("kind", "duplicate", _("This is known already."))
        raise DomainError.of("kind", "contradiction", _("The opposite is known: remove that first."))


@contextmanager
def _once() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise DomainError.of("kind", "duplicate", _("This is known already.")) from error


def _tell(row: Relationship, rows: Mapping[int, Contact], actor: Actor) -> None:
    for pk in (row.contact_id, row.related_id):
        if pk in rows:
            tell(rows[pk], "relationships", actor)
