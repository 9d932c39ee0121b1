"""What several benches need of the stream: COPY into it, and a clean end."""

import io
import random
from typing import Any

from django.db import connection, transaction

from crmcem.lib import stream_rebase

MARK = "bench"


def contact_ids(count: int, seed: int = 5) -> list[int]:
    """``count`` ids of contacts, any of them, some more than once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(id), max(id) FROM contacts_contact")
        first, last = cursor.fetchone()
    chance = random.Random(seed)
    return [chance.randint(first, last) for _ in range(count)]


def copy_orders(ids: list[int]) -> None:
    """The bare machine: orders of these contacts into the indexed stream, in one COPY."""
    row = 'order.placed\t{}\ttoken\t{{"order": "1", "amount": "12.50", "currency": "USD", "bench": true}}\n'
    buffer = io.StringIO("".join(row.format(pk) for pk in ids))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.copy_expert(
            "COPY contacts_activity (kind, contact_id, actor_kind, payload) FROM STDIN", buffer
        )


def copy_sessions(ids: list[int]) -> None:
    """The same for visits: each customer signs in, looks at three pages and orders."""
    visit = (
        'account.signed_in\t{0}\ttoken\t{{"device": "phone"}}\n'
        + 'page.viewed\t{0}\ttoken\t{{"path": "/jazz/"}}\n' * 3
        + 'order.placed\t{0}\ttoken\t{{"order": "1", "amount": "12.50", "currency": "USD"}}\n'
    )
    buffer = io.StringIO("".join(visit.format(pk) for pk in ids))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.copy_expert(
            "COPY contacts_activity (kind, contact_id, actor_kind, payload) FROM STDIN", buffer
        )


def newest() -> int:
    """The id of the newest activity."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM contacts_activity")
        return int(cursor.fetchone()[0])


def skip(names: list[str] | None = None) -> None:
    """Let consumers go on at the end of the stream."""
    stream_rebase.restart(names=names, at_end=True)


def forget(after: int) -> None:
    """Take out the activities that came behind ``after``, with their keys."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM contacts_activity WHERE id > %s AND received_at > now() - interval '1 day'", [after]
        )
        cursor.execute("DELETE FROM contacts_eventkey WHERE received_at > now() - interval '1 day'")
        cursor.execute("SELECT 'contacts_activity_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')")
        cursor.execute(f"VACUUM {cursor.fetchone()[0]}, contacts_eventkey, contacts_pulse")


def pulses(ids: list[int]) -> list[Any]:
    """The figures of Pulse that orders move, to be put back afterwards."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT contact_id, orders, revenue, last_seen_at FROM contacts_pulse WHERE contact_id = ANY(%s)",
            [ids],
        )
        return cursor.fetchall()


def put_back(before: list[Any]) -> None:
    """As they were, and without the dead rows that would burden the next run."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE before (id bigint, orders int, revenue numeric, seen timestamptz)")
        text = "".join(
            f"{pk}\t{orders}\t{revenue}\t{seen.isoformat() if seen else chr(92) + 'N'}\n"
            for pk, orders, revenue, seen in before
        )
        cursor.copy_expert("COPY before FROM STDIN", io.StringIO(text))
        cursor.execute(
            "UPDATE contacts_pulse p SET orders = b.orders, revenue = b.revenue, last_seen_at = b.seen"
            " FROM before b WHERE p.contact_id = b.id"
        )
        cursor.execute("DROP TABLE before")
        cursor.execute("VACUUM contacts_pulse")
