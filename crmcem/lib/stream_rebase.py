"""Moving the offsets: to a restored database's new cluster, or to an end of the stream.

A logical restore (pg_restore) keeps the old cluster's transaction ids in ``txid``, while the new cluster gives
out small ones again: compared by id alone, restored activities would come after new ones, or never. A rebase
finishes what was restored, all of which is committed, and starts anew behind it, by ``received_after``. (A base
backup or a replica continues the ids and needs nothing.)
"""

import datetime as dt
from typing import Any

from django.db import connection, transaction

from .stream import OFFSETS, STREAM, consumers
from .stream_runner import XMIN, Reach, ensure, states, step

# A row that was written here carries its own transaction in the system column xmin, a restored one that of the
# restore. No consumer has run since, so no row was updated. The border lies behind the newest restored row:
# whatever was written here is newer. Its transactions are those from the oldest visible or running one on.
_BORDER = f"""
SELECT b.border, (least(
    {XMIN}::text::numeric,
    (SELECT min(a.txid::text::numeric) FROM {STREAM} a WHERE a.received_at >= b.border)
) - 1)::text
FROM (
    SELECT max(a.received_at) + interval '1 microsecond' AS border FROM {STREAM} a
    WHERE a.xmin::text::bigint <> (a.txid::text::numeric % 4294967296)::bigint
) b
"""  # noqa: S608 - built from constants of the code, also below

_PLACE = f"""
UPDATE {OFFSETS} SET txid = %(txid)s, last_id = %(id)s, received_after = coalesce(%(after)s, received_after),
    seen_at = NULL, mark_txid = NULL, mark_at = NULL,
    failures = 0, last_error = '', retry_at = NULL, updated_at = clock_timestamp()
WHERE name = ANY(%(names)s)
"""  # noqa: S608
_LAST = 2**63 - 1


def rebase() -> tuple[int, dt.datetime | None]:
    """Finish the restored activities and start behind them, in one transaction: all of it or nothing.

    Returns how many activities were still to be handled and where the new stream begins; ``(0, None)``, and
    nothing changed, where the stream is this cluster's own. A failing handler raises, and nothing has moved.
    """
    names = consumers.keys()
    with transaction.atomic(), connection.cursor() as cursor:
        for consumer in consumers:
            ensure(consumer)
        cursor.execute(f"SELECT 1 FROM {OFFSETS} WHERE name = ANY(%s) ORDER BY name FOR UPDATE", [names])  # noqa: S608
        if not any(foreign for foreign, _due in states().values()):
            return 0, None
        cursor.execute(_BORDER)
        border, txid = cursor.fetchone()
        cursor.execute(f"UPDATE {OFFSETS} SET retry_at = NULL WHERE name = ANY(%s)", [names])  # noqa: S608
        rows = 0
        reach = Reach(settled=True, before=border.isoformat())
        for consumer in consumers:
            while found := step(consumer, reach):
                rows += found
        cursor.execute(_PLACE, {"txid": txid, "id": _LAST, "after": border, "names": names})
        return rows, border


def restart(*, names: list[str] | None = None, at_end: bool = False) -> None:
    """Let consumers read the whole stream again, or skip to its end.

    For a seed that wrote rows with a ``received_at`` of the past: ``at_end`` when it wrote their effects too.
    The end is exact: the lock waits for open writers, so every row before it is visible, and handled by
    declaration; every row after it has a later ``received_at``.
    """
    wanted = consumers.keys() if names is None else names
    with transaction.atomic(), connection.cursor() as cursor:
        for consumer in consumers:
            if consumer.name in wanted:
                ensure(consumer)
        place: dict[str, Any] = {"txid": "0", "id": 0, "after": None, "names": wanted}
        if at_end:
            cursor.execute(f"LOCK TABLE {STREAM} IN SHARE MODE")
            cursor.execute(f"SELECT clock_timestamp(), ({XMIN}::text::numeric - 1)::text")
            after, txid = cursor.fetchone()
            place |= {"txid": txid, "id": _LAST, "after": after}
        cursor.execute(_PLACE, place)
