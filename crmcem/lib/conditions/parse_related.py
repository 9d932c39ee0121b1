"""Reading ``{"related": "deals", "has": "any", "where": {…}}``."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from crmcem.lib.conditions.errors import Fault, not_for_all, shown
from crmcem.lib.conditions.nodes import Node, RelatedLeaf
from crmcem.lib.conditions.relations import Relation

if TYPE_CHECKING:
    from crmcem.lib.conditions.parser import Parser

#: relations behind one another: the deals of the company
MAX_BEYOND = 2
#: related records asked in one condition: each is a join of its own
MAX_RELATED = 20
MAX_LEAST = 1_000


def read(parser: Parser, data: dict[Any, Any], path: str, depth: int) -> Node | None:
    """The leaf, with its ``where`` read against the fields of the related records."""
    parser.only(data, path, {"related", "has", "where"})
    before = len(parser.problems)
    relation, least, has = None, 1, ""
    with parser.faults_at(path, "related"):
        relation = _relation(parser, data["related"])
    with parser.faults_at(path, "has"):
        has, least = _has(data.get("has"), relation)
    if relation is None:
        return None
    owner = parser.registry
    assert owner is not None
    node = _where(parser, relation, data.get("where"), f"{path}.where" if path else "where", depth)
    if len(parser.problems) > before:
        return None
    return RelatedLeaf(relation.name, has, least, node, spec=relation, owner=owner)


def _relation(parser: Parser, name: Any) -> Relation:
    known = parser.registry.relations if parser.registry is not None else {}
    found = known.get(name) if isinstance(name, str) else None
    if found is None or not found.known_to(parser.user):
        usable = [item.name for item in known.values() if item.usable_by(parser.user, parser.shared)]
        detail = _("There are no related records “%(name)s”.") % {"name": shown(name)}
        near = difflib.get_close_matches(shown(name), usable, n=3) or usable
        more = " " + _("Use one of: %(known)s.") % {"known": ", ".join(near)} if near else ""
        raise Fault("unknown_related", detail + more)
    if not found.usable_by(parser.user, parser.shared):
        raise Fault("not_for_all", not_for_all(found.label))
    if parser.beyond >= MAX_BEYOND:
        raise Fault(
            "too_far", _("Related records of related records: at most %(max)s deep.") % {"max": MAX_BEYOND}
        )
    parser.relations += 1
    if parser.relations > MAX_RELATED:
        raise Fault(
            "too_many_related",
            _("A condition asks about related records at most %(max)s times.") % {"max": MAX_RELATED},
        )
    return found


def _has(value: Any, relation: Relation | None) -> tuple[str, int]:
    if value is None:
        raise Fault("missing_has", _("Say how many: “any”, “none” or {“at_least”: 2}."))
    if value in ("any", "none"):
        return value, 1
    if not isinstance(value, dict) or set(value) != {"at_least"}:
        raise Fault(
            "unknown_has",
            _("“has” is “any”, “none” or {“at_least”: 2}, not %(value)s.") % {"value": shown(value)},
        )
    if relation is not None and relation.single:
        raise Fault("only_one", _("There is at most one of these: use “any” or “none”."))
    least = value["at_least"]
    if isinstance(least, float) and least.is_integer():
        least = int(least)
    if isinstance(least, bool) or not isinstance(least, int) or not 1 <= least <= MAX_LEAST:
        raise Fault(
            "not_a_count",
            _("“at_least” takes a whole number from 1 to %(max)s.") % {"max": MAX_LEAST},
            "has.at_least",
        )
    return "at_least", least


def _where(parser: Parser, relation: Relation, data: Any, path: str, depth: int) -> Node | None:
    if data is None:
        return None
    outer, parser.registry = parser.registry, relation.registry
    parser.beyond += 1
    try:
        if isinstance(data, list | tuple):
            return parser.items("all", data, path, depth)
        return parser.node(data, path, depth + 1)
    finally:
        parser.registry = outer
        parser.beyond -= 1
