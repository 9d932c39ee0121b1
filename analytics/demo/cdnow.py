"""The real purchases: read from the data file, moved in time so that the last one is today."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

FILE = Path(__file__).with_name("data") / "CDNOW_sample.txt"
LAST_DAY = dt.date(1998, 6, 30)


@dataclass(frozen=True, slots=True)
class Purchase:
    """One line of the file. ``customer`` is the id in the sample (``0001`` to ``2357``)."""

    customer: str
    day: dt.date
    items: int
    amount: Decimal


def purchases(today: dt.date | None = None) -> Iterator[Purchase]:
    """All purchases in the file's order (customer, then day), shifted so that the newest day is ``today``."""
    shift = (today - LAST_DAY) if today else dt.timedelta(0)
    for line in FILE.read_text(encoding="ascii").splitlines():
        _master, customer, day, items, dollars = line.split()
        moved = dt.date(int(day[:4]), int(day[4:6]), int(day[6:])) + shift
        yield Purchase(customer, moved, int(items), Decimal(dollars))


def by_customer(today: dt.date | None = None) -> dict[str, list[Purchase]]:
    """``{customer: purchases, oldest first}``"""
    found: dict[str, list[Purchase]] = {}
    for purchase in purchases(today):
        found.setdefault(purchase.customer, []).append(purchase)
    return found
