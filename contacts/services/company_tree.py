"""The tree of companies: no circles, a few levels deep."""

from django.db import connection
from django.utils.translation import gettext as _

from contacts.models import Company
from contacts.selectors.company_tree import DEPTH
from crmcem.lib.errors import DomainError

_UP = """
WITH RECURSIVE up AS (
    SELECT c.id, c.parent_id, 1 AS level FROM contacts_company c WHERE c.id = %(parent)s
    UNION ALL
    SELECT c.id, c.parent_id, up.level + 1 FROM up JOIN contacts_company c ON c.id = up.parent_id
    WHERE up.level <= %(depth)s
)
SELECT max(level), bool_or(id = %(company)s) FROM up
"""
_DOWN = """
WITH RECURSIVE down AS (
    SELECT %(company)s::bigint AS id, 1 AS level
    UNION ALL
    SELECT c.id, down.level + 1 FROM down JOIN contacts_company c ON c.parent_id = down.id
    WHERE down.level <= %(depth)s
)
SELECT max(level) FROM down
"""


def tree_lock() -> None:
    """Two that move parts of the tree at the same time wait for each other. Taken before any company is locked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('contacts_company_tree'))")


def check_parent(company_id: int | None, parent: Company | None) -> None:
    """Raises DomainError where ``parent`` would make a circle or too deep a tree.

    Inside a transaction that holds ``tree_lock``.
    """
    if parent is None:
        return
    with connection.cursor() as cursor:
        named = {"parent": parent.pk, "company": company_id, "depth": DEPTH}
        cursor.execute(_UP, named)
        above, circle = cursor.fetchone()
        below = 1
        if company_id is not None and not circle:
            cursor.execute(_DOWN, named)
            [below] = cursor.fetchone()
    if circle:
        raise DomainError.of(
            "parent", "circle", _("This company stands above the other already: they would make a circle.")
        )
    if above + below > DEPTH:
        raise DomainError.of(
            "parent", "depth", _("The tree would have more than %(most)s levels.") % {"most": DEPTH}
        )
