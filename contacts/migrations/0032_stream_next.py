"""One step of a consumer through the stream as a function, so that its statements are planned once a connection.

``contacts_stream_next(consumer, settled, before, size)`` locks the offset, finds the range behind it and moves on,
all in the caller's transaction; see ``crmcem.lib.stream_runner``. No row: it is idle, failed lately, or locked.
"""

from django.db import migrations

# The range wants the rows in the order of the index, one partition merged with the next. Right after a load the planner
# does not know how many rows are waiting, would read and sort all of them for every batch, and so take a time that
# grows with the square of the backlog. So it may not sort there. (What must sort all the same looks very dear to
# PostgreSQL below 18, which would compile it: 0.3 s. Hence no JIT.) One plan for every range: partitions that are out
# of its bounds are left out when it begins.
# The columns of ORDER BY are qualified: an output column of the same name would sort as text.
CREATE = """
CREATE FUNCTION contacts_stream_next(
    consumer text, settled boolean, before timestamptz, size integer,
    OUT txid text, OUT id bigint, OUT since text,
    OUT end_txid text, OUT end_id bigint, OUT counts text, OUT first text, OUT last text
) RETURNS SETOF record
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_sort = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    o record;
    n record;
    passed boolean;
BEGIN
    SELECT c.txid::xid8 AS txid, c.last_id, c.mark_txid::xid8 AS mark,
           greatest(c.received_after, c.seen_at - interval '1 day', '-infinity') AS since
    INTO o
    FROM contacts_consumeroffset c
    WHERE c.name = consumer AND (c.retry_at IS NULL OR c.retry_at <= clock_timestamp())
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    WITH r AS MATERIALIZED (
        SELECT a.txid, a.id, a.kind, a.received_at
        FROM contacts_activity a
        WHERE a.received_at >= o.since AND a.received_at < before
          AND (a.txid, a.id) > (o.txid, o.last_id)
          AND (settled OR a.txid < pg_snapshot_xmin(pg_current_snapshot()))
        ORDER BY a.txid, a.id
        LIMIT size
    )
    SELECT e.txid, e.id, k.counts, k.n, k.first, k.last, pg_snapshot_xmax(pg_current_snapshot())::text AS mark
    INTO n
    FROM (SELECT jsonb_object_agg(g.kind, g.n)::text AS counts, sum(g.n) AS n, min(g.first) AS first, max(g.last) AS last
          FROM (SELECT r.kind, count(*) AS n, min(r.received_at) AS first, max(r.received_at) AS last
                FROM r GROUP BY r.kind) g) k,
         (SELECT r.txid, r.id FROM r ORDER BY r.txid DESC, r.id DESC LIMIT 1) e;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    passed := coalesce(n.txid >= o.mark, false);
    UPDATE contacts_consumeroffset c SET
        txid = n.txid::text, last_id = n.id, handled = c.handled + n.n,
        failures = 0, last_error = '', retry_at = NULL, updated_at = clock_timestamp(),
        seen_at = CASE WHEN passed THEN c.mark_at ELSE c.seen_at END,
        mark_txid = CASE WHEN passed OR c.mark_txid IS NULL THEN n.mark ELSE c.mark_txid END,
        mark_at = CASE WHEN passed OR c.mark_txid IS NULL THEN statement_timestamp() ELSE c.mark_at END
    WHERE c.name = consumer;

    RETURN QUERY SELECT o.txid::text, o.last_id, o.since::text, n.txid::text, n.id, n.counts,
                        n.first::text, n.last::text;
END $$;
"""
DROP = "DROP FUNCTION contacts_stream_next(text, boolean, timestamptz, integer)"


class Migration(migrations.Migration):
    dependencies = [("contacts", "0031_checked_imports")]
    operations = [migrations.RunSQL(CREATE, DROP)]
