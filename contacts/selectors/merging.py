"""What a merge will move, in numbers; where an old id leads now."""

from typing import Any

from django.db import connection
from django.db.models import Q

from contacts.models import Company, Contact, MergeRecord
from crmcem.lib.merging import Pointer, is_quiet, pointers
from crmcem.lib.visibility import visible_q

MODELS: dict[str, Any] = {"contact": Contact, "company": Company}
#: rows of the house's own bookkeeping: they follow, but nobody counts them
_SILENT = {"contacts_pulse", "contacts_identityalias", "contacts_segmenttimer", "contacts_milestone"}
COUNT_CAP = 10_000


def entity_of(record: Any) -> str:
    return "company" if isinstance(record, Company) else "contact"


def moving(record: Any, user: Any) -> dict[str, int]:
    """How many rows hang on ``record``, by the name of their kind: only those that ``user`` may see.

    No user: the system, which sees all. Each count stops at ``COUNT_CAP``.
    """
    found: dict[str, int] = {}
    for pointer in pointers(record._meta.concrete_model):
        if pointer.table in _SILENT or is_quiet(pointer):
            continue
        rows = pointer.model._default_manager.filter(**{_lookup(pointer): record.pk})
        if user is not None:
            rows = rows.filter(_seen(pointer, type(record), user))
        count = rows.order_by()[:COUNT_CAP].count()
        if count:
            label = str(pointer.model._meta.verbose_name_plural)
            found[label] = found.get(label, 0) + count
    return found


def _lookup(pointer: Pointer) -> str:
    return str(pointer.field.attname) if pointer.field is not None else pointer.column


def _seen(pointer: Pointer, target: Any, user: Any) -> Q:
    """A row is seen by its own rule, or else with everything else that it points to."""
    manager = pointer.model._default_manager
    if hasattr(manager.all(), "visible_to"):
        return Q(pk__in=manager.all().visible_to(user).values("pk"))
    seen = Q()
    for each in pointer.model._meta.local_fields:
        related: Any = each.related_model if each.is_relation else None
        names = {f.name for f in related._meta.local_fields} if related else set()
        if related is not None and related is not target and {"owner", "team"} <= names:
            seen &= visible_q(user, f"{each.name}__") | Q(**{f"{each.name}__isnull": True})
    return seen


_SUCCESSOR = """
WITH RECURSIVE hops(id, n) AS (
    SELECT %(id)s::bigint, 0
    UNION ALL
    SELECT m.winner_id, hops.n + 1 FROM hops JOIN contacts_mergerecord m
        ON m.entity = %(entity)s AND m.loser_id = hops.id AND m.undone_at IS NULL
    WHERE hops.n < 100
) SELECT id FROM hops WHERE n > 0 ORDER BY n DESC LIMIT 1
"""


def successor(entity: str, pk: int) -> int | None:
    """The id under which a merged record lives now; None for one that was never merged away."""
    with connection.cursor() as cursor:
        cursor.execute(_SUCCESSOR, {"entity": entity, "id": pk})
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def former_ids(entity: str, field: str, values: list[str]) -> dict[str, int]:
    """``{value: id}`` for external ids or domains that a merged record had: the id that stands for it now."""
    rows = MergeRecord.objects.filter(entity=entity, undone_at__isnull=True, **{f"{field}__in": values})
    found: dict[str, int] = {}
    for value, winner in rows.order_by("id").values_list(field, "winner_id"):
        found[value] = successor(entity, winner) or winner
    return found
