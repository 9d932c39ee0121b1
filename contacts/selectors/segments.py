"""Segments as people see them: their members as far as they may see those, sizes, words, and a preview."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.expressions import ArraySubquery
from django.db import OperationalError
from django.db.models import Exists, Func, IntegerField, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.conditions import contact_fields
from contacts.models import Contact, Segment, SegmentMember
from crmcem.lib.api.fields import parse_id
from crmcem.lib.conditions import ConditionError, FieldRegistry, SegmentBody, explain, parse, to_q
from crmcem.lib.keyset import capped_count
from crmcem.lib.timeouts import statement_timeout
from crmcem.lib.visibility import visible_q
from crmcem.workspace.organisation import organisation

#: sizes are counted no further for those who see only some contacts, nor in a preview
CAP = 10_000
SAMPLE = 10
#: milliseconds that each statement of a preview may take
PATIENCE = 2_000


@dataclass(frozen=True, slots=True)
class Preview:
    """Who would be in a segment, as far as the person may see them.

    ``size`` is exact or "at least" (``exact``); ``sample`` are the newest of them, None where finding them took too
    long.
    """

    size: int
    exact: bool
    explanation: str
    sample: list[Contact] | None


def load(key: str, user: Any) -> SegmentBody | None:
    """The ``SegmentLoader`` of contacts: members as rows, or the conditions while those are still being filled."""
    pk = parse_id(key)
    rows = Segment.objects.all() if user is None else Segment.objects.visible_to(user)
    found = (
        rows.filter(pk=pk).values_list("name", "conditions", "filled_at").first() if pk is not None else None
    )
    if found is None:
        return None
    name, conditions, filled_at = found
    if filled_at is None and conditions is not None:
        return SegmentBody(name=name, conditions=conditions)
    return SegmentBody(name=name, members=membership(pk))


def membership(pk: Any, outer: str = "pk") -> Q:
    """A Q on contacts (or on rows whose path ``outer`` names one): members of the segment."""
    return Q(Exists(SegmentMember.objects.filter(segment_id=pk, contact_id=OuterRef(outer))))


def members(segment: Segment, user: Any) -> QuerySet[Contact]:
    """The contacts of the segment that the person may see, each with ``since``."""
    # Through the members' side the planner may start at either table.
    mine = SegmentMember.objects.filter(segment_id=segment.pk, contact_id=OuterRef("pk")).values("since")
    rows: QuerySet[Contact] = Contact.objects.visible_to(user).filter(membership(segment.pk))
    return rows.annotate(since=mine[:1])


def give_sizes(rows: Sequence[Segment], user: Any) -> None:
    """Set ``shown_size`` and ``size_is_exact`` of each: of those whom the person may see, counted up to ``CAP``.

    Costs one statement, none for those who see everybody: they get the size that is kept.
    """
    if user.access.visibility == "all":
        for row in rows:
            row.shown_size, row.size_is_exact = row.size, row.filled_at is not None  # type: ignore[attr-defined]
        return
    seen = SegmentMember.objects.filter(visible_q(user, "contact__"), segment_id=OuterRef("pk"))
    counted = Func(
        ArraySubquery(seen.order_by().values("pk")[: CAP + 1]),
        function="cardinality",
        output_field=IntegerField(),
    )
    found = dict(
        Segment.objects.filter(pk__in=[row.pk for row in rows])
        .annotate(n=counted)
        .order_by()
        .values_list("pk", "n")
    )
    for row in rows:
        n = found.get(row.pk, 0)
        row.shown_size = min(n, CAP)  # type: ignore[attr-defined]
        row.size_is_exact = n <= CAP and row.filled_at is not None  # type: ignore[attr-defined]


def explained(segment: Segment, user: Any) -> str:
    """The conditions in words, as far as the person may know their fields."""
    if segment.conditions is None:
        return _("Chosen by hand")
    try:
        node = parse(segment.conditions, contact_fields, user=user, segment_id=str(segment.pk), shared=True)
        return explain(node)
    except ConditionError:
        if segment.problem:
            return _("The conditions can’t be used any more")
        return _("By conditions that are not yours to see")


def mark_readable(rows: Sequence[Segment], user: Any) -> None:
    """Set ``is_readable``: whether the person knows every field, kind and segment that the conditions name.

    Costs one statement at most.
    """
    named = {row.pk: set(_names(row.conditions, contact_fields)) for row in rows}
    wanted = {pk for names in named.values() for kind, pk, _registry in names if kind == "segment"}
    ids = [pk for pk in map(parse_id, wanted) if pk is not None]
    shown = Segment.objects.visible_to(user).filter(pk__in=ids).values_list("pk", flat=True) if ids else ()
    seen = {str(pk) for pk in shown}
    for row in rows:
        row.is_readable = all(  # type: ignore[attr-defined]
            name in seen if kind == "segment" else _known(kind, name, registry, user)
            for kind, name, registry in named[row.pk]
        )


def _known(kind: str, name: str, registry: FieldRegistry, user: Any) -> bool:
    """Whether the person knows it, or nobody does."""
    if kind == "field":
        return registry.get(name, user) is not None or registry.get(name) is None
    if kind == "related":
        found = registry.relations.get(name)
        return found is None or found.known_fully(user)
    return registry.activities is None or registry.activities.allows(user, name)


def _names(data: Any, registry: FieldRegistry) -> Iterator[tuple[str, str, FieldRegistry]]:
    """The (``field``, ``activity``, ``segment`` or ``related``, name, and whose) of each leaf of stored conditions."""
    if isinstance(data, Mapping):
        for kind in ("field", "activity", "segment", "related"):
            if kind in data:
                yield kind, str(data[kind]), registry
        for value in (data.get("all"), data.get("any"), data.get("not")):
            yield from _names(value, registry)
        relation = registry.relations.get(str(data.get("related")))
        if relation is not None:
            yield from _names(data.get("where"), relation.registry)
    elif isinstance(data, Sequence) and not isinstance(data, str):
        for each in data:
            yield from _names(each, registry)


def preview(data: Any, user: Any, *, segment_id: str | None = None) -> Preview:
    """Who fits these conditions now. Raises ConditionError."""
    node = parse(data, contact_fields, user=user, segment_id=segment_id, shared=True)
    q = to_q(node, now=timezone.now(), tz=ZoneInfo(organisation().time_zone))
    rows = Contact.objects.visible_to(user).filter(q)
    size, exact = capped_count(rows, CAP, PATIENCE)
    sample: list[Contact] | None = None
    try:
        with statement_timeout(PATIENCE):
            sample = list(rows.select_related("pulse").defer("search_text").order_by("-pk")[:SAMPLE])
    except OperationalError:  # cut off: the size and the words are worth showing without
        sample = None
    return Preview(size, exact, explain(node), sample)


def named(user: Any, limit: int = 200) -> list[tuple[str, str]]:
    """Id and name of the segments that the person may see, for choosing one."""
    rows = Segment.objects.visible_to(user).order_by("name", "pk").values_list("pk", "name")[:limit]
    return [(str(pk), name) for pk, name in rows]
