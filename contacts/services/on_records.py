"""The record that a file hangs on or that somebody follows: a contact, a company, or one of a higher floor."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _

from contacts.models import Company, Contact
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError
from crmcem.lib.records import visible_rows
from crmcem.lib.references import references
from crmcem.workspace.policies import require

OWN: dict[str, Any] = {"contact": Contact, "company": Company}


@dataclass(frozen=True, slots=True)
class On:
    """``about`` is ``contact``, ``company`` or the key of a reference type; ``label`` is the record's name."""

    about: str
    pk: int
    label: str

    @property
    def columns(self) -> dict[str, Any]:
        """What a row that hangs on the record is made of and found by."""
        if self.about in OWN:
            return {f"{self.about}_id": self.pk}
        return {"subject_type": self.about, "subject_id": self.pk}


def kinds() -> list[str]:
    """Every kind of record that can carry files and followers."""
    return [*OWN, *(kind.key for kind in references if kind.rows is not None)]


def scope_of(about: str, *, write: bool = False) -> str:
    """What seeing (or changing) records of this kind needs. Raises Http404 for a kind that carries nothing."""
    if about in OWN:
        return "contacts:write" if write else "contacts:read"
    kind = references.get(about)
    if kind is None or kind.rows is None:
        raise Http404
    return kind.write_scope if write else kind.scope


def record_on(about: str, pk: int, actor: Actor, *, write: bool = False) -> On:
    """The record, if the actor may see it (and change it). Raises NotAllowed and Http404."""
    require(actor, scope_of(about, write=write))
    if not 0 < pk < 2**63:
        raise Http404
    if about in OWN:
        row = visible_rows(OWN[about], actor).filter(pk=pk).first()
        label = None if row is None else str(row)
    else:
        user = actor.user if actor.is_limited else None
        label = references[about].visible([pk], user).get(pk)
    if label is None:
        raise Http404
    return On(about, pk, label)


def record_named(data: Mapping[str, Any], actor: Actor, *, write: bool = False) -> On:
    """The one record among ``contact``, ``company`` and the other kinds that ``data`` names by id.

    Raises DomainError where none, several or a hidden one is named.
    """
    named = [(about, data[about]) for about in kinds() if data.get(about) not in (None, "")]
    if len(named) != 1:
        raise DomainError.of(
            "contact", "required", _("Name one record: %(kinds)s.") % {"kinds": ", ".join(kinds())}
        )
    [(about, value)] = named
    pk = getattr(value, "pk", value)
    text = str(pk)
    try:
        return record_on(about, int(text) if text.isascii() and text.isdigit() else 0, actor, write=write)
    except Http404:
        raise DomainError.of(
            about, "does_not_exist", _("There is no such record, or it is not yours to see.")
        ) from None
