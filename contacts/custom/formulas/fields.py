"""The names that a formula may use: the record's own fields (each app says which) and its custom fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F
from django.db.models.functions import TruncDate
from django.utils.translation import gettext as _

from contacts.custom.definitions import Definition
from contacts.custom.formulas.terms import OUTPUT, Mistake, Piece, Term
from contacts.custom.sql import COLUMN, comparable, raw_text
from contacts.custom.types import MAX_TEXT
from crmcem.lib.conditions.expressions import JsonKey
from crmcem.lib.registry import Registry
from crmcem.workspace.organisation import organisation

# The day of ISO text that JsonDay has let through: also of a day that does not exist.
_DAY = "(make_date(greatest(left({0}, 4)::int, 1), substr({0}, 6, 2)::int, 1) + (substr({0}, 9, 2)::int - 1))"
_YES_NO = "(CASE lower({0}) WHEN 'true' THEN true WHEN 'false' THEN false END)"
_TYPES = {
    "text": "text",
    "longtext": "text",
    "choice": "text",
    "number": "number",
    "money": "money",
    "date": "date",
    "boolean": "boolean",
    "multichoice": "list",
}
Fields = Mapping[str, Definition]


@dataclass(frozen=True, slots=True)
class Own:
    """A field of the record itself. ``kind`` as in ``Term``, or ``moment``, whose day counts.

    ``value`` is its path (the name by default), an expression, or what makes one. Money is in the organisation's
    currency.
    """

    name: str
    label: Any
    kind: str
    value: Any = None
    choices: Any = None
    reads: tuple[str, ...] = ()


owned: Registry[Mapping[str, Own]] = Registry("fields of records in formulas")


def register(entity: str, *fields: Own) -> None:
    owned.add(entity, {each.name: each for each in fields})


def own_term(field: Own) -> Term:
    kind = "date" if field.kind == "moment" else field.kind
    output = OUTPUT[kind]
    texts = {"number": "({0})::numeric", "money": "({0})::numeric", "text": "nullif(({0})::text, '')"}

    def make(user: Any) -> Any:
        path = field.value() if callable(field.value) else field.value or field.name
        value = F(path) if isinstance(path, str) else path
        if field.kind == "moment":
            return TruncDate(value, tzinfo=ZoneInfo(organisation().time_zone))
        return Piece(texts.get(kind, "({0})"), value, output_field=output)

    return Term(
        kind=kind,
        make=make,
        currency=organisation().currency if kind == "money" else "",
        choices=dict(field.choices) if field.choices else None,
        uses=(field.name,),
        reads=field.reads,
    )


def custom_term(definition: Definition, reads: tuple[str, ...]) -> Term:
    """A custom field that people fill in."""
    value = comparable(definition)
    kind = _TYPES[definition.type]
    output = OUTPUT[kind]
    text, made = "({0})", value
    match definition.type:
        case "date":
            text = _DAY
        case "boolean":
            text, made = _YES_NO, raw_text(definition)
        case "text" | "longtext" | "choice":
            text, made = f"nullif(left({{0}}, {MAX_TEXT}), '')", raw_text(definition)
        case "multichoice":
            made = JsonKey(COLUMN, definition.key)
    return Term(
        kind=kind,
        make=lambda user: Piece(text, made, output_field=output),
        weight=3 if kind == "date" else 1,
        currency=definition.currency if kind == "money" else "",
        choices=definition.labels or None,
        uses=(definition.name,),
        reads=reads,
    )


def names(entity: str, fields: Fields) -> list[tuple[str, str]]:
    """``(name, label)`` of everything that a formula of this entity may use."""
    own = [(each.name, str(each.label)) for each in owned[entity].values()]
    return own + [(each.name, each.label) for each in fields.values() if usable(each) and not each.archived]


def usable(definition: Definition) -> bool:
    return definition.result in _TYPES


def refuse(name: str, at: int, entity: str, fields: Fields) -> Mistake:
    """Why there is no such name, and which there are that look like it."""
    import difflib

    definition = fields.get(name.removeprefix("custom.")) if name.startswith("custom.") else None
    if definition is not None and definition.type == "link":
        return Mistake(
            at, _("“%(name)s” links to another record, which not everybody may see.") % {"name": name}
        )
    if definition is not None and definition.archived:
        return Mistake(at, _("“%(name)s” is archived. Restore it first.") % {"name": name})
    known = [each for each, _label in names(entity, fields)]
    close = difflib.get_close_matches(name, known, 3, 0.6) or known[:12]
    detail = _("There is no field “%(name)s”. Fields: %(names)s.")
    return Mistake(at, detail % {"name": name, "names": ", ".join(close)})
