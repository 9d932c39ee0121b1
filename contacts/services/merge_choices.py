"""Which value each field of a merged record gets: chosen by a person, or by a rule that loses nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from contacts.models import Company, Contact
from crmcem.lib import cleaning
from crmcem.lib.errors import DomainError, FieldError

WINNER, LOSER, BOTH = "winner", "loser", "both"
#: fields whose two values can be put together, which is what happens unless somebody chooses
TOGETHER = ("tags", "custom", "consent")
_NEVER = {"id", "team", "created_at", "updated_at", "version"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One field of both records. ``pick`` is what the rule takes; ``options`` what can be asked for."""

    name: str
    label: str
    winner: Any
    loser: Any
    pick: str
    options: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return bool(self.winner != self.loser)


def choosable(model: type[Contact] | type[Company]) -> list[Any]:
    """The fields that a person can choose between: every column of the record but what the house keeps itself."""
    return [
        f
        for f in model._meta.local_concrete_fields
        if f.editable and not getattr(f, "generated", False) and f.name not in _NEVER
    ]


def choices(winner: Any, loser: Any) -> list[Choice]:
    """Every field of the two records, in the model's order."""
    found = []
    for each in choosable(type(winner)):
        mine, theirs = getattr(winner, each.attname), getattr(loser, each.attname)
        together = each.name in TOGETHER
        pick = BOTH if together else LOSER if _empty(mine) and not _empty(theirs) else WINNER
        options = (WINNER, LOSER, BOTH) if together else (WINNER, LOSER)
        found.append(Choice(each.name, str(each.verbose_name), mine, theirs, pick, options))
    return found


def chosen(fields: Mapping[str, Any], winner: Any, loser: Any) -> dict[str, Any]:
    """The values of the winner that are to change (columns by their attname).

    ``fields`` is ``{field: "winner" | "loser" | "both"}``, and ``custom.KEY`` for one custom field. Raises
    DomainError naming each field that is unknown or can't be chosen so.
    """
    known = {choice.name: choice for choice in choices(winner, loser)}
    _check(fields, known)
    values: dict[str, Any] = {}
    for name, choice in known.items():
        pick = fields.get(name, choice.pick)
        value = _together(name, choice, fields) if pick == BOTH else choice.loser
        attname = type(winner)._meta.get_field(name).attname
        if pick != WINNER and value != choice.winner and not _itself(winner, loser, name, value):
            values[attname] = value
    return values


def _itself(winner: Any, loser: Any, name: str, value: Any) -> bool:
    """A reference from one of the two records to the other would lead from the winner to itself."""
    related = type(winner)._meta.get_field(name).related_model
    return related is type(winner) and value in (winner.pk, loser.pk)


def _check(fields: Mapping[str, Any], known: Mapping[str, Choice]) -> None:
    errors = []
    for name, pick in fields.items():
        options: tuple[str, ...] = (WINNER, LOSER) if name.startswith("custom.") else ()
        options = known[name].options if name in known else options
        if not options:
            detail = _("There is no such field to choose. Fields: %(known)s.") % {"known": ", ".join(known)}
            errors.append(FieldError(f"fields.{name[:80]}", "unknown_field", detail))
        elif pick not in options:
            detail = _("Choose one of: %(options)s.") % {"options": ", ".join(options)}
            errors.append(FieldError(f"fields.{name[:80]}", "invalid_choice", detail))
    if errors:
        raise DomainError(*errors)


def _empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _together(name: str, choice: Choice, fields: Mapping[str, Any]) -> Any:
    mine, theirs = choice.winner, choice.loser
    if name == "tags":
        united = [*mine, *(tag for tag in theirs if tag not in mine)]
        return united if len(united) <= cleaning.MAX_TAGS else mine
    if name == "consent":
        return {c: _latest(mine.get(c), theirs.get(c)) for c in {*theirs, *mine}}
    picked = {key: value for key, value in theirs.items() if fields.get(f"custom.{key}") == LOSER}
    dropped = {key for key, value in fields.items() if value == WINNER}
    rest = {key: value for key, value in theirs.items() if f"custom.{key}" not in dropped}
    return {**rest, **mine, **picked}


def _latest(mine: Any, theirs: Any) -> Any:
    """Of two decisions about one channel the later one; of two at the same time, or undated, the denial."""
    if not isinstance(mine, dict) or not isinstance(theirs, dict):
        return mine if isinstance(mine, dict) else theirs
    first, second = str(mine.get("at") or ""), str(theirs.get("at") or "")
    if first != second and first and second:
        return mine if first > second else theirs
    return mine if mine.get("status") == "denied" else theirs
