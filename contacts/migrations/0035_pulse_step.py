"""A whole step of Pulse through the stream as one function: the range is read once, and nothing waits for the driver.

``contacts_pulse_step(consumer, settled, before, size, seen_kinds, touch_kinds, all_kinds, house_words)`` locks the
offset, adds up the range behind it, moves on and returns how many activities it read (0: idle, failed lately, or
locked). ``seen_kinds`` and ``touch_kinds`` are the registered kinds that mean the customer did something, or that we
were in touch; ``all_kinds`` are all registered ones, ``house_words`` the first words that are the house's own. See
``contacts.consumers.pulse``.

``contacts_pulse_add`` of migration 0034 stays for workers of the release before, while both run.
"""

from django.db import migrations

# The lock, the range and the move are those of contacts_stream_next (migration 0032), for the same reasons.
# Rows of Pulse are updated, and so locked, in the order of their ids, so that two writers never wait for each other: a
# nested loop over the sorted customers, each found by its key. The planner might hash a large batch and take them in
# any order, so it has no other choice here (and locking them in a step of its own before costs a fifth of the rate).
# One plan for every range: partitions that are out of its bounds are left out when it begins, and the range wants its
# order without a sort, so that the index on (txid, id) answers, also where it was planned on a young stream.
# Kinds are judged once a range, not once a row. Customers are gathered first and sorted then: they are fewer.
# The horizon is asked before the range: an older snapshot's is only lower, and the index can end at it.
# A stitch gives a customer activities that were read before it was known: all of its figures are made anew then, up to
# the end of the range. Below the pruning bound everything is handled; after a rebase its transaction ids say nothing.
STEP = r"""
CREATE FUNCTION contacts_pulse_step(
    consumer text, settled boolean, before timestamptz, size integer,
    seen_kinds text[], touch_kinds text[], all_kinds text[], house_words text[]
) RETURNS integer
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET enable_seqscan = off
SET enable_sort = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    o record;
    n record;
    passed boolean;
    horizon xid8;
BEGIN
    SELECT c.txid::xid8 AS txid, c.last_id, c.mark_txid::xid8 AS mark,
           greatest(c.received_after, c.seen_at - interval '1 day', '-infinity') AS since
    INTO o
    FROM contacts_consumeroffset c
    WHERE c.name = consumer AND (c.retry_at IS NULL OR c.retry_at <= clock_timestamp())
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    horizon := CASE WHEN settled THEN '18446744073709551615' ELSE pg_snapshot_xmin(pg_current_snapshot()) END;

    WITH r AS MATERIALIZED (
        SELECT a.txid, a.id, a.kind, a.contact_id, a.occurred_at,
               CASE WHEN a.kind = 'order.placed' THEN contacts_order_amount(a.payload) END AS amount
        FROM contacts_activity a
        WHERE a.received_at >= o.since AND a.received_at < before
          AND (a.txid, a.id) > (o.txid, o.last_id)
          AND a.txid < horizon
        ORDER BY a.txid, a.id
        LIMIT size
    ), k AS MATERIALIZED (
        SELECT g.kind, g.n,
               g.kind = ANY(seen_kinds)
                   OR (g.kind <> ALL(all_kinds) AND split_part(g.kind, '.', 1) <> ALL(house_words)) AS seen,
               g.kind = ANY(touch_kinds) AS touch
        FROM (SELECT r.kind, count(*) AS n FROM r GROUP BY r.kind) g
    ), s AS MATERIALIZED (
        SELECT r.contact_id,
               max(r.occurred_at) FILTER (WHERE r.kind = ANY(ARRAY(SELECT k.kind FROM k WHERE k.seen))) AS seen_at,
               max(r.occurred_at) FILTER (WHERE r.kind = ANY(ARRAY(SELECT k.kind FROM k WHERE k.touch))) AS touched_at,
               count(*) FILTER (WHERE r.kind = 'order.placed') AS orders,
               coalesce(sum(r.amount), 0) AS revenue
        FROM r WHERE r.contact_id IS NOT NULL
        GROUP BY r.contact_id
    ), added AS (
        UPDATE contacts_pulse p SET
            last_seen_at = greatest(p.last_seen_at, s.seen_at),
            last_touched_at = greatest(p.last_touched_at, s.touched_at),
            orders = p.orders + s.orders,
            revenue = greatest(least(p.revenue + s.revenue, 999999999999.99), -999999999999.99)
        FROM (SELECT * FROM s ORDER BY s.contact_id) s
        WHERE p.contact_id = s.contact_id
          AND (s.orders > 0
            OR s.seen_at > coalesce(p.last_seen_at, '-infinity')
            OR s.touched_at > coalesce(p.last_touched_at, '-infinity'))
    )
    SELECT e.txid, e.id, t.n, t.stitched, pg_snapshot_xmax(pg_current_snapshot())::text AS mark
    INTO n
    FROM (SELECT sum(k.n)::integer AS n, bool_or(k.kind = 'contact.stitched') AS stitched FROM k) t,
         (SELECT r.txid, r.id FROM r ORDER BY r.txid DESC, r.id DESC LIMIT 1) e;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;

    IF n.stitched THEN
        WITH who AS (
            SELECT DISTINCT b.contact_id FROM contacts_activity b
            WHERE b.received_at >= o.since
              AND (b.txid, b.id) > (o.txid, o.last_id) AND (b.txid, b.id) <= (n.txid, n.id)
              AND b.kind = 'contact.stitched' AND b.contact_id IS NOT NULL
        ), s AS MATERIALIZED (
            SELECT a.contact_id,
                   max(a.occurred_at) FILTER (WHERE a.kind = ANY(seen_kinds)
                       OR (a.kind <> ALL(all_kinds) AND split_part(a.kind, '.', 1) <> ALL(house_words))) AS seen_at,
                   max(a.occurred_at) FILTER (WHERE a.kind = ANY(touch_kinds)) AS touched_at,
                   count(*) FILTER (WHERE a.kind = 'order.placed') AS orders,
                   coalesce(sum(CASE WHEN a.kind = 'order.placed' THEN contacts_order_amount(a.payload) END), 0)
                       AS revenue
            FROM who JOIN contacts_activity a ON a.contact_id = who.contact_id
            WHERE a.received_at < o.since OR (a.txid, a.id) <= (n.txid, n.id)
            GROUP BY a.contact_id ORDER BY a.contact_id
        )
        UPDATE contacts_pulse p SET
            last_seen_at = greatest(p.last_seen_at, s.seen_at),
            last_touched_at = greatest(p.last_touched_at, s.touched_at),
            orders = s.orders,
            revenue = greatest(least(s.revenue, 999999999999.99), -999999999999.99)
        FROM s WHERE p.contact_id = s.contact_id;
    END IF;

    passed := coalesce(n.txid >= o.mark, false);
    UPDATE contacts_consumeroffset c SET
        txid = n.txid::text, last_id = n.id, handled = c.handled + n.n,
        failures = 0, last_error = '', retry_at = NULL, updated_at = clock_timestamp(),
        seen_at = CASE WHEN passed THEN c.mark_at ELSE c.seen_at END,
        mark_txid = CASE WHEN passed OR c.mark_txid IS NULL THEN n.mark ELSE c.mark_txid END,
        mark_at = CASE WHEN passed OR c.mark_txid IS NULL THEN statement_timestamp() ELSE c.mark_at END
    WHERE c.name = consumer;
    RETURN n.n;
END $$;
"""
DROP = (
    "DROP FUNCTION contacts_pulse_step(text, boolean, timestamptz, integer, text[], text[], text[], text[])"
)


class Migration(migrations.Migration):
    dependencies = [("contacts", "0034_pulse_add")]
    operations = [migrations.RunSQL(STEP, DROP)]
