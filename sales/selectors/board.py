"""A board: the first cards of each column, and figures over whole columns in one statement."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Prefetch, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from crmcem.lib.keyset import Order, encode, keyset_page
from crmcem.lib.visibility import mark_hidden, visible_q
from sales.models import Deal, DealContact, Pipeline, Stage
from sales.selectors.deals import with_next_activity

COLUMN_SIZE = 20
#: by the earliest open task of a deal: late, due later today, due on a later day, none at all
STATES = ("overdue", "today", "planned", "none")
TOP_DOWN = Order("position")


@dataclass(slots=True)
class Total:
    """Sums of one currency in a column: ``weighted`` by each deal's (or its stage's) probability."""

    currency: str
    amount: Decimal = Decimal(0)
    weighted: Decimal = Decimal(0)


@dataclass(slots=True)
class Column:
    """``count``, ``totals`` and ``rotting`` are about the deals in the chosen state, ``states`` about all."""

    stage: Stage
    count: int = 0
    totals: list[Total] = field(default_factory=list)
    rotting: int = 0
    states: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    cards: list[Any] = field(default_factory=list)
    next: str | None = None

    @property
    def more(self) -> int:
        """How many deals stand below the shown cards."""
        return max(0, self.count - len(self.cards))


def end_of_today() -> dt.datetime:
    """The next midnight of the person's zone."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + dt.timedelta(days=1)


def state_of(due: dt.datetime | None, now: dt.datetime, tonight: dt.datetime) -> str:
    """One of STATES for the time of a deal's next activity."""
    if due is None:
        return "none"
    return "overdue" if due < now else "today" if due < tonight else "planned"


def in_state(deals: QuerySet[Deal], state: str) -> QuerySet[Deal]:
    """Only the deals in one of STATES; all of them for an empty ``state``."""
    if not state:
        return deals
    deals = with_next_activity(deals)
    now, tonight = timezone.now(), end_of_today()
    within: dict[str, dict[str, Any]] = {
        "overdue": {"next_activity_at__lt": now},
        "today": {"next_activity_at__gte": now, "next_activity_at__lt": tonight},
        "planned": {"next_activity_at__gte": tonight},
        "none": {"next_activity_at__isnull": True},
    }
    return deals.filter(**within[state])


def opened(pipeline: Pipeline, deals: QuerySet[Deal]) -> QuerySet[Deal]:
    return deals.filter(pipeline=pipeline, status=Deal.Status.OPEN)


def board(
    pipeline: Pipeline, deals: QuerySet[Deal], user: Any, *, state: str = "", size: int = COLUMN_SIZE
) -> list[Column]:
    """The columns of ``pipeline`` for ``deals`` (visible, filtered): stages, figures, ids, cards, people."""
    columns = figures(pipeline, deals, state=state)
    _first_cards(columns, in_state(opened(pipeline, deals), state), user, size)
    return columns


def figures(pipeline: Pipeline, deals: QuerySet[Deal], *, state: str = "") -> list[Column]:
    """The columns without cards: two queries, exact whatever the number of deals."""
    columns = {stage.pk: Column(stage) for stage in pipeline.stages.order_by("position", "id")}
    inner = opened(pipeline, deals).order_by().annotate(chance=Coalesce("probability", "stage__probability"))
    sql, params = inner.values(
        "id", "stage_id", "currency", "amount", "rots_at", "chance"
    ).query.sql_with_params()
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT d.stage_id, d.currency,
                   CASE WHEN d.due IS NULL THEN 'none' WHEN d.due < %s THEN 'overdue'
                        WHEN d.due < %s THEN 'today' ELSE 'planned' END AS state,
                   count(*), sum(d.amount), sum(d.amount * d.chance / 100),
                   count(*) FILTER (WHERE d.rots_at < %s)
            FROM (
                SELECT o.*, min(t.due_at) AS due
                FROM ({sql}) o LEFT JOIN contacts_task t ON t.deal_id = o.id AND t.status = 'open'
                GROUP BY o.id, o.stage_id, o.currency, o.amount, o.rots_at, o.chance
            ) d
            GROUP BY 1, 2, 3
            """,  # noqa: S608 - compiled by the ORM
            [now, end_of_today(), now, *params],
        )
        for row in cursor.fetchall():
            if row[0] in columns:
                _add(columns[row[0]], row, state)
    for column in columns.values():
        column.totals.sort(key=lambda total: (-total.amount, total.currency))
        for total in column.totals:
            total.weighted = total.weighted.quantize(Decimal("0.01"))
    return list(columns.values())


def _add(column: Column, row: tuple[Any, ...], chosen: str) -> None:
    _stage, currency, state, count, amount, weighted, rotting = row
    column.states[state] += count
    if chosen and state != chosen:
        return
    column.count += count
    column.rotting += rotting
    if amount is None:
        return
    total = next((t for t in column.totals if t.currency == currency), None)
    if total is None:
        total = Total(currency)
        column.totals.append(total)
    total.amount += amount
    total.weighted += weighted or Decimal(0)


def _first_cards(columns: Iterable[Column], deals: QuerySet[Deal], user: Any, size: int) -> None:
    """The first ``size`` cards of each column: every column read down its own index, in one statement."""
    by_stage = {column.stage.pk: column for column in columns}
    parts = [
        deals.filter(stage_id=pk).order_by("position", "id").values_list("pk", flat=True)[: size + 1]
        for pk in by_stage
    ]
    if not parts:
        return
    ids = list(parts[0] if len(parts) == 1 else parts[0].union(*parts[1:], all=True))
    for deal in cards_of(Deal.objects.filter(pk__in=ids).order_by("position", "id"), user):
        by_stage[deal.stage_id].cards.append(deal)
    for column in by_stage.values():
        if len(column.cards) > size:
            column.cards = column.cards[:size]
            last = column.cards[-1]
            column.next = encode(last.position, last.pk, False)


def column_page(
    stage: Stage, deals: QuerySet[Deal], user: Any, *, state: str, cursor: str | None, size: int = COLUMN_SIZE
) -> Column:
    """The next cards of one column. Raises DomainError for a cursor that the board did not give out."""
    rows = in_state(deals.filter(stage=stage, status=Deal.Status.OPEN), state)
    page = keyset_page(carded(rows, user), TOP_DOWN, cursor, size)
    mark_hidden(page.rows, user, "company")
    return Column(stage, cards=page.rows, next=page.next)


def carded(deals: QuerySet[Deal], user: Any) -> QuerySet[Deal]:
    """With what a card shows: company, owner, next activity and ``people`` (those that ``user`` may see)."""
    people = DealContact.objects.filter(visible_q(user, "contact__")).select_related("contact__pulse")
    rows: QuerySet[Deal] = with_next_activity(deals).select_related("company", "owner")
    return rows.prefetch_related(
        Prefetch("deal_contacts", people.order_by("-is_primary", "id"), to_attr="people")
    )


def cards_of(deals: QuerySet[Deal], user: Any) -> list[Deal]:
    """These few deals as cards, without the companies that ``user`` may not see."""
    rows = list(carded(deals, user))
    mark_hidden(rows, user, "company")
    return rows


def chance(deal: Deal) -> int:
    """The probability that counts for a deal, in percent."""
    return deal.stage.probability if deal.probability is None else deal.probability
