"""A company among those above and below it, with how many people stand in each branch. Bounded in rows."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from contacts.models import Company, Contact

#: levels from the topmost company to the lowest one
DEPTH = 8
#: companies below one that are looked at
MOST = 500
#: people who are counted at most
CAP = 10_000

_UP = """
WITH RECURSIVE up AS (
    SELECT c.id, c.parent_id, 0 AS level FROM contacts_company c WHERE c.id = %(company)s
    UNION ALL
    SELECT c.id, c.parent_id, up.level + 1 FROM up JOIN contacts_company c ON c.id = up.parent_id
    WHERE up.level < %(depth)s
)
SELECT id FROM up WHERE level > 0 ORDER BY level DESC
"""
_DOWN = """
WITH RECURSIVE down AS (
    SELECT c.id, c.parent_id, 0 AS level FROM contacts_company c WHERE c.id = %(company)s
    UNION ALL
    SELECT c.id, c.parent_id, down.level + 1 FROM down JOIN contacts_company c ON c.parent_id = down.id
    WHERE down.level < %(depth)s
)
SELECT id, parent_id, level FROM down ORDER BY level, id LIMIT %(most)s
"""


@dataclass(slots=True)
class Node:
    """A company of the tree: ``people`` in it and all below it that the person may see. No company: a hidden one."""

    pk: int
    company: Company | None
    people: int = 0
    nodes: "list[Node]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tree:
    """``above`` from the top down, ``root`` the company itself; ``exact`` is false where counting stopped."""

    above: list[Node]
    root: Node
    exact: bool
    whole: bool


def company_tree(company: Company, user: Any) -> Tree:
    """Four statements, whatever the size. Hidden companies keep their place and nothing else."""
    with connection.cursor() as cursor:
        named = {"company": company.pk, "depth": DEPTH, "most": MOST + 1}
        cursor.execute(_UP, named)
        above = [pk for (pk,) in cursor.fetchall()]
        cursor.execute(_DOWN, named)
        rows = cursor.fetchall()
    whole, rows = len(rows) <= MOST, rows[:MOST]
    ids = {pk for pk, _parent, _level in rows}
    shown = Company.objects.visible_to(user).filter(pk__in={*above, *ids}).only("id", "name").in_bulk()
    counts, exact = _people(ids & shown.keys(), user)
    nodes = {pk: Node(pk, shown.get(pk), counts[pk]) for pk, _parent, _level in rows}
    for pk, parent, level in reversed(rows):  # the lowest first: each is complete before it counts above
        if level:
            nodes[parent].people += nodes[pk].people
            nodes[parent].nodes.insert(0, nodes[pk])
    return Tree([Node(pk, shown.get(pk)) for pk in above], nodes[company.pk], exact, whole)


def _people(ids: set[int], user: Any) -> tuple[Counter[int], bool]:
    rows = Contact.objects.visible_to(user).filter(company_id__in=ids).order_by()
    found = list(rows.values_list("company_id", flat=True)[: CAP + 1])
    return Counter(found[:CAP]), len(found) <= CAP
