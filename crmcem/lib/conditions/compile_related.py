"""Conditions on related records as a Q on the record they belong to: never more than a part of the one statement.

Any and none are ``EXISTS``: the planner makes a semi or anti join of it for many records and an index look-up for
one. "At least n" groups once for everybody (*broad*), or looks for the n-th of one record (*narrow*).
"""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Exists, OuterRef, Q

from crmcem.lib.conditions.nodes import RelatedLeaf


def related(leaf: RelatedLeaf, where: Q | None, user: Any, narrow: bool, negated: bool) -> Q:
    """The leaf, or its complement. ``where`` is about the related records, which are those that ``user`` sees."""
    spec = leaf.spec
    rows = spec.seen_by(user)
    if where is not None:
        rows = rows.filter(where)
    negated = negated is not (leaf.has == "none")
    mine = rows.filter(**{spec.link: OuterRef(spec.outer)})
    if leaf.least <= 1:
        found = Q(Exists(mine))
    elif narrow:
        found = Q(Exists(mine[leaf.least - 1 : leaf.least]))
    else:
        enough = (
            rows.filter(**{f"{spec.link}__isnull": False})
            .values(spec.link)
            .annotate(related_count=Count("pk"))
            .filter(related_count__gte=leaf.least)
            .values(spec.link)
        )
        if not negated:
            return Q(**{f"{spec.outer}__in": enough})
        # NOT IN degrades to a scan per row once the list outgrows work_mem; this becomes an anti join.
        owners = leaf.owner.model._base_manager.filter(
            **{spec.outer: OuterRef(spec.outer), f"{spec.outer}__in": enough}
        )
        return ~Q(Exists(owners))
    return ~found if negated else found
