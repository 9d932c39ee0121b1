"""From a tree to a term with its kind and SQL: every name known, every kind fitting, no formula using itself."""

import difflib
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from contacts.custom.definitions import Definition
from contacts.custom.formulas import fields as known
from contacts.custom.formulas.functions import FUNCTIONS
from contacts.custom.formulas.operators import apply
from contacts.custom.formulas.reading import Call, Literal, Name, Node, read
from contacts.custom.formulas.terms import MAX_WEIGHT, Mistake, Term, constant, join
from contacts.custom.rollups import rollup, rollup_reads
from contacts.custom.types import MAX_TEXT
from crmcem.workspace.organisation import organisation

#: formulas that use formulas, one inside the other
MAX_LEVELS = 5
#: what a rollup weighs
_ROLLUP = 10
_LIMIT = "1000000000000000"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose fields a formula may use. ``path`` are the formulas that are being looked at, the outermost first.

    ``strict``: only fields that are in use. What was made before goes on with those that were archived since.
    """

    entity: str
    fields: known.Fields
    path: tuple[str, ...] = ()
    strict: bool = False


def check(text: str, scope: Scope) -> Term:
    """What a formula gives. Raises Mistake."""
    found = _check(read(text), scope)
    if found.kind == "nothing":
        raise Mistake(0, _("This formula is always empty."))
    if found.kind == "list":
        raise Mistake(0, _("Several choices can't be a result: ask with has(field, value) for one of them."))
    return found


def bounded(term: Term, decimals: int) -> Term:
    """The result of a formula as everybody can show it: rounded, cut off, and empty beyond all measure."""
    match term.kind:
        case "number" | "money":
            text = f"(CASE WHEN abs({{0}}) < {_LIMIT} THEN round({{0}}, {decimals}) END)"
        case "date":
            text = "(CASE WHEN {0} BETWEEN DATE '1000-01-01' AND DATE '9999-12-31' THEN {0} END)"
        case "text":
            text = f"nullif(left({{0}}, {MAX_TEXT}), '')"
        case _:
            text = "{0}"
    return join(text, term.kind, term, currency=term.currency)


def _check(node: Node, scope: Scope) -> Term:
    match node:
        case Literal(_at, kind, value):
            return constant(kind, value)
        case Name(at, name):
            found = _named(name, at, scope)
        case Call(at, name, args, operator):
            terms = [_check(each, scope) for each in args]
            found = apply(name, terms, at) if operator else _called(name, terms, at)
    if found.weight > MAX_WEIGHT:
        raise Mistake(node.at, _("This formula is too large. Leave something out of it."))
    return found


def _called(name: str, terms: list[Term], at: int) -> Term:
    function = FUNCTIONS.get(name)
    if function is None:
        close = difflib.get_close_matches(name, FUNCTIONS, 3, 0.5) or list(FUNCTIONS)
        detail = _("There is no function “%(name)s”. Functions: %(names)s.")
        raise Mistake(at, detail % {"name": name, "names": ", ".join(close)})
    if not function.least <= len(terms) <= function.most:
        raise Mistake(at, _("Write %(usage)s.") % {"usage": function.usage})
    return function.make(terms, at)


def _named(name: str, at: int, scope: Scope) -> Term:
    own = known.owned[scope.entity].get(name)
    if own is not None:
        return known.own_term(own)
    key = name.removeprefix("custom.")
    definition = scope.fields.get(key) if key != name else None
    if definition is None or not known.usable(definition) or (scope.strict and definition.archived):
        raise known.refuse(name, at, scope.entity, scope.fields)
    return custom_term(definition, at, scope)


def custom_term(definition: Definition, at: int, scope: Scope) -> Term:
    """A custom field of any type inside a formula."""
    if definition.type == "rollup":
        return rollup_term(definition)
    if definition.type != "formula":
        return known.custom_term(definition, (scope.entity,))
    if definition.key in scope.path:
        raise _circle(definition, at, scope)
    if len(scope.path) >= MAX_LEVELS:
        raise Mistake(at, _("Too many formulas use each other: %(most)s at most.") % {"most": MAX_LEVELS})
    try:
        found = formula_term(definition, replace(scope, path=(*scope.path, definition.key)))
    except Mistake as mistake:
        detail = _("“%(name)s” can't be used: %(why)s") % {"name": definition.label, "why": mistake}
        raise Mistake(at, detail) from None
    return replace(found, uses=(definition.name,))


def _circle(definition: Definition, at: int, scope: Scope) -> Mistake:
    names = [*scope.path[scope.path.index(definition.key) :], definition.key]
    labels = " → ".join(scope.fields[key].label if key in scope.fields else key for key in names)
    return Mistake(at, _("The formula would use itself: %(names)s.") % {"names": labels})


def rollup_term(definition: Definition) -> Term:
    kind = definition.result
    return Term(
        kind=kind,
        make=lambda user: rollup(definition, user),
        weight=_ROLLUP,
        currency=organisation().currency if kind == "money" else "",
        uses=(definition.name,),
        reads=rollup_reads(definition),
        sources=(definition.options["source"],),
    )


def formula_term(definition: Definition, scope: Scope) -> Term:
    """What a stored formula gives now. Raises Mistake where it can't be used any more."""
    options = definition.options
    found = bounded(check(str(options["formula"]), scope), int(options.get("decimals", 2)))
    if (found.kind, found.currency) != (options["result"], options.get("currency", "")):
        raise Mistake(0, _("What it gives has changed: %(kind)s.") % {"kind": found.words})
    return found
