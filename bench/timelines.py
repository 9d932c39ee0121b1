"""The timeline of the busiest customer against those of others."""

import random
import statistics
from typing import Any

from django.db import connection

from .browser import api, getter
from .timing import Line, interleaved

SIZES = ("1M",)
OTHERS = 12


def measure() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT contact_id, count(*) FROM contacts_activity GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
        )
        busiest, most = cursor.fetchone()
        cursor.execute("SELECT id FROM contacts_contact ORDER BY id")
        ids = [pk for (pk,) in cursor.fetchall()]
    others = random.Random(1).sample(ids, OTHERS)
    client = api()
    runs = {str(pk): getter(client, f"/api/v1/contacts/{pk}/timeline/") for pk in (busiest, *others)}
    taken = interleaved(runs, rounds=15)
    return {
        "busiest": taken[str(busiest)],
        "activities": most,
        "other": statistics.median(taken[str(pk)] for pk in others),
    }


def lines(found: dict[str, dict[str, Any]]) -> list[Line]:
    figures = list(found.values())[-1]
    pair = f"{1000 * figures['busiest']:.1f} ms against {1000 * figures['other']:.1f} ms"
    note = f"{figures['activities']:,} activities: {pair}"
    return [Line("heaviest timeline ÷ a random one", figures["busiest"] / figures["other"], "≤ 2", note)]
