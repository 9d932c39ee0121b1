"""The data quality in numbers, over what a person may see: one statement, each count capped."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from django.db import OperationalError, connection
from django.db.models import QuerySet

from contacts.quality import MODELS, Check, checks
from crmcem.lib.timeouts import statement_timeout

CAP = 10_000
#: whoever sees every record: for the numbers that the background notes
EVERYBODY = SimpleNamespace(
    is_authenticated=True, pk=0, team_id=None, access=SimpleNamespace(visibility="all", team_ids=())
)
TIMEOUT_MS = 4_000


@dataclass(frozen=True, slots=True)
class Count:
    """``n`` up to ``CAP``; ``exact`` is False at the cap. None: it took too long to count."""

    n: int | None

    @property
    def exact(self) -> bool:
        return self.n is not None and self.n <= CAP

    @property
    def shown(self) -> int:
        return min(self.n or 0, CAP)


@dataclass(frozen=True, slots=True)
class Found:
    check: Check
    count: Count


@dataclass(frozen=True, slots=True)
class Report:
    """``totals`` by entity, and every check with its count."""

    totals: dict[str, Count]
    found: list[Found]

    @property
    def score(self) -> int | None:
        """100 where no check finds anything: the mean over the checks of the share of records that are in order.

        Each check is asked of every record of its kind. Duplicates count like the others. None where there are no
        records, or too many for an exact count.
        """
        if not all(each.exact for each in (*self.totals.values(), *(f.count for f in self.found))):
            return None
        asked = [(f, self.totals[f.check.entity].shown) for f in self.found]
        shares = [1 - f.count.shown / total for f, total in asked if total]
        return round(100 * sum(shares) / len(shares)) if shares else None


def quality_report(user: Any) -> Report:
    """All counts by one statement with a bound on its time; what it can't count in time is unknown."""
    rows = [model.objects.visible_to(user) for model in MODELS.values()]
    rows += [check.rows(user) for check in checks]
    counts = [Count(n) for n in _counts(rows)]
    totals = dict(zip(MODELS, counts, strict=False))
    return Report(totals, [Found(c, n) for c, n in zip(checks, counts[len(MODELS) :], strict=True)])


def _counts(rows: list[QuerySet[Any]]) -> list[int | None]:
    parts: list[str] = []
    params: list[Any] = []
    for each in rows:
        sql, values = each.order_by().values("pk")[: CAP + 1].query.sql_with_params()
        parts.append(f"(SELECT count(*) FROM ({sql}) counted)")  # noqa: S608 - made by the ORM
        params += values
    try:
        with statement_timeout(TIMEOUT_MS), connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(parts)}", params)
            return list(cursor.fetchone())
    except OperationalError:
        return [_alone(each) for each in rows]


def _alone(rows: QuerySet[Any]) -> int | None:
    try:
        with statement_timeout(TIMEOUT_MS // 10):
            return rows.order_by().values("pk")[: CAP + 1].count()
    except OperationalError:
        return None
