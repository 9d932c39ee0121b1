"""Keeping the stream's tables in shape: partitions ahead of time, no message ids beyond their retention."""

from django.conf import settings
from django.db import connection

_EXPIRE = """
DELETE FROM contacts_eventkey k USING (
    SELECT digest FROM contacts_eventkey
    WHERE received_at < clock_timestamp() - make_interval(days => %s)
    ORDER BY received_at LIMIT %s FOR UPDATE SKIP LOCKED
) old WHERE k.digest = old.digest
"""


def partitions_keep(*, months: int = 3) -> int:
    """Make the missing monthly partitions up to ``months`` ahead. Returns how many were made."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT contacts_activity_partitions((now() AT TIME ZONE 'UTC')::date,"
            " ((now() AT TIME ZONE 'UTC') + make_interval(months => %s))::date)",
            [months],
        )
        made: int = cursor.fetchone()[0]
        return made


def event_keys_expire(*, batch: int = 10_000) -> int:
    """Delete event keys older than EVENT_DEDUPE_DAYS, one short transaction per ``batch`` rows."""
    total: int = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_EXPIRE, [settings.EVENT_DEDUPE_DAYS, batch])
            total += int(cursor.rowcount)
            if cursor.rowcount < batch:
                return total
