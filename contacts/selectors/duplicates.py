"""The records of pairs that are perhaps the same, and what looks like one that is being typed."""

# ruff: noqa: S608 - statements are built from constants of the code; values are parameters

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from contacts.selectors.duplicate_sql import HITS, TYPED
from contacts.selectors.merging import MODELS

#: of so many look-alikes while somebody types
SHOWN = 3


def name_both(pairs: Sequence[Any], user: Any) -> None:
    """Give each pair its ``left`` and ``right`` record (None where the person may not see it or it is gone)."""
    for entity, model in MODELS.items():
        ids = {pk for p in pairs if p.entity == entity for pk in (p.left_id, p.right_id)}
        rows = model.objects.visible_to(user).select_related("owner").defer("search_text") if ids else None
        found = {row.pk: row for row in rows.filter(pk__in=ids)} if rows is not None else {}
        for pair in pairs:
            if pair.entity == entity:
                pair.left, pair.right = found.get(pair.left_id), found.get(pair.right_id)


def _found(typed: str) -> str:
    """A statement: the records that share a key with what is typed, without keys that say nothing."""
    return f"""
        WITH keys AS (
            SELECT DISTINCT hashtextextended(%(entity)s || '|' || k.kind || '|' || k.value, 0) AS digest
            FROM ({typed}) k WHERE k.value <> ''
        )
        SELECT DISTINCT o.record_id FROM keys CROSS JOIN LATERAL (
            SELECT d.record_id, count(*) OVER () AS n
            FROM (SELECT x.record_id FROM contacts_duplicatekey x WHERE x.digest = keys.digest LIMIT %(hits)s + 1) d
        ) o
        WHERE o.n <= %(hits)s
    """


def look_alikes(entity: str, typed: Mapping[str, Any], rows: QuerySet[Any]) -> list[Any]:
    """Those of ``rows`` (what the person may see) that share a key with what somebody is typing.

    ``typed``: ``name email phone company`` of a contact, ``name domain phone`` of a company, normalised or None.
    """
    names = ("name", "email", "phone", "company", "domain")
    params = {name: typed.get(name) or None for name in names}
    if not any(params.values()):
        return []
    with connection.cursor() as cursor:
        cursor.execute(_found(TYPED[entity]), {**params, "entity": entity, "hits": HITS})
        ids = [pk for (pk,) in cursor.fetchall()]
    return list(rows.filter(pk__in=ids).order_by("pk")[:SHOWN]) if ids else []
