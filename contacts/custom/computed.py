"""The values of computed fields: never stored, asked of the database where they are shown, for the person who looks.

They have the shape of stored values of the same type (a number, money as an object, a day as text), so that everything
that shows a custom field can show them.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Value

from contacts.custom.definitions import Definition, active, catalogue, every
from contacts.custom.entities import entities
from contacts.custom.formulas.definition import explain_formula, term_in
from contacts.custom.formulas.fields import names
from contacts.custom.formulas.terms import OUTPUT, Mistake, Term
from contacts.custom.rollups import explain_rollup
from contacts.custom.sources import Source, source_of
from crmcem.workspace.organisation import organisation

May = Callable[[str], bool]


def term(definition: Definition) -> Term | None:
    """What the field gives; None for a formula that can't be used any more."""
    known = catalogue()
    key = (definition.id, organisation().currency, organisation().time_zone)
    if key not in known.terms:
        try:
            known.terms[key] = term_in(definition, every(definition.entity))
        except Mistake:
            known.terms[key] = None
    found: Term | None = known.terms[key]
    return found


def expression(definition: Definition, user: Any = None) -> Any:
    """The value over the record's row. For a person over the records that they may see, else over all of them."""
    found = term(definition)
    return Value(None, OUTPUT[definition.result]) if found is None else found.make(user)


def explain(definition: Definition) -> list[str]:
    """What the field shows, in sentences."""
    if definition.type == "rollup":
        return explain_rollup(definition)
    fields = every(definition.entity)
    return explain_formula(definition, fields, dict(names(definition.entity, fields)))


def sources_in(definition: Definition) -> list[Source]:
    """The related records that the value is made of."""
    found = term(definition)
    keys = found.sources if found is not None else ()
    return [source for key in keys if (source := source_of(definition.entity, key)) is not None]


def moves_by_itself(definition: Definition) -> bool:
    """Whether the clock alone changes the value."""
    found = term(definition)
    return found is not None and found.today


def readable(definition: Definition, may: May) -> bool:
    """Whether the person reads every kind of records that the value is made of; otherwise there is no such field."""
    return not definition.computed or all(may(each.scope) for each in sources_in(definition))


def known_fully(definition: Definition, user: Any) -> bool:
    """Whether the person sees every record that the value is made of: their answer is everybody's."""
    return all(each.known_fully(user) for each in sources_in(definition))


def reads(definition: Definition) -> tuple[str, ...]:
    """What moves the value, for those who keep answers up to date (``Field.reads``)."""
    found = term(definition)
    return found.reads if found is not None else ()


def as_value(definition: Definition, raw: Any) -> Any:
    """What the database answered, as such a value would be stored."""
    if raw is None:
        return None
    match definition.result:
        case "money":
            currency = definition.currency or organisation().currency
            return {"amount": f"{Decimal(raw):.2f}", "currency": currency}
        case "number":
            found = round(Decimal(raw), definition.decimals)
            return int(found) if found == found.to_integral_value() else float(found)
        case "date":
            return raw.isoformat() if isinstance(raw, dt.date) else None
        case _:
            return raw


def computed_fields(entity: str, may: May) -> list[Definition]:
    """The computed fields that a person may know, in order."""
    return [each for each in active(entity).values() if each.computed and readable(each, may)]


def put_computed(entity: str, rows: Iterable[Any], definitions: Sequence[Definition], user: Any) -> None:
    """Give each row ``computed``: the values of these fields by key, in one statement (none without a field)."""
    found = list(rows)
    for row in found:
        row.computed = {}
    wanted = [each for each in definitions if each.computed]
    if not wanted or not found:
        return
    names = {f"computed_{number}": each for number, each in enumerate(wanted)}
    asked = entities[entity].model._base_manager.filter(pk__in=[row.pk for row in found]).order_by()
    asked = asked.annotate(**{name: expression(each, user) for name, each in names.items()})
    values = {pk: raw for pk, *raw in asked.values_list("pk", *names)}
    for row in found:
        raw = values.get(row.pk, [None] * len(wanted))
        row.computed = {each.key: as_value(each, one) for each, one in zip(wanted, raw, strict=True)}
