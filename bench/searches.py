"""Search as people type it, measured at the database."""

import random
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact
from contacts.selectors.search import PEOPLE, matching
from crmcem.workspace.models import User

from .timing import Line, busy, percentile

SIZES = ("10k", "100k", "1M")
ASKED = 300


def measure() -> dict[str, Any]:
    chance = random.Random(3)
    user = User.objects.get(username="admin")
    rows = Contact.objects.visible_to(user)
    newest = Contact.objects.order_by("-id").values_list("id", flat=True)[0]
    people = list(
        Contact.objects.filter(id__in=[newest - chance.randrange(9_000) for _ in range(ASKED)]).order_by("id")
    )
    words = [_typed(chance, person) for person in people]
    for word in words[:20]:
        matching(PEOPLE, rows, word)
    spent = [_seconds(rows, word) for word in words]
    addresses = [_seconds(rows, person.email or "") for person in people]
    prefixes = [
        _seconds(rows, (person.email or "")[:12]) for person in people if "." in (person.email or "")[:12]
    ]
    short = [_seconds(rows, word) for word in ("a", "zz", "qx", "m", "jo", "é", "x y", "ba")]
    slowest = max(zip(spent, words, strict=True))
    return {
        "p50": percentile(spent, 0.5),
        "p95": percentile(spent, 0.95),
        "slowest": f"{slowest[1]} {1000 * slowest[0]:.0f} ms",
        "exact": percentile(addresses, 0.5),
        "prefix": percentile(prefixes, 0.5),
        "short": max(short),
        "scans": _scans(rows, ("a", "zz", "qx", "m", "jo", "é", "x y", "ba")),
    }


def _typed(chance: random.Random, person: Contact) -> str:
    """Parts of names, whole names, parts from the middle, and things that nobody is called."""
    first, last = person.first_name, person.last_name
    return chance.choice(
        [
            last[: chance.randrange(3, 6)],
            last,
            last[1:] if len(last) > 4 else last,
            f"{first} {last}",
            f"{last} {first[:3]}",
            f"{first[:3]} {last[:3]}",
            first if len(first) > 3 else last,
            last[:4] + "qx",
        ]
    )


def _seconds(rows: Any, text: str) -> float:
    """The time of its statements: sending, answering, reading."""
    spent: list[float] = []

    def watched(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        answer: list[Any] = []
        spent.append(busy(lambda: answer.append(execute(sql, params, many, context))))
        return answer[0]

    with connection.execute_wrapper(watched):
        matching(PEOPLE, rows, text)
    return sum(spent)


def _scans(rows: Any, words: tuple[str, ...]) -> int:
    """How many of the statements for these words read a whole table."""
    with CaptureQueriesContext(connection) as said:
        for word in words:
            matching(PEOPLE, rows, word)
    count = 0
    with connection.cursor() as cursor:
        for query in said.captured_queries:
            if query["sql"].startswith("SELECT"):
                cursor.execute("EXPLAIN " + query["sql"])
                count += any("Seq Scan on contacts_" in line for (line,) in cursor.fetchall())
    return count


def lines(found: dict[str, dict[str, Any]]) -> list[Line]:
    largest = list(found)[-1]
    figures = found[largest]
    growth = ", ".join(f"{size} {1000 * found[size]['p50']:.1f} ms" for size in found)
    return [
        Line("search of 3 and more characters, p50", 1000 * figures["p50"], "≤ 30", growth, " ms"),
        Line(
            "search of 3 and more characters, p95",
            1000 * figures["p95"],
            "≤ 150",
            f"slowest: {figures['slowest']}",
            " ms",
        ),
        Line("exact e-mail address", 1000 * figures["exact"], "≤ 2", "", " ms"),
        Line("beginning of an e-mail address", 1000 * figures["prefix"], "≤ 2", "", " ms"),
        Line(
            "scans by one or two characters",
            figures["scans"],
            "≤ 0",
            f"slowest {1000 * figures['short']:.1f} ms",
        ),
    ]
