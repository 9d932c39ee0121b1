"""Places in the stream: "since the run started", "since it last waited", told exactly.

Clocks can't say it: an activity's transaction may commit after its ``received_at``. Transaction ids can.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import connection

from journeys.definition.nodes import ANYTHING, Happening
from journeys.engine import sql

#: A transaction that wrote an activity may be this old when it commits; older partitions are not read.
LONGEST_TRANSACTION = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the stream; ``at`` is its time, which bounds the partitions.

    Without a ``snapshot`` it lies behind activity ``id`` of transaction ``txid``. With one it is a moment of the
    database: all that was committed then is before it, and so is the moment's own transaction up to ``id``.
    """

    txid: str
    id: int
    at: dt.datetime
    snapshot: str | None = None

    def as_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"txid": self.txid, "id": self.id, "at": self.at.isoformat()}
        return out if self.snapshot is None else out | {"snapshot": self.snapshot}


def read(data: Any, fallback: dt.datetime) -> Mark:
    """The mark kept in a run's context."""
    if not isinstance(data, dict):
        return Mark("0", 0, fallback)
    at = dt.datetime.fromisoformat(data["at"])
    return Mark(str(data["txid"]), int(data["id"]), at, data.get("snapshot"))


def here() -> Mark:
    """Now: what is not committed yet counts as later."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT pg_current_xact_id()::text, pg_current_snapshot()::text, clock_timestamp(),
                   (SELECT coalesce(max(id), 0) FROM contacts_activity WHERE txid = pg_current_xact_id())
            """
        )
        txid, snapshot, at, last = cursor.fetchone()
    return Mark(txid, last, at, snapshot)


# The mark's own transaction is told first: a snapshot doesn't list the transaction that took it, which so looks
# committed as soon as any later one has ended. And a transaction id means nothing in another cluster, whose ids
# start over after a restore: there the clock decides, with a minute of slack.
_HAPPENED = """
SELECT contacts_activity.id, contacts_activity.occurred_at FROM contacts_activity
WHERE contact_id = %(contact)s AND (%(any)s OR kind = %(kind)s) AND {where}
  AND (received_at > %(mark_at)s::timestamptz + interval '1 minute'
       OR CASE WHEN txid = %(mark_txid)s::xid8 THEN id > %(mark_id)s
          WHEN %(snapshot)s::pg_snapshot IS NULL THEN txid > %(mark_txid)s::xid8
          ELSE NOT pg_visible_in_snapshot(txid, %(snapshot)s::pg_snapshot) END)
  AND received_at > %(oldest)s
ORDER BY contacts_activity.txid, contacts_activity.id LIMIT 1
"""


def happened(
    what: Happening, contact_id: int, mark: Mark, now: dt.datetime
) -> tuple[int, dt.datetime] | None:
    """Id and time of the first such activity of the contact behind the mark, None where there is none."""
    where, params = sql.activity_sql(sql.payload_q(what.where, now), "w")
    with connection.cursor() as cursor:
        cursor.execute(
            _HAPPENED.format(where=where),
            params
            | {
                "contact": contact_id,
                "any": what.event == ANYTHING,
                "kind": what.event,
                "mark_txid": mark.txid,
                "mark_id": mark.id,
                "mark_at": mark.at,
                "snapshot": mark.snapshot,
                "oldest": mark.at - LONGEST_TRANSACTION,
            },
        )
        row: tuple[int, dt.datetime] | None = cursor.fetchone()
        return row
