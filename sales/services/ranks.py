"""The order of the cards in a board column: ranks with room between neighbours.

A column is changed by one transaction at a time (advisory lock on its stage). Locks are taken in one order so
that nobody deadlocks: columns by id, then ``many_lock`` by whoever locks more than one deal, then rows.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Max, Min, Q, QuerySet

from sales.models import Deal, Stage

CLOSEST = Decimal("0.000001")
_LOCK_SPACE = 0x6465616C  # "deal"
_MANY = 0  # no stage has this id


def _hold(key: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_SPACE, key])


def column_lock(stage: Stage) -> None:
    """Hold the column of ``stage`` until the transaction ends."""
    _hold(stage.pk % 2**31)


def columns_lock(stages: Iterable[int]) -> None:
    """Hold the columns of several stages (ids), in the order in which everybody takes them."""
    for key in sorted({pk % 2**31 for pk in stages}):
        _hold(key)


def many_lock() -> None:
    """Be the only transaction that locks several deals; taken before the first row lock."""
    _hold(_MANY)


def rank_at(stage: Stage, place: int | None, among: QuerySet[Deal], moving: Deal | None) -> Decimal:
    """The rank for ``place`` (0 is the top, None the top too) among the deals that the actor sees.

    Renumbers the column where two neighbours have come too close. The column must be locked.
    """
    rank = _between(*_neighbours(stage, place or 0, among, moving))
    if rank is None:
        _renumber(stage)
        rank = _between(*_neighbours(stage, place or 0, among, moving))
    return rank if rank is not None else Decimal(0)


def rank_beside(stage: Stage, above: int | None, below: int | None, moving: Deal | None) -> Decimal:
    """The rank next to the cards between which ``moving`` was dropped (ids; None at an end of the column).

    Others may have moved meanwhile: the card above counts while it still stands in the column, else the one
    below, else the top. The column must be locked.
    """
    rank = _between(*_beside(stage, above, below, moving))
    if rank is None:
        _renumber(stage)
        rank = _between(*_beside(stage, above, below, moving))
    return rank if rank is not None else Decimal(0)


def _beside(
    stage: Stage, above: int | None, below: int | None, moving: Deal | None
) -> tuple[Decimal | None, Decimal | None]:
    column = Deal.objects.filter(stage=stage, status=Deal.Status.OPEN)
    if moving is not None:
        column = column.exclude(pk=moving.pk)
    found = dict(column.filter(pk__in=[pk for pk in (above, below) if pk]).values_list("pk", "position"))
    if above in found:
        rank = found[above]
        after = column.filter(position__gte=rank).filter(Q(position__gt=rank) | Q(pk__gt=above))
        return rank, after.order_by("position", "id").values_list("position", flat=True).first()
    if below in found:
        rank = found[below]
        before = column.filter(position__lte=rank).filter(Q(position__lt=rank) | Q(pk__lt=below))
        return before.order_by("-position", "-id").values_list("position", flat=True).first(), rank
    return None, column.aggregate(v=Min("position"))["v"]


def _neighbours(
    stage: Stage, place: int, among: QuerySet[Deal], moving: Deal | None
) -> tuple[Decimal | None, Decimal | None]:
    """The ranks above and below the place. Those between them may be hidden from the actor."""
    column = Deal.objects.filter(stage=stage, status=Deal.Status.OPEN)
    seen: QuerySet[Any] = among.filter(stage=stage, status=Deal.Status.OPEN)
    if moving is not None:
        column, seen = column.exclude(pk=moving.pk), seen.exclude(pk=moving.pk)
    if place <= 0:
        return None, column.aggregate(v=Min("position"))["v"]
    ranks = list(seen.order_by("position", "id").values_list("position", flat=True)[place - 1 : place + 1])
    if not ranks:
        return column.aggregate(v=Max("position"))["v"], None
    if len(ranks) == 1:
        below = column.filter(position__gt=ranks[0]).aggregate(v=Min("position"))["v"]
        return ranks[0], below
    return ranks[0], ranks[1]


def _between(above: Decimal | None, below: Decimal | None) -> Decimal | None:
    if above is None and below is None:
        return Decimal(0)
    if above is None:
        return (below or Decimal(0)) - 1
    if below is None:
        return above + 1
    if below - above < CLOSEST:
        return None
    return ((above + below) / 2).quantize(Decimal("1e-15"))


def _renumber(stage: Stage) -> None:
    many_lock()
    list(
        Deal.objects.filter(stage=stage, status="open")
        .select_for_update(of=("self",))
        .order_by("pk")
        .values_list("pk")
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH ranked AS (
                SELECT id, row_number() OVER (ORDER BY position, id) AS rank
                FROM sales_deal WHERE stage_id = %s AND status = 'open'
            )
            UPDATE sales_deal d SET position = ranked.rank FROM ranked
            WHERE d.id = ranked.id AND d.position IS DISTINCT FROM ranked.rank
            """,
            [stage.pk],
        )
