"""What Pulse adds for one range of the stream as a function, so that it is planned once a connection.

``contacts_pulse_add(first, last, after_txid, after_id, end_txid, end_id, seen, touch)``: the range
``((after_txid, after_id), (end_txid, end_id)]`` whose rows were received between ``first`` and ``last``; ``seen`` and
``touch`` are the kinds that mean the customer did something, or that we were in touch. See
``contacts.consumers.pulse``. ``contacts_order_amount(payload)`` is what an order is worth.
"""

from django.db import migrations

# A number, a decimal text, or money {"amount": "12.50", …}; anything else, or eleven digits and more, counts nothing.
# The pattern has no bounded repetitions: {1,11} and {1,20} took three times as long. Planned into its caller.
AMOUNT = r"""
CREATE FUNCTION contacts_order_amount(payload jsonb) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT CASE
    WHEN length(payload->>'amount') <= 33 AND payload->>'amount' ~ '^-?[0-9]+(\.[0-9]+)?$' THEN
        CASE WHEN abs((payload->>'amount')::numeric) < 1e11 THEN round((payload->>'amount')::numeric, 2) END
    WHEN length(payload->'amount'->>'amount') <= 33 AND payload->'amount'->>'amount' ~ '^-?[0-9]+(\.[0-9]+)?$' THEN
        CASE WHEN abs((payload->'amount'->>'amount')::numeric) < 1e11
             THEN round((payload->'amount'->>'amount')::numeric, 2) END
END
$$;
"""
# Rows are updated, and so locked, in the order of their ids, so that two writers of Pulse never wait for each other: a
# nested loop over the sorted customers, each found by its key. The planner might hash a large batch and take them in
# any order, so it has no other choice here (and locking them in a step of its own before costs a fifth of the rate).
# One plan for every range, made for any: partitions that are out of its bounds are left out when it begins, and the range
# wants its order without a sort, so that the index on (txid, id) answers. On a young stream the planner would take the
# one on the id, and keep to it when that has grown to millions. (The sort by customer is the one that is left.)
ADD = """
CREATE FUNCTION contacts_pulse_add(
    first timestamptz, last timestamptz, after_txid text, after_id bigint, end_txid text, end_id bigint,
    seen text[], touch text[]
) RETURNS void
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET enable_seqscan = off
SET enable_sort = off
SET jit = off
AS $$
BEGIN
    WITH s AS MATERIALIZED (
        SELECT r.contact_id,
               max(r.occurred_at) FILTER (WHERE r.kind = ANY(seen)) AS seen_at,
               max(r.occurred_at) FILTER (WHERE r.kind = ANY(touch)) AS touched_at,
               count(*) FILTER (WHERE r.kind = 'order.placed') AS orders,
               coalesce(sum(CASE WHEN r.kind = 'order.placed' THEN contacts_order_amount(r.payload) END), 0) AS revenue
        FROM (
            SELECT a.contact_id, a.kind, a.occurred_at, a.payload
            FROM contacts_activity a
            WHERE a.received_at BETWEEN first AND last
              AND (a.txid, a.id) > (after_txid::xid8, after_id)
              AND (a.txid, a.id) <= (end_txid::xid8, end_id)
              AND a.contact_id IS NOT NULL
            ORDER BY a.txid, a.id
            OFFSET 0
        ) r
        GROUP BY r.contact_id ORDER BY r.contact_id
    )
    UPDATE contacts_pulse p SET
        last_seen_at = greatest(p.last_seen_at, s.seen_at),
        last_touched_at = greatest(p.last_touched_at, s.touched_at),
        orders = p.orders + s.orders,
        revenue = greatest(least(p.revenue + s.revenue, 999999999999.99), -999999999999.99)
    FROM s
    WHERE p.contact_id = s.contact_id
      AND (s.orders > 0
        OR s.seen_at > coalesce(p.last_seen_at, '-infinity')
        OR s.touched_at > coalesce(p.last_touched_at, '-infinity'));
END $$;
"""
DROP_AMOUNT = "DROP FUNCTION contacts_order_amount(jsonb)"
DROP_ADD = "DROP FUNCTION contacts_pulse_add(timestamptz, timestamptz, text, bigint, text, bigint, text[], text[])"


class Migration(migrations.Migration):
    dependencies = [("contacts", "0033_parts_of_imports")]
    operations = [migrations.RunSQL(AMOUNT, DROP_AMOUNT), migrations.RunSQL(ADD, DROP_ADD)]
